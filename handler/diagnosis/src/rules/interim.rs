//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use super::appliance::Appliance;
use super::{Outcome, Step};
use crate::context::Context;
use crate::facts::{HopOwner, NextHopType, OutboundType};
use crate::network::AddressTerm;
use crate::network::routes::Hop;
use crate::path::is_pod_route;
use crate::report::{EgressEndpointItem, EgressEndpoints, Need, TrafficVerdict};
use crate::security::isolated;

/// A check without a finding code.
pub(crate) struct Interim {
    pub(crate) id: &'static str,
    pub(crate) step: Step,
    pub(crate) check: fn(&Context<'_>) -> Outcome,
}

/// All of them. Every one could hide a critical fault.
pub(crate) const CHECKS: &[Interim] = &[
    Interim {
        id: "path-routes",
        step: Step::Routes,
        check: routes,
    },
    Interim {
        id: "path-firewall",
        step: Step::Appliance,
        check: firewall,
    },
    Interim {
        id: "path-method",
        step: Step::OutboundMethod,
        check: method,
    },
];

/// Routes beside the default that lead public addresses to a drop, an appliance or a gateway. What required endpoints
/// have as addresses is not known, so one of them may lie there. Routes to Internet are OUT116's, routes of pods UDR113's.
fn routes(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    if isolated(ctx) {
        return Outcome::not_applicable("the cluster needs nothing of the internet");
    }
    for path in &ctx.paths {
        for route in path.routes.diversions() {
            if is_pod_route(ctx.facts, route) || route.next_hop_type == NextHopType::Internet {
                continue;
            }
            let hop = route.next_hop_ip.as_deref().unwrap_or_default();
            outcome.undecided.push(format!(
                "route {} of {} leads {} to {}; whether a required endpoint lies there is not known",
                route.name,
                path.used.label(),
                route.address_prefix,
                format!("{} {hop}", route.next_hop_type.as_str()).trim_end()
            ));
            if matches!(
                AddressTerm::parse(&route.address_prefix),
                Ok(AddressTerm::Name(_))
            ) {
                outcome.missing.extend(crate::security::unread_tags(ctx));
            }
        }
    }
    outcome
}

/// Whether what the next hops let through is known: an Azure Firewall's rules are evaluated by FWL108, nobody else's are.
fn firewall(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let appliances = Appliance::all(ctx);
    for appliance in &appliances {
        let hop = appliance.address;
        match &appliance.owner {
            Err(missing) => outcome.missing.push(missing.clone()),
            // Whether it serves and what it denies are findings of their own.
            Ok(HopOwner::AzureFirewall(_)) => {}
            Ok(HopOwner::VirtualMachineNic(nic)) => outcome.undecided.push(format!(
                "what the appliance behind network interface {} ({hop}) allows cannot be read from Azure",
                nic.id.name()
            )),
            Ok(HopOwner::InternalLoadBalancer(balancer)) => outcome.undecided.push(format!(
                "what the appliances behind load balancer {} ({hop}) allow cannot be read from Azure",
                balancer.id.name()
            )),
            Ok(HopOwner::Nobody { .. }) => outcome
                .undecided
                .push(format!("nothing that owns next hop {hop} was found")),
        }
    }
    for path in &ctx.paths {
        let Some(via) = path.routes.default.via() else {
            outcome.undecided.push(format!(
                "where the default route of {} leads is not known",
                path.used.label()
            ));
            continue;
        };
        if matches!(
            via.hop,
            Hop::VirtualNetworkGateway | Hop::VirtualAppliance(None)
        ) {
            outcome.undecided.push(format!(
                "{} leads to {}, behind which nothing is known",
                via.label(),
                via.hop_label()
            ));
        }
    }
    if appliances.is_empty()
        && ctx.outbound_type() == Some(&OutboundType::UserDefinedRouting)
        && !outcome.is_open()
    {
        outcome.undecided.push(
            "outbound type userDefinedRouting hands traffic to an appliance that is not known"
                .to_owned(),
        );
    }
    if appliances.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no route sends traffic to an appliance");
    }
    outcome
}

/// Whatever the other checks found: with a required endpoint whose verdict is not known, or blocked by something that no
/// finding covers, nothing is healthy.
pub(crate) fn endpoints(ctx: &Context<'_>, section: &EgressEndpoints) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the cluster needs nothing of the internet");
    }
    let mut outcome = Outcome::passed();
    let required = section.items.iter();
    let open = required
        .filter(|item| item.need == Need::Required && item.verdict != TrafficVerdict::Allowed);
    let open: Vec<&EgressEndpointItem> = open.collect();
    if let Some(first) = open.first() {
        let why = first
            .by_pool
            .iter()
            .find(|pool| pool.verdict != TrafficVerdict::Allowed)
            .map_or("not every pool's way is known", |pool| pool.why.as_str());
        let verb = match first.verdict {
            TrafficVerdict::Blocked => "is blocked",
            TrafficVerdict::Partial => "is blocked for some pools",
            _ => "may not be reachable",
        };
        let more = match open.len() {
            1 => String::new(),
            n => format!(" ({} more required endpoints are not known to be)", n - 1),
        };
        outcome
            .undecided
            .push(format!("{} {verb}: {why}{more}", first.domain_name));
    }
    outcome
}

/// Without a known outbound type nothing says what should carry the packets.
fn method(ctx: &Context<'_>) -> Outcome {
    match ctx.outbound_type() {
        None => Outcome::undecided("the cluster's body has no outbound type"),
        Some(OutboundType::Other(word)) => {
            Outcome::undecided(format!("outbound type {word} is not known to this version"))
        }
        Some(_) => Outcome::passed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{firewall_routing, isolated, kubenet, route, route_table_mut};

    fn with(mut facts: Facts, prefix: &str, hop: NextHopType, ip: Option<&str>) -> Outcome {
        let table = route_table_mut(&mut facts);
        table.routes.push(route("other", prefix, hop, ip));
        routes(&Context::new(&facts))
    }

    #[test]
    fn r3_1_a_more_specific_route_may_hold_a_required_endpoint() {
        use NextHopType::{None as Drop, VirtualAppliance, VirtualNetworkGateway};
        for (hop, ip) in [
            (Drop, None),
            (VirtualNetworkGateway, None),
            (VirtualAppliance, Some("10.1.0.99")),
        ] {
            for prefix in ["20.0.0.0/8", "AzureCloud", "0.0.0.0/1"] {
                let open = with(firewall_routing(), prefix, hop.clone(), ip);
                assert!(open.is_open(), "{prefix} {hop:?}");
            }
            assert!(!with(firewall_routing(), "10.0.0.0/8", hop, ip).is_open());
        }
    }

    #[test]
    fn r3_1_a_route_to_the_same_hop_diverts_nothing() {
        let hop = NextHopType::VirtualAppliance;
        let same = with(firewall_routing(), "20.0.0.0/8", hop, Some("10.1.0.4"));
        assert_eq!(same, Outcome::passed());
    }

    #[test]
    fn r1_80_routes_of_pods_divert_nothing() {
        assert_eq!(routes(&Context::new(&kubenet())), Outcome::passed());
        assert!(routes(&Context::new(&isolated())).not_applicable.is_some());
    }
}
