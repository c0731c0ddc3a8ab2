//! Findings with their evidence and the commands that mend them.

use egress_diagnosis::report::{Evidence, Finding, Remediation, Report};

use super::page::Page;
use crate::words;

pub(super) fn findings(page: &mut Page, report: &Report) {
    page.heading(2, "Findings");
    if report.findings.is_empty() {
        page.text("None.");
    }
    for (finding, like) in words::with_earlier_remedy(&report.findings) {
        one(page, finding, like);
    }
}

/// One finding; `like` is an earlier one with the same remedies, which are not repeated.
fn one(page: &mut Page, finding: &Finding, like: Option<&Finding>) {
    let severity = words::severity(finding.severity);
    page.heading(
        3,
        &format!("{severity} {}: {}", finding.code, finding.title),
    );
    if !finding.explanation.is_empty() {
        page.text(&finding.explanation);
    }
    if let Some(sure) = words::doubt(finding.confidence) {
        page.strong("How sure:", sure);
    }
    if !finding.evidence.is_empty() {
        page.strong("Evidence:", "");
        page.list(&finding.evidence.iter().map(evidence).collect::<Vec<_>>());
    }
    match like {
        Some(like) => page.strong("Fix:", &format!("as for {}", like.code)),
        None => finding.remediation.iter().for_each(|fix| remedy(page, fix)),
    }
    for url in &finding.docs {
        page.link("See", url);
    }
}

/// Unlike on a terminal, a ticket names resources in full.
fn evidence(evidence: &Evidence) -> String {
    let place = evidence
        .resource_id
        .as_ref()
        .map_or(String::new(), |id| format!(" ({id})"));
    format!("{}{place}", words::evidence(evidence))
}

fn remedy(page: &mut Page, fix: &Remediation) {
    page.strong("Fix:", &fix.summary);
    page.commands(&fix.commands);
    if !fix.side_effects.is_empty() {
        page.strong("Side effects:", "");
        page.list(&fix.side_effects);
    }
    if !fix.undo.is_empty() {
        page.strong("Undo:", "");
        page.commands(&fix.undo);
    }
}
