//! `snat.series`: what a person plots: used against allocated of the busiest nodes, failures, and lines to draw against.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::context::{Context, Device};
use crate::report::{Capacity, SeriesKind, SeriesPoints, SnatDevice};
use crate::snat::metric::Reading;
use crate::snat::usage::{NodeSeries, failures_of};

/// Everything worth plotting about the devices, the busiest node first.
pub(super) fn series(
    ctx: &Context<'_>,
    kind: SnatDevice,
    capacity: Option<&Capacity>,
) -> Vec<SeriesPoints> {
    let mut all = Vec::new();
    for device in &ctx.snat.devices {
        match device {
            Device::LoadBalancer { ports, .. } => {
                for node in ports.known().into_iter().flat_map(|p| &p.hottest) {
                    all.extend(of_node(ctx, node));
                }
            }
            Device::NatGateway {
                id, connections, ..
            } => {
                if let Some(connections) = connections.known() {
                    let name = format!("open connections {}", id.name());
                    let points = connections.points.iter().map(|(at, v)| (*at, *v));
                    all.push(line(name, SeriesKind::Used, "Count", points));
                }
            }
        }
    }
    if kind == SnatDevice::NatGateway
        && let Some(ports) = capacity.and_then(|c| c.total_ports)
        && let Ok(ports) = u32::try_from(ports)
        && !all.is_empty()
    {
        all.push(threshold(
            ctx,
            "ports of all addresses",
            "Count",
            f64::from(ports),
        ));
    }
    if kind == SnatDevice::AzureFirewall {
        all.extend(firewalls(ctx));
    }
    all.extend(failed(ctx));
    all
}

/// Failed connections: of all nodes together, then of each busy one. Where one node alone fails, both are the same line.
fn failed(ctx: &Context<'_>) -> Vec<SeriesPoints> {
    let known = || ctx.snat.devices.iter().filter_map(|d| d.failures().known());
    let mut sum: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for (at, count) in known().flat_map(|f| &f.points) {
        *sum.entry(*at).or_default() += count;
    }
    if sum.is_empty() {
        return Vec::new();
    }
    let name = "failed connections".to_owned();
    let all = line(name, SeriesKind::Failed, "Count", sum);
    let mut nodes = known().flat_map(|f| f.by_backend.keys());
    if let (Some(only), None) = (nodes.next(), nodes.next())
        && ctx.snat.devices.len() == 1
    {
        return vec![of(ctx, only, all)];
    }
    let mut lines = vec![all];
    for device in &ctx.snat.devices {
        let hot = device.ports().and_then(Reading::known);
        for node in hot.into_iter().flat_map(|ports| &ports.hottest) {
            let points = failures_of(ctx.facts, device.id(), &node.address);
            if !points.is_empty() {
                let name = format!("failed connections {}", node.address);
                let line = line(name, SeriesKind::Failed, "Count", points);
                lines.push(of(ctx, &node.address, line));
            }
        }
    }
    lines
}

/// The line as one node's.
fn of(ctx: &Context<'_>, address: &str, line: SeriesPoints) -> SeriesPoints {
    SeriesPoints {
        ip_address: Some(address.to_owned()),
        node: ctx.nodes.at(address).map(|node| node.name.clone()),
        ..line
    }
}

/// Used and allocated ports; the allocation only where it changes, and at both ends.
fn of_node(ctx: &Context<'_>, node: &NodeSeries) -> Vec<SeriesPoints> {
    let address = &node.address;
    let with = |line: SeriesPoints| of(ctx, address, line);
    let used = format!("used ports {address}");
    let mut lines = vec![with(line(
        used,
        SeriesKind::Used,
        "Count",
        node.used.iter().copied(),
    ))];
    if !node.allocated.is_empty() {
        let allocated = format!("allocated ports {address}");
        let points = corners(&node.allocated);
        lines.push(with(line(
            allocated,
            SeriesKind::Allocated,
            "Count",
            points,
        )));
    }
    lines
}

/// The points of a step line that a plot needs: the first and last of each level.
fn corners(points: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let level = |index: Option<usize>| index.and_then(|i| points.get(i)).map(|p| p.1);
    points
        .iter()
        .enumerate()
        .filter(|(index, (_, value))| {
            let before = level(index.checked_sub(1));
            let after = level(index.checked_add(1));
            before != Some(*value) || after != Some(*value)
        })
        .map(|(_, point)| *point)
        .collect()
}

fn firewalls(ctx: &Context<'_>) -> Vec<SeriesPoints> {
    let mut lines = Vec::new();
    for firewall in &ctx.snat.firewalls {
        if let Some(percent) = firewall.utilization.known() {
            let name = format!("SNAT ports in use {}", firewall.id.name());
            let points = percent.points.iter().map(|(at, v)| (*at, *v));
            lines.push(line(name, SeriesKind::Used, "Percent", points));
        }
    }
    if !lines.is_empty() {
        lines.push(threshold(ctx, "pressure", "Percent", 80.0));
        lines.push(threshold(ctx, "degraded", "Percent", 95.0));
    }
    lines
}

pub(super) fn threshold(ctx: &Context<'_>, name: &str, unit: &str, value: f64) -> SeriesPoints {
    let window = ctx.facts.window;
    let points = [(window.start, value), (window.end, value)];
    line(name.to_owned(), SeriesKind::Threshold, unit, points)
}

pub(super) fn line(
    name: String,
    kind: SeriesKind,
    unit: &str,
    points: impl IntoIterator<Item = (Timestamp, f64)>,
) -> SeriesPoints {
    SeriesPoints {
        name,
        kind,
        ip_address: None,
        node: None,
        unit: unit.to_owned(),
        // Two decimals are enough for eyes.
        points: points
            .into_iter()
            .map(|(at, value)| (at, (value * 100.0).round() / 100.0))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation;
    use crate::snat::usage::LB_CONNECTIONS;
    use crate::testing::{
        NODE_1, firewalled, lb_id, load_balancer, metric, nat_gateway, series, set_metric,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_step_line_keeps_its_corners() {
        let points: Vec<(Timestamp, f64)> = [1024.0, 1024.0, 1024.0, 512.0, 512.0, 512.0]
            .into_iter()
            .zip(0..)
            .map(|(value, second)| (at(second), value))
            .collect();
        let kept: Vec<i64> = corners(&points).iter().map(|p| p.0.as_second()).collect();
        assert_eq!(kept, [0, 2, 3, 5]);
        assert!(corners(&[]).is_empty());
    }

    fn kinds(facts: &crate::facts::Facts) -> Vec<(SeriesKind, usize)> {
        let snat = crate::diagnose(facts).snat;
        snat.series
            .iter()
            .map(|s| (s.kind, s.points.len()))
            .collect()
    }

    fn failing(nodes: &[(&str, &[f64])]) -> Vec<(Option<String>, usize)> {
        let mut facts = load_balancer();
        let of = |(address, values): &(&str, &[f64])| {
            let dimensions = [
                ("backendipaddress", *address),
                ("connectionstate", "failed"),
            ];
            series(&dimensions, values)
        };
        let failed = metric(MetricAggregation::Total, nodes.iter().map(of).collect());
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, failed);
        let all = crate::diagnose(&facts).snat.series.into_iter();
        all.filter(|s| s.kind == SeriesKind::Failed)
            .map(|s| (s.ip_address, s.points.len()))
            .collect()
    }

    #[test]
    fn failures_are_drawn_together_and_for_each_busy_node() {
        let some = [3.0, 0.0, 4.0].as_slice();
        let own = |address: &str| Some(address.to_owned());
        assert_eq!(failing(&[(NODE_1, some)]), [(own(NODE_1), 2)]);
        assert_eq!(
            failing(&[(NODE_1, some), ("10.0.0.5", &[1.0, 1.0, 1.0])]),
            [(None, 3), (own(NODE_1), 2), (own("10.0.0.5"), 3)]
        );
        // One that is not among the busy ones, or that nobody knows.
        let one = [1.0].as_slice();
        let more = failing(&[(NODE_1, some), ("10.9.9.9", one)]);
        assert_eq!(more, [(None, 2), (own(NODE_1), 2)]);
        assert!(failing(&[(NODE_1, &[0.0])]).is_empty());
    }

    #[test]
    fn each_device_is_drawn_against_its_limit() {
        use SeriesKind::{Allocated, Threshold, Used};
        assert_eq!(
            kinds(&load_balancer()),
            [(Used, 2), (Allocated, 2), (Used, 2), (Allocated, 2)]
        );
        assert_eq!(kinds(&nat_gateway()), [(Used, 2), (Threshold, 2)]);
        assert_eq!(
            kinds(&firewalled()),
            [(Used, 15), (Threshold, 2), (Threshold, 2)]
        );
    }
}
