//! Reading figures out of Azure Monitor series: what a figure may be, and how gaps, units and grains count.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::facts::{Datum, Facts, Id, Metric, Missing, Series};

/// Azure's own alert window for SNAT and firewall metrics (R6.4, R5.33), in seconds.
pub(crate) const WINDOW_SECONDS: i64 = 300;

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

/// The metric of a resource in this unit, with at least one data point; else why not. `Unspecified` is Azure's word for
/// an answer without a unit.
pub(crate) fn metric<'f>(
    facts: &'f Facts,
    resource: &Id,
    name: &str,
    unit: &str,
) -> Reading<&'f Metric> {
    let what = || format!("metric {name} of {}", resource.name());
    let read = match facts.metrics.get(resource).and_then(|m| m.get(name)) {
        Some(datum) => datum.known(what),
        None => Err(Missing {
            what: what(),
            how: Datum::not_asked("not part of the plan"),
        }),
    };
    match read {
        Err(missing) => Reading::Missing(missing),
        Ok(metric) if metric.series.iter().all(|s| s.points.is_empty()) => Reading::NoData,
        Ok(metric) if !is_unit(&metric.unit, unit) => {
            Reading::Unclear(format!("{name} came in {}, not in {unit}", metric.unit))
        }
        Ok(metric) => Reading::Known(metric),
    }
}

fn is_unit(given: &str, expected: &str) -> bool {
    given.eq_ignore_ascii_case(expected) || given.eq_ignore_ascii_case("unspecified")
}

pub(crate) fn dimension<'s>(series: &'s Series, name: &str) -> Option<&'s str> {
    series.dimensions.get(name).map(String::as_str)
}

/// Sum over all series per grain.
pub(crate) fn sums<'s>(series: impl IntoIterator<Item = &'s Series>) -> BTreeMap<Timestamp, f64> {
    let mut sums = BTreeMap::new();
    for point in series.into_iter().flat_map(|s| &s.points) {
        *sums.entry(point.at).or_default() += point.value;
    }
    sums
}

/// Averages over 5-minute windows, or over single grains where those are longer, by the window's start.
pub(crate) fn window_averages(
    points: &BTreeMap<Timestamp, f64>,
    grain: SignedDuration,
) -> BTreeMap<Timestamp, f64> {
    let seconds = window_seconds(grain);
    let mut windows: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (at, value) in points {
        let window = windows
            .entry(at.as_second().div_euclid(seconds))
            .or_default();
        window.0 += value;
        window.1 += 1.0;
    }
    windows
        .into_iter()
        .filter_map(|(index, (sum, count))| {
            let start = Timestamp::from_second(index.saturating_mul(seconds)).ok()?;
            Some((start, sum / count))
        })
        .collect()
}

/// Length of the windows that points of this grain can tell apart: 5 minutes, or the grain.
pub(crate) fn window_seconds(grain: SignedDuration) -> i64 {
    grain.as_secs().max(WINDOW_SECONDS)
}

/// Minutes of a grain, at least one.
#[expect(
    clippy::cast_precision_loss,
    reason = "the longest grain is a day: 1,440 minutes"
)]
pub(crate) fn minutes(grain: SignedDuration) -> f64 {
    grain.as_mins().clamp(1, 1_440) as f64
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

pub(crate) fn narrow(value: f64) -> u32 {
    u32::try_from(whole(value)).unwrap_or(u32::MAX)
}
