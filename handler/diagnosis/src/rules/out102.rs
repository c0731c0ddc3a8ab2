//! OUT102: type loadBalancer, but the default route leads to an appliance.

use super::migration::may_become;
use super::routing::{by_default, declare_hub, delete, find, only_for, past_hub};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::routes::Hop;
use crate::report::{Remediation, RouteSource, Severity};

/// Type loadBalancer, but the default route leads to an appliance.
pub(super) const RULE: Rule = Rule {
    code: "OUT102",
    slug: "load-balancer-bypassed",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether the default route of a pool's subnet, or the one that its virtual \
               network learns from a secured virtual hub, leads to a virtual appliance.",
        why: "The packets leave by the appliance, not by the load balancer's outbound address. Answers of public Services \
              take the other way and are dropped, allow-lists name an address that is not used, and the load balancer's \
              SNAT metrics say nothing.",
        evidence: "The route, its route table, the appliance's address and the subnets that use the table.",
        fix: "Change the outbound type to `userDefinedRouting` when the appliance is wanted, else delete the route. A hub's \
              default route is not deleted but overruled, by a route table with 0.0.0.0/0.",
        how_sure: "Certain: a route to an appliance comes before every other method (R2.1), be it the route table's or the \
                   default route that a virtual hub's routing intent gives to the network. Where a gateway or a hub may give \
                   a default route that cannot be read, the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::LoadBalancer],
        "the outbound type is not loadBalancer",
    ) {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    for routed in by_default(ctx, &mut outcome, |via| {
        matches!(via.hop, Hop::VirtualAppliance(_))
    }) {
        let mut found = RULE
            .finding(format!(
                "{} bypasses the load balancer: {} leads to {}",
                routed.who(),
                routed.via.label(),
                routed.via.hop_label()
            ))
            .explain("Outbound type loadBalancer promises the load balancer's address. The route sends the packets to an appliance first, so they leave with another address, and answers of public Services return another way than the requests came.");
        found = routed.show(found);
        // AKS accepts the type only with a route table that has the default route (R3.14).
        if routed.via.table.is_some() && may_become(ctx, &OutboundType::UserDefinedRouting) {
            found = found.fix(
                Remediation::new("Declare what is the case: outbound type userDefinedRouting")
                    .command(
                        ctx.az_aks("update")
                            .opt("--outbound-type", "userDefinedRouting")
                            .build(),
                    )
                    .side_effect("Open connections break and the load balancer's outbound address is released: authorized IP ranges and allow-lists first")
                    .undo(ctx.az_aks("update").opt("--outbound-type", "loadBalancer").build()),
            );
        }
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(delete(
                "Delete the route: packets then leave by the load balancer",
                table,
                route,
            ));
        }
        if routed.via.source == RouteSource::Bgp {
            if may_become(ctx, &OutboundType::UserDefinedRouting) {
                found = found.fix(declare_hub(ctx, &routed.paths));
            }
            found = found.fix(past_hub(ctx, &routed.paths));
        }
        outcome.findings.push(found);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::NextHopType;
    use crate::testing::{
        codes, firewall_routing, kubenet, load_balancer, outcome, route, route_table,
        with_firewall_route, with_gateway, with_hub,
    };

    #[test]
    fn r2_20_fires() {
        let found = outcome(&RULE, &with_firewall_route(load_balancer()));
        assert_eq!(codes(&found), ["OUT102"]);
        let finding = &found.findings[0];
        assert!(!finding.blocks_egress);
        assert!(
            finding
                .title
                .ends_with("leads to VirtualAppliance 10.1.0.4")
        );
        assert!(finding.remediation[0].commands[0].contains("--outbound-type userDefinedRouting"));
        assert!(finding.remediation[1].commands[0].contains("route delete"));
    }

    #[test]
    fn r3_14_fires_for_the_default_route_of_a_virtual_hub() {
        let mut facts = load_balancer();
        with_hub(&mut facts);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT102"]);
        let finding = &found.findings[0];
        assert!(finding.evidence[0].resource_id.is_some(), "{finding:?}");
        let [declare, past] = finding.remediation.as_slice() else {
            panic!("{:?}", finding.remediation)
        };
        let to_firewall = "--next-hop-type VirtualAppliance --next-hop-ip-address 10.9.0.4";
        assert!(declare.commands[1].ends_with(to_firewall), "{declare:?}");
        let last = declare.commands.last().unwrap();
        assert!(
            last.ends_with("--outbound-type userDefinedRouting"),
            "{last}"
        );
        assert!(past.commands[0].contains("route-table create"), "{past:?}");
        assert!(
            past.commands[0].ends_with("--location westeurope"),
            "{past:?}"
        );
        assert!(past.commands[1].ends_with("--address-prefix 0.0.0.0/0 --next-hop-type Internet"));
        assert!(past.commands[2].contains("subnet update"), "{past:?}");
        assert!(past.undo[0].ends_with("--remove routeTable"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // Routes of pods to their nodes are no appliance (R1.80).
        assert_eq!(outcome(&RULE, &kubenet()), Outcome::passed());
        assert!(outcome(&RULE, &firewall_routing()).not_applicable.is_some());
        // R2.23
        let mut facts = load_balancer();
        let internet = route("default", "0.0.0.0/0", NextHopType::Internet, None);
        route_table(&mut facts, vec![internet]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        with_gateway(&mut facts);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
