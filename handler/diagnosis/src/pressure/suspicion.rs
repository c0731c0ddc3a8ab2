//! Whether the cluster's own metrics per node are reason enough for a closer look.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{NODE_LIMIT, NODE_METRICS};
use crate::facts::{Datum, Metric, Series};
use crate::snat::metric::window_averages;

/// Auto-repair takes a node that says nothing for this long for not ready (R7.10).
const SILENT: SignedDuration = SignedDuration::from_mins(10);

/// The reason for a closer look that the cluster's metrics per node give: a figure above its limit (R7.1), or a node that
/// stopped telling, as one that is not ready does (R7.10).
pub fn suspicion(metrics: &BTreeMap<String, Datum<Metric>>) -> Option<String> {
    let known = NODE_METRICS.iter().filter_map(|(name, _)| {
        let metric = metrics.get(*name)?.as_known()?;
        Some((*name, metric))
    });
    let mut silent = None;
    for (name, metric) in known {
        let newest = metric.series.iter().filter_map(last).max();
        for series in &metric.series {
            let node = series
                .dimensions
                .get("node")
                .map_or("a node", String::as_str);
            let points: BTreeMap<Timestamp, f64> =
                series.points.iter().map(|p| (p.at, p.value)).collect();
            let windows = window_averages(&points, metric.grain);
            if let Some(high) = windows.values().find(|value| **value > NODE_LIMIT) {
                return Some(format!("{name} of {node} reached {high:.0} percent"));
            }
            if silent.is_none() && is_silent(series, metric.grain, newest) {
                silent = Some(format!("{node} gave no figures for some time"));
            }
        }
    }
    silent
}

fn last(series: &Series) -> Option<Timestamp> {
    series.points.last().map(|point| point.at)
}

/// Whether the points have a hole, or end long before the newest of all nodes.
fn is_silent(series: &Series, grain: SignedDuration, newest: Option<Timestamp>) -> bool {
    let longest = SILENT.max(grain + grain);
    let hole = series
        .points
        .iter()
        .zip(series.points.iter().skip(1))
        .any(|(a, b)| b.at.duration_since(a.at) > longest);
    let gone = last(series)
        .zip(newest)
        .is_some_and(|(last, newest)| newest.duration_since(last) > longest);
    hole || gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Average;
    use crate::pressure::{CPU, DISK_SPACE};
    use crate::testing::{denied, metric, series};

    fn of(name: &str, split: Vec<Series>) -> Option<String> {
        suspicion(&BTreeMap::from([(name.to_owned(), metric(Average, split))]))
    }

    fn node(name: &str, values: &[f64]) -> Series {
        series(&[("node", name)], values)
    }

    #[test]
    fn r7_1_a_figure_above_its_limit_is_a_reason() {
        assert!(of(CPU, vec![node("a", &[91.0; 5])]).unwrap().contains("91"));
        assert!(of(DISK_SPACE, vec![node("a", &[10.0]), node("b", &[95.0])]).is_some());
        assert_eq!(of(CPU, vec![node("a", &[90.0; 5])]), None);
        // A minute above is no average above.
        assert_eq!(
            of(CPU, vec![node("a", &[100.0, 10.0, 10.0, 10.0, 10.0])]),
            None
        );
    }

    #[test]
    fn r7_10_a_node_that_falls_silent_is_a_reason() {
        let mut holed = node("a", &[10.0; 30]);
        holed.points.drain(10..21);
        assert!(of(CPU, vec![holed]).is_some());
        let ended = vec![node("a", &[10.0; 5]), node("b", &[10.0; 30])];
        assert!(of(CPU, ended).is_some());
        // A node that came late has no hole.
        let mut late = node("a", &[10.0; 30]);
        late.points.drain(..20);
        assert_eq!(of(CPU, vec![late, node("b", &[10.0; 30])]), None);
    }

    #[test]
    fn what_is_not_known_is_no_reason() {
        let unread = BTreeMap::from([(CPU.to_owned(), denied("x"))]);
        assert_eq!(suspicion(&unread), None);
        assert_eq!(suspicion(&BTreeMap::new()), None);
    }
}
