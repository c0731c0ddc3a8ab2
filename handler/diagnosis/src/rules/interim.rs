//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use super::{Outcome, Step};
use crate::context::Context;
use crate::facts::{Id, NextHopType, OutboundType, RouteTable, lookup};
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

fn firewall(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let mut tables: Vec<&Id> = ctx
        .subnets
        .readable()
        .filter_map(|(_, s)| s.route_table_id.as_ref())
        .collect();
    tables.sort();
    tables.dedup();
    for id in tables {
        match lookup(&ctx.facts.route_tables, id).known(|| format!("route table {}", id.name())) {
            Err(missing) => outcome.missing.push(missing),
            Ok(table) => outcome.undecided.extend(appliance(ctx, table)),
        }
    }
    if ctx.outbound_type() == Some(&OutboundType::UserDefinedRouting) && !outcome.is_open() {
        outcome.undecided.push(
            "outbound type userDefinedRouting hands traffic to an appliance that is not known"
                .to_owned(),
        );
    }
    if outcome.is_open() {
        outcome
    } else {
        Outcome::not_applicable("no route sends traffic to an appliance")
    }
}

fn appliance(ctx: &Context<'_>, table: &RouteTable) -> Option<String> {
    let elsewhere = |hop: &NextHopType| {
        !matches!(
            hop,
            NextHopType::Internet | NextHopType::VnetLocal | NextHopType::None
        )
    };
    let route = table
        .routes
        .iter()
        .find(|route| elsewhere(&route.next_hop_type) && !is_pod_route(ctx.facts, route))?;
    let hop = route
        .next_hop_ip
        .as_deref()
        .unwrap_or(route.next_hop_type.as_str());
    Some(format!(
        "route {} of route table {} sends {} to {hop}; what is allowed there is not evaluated by this version",
        route.name,
        table.id.name(),
        route.address_prefix
    ))
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
