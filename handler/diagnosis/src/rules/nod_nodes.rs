//! What the rules about one figure per node share.

use jiff::{SignedDuration, Timestamp};

use super::nod_fix::{find_pods, is_ephemeral, one_more_node};
use super::{Outcome, Rule};
use crate::context::Context;
use crate::facts::Id;
use crate::order::Order as _;
use crate::pressure::{Loads, NODE_LIMIT, NodeLoad};
use crate::report::Finding;

/// Nodes that a finding names.
const NAMED: usize = 5;

/// Why a check about nodes has no meaning here.
pub(super) fn no_nodes(ctx: &Context<'_>) -> Option<Outcome> {
    if ctx.stopped() {
        return Some(Outcome::not_applicable("the cluster is not running"));
    }
    (ctx.demand().live == Some(0)).then(|| Outcome::not_applicable("the cluster has no nodes"))
}

/// What a metric leaves open, without findings. Nothing asked and nothing open is no meaning, not "passed".
pub(super) fn open_of(loads: &Loads, name: &str) -> Outcome {
    let mut outcome = Outcome {
        missing: loads.missing.clone(),
        undecided: loads.undecided.clone(),
        ..Outcome::default()
    };
    for resource in &loads.silent {
        outcome.undecided.push(format!(
            "{} has no data points of {name} in the window",
            resource.name()
        ));
    }
    if !outcome.is_open()
        && loads.nodes.is_empty()
        && let Some(why) = &loads.not_asked
    {
        outcome.not_applicable = Some(why.clone());
    }
    outcome
}

/// A percentage per node against the limit.
pub(super) fn above(
    ctx: &Context<'_>,
    loads: &Loads,
    (name, limit): (&str, f64),
    finding: impl FnOnce(&[&NodeLoad]) -> Finding,
) -> Outcome {
    if let Some(none) = no_nodes(ctx) {
        return none;
    }
    let mut outcome = open_of(loads, name);
    let above = loads.nodes_with(|value| value > limit);
    if !above.is_empty() {
        let found = finding(&above)
            .pools(above.iter().filter_map(|load| load.pool.as_deref()))
            .resource(&ctx.cluster().id);
        outcome.findings.push(with_nodes(
            ctx,
            found,
            loads,
            &above,
            (name, &format!("above {limit:.0} %")),
            |v| v > limit,
        ));
    }
    outcome
}

/// A resource of a node that is used up by the pods on it: its name within a sentence, and at a sentence's start.
pub(super) fn used_up(
    ctx: &Context<'_>,
    rule: &Rule,
    (loads, metric): (&Loads, &str),
    (what, label): (&str, &str),
    explanation: impl Into<String>,
) -> Outcome {
    above(ctx, loads, (metric, NODE_LIMIT), |nodes| {
        let peak = nodes.first().map_or(0.0, |load| load.peak());
        let found = rule
            .finding(format!(
                "{label} of {} reached {peak:.0} %",
                first_and_more(nodes)
            ))
            .explain(explanation)
            .fix(find_pods(
                what,
                nodes.first().map(|load| load.node.as_str()),
            ));
        match first_pool(nodes).and_then(|pool| one_more_node(ctx, pool)) {
            Some(fix) => found.fix(fix),
            None => found,
        }
    })
}

/// Adds each node with its peak, when it was `over` the limit in words, and whether connections failed meanwhile.
pub(super) fn with_nodes(
    ctx: &Context<'_>,
    mut finding: Finding,
    loads: &Loads,
    nodes: &[&NodeLoad],
    (name, over): (&str, &str),
    is: impl Fn(f64) -> bool,
) -> Finding {
    let minutes = loads.minutes();
    for load in nodes.iter().take(NAMED) {
        let Some((at, value)) = load.highest() else {
            continue;
        };
        let windows = load.windows_with(&is);
        let failed = failures(ctx, &windows, minutes);
        let first = windows.first().copied().unwrap_or(at);
        finding = finding.evidence(
            format!(
                "{name} of node {}, highest {minutes}-minute average, at {at}; {over} in {} of these windows since {first}",
                load.node,
                windows.len()
            ),
            Some(&load.resource),
            Some(format!("{value:.0} %")),
        );
        if failed > 0.0 {
            finding = finding.evidence(
                format!(
                    "SNAT connections of the cluster that failed in the {minutes}-minute windows in which node {} was {over}",
                    load.node
                ),
                None,
                Some(format!("{failed:.0}")),
            );
        }
    }
    if nodes.len() > NAMED {
        finding = finding.evidence(
            format!("further nodes {over}"),
            None,
            Some((nodes.len() - NAMED).to_string()),
        );
    }
    finding
}

/// Failed SNAT connections within these windows.
fn failures(ctx: &Context<'_>, windows: &[Timestamp], minutes: i64) -> f64 {
    let length = SignedDuration::from_mins(minutes);
    let known = ctx.snat.devices.iter().filter_map(|d| d.failures().known());
    let points = known.flat_map(|failures| &failures.points);
    points
        .filter(|(at, _)| {
            windows
                .iter()
                .any(|start| *start <= **at && at.duration_since(*start) < length)
        })
        .map(|(_, count)| count)
        .sum()
}

/// `node a`, or `node a and 2 more`.
pub(super) fn first_and_more(nodes: &[&NodeLoad]) -> String {
    let first = nodes.first().map_or("", |load| load.node.as_str());
    match nodes.len() {
        0 | 1 => format!("node {first}"),
        n => format!("node {first} and {} more", n - 1),
    }
}

/// The pool of the hottest node.
pub(super) fn first_pool<'l>(nodes: &[&'l NodeLoad]) -> Option<&'l str> {
    nodes.iter().find_map(|load| load.pool.as_deref())
}

/// What a disk metric leaves open, and the pools that gave no values because their OS disks are ephemeral: those have no
/// managed disk's limits (R7.4).
pub(super) fn open_of_disks(
    ctx: &Context<'_>,
    loads: &Loads,
    name: &str,
) -> (Outcome, Vec<String>) {
    let heard = Loads {
        silent: Vec::new(),
        ..loads.clone()
    };
    let mut outcome = open_of(&heard, name);
    let mut ephemeral = Vec::new();
    for resource in &loads.silent {
        let pool_name = pool_of(ctx, resource);
        let pools = ctx.pools().unwrap_or_default();
        let pool = pools
            .iter()
            .find(|pool| pool_name.is_some_and(|name| pool.name.eq_ignore_ascii_case(name)));
        match pool {
            // Without nodes there is nothing to measure.
            Some(pool) if pool.count == Some(0) => {}
            Some(pool) if is_ephemeral(pool) => ephemeral.push(pool.name.clone()),
            _ => outcome.undecided.push(format!(
                "node pool {} has no data points of {name} in the window",
                pool_name.unwrap_or(resource.name())
            )),
        }
    }
    ephemeral.order();
    ephemeral.dedup();
    (outcome, ephemeral)
}

/// The pool of a scale set or machine.
fn pool_of<'f>(ctx: &Context<'f>, resource: &Id) -> Option<&'f str> {
    let mut sets = ctx.facts.scale_sets.as_known().into_iter().flatten();
    let set = sets.find(|set| set.id == *resource);
    let mut machines = ctx.facts.pressure.machines.as_known().into_iter().flatten();
    set.and_then(|set| set.pool_name.as_deref())
        .or_else(|| machines.find(|m| m.id == *resource)?.pool_name.as_deref())
}
