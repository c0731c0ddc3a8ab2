//! What an Azure Firewall's metrics say (R5.32, R5.33).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::metric::{Reading, dimension, metric, window_averages};
use crate::facts::{Facts, Id};

/// Share of the SNAT ports in use.
pub(crate) const UTILIZATION: &str = "SNATPortUtilization";
/// Health in percent.
pub(crate) const HEALTH: &str = "FirewallHealth";

/// A percentage over time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Percent {
    /// The protocol it belongs to; none where Azure does not split.
    pub(crate) protocol: Option<String>,
    /// Averages over 5 minutes, or over the grain where that is longer.
    pub(crate) windows: BTreeMap<Timestamp, f64>,
    /// As Azure gave it, for plotting.
    pub(crate) points: BTreeMap<Timestamp, f64>,
}

impl Percent {
    /// The highest 5-minute average and when it began.
    pub(crate) fn highest(&self) -> Option<(Timestamp, f64)> {
        let highest = self.windows.iter().rev().max_by(|a, b| a.1.total_cmp(b.1));
        highest.map(|(at, value)| (*at, *value))
    }
}

/// SNAT port utilisation of the protocol that came closest to its limit.
pub(crate) fn utilization(facts: &Facts, firewall: &Id) -> Reading<Percent> {
    percents(facts, firewall, UTILIZATION, |known, new| {
        new.highest().map(|p| p.1) > known.highest().map(|p| p.1)
    })
}

/// Health, over all reasons.
pub(crate) fn health(facts: &Facts, firewall: &Id) -> Reading<Percent> {
    let lowest = |percent: &Percent| {
        let values = percent.windows.values().copied();
        values.min_by(f64::total_cmp).unwrap_or(f64::INFINITY)
    };
    percents(facts, firewall, HEALTH, |known, new| {
        lowest(new) < lowest(known)
    })
}

fn percents(
    facts: &Facts,
    firewall: &Id,
    name: &str,
    worse: impl Fn(&Percent, &Percent) -> bool,
) -> Reading<Percent> {
    let metric = match metric(facts, firewall, name, "Percent") {
        Reading::Known(metric) => metric,
        Reading::NoData => return Reading::NoData,
        Reading::Unclear(why) => return Reading::Unclear(why),
        Reading::Missing(missing) => return Reading::Missing(missing),
    };
    // Rounding may leave a little above.
    let outside = |value: &f64| !(0.0..=100.5).contains(value);
    let all_points = || metric.series.iter().flat_map(|s| &s.points);
    if let Some(point) = all_points().find(|p| outside(&p.value)) {
        return Reading::Unclear(format!("{name} is {} percent at {}", point.value, point.at));
    }
    let mut chosen: Option<Percent> = None;
    for series in metric.series.iter().filter(|s| !s.points.is_empty()) {
        let points: BTreeMap<Timestamp, f64> =
            series.points.iter().map(|p| (p.at, p.value)).collect();
        let new = Percent {
            protocol: dimension(series, "protocol").map(str::to_owned),
            windows: window_averages(&points, metric.grain),
            points,
        };
        if chosen.as_ref().is_none_or(|known| worse(known, &new)) {
            chosen = Some(new);
        }
    }
    chosen.map_or(Reading::NoData, Reading::Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Average;
    use crate::testing::{firewall_id, firewalled, metric, series, set_metric};

    fn read(name: &str, all: &[(&str, &[f64])]) -> Reading<Percent> {
        let mut facts = firewalled();
        let all = all
            .iter()
            .map(|(protocol, values)| series(&[("protocol", protocol)], values))
            .collect();
        let mut metric = metric(Average, all);
        if let crate::facts::Datum::Known(metric) = &mut metric {
            metric.unit = "Percent".to_owned();
        }
        set_metric(&mut facts, &firewall_id(), name, metric);
        if name == HEALTH {
            health(&facts, &firewall_id())
        } else {
            utilization(&facts, &firewall_id())
        }
    }

    #[test]
    fn r5_33_the_fuller_protocol_counts_by_its_five_minute_average() {
        // A single minute at 100 % is 36 % over five minutes.
        let read = read(
            UTILIZATION,
            &[
                ("UDP", &[100.0, 20.0, 20.0, 20.0, 20.0]),
                ("TCP", &[85.0; 5]),
            ],
        );
        let worst = read.known().unwrap();
        assert_eq!(worst.protocol.as_deref(), Some("TCP"));
        assert_eq!(worst.highest().map(|p| p.1), Some(85.0));
    }

    #[test]
    fn r5_33_health_takes_the_lowest() {
        let read = read(HEALTH, &[("", &[100.0; 5]), ("", &[50.0; 5])]);
        let worst = read.known().unwrap();
        assert_eq!(worst.windows.values().copied().next(), Some(50.0));
    }

    #[test]
    fn what_is_no_percentage_gives_no_figure() {
        for wrong in [140.0, -1.0] {
            let read = read(UTILIZATION, &[("TCP", &[wrong])]);
            assert!(matches!(read, Reading::Unclear(_)), "{wrong}");
        }
    }
}
