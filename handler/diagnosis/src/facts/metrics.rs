//! Azure Monitor metrics as read for one window (`Microsoft.Insights`).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Datum, Id};

/// A half-open time window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant after.
    pub end: Timestamp,
}

/// Metrics by resource, then by REST metric name in its documented case.
pub type ResourceMetrics = BTreeMap<Id, BTreeMap<String, Datum<Metric>>>;

/// How the points of a series were aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricAggregation {
    /// Sum over the grain.
    Total,
    /// Mean over the grain.
    Average,
    /// Largest over the grain.
    Maximum,
}

/// One metric of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Unit as Azure spells it, e.g. `Count`, `Percent`.
    pub unit: String,
    /// Which aggregation the points carry.
    pub aggregation: MetricAggregation,
    /// The grain that Azure answered with.
    pub grain: SignedDuration,
    /// One series per combination of dimension values; empty = no data points (not zero, R6.8).
    pub series: Vec<Series>,
    /// Whether Azure may have left series out (as many series as `top` allowed).
    pub truncated: bool,
}

/// One time series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Dimension name in lower case → value as it came.
    pub dimensions: BTreeMap<String, String>,
    /// Points with a value, in time order; gaps are left out, they are not zeros.
    pub points: Vec<Point>,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Start of the grain.
    pub at: Timestamp,
    /// The value; always finite.
    pub value: f64,
}
