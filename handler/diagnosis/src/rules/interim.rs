//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use super::appliance::Appliance;
use super::{Outcome, Step};
use crate::context::Context;
use crate::facts::{HopOwner, NextHopType, OutboundType};
use crate::network::routes::Hop;
use crate::path::{DefaultRoute, is_pod_route};

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
