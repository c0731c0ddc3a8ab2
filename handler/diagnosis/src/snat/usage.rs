//! SNAT usage of a load balancer, and failed connections of any device (R6.1–R6.8).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::metric::{Reading, dimension, metric, narrow, sums, whole, window_seconds};
use crate::facts::{Facts, Id, Metric, Point, Series};
use crate::order::Order as _;

/// Load balancer: connections by state.
pub(crate) const LB_CONNECTIONS: &str = "SnatConnectionCount";
/// Load balancer: ports in use.
pub(crate) const LB_USED: &str = "UsedSnatPorts";
/// Load balancer: ports handed out.
pub(crate) const LB_ALLOCATED: &str = "AllocatedSnatPorts";
/// NAT gateway: connections by state.
pub(crate) const NAT_CONNECTIONS: &str = "SNATConnectionCount";

/// Nodes whose series are kept for plotting.
const PLOTTED: usize = 3;
/// A node without points for this long before the newest one is gone.
const GONE: SignedDuration = SignedDuration::from_mins(15);

/// Failed SNAT connections.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Failures {
    /// Sum over the window.
    pub(crate) total: u64,
    /// Windows of `window_minutes` with a failure.
    pub(crate) windows: BTreeSet<i64>,
    /// Length of those windows: 5 minutes, longer where the grain is (R6.4).
    pub(crate) window_minutes: i64,
    /// First and last grain with a failure.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// By backend address, where Azure split by it.
    pub(crate) by_backend: BTreeMap<String, u64>,
    /// Sum per grain, for plotting; only grains with a failure.
    pub(crate) points: BTreeMap<Timestamp, f64>,
}

/// Ports of all nodes of a load balancer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ports {
    /// Node by node, in address order.
    pub(crate) nodes: Vec<BackendPorts>,
    /// Whether Azure may have left nodes out.
    pub(crate) truncated: bool,
    /// The busiest nodes' series, hottest first.
    pub(crate) hottest: Vec<NodeSeries>,
}

/// Ports of one node: the protocol that came closest to its limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BackendPorts {
    pub(crate) address: String,
    /// As last seen, all frontends together.
    pub(crate) allocated: Option<u32>,
    /// Whether the last allocation held for two grains of a node that is still there.
    pub(crate) settled: bool,
    pub(crate) used_peak: u32,
    pub(crate) used_peak_at: Timestamp,
    /// Highest used / allocated in the same minute.
    pub(crate) utilization: Option<f64>,
}

/// One node's ports over time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeSeries {
    pub(crate) address: String,
    pub(crate) used: Vec<(Timestamp, f64)>,
    pub(crate) allocated: Vec<(Timestamp, f64)>,
}

/// Failed connections of a load balancer or NAT gateway. The state is compared in lower case (R6.1).
pub(crate) fn failures(facts: &Facts, resource: &Id, name: &str) -> Reading<Failures> {
    let metric = match metric(facts, resource, name, "Count") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    if metric
        .series
        .iter()
        .any(|s| dimension(s, "connectionstate").is_none())
    {
        return Reading::Unclear(format!("{name} came without its connection state"));
    }
    let seconds = window_seconds(metric.grain);
    let mut found = Failures {
        window_minutes: seconds / 60,
        ..Failures::default()
    };
    let failed = metric.series.iter().filter(|s| is_of_failures(s));
    let mut by_backend: BTreeMap<String, f64> = BTreeMap::new();
    for series in failed {
        let mut total = 0.0;
        for point in series.points.iter().filter(|p| p.value > 0.0) {
            *found.points.entry(point.at).or_default() += point.value;
            total += point.value;
        }
        if total > 0.0
            && let Some(address) = dimension(series, "backendipaddress")
        {
            *by_backend.entry(address.to_owned()).or_default() += total;
        }
    }
    found.windows = found
        .points
        .keys()
        .map(|at| at.as_second().div_euclid(seconds))
        .collect();
    found.total = whole(found.points.values().sum());
    found.by_backend = by_backend.into_iter().map(|(k, v)| (k, whole(v))).collect();
    let first = found.points.keys().next().copied();
    found.span = first.zip(found.points.keys().next_back().copied());
    if metric.truncated && found.total == 0 {
        return Reading::Unclear(format!("{name} has more series than Azure returned"));
    }
    Reading::Known(found)
}

/// One node's failed connections per grain, for plotting; only grains with a failure.
pub(crate) fn failures_of(facts: &Facts, resource: &Id, address: &str) -> BTreeMap<Timestamp, f64> {
    let Reading::Known(metric) = metric(facts, resource, LB_CONNECTIONS, "Count") else {
        return BTreeMap::new();
    };
    let own = metric
        .series
        .iter()
        .filter(|s| dimension(s, "backendipaddress") == Some(address) && is_of_failures(s));
    let mut points = sums(own);
    points.retain(|_, count| *count > 0.0);
    points
}

fn is_of_failures(series: &Series) -> bool {
    dimension(series, "connectionstate").is_some_and(|state| state.eq_ignore_ascii_case("failed"))
}

/// Ports per node of a load balancer: sums over frontends per minute, compared within the same minute, per protocol
/// because each protocol has ports of its own; the busier protocol stands for the node (R6.2, R6.3).
pub(crate) fn ports(facts: &Facts, resource: &Id) -> Reading<Ports> {
    let used = match metric(facts, resource, LB_USED, "Count") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    let allocated = match metric(facts, resource, LB_ALLOCATED, "Count") {
        Reading::Known(metric) => Some(metric),
        // Used ports still tell who is busy.
        Reading::NoData => None,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    let unsplit = |m: &Metric| {
        m.series
            .iter()
            .any(|s| dimension(s, "backendipaddress").is_none())
    };
    if unsplit(used) || allocated.is_some_and(unsplit) {
        return Reading::Unclear(format!("{LB_USED} came without its backend address"));
    }
    let newest = |m: &Metric| {
        m.series
            .iter()
            .filter_map(|s| s.points.last())
            .map(|p| p.at)
            .max()
    };
    let newest = newest(used).max(allocated.and_then(newest));
    let limits = allocated.map(grouped).unwrap_or_default();
    let mut nodes: BTreeMap<&str, (BackendPorts, NodeKey<'_>)> = BTreeMap::new();
    let used_by_node = grouped(used);
    for (key, series) in &used_by_node {
        let limit = limits.get(key).map(|series| merged(series));
        let Some(candidate) = backend(key.0, &merged(series), limit.as_deref(), newest) else {
            continue;
        };
        let busier = nodes
            .get(key.0)
            .is_none_or(|(known, _)| rank(&candidate, known) == Ordering::Greater);
        if busier {
            nodes.insert(key.0, (candidate, key.clone()));
        }
    }
    let mut order: Vec<&(BackendPorts, NodeKey<'_>)> = nodes.values().collect();
    order.order_by(|a, b| rank(&b.0, &a.0).then(a.0.address.cmp(&b.0.address)));
    let plot = |series: Option<&Vec<&Series>>| -> Vec<(Timestamp, f64)> {
        series
            .map(|series| sums(series.iter().copied()).into_iter().collect())
            .unwrap_or_default()
    };
    let hottest = order
        .into_iter()
        .take(PLOTTED)
        .map(|(node, key)| NodeSeries {
            address: node.address.clone(),
            used: plot(used_by_node.get(key)),
            allocated: plot(limits.get(key)),
        })
        .collect();
    Reading::Known(Ports {
        hottest,
        nodes: nodes.into_values().map(|(node, _)| node).collect(),
        truncated: used.truncated || allocated.is_some_and(|m| m.truncated),
    })
}

/// Backend address and protocol in lower case.
type NodeKey<'m> = (&'m str, String);

fn grouped(metric: &Metric) -> BTreeMap<NodeKey<'_>, Vec<&Series>> {
    let mut nodes: BTreeMap<NodeKey<'_>, Vec<&Series>> = BTreeMap::new();
    for series in &metric.series {
        if let Some(address) = dimension(series, "backendipaddress") {
            let protocol = dimension(series, "protocoltype").unwrap_or_default();
            let key = (address, protocol.to_ascii_lowercase());
            nodes.entry(key).or_default().push(series);
        }
    }
    nodes
}

/// Sum over frontends in one minute, and how many frontends it is made of.
#[derive(Debug, Clone, Copy)]
struct Minute {
    at: Timestamp,
    ports: f64,
    frontends: usize,
}

/// One node's frontends added up minute by minute; every series is in time order.
fn merged(series: &[&Series]) -> Vec<Minute> {
    let mut minutes: Vec<Minute> = Vec::new();
    for one in series {
        minutes = if minutes.is_empty() {
            one.points.iter().map(alone).collect()
        } else {
            add(&minutes, &one.points)
        };
    }
    minutes
}

fn alone(point: &Point) -> Minute {
    Minute {
        at: point.at,
        ports: point.value.max(0.0),
        frontends: 1,
    }
}

fn add(minutes: &[Minute], points: &[Point]) -> Vec<Minute> {
    let mut sum = Vec::with_capacity(minutes.len().max(points.len()));
    let (mut left, mut right) = (minutes.iter().peekable(), points.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(minute), Some(point)) => minute.at.cmp(&point.at),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return sum,
        };
        let minute = (order != Ordering::Greater).then(|| left.next()).flatten();
        let point = (order != Ordering::Less).then(|| right.next()).flatten();
        match (minute, point) {
            (Some(minute), Some(point)) => sum.push(Minute {
                at: minute.at,
                ports: minute.ports + point.value.max(0.0),
                frontends: minute.frontends + 1,
            }),
            (Some(minute), None) => sum.push(*minute),
            (None, Some(point)) => sum.push(alone(point)),
            (None, None) => {}
        }
    }
}

fn backend(
    address: &str,
    used: &[Minute],
    limits: Option<&[Minute]>,
    newest: Option<Timestamp>,
) -> Option<BackendPorts> {
    // The first minute at the peak: since when.
    let peak = used
        .iter()
        .rev()
        .max_by(|a, b| a.ports.total_cmp(&b.ports))?;
    // A minute in which a frontend is missing shows less than the node has.
    let limits = limits.unwrap_or_default();
    let whole_minutes = limits.iter().map(|m| m.frontends).max();
    let mut complete = limits
        .iter()
        .rev()
        .filter(|m| Some(m.frontends) == whole_minutes);
    let (last, before) = (complete.next(), complete.next());
    let settled = last.zip(before).is_some_and(|(last, before)| {
        (last.ports - before.ports).abs() < 0.5
            && newest.is_some_and(|newest| newest.duration_since(last.at) <= GONE)
    });
    Some(BackendPorts {
        address: address.to_owned(),
        allocated: last.map(|minute| narrow(minute.ports)),
        settled,
        used_peak: narrow(peak.ports),
        used_peak_at: peak.at,
        utilization: utilization(used, limits),
    })
}

/// Highest used / allocated in the same minute. A minute in which a frontend's allocation is missing would look fuller
/// than it was: left out.
fn utilization(used: &[Minute], limits: &[Minute]) -> Option<f64> {
    let mut limits = limits.iter().peekable();
    let mut highest: Option<f64> = None;
    for minute in used {
        while limits.next_if(|limit| limit.at < minute.at).is_some() {}
        let Some(limit) = limits.peek().filter(|limit| limit.at == minute.at) else {
            continue;
        };
        if limit.ports > 0.0 && limit.frontends >= minute.frontends {
            let share = minute.ports / limit.ports;
            highest = Some(highest.map_or(share, |known| known.max(share)));
        }
    }
    highest
}

/// By utilisation, then by ports used. Ports without an allocation to compare with count by their number alone.
fn rank(a: &BackendPorts, b: &BackendPorts) -> Ordering {
    let share = |ports: &BackendPorts| ports.utilization.filter(|share| *share > 0.0);
    let by_share = match (share(a), share(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    by_share.then(a.used_peak.cmp(&b.used_peak))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::facts::MetricAggregation::{Average, Total};
    use crate::testing::{lb_id, load_balancer, metric, port_series, series, set_metric};

    fn port(frontend: &str, protocol: &str, values: &[f64]) -> Series {
        let dimensions = [
            ("backendipaddress", "10.0.0.4"),
            ("frontendipaddress", frontend),
            ("protocoltype", protocol),
        ];
        series(&dimensions, values)
    }

    fn of(used: Datum<Metric>, allocated: Datum<Metric>) -> Reading<Ports> {
        let mut facts = load_balancer();
        set_metric(&mut facts, &lb_id(), LB_USED, used);
        set_metric(&mut facts, &lb_id(), LB_ALLOCATED, allocated);
        ports(&facts, &lb_id())
    }

    fn read(used: Vec<Series>, allocated: Vec<Series>) -> BackendPorts {
        let Reading::Known(ports) = of(metric(Average, used), metric(Average, allocated)) else {
            panic!("the metric has points");
        };
        ports.nodes[0].clone()
    }

    #[test]
    fn r6_3_frontends_of_a_node_add_up_within_the_same_minute() {
        let node = read(
            vec![
                port("f1", "TCP", &[1024.0, 10.0]),
                port("f2", "TCP", &[1.0, 500.0]),
            ],
            vec![
                port("f1", "TCP", &[1024.0, 1024.0]),
                port("f2", "TCP", &[1024.0, 1024.0]),
            ],
        );
        assert_eq!((node.used_peak, node.allocated), (1025, Some(2048)));
        assert_eq!(node.utilization, Some(1025.0 / 2048.0));
    }

    #[test]
    fn r6_2_protocols_have_ports_of_their_own_and_the_fuller_one_counts() {
        let full = vec![port("f1", "TCP", &[1000.0]), port("f1", "UDP", &[1000.0])];
        let node = read(
            vec![port("f1", "TCP", &[600.0]), port("f1", "UDP", &[900.0])],
            full,
        );
        assert_eq!((node.used_peak, node.allocated), (900, Some(1000)));
    }

    #[test]
    fn a_minute_without_every_allocation_is_not_compared() {
        let node = read(
            vec![
                port("f1", "TCP", &[900.0, 900.0]),
                port("f2", "TCP", &[200.0, 200.0]),
            ],
            vec![
                port("f1", "TCP", &[1024.0, 1024.0]),
                port("f2", "TCP", &[1024.0]),
            ],
        );
        assert_eq!(node.utilization, Some(1100.0 / 2048.0));
        // The last minute lacks a frontend; the allocation is not 1,024.
        assert_eq!(node.allocated, Some(2048));
        assert_eq!(
            read(vec![port("f1", "TCP", &[9.0])], vec![]).utilization,
            None
        );
    }

    #[test]
    fn r6_3_a_gap_in_one_series_is_bridged_by_no_neighbour() {
        let mut used = port("f1", "TCP", &[10.0, 20.0, 900.0]);
        used.points.remove(1);
        let mut limit = port("f1", "TCP", &[1000.0, 1000.0, 1000.0]);
        limit.points.remove(2);
        let node = read(vec![used], vec![limit]);
        // 900 has no allocation in its own minute.
        assert_eq!((node.used_peak, node.utilization), (900, Some(0.01)));
    }

    #[test]
    fn negative_values_count_as_none() {
        let node = read(
            vec![port("f1", "TCP", &[-50.0, 8.0])],
            vec![port("f1", "TCP", &[-8.0, -8.0])],
        );
        assert_eq!((node.used_peak, node.utilization), (8, None));
        assert_eq!(node.allocated, Some(0));
    }

    #[test]
    fn the_busiest_nodes_keep_their_series_hottest_first() {
        let names: Vec<String> = (1..=5).map(|n| format!("10.0.0.{n}")).collect();
        let peaks: Vec<[f64; 2]> = [5.0, 90.0, 30.0, 70.0, 1.0]
            .iter()
            .map(|p| [1.0, *p])
            .collect();
        let used: Vec<(&str, &[f64])> = names
            .iter()
            .map(String::as_str)
            .zip(peaks.iter().map(<[f64; 2]>::as_slice))
            .collect();
        let full: Vec<(&str, &[f64])> = names
            .iter()
            .map(|name| (name.as_str(), [100.0, 100.0].as_slice()))
            .collect();
        let Reading::Known(read) = of(port_series(&used), port_series(&full)) else {
            panic!("the metric has points");
        };
        assert_eq!(read.nodes.len(), 5);
        let hottest: Vec<&str> = read.hottest.iter().map(|n| n.address.as_str()).collect();
        assert_eq!(hottest, ["10.0.0.2", "10.0.0.4", "10.0.0.3"]);
        assert_eq!(read.hottest[0].used.last().map(|p| p.1), Some(90.0));
        assert_eq!(read.hottest[0].allocated.len(), 2);
    }

    #[test]
    fn a_thousand_nodes_are_all_seen() {
        let names: Vec<String> = (0..1000)
            .map(|n| format!("10.0.{}.{}", n / 250, n % 250))
            .collect();
        let nodes = |value: &'static [f64]| -> Vec<(&str, &[f64])> {
            names.iter().map(|name| (name.as_str(), value)).collect()
        };
        let mut used = nodes(&[16.0, 16.0]);
        if let Some(last) = used.last_mut() {
            last.1 = &[16.0, 31.0];
        }
        let allocated = port_series(&nodes(&[32.0, 32.0]));
        let Reading::Known(read) = of(port_series(&used), allocated) else {
            panic!("the metric has points");
        };
        assert_eq!(read.nodes.len(), 1000);
        assert!(read.nodes.iter().all(|node| node.allocated == Some(32)));
        assert_eq!(read.hottest[0].address, names[999]);
    }

    #[test]
    fn r6_1_states_are_compared_without_case_and_only_failures_count() {
        let mut facts = load_balancer();
        let state = |word, values: &[f64]| series(&[("connectionstate", word)], values);
        let split = vec![
            state("FAILED", &[2.0, -5.0, 1.0]),
            state("Successful", &[9.0, 9.0, 9.0]),
        ];
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, metric(Total, split));
        let read = failures(&facts, &lb_id(), LB_CONNECTIONS);
        assert_eq!(
            read.known()
                .map(|f| (f.total, f.windows.len(), f.window_minutes)),
            Some((3, 1, 5))
        );
    }

    #[test]
    fn r6_4_windows_are_never_finer_than_the_grain() {
        let mut facts = load_balancer();
        let mut coarse = metric(
            Total,
            vec![series(&[("connectionstate", "Failed")], &[2.0])],
        );
        if let Datum::Known(coarse) = &mut coarse {
            coarse.grain = SignedDuration::from_mins(30);
        }
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, coarse);
        let read = failures(&facts, &lb_id(), LB_CONNECTIONS);
        let read = read.known().unwrap();
        assert_eq!((read.windows.len(), read.window_minutes), (1, 30));
    }

    #[test]
    fn what_azure_left_out_is_not_zero() {
        let mut facts = load_balancer();
        let mut cut = metric(
            Total,
            vec![series(&[("connectionstate", "Successful")], &[1.0])],
        );
        if let Datum::Known(cut) = &mut cut {
            cut.truncated = true;
        }
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, cut);
        let read = failures(&facts, &lb_id(), LB_CONNECTIONS);
        assert!(matches!(read, Reading::Unclear(_)));
        let unsplit = metric(Total, vec![series(&[], &[1.0])]);
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, unsplit);
        let read = failures(&facts, &lb_id(), LB_CONNECTIONS);
        assert!(matches!(read, Reading::Unclear(_)));
    }

    #[test]
    fn a_foreign_unit_gives_no_figure() {
        let mut facts = load_balancer();
        let mut percent = port_series(&[("10.0.0.4", &[50.0])]);
        if let Datum::Known(percent) = &mut percent {
            percent.unit = "Percent".to_owned();
        }
        set_metric(&mut facts, &lb_id(), LB_USED, percent.clone());
        assert!(matches!(ports(&facts, &lb_id()), Reading::Unclear(_)));
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, percent);
        let read = failures(&facts, &lb_id(), LB_CONNECTIONS);
        assert!(matches!(read, Reading::Unclear(_)));
    }
}
