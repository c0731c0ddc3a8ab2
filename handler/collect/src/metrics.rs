//! Which metrics are asked of which device, and how finely.

use std::collections::BTreeMap;

use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    Cause, Cluster, Datum, Id, LoadBalancer, Metric, MetricAggregation, OutboundType, PowerState,
    ResourceMetrics, Window,
};
use egress_diagnosis::pressure::{CONDITION, DISK_METRICS, NODE_METRICS};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::convert;
use crate::reader::{Reader, keyed};

/// Metrics of one device that are asked for in one call: they share their dimensions.
#[derive(Debug)]
pub(crate) struct MetricQuery {
    /// REST names in their documented case, each with what its points hold.
    pub(crate) metrics: &'static [(&'static str, MetricAggregation)],
    /// Splits by dimension; none gives one series.
    pub(crate) filter: Option<&'static str>,
}

impl MetricQuery {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.metrics.iter().map(|(name, _)| *name)
    }
}

/// R6.1: SNAT connections per node and state.
pub(crate) static LB_CONNECTIONS: MetricQuery = MetricQuery {
    metrics: &[("SnatConnectionCount", MetricAggregation::Total)],
    filter: Some("BackendIPAddress eq '*' and ConnectionState eq '*'"),
};

/// R6.2, R6.3: ports per node, frontend and protocol. A call of their own: a filter on dimensions that another metric
/// lacks is refused for all.
pub(crate) static LB_PORTS: MetricQuery = MetricQuery {
    metrics: &[
        ("UsedSnatPorts", MetricAggregation::Average),
        ("AllocatedSnatPorts", MetricAggregation::Average),
    ],
    filter: Some("BackendIPAddress eq '*' and FrontendIPAddress eq '*' and ProtocolType eq '*'"),
};

/// R6.20: SNAT connections per state.
pub(crate) static NAT_CONNECTIONS: MetricQuery = MetricQuery {
    metrics: &[("SNATConnectionCount", MetricAggregation::Total)],
    filter: Some("ConnectionState eq '*'"),
};

/// R6.20: drops, active connections and health.
pub(crate) static NAT_TRAFFIC: MetricQuery = MetricQuery {
    metrics: &[
        ("PacketDropCount", MetricAggregation::Total),
        ("TotalConnectionCount", MetricAggregation::Total),
        ("DatapathAvailability", MetricAggregation::Average),
    ],
    filter: None,
};

/// R5.32: use of SNAT ports per protocol.
pub(crate) static FIREWALL_PORTS: MetricQuery = MetricQuery {
    metrics: &[("SNATPortUtilization", MetricAggregation::Average)],
    filter: Some("Protocol eq '*'"),
};

/// R5.32: health. Not split: an average over reasons would weigh a minute like an hour.
pub(crate) static FIREWALL_HEALTH: MetricQuery = MetricQuery {
    metrics: &[("FirewallHealth", MetricAggregation::Average)],
    filter: None,
};

/// R2.40: answered health probes per backend and frontend.
pub(crate) static LB_HEALTH: MetricQuery = MetricQuery {
    metrics: &[("DipAvailability", MetricAggregation::Average)],
    filter: Some("BackendIPAddress eq '*' and FrontendIPAddress eq '*'"),
};

/// R7.1, R7.3: CPU, memory and disk space per node. Unsplit they would be the cluster's average.
pub(crate) static NODE_LOADS: MetricQuery = MetricQuery {
    metrics: &NODE_METRICS,
    filter: Some("node eq '*' and nodepool eq '*'"),
};

/// R7.10: conditions per node. A call of their own: their dimensions are others, and a filter on one that a metric lacks is
/// refused. Only the conditions that are looked at: a node has many.
pub(crate) static NODE_CONDITIONS: MetricQuery = MetricQuery {
    metrics: &[(CONDITION, MetricAggregation::Average)],
    filter: Some(
        "(condition eq 'Ready' or condition eq 'MemoryPressure' or condition eq 'DiskPressure' or condition eq 'PIDPressure' or condition eq 'NetworkUnavailable') and status eq '*' and node eq '*'",
    ),
};

/// R7.3: OS disks and VM limits per instance of a scale set.
pub(crate) static SCALE_SET_DISKS: MetricQuery = MetricQuery {
    metrics: &DISK_METRICS,
    filter: Some("VMName eq '*'"),
};

/// R7.3: the same of a single machine, which has no such dimension.
pub(crate) static MACHINE_DISKS: MetricQuery = MetricQuery {
    metrics: &DISK_METRICS,
    filter: None,
};

/// A grain that Azure Monitor offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grain {
    pub(crate) text: &'static str,
    seconds: i64,
}

impl Grain {
    pub(crate) const MINUTE: Self = Self::new("PT1M", 60);

    const ALL: [Self; 8] = [
        Self::MINUTE,
        Self::new("PT5M", 300),
        Self::new("PT15M", 900),
        Self::new("PT30M", 1_800),
        Self::new("PT1H", 3_600),
        Self::new("PT6H", 21_600),
        Self::new("PT12H", 43_200),
        Self::new("P1D", 86_400),
    ];

    const fn new(text: &'static str, seconds: i64) -> Self {
        Self { text, seconds }
    }

    /// A grain by its ISO 8601 spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|grain| grain.text.eq_ignore_ascii_case(text))
    }

    pub(crate) fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(self.seconds)
    }

    /// The finest grain that keeps a series within 360 points (six hours by the minute) and an answer with this many
    /// series, of all its metrics and resources, comfortably within what the client reads of one. Fewer than a dozen points
    /// tell too little of a window: where not even those fit into what is read, there is none.
    pub(crate) fn fitting(window: Window, series: usize) -> Option<Self> {
        let points = points_that_fit(series).clamp(FEWEST_POINTS / 2, MOST_POINTS);
        let points = i64::try_from(points).unwrap_or(360);
        let seconds = window.end.duration_since(window.start).as_secs();
        let grain = Self::ALL
            .into_iter()
            .find(|grain| seconds <= points.saturating_mul(grain.seconds))
            .unwrap_or(Self::new("P1D", 86_400));
        let points = seconds.max(0) / grain.seconds + 1;
        let bytes = answer_bytes(series, usize::try_from(points).unwrap_or(usize::MAX));
        (bytes <= 2 * ANSWER_BYTES).then_some(grain)
    }
}

/// Half of what the client reads of one answer: nodes come and go, so twice as many series may come as were expected.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// What a series takes beside its points: names and values of up to four dimensions.
const SERIES_BYTES: usize = 400;
/// A point with one aggregation.
const POINT_BYTES: usize = 64;
/// Points that show all there is to see in a series.
const MOST_POINTS: usize = 360;
/// Points that a series should have at least: a call that cannot hold so many is divided.
const FEWEST_POINTS: usize = 24;

/// What an answer with so many series of so many points takes.
fn answer_bytes(series: usize, points: usize) -> usize {
    let each = points
        .saturating_mul(POINT_BYTES)
        .saturating_add(SERIES_BYTES);
    series.saturating_mul(each)
}

/// Points that each of so many series may have in one answer.
fn points_that_fit(series: usize) -> usize {
    let each = ANSWER_BYTES / series.max(1);
    each.saturating_sub(SERIES_BYTES) / POINT_BYTES
}

/// Whether one answer holds so many series with enough points to tell something.
pub(crate) fn fit_together(series: usize) -> bool {
    points_that_fit(series) >= FEWEST_POINTS
}

/// The metrics of the AKS load balancer, where they mean something.
pub(crate) async fn load_balancer_metrics(
    reader: Reader<'_>,
    cluster: &Cluster,
    load_balancer: &Datum<LoadBalancer>,
) -> ResourceMetrics {
    let Datum::Known(lb) = load_balancer else {
        return ResourceMetrics::new();
    };
    let queries = [&LB_CONNECTIONS, &LB_PORTS];
    let metrics = if let Some(why) = no_load_balancer_metrics(cluster, lb) {
        not_asked(&queries, why)
    } else {
        let nodes = nodes(lb);
        let ports = nodes.saturating_mul(frontends(lb)).saturating_mul(2);
        let states = nodes.saturating_mul(3);
        let asked = [(&LB_CONNECTIONS, states), (&LB_PORTS, ports)];
        ask(reader, &lb.id, &asked).await
    };
    ResourceMetrics::from([(lb.id.clone(), metrics)])
}

/// The metrics of the NAT gateways.
pub(crate) async fn nat_gateway_metrics(
    reader: Reader<'_>,
    cluster: &Cluster,
    nat_gateways: impl IntoIterator<Item = &Id>,
) -> ResourceMetrics {
    let queries = [&NAT_CONNECTIONS, &NAT_TRAFFIC];
    let each = nat_gateways.into_iter().map(|id| async move {
        let metrics = if is_stopped(cluster) {
            not_asked(&queries, STOPPED)
        } else {
            ask(reader, id, &[(&NAT_CONNECTIONS, 3), (&NAT_TRAFFIC, 1)]).await
        };
        (id.clone(), metrics)
    });
    keyed(join_all(each).await)
}

/// The metrics of the firewalls that own next hops.
pub(crate) async fn firewall_metrics(
    reader: Reader<'_>,
    cluster: &Cluster,
    firewalls: impl IntoIterator<Item = &Id>,
) -> ResourceMetrics {
    let queries = [&FIREWALL_PORTS, &FIREWALL_HEALTH];
    let each = firewalls.into_iter().map(|id| async move {
        let metrics = if is_stopped(cluster) {
            not_asked(&queries, STOPPED)
        } else {
            ask(reader, id, &[(&FIREWALL_PORTS, 4), (&FIREWALL_HEALTH, 1)]).await
        };
        (id.clone(), metrics)
    });
    keyed(join_all(each).await)
}

/// The health of what is behind an internal load balancer.
pub(crate) async fn probe_health(reader: Reader<'_>, balancer: &LoadBalancer) -> ResourceMetrics {
    let members = balancer.backend_pools.iter().map(|pool| pool.members);
    let series = members.sum::<usize>() * balancer.frontends.len();
    let metrics = ask(reader, &balancer.id, &[(&LB_HEALTH, series)]).await;
    ResourceMetrics::from([(balancer.id.clone(), metrics)])
}

/// Why a metric of very many nodes and addresses is not asked for.
pub(crate) const TOO_MANY: &str = "so many series would not fit into one answer";

pub(crate) const STOPPED: &str = "the cluster is stopped";

pub(crate) fn is_stopped(cluster: &Cluster) -> bool {
    cluster.power_state == Some(PowerState::Stopped)
}

/// Why the load balancer's SNAT metrics say nothing about this cluster, if so.
fn no_load_balancer_metrics(cluster: &Cluster, lb: &LoadBalancer) -> Option<&'static str> {
    let outbound_type = cluster
        .network
        .as_ref()
        .and_then(|n| n.outbound_type.as_ref());
    let basic = lb
        .sku
        .as_deref()
        .is_some_and(|sku| sku.eq_ignore_ascii_case("basic"));
    if is_stopped(cluster) {
        Some(STOPPED)
    } else if basic {
        Some("a basic load balancer has no SNAT metrics")
    } else if outbound_type != Some(&OutboundType::LoadBalancer) && lb.outbound_rules.is_empty() {
        Some("the load balancer has no outbound rule")
    } else {
        None
    }
}

/// Nodes behind the load balancer, as far as it says.
fn nodes(lb: &LoadBalancer) -> usize {
    let members = lb.backend_pools.iter().map(|pool| pool.members);
    members.max().unwrap_or(0)
}

/// Frontends of its outbound rules.
fn frontends(lb: &LoadBalancer) -> usize {
    let each = lb.outbound_rules.iter().map(|rule| rule.frontends.len());
    each.sum()
}

/// How many series to ask for, where this many are expected: twice as many, because nodes come and go in the window, and
/// a thousand at least. An answer with fewer is whole.
pub(crate) fn top(expected: usize) -> usize {
    expected.saturating_mul(2).clamp(1_000, 100_000)
}

pub(crate) fn not_asked(
    queries: &[&'static MetricQuery],
    why: &'static str,
) -> BTreeMap<String, Datum<Metric>> {
    let each = queries.iter().flat_map(|query| query.names());
    all_not_asked(each, why)
}

fn all_not_asked(
    names: impl IntoIterator<Item = &'static str>,
    why: &'static str,
) -> BTreeMap<String, Datum<Metric>> {
    let names = names.into_iter();
    keyed(names.map(|name| (name.to_owned(), Datum::not_asked(why))))
}

/// Asks several queries of one resource at a time, each with the number of series it is expected to have.
pub(crate) async fn ask(
    reader: Reader<'_>,
    id: &Id,
    queries: &[(&'static MetricQuery, usize)],
) -> BTreeMap<String, Datum<Metric>> {
    let each = queries
        .iter()
        .map(|(query, series)| together(reader, id, query, *series));
    keyed(join_all(each).await.into_iter().flatten())
}

/// All metrics of a query in one call. Azure refuses the whole call for one name that the resource does not have: then
/// each is asked alone, so that only that one is unsupported.
async fn together(
    reader: Reader<'_>,
    id: &Id,
    query: &'static MetricQuery,
    series: usize,
) -> BTreeMap<String, Datum<Metric>> {
    if !fit_together(series.saturating_mul(query.metrics.len())) {
        return alone(reader, id, query, series).await;
    }
    let read = one(reader, id, query.metrics, query.filter, series).await;
    let refused = |datum: &Datum<Metric>| {
        matches!(
            datum,
            Datum::Failed {
                cause: Cause::Unsupported,
                http_status: Some(400),
                ..
            }
        )
    };
    if query.metrics.len() < 2 || !read.values().all(refused) {
        return read;
    }
    alone(reader.next_wave(), id, query, series).await
}

/// Each metric of a query in a call of its own.
async fn alone(
    reader: Reader<'_>,
    id: &Id,
    query: &'static MetricQuery,
    series: usize,
) -> BTreeMap<String, Datum<Metric>> {
    let each = query
        .metrics
        .chunks(1)
        .map(|metric| one(reader, id, metric, query.filter, series));
    keyed(join_all(each).await.into_iter().flatten())
}

async fn one(
    reader: Reader<'_>,
    id: &Id,
    metrics: &'static [(&'static str, MetricAggregation)],
    filter: Option<&str>,
    series: usize,
) -> BTreeMap<String, Datum<Metric>> {
    let window = reader.window();
    let Some(grain) = Grain::fitting(window, series.saturating_mul(metrics.len())) else {
        return all_not_asked(metrics.iter().map(|(name, _)| *name), TOO_MANY);
    };
    let timespan = format!("{}/{}", seconds(window.start), seconds(window.end));
    let names = names(metrics);
    let aggregations = aggregations(metrics);
    // Only valid together with a filter.
    let top = filter.map(|_| top(series));
    let top_text = top.map(|top| top.to_string());
    let mut parameters = vec![
        ("timespan", timespan.as_str()),
        ("interval", grain.text),
        ("metricnames", names.as_str()),
        ("aggregation", aggregations.as_str()),
    ];
    if let (Some(filter), Some(top)) = (filter, top_text.as_deref()) {
        parameters.extend([("$filter", filter), ("top", top)]);
    }
    match reader
        .get::<model::Metrics>(&operations::METRICS_GET, id, &parameters)
        .await
    {
        Datum::Known(answer) => {
            let asked = convert::Asked {
                metrics,
                grain,
                top,
                window,
                now: reader.asked_at(),
            };
            convert::metrics(&asked, answer.interval.as_deref(), &answer.value)
        }
        other => metrics
            .iter()
            .map(|(name, _)| ((*name).to_owned(), crate::outcome::unknown(&other)))
            .collect(),
    }
}

/// The metrics' names, as a call asks for them.
pub(crate) fn names(metrics: &[(&str, MetricAggregation)]) -> String {
    let names: Vec<&str> = metrics.iter().map(|(name, _)| *name).collect();
    names.join(",")
}

/// Each aggregation once, e.g. `total,average`.
pub(crate) fn aggregations(metrics: &[(&str, MetricAggregation)]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for (_, aggregation) in metrics {
        let word = match aggregation {
            MetricAggregation::Total => "total",
            MetricAggregation::Average => "average",
            MetricAggregation::Maximum => "maximum",
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(",")
}

/// RFC 3339 in UTC to the second.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(hours: i64) -> Window {
        let end: Timestamp = "2026-01-08T00:00:00Z".parse().unwrap();
        Window {
            start: end - SignedDuration::from_hours(hours),
            end,
        }
    }

    #[test]
    fn the_grain_keeps_a_series_within_360_points() {
        for (hours, grain) in [
            (0, "PT1M"),
            (1, "PT1M"),
            (6, "PT1M"),
            (7, "PT5M"),
            (30, "PT5M"),
            (31, "PT15M"),
            (24 * 7, "PT30M"),
            (-5, "PT1M"),
            (24 * 360, "P1D"),
            (24 * 3_000, "P1D"),
        ] {
            assert_eq!(
                Grain::fitting(window(hours), 1).unwrap().text,
                grain,
                "{hours} hours"
            );
        }
    }

    fn grain(hours: i64, series: usize) -> Option<&'static str> {
        Grain::fitting(window(hours), series).map(|grain| grain.text)
    }

    #[test]
    fn many_series_are_asked_more_coarsely() {
        assert_eq!(grain(6, 300), Some("PT1M"));
        assert_eq!(grain(6, 1_000), Some("PT5M"));
        // A thousand nodes' ports: used and allocated, two protocols.
        assert_eq!(grain(6, 4_000), Some("PT15M"));
        // Never fewer than twelve points: behind six addresses.
        assert_eq!(grain(6, 12_000), Some("PT30M"));
    }

    #[test]
    fn what_no_answer_holds_is_not_asked() {
        // A thousand nodes' two protocols behind sixteen addresses; a short window has fewer points.
        assert_eq!(grain(6, 32_000), None);
        assert_eq!(grain(0, 32_000), Some("PT1M"));
        assert_eq!(grain(6, usize::MAX), None);
        assert_eq!(grain(0, usize::MAX), None);
    }

    /// An answer as Azure writes one, with as much of everything as it may have.
    fn written_bytes(series: usize, points: i64) -> usize {
        let dimension = r#"{"name":{"value":"backendipaddress","localizedValue":"backendipaddress"},"value":"10.224.100.100"},"#;
        let point = r#"{"timeStamp":"2026-01-01T00:00:00Z","average":33.333333333},"#;
        series * (r#"{"metadatavalues":[],"data":[]},"#.len() + 3 * dimension.len())
            + series * usize::try_from(points).unwrap() * point.len()
    }

    #[test]
    fn an_answer_stays_within_half_of_what_is_read_of_one() {
        for (nodes, query) in [
            (10, &LB_PORTS),
            (100, &SCALE_SET_DISKS),
            (500, &NODE_LOADS),
            (1_000, &LB_PORTS),
            (1_000, &LB_CONNECTIONS),
            (1_000, &SCALE_SET_DISKS),
        ] {
            // Ports have a series for each protocol, connections for each of three states.
            let per_metric = nodes * 3;
            let all = per_metric * query.metrics.len();
            let in_one = if fit_together(all) { all } else { per_metric };
            for hours in [1, 6, 24, 168] {
                let grain = Grain::fitting(window(hours), in_one).unwrap();
                let bytes = written_bytes(in_one, hours * 3_600 / grain.seconds);
                assert!(bytes <= ANSWER_BYTES, "{nodes} nodes, {hours} h: {bytes}");
            }
        }
    }

    #[test]
    fn what_no_answer_holds_is_asked_in_parts() {
        assert!(fit_together(4_000));
        assert!(!fit_together(5_000));
        assert!(!fit_together(usize::MAX));
    }

    #[test]
    fn more_series_are_asked_for_than_are_expected() {
        // A thousand nodes in three states, and as many that were replaced in the window.
        assert_eq!(top(3_000), 6_000);
        assert_eq!(top(0), 1_000);
        assert_eq!(top(usize::MAX), 100_000);
    }

    #[test]
    fn one_call_asks_for_every_aggregation_once() {
        assert_eq!(aggregations(NAT_TRAFFIC.metrics), "total,average");
        assert_eq!(aggregations(LB_PORTS.metrics), "average");
    }

    #[test]
    fn grains_are_known_by_their_spelling() {
        assert_eq!(
            Grain::parse("pt1h").unwrap().duration(),
            SignedDuration::from_hours(1)
        );
        assert_eq!(Grain::parse("FULL"), None);
    }

    #[test]
    fn times_are_utc_to_the_second() {
        let time: Timestamp = "2026-01-01T01:00:00.75+01:00".parse().unwrap();
        assert_eq!(seconds(time), "2026-01-01T00:00:00Z");
    }

    fn facts(power: &str, outbound_type: &str, lb: &str) -> (Cluster, LoadBalancer) {
        let asked = egress_arm::ResourceId::parse(
            "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c",
        )
        .unwrap();
        let body = format!(
            r#"{{"properties":{{"powerState":{{"code":"{power}"}},"networkProfile":{{"outboundType":"{outbound_type}"}}}}}}"#
        );
        let cluster = convert::cluster(&asked, &serde_json::from_str(&body).unwrap());
        let lb = convert::load_balancer(&serde_json::from_str(lb).unwrap()).unwrap();
        (cluster, lb)
    }

    const STANDARD: &str = r#"{"id":"/lb","sku":{"name":"Standard"},"properties":{}}"#;
    const WITH_RULE: &str = r#"{"id":"/lb","sku":{"name":"Standard"},"properties":{"outboundRules":[{"name":"r","properties":{}}]}}"#;
    const BASIC: &str = r#"{"id":"/lb","sku":{"name":"basic"},"properties":{}}"#;

    #[test]
    fn load_balancer_metrics_are_asked_where_it_may_carry_traffic() {
        for (power, outbound_type, lb, asked) in [
            ("Running", "loadBalancer", STANDARD, true),
            ("Running", "userAssignedNATGateway", STANDARD, false),
            ("Running", "none", WITH_RULE, true),
            ("Running", "loadBalancer", BASIC, false),
            ("Stopped", "loadBalancer", WITH_RULE, false),
        ] {
            let (cluster, lb) = facts(power, outbound_type, lb);
            assert_eq!(
                no_load_balancer_metrics(&cluster, &lb).is_none(),
                asked,
                "{power} {outbound_type}"
            );
        }
    }
}
