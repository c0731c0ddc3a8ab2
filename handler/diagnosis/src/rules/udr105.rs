//! UDR105: the appliance lies in the node subnet that it serves.

use super::routing::{by_default, find, only_for, to_appliance};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::AddressSet;
use crate::network::routes::Hop;
use crate::report::Severity;

/// The appliance lies in the node subnet that it serves.
pub(super) const RULE: Rule = Rule {
    code: "UDR105",
    slug: "next-hop-in-node-subnet",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether the appliance's address of a default route lies in a node subnet that uses this route.",
        why: "The appliance's own packets follow the same route back to itself. They loop, and Azure drops them.",
        evidence: "The route with the appliance's address, and the subnet's address range.",
        fix: "Move the appliance to a subnet of its own without this route table, and correct the address.",
        how_sure: "Certain about the addresses. That packets loop depends on the appliance's own routes, hence high and not critical.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/aks/egress-udr",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::UserDefinedRouting],
        "the outbound type is not userDefinedRouting",
    ) {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    for mut routed in by_default(ctx, &mut outcome, |via| {
        matches!(via.hop, Hop::VirtualAppliance(_))
    }) {
        let Hop::VirtualAppliance(Some(address)) = routed.via.hop else {
            outcome.undecided.push(format!(
                "{} has no readable address of its appliance",
                routed.via.label()
            ));
            continue;
        };
        routed.paths.retain(|path| {
            let prefixes = path.used.subnet.as_ref().map(|s| &s.address_prefixes);
            let set = prefixes
                .ok()
                .and_then(|texts| AddressSet::parse_all(texts.iter().map(String::as_str)).ok());
            match set {
                Some(set) if !set.is_empty() => set.contains(address),
                _ => {
                    outcome.undecided.push(format!(
                        "the address range of {} could not be read",
                        path.used.label()
                    ));
                    false
                }
            }
        });
        let Some(path) = routed.paths.first() else {
            continue;
        };
        let mut found = RULE
            .finding(format!(
                "Appliance {address} lies in {}, whose packets it should forward",
                path.used.label()
            ))
            .explain("The appliance's own packets follow the same default route, back to itself.");
        if let Ok(subnet) = path.used.subnet {
            let ranges = subnet.address_prefixes.join(", ");
            found = found.evidence(
                "address range of the subnet",
                Some(&subnet.id),
                Some(ranges),
            );
        }
        found = routed.show(found);
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(to_appliance(ctx, table, route, Some(address)));
        }
        outcome.findings.push(found);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, route_table_mut, subnet_mut,
    };

    fn inside() -> crate::facts::Facts {
        let mut facts = firewall_routing();
        route_table_mut(&mut facts).routes[0].next_hop_ip = Some("10.0.0.200".to_owned());
        facts
    }

    #[test]
    fn r2_37_fires() {
        let found = outcome(&RULE, &inside());
        assert_eq!(codes(&found), ["UDR105"]);
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = inside();
        subnet_mut(&mut facts, "nodes").address_prefixes.clear();
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
    }
}
