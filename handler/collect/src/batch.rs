//! The same metrics of several scale sets, in as few calls as their answers allow.

use std::collections::BTreeMap;
use std::time::Duration;

use egress_arm::model;
use egress_diagnosis::facts::{Cause, Cluster, Datum, Id, Metric, ResourceMetrics};
use futures::future::join_all;

use crate::convert;
use crate::metrics::{
    Grain, MetricQuery, TOO_MANY, aggregations, ask, fit_together, names, seconds, top,
};
use crate::outcome::unknown;
use crate::reader::{Reader, keyed};

/// Resources that the metrics data plane answers for at once.
const MOST_RESOURCES: usize = 50;

/// Only resources of one type are answered for at once.
const SCALE_SETS: &str = "Microsoft.Compute/virtualMachineScaleSets";

/// A resource, and how many series each of its metrics is expected to have.
pub(crate) type Expected<'a> = (&'a Id, usize);

/// Metrics of one resource.
type Of = BTreeMap<String, Datum<Metric>>;

/// Asks the metrics data plane for all of these scale sets at once; for a single one, or where there is no data plane to
/// ask, Resource Manager for each. They are of the cluster's region and subscription, as AKS makes them.
pub(crate) async fn ask_scale_sets(
    reader: Reader<'_>,
    cluster: &Cluster,
    query: &'static MetricQuery,
    resources: &[Expected<'_>],
) -> ResourceMetrics {
    let region = region(cluster).filter(|region| reader.has_metrics_batch(region));
    let Some(region) = region.as_deref() else {
        return singly(reader, query, resources).await;
    };
    let each = parts(query, resources).into_iter().map(|part| async move {
        if part.len() < 2 {
            singly(reader, query, part).await
        } else {
            together(reader, cluster, region, query, part).await
        }
    });
    keyed(join_all(each).await.into_iter().flatten())
}

/// The cluster's region as hosts and filters spell it: `East US 2` is `eastus2`.
pub(crate) fn region(cluster: &Cluster) -> Option<String> {
    let region = cluster.location.as_deref()?.split_whitespace();
    let region = region.collect::<String>().to_ascii_lowercase();
    let plain = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then_some(region)
}

/// Divides so that each part's answer keeps enough points per series.
fn parts<'r, 'a>(query: &MetricQuery, resources: &'r [Expected<'a>]) -> Vec<&'r [Expected<'a>]> {
    let mut parts = Vec::new();
    let mut rest = resources;
    while !rest.is_empty() {
        let mut series: usize = 0;
        let fitting = rest
            .iter()
            .take(MOST_RESOURCES)
            .take_while(|(_, expected)| {
                series = series.saturating_add(expected.saturating_mul(query.metrics.len()));
                fit_together(series)
            });
        let (part, others) = rest.split_at(fitting.count().max(1));
        parts.push(part);
        rest = others;
    }
    parts
}

async fn singly(
    reader: Reader<'_>,
    query: &'static MetricQuery,
    resources: &[Expected<'_>],
) -> ResourceMetrics {
    let each = resources.iter().map(|&(id, series)| async move {
        let metrics = ask(reader, id, &[(query, series)]).await;
        (id.clone(), metrics)
    });
    keyed(join_all(each).await)
}

/// One call for all of them. What it does not answer is asked of Resource Manager, which names what is missing: the right
/// to read metrics of one resource, a metric that one does not have.
async fn together(
    reader: Reader<'_>,
    cluster: &Cluster,
    region: &str,
    query: &'static MetricQuery,
    resources: &[Expected<'_>],
) -> ResourceMetrics {
    let mut read = match batch(reader, cluster, region, query, resources).await {
        Datum::Known(read) => read,
        unanswered if !asks_each(&unanswered, reader.time_left()) => {
            let of_each = |&(id, _): &Expected<'_>| {
                let metrics = query.names();
                let metrics = metrics.map(|name| (name.to_owned(), unknown(&unanswered)));
                (id.clone(), keyed(metrics))
            };
            keyed(resources.iter().map(of_each))
        }
        _ => ResourceMetrics::new(),
    };
    let others: Vec<Expected<'_>> = resources
        .iter()
        .filter(|(id, _)| !read.contains_key(id))
        .copied()
        .collect();
    read.extend(singly(reader.next_wave(), query, &others).await);
    read
}

/// Time that Resource Manager usually has enough of for the metrics of one resource.
const TIME_FOR_EACH: Duration = Duration::from_secs(15);

/// Whether each resource is asked for where the call for all gave nothing. Not where Azure has too many calls already, and
/// not without time for the answers: then the first failure is the one to tell of.
fn asks_each<T>(unanswered: &Datum<T>, left: Duration) -> bool {
    match unanswered {
        Datum::Failed {
            cause: Cause::Throttled,
            ..
        } => false,
        _ => left >= TIME_FOR_EACH,
    }
}

/// What the data plane says of each resource that it says anything usable of.
async fn batch(
    reader: Reader<'_>,
    cluster: &Cluster,
    region: &str,
    query: &'static MetricQuery,
    resources: &[Expected<'_>],
) -> Datum<ResourceMetrics> {
    let window = reader.window();
    let all = resources.iter().map(|(_, expected)| *expected);
    let series = all.clone().fold(0, usize::saturating_add);
    let Some(grain) = Grain::fitting(window, series.saturating_mul(query.metrics.len())) else {
        return Datum::not_asked(TOO_MANY);
    };
    // Counts for each resource. Only valid together with a filter.
    let top = query.filter.map(|_| top(all.max().unwrap_or(0)));
    let top_text = top.map(|top| top.to_string());
    let (start, end) = (seconds(window.start), seconds(window.end));
    let names = names(query.metrics);
    let aggregations = aggregations(query.metrics);
    let ids: Vec<&Id> = resources.iter().map(|(id, _)| *id).collect();
    let mut parameters = vec![
        ("metricnamespace", SCALE_SETS),
        ("metricnames", names.as_str()),
        ("starttime", start.as_str()),
        ("endtime", end.as_str()),
        ("interval", grain.text),
        ("aggregation", aggregations.as_str()),
    ];
    if let (Some(filter), Some(top)) = (query.filter, top_text.as_deref()) {
        parameters.extend([("filter", filter), ("top", top)]);
    }
    let subscription = Id::new(format!("/subscriptions/{}", cluster.subscription_id));
    let answer = reader
        .metrics_batch(region, &subscription, &parameters, &ids)
        .await;
    let asked = convert::Asked {
        metrics: query.metrics,
        grain,
        top,
        window,
        now: reader.asked_at(),
    };
    answer.map(|answer| of_each(&asked, &answer, &ids))
}

/// Each resource's metrics, by the id that was asked for. One of which nothing can be read is left out.
fn of_each(asked: &convert::Asked, answer: &model::MetricsBatch, ids: &[&Id]) -> ResourceMetrics {
    let mut read = ResourceMetrics::new();
    for of_one in answer.values.iter() {
        let named = of_one.resource_id.as_deref().map(Id::new);
        let id = ids.iter().find(|id| named.as_ref() == Some(id));
        let Some(id) = id.filter(|_| !of_one.value.is_damaged()) else {
            continue;
        };
        let metrics: Of = convert::metrics(asked, of_one.interval.as_deref(), &of_one.value);
        if metrics.values().any(|metric| metric.as_known().is_some()) {
            read.entry((*id).clone()).or_insert(metrics);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{MACHINE_DISKS, SCALE_SET_DISKS};
    use egress_diagnosis::facts::Window;
    use jiff::Timestamp;

    fn lengths(series: &[usize]) -> Vec<usize> {
        let id = Id::new("/x");
        let resources: Vec<Expected<'_>> = series.iter().map(|series| (&id, *series)).collect();
        let parts = parts(&SCALE_SET_DISKS, &resources);
        parts.iter().map(|part| part.len()).collect()
    }

    #[test]
    fn a_call_asks_for_fifty_at_most() {
        assert_eq!(lengths(&[3; 50]), [50]);
        assert_eq!(lengths(&[3; 101]), [50, 50, 1]);
        assert!(lengths(&[]).is_empty());
    }

    #[test]
    fn each_is_asked_where_there_is_time_for_the_answers() {
        let failed = |cause| -> Datum<()> {
            Datum::Failed {
                cause,
                http_status: None,
                error_code: None,
            }
        };
        let less = TIME_FOR_EACH.mul_f64(0.9);
        for cause in [Cause::TimedOut, Cause::Unreachable, Cause::Malformed] {
            assert!(asks_each(&failed(cause), TIME_FOR_EACH), "{cause:?}");
            assert!(!asks_each(&failed(cause), less), "{cause:?}");
        }
        let throttled = failed(Cause::Throttled);
        assert!(!asks_each(&throttled, TIME_FOR_EACH * 100));
    }

    #[test]
    fn a_calls_answer_stays_small_enough_to_show_something() {
        // Seven metrics of a hundred instances: six sets keep two dozen points each.
        assert_eq!(lengths(&[100; 10]), [6, 4]);
        // One that is too large for itself is not divided here.
        assert_eq!(lengths(&[1_000, 3, usize::MAX, 3]), [1, 1, 1, 1]);
        assert_eq!(lengths(&[600, 3, 3]), [3]);
    }

    fn read(body: &str) -> ResourceMetrics {
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
        let asked = convert::Asked {
            metrics: &MACHINE_DISKS.metrics[..1],
            grain: Grain::MINUTE,
            top: None,
            window: Window {
                start: now - jiff::SignedDuration::from_hours(1),
                end: now,
            },
            now,
        };
        let answer: model::MetricsBatch = serde_json::from_str(body).unwrap();
        of_each(&asked, &answer, &[&Id::new("/a/B"), &Id::new("/a/c")])
    }

    fn values(metric: &str) -> String {
        format!(
            r#"[{{"name":{{"value":"{metric}"}},"timeseries":[{{"data":[{{"timeStamp":"2026-01-01T00:30:00Z","average":7}}]}}]}}]"#
        )
    }

    #[test]
    fn one_error_in_an_answer_touches_only_its_resource() {
        let name = MACHINE_DISKS.metrics[0].0;
        let good = values(name);
        for bad in [
            r#"{"resourceid":"/a/c","value":"x"}"#.to_owned(),
            r#"{"resourceid":"/a/c"}"#.to_owned(),
            r#"{"resourceid":"/a/c","value":[null]}"#.to_owned(),
            r#"{"error":{"code":"AuthorizationFailed"}}"#.to_owned(),
            "null".to_owned(),
            format!(r#"{{"value":{good}}}"#),
            format!(
                r#"{{"resourceid":"/a/c","value":[{{"name":{{"value":"{name}"}},"errorCode":"InternalError","timeseries":[]}}]}}"#
            ),
        ] {
            let read = read(&format!(
                r#"{{"values":[{bad},{{"resourceid":"/A/b","value":{good}}}]}}"#
            ));
            assert_eq!(read.len(), 1, "{bad}");
            let metric = read[&Id::new("/a/b")][name].as_known().unwrap();
            assert_eq!(metric.series[0].points.len(), 1);
        }
    }

    #[test]
    fn what_was_not_asked_for_is_not_read() {
        let good = values(MACHINE_DISKS.metrics[0].0);
        let other = format!(r#"{{"values":[{{"resourceid":"/else","value":{good}}}]}}"#);
        assert!(read(&other).is_empty());
        assert!(read(r#"{"values":null}"#).is_empty());
        assert!(read("{}").is_empty());
    }
}
