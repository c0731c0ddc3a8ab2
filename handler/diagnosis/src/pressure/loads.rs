//! One percentage or count per node, in 5-minute averages.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::facts::{Datum, Id, Metric, Missing, Series};
use crate::order::Order as _;
use crate::snat::metric::{Reading, WINDOW_SECONDS, dimension, window_averages, window_seconds};

/// One node's values of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeLoad {
    /// The node's name in Kubernetes.
    pub(crate) node: String,
    /// Its agent pool, where Azure says.
    pub(crate) pool: Option<String>,
    /// The resource that the metric is of.
    pub(crate) resource: Id,
    /// Averages over 5 minutes, or over the grain where that is longer, by their start (R7.2).
    pub(crate) windows: BTreeMap<Timestamp, f64>,
    /// As Azure gave it; of several series the highest.
    pub(crate) points: BTreeMap<Timestamp, f64>,
}

impl NodeLoad {
    /// The highest window, the first one of several.
    pub(crate) fn highest(&self) -> Option<(Timestamp, f64)> {
        let highest = self.windows.iter().rev().max_by(|a, b| a.1.total_cmp(b.1));
        highest.map(|(at, value)| (*at, *value))
    }

    /// The highest value; below everything without one.
    pub(crate) fn peak(&self) -> f64 {
        self.highest().map_or(f64::NEG_INFINITY, |(_, value)| value)
    }

    /// Windows for which this is true.
    pub(crate) fn windows_with(&self, is: impl Fn(f64) -> bool) -> Vec<Timestamp> {
        let with = self.windows.iter().filter(|(_, value)| is(**value));
        with.map(|(at, _)| *at).collect()
    }
}

/// A metric of all nodes, hottest first, and what was not to be had.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Loads {
    /// Nodes with at least one value.
    pub(crate) nodes: Vec<NodeLoad>,
    /// Length of the windows in minutes.
    pub(crate) window_minutes: i64,
    /// What could not be read.
    pub(crate) missing: Vec<Missing>,
    /// What the answers leave open.
    pub(crate) undecided: Vec<String>,
    /// Resources that answered without a single value: not zero (R6.8).
    pub(crate) silent: Vec<Id>,
    /// Why nobody asked.
    pub(crate) not_asked: Option<String>,
}

/// Who a series is about: the node and its pool.
pub(super) type Who = (String, Option<String>);

impl Loads {
    /// Adds what was read of one resource. `who` tells the node of a series; a series without one leaves the metric open.
    pub(super) fn add(
        &mut self,
        resource: &Id,
        name: &str,
        reading: Reading<&Metric>,
        who: impl Fn(&Series) -> Option<Who>,
    ) {
        let metric = match reading {
            Reading::Known(metric) => metric,
            Reading::NoData => return self.silent.push(resource.clone()),
            Reading::Unclear(why) => return self.undecided.push(why),
            Reading::Missing(missing) => return self.lacks(missing),
        };
        if metric.truncated {
            self.undecided.push(format!(
                "{name} of {} has more nodes than Azure returned",
                resource.name()
            ));
        }
        self.window_minutes = self.window_minutes.max(window_seconds(metric.grain) / 60);
        let mut nodes: BTreeMap<String, NodeLoad> = BTreeMap::new();
        for series in metric.series.iter().filter(|s| !s.points.is_empty()) {
            let Some((node, pool)) = who(series) else {
                self.undecided
                    .push(format!("{name} came without the node's name"));
                return;
            };
            if let Some(point) = series.points.iter().find(|p| !is_plausible(p.value)) {
                self.undecided.push(format!(
                    "{name} of node {node} is {} at {}",
                    point.value, point.at
                ));
                continue;
            }
            let load = nodes.entry(node.clone()).or_insert_with(|| NodeLoad {
                node,
                pool,
                resource: resource.clone(),
                windows: BTreeMap::new(),
                points: BTreeMap::new(),
            });
            // A node may have several series, one per device: the highest counts.
            for point in &series.points {
                let known = load.points.entry(point.at).or_insert(point.value);
                *known = known.max(point.value);
            }
        }
        for mut load in nodes.into_values() {
            load.windows = window_averages(&load.points, metric.grain);
            self.nodes.push(load);
        }
        self.nodes.order_by(|a, b| {
            b.peak()
                .total_cmp(&a.peak())
                .then_with(|| a.node.cmp(&b.node))
        });
    }

    /// Notes a datum that is missing; one that nobody asked for is no gap.
    pub(super) fn lacks(&mut self, missing: Missing) {
        match missing.how {
            Datum::NotAsked { why } => self.not_asked = Some(why.into_owned()),
            _ if self.missing.contains(&missing) => {}
            _ => self.missing.push(missing),
        }
    }

    /// The hottest node with its highest window.
    pub(crate) fn highest(&self) -> Option<(&NodeLoad, Timestamp, f64)> {
        let load = self.nodes.first()?;
        let (at, value) = load.highest()?;
        Some((load, at, value))
    }

    /// Nodes whose highest window satisfies this, hottest first.
    pub(crate) fn nodes_with(&self, is: impl Fn(f64) -> bool) -> Vec<&NodeLoad> {
        self.nodes.iter().filter(|load| is(load.peak())).collect()
    }

    /// The load of one node.
    pub(crate) fn of_node(&self, node: &str) -> Option<&NodeLoad> {
        self.nodes.iter().find(|load| load.node == node)
    }

    /// Length of the windows, for words.
    pub(crate) fn minutes(&self) -> i64 {
        self.window_minutes.max(WINDOW_SECONDS / 60)
    }
}

/// Shares may exceed 100: they are of what a node may allocate, and disks burst. Nothing is below zero or tenfold.
fn is_plausible(value: f64) -> bool {
    (0.0..=1_000.0).contains(&value)
}

/// The value of a dimension that names something.
pub(super) fn named(series: &Series, dimension_name: &str) -> Option<String> {
    let value = dimension(series, dimension_name)?.trim();
    (!value.is_empty()).then(|| value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Average;
    use crate::testing::{lb_id, metric, series};

    fn read(split: Vec<Series>) -> Loads {
        let mut loads = Loads::default();
        let metric = metric(Average, split);
        let metric = metric.as_known().unwrap();
        loads.add(&lb_id(), "m", Reading::Known(metric), |s| {
            Some((named(s, "node")?, named(s, "nodepool")))
        });
        loads
    }

    fn node(name: &str, values: &[f64]) -> Series {
        series(&[("node", name), ("nodepool", "user")], values)
    }

    #[test]
    fn r7_2_nodes_are_compared_by_five_minute_averages() {
        // One minute of 100 percent is an average of 28.
        let blip = node("a", &[10.0, 10.0, 100.0, 10.0, 10.0]);
        let loads = read(vec![blip, node("b", &[40.0; 5])]);
        let (hot, _, value) = loads.highest().unwrap();
        assert_eq!((hot.node.as_str(), value), ("b", 40.0));
        assert_eq!(loads.nodes_with(|v| v > 30.0).len(), 1);
    }

    #[test]
    fn the_fullest_device_stands_for_a_node() {
        let device =
            |device: &str, values: &[f64]| series(&[("node", "a"), ("device", device)], values);
        let loads = read(vec![device("sda1", &[97.0]), device("sdb1", &[3.0])]);
        assert_eq!(loads.nodes.len(), 1);
        assert_eq!(loads.highest().map(|h| h.2), Some(97.0));
    }

    #[test]
    fn impossible_values_leave_their_node_open() {
        for wrong in [-1.0, 1e9] {
            let loads = read(vec![node("a", &[10.0, wrong]), node("b", &[20.0])]);
            assert_eq!(loads.nodes.len(), 1, "{wrong}");
            assert_eq!(loads.undecided.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn an_unsplit_answer_is_no_node() {
        let loads = read(vec![series(&[], &[99.0])]);
        assert!(loads.nodes.is_empty());
        assert_eq!(loads.undecided.len(), 1);
    }
}
