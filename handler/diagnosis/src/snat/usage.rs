//! SNAT usage out of Azure Monitor series (R6.1–R6.8, R6.20–R6.22).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::facts::{Datum, Facts, Id, Metric, Missing, Series};

/// Load balancer: connections by state.
pub(crate) const LB_CONNECTIONS: &str = "SnatConnectionCount";
/// Load balancer: ports in use.
pub(crate) const LB_USED: &str = "UsedSnatPorts";
/// Load balancer: ports handed out.
pub(crate) const LB_ALLOCATED: &str = "AllocatedSnatPorts";
/// NAT gateway: connections by state.
pub(crate) const NAT_CONNECTIONS: &str = "SNATConnectionCount";
/// NAT gateway: connections open.
pub(crate) const NAT_TOTAL: &str = "TotalConnectionCount";

/// Failures are counted per window of this many seconds (R6.4).
const WINDOW_SECONDS: i64 = 300;

/// What a metric said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading<T> {
    /// A figure.
    Known(T),
    /// Azure answered without a single data point: not zero (R6.8).
    NoData,
    /// Azure's answer does not allow the figure.
    Unclear(String),
    /// The metric was not read.
    Missing(Missing),
}

impl<T> Reading<T> {
    pub(crate) fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self {
            Some(value)
        } else {
            None
        }
    }
}

/// Failed SNAT connections.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Failures {
    /// Sum over the window.
    pub(crate) total: u64,
    /// 5-minute windows with a failure.
    pub(crate) windows: BTreeSet<i64>,
    /// First and last grain with a failure.
    pub(crate) span: Option<(Timestamp, Timestamp)>,
    /// By backend address, where Azure split by it.
    pub(crate) by_backend: BTreeMap<String, u64>,
    /// Sum per grain, for plotting.
    pub(crate) points: BTreeMap<Timestamp, f64>,
}

/// Ports of one node: the protocol that came closest to its limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BackendPorts {
    pub(crate) address: String,
    pub(crate) allocated: Option<u32>,
    pub(crate) used_peak: u32,
    pub(crate) used_peak_at: Timestamp,
    /// Highest used / allocated in the same minute.
    pub(crate) utilization: Option<f64>,
    /// Used ports per grain, for plotting.
    pub(crate) used: BTreeMap<Timestamp, f64>,
}

/// The metric of a resource, or why it is missing.
pub(crate) fn metric<'f>(
    facts: &'f Facts,
    resource: &Id,
    name: &str,
) -> Result<&'f Metric, Missing> {
    let what = || format!("metric {name} of {}", resource.name());
    match facts.metrics.get(resource).and_then(|m| m.get(name)) {
        Some(datum) => datum.known(what),
        None => Err(Missing {
            what: what(),
            how: Datum::not_asked("not part of the plan"),
        }),
    }
}

/// Failed connections of a load balancer or NAT gateway. The state is compared in lower case (R6.1).
pub(crate) fn failures(facts: &Facts, resource: &Id, name: &str) -> Reading<Failures> {
    let metric = match metric(facts, resource, name) {
        Ok(metric) => metric,
        Err(missing) => return Reading::Missing(missing),
    };
    if metric.series.iter().all(|s| s.points.is_empty()) {
        return Reading::NoData;
    }
    if metric
        .series
        .iter()
        .any(|s| dimension(s, "connectionstate").is_none())
    {
        return Reading::Unclear(format!("{name} came without its connection state"));
    }
    let mut found = Failures::default();
    let failed = metric.series.iter().filter(|s| {
        dimension(s, "connectionstate").is_some_and(|state| state.eq_ignore_ascii_case("failed"))
    });
    let mut by_backend: BTreeMap<String, f64> = BTreeMap::new();
    for series in failed {
        for point in series.points.iter().filter(|p| p.value > 0.0) {
            *found.points.entry(point.at).or_default() += point.value;
            found
                .windows
                .insert(point.at.as_second().div_euclid(WINDOW_SECONDS));
            if let Some(address) = dimension(series, "backendipaddress") {
                *by_backend.entry(address.to_owned()).or_default() += point.value;
            }
        }
    }
    found.total = whole(found.points.values().sum());
    found.by_backend = by_backend.into_iter().map(|(k, v)| (k, whole(v))).collect();
    let first = found.points.keys().next().copied();
    found.span = first.zip(found.points.keys().next_back().copied());
    if metric.truncated && found.total == 0 {
        return Reading::Unclear(format!("{name} has more series than Azure returned"));
    }
    Reading::Known(found)
}

/// Ports per node of a load balancer: sums over frontends per minute, compared within the same minute, per protocol
/// because each protocol has ports of its own; the busier protocol stands for the node (R6.2, R6.3).
pub(crate) fn ports(facts: &Facts, resource: &Id) -> Reading<Vec<BackendPorts>> {
    let (used, allocated) = match (
        metric(facts, resource, LB_USED),
        metric(facts, resource, LB_ALLOCATED),
    ) {
        (Ok(used), Ok(allocated)) => (used, allocated),
        (Err(missing), _) | (_, Err(missing)) => return Reading::Missing(missing),
    };
    if used.series.iter().all(|s| s.points.is_empty()) {
        return Reading::NoData;
    }
    if used
        .series
        .iter()
        .any(|s| dimension(s, "backendipaddress").is_none())
    {
        return Reading::Unclear(format!("{LB_USED} came without its backend address"));
    }
    let allocated = per_node(allocated);
    let mut backends: BTreeMap<String, BackendPorts> = BTreeMap::new();
    for ((address, protocol), minutes) in per_node(used) {
        let limits = allocated.get(&(address.clone(), protocol));
        let Some(candidate) = backend(address.clone(), minutes, limits) else {
            continue;
        };
        let busier = backends
            .get(&address)
            .is_none_or(|known| rank(&candidate) > rank(known));
        if busier {
            backends.insert(address, candidate);
        }
    }
    Reading::Known(backends.into_values().collect())
}

/// Why nodes may be missing from [`ports`]: Azure returned some of the series only. `None`: it returned all.
pub(crate) fn ports_cut_off(facts: &Facts, resource: &Id) -> Option<String> {
    let cut = |name: &&str| metric(facts, resource, name).is_ok_and(|metric| metric.truncated);
    let name = [LB_USED, LB_ALLOCATED].into_iter().find(cut)?;
    Some(format!("{name} has more series than Azure returned"))
}

/// Most connections that a NAT gateway had open in one grain.
pub(crate) fn peak_connections(facts: &Facts, resource: &Id) -> Reading<u64> {
    match metric(facts, resource, NAT_TOTAL) {
        Err(missing) => Reading::Missing(missing),
        Ok(metric) => {
            let mut sums: BTreeMap<Timestamp, f64> = BTreeMap::new();
            for point in metric.series.iter().flat_map(|s| &s.points) {
                *sums.entry(point.at).or_default() += point.value;
            }
            match sums.into_values().max_by(f64::total_cmp) {
                Some(peak) => Reading::Known(whole(peak)),
                None => Reading::NoData,
            }
        }
    }
}

/// Sum over frontends in one minute, and how many frontends it is made of.
type Minutes = BTreeMap<Timestamp, (f64, usize)>;

fn per_node(metric: &Metric) -> BTreeMap<(String, String), Minutes> {
    let mut nodes: BTreeMap<(String, String), Minutes> = BTreeMap::new();
    for series in &metric.series {
        let Some(address) = dimension(series, "backendipaddress") else {
            continue;
        };
        let protocol = dimension(series, "protocoltype").unwrap_or_default();
        let key = (address.to_owned(), protocol.to_ascii_lowercase());
        let minutes = nodes.entry(key).or_default();
        for point in &series.points {
            let minute = minutes.entry(point.at).or_default();
            minute.0 += point.value;
            minute.1 += 1;
        }
    }
    nodes
}

fn backend(address: String, used: Minutes, limits: Option<&Minutes>) -> Option<BackendPorts> {
    let (at, (peak, _)) = used.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    let allocated = limits
        .and_then(|limits| limits.values().next_back())
        .map(|(ports, _)| narrow(*ports));
    // A minute in which a frontend's allocation is missing would look fuller than it was: left out.
    let utilization = limits.and_then(|limits| {
        used.iter()
            .filter_map(|(at, (used, frontends))| {
                let (limit, of) = limits.get(at)?;
                (*limit > 0.0 && of >= frontends).then_some(used / limit)
            })
            .max_by(f64::total_cmp)
    });
    Some(BackendPorts {
        address,
        allocated,
        used_peak: narrow(*peak),
        used_peak_at: *at,
        utilization,
        used: used
            .into_iter()
            .map(|(at, (ports, _))| (at, ports))
            .collect(),
    })
}

fn rank(ports: &BackendPorts) -> (u64, u32) {
    // Utilisation in millionths, so that the order is total.
    (
        whole(ports.utilization.unwrap_or_default() * 1e6),
        ports.used_peak,
    )
}

fn dimension<'s>(series: &'s Series, name: &str) -> Option<&'s str> {
    series.dimensions.get(name).map(String::as_str)
}

/// A metric value as a whole number; a negative one counts as none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the value is rounded and clamped to zero or more first"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

fn narrow(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::{Average, Total};
    use crate::testing::{lb_id, load_balancer, metric, series, set_metric};

    fn port(frontend: &str, protocol: &str, values: &[f64]) -> Series {
        let dimensions = [
            ("backendipaddress", "10.0.0.4"),
            ("frontendipaddress", frontend),
            ("protocoltype", protocol),
        ];
        series(&dimensions, values)
    }

    fn read(used: Vec<Series>, allocated: Vec<Series>) -> BackendPorts {
        let mut facts = load_balancer();
        set_metric(&mut facts, &lb_id(), LB_USED, metric(Average, used));
        set_metric(
            &mut facts,
            &lb_id(),
            LB_ALLOCATED,
            metric(Average, allocated),
        );
        let Reading::Known(nodes) = ports(&facts, &lb_id()) else {
            panic!("the metric has points");
        };
        nodes[0].clone()
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
    fn protocols_have_ports_of_their_own_and_the_fuller_one_counts() {
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
        assert_eq!(
            read(vec![port("f1", "TCP", &[9.0])], vec![]).utilization,
            None
        );
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
            read.known().map(|f| (f.total, f.windows.len())),
            Some((3, 1))
        );
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
}
