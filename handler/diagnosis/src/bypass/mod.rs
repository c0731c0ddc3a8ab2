//! The troubleshooting guide's step 4 as a plan: send traffic past the appliance for a moment, see what changes, and take
//! it back (R9.8). Nothing is ever executed.

mod commands;
mod report;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

pub use report::{
    Bypass, BypassPlan, NotBypassed, PlanReach, PlanRoute, PlanSubnet, Precondition, Proof,
    Validity,
};

use crate::context::Context;
use crate::facts::{Facts, Id, NextHopType, Route, RouteTable, lookup};
use crate::network::AddressSet;
use crate::network::routes::{EffectiveRoute, Hop, RouteSource};
use crate::order::Order as _;
use crate::path::{Carrier, DefaultRoute, Path, Reach, Summary, Via, translated};
use crate::report::{Method, Report};
use crate::security;
use crate::trace::{Called, Destination, TraceStepKind, TracedPath, trace};

/// The plan for each route table with an appliance in the way; for one destination the narrower, safer one.
pub fn bypass(facts: &Facts, report: &Report, destination: Option<&Destination>) -> Bypass {
    let ctx = Context::new(facts);
    if security::isolated(&ctx) {
        let declared = ctx.outbound_type().map_or("none", |t| t.as_str());
        return Bypass::none(format!(
            "outbound type {declared} wants no way to the internet: there is nothing to go past"
        ));
    }
    if let Some(address) = destination.and_then(Destination::address)
        && !AddressSet::public().contains(address)
    {
        return Bypass::none(format!(
            "{address} is no public address: next hop Internet would not reach it"
        ));
    }
    let traced = destination.map_or_else(Vec::new, |d| trace(facts, report, d).paths);
    let mut ways: Vec<Detour<'_, '_>> = Vec::new();
    let mut not_bypassed = Vec::new();
    for path in &ctx.paths {
        match detour(&ctx, path, destination, &traced) {
            Ok(new) => match ways.iter_mut().find(|way| way.table.id == new.table.id) {
                Some(way) => way.paths.extend(new.paths),
                None => ways.push(new),
            },
            Err(why) => not_bypassed.push(NotBypassed {
                subnet_id: path.used.id.clone(),
                node_pools: path.used.pools.iter().map(|p| (*p).to_owned()).collect(),
                why,
            }),
        }
    }
    let plans: Vec<BypassPlan> = ways
        .iter()
        .map(|way| plan(&ctx, way, destination))
        .collect();
    let reason = plans.is_empty().then(|| match not_bypassed.first() {
        Some(first) => format!("no appliance is in the way: {}", first.why),
        None => "no subnet of a node pool could be read".to_owned(),
    });
    Bypass {
        applicable: !plans.is_empty(),
        reason,
        plans,
        not_bypassed,
    }
}

/// A route table to change, and what happens to the paths that use it.
struct Detour<'c, 'f> {
    table: &'f RouteTable,
    /// The routes that are there now and are replaced; none for one that is added.
    replaced: Vec<&'f Route>,
    paths: Vec<Passed<'c, 'f>>,
}

/// One path past the appliance.
struct Passed<'c, 'f> {
    path: &'c Path<'f>,
    carrier: Carrier,
    reach: Reach,
    /// What the security groups do with the test's packets.
    groups: Summary,
}

/// How a path can be led past the appliance; else why there is nothing to do.
fn detour<'c, 'f>(
    ctx: &'c Context<'f>,
    path: &'c Path<'f>,
    destination: Option<&Destination>,
    traced: &[TracedPath],
) -> Result<Detour<'c, 'f>, String> {
    let table = match &path.routes.table {
        Err(missing) => return Err(format!("{} could not be read", missing.what)),
        Ok(None) => {
            return Err(format!(
                "{} has no route table, so nothing sends its packets to an appliance",
                path.used.label()
            ));
        }
        Ok(Some(table)) => *table,
    };
    let replaced = if let Some(address) = destination.and_then(Destination::address) {
        for_address(path, table, address)?
    } else {
        let routes = defaults(path, table)?;
        // For a host a route is added: which of its addresses it is for, a person says.
        if destination.is_some() {
            Vec::new()
        } else {
            routes
        }
    };
    let via = Via {
        hop: Hop::Internet,
        source: crate::report::RouteSource::User,
        table: Some(table.id.clone()),
        name: Some(commands::TEST_ROUTE.to_owned()),
    };
    let decided = DefaultRoute::Decided { via, split: false };
    let carrier = Carrier::of(ctx.facts, ctx.balancer, &path.used, &decided);
    let v6 = matches!(
        destination.and_then(Destination::address),
        Some(IpAddr::V6(_))
    );
    let reach = if v6 {
        Reach::Undetermined
    } else {
        translated(ctx.facts, ctx.balancer, &carrier)
    };
    let groups = if destination.is_some() {
        by_trace(path, traced)
    } else {
        overall(
            path.internet
                .rules
                .iter()
                .map(crate::path::PoolParts::summary),
        )
    };
    Ok(Detour {
        table,
        replaced,
        paths: vec![Passed {
            path,
            carrier,
            reach,
            groups,
        }],
    })
}

/// The routes of the table that send everything to an appliance.
fn defaults<'f>(path: &Path<'f>, table: &'f RouteTable) -> Result<Vec<&'f Route>, String> {
    let label = path.used.label();
    let vias: Vec<&Via> = match &path.routes.default {
        DefaultRoute::Decided { via, .. } => vec![via],
        DefaultRoute::Halves { low, high } => vec![low, high],
        DefaultRoute::Open(why) => {
            return Err(format!("the default route of {label} is not known: {why}"));
        }
        DefaultRoute::Unread(missing) => return Err(format!("{} could not be read", missing.what)),
    };
    if !vias
        .iter()
        .any(|via| matches!(via.hop, Hop::VirtualAppliance(_)))
    {
        let hops: Vec<String> = vias.iter().map(|via| via.hop_label()).collect();
        return Err(format!(
            "the default route of {label} leads to {}, not to an appliance",
            hops.join(" and ")
        ));
    }
    let whole = |route: &&&Route| {
        ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"].contains(&route.address_prefix.trim())
            && route.next_hop_type == NextHopType::VirtualAppliance
    };
    let all: Vec<&Route> = table.routes.iter().filter(|r| whole(&r)).collect();
    // With both halves there the whole one decides nothing.
    let halves: Vec<&Route> = all
        .iter()
        .copied()
        .filter(|route| route.address_prefix.trim() != "0.0.0.0/0")
        .collect();
    let found = if halves.is_empty() { all } else { halves };
    if found.is_empty() {
        return Err(format!(
            "the default route of {label} is not one of route table {}",
            table.id.name()
        ));
    }
    Ok(found)
}

/// The route for exactly this address, when it has one of its own; none when a new one goes before the route that decides.
fn for_address<'f>(
    path: &Path<'f>,
    table: &'f RouteTable,
    address: IpAddr,
) -> Result<Vec<&'f Route>, String> {
    let effective = path
        .routes
        .effective
        .as_ref()
        .map_err(|missing| format!("{} could not be read", missing.what))?;
    let route = effective
        .select(address)
        .route
        .filter(|route| route.source == RouteSource::User);
    let to_appliance = |route: &&EffectiveRoute| matches!(route.hop, Hop::VirtualAppliance(_));
    let Some(route) = route.filter(to_appliance) else {
        return Err(format!(
            "no route of table {} sends {address} from {} to an appliance",
            table.id.name(),
            path.used.label()
        ));
    };
    let exact = route.prefix.prefix_len() == route.prefix.max_prefix_len();
    Ok(table
        .routes
        .iter()
        .filter(|own| exact && own.name == route.name)
        .collect())
}

/// What the security groups do, by the steps of a trace.
fn by_trace(path: &Path<'_>, traced: &[TracedPath]) -> Summary {
    let own = traced
        .iter()
        .filter(|traced| traced.subnet_id == *path.used.id && traced.scope == path.used.scope);
    overall(own.map(|traced| {
        let says = |word: &str| {
            traced
                .steps
                .iter()
                .any(|step| step.kind == TraceStepKind::Nsg && step.decision == word)
        };
        if says("denied") {
            Summary::Denied
        } else if says("unknown") || !traced.steps.iter().any(|s| s.kind == TraceStepKind::Nsg) {
            Summary::Undecidable
        } else {
            Summary::Allowed
        }
    }))
}

/// Over several pools: denied when one is, allowed only when all are.
fn overall(summaries: impl Iterator<Item = Summary>) -> Summary {
    let all: Vec<Summary> = summaries.collect();
    let any = |wanted| all.contains(&wanted);
    if any(Summary::Denied) {
        Summary::Denied
    } else if any(Summary::Partly) {
        Summary::Partly
    } else if all.is_empty() || any(Summary::Undecidable) {
        Summary::Undecidable
    } else {
        Summary::Allowed
    }
}

fn plan(
    ctx: &Context<'_>,
    detour: &Detour<'_, '_>,
    destination: Option<&Destination>,
) -> BypassPlan {
    let validity = validity(detour);
    let steps = commands::Steps::of(ctx, detour.table, &detour.replaced, destination);
    let mut pools: Vec<&str> = detour
        .paths
        .iter()
        .flat_map(|passed| passed.path.used.pools.iter().copied())
        .collect();
    pools.order();
    pools.dedup();
    BypassPlan {
        route_table_id: detour.table.id.clone(),
        node_pools: pools.into_iter().map(str::to_owned).collect(),
        subnets: subnets(ctx, detour.table),
        reach: if destination.is_some() {
            PlanReach::OneDestination
        } else {
            PlanReach::AllDestinations
        },
        current_routes: detour.replaced.iter().map(|route| shown(route)).collect(),
        validity,
        preconditions: words::preconditions(ctx, detour, destination),
        before: steps.before,
        commands: steps.commands,
        test: steps.test,
        undo: steps.undo,
        proves: words::proves(validity),
        side_effects: words::side_effects(ctx, detour, destination),
    }
}

/// Whether a failure of the test would say anything about the appliance (R2.6).
fn validity(detour: &Detour<'_, '_>) -> Validity {
    let of = |passed: &Passed<'_, '_>| match (passed.reach, passed.groups) {
        (Reach::NoMethod, _) | (_, Summary::Denied) => Validity::Invalid,
        (Reach::Delivered, Summary::Allowed) => Validity::Valid,
        _ => Validity::Unknown,
    };
    let all: Vec<Validity> = detour.paths.iter().map(of).collect();
    if all.contains(&Validity::Invalid) {
        Validity::Invalid
    } else if all.iter().all(|one| *one == Validity::Valid) {
        Validity::Valid
    } else {
        Validity::Unknown
    }
}

/// Every subnet with the table, with this cluster's pools in it.
fn subnets(ctx: &Context<'_>, table: &RouteTable) -> Vec<PlanSubnet> {
    let own = ctx.paths.iter().filter(|path| {
        let used = path.routes.table.as_ref().ok().copied().flatten();
        used.is_some_and(|used| used.id == table.id)
    });
    let mut ids: Vec<&Id> = table.subnet_ids.iter().collect();
    ids.extend(own.map(|path| path.used.id));
    ids.order();
    ids.dedup();
    ids.into_iter()
        .map(|id| {
            let mut pools: Vec<String> = ctx
                .paths
                .iter()
                .filter(|path| path.used.id == id)
                .flat_map(|path| path.used.pools.iter().map(|p| (*p).to_owned()))
                .collect();
            pools.order();
            pools.dedup();
            PlanSubnet {
                id: id.clone(),
                node_pools: pools,
            }
        })
        .collect()
}

fn shown(route: &Route) -> PlanRoute {
    PlanRoute {
        name: route.name.clone(),
        address_prefix: route.address_prefix.clone(),
        next_hop_type: route.next_hop_type.as_str().to_owned(),
        next_hop_ip_address: route.next_hop_ip.clone(),
    }
}

/// The addresses that the test's packets leave with; `None` when not known.
fn leaves_as(ctx: &Context<'_>, passed: &Passed<'_, '_>) -> Option<Vec<String>> {
    crate::sections::carrier_ips(ctx, &passed.path.used, &passed.carrier)
        .filter(|ips| !ips.is_empty())
}

/// What would carry the test's packets, in words.
fn carried_by(passed: &Passed<'_, '_>) -> &'static str {
    match passed.carrier.method {
        Method::NatGateway => "the subnet's NAT gateway",
        Method::InstancePublicIp => "the nodes' own public addresses",
        Method::LoadBalancer => "the load balancer's outbound rule",
        Method::DefaultOutboundAccess => "Azure's default outbound access",
        Method::None => "nothing",
        _ => "something that is not known",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// Whether a name is called, whose address a person has to fill in.
fn by_name(destination: Option<&Destination>) -> Option<&str> {
    match destination.map(|d| &d.called) {
        Some(Called::Host(host)) => Some(host),
        _ => None,
    }
}

/// Whether a route of the table has this name already.
fn taken(ctx: &Context<'_>, table: &Id, name: &str) -> bool {
    lookup(&ctx.facts.route_tables, table)
        .as_known()
        .is_some_and(|table| {
            table
                .routes
                .iter()
                .any(|r| r.name.eq_ignore_ascii_case(name))
        })
}
