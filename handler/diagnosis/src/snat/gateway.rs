//! What a NAT gateway's metrics say (R6.20–R6.22).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::metric::{Reading, WINDOW_SECONDS, metric, minutes, sums, whole};
use crate::facts::{Facts, Id};

/// Connections open.
pub(crate) const NAT_TOTAL: &str = "TotalConnectionCount";
/// Packets dropped.
pub(crate) const NAT_DROPS: &str = "PacketDropCount";
/// Share of the data path that works.
pub(crate) const NAT_DATAPATH: &str = "DatapathAvailability";

/// Shorter looks at the data path are noise (R6.21).
const DATAPATH_SECONDS: i64 = 900;

/// Connections that were open at a time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Connections {
    /// Most in one minute; with a longer grain the highest mean, so a lower bound.
    pub(crate) peak: u64,
    pub(crate) at: Timestamp,
    /// Length of what the peak is a mean of.
    pub(crate) grain: SignedDuration,
    /// Per grain, for plotting.
    pub(crate) points: BTreeMap<Timestamp, f64>,
}

/// Most connections that a NAT gateway had open. The metric counts them once a minute and Azure adds those counts up over
/// a longer grain, so sums are divided by the grain's minutes.
pub(crate) fn connections(facts: &Facts, gateway: &Id) -> Reading<Connections> {
    let metric = match metric(facts, gateway, NAT_TOTAL, "Count") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    let mut points = sums(&metric.series);
    let minutes = minutes(metric.grain);
    for value in points.values_mut() {
        *value /= minutes;
    }
    match points.iter().rev().max_by(|a, b| a.1.total_cmp(b.1)) {
        None => Reading::NoData,
        Some((at, peak)) => Reading::Known(Connections {
            peak: whole(*peak),
            at: *at,
            grain: metric.grain,
            points,
        }),
    }
}

/// Dropped packets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drops {
    /// Sum over the window.
    pub(crate) total: u64,
    /// Most in 5 minutes; with a longer grain the highest mean of one.
    pub(crate) worst: f64,
    pub(crate) at: Timestamp,
}

pub(crate) fn drops(facts: &Facts, gateway: &Id) -> Reading<Drops> {
    let metric = match metric(facts, gateway, NAT_DROPS, "Count") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    let points = sums(&metric.series);
    let mut windows: BTreeMap<i64, (Timestamp, f64)> = BTreeMap::new();
    for (at, value) in &points {
        let window = windows
            .entry(at.as_second().div_euclid(WINDOW_SECONDS))
            .or_insert((*at, 0.0));
        window.1 += value.max(0.0);
    }
    let longer = (minutes(metric.grain) / 5.0).max(1.0);
    match windows
        .into_values()
        .rev()
        .max_by(|a, b| a.1.total_cmp(&b.1))
    {
        None => Reading::NoData,
        Some((at, worst)) => Reading::Known(Drops {
            total: whole(points.values().map(|v| v.max(0.0)).sum()),
            worst: worst / longer,
            at,
        }),
    }
}

/// Availability of the data path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Datapath {
    /// Lowest average over a quarter of an hour without gaps, in percent, and when it began; `None` while no such quarter
    /// exists.
    pub(crate) worst: Option<(Timestamp, f64)>,
}

pub(crate) fn datapath(facts: &Facts, gateway: &Id) -> Reading<Datapath> {
    // Azure documents the percentage with unit Count.
    let metric = match metric(facts, gateway, NAT_DATAPATH, "Count") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    let grain = metric.grain.as_secs().max(60);
    let needed = usize::try_from((DATAPATH_SECONDS + grain - 1) / grain)
        .unwrap_or(1)
        .max(1);
    let mut worst: Option<(Timestamp, f64)> = None;
    for series in &metric.series {
        for stretch in series.points.windows(needed) {
            let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
                continue;
            };
            let length = last.at.duration_since(first.at).as_secs() + grain;
            let whole_length = grain.saturating_mul(i64::try_from(needed).unwrap_or(i64::MAX));
            if length > whole_length {
                continue;
            }
            let sum: f64 = stretch.iter().map(|p| p.value).sum();
            let average = sum / count(needed);
            if worst.is_none_or(|(_, lowest)| average < lowest) {
                worst = Some((first.at, average));
            }
        }
    }
    Reading::Known(Datapath { worst })
}

/// At most 15: a quarter of an hour by the minute.
fn count(points: usize) -> f64 {
    u32::try_from(points).map_or(1.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::{Average, Total};
    use crate::facts::{Datum, Metric};
    use crate::testing::{metric, nat_gateway, nat_id, series, set_metric};

    fn grained(mut metric: Datum<Metric>, minutes: i64) -> Datum<Metric> {
        if let Datum::Known(metric) = &mut metric {
            metric.grain = SignedDuration::from_mins(minutes);
        }
        metric
    }

    fn facts(name: &str, metric: Datum<Metric>) -> Facts {
        let mut facts = nat_gateway();
        set_metric(&mut facts, &nat_id("ng1"), name, metric);
        facts
    }

    #[test]
    fn r6_20_protocols_add_up_and_a_coarse_sum_is_not_a_count_of_open_connections() {
        let by_protocol = |values: &[f64]| {
            vec![
                series(&[("protocol", "TCP")], values),
                series(&[("protocol", "UDP")], values),
            ]
        };
        let minute = facts(NAT_TOTAL, metric(Total, by_protocol(&[10.0, 400.0])));
        let read = connections(&minute, &nat_id("ng1"));
        assert_eq!(read.known().unwrap().peak, 800);
        // Azure summed five minutes of 80 connections each.
        let coarse = facts(
            NAT_TOTAL,
            grained(metric(Total, vec![series(&[], &[400.0])]), 5),
        );
        let read = connections(&coarse, &nat_id("ng1"));
        assert_eq!(read.known().unwrap().peak, 80);
    }

    #[test]
    fn r6_21_drops_are_counted_per_five_minutes() {
        let read = |values: &[f64], minutes| {
            let metric = grained(metric(Total, vec![series(&[], values)]), minutes);
            let facts = facts(NAT_DROPS, metric);
            let read = drops(&facts, &nat_id("ng1"));
            read.known().map(|d| (d.total, d.worst)).unwrap()
        };
        assert_eq!(read(&[2.0, 2.0, 2.0, 0.0, 0.0, 1.0], 1), (7, 6.0));
        assert_eq!(read(&[-3.0, 2.0], 1), (2, 2.0));
        // Sixty in half an hour are ten in five minutes.
        assert_eq!(read(&[60.0], 30), (60, 10.0));
    }

    #[test]
    fn r6_21_the_data_path_is_judged_over_a_quarter_of_an_hour_without_gaps() {
        let read = |values: &[f64], minutes| {
            let metric = grained(metric(Average, vec![series(&[], values)]), minutes);
            let facts = facts(NAT_DATAPATH, metric);
            datapath(&facts, &nat_id("ng1")).known().unwrap().worst
        };
        assert_eq!(read(&[80.0; 15], 1).map(|w| w.1), Some(80.0));
        assert_eq!(read(&[0.0; 14], 1), None);
        assert_eq!(read(&[50.0], 30).map(|w| w.1), Some(50.0));
        let mut one_bad_minute = [100.0; 15];
        one_bad_minute[4] = 0.0;
        assert!(read(&one_bad_minute, 1).unwrap().1 > 93.0);
        let mut gap = series(&[], &[0.0; 20]);
        gap.points.remove(10);
        let facts = facts(NAT_DATAPATH, metric(Average, vec![gap]));
        let read = datapath(&facts, &nat_id("ng1"));
        assert_eq!(read.known().unwrap().worst, None);
    }
}
