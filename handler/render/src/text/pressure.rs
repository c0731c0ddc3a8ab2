//! Nodes and disks for a terminal.

use egress_diagnosis::answers::PressureAnswer;
use egress_diagnosis::report::{Disks, HotNode, Nodes, PoolDisk, ReportWindow};

use super::page::{Page, Tone};
use super::{TextOptions, cluster_line, findings, paths, sections, sparkline};

/// Conditions shown.
const CONDITIONS: usize = 5;

/// Pressure as plain text.
pub fn pressure(answer: &PressureAnswer, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    cluster_line(&mut page, &answer.cluster);
    nodes(&mut page, answer.window, &answer.nodes, &answer.disks);
    findings::list(&mut page, &answer.findings);
    sections::gap_list(&mut page, &answer.gaps);
    sections::open_list(&mut page, &answer.checks, &answer.gaps);
    paths::traces(&mut page, &answer.traces);
    page.finish()
}

/// Whether a whole report has something to say of its nodes.
pub(super) fn matters(nodes: &Nodes, disks: &Disks) -> bool {
    let hot = nodes.hottest.iter().chain(&disks.hottest);
    nodes.closer_look.taken || hot.into_iter().any(|node| node.windows_above > 0)
}

/// The figures, the decisive one as a line of blocks.
pub(super) fn nodes(page: &mut Page, window: ReportWindow, nodes: &Nodes, disks: &Disks) {
    page.heading("Nodes and disks");
    trend(page, window, nodes, disks);
    let mut named: Vec<&str> = Vec::new();
    for hot in nodes.hottest.iter().chain(&disks.hottest) {
        // The hottest of each figure comes first.
        if named.contains(&hot.metric.as_str()) && hot.windows_above == 0 {
            continue;
        }
        named.push(&hot.metric);
        page.item(2, "·", &words(hot));
    }
    if named.is_empty() {
        page.field("figures", "none");
    }
    for spell in nodes.conditions.iter().take(CONDITIONS) {
        let until = spell.to.map_or("now".to_owned(), |to| to.to_string());
        page.field(
            "condition",
            &format!(
                "{} {} from {} to {until}",
                spell.node, spell.condition, spell.from
            ),
        );
    }
    for health in &nodes.health {
        let state = health.state.as_deref().unwrap_or("not known");
        let why = match (&health.summary, state) {
            (Some(summary), state) if state != "Available" => format!(": {summary}"),
            _ => String::new(),
        };
        page.field(
            "health",
            &format!("{} {state}{why}", health.resource_id.name()),
        );
    }
    for pool in &disks.pools {
        page.field("OS disk", &disk(pool));
    }
    for advice in &disks.advisor {
        page.field("Advisor", advice);
    }
    page.field(
        "looked",
        &format!(
            "{}: {}",
            if nodes.closer_look.taken {
                "closely"
            } else {
                "at CPU, memory and disk space"
            },
            nodes.closer_look.why
        ),
    );
}

fn words(hot: &HotNode) -> String {
    let above = match hot.windows_above {
        0 => String::new(),
        n => format!(
            "; {n} {}-minute windows at the limit of {:.0} or above",
            hot.window_minutes, hot.limit
        ),
    };
    format!(
        "{} {:.0} on {} at {}{above}",
        hot.metric, hot.peak, hot.node, hot.peak_at
    )
}

fn disk(pool: &PoolDisk) -> String {
    let size = pool
        .os_disk_size_gb
        .map_or("?".to_owned(), |gb| gb.to_string());
    let room = match pool.ephemeral_up_to_gb {
        Some(0) => ", no ephemeral one possible".to_owned(),
        Some(gb) => format!(", ephemeral up to {gb} GiB possible"),
        None => String::new(),
    };
    format!(
        "{}: {} {size} GiB on {}{room}",
        pool.name,
        pool.os_disk_type.as_deref().unwrap_or("?"),
        pool.vm_size.as_deref().unwrap_or("?")
    )
}

/// The figure that came closest to its limit, or went furthest beyond.
fn trend(page: &mut Page, window: ReportWindow, nodes: &Nodes, disks: &Disks) {
    let hot = nodes.hottest.iter().chain(&disks.hottest);
    let share = |hot: &HotNode| hot.peak / hot.limit.max(f64::MIN_POSITIVE);
    let Some(worst) = hot.max_by(|a, b| share(a).total_cmp(&share(b))) else {
        return;
    };
    let name = format!("{} {}", worst.metric, worst.node);
    let mut all = nodes.series.iter().chain(&disks.series);
    let Some(line) = all
        .find(|series| series.name == name)
        .and_then(|series| sparkline::drawn(window, series, Some(worst.limit)))
    else {
        return;
    };
    let tone = if worst.windows_above > 0 {
        Tone::Bad
    } else {
        Tone::Good
    };
    let label = page.paint("  trend        ", Tone::Quiet);
    let blocks = page.paint(&line.blocks, tone);
    page.painted(&format!("{label}{blocks}"));
    page.field("", &line.caption);
}

#[cfg(test)]
mod tests {
    use egress_diagnosis::diagnose;
    use egress_diagnosis::testing::{closer_look, load_balancer, node_percent};

    use super::*;

    #[test]
    fn the_decisive_figure_is_drawn() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        node_percent(
            &mut facts,
            "node_cpu_usage_percentage",
            &[("aks-a", "user", 97.0)],
        );
        let report = diagnose(&facts);
        let text = pressure(
            &PressureAnswer::of(&facts, &report, None),
            &TextOptions::default(),
        );
        assert!(text.contains("trend"), "{text}");
        assert!(
            text.contains("node_cpu_usage_percentage aks-a, most 97 of 90"),
            "{text}"
        );
        assert!(text.contains("NOD101"), "{text}");
        assert!(matters(&report.nodes, &report.disks));
    }

    #[test]
    fn a_report_without_pressure_says_nothing_of_nodes() {
        let report = diagnose(&load_balancer());
        assert!(!matters(&report.nodes, &report.disks));
    }
}
