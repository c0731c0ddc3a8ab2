//! Time series.

use std::collections::BTreeMap;

use egress_arm::model;
use egress_diagnosis::facts::{Cause, Datum, Metric, MetricAggregation, Point, Series};
use jiff::Timestamp;

use crate::metrics::{Grain, MetricQuery};
use crate::outcome::malformed;

/// The metrics that `query` asked for, each known or failed on its own. Points after `now` are a clock's error and are
/// left out, as are points without a value: a gap is not a zero (R6.8).
pub(crate) fn metrics(
    query: &MetricQuery,
    asked: Grain,
    now: Timestamp,
    answer: &model::Metrics,
) -> BTreeMap<String, Datum<Metric>> {
    let grain = answer
        .interval
        .as_deref()
        .and_then(Grain::parse)
        .unwrap_or(asked);
    let mut read: BTreeMap<String, Datum<Metric>> = query
        .names
        .iter()
        .map(|&name| (name.to_owned(), malformed()))
        .collect();
    for value in answer.value.iter() {
        let name = value.name.value.as_deref();
        let asked_name = query
            .names
            .iter()
            .find(|asked| name.is_some_and(|name| name.eq_ignore_ascii_case(asked)));
        if let Some(&asked_name) = asked_name {
            read.insert(asked_name.to_owned(), metric(query, grain, now, value));
        }
    }
    read
}

fn metric(
    query: &MetricQuery,
    grain: Grain,
    now: Timestamp,
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
    let truncated = query.top().is_some_and(|top| value.timeseries.len() >= top);
    let series: Option<Vec<Series>> = value
        .timeseries
        .iter()
        .map(|one| series(query.aggregation, now, one))
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
        aggregation: query.aggregation,
        grain: grain.duration(),
        series,
        truncated,
    })
}

fn series(
    aggregation: MetricAggregation,
    now: Timestamp,
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
        .filter(|point| point.at <= now)
        .collect();
    // Azure sorts them; the sort is linear then.
    points.sort_by_key(|point| point.at);
    points.dedup_by_key(|point| point.at);
    Some(Series { dimensions, points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{LB_CONNECTIONS, LB_PORTS, NAT_DATAPATH};

    const NOW: &str = "2026-01-01T01:00:00Z";

    fn read(query: &MetricQuery, body: &str) -> BTreeMap<String, Datum<Metric>> {
        metrics(
            query,
            Grain::MINUTE,
            NOW.parse().unwrap(),
            &serde_json::from_str(body).unwrap(),
        )
    }

    fn only(query: &MetricQuery, series: &str) -> Datum<Metric> {
        let body = format!(
            r#"{{"interval":"PT5M","value":[{{"name":{{"value":"{}"}},"unit":"Count","errorCode":"Success","timeseries":{series}}}]}}"#,
            query.names[0]
        );
        read(query, &body).remove(query.names[0]).unwrap()
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
        let series = |n: usize| format!("[{}]", vec![r#"{"data":[]}"#; n].join(","));
        let top = LB_CONNECTIONS.top().unwrap();
        assert!(
            only(&LB_CONNECTIONS, &series(top))
                .as_known()
                .unwrap()
                .truncated
        );
        assert!(
            !only(&LB_CONNECTIONS, &series(top - 1))
                .as_known()
                .unwrap()
                .truncated
        );
        // Without a filter there is one series.
        assert!(
            !only(&NAT_DATAPATH, &series(1))
                .as_known()
                .unwrap()
                .truncated
        );
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
            &NAT_DATAPATH,
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
