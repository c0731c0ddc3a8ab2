//! The report for a ticket: complete, with tables and a picture of each path.

mod escape;
mod findings;
mod page;
mod picture;
mod sections;

use egress_diagnosis::report::Report;
use egress_diagnosis::trace::Trace;

use crate::words;
pub(crate) use page::is_plain_https;
use page::{Cell, Page};

/// The report as Markdown, with the traces of a destination that was asked for. Nothing from Azure can open a link,
/// HTML or a picture of its own, whatever its names contain.
pub fn markdown(report: &Report, traces: &[Trace]) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    findings::findings(&mut page, report);
    sections::carriers(&mut page, report);
    sections::traces(&mut page, traces);
    sections::endpoints(&mut page, report);
    sections::snat(&mut page, report);
    sections::checks(&mut page, report);
    sections::gaps(&mut page, report);
    sections::next_steps(&mut page, report);
    page.text(&words::stats(report));
    page.finish()
}

fn head(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    let status = words::status(verdict.status);
    page.heading(
        1,
        &format!("{status}: egress of cluster {}", report.cluster.name),
    );
    page.strong(status, &verdict.headline);
    let complete = if verdict.complete {
        "yes"
    } else {
        "no: some checks have no answer, see below"
    };
    let fact = |name: &str, value: Cell| vec![Cell::text(name), value];
    let mut facts = vec![
        fact("Cluster", Cell::text(&words::cluster(&report.cluster))),
        fact("Id", Cell::name(Some(report.cluster.id.as_str()))),
        fact(
            "Traffic",
            Cell::text(&words::outbound_type(&report.outbound)),
        ),
        fact("Pattern", Cell::text(words::pattern(verdict.pattern))),
        fact(
            "Window",
            Cell::text(&format!("{} to {}", report.window.start, report.window.end)),
        ),
        fact("Complete", Cell::text(complete)),
    ];
    facts.extend(
        report
            .cluster
            .node_pools
            .iter()
            .map(|pools| fact("Node pools", Cell::text(&words::node_pools(pools)))),
    );
    page.table(&["fact", "value"], facts);
    if !verdict.pattern_evidence.is_empty() {
        page.text("What the pattern was read from:");
        page.list(&verdict.pattern_evidence);
    }
}
