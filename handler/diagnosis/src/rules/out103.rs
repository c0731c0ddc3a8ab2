//! OUT103: the default route leads to a virtual network gateway.

use super::routing::{by_default, delete, find};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::routes::Hop;
use crate::report::Severity;

/// The default route leads to a virtual network gateway.
pub(super) const RULE: Rule = Rule {
    code: "OUT103",
    slug: "forced-tunnel",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `loadBalancer` and the NAT gateway types: whether the default route of a pool's subnet \
               leads to a virtual network gateway.",
        why: "Packets to the internet then go through the tunnel to the other side, past the NAT gateway or the load \
              balancer. Whether they reach the internet is decided there, and they leave with its address.",
        evidence: "The route, its route table and the subnets that use it.",
        fix: "Delete the route; a route that a gateway announces is kept out by a user route to Internet, or by switching \
              off propagation on the route table.",
        how_sure: "Certain for a user route. What a gateway announces cannot be read: then the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let promised = match ctx.outbound_type() {
        Some(OutboundType::LoadBalancer) => "the load balancer",
        Some(other) if other.is_nat_gateway() => "the NAT gateway",
        Some(_) => {
            return Outcome::not_applicable(
                "the outbound type promises neither load balancer nor NAT gateway",
            );
        }
        None => return super::routing::no_type(),
    };
    let mut outcome = Outcome::passed();
    for routed in by_default(ctx, &mut outcome, |via| {
        via.hop == Hop::VirtualNetworkGateway
    }) {
        let mut found = RULE
            .finding(format!(
                "{} bypasses {promised}: {} leads to the virtual network gateway",
                routed.who(),
                routed.via.label()
            ))
            .explain("Packets to the internet go through the tunnel. Whether they reach it, and with which address, is decided on its other side.");
        found = routed.show(found);
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(delete(
                format!("Delete the route: packets then leave by {promised}"),
                table,
                route,
            ));
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
        codes, firewall_routing, load_balancer, nat_gateway, outcome, route, route_table,
        route_table_mut, with_gateway,
    };

    #[test]
    fn r2_22_r2_29_fires() {
        for mut facts in [load_balancer(), nat_gateway()] {
            let tunnel = route("t", "0.0.0.0/0", NextHopType::VirtualNetworkGateway, None);
            route_table(&mut facts, vec![tunnel]);
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["OUT103"]);
            assert_eq!(found.findings[0].severity, Severity::High);
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &firewall_routing()).not_applicable.is_some());
        // R3.9: what the gateway announces is kept out.
        let mut facts = load_balancer();
        with_gateway(&mut facts);
        route_table(&mut facts, Vec::new());
        route_table_mut(&mut facts).disable_bgp_route_propagation = Some(true);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        with_gateway(&mut facts);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.undecided[0].contains("may announce"));
    }
}
