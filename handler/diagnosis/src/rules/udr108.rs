//! UDR108: a NAT gateway on a subnet whose packets go to an appliance.

use super::nat101::subnet_update;
use super::out116::to_internet;
use super::routing::{by_default, only_for, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::routes::Hop;
use crate::report::{Remediation, Scope, Severity};

/// A NAT gateway on a subnet whose packets go to an appliance.
pub(super) const RULE: Rule = Rule {
    code: "UDR108",
    slug: "nat-unused-behind-appliance",
    severity: Severity::Info,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether a node subnet has a NAT gateway although its default route \
               leads to an appliance and no other route leads to Internet (R2.44).",
        why: "A NAT gateway carries only what leaves to Internet; the route to the appliance comes first (R2.2). The gateway \
              costs money and its ports help nobody. On the firewall's own subnet it would give the firewall more of them.",
        evidence: "The NAT gateway of the subnet and the default route.",
        fix: "Take the NAT gateway off the node subnet.",
        how_sure: "Certain: the order of the methods is documented (R2.1).",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-design",
            "https://learn.microsoft.com/azure/firewall/integrate-with-nat-gateway",
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
    for routed in by_default(ctx, &mut outcome, |via| {
        matches!(via.hop, Hop::VirtualAppliance(_))
    }) {
        // The other half of the addresses may use it.
        if routed.half {
            continue;
        }
        for path in routed.paths.iter().filter(|p| p.used.scope == Scope::Node) {
            let subnet = match &path.used.subnet {
                Err(missing) => {
                    outcome.missing.push(missing.clone());
                    continue;
                }
                Ok(subnet) => *subnet,
            };
            let table = path.routes.table.as_ref().ok().copied().flatten();
            let used = table.is_some_and(|table| to_internet(table).next().is_some());
            let Some(gateway) = subnet.nat_gateway_id.as_ref().filter(|_| !used) else {
                continue;
            };
            let found = RULE
                .finding(format!(
                    "NAT gateway {} of {} carries nothing: {} leads to {}",
                    gateway.name(),
                    path.used.label(),
                    routed.via.label(),
                    routed.via.hop_label()
                ))
                .explain(
                    "A NAT gateway carries what leaves to Internet, and every packet of this subnet goes to the appliance. \
                     If the firewall is short of SNAT ports, a NAT gateway belongs on its subnet.",
                )
                .evidence(
                    format!("natGateway of {}", path.used.label()),
                    Some(gateway),
                    Some(gateway.name().to_owned()),
                )
                .evidence(
                    routed.via.label(),
                    routed.via.table.as_ref(),
                    Some(routed.via.hop_label()),
                )
                .resource(gateway);
            let update = || subnet_update(&subnet.id);
            let fix = Remediation::new("Take the NAT gateway off the subnet")
                .command(format!("{} --remove natGateway", update().build()))
                .side_effect("None while the default route leads to the appliance; a later bypass test finds no way out")
                .undo(update().opt("--nat-gateway", gateway.as_str()).build());
            outcome.findings.push(show_subnets(found, &[path]).fix(fix));
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, NextHopType};
    use crate::testing::{
        codes, firewall_routing, nat_gateway, nat_id, outcome, route, route_table_id,
        route_table_mut, subnet_mut, with_firewall_route,
    };

    fn unused() -> Facts {
        let mut facts = firewall_routing();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        facts
    }

    #[test]
    fn r2_44_fires() {
        let found = outcome(&RULE, &unused());
        assert_eq!(codes(&found), ["UDR108"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.title.starts_with("NAT gateway ng1"));
        assert!(finding.remediation[0].commands[0].ends_with("--remove natGateway"));
        assert!(finding.remediation[0].undo[0].contains("natGateways/ng1"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        // NAT104 is the finding for NAT outbound types.
        let other = outcome(&RULE, &with_firewall_route(nat_gateway()));
        assert!(other.not_applicable.is_some());
        // R2.2: routes to Internet use it.
        let mut facts = unused();
        let tag = route("monitor", "AzureMonitor", NextHopType::Internet, None);
        route_table_mut(&mut facts).routes.push(tag);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = unused();
        let table = Datum::not_asked("test");
        facts.route_tables.insert(route_table_id(), table);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
