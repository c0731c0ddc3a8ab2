//! The decisive series as one line of blocks.

use egress_diagnosis::report::{Report, ReportWindow, SeriesKind, SeriesPoints};

/// Levels from lowest to highest.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A time without a point.
const GAP: char = '·';
/// Columns.
const COLUMNS: usize = 48;

/// A line of blocks and what it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sparkline {
    pub(super) blocks: String,
    pub(super) caption: String,
    /// Whether it reaches its limit, or shows failures.
    pub(super) bad: bool,
}

/// Failed connections where there are any, else the busiest use of ports against its limit.
pub(super) fn decisive(report: &Report) -> Option<Sparkline> {
    let all = &report.snat.series;
    let of = |kind| all.iter().find(|s| s.kind == kind && !s.points.is_empty());
    let shown = of(SeriesKind::Failed).or_else(|| of(SeriesKind::Used))?;
    let limit = if shown.kind == SeriesKind::Failed {
        None
    } else {
        let same_node = all
            .iter()
            .find(|s| s.kind == SeriesKind::Allocated && s.ip_address == shown.ip_address);
        let line = same_node.or_else(|| {
            all.iter()
                .rev()
                .find(|s| s.kind == SeriesKind::Threshold && s.unit == shown.unit)
        });
        line.and_then(|s| highest(&s.points)).map(|limit| limit.1)
    };
    let drawn = drawn(report.window, shown, limit)?;
    Some(Sparkline {
        bad: drawn.bad || shown.kind == SeriesKind::Failed,
        ..drawn
    })
}

/// One series against its limit, if it has one.
pub(super) fn drawn(
    window: ReportWindow,
    shown: &SeriesPoints,
    limit: Option<f64>,
) -> Option<Sparkline> {
    let peak = highest(&shown.points)?;
    let top = limit.unwrap_or(peak.1).max(peak.1);
    let against = match limit {
        Some(limit) => format!(" of {limit:.0}"),
        None => String::new(),
    };
    Some(Sparkline {
        blocks: blocks(window, shown, top),
        caption: format!("{}, most {:.0}{against} at {}", shown.name, peak.1, peak.0),
        bad: limit.is_some_and(|limit| peak.1 >= limit),
    })
}

fn highest<T: Copy>(points: &[(T, f64)]) -> Option<(T, f64)> {
    let finite = points.iter().filter(|p| p.1.is_finite());
    finite.max_by(|a, b| a.1.total_cmp(&b.1)).copied()
}

/// The highest value of each column's time.
fn blocks(window: ReportWindow, series: &SeriesPoints, top: f64) -> String {
    let start = window.start.as_second();
    let length = window.end.as_second().saturating_sub(start).max(1);
    let mut columns: [Option<f64>; COLUMNS] = [None; COLUMNS];
    let count = i64::try_from(COLUMNS).unwrap_or(1);
    for (at, value) in series.points.iter().filter(|p| p.1.is_finite()) {
        let index = at.as_second().saturating_sub(start).saturating_mul(count) / length;
        let index = usize::try_from(index).unwrap_or(0).min(COLUMNS - 1);
        if let Some(column) = columns.get_mut(index) {
            *column = Some(column.map_or(*value, |known| known.max(*value)));
        }
    }
    columns
        .iter()
        .map(|column| column.map_or(GAP, |value| level(value, top)))
        .collect()
}

fn level(value: f64, top: f64) -> char {
    let share = if top > 0.0 { value / top } else { 0.0 };
    let thresholds = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875];
    let index = thresholds.iter().filter(|step| share > **step).count();
    LEVELS.get(index).copied().unwrap_or(GAP)
}

#[cfg(test)]
mod tests {
    use egress_diagnosis::diagnose;
    use egress_diagnosis::testing::{NODE_1, lb_id, load_balancer, port_series, set_metric};

    use super::*;

    fn report(used: &[f64]) -> Report {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            "UsedSnatPorts",
            port_series(&[(NODE_1, used)]),
        );
        // The fixture's points begin where its window ends.
        let length = facts.window.end.duration_since(facts.window.start);
        facts.window.start = facts.window.end;
        facts.window.end += length;
        diagnose(&facts)
    }

    #[test]
    fn use_is_drawn_against_the_allocation() {
        let line = decisive(&report(&[100.0, 1024.0])).unwrap();
        assert!(line.blocks.starts_with('█'), "{}", line.blocks);
        assert_eq!(line.blocks.chars().count(), COLUMNS);
        assert!(line.blocks.ends_with(GAP), "no points are no zeros");
        assert!(line.caption.contains("most 1024 of 1024"));
        assert!(line.bad);
        let quiet = decisive(&report(&[100.0])).unwrap();
        assert!(quiet.blocks.starts_with('▁') && !quiet.bad);
    }

    #[test]
    fn levels_rise_with_the_value() {
        let drawn: String = (0..=8).map(|n| level(f64::from(n), 8.0)).collect();
        assert_eq!(drawn, "▁▁▂▃▄▅▆▇█");
        assert_eq!(level(5.0, 0.0), '▁');
    }
}
