//! Time series.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use egress_arm::model;
use egress_arm::read::List;
use egress_diagnosis::facts::{Cause, Datum, Metric, MetricAggregation, Point, Series, Window};
use jiff::Timestamp;

use crate::metrics::Grain;
use crate::outcome::malformed;

/// What was asked for.
pub(crate) struct Asked {
    /// REST names in their documented case, each with what its points hold.
    pub(crate) metrics: &'static [(&'static str, MetricAggregation)],
    pub(crate) grain: Grain,
    /// How many series Azure was allowed to answer with.
    pub(crate) top: Option<usize>,
    pub(crate) window: Window,
    pub(crate) now: Timestamp,
}

/// The metrics that were asked for, each known or failed on its own. Points after `now` or before the window are an error
/// and are left out, as are points without a value: a gap is not a zero (R6.8).
pub(crate) fn metrics(
    asked: &Asked,
    interval: Option<&str>,
    values: &List<model::MetricValue>,
) -> BTreeMap<String, Datum<Metric>> {
    let grain = interval.and_then(Grain::parse).unwrap_or(asked.grain);
    let mut read: BTreeMap<String, Datum<Metric>> = asked
        .metrics
        .iter()
        .map(|(name, _)| ((*name).to_owned(), malformed()))
        .collect();
    for value in values.iter() {
        let name = value.name.value.as_deref();
        let found = asked
            .metrics
            .iter()
            .find(|(asked, _)| name.is_some_and(|name| name.eq_ignore_ascii_case(asked)));
        if let Some(&(name, aggregation)) = found {
            read.insert(name.to_owned(), metric(asked, aggregation, grain, value));
        }
    }
    read
}

fn metric(
    asked: &Asked,
    aggregation: MetricAggregation,
    grain: Grain,
    value: &model::MetricValue,
) -> Datum<Metric> {
    if let Some(code) = value.error_code.as_deref()
        && !code.eq_ignore_ascii_case("success")
    {
        return Datum::Failed {
            cause: Cause::Unsupported,
            http_status: None,
            error_code: Some(code.to_owned()),
        };
    }
    if value.timeseries.is_damaged() {
        return malformed();
    }
    let truncated = asked.top.is_some_and(|top| value.timeseries.len() >= top);
    // Azure begins the first grain at or before the window's start.
    let first = asked
        .window
        .start
        .saturating_sub(grain.duration())
        .unwrap_or(asked.window.start);
    let series: Option<Vec<Series>> = value
        .timeseries
        .iter()
        .map(|one| series(aggregation, first..=asked.now, one))
        .collect();
    let Some(series) = series else {
        return malformed();
    };
    Datum::Known(Metric {
        // Azure's own word for a metric without one.
        unit: value
            .unit
            .clone()
            .0
            .unwrap_or_else(|| "Unspecified".to_owned()),
        aggregation,
        grain: grain.duration(),
        series: once_each(series),
        truncated,
    })
}

/// Series with the same dimension values as one that came before would count twice: the first one stands.
fn once_each(series: Vec<Series>) -> Vec<Series> {
    let mut seen = BTreeSet::new();
    series
        .into_iter()
        .filter(|one| seen.insert(one.dimensions.clone()))
        .collect()
}

fn series(
    aggregation: MetricAggregation,
    times: RangeInclusive<Timestamp>,
    answer: &model::TimeSeries,
) -> Option<Series> {
    let mut dimensions = BTreeMap::new();
    for dimension in answer.dimensions.whole()? {
        let name = dimension.name.value.as_deref()?.to_ascii_lowercase();
        dimensions.insert(name, dimension.value.clone().0?);
    }
    let mut points: Vec<Point> = answer
        .data
        .whole()?
        .iter()
        .filter_map(|point| {
            let value = match aggregation {
                MetricAggregation::Total => &point.total,
                MetricAggregation::Average => &point.average,
                MetricAggregation::Maximum => &point.maximum,
            };
            Some(Point {
                at: (*point.time_stamp)?,
                value: (**value)?,
            })
        })
        .filter(|point| times.contains(&point.at))
        .collect();
    // Azure sorts them; the sort is linear then.
    points.sort_by_key(|point| point.at);
    points.dedup_by_key(|point| point.at);
    Some(Series { dimensions, points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{FIREWALL_HEALTH, LB_CONNECTIONS, LB_PORTS, MetricQuery, NAT_TRAFFIC};

    const NOW: &str = "2026-01-01T01:00:00Z";

    const TOP: usize = 7;

    fn read(query: &MetricQuery, body: &str) -> BTreeMap<String, Datum<Metric>> {
        let now: Timestamp = NOW.parse().unwrap();
        let asked = Asked {
            metrics: query.metrics,
            grain: Grain::MINUTE,
            top: query.filter.map(|_| TOP),
            window: Window {
                start: now - jiff::SignedDuration::from_hours(1),
                end: now,
            },
            now,
        };
        let answer: model::Metrics = serde_json::from_str(body).unwrap();
        metrics(&asked, answer.interval.as_deref(), &answer.value)
    }

    fn only(query: &MetricQuery, series: &str) -> Datum<Metric> {
        let body = format!(
            r#"{{"interval":"PT5M","value":[{{"name":{{"value":"{}"}},"unit":"Count","errorCode":"Success","timeseries":{series}}}]}}"#,
            query.metrics[0].0
        );
        read(query, &body).remove(query.metrics[0].0).unwrap()
    }

    #[test]
    fn gaps_are_not_zeros_and_points_are_in_order() {
        let metric = only(
            &LB_CONNECTIONS,
            r#"[{"metadatavalues":[{"name":{"value":"ConnectionState"},"value":"Failed"}],"data":[
                {"timeStamp":"2026-01-01T00:10:00Z","total":3},
                {"timeStamp":"2026-01-01T00:05:00Z","total":"2"},
                {"timeStamp":"2026-01-01T00:15:00Z"},
                {"timeStamp":"2026-01-01T00:20:00Z","total":null,"average":9},
                {"timeStamp":"2026-01-01T00:25:00Z","total":"NaN"},
                {"timeStamp":"2026-01-01T00:10:00Z","total":3},
                {"timeStamp":"2026-01-01T02:00:00Z","total":7},
                {"timeStamp":"2025-12-31T23:40:00Z","total":7},
                {"timeStamp":"2026-01-01T00:30:00Z","total":"85%"},
                {"total":8}]}]"#,
        );
        let metric = metric.as_known().unwrap();
        let points: Vec<_> = metric.series[0]
            .points
            .iter()
            .map(|p| (p.at.to_string(), p.value))
            .collect();
        assert_eq!(
            points,
            [
                ("2026-01-01T00:05:00Z".to_owned(), 2.0),
                ("2026-01-01T00:10:00Z".to_owned(), 3.0)
            ]
        );
        assert_eq!(metric.series[0].dimensions["connectionstate"], "Failed");
        assert_eq!(metric.grain.as_secs(), 300);
        assert_eq!(metric.unit, "Count");
        assert!(!metric.truncated);
    }

    /// Each kind of point that is no figure, alone in its series.
    #[test]
    fn what_is_no_figure_is_a_gap() {
        for (what, point) in [
            ("no value", r#"{"timeStamp":"2026-01-01T00:10:00Z"}"#),
            (
                "null",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":null}"#,
            ),
            (
                "empty text",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":""}"#,
            ),
            (
                "NaN",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":"NaN"}"#,
            ),
            (
                "infinite",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":"Infinity"}"#,
            ),
            (
                "percent as text",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":"85 %"}"#,
            ),
            (
                "a list",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":[3]}"#,
            ),
            (
                "true",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","total":true}"#,
            ),
            (
                "another aggregation",
                r#"{"timeStamp":"2026-01-01T00:10:00Z","average":3}"#,
            ),
            ("no time", r#"{"total":3}"#),
            ("a time that is none", r#"{"timeStamp":"now","total":3}"#),
            (
                "the future",
                r#"{"timeStamp":"2026-01-01T01:00:01Z","total":3}"#,
            ),
            (
                "before the window",
                r#"{"timeStamp":"2025-12-31T23:00:00Z","total":3}"#,
            ),
            ("nothing", "{}"),
        ] {
            let metric = only(&LB_CONNECTIONS, &format!(r#"[{{"data":[{point}]}}]"#));
            let metric = metric.as_known().unwrap();
            assert_eq!(metric.series[0].points, [], "{what}");
        }
    }

    #[test]
    fn a_number_is_a_figure_however_it_is_written() {
        for (written, value) in [
            ("3", 3.0),
            ("3.0", 3.0),
            ("\"3\"", 3.0),
            ("3e2", 300.0),
            ("0", 0.0),
            // Whoever reads it counts it as none; it is not a gap.
            ("-1", -1.0),
        ] {
            let data = format!(
                r#"[{{"data":[{{"timeStamp":"2026-01-01T00:10:00Z","total":{written}}}]}}]"#
            );
            let metric = only(&LB_CONNECTIONS, &data);
            let point = metric.as_known().unwrap().series[0].points[0];
            assert!((point.value - value).abs() < f64::EPSILON, "{written}");
        }
    }

    #[test]
    fn r6_8_no_series_is_known_and_empty() {
        assert!(
            only(&LB_CONNECTIONS, "[]")
                .as_known()
                .unwrap()
                .series
                .is_empty()
        );
    }

    #[test]
    fn as_many_series_as_asked_may_be_too_few() {
        let series = |n: usize| {
            let each: Vec<String> = (0..n)
                .map(|n| {
                    format!(r#"{{"metadatavalues":[{{"name":{{"value":"BackendIPAddress"}},"value":"{n}"}}],"data":[]}}"#)
                })
                .collect();
            format!("[{}]", each.join(","))
        };
        let truncated = |query, n| only(query, &series(n)).as_known().unwrap().truncated;
        assert!(truncated(&LB_CONNECTIONS, TOP));
        assert!(!truncated(&LB_CONNECTIONS, TOP - 1));
        // Without a filter there is one series.
        assert!(!truncated(&FIREWALL_HEALTH, TOP));
    }

    #[test]
    fn a_series_that_comes_twice_counts_once_and_unknown_dimensions_tell_series_apart() {
        let one = |extra: &str, total: u32| {
            format!(
                r#"{{"metadatavalues":[{{"name":{{"value":"CONNECTIONSTATE"}},"value":"Failed"}}{extra}],"data":[{{"timeStamp":"2026-01-01T00:05:00Z","total":{total}}}]}}"#
            )
        };
        let new = r#",{"name":{"value":"NewDimension"},"value":"x"}"#;
        let all = [one("", 3), one("", 3), one(new, 4)].join(",");
        let metric = only(&LB_CONNECTIONS, &format!("[{all}]"));
        let totals: Vec<f64> = metric
            .as_known()
            .unwrap()
            .series
            .iter()
            .map(|s| s.points[0].value)
            .collect();
        assert_eq!(totals, [3.0, 4.0]);
    }

    #[test]
    fn each_metric_of_a_call_takes_its_own_aggregation() {
        let value = |name: &str| {
            format!(
                r#"{{"name":{{"value":"{name}"}},"timeseries":[{{"data":[{{"timeStamp":"2026-01-01T00:05:00Z","total":9,"average":3}}]}}]}}"#
            )
        };
        let values = ["PacketDropCount", "DatapathAvailability"]
            .map(value)
            .join(",");
        let read = read(&NAT_TRAFFIC, &format!(r#"{{"value":[{values}]}}"#));
        let value = |name: &str| read[name].as_known().unwrap().series[0].points[0].value;
        assert_eq!(
            (value("PacketDropCount"), value("DatapathAvailability")),
            (9.0, 3.0)
        );
        assert_eq!(read["TotalConnectionCount"], malformed());
    }

    #[test]
    fn each_metric_stands_alone() {
        let mut read = read(
            &LB_PORTS,
            r#"{"value":[{"name":{"value":"usedsnatports"},"timeseries":[{"data":[{"timeStamp":"2026-01-01T00:00:00Z","average":1}]}]}]}"#,
        );
        let used = read.remove("UsedSnatPorts").unwrap();
        let used = used.as_known().unwrap();
        assert!((used.series[0].points[0].value - 1.0).abs() < f64::EPSILON);
        assert_eq!(used.grain, Grain::MINUTE.duration());
        assert_eq!(read.remove("AllocatedSnatPorts").unwrap(), malformed());
    }

    #[test]
    fn what_cannot_be_trusted_is_not_known() {
        for series in [
            r#""x""#,
            "[null]",
            r#"[{"data":{}}]"#,
            r#"[{"data":[1]}]"#,
            r#"[{"metadatavalues":[{"value":"x"}],"data":[]}]"#,
        ] {
            assert_eq!(only(&LB_CONNECTIONS, series), malformed(), "{series}");
        }
        let failed = read(
            &NAT_TRAFFIC,
            r#"{"value":[{"name":{"value":"DatapathAvailability"},"errorCode":"InvalidSamplingType","timeseries":[]}]}"#,
        );
        assert_eq!(
            failed["DatapathAvailability"],
            Datum::Failed {
                cause: Cause::Unsupported,
                http_status: None,
                error_code: Some("InvalidSamplingType".to_owned())
            }
        );
    }
}
