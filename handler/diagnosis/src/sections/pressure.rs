//! `nodes` and `disks`.

use std::collections::BTreeMap;

use super::snat_series::{line, threshold};
use crate::context::Context;
use crate::facts;
use crate::order::Order as _;
use crate::pressure::{
    CPU, DISK_SPACE, LONG_QUEUE, Loads, MEMORY, NEARLY_THROTTLED, NODE_LIMIT, NodeLoad,
    OS_DISK_BANDWIDTH, OS_DISK_IOPS, OS_DISK_QUEUE, THROTTLED, is_about_disk_or_outbound,
};
use crate::report::{
    CloserLook, Disks, HotNode, NodeCondition, Nodes, PoolDisk, ResourceHealth, SeriesKind,
    SeriesPoints,
};
use crate::rules::nod_fix::ephemeral_room;

/// Nodes that are listed for each figure.
const HOTTEST: usize = 3;

/// A figure per node and the value from which it counts.
struct Figure<'c> {
    name: &'static str,
    unit: &'static str,
    loads: &'c Loads,
    limit: f64,
    /// Whether the limit itself counts.
    inclusive: bool,
}

/// Node pressure.
pub(crate) fn nodes(ctx: &Context<'_>) -> Nodes {
    let view = &ctx.pressure;
    let figures = [
        (CPU, &view.cpu),
        (MEMORY, &view.memory),
        (DISK_SPACE, &view.disk_space),
    ]
    .map(|(name, loads)| Figure {
        name,
        unit: "Percent",
        loads,
        limit: NODE_LIMIT,
        inclusive: false,
    });
    let spells = &view.conditions.spells;
    let mut not_ready: Vec<String> = spells
        .iter()
        .filter(|spell| spell.is_not_ready())
        .map(|spell| spell.node.clone())
        .collect();
    not_ready.order();
    not_ready.dedup();
    Nodes {
        closer_look: closer_look(ctx),
        cpu_peak_percent: peak(&view.cpu),
        memory_peak_percent: peak(&view.memory),
        disk_peak_percent: peak(&view.disk_space),
        not_ready,
        hottest: hottest(&figures),
        conditions: spells
            .iter()
            .map(|spell| NodeCondition {
                node: spell.node.clone(),
                node_pool: spell.pool.clone(),
                condition: spell.word().to_owned(),
                from: spell.from,
                to: (!spell.lasting).then_some(spell.until),
            })
            .collect(),
        health: health(ctx),
        series: series(ctx, &figures),
    }
}

fn closer_look(ctx: &Context<'_>) -> CloserLook {
    match &ctx.facts.pressure.look {
        facts::CloserLook::Asked => CloserLook {
            taken: true,
            why: "it was asked for".to_owned(),
        },
        facts::CloserLook::Suspected(why) => CloserLook {
            taken: true,
            why: why.clone(),
        },
        facts::CloserLook::NotTaken(why) => CloserLook {
            taken: false,
            why: (*why).to_owned(),
        },
    }
}

fn health(ctx: &Context<'_>) -> Vec<ResourceHealth> {
    let all = ctx.facts.pressure.health.iter();
    all.map(|(id, datum)| {
        let known = datum.as_known();
        ResourceHealth {
            resource_id: id.clone(),
            state: known.map(|health| health.state.clone()),
            summary: known
                .and_then(|health| health.summary.clone().or_else(|| health.title.clone())),
            since: known.and_then(|health| health.since),
            reason: known.and_then(|health| health.reason.clone()),
        }
    })
    .collect()
}

/// Disk pressure.
pub(crate) fn disks(ctx: &Context<'_>) -> Disks {
    let view = &ctx.pressure;
    let share = |name, loads| Figure {
        name,
        unit: "Percent",
        loads,
        limit: NEARLY_THROTTLED,
        inclusive: true,
    };
    let mut figures = vec![
        share(OS_DISK_IOPS, &view.iops),
        share(OS_DISK_BANDWIDTH, &view.bandwidth),
        Figure {
            name: OS_DISK_QUEUE,
            unit: "Count",
            loads: &view.queue,
            limit: LONG_QUEUE,
            inclusive: true,
        },
    ];
    figures.extend(view.vm_caps.iter().map(|(name, loads)| Figure {
        limit: THROTTLED,
        ..share(name, loads)
    }));
    let caps = view.vm_caps.iter().filter_map(|(_, loads)| peak(loads));
    let advisor = ctx.facts.pressure.advisor.as_known().into_iter().flatten();
    Disks {
        os_disk_iops_peak_percent: peak(&view.iops),
        os_disk_bandwidth_peak_percent: peak(&view.bandwidth),
        os_disk_queue_depth_peak: peak(&view.queue),
        vm_limit_peak_percent: caps.max_by(f64::total_cmp),
        hottest: hottest(&figures),
        pools: ctx
            .pools()
            .unwrap_or_default()
            .iter()
            .map(|pool| PoolDisk {
                name: pool.name.clone(),
                os_disk_type: pool.os_disk_type.clone(),
                os_disk_size_gb: pool.os_disk_size_gb,
                vm_size: pool.vm_size.clone(),
                ephemeral_up_to_gb: ephemeral_room(ctx, pool),
            })
            .collect(),
        advisor: advisor
            .filter(|recommendation| is_about_disk_or_outbound(recommendation))
            .map(|recommendation| {
                let parts = [&recommendation.problem, &recommendation.solution];
                let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
                parts.join(": ")
            })
            .collect(),
        series: series(ctx, &figures),
    }
}

/// One decimal is enough.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn peak(loads: &Loads) -> Option<f64> {
    loads.highest().map(|(_, _, value)| rounded(value))
}

impl Figure<'_> {
    fn counts(&self, value: f64) -> bool {
        value > self.limit || (self.inclusive && value >= self.limit)
    }

    fn node(&self, load: &NodeLoad) -> Option<HotNode> {
        let (peak_at, peak) = load.highest()?;
        let above = load.windows_with(|value| self.counts(value));
        Some(HotNode {
            node: load.node.clone(),
            node_pool: load.pool.clone(),
            metric: self.name.to_owned(),
            peak: rounded(peak),
            peak_at,
            limit: self.limit,
            windows_above: u32::try_from(above.len()).unwrap_or(u32::MAX),
            window_minutes: u32::try_from(self.loads.minutes()).unwrap_or(u32::MAX),
            first_above: above.first().copied(),
            last_above: above.last().copied(),
        })
    }
}

/// The hottest nodes of each figure.
fn hottest(figures: &[Figure<'_>]) -> Vec<HotNode> {
    figures
        .iter()
        .flat_map(|figure| {
            let nodes = figure.loads.nodes.iter().take(HOTTEST);
            nodes.filter_map(|load| figure.node(load))
        })
        .collect()
}

/// The hottest node of each figure, further ones where they count as pressure, and the limits that something is drawn
/// against. The 5-minute averages that are judged are drawn too.
fn series(ctx: &Context<'_>, figures: &[Figure<'_>]) -> Vec<SeriesPoints> {
    let mut all = Vec::new();
    // Without a closer look no figure is at its limit: there is nothing to draw.
    if matches!(ctx.facts.pressure.look, facts::CloserLook::NotTaken(_)) {
        return all;
    }
    let mut limits: BTreeMap<(&str, String), f64> = BTreeMap::new();
    for figure in figures {
        for (index, load) in figure.loads.nodes.iter().take(HOTTEST).enumerate() {
            if index > 0 && !figure.counts(load.peak()) {
                continue;
            }
            let name = format!("{} {}", figure.name, load.node);
            let windows = load.windows.iter().map(|(at, value)| (*at, *value));
            let mut drawn = line(name, SeriesKind::Used, figure.unit, windows);
            drawn.node = Some(load.node.clone());
            all.push(drawn);
            limits.insert((figure.unit, figure.limit.to_string()), figure.limit);
        }
    }
    all.extend(limits.into_iter().map(|((unit, _), limit)| {
        threshold(ctx, &format!("pressure from {limit:.0}"), unit, limit)
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{closer_look, denied, disk_percent, lb_id, load_balancer, node_percent};

    #[test]
    fn peaks_carry_their_node_and_time() {
        let mut facts = load_balancer();
        node_percent(
            &mut facts,
            CPU,
            &[("a", "user", 97.25), ("b", "user", 12.0)],
        );
        let report = crate::diagnose(&facts);
        assert_eq!(report.nodes.cpu_peak_percent, Some(97.3));
        assert!(!report.nodes.closer_look.taken);
        let hot = &report.nodes.hottest[0];
        assert_eq!(
            (hot.node.as_str(), hot.node_pool.as_deref()),
            ("a", Some("user"))
        );
        assert_eq!(hot.windows_above, 2);
        assert_eq!(hot.first_above, Some(hot.peak_at));
        assert_eq!(report.nodes.hottest[1].windows_above, 0);
        // Not looked at is not zero.
        assert_eq!(report.disks.os_disk_iops_peak_percent, None);
    }

    #[test]
    fn health_that_may_not_be_read_is_a_gap() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        let refused = denied("Microsoft.ResourceHealth/availabilityStatuses/read");
        facts.pressure.health.insert(lb_id(), refused);
        let report = crate::diagnose(&facts);
        assert_eq!(report.nodes.health[0].state, None);
        assert_eq!(report.gaps.len(), 1, "{:?}", report.gaps);
        assert!(report.gaps[0].what.contains("kubernetes"));
    }

    #[test]
    fn series_have_a_line_to_be_drawn_against() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        disk_percent(&mut facts, "user", OS_DISK_IOPS, 99.0);
        let report = crate::diagnose(&facts);
        let of = |kind| {
            let series = report.disks.series.iter().filter(move |s| s.kind == kind);
            series.map(|s| s.name.as_str()).collect::<Vec<_>>()
        };
        assert!(
            of(SeriesKind::Used).contains(&"OS Disk IOPS Consumed Percentage aks-user-vmss000000")
        );
        assert!(of(SeriesKind::Threshold).contains(&"pressure from 80"));
        assert_eq!(report.disks.os_disk_iops_peak_percent, Some(99.0));
        assert!(report.nodes.closer_look.taken);
    }
}
