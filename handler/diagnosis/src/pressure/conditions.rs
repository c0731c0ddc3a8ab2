//! Node conditions over time (R7.10).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::CONDITIONS;
use super::loads::named;
use crate::facts::{Metric, Missing};
use crate::order::Order as _;
use crate::snat::metric::Reading;

/// A node whose last sign is so much older than the newest of all is gone.
const GONE: SignedDuration = SignedDuration::from_mins(15);

/// A time in which a node was in a bad state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spell {
    pub(crate) node: String,
    pub(crate) pool: Option<String>,
    /// The condition, as Kubernetes spells it.
    pub(crate) condition: &'static str,
    pub(crate) from: Timestamp,
    /// End of its last grain.
    pub(crate) until: Timestamp,
    /// Whether it lasts up to the newest point there is.
    pub(crate) lasting: bool,
}

impl Spell {
    pub(crate) fn minutes(&self) -> i64 {
        self.until.duration_since(self.from).as_mins()
    }

    /// `NotReady`, `DiskPressure`
    pub(crate) fn word(&self) -> &'static str {
        if self.is_not_ready() {
            "NotReady"
        } else {
            self.condition
        }
    }

    pub(crate) fn is_not_ready(&self) -> bool {
        self.condition == "Ready"
    }
}

/// Bad states of all nodes, longest first, and what was not to be had.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) spells: Vec<Spell>,
    pub(crate) missing: Option<Missing>,
    pub(crate) undecided: Option<String>,
}

/// When a condition of a node was good and when it was bad.
#[derive(Debug, Default)]
struct Times {
    good: BTreeSet<Timestamp>,
    bad: BTreeSet<Timestamp>,
}

/// Reads the conditions. `pool` tells the pool of a node.
pub(super) fn conditions(
    reading: Reading<&Metric>,
    name: &str,
    pool: impl Fn(&str) -> Option<String>,
) -> Conditions {
    let open = |why: String| Conditions {
        undecided: Some(why),
        ..Conditions::default()
    };
    let metric = match reading {
        Reading::Known(metric) => metric,
        Reading::NoData => return open(format!("{name} has no data points in the window")),
        Reading::Unclear(why) => return open(why),
        Reading::Missing(missing) => {
            return Conditions {
                missing: Some(missing),
                ..Conditions::default()
            };
        }
    };
    let mut nodes: BTreeMap<(String, &'static str), Times> = BTreeMap::new();
    for series in &metric.series {
        let dimensions = named(series, "node")
            .zip(named(series, "condition"))
            .zip(named(series, "status"));
        let Some(((node, condition), status)) = dimensions else {
            return open(format!("{name} came without node, condition or status"));
        };
        let known = CONDITIONS
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(&condition));
        let Some(condition) = known else { continue };
        let times = nodes.entry((node, condition)).or_default();
        let holds = series.points.iter().filter(|point| point.value > 0.0);
        let holds = holds.map(|point| point.at);
        match (condition == "Ready", status.as_str()) {
            (true, "true") | (false, "false") => times.good.extend(holds),
            (true, _) | (false, "true") => times.bad.extend(holds),
            // `unknown` of another condition: the node says nothing, which Ready tells.
            _ => {}
        }
    }
    let all = nodes.values().flat_map(|t| t.good.iter().chain(&t.bad));
    let newest = all.max().copied();
    let mut spells: Vec<Spell> = nodes
        .iter()
        .flat_map(|((node, condition), times)| of_one(node, condition, times, metric.grain, newest))
        .collect();
    for spell in &mut spells {
        spell.pool = pool(&spell.node);
    }
    spells.order_by(|a, b| {
        (b.minutes().cmp(&a.minutes()))
            .then_with(|| a.node.cmp(&b.node))
            .then_with(|| a.from.cmp(&b.from))
    });
    Conditions {
        spells,
        missing: None,
        undecided: metric
            .truncated
            .then(|| format!("{name} has more series than Azure returned")),
    }
}

/// The bad times of one node, joined where nothing good lies between them. A node that starts is not ready at first, and
/// one that is taken away at last: neither is a fault.
fn of_one(
    node: &str,
    condition: &'static str,
    times: &Times,
    grain: SignedDuration,
    newest: Option<Timestamp>,
) -> Vec<Spell> {
    let only_bad: Vec<Timestamp> = times
        .bad
        .iter()
        // A grain that was both counts as good: it saw the change.
        .filter(|at| !times.good.contains(*at))
        .copied()
        .collect();
    let mut spells: Vec<Spell> = Vec::new();
    for at in only_bad {
        let until = at.saturating_add(grain).unwrap_or(at);
        match spells.last_mut() {
            Some(last) if times.good.range(last.from..at).next().is_none() => last.until = until,
            _ => spells.push(Spell {
                node: node.to_owned(),
                pool: None,
                condition,
                from: at,
                until,
                lasting: false,
            }),
        }
    }
    let first_good = times.good.first().copied();
    let last_seen = times.good.last().max(times.bad.last()).copied();
    let gone = last_seen
        .zip(newest)
        .is_some_and(|(seen, newest)| newest.duration_since(seen) > GONE);
    if condition == "Ready" {
        spells.retain(|spell| {
            let starting = first_good.is_some_and(|good| spell.until <= good);
            let leaving = gone && last_seen.is_some_and(|seen| spell.until > seen);
            !starting && !leaving
        });
    }
    for spell in &mut spells {
        spell.lasting = newest.is_some_and(|newest| spell.until > newest);
    }
    spells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Average;
    use crate::facts::Series;
    use crate::testing::{metric, series};

    fn read(split: Vec<Series>) -> Conditions {
        let metric = metric(Average, split);
        conditions(Reading::Known(metric.as_known().unwrap()), "c", |_| {
            Some("user".to_owned())
        })
    }

    fn status(node: &str, condition: &str, status: &str, values: &[f64]) -> Series {
        let dimensions = [("node", node), ("condition", condition), ("status", status)];
        series(&dimensions, values)
    }

    #[test]
    fn r7_10_not_ready_is_ready_false_or_unknown() {
        for bad in ["false", "Unknown"] {
            let found = read(vec![
                status("a", "Ready", "True", &[1.0, 0.0, 0.0, 1.0]),
                status("a", "ready", bad, &[0.0, 1.0, 1.0, 0.0]),
            ]);
            assert_eq!(found.spells.len(), 1, "{bad}");
            let spell = &found.spells[0];
            assert_eq!((spell.word(), spell.minutes()), ("NotReady", 2));
            assert!(!spell.lasting);
            assert_eq!(spell.pool.as_deref(), Some("user"));
        }
    }

    #[test]
    fn r7_10_other_conditions_are_bad_when_true() {
        let found = read(vec![
            status("a", "DiskPressure", "true", &[0.0, 1.0, 1.0]),
            status("a", "DiskPressure", "false", &[1.0, 0.0, 0.0]),
            status("a", "MemoryPressure", "false", &[1.0, 1.0, 1.0]),
            status("a", "PIDPressure", "unknown", &[1.0, 1.0, 1.0]),
            status("a", "KernelDeadlock", "true", &[1.0, 1.0, 1.0]),
        ]);
        assert_eq!(found.spells.len(), 1);
        assert_eq!(found.spells[0].word(), "DiskPressure");
        assert!(found.spells[0].lasting);
    }

    #[test]
    fn r7_10_a_node_that_starts_or_is_taken_away_is_no_fault() {
        let mut ends = [0.0; 60];
        ends[8..10].fill(1.0);
        let mut lives = [0.0; 60];
        lives[2..8].fill(1.0);
        let mut starts = [0.0; 60];
        starts[..2].fill(1.0);
        let found = read(vec![
            status("a", "Ready", "false", &starts),
            status("a", "Ready", "true", &lives),
            status("a", "Ready", "unknown", &ends),
            status("b", "Ready", "true", &[1.0; 60]),
        ]);
        assert_eq!(found.spells, []);
        // One that never became ready is.
        let found = read(vec![
            status("a", "Ready", "false", &[1.0; 60]),
            status("b", "Ready", "true", &[1.0; 60]),
        ]);
        assert_eq!(found.spells.len(), 1);
    }

    #[test]
    fn a_gap_ends_no_spell() {
        let mut bad = status("a", "Ready", "false", &[1.0; 30]);
        bad.points.drain(5..10);
        assert_eq!(read(vec![bad]).spells[0].minutes(), 30);
    }

    #[test]
    fn an_answer_without_split_is_open() {
        let found = read(vec![series(&[("node", "a")], &[1.0])]);
        assert!(found.undecided.is_some() && found.spells.is_empty());
    }
}
