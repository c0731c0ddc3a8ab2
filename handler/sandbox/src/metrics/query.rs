//! `…/providers/Microsoft.Insights/metrics` and `metricDefinitions`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, ToSpan};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    catalogue::{self, Definition},
    filter::{self, Clause},
    sample::{self, Grain},
};
use crate::expand::{Resource, Series, Shape};

const GRAINS: [(&str, i64); 8] = [
    ("PT1M", 1),
    ("PT5M", 5),
    ("PT15M", 15),
    ("PT30M", 30),
    ("PT1H", 60),
    ("PT6H", 360),
    ("PT12H", 720),
    ("P1D", 1440),
];
const AGGREGATIONS: [&str; 5] = ["average", "minimum", "maximum", "total", "count"];
/// Azure keeps 93 days.
const MAX_MINUTES: i64 = 93 * 1440;
const MAX_METRICS: usize = 20;

/// The body of a metrics query, or the message of its 400.
pub(crate) fn answer(
    resource: &Resource,
    query: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Value, String> {
    let query = Query::read(resource, query, now)?;
    let metrics: Vec<Value> = query
        .metrics
        .iter()
        .map(|definition| metric(resource, definition, &query))
        .collect();
    Ok(json!({
        "cost": query.minutes,
        "timespan": format!("{}/{}", query.start, query.end),
        "interval": query.interval_name,
        "namespace": resource.kind,
        "resourceregion": resource.body["location"],
        "value": metrics,
    }))
}

struct Query {
    start: Timestamp,
    end: Timestamp,
    /// Length of the timespan.
    minutes: i64,
    /// Length of one grain in minutes.
    interval: i64,
    interval_name: String,
    metrics: Vec<&'static Definition>,
    /// Lower-case names; empty = each metric's primary one.
    aggregations: Vec<String>,
    filter: Vec<Clause>,
    top: usize,
    /// Aggregation and whether the largest comes first.
    order: Option<(String, bool)>,
}

impl Query {
    fn read(
        resource: &Resource,
        query: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Self, String> {
        let get = |name: &str| query.get(name).map(String::as_str);
        let (start, end) = timespan(get("timespan"), now)?;
        let minutes = end.duration_since(start).as_mins();
        if !(1..=MAX_MINUTES).contains(&minutes) {
            return Err(format!(
                "The timespan {start}/{end} is not between one minute and 93 days."
            ));
        }
        let adjust =
            get("autoadjusttimegrain").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let (interval_name, interval) = interval(get("interval"), minutes, adjust)?;
        let metrics = metrics(resource, get("metricnames"))?;
        let aggregations = aggregations(get("aggregation"))?;
        let mut filter = get("$filter")
            .map(filter::parse)
            .transpose()?
            .unwrap_or_default();
        let validate =
            !get("validatedimensions").is_some_and(|value| value.eq_ignore_ascii_case("false"));
        let known = |clause: &Clause| {
            metrics.iter().all(|metric| {
                metric
                    .dimensions
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(&clause.dimension))
            })
        };
        if validate && let Some(clause) = filter.iter().find(|clause| !known(clause)) {
            return Err(format!(
                "Metric: {} does not support requested dimension combination: {}",
                metrics
                    .iter()
                    .map(|metric| metric.name)
                    .collect::<Vec<_>>()
                    .join(","),
                clause.dimension
            ));
        }
        filter.retain(known);
        let top = match get("top") {
            Some(_) if get("$filter").is_none() => {
                return Err("'top' may only be given with a filter.".into());
            }
            Some(top) => top.parse().map_err(|_| format!("Invalid top: {top}"))?,
            None => 10,
        };
        Ok(Self {
            start,
            end,
            minutes,
            interval,
            interval_name,
            metrics,
            aggregations,
            filter,
            top,
            order: get("orderby").map(order).transpose()?,
        })
    }
}

fn timespan(text: Option<&str>, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let (start, end) = match text {
        None => (now - 1.hour(), now),
        Some(text) => {
            let wrong = || format!("Invalid timespan: {text}");
            // az encodes it twice, and Azure takes that.
            let decoded = percent_decode_str(text).decode_utf8_lossy();
            let (start, end) = decoded.split_once('/').ok_or_else(wrong)?;
            (
                instant(start).ok_or_else(wrong)?,
                instant(end).ok_or_else(wrong)?,
            )
        }
    };
    // Grains begin on whole minutes.
    let floor =
        |at: Timestamp| Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at);
    Ok((floor(start), floor(end)))
}

/// A time without an offset is UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

fn interval(text: Option<&str>, minutes: i64, adjust: bool) -> Result<(String, i64), String> {
    let text = text.unwrap_or("PT1M");
    if text.eq_ignore_ascii_case("FULL") {
        return Ok(("FULL".into(), minutes));
    }
    let known = GRAINS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    let known = match known {
        Some(grain) => Some(grain),
        // Azure takes the next longer grain.
        None if adjust => {
            let asked = text.parse::<SignedDuration>().map(|it| it.as_mins()).ok();
            asked.and_then(|asked| GRAINS.iter().find(|(_, length)| *length >= asked))
        }
        None => None,
    };
    known
        .map(|(name, length)| ((*name).to_owned(), *length))
        .ok_or_else(|| {
            let names = GRAINS.map(|(name, _)| name).join(",");
            format!("Detected invalid time grain input: {text}, supported ones: {names}")
        })
}

fn metrics(resource: &Resource, names: Option<&str>) -> Result<Vec<&'static Definition>, String> {
    let lacks = |definition: &Definition| {
        resource.series.iter().any(|series| {
            series.metric == definition.name && matches!(series.shape, Shape::Unsupported)
        })
    };
    let known: Vec<&'static Definition> = catalogue::definitions(&resource.kind)
        .iter()
        .filter(|definition| !lacks(definition))
        .collect();
    let Some(names) = names else {
        return Ok(known.into_iter().take(1).collect());
    };
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    if names.len() > MAX_METRICS {
        return Err(format!(
            "Requested {} metrics; at most {MAX_METRICS} are allowed.",
            names.len()
        ));
    }
    let (provider, kind) = resource
        .kind
        .split_once('/')
        .unwrap_or((&resource.kind, ""));
    names
        .into_iter()
        .map(|name| {
            known.iter().copied().find(|definition| definition.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
                let valid = known.iter().map(|definition| definition.name).collect::<Vec<_>>().join(",");
                format!(
                    "Failed to find metric configuration for provider: {provider}, resource Type: {kind}, metric: {name}, Valid metrics: {valid}"
                )
            })
        })
        .collect()
}

fn aggregations(text: Option<&str>) -> Result<Vec<String>, String> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    text.split(',')
        .map(|name| {
            let name = name.trim().to_ascii_lowercase();
            AGGREGATIONS
                .contains(&name.as_str())
                .then_some(name)
                .ok_or_else(|| format!("Invalid aggregation: {text}"))
        })
        .collect()
}

fn order(text: &str) -> Result<(String, bool), String> {
    let (name, direction) = text.trim().split_once(' ').unwrap_or((text.trim(), "asc"));
    let name = name.to_ascii_lowercase();
    if AGGREGATIONS.contains(&name.as_str()) {
        Ok((name, direction.trim().eq_ignore_ascii_case("desc")))
    } else {
        Err(format!("Invalid orderby: {text}"))
    }
}

fn metric(resource: &Resource, definition: &Definition, query: &Query) -> Value {
    let dimension = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase();
        json!({ "name": { "value": name, "localizedValue": name }, "value": value })
    };
    let unit = resource
        .series
        .iter()
        .filter(|series| series.metric == definition.name)
        .find_map(|series| series.unit.as_deref());
    let timeseries: Vec<Value> = split(resource, definition, query)
        .into_iter()
        .map(|(values, series)| {
            let asked = query.filter.iter().zip(&values);
            let asked = asked.map(|(clause, value)| dimension(&clause.dimension, value));
            let unasked = series.iter().flat_map(|one| &one.unasked);
            let unasked = unasked.map(|(name, value)| dimension(name, value));
            let metadata: Vec<Value> = asked.chain(unasked).collect();
            json!({ "metadatavalues": metadata, "data": points(&series, definition, query) })
        })
        .collect();
    json!({
        "id": format!("{}/providers/Microsoft.Insights/metrics/{}", resource.id, definition.name),
        "type": "Microsoft.Insights/metrics",
        "name": { "value": definition.name, "localizedValue": definition.name },
        "displayDescription": definition.name,
        "unit": unit.unwrap_or(definition.unit),
        "timeseries": timeseries,
        "errorCode": "Success",
    })
}

/// The series that pass the filter, grouped by the values of the filter's dimensions; other dimensions are merged.
fn split<'a>(
    resource: &'a Resource,
    definition: &Definition,
    query: &Query,
) -> Vec<(Vec<String>, Vec<&'a Series>)> {
    let mut groups: BTreeMap<Vec<String>, Vec<&Series>> = BTreeMap::new();
    for series in resource
        .series
        .iter()
        .filter(|series| series.metric == definition.name)
    {
        let values: Option<Vec<String>> = query
            .filter
            .iter()
            .map(|clause| {
                let found = series
                    .dimensions
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&clause.dimension));
                found
                    .map(|(_, value)| value.clone())
                    .filter(|value| clause.passes(value))
            })
            .collect();
        if let Some(values) = values {
            groups.entry(values).or_default().push(series);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    if let Some((aggregation, descending)) = &query.order {
        groups.sort_by(|(_, left), (_, right)| {
            let [left, right] =
                [left, right].map(|series| whole(series, query).aggregate(aggregation));
            let ordering = left
                .partial_cmp(&right)
                .unwrap_or(std::cmp::Ordering::Equal);
            if *descending {
                ordering.reverse()
            } else {
                ordering
            }
        });
    }
    if !query.filter.is_empty() {
        groups.truncate(query.top);
    }
    groups
}

/// Everything a group of series holds in the timespan.
fn whole(series: &[&Series], query: &Query) -> Grain {
    grain(series, query, 0, query.minutes)
}

/// The samples of the minutes `from..to`, counted from the start.
fn grain(series: &[&Series], query: &Query, from: i64, to: i64) -> Grain {
    let mut grain = Grain::default();
    for minute in from..to.min(query.minutes) {
        for one in series {
            if let Some(value) = sample::value(one, query.minutes - minute, query.minutes) {
                grain.add(value);
            }
        }
    }
    grain
}

fn points(series: &[&Series], definition: &Definition, query: &Query) -> Vec<Value> {
    let asked: BTreeSet<String> = if query.aggregations.is_empty() {
        BTreeSet::from([definition.primary.to_ascii_lowercase()])
    } else {
        query.aggregations.iter().cloned().collect()
    };
    let mut points = Vec::new();
    let mut minute = 0;
    while minute < query.minutes {
        let grain = grain(series, query, minute, minute + query.interval);
        let at = query.start + SignedDuration::from_mins(minute);
        let mut point = json!({ "timeStamp": at.to_string() });
        for aggregation in &asked {
            if let Some(value) = grain.aggregate(aggregation) {
                point[aggregation] = json!(value);
            }
        }
        points.push(point);
        minute += query.interval;
    }
    let strange = series.iter().flat_map(|one| &one.strange);
    points.extend(strange.map(|strange| {
        let at = query.end - SignedDuration::from_mins(strange.ago);
        let mut point = json!({ "timeStamp": at.to_string() });
        for aggregation in &asked {
            point[aggregation] = json!(strange.value);
        }
        point
    }));
    points
}

/// The body of `metricDefinitions`.
pub(crate) fn definitions(resource: &Resource) -> Value {
    let grains: Vec<Value> = GRAINS
        .iter()
        .map(|(name, _)| json!({ "timeGrain": name, "retention": "P93D" }))
        .collect();
    let value: Vec<Value> = catalogue::definitions(&resource.kind)
        .iter()
        .map(|definition| {
            let dimensions: Vec<Value> = definition
                .dimensions
                .iter()
                .map(|name| json!({ "value": name, "localizedValue": name }))
                .collect();
            json!({
                "id": format!("{}/providers/microsoft.insights/metricdefinitions/{}", resource.id, definition.name),
                "resourceId": resource.id,
                "namespace": resource.kind,
                "name": { "value": definition.name, "localizedValue": definition.name },
                "displayDescription": definition.name,
                "isDimensionRequired": false,
                "unit": definition.unit,
                "primaryAggregationType": definition.primary,
                "supportedAggregationTypes": ["None", "Average", "Minimum", "Maximum", "Total", "Count"],
                "metricAvailabilities": grains,
                "dimensions": dimensions,
            })
        })
        .collect();
    json!({ "value": value })
}
