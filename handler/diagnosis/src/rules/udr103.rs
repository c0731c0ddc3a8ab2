//! UDR103: type userDefinedRouting, and the default route leads to Internet.

use super::migration::may_become;
use super::routing::{by_default, find, only_for, to_appliance};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::routes::Hop;
use crate::path::Path;
use crate::report::{Method, Remediation, RouteSource, Severity};

/// Type userDefinedRouting, and the default route leads to Internet.
pub(super) const RULE: Rule = Rule {
    code: "UDR103",
    slug: "default-route-to-internet",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether the default route of a pool subnet's table leads to Internet.",
        why: "It is often a bypass test that nobody took back: packets go round the firewall, with an address of their own \
              or with none. AKS refuses the next update of the cluster.",
        evidence: "The route, its route table and the subnets that use it.",
        fix: "Send the route to the firewall again.",
        how_sure: "Certain about the route; that it is a forgotten test is a guess.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-udr",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
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
        via.hop == Hop::Internet && via.source == RouteSource::User
    }) {
        let today: Vec<&str> = routed
            .paths
            .iter()
            .map(|p| p.carrier.why.as_str())
            .collect();
        let mut found = RULE
            .finding(format!(
                "{} goes round the firewall: {} leads to Internet",
                routed.who(),
                routed.via.label()
            ))
            .explain(format!(
                "Outbound type userDefinedRouting wants a firewall as next hop; AKS refuses updates while the default route leads to Internet. Perhaps a bypass test was not taken back. Today: {}.",
                today.first().copied().unwrap_or_default()
            ));
        found = routed.show(found);
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(to_appliance(ctx, table, route, None));
        }
        // R2.57: AKS refuses this pattern, and has a type for it.
        let gateway = |path: &&Path<'_>| path.carrier.method == Method::NatGateway;
        if routed.paths.iter().all(gateway)
            && may_become(ctx, &OutboundType::UserAssignedNatGateway)
        {
            let declare = |word: &str| ctx.az_aks("update").opt("--outbound-type", word).build();
            found = found.fix(
                Remediation::new("Or leave the way as it is, if the NAT gateway is wanted, and declare it: outbound type userAssignedNATGateway")
                    .command(declare("userAssignedNATGateway"))
                    .side_effect("No firewall sees this traffic, as today")
                    .side_effect("Open connections may break: authorized IP ranges and allow-lists must name the NAT gateway's addresses first")
                    .undo(declare("userDefinedRouting")),
            );
        }
        outcome.findings.push(found);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, NextHopType};
    use crate::testing::{
        codes, firewall_routing, load_balancer, nat_gateway, nat_id, outcome, route_table_id,
        route_table_mut, subnet_mut,
    };

    #[test]
    fn r2_34_fires() {
        let mut facts = firewall_routing();
        let default = &mut route_table_mut(&mut facts).routes[0];
        default.next_hop_type = NextHopType::Internet;
        default.next_hop_ip = None;
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["UDR103"]);
        assert_eq!(found.findings[0].severity, Severity::High);
        let fix = &found.findings[0].remediation[0];
        assert!(fix.commands[0].contains("--next-hop-ip-address FIREWALL_PRIVATE_IP"));
        assert!(fix.undo[0].ends_with("--next-hop-type Internet"));
    }

    #[test]
    fn r2_57_a_nat_gateway_that_carries_it_can_be_declared() {
        let mut facts = firewall_routing();
        let default = &mut route_table_mut(&mut facts).routes[0];
        default.next_hop_type = NextHopType::Internet;
        default.next_hop_ip = None;
        facts.nat_gateways = nat_gateway().nat_gateways;
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        let found = outcome(&RULE, &facts);
        let fixes = &found.findings[0].remediation;
        assert_eq!(fixes.len(), 2);
        assert!(fixes[1].commands[0].ends_with("--outbound-type userAssignedNATGateway"));
        assert!(fixes[1].undo[0].ends_with("--outbound-type userDefinedRouting"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // Azure's own default is UDR102.
        let mut facts = firewall_routing();
        route_table_mut(&mut facts).routes.clear();
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = firewall_routing();
        facts
            .route_tables
            .insert(route_table_id(), Datum::not_asked("test"));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
