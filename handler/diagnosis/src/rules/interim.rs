//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use super::appliance::Appliance;
use super::{Outcome, Step};
use crate::context::Context;
use crate::facts::{HopOwner, NetworkPlugin, NextHopType, OutboundType, Route};
use crate::network::routes::Hop;
use crate::path::{DefaultRoute, Path, is_pod_route, pod_range_known};

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

fn routes(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    for path in &ctx.paths {
        let label = path.used.label();
        if matches!(path.routes.default, DefaultRoute::Halves { .. }) {
            outcome.undecided.push(format!(
                "the two default routes of {label} lead to different hops"
            ));
        }
        let route = path.routes.diversions().into_iter().find(|route| {
            !is_pod_route(ctx.facts, route) && route.next_hop_type != NextHopType::Internet
        });
        if let Some(route) = route {
            outcome.undecided.push(format!(
                "route {} of {label} leads {} to {}; whether a required endpoint lies there is not known",
                route.name,
                route.address_prefix,
                route.next_hop_type.as_str()
            ));
        }
        if let Some(route) = foreign_pod_route(ctx, path) {
            outcome.undecided.push(format!(
                "route {} of {label} leads {} to {}, which is no node of this cluster; whether another cluster shares \
                 the route table is not known",
                route.name,
                route.address_prefix,
                route.next_hop_ip.as_deref().unwrap_or("no address"),
            ));
        }
    }
    outcome
}

/// A route of the form that AKS writes for a kubenet node (R1.80), but for none of this cluster's nodes.
fn foreign_pod_route<'f>(ctx: &Context<'f>, path: &Path<'f>) -> Option<&'f Route> {
    // Without a pod range no route can be told from another's.
    let kubenet =
        ctx.network()?.plugin == Some(NetworkPlugin::Kubenet) && pod_range_known(ctx.facts);
    let table = path.routes.table.as_ref().ok().copied().flatten()?;
    table.routes.iter().find(|route| {
        kubenet
            && route.next_hop_type == NextHopType::VirtualAppliance
            && route.address_prefix.ends_with("/24")
            && !is_pod_route(ctx.facts, route)
    })
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
    use crate::facts::Datum;
    use crate::testing::{kubenet, route};

    fn open(facts: &crate::facts::Facts) -> bool {
        routes(&Context::new(facts)).is_open()
    }

    #[test]
    fn r2_46_pod_routes_of_another_cluster_are_not_overlooked() {
        let mut facts = kubenet();
        assert!(!open(&facts));
        for table in facts.route_tables.values_mut() {
            if let Datum::Known(table) = table {
                table.routes.push(route(
                    "aks-other-12345678-vmss000000",
                    "10.245.7.0/24",
                    NextHopType::VirtualAppliance,
                    Some("10.77.0.9"),
                ));
            }
        }
        assert!(open(&facts));
    }
}
