//! Which metrics are asked of which device, and how finely.

use std::collections::BTreeMap;

use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    Cluster, Datum, Id, LoadBalancer, Metric, MetricAggregation, OutboundType, PowerState,
    ResourceMetrics, Window,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::convert;
use crate::reader::Reader;

/// Metrics of one device that are asked for in one call.
#[derive(Debug)]
pub(crate) struct MetricQuery {
    /// REST names in their documented case.
    pub(crate) names: &'static [&'static str],
    /// What each point holds.
    pub(crate) aggregation: MetricAggregation,
    /// Splits by dimension; none gives one series.
    pub(crate) filter: Option<&'static str>,
}

impl MetricQuery {
    /// How many series Azure may answer with; only valid together with a filter.
    pub(crate) fn top(&self) -> Option<usize> {
        self.filter.map(|_| TOP)
    }
}

/// A thousand nodes, the most a cluster's load balancer has behind it, in three connection states.
const TOP: usize = 3000;

/// R6.1: SNAT connections per node and state.
pub(crate) static LB_CONNECTIONS: MetricQuery = MetricQuery {
    names: &["SnatConnectionCount"],
    aggregation: MetricAggregation::Total,
    filter: Some("BackendIPAddress eq '*' and ConnectionState eq '*'"),
};

/// R6.2, R6.3: ports per node, frontend and protocol.
pub(crate) static LB_PORTS: MetricQuery = MetricQuery {
    names: &["UsedSnatPorts", "AllocatedSnatPorts"],
    aggregation: MetricAggregation::Average,
    filter: Some("BackendIPAddress eq '*' and FrontendIPAddress eq '*' and ProtocolType eq '*'"),
};

/// R6.20: SNAT connections per state.
pub(crate) static NAT_CONNECTIONS: MetricQuery = MetricQuery {
    names: &["SNATConnectionCount"],
    aggregation: MetricAggregation::Total,
    filter: Some("ConnectionState eq '*'"),
};

/// R6.20: drops and active connections.
pub(crate) static NAT_TRAFFIC: MetricQuery = MetricQuery {
    names: &["PacketDropCount", "TotalConnectionCount"],
    aggregation: MetricAggregation::Total,
    filter: None,
};

/// R6.20: health. On its own: it is in preview, and one unknown name fails a whole call.
pub(crate) static NAT_DATAPATH: MetricQuery = MetricQuery {
    names: &["DatapathAvailability"],
    aggregation: MetricAggregation::Average,
    filter: None,
};

/// R2.40: answered health probes per backend and frontend.
pub(crate) static LB_HEALTH: MetricQuery = MetricQuery {
    names: &["DipAvailability"],
    aggregation: MetricAggregation::Average,
    filter: Some("BackendIPAddress eq '*' and FrontendIPAddress eq '*'"),
};

/// R5.33: SNAT ports in use.
pub(crate) static FIREWALL_PORTS: MetricQuery = MetricQuery {
    names: &["SNATPortUtilization"],
    aggregation: MetricAggregation::Average,
    filter: None,
};

/// A grain that Azure Monitor offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grain {
    text: &'static str,
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

    /// The finest grain that keeps a series within 360 points (six hours by the minute) and the whole answer, with this
    /// many series, within 200,000: an answer of a thousand nodes by the minute would be too large to be read.
    pub(crate) fn fitting(window: Window, series: usize) -> Self {
        let points = (200_000 / series.max(1)).clamp(24, 360);
        let points = i64::try_from(points).unwrap_or(360);
        let seconds = window.end.duration_since(window.start).as_secs();
        Self::ALL
            .into_iter()
            .find(|grain| seconds <= points.saturating_mul(grain.seconds))
            .unwrap_or(Self::new("P1D", 86_400))
    }
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
    let metrics = match no_load_balancer_metrics(cluster, lb) {
        Some(why) => not_asked(&queries, why),
        None => ask(reader, &lb.id, &queries, port_series(lb)).await,
    };
    ResourceMetrics::from([(lb.id.clone(), metrics)])
}

/// The metrics of the NAT gateways.
pub(crate) async fn nat_gateway_metrics(
    reader: Reader<'_>,
    cluster: &Cluster,
    nat_gateways: impl IntoIterator<Item = &Id>,
) -> ResourceMetrics {
    let queries = [&NAT_CONNECTIONS, &NAT_TRAFFIC, &NAT_DATAPATH];
    let each = nat_gateways.into_iter().map(|id| async move {
        let metrics = if is_stopped(cluster) {
            not_asked(&queries, STOPPED)
        } else {
            ask(reader, id, &queries, 3).await
        };
        (id.clone(), metrics)
    });
    join_all(each).await.into_iter().collect()
}

/// The health of what is behind an internal load balancer.
pub(crate) async fn probe_health(reader: Reader<'_>, balancer: &LoadBalancer) -> ResourceMetrics {
    let members = balancer.backend_pools.iter().map(|pool| pool.members);
    let series = members.sum::<usize>() * balancer.frontends.len();
    let metrics = ask(reader, &balancer.id, &[&LB_HEALTH], series).await;
    ResourceMetrics::from([(balancer.id.clone(), metrics)])
}

/// The metrics of Azure Firewalls.
pub(crate) async fn firewall_metrics(
    reader: Reader<'_>,
    firewalls: impl IntoIterator<Item = &Id>,
) -> ResourceMetrics {
    let each = firewalls
        .into_iter()
        .map(|id| async move { (id.clone(), ask(reader, id, &[&FIREWALL_PORTS], 1).await) });
    join_all(each).await.into_iter().collect()
}

const STOPPED: &str = "the cluster is stopped";

fn is_stopped(cluster: &Cluster) -> bool {
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

/// How many series the port metrics will have: nodes × outbound frontends × protocols.
fn port_series(lb: &LoadBalancer) -> usize {
    let nodes = lb.backend_pools.iter().map(|pool| pool.members).max();
    let frontends: usize = lb
        .outbound_rules
        .iter()
        .map(|rule| rule.frontends.len())
        .sum();
    nodes
        .unwrap_or(0)
        .saturating_mul(frontends)
        .saturating_mul(2)
}

fn not_asked(
    queries: &[&'static MetricQuery],
    why: &'static str,
) -> BTreeMap<String, Datum<Metric>> {
    queries
        .iter()
        .flat_map(|query| query.names)
        .map(|&name| (name.to_owned(), Datum::not_asked(why)))
        .collect()
}

async fn ask(
    reader: Reader<'_>,
    id: &Id,
    queries: &[&'static MetricQuery],
    series: usize,
) -> BTreeMap<String, Datum<Metric>> {
    let each = queries.iter().map(|query| one(reader, id, query, series));
    join_all(each).await.into_iter().flatten().collect()
}

async fn one(
    reader: Reader<'_>,
    id: &Id,
    query: &'static MetricQuery,
    series: usize,
) -> BTreeMap<String, Datum<Metric>> {
    let window = reader.window();
    let grain = Grain::fitting(window, series);
    let timespan = format!("{}/{}", seconds(window.start), seconds(window.end));
    let names = query.names.join(",");
    let top = query.top().map(|top| top.to_string());
    let mut parameters = vec![
        ("timespan", timespan.as_str()),
        ("interval", grain.text),
        ("metricnames", names.as_str()),
        (
            "aggregation",
            match query.aggregation {
                MetricAggregation::Total => "total",
                MetricAggregation::Average => "average",
                MetricAggregation::Maximum => "maximum",
            },
        ),
    ];
    if let (Some(filter), Some(top)) = (query.filter, top.as_deref()) {
        parameters.extend([("$filter", filter), ("top", top)]);
    }
    match reader
        .get::<model::Metrics>(&operations::METRICS_GET, id, &parameters)
        .await
    {
        Datum::Known(answer) => convert::metrics(query, grain, reader.asked_at(), &answer),
        other => query
            .names
            .iter()
            .map(|&name| (name.to_owned(), crate::outcome::unknown(&other)))
            .collect(),
    }
}

/// RFC 3339 in UTC to the second.
fn seconds(time: Timestamp) -> String {
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
                Grain::fitting(window(hours), 1).text,
                grain,
                "{hours} hours"
            );
        }
    }

    #[test]
    fn many_series_are_asked_more_coarsely() {
        // 500 series at 360 points are 180,000; 2,000 series leave 100 points each.
        assert_eq!(Grain::fitting(window(6), 500).text, "PT1M");
        assert_eq!(Grain::fitting(window(6), 2_000).text, "PT5M");
        // Never fewer than 24 points.
        assert_eq!(Grain::fitting(window(6), usize::MAX).text, "PT15M");
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
