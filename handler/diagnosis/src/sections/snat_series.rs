//! `snat.series`: what a person plots: used against allocated of the busiest nodes, failures, and lines to draw against.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::context::{Context, Device};
use crate::report::{Capacity, SeriesKind, SeriesPoints, SnatDevice};
use crate::snat::usage::NodeSeries;

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
    let mut failed: BTreeMap<Timestamp, f64> = BTreeMap::new();
    let known = ctx.snat.devices.iter().filter_map(|d| d.failures().known());
    for (at, count) in known.flat_map(|f| &f.points) {
        *failed.entry(*at).or_default() += count;
    }
    if !failed.is_empty() {
        let name = "failed connections".to_owned();
        all.push(line(name, SeriesKind::Failed, "Count", failed));
    }
    all
}

/// Used and allocated ports; the allocation only where it changes, and at both ends.
fn of_node(ctx: &Context<'_>, node: &NodeSeries) -> Vec<SeriesPoints> {
    let address = &node.address;
    let with = |mut line: SeriesPoints| {
        line.ip_address = Some(address.clone());
        line.node = ctx.nodes.at(address).map(|node| node.name.clone());
        line
    };
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
    use crate::testing::{firewalled, load_balancer, nat_gateway};

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
