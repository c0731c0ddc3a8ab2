//! The report for a terminal.

mod bypass;
mod findings;
mod outcome;
mod page;
mod paths;
mod pressure;
mod sections;
mod sparkline;
mod table;

use egress_diagnosis::report::{ClusterSummary, Report, Status};
use egress_diagnosis::trace::Trace;

pub use bypass::bypass_plan;
pub use outcome::outcome;
pub use paths::paths;
pub use pressure::pressure;
pub use table::table;

use crate::words;
use page::{Page, Tone};

/// How the text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// ANSI colours.
    pub color: bool,
    /// Columns; commands are never broken, so that they can be copied.
    pub width: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
        }
    }
}

/// The report as plain text. Nothing from Azure can drive the terminal, whatever its names contain.
pub fn text(report: &Report, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    head(&mut page, report);
    sections::carriers(&mut page, report);
    findings::list(&mut page, &report.findings);
    sections::snat(&mut page, report);
    if pressure::matters(&report.nodes, &report.disks) {
        pressure::nodes(&mut page, report.window, &report.nodes, &report.disks);
    }
    sections::endpoint_notes(&mut page, report);
    sections::gaps(&mut page, report);
    sections::open_list(&mut page, &report.checks, &report.gaps);
    sections::next_steps(&mut page, report);
    sections::stats(&mut page, report);
    page.finish()
}

/// Traces alone, to follow a report.
pub fn traces(traces: &[Trace], options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    paths::traces(&mut page, traces);
    page.finish()
}

/// The cluster in one line.
fn cluster_line(page: &mut Page, cluster: &ClusterSummary) {
    let text = format!(
        "{} in resource group {}",
        cluster.name, cluster.resource_group
    );
    page.field("cluster", &text);
}

fn head(page: &mut Page, report: &Report) {
    let tone = match report.verdict.status {
        Status::Healthy => Tone::Good,
        Status::AtRisk => Tone::Warn,
        Status::Degraded | Status::Blocked => Tone::Bad,
        Status::Unknown => Tone::Unsure,
    };
    let word = words::status(report.verdict.status);
    let badge = page.paint(&format!(" {word} "), tone);
    page.badge(&badge, word.len() + 2, &report.verdict.headline);
    page.blank();
    let cluster = &report.cluster;
    page.field("cluster", &words::cluster(cluster));
    page.field(
        "window",
        &format!("{} to {}", report.window.start, report.window.end),
    );
    let evidence = &report.verdict.pattern_evidence;
    if let Some((first, more)) = evidence.split_first() {
        page.field("pattern", words::pattern(report.verdict.pattern));
        // What the others say stands with the findings.
        let more = match more.len() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        page.item(15, "·", &format!("{first}{more}"));
    }
    if !report.verdict.complete {
        page.field("complete", "no: some checks have no answer, see below");
    }
}
