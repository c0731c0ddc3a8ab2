//! Findings with their evidence and the commands that mend them.

use egress_diagnosis::report::{Finding, Remediation, Severity};

use super::page::{Page, Tone};
use crate::words;

pub(super) fn list(page: &mut Page, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.heading("Findings");
    for (index, (finding, like)) in words::with_earlier_remedy(findings).enumerate() {
        if index > 0 {
            page.blank();
        }
        one(page, finding, like);
    }
}

/// One finding; `like` is an earlier one with the same remedies, which are not repeated.
fn one(page: &mut Page, finding: &Finding, like: Option<&Finding>) {
    let (word, tone) = severity(finding.severity);
    let lead = format!("{word} {}", finding.code);
    let painted = format!("  {}", page.paint(&lead, tone));
    page.badge(&painted, lead.chars().count() + 2, &finding.title);
    page.text(4, &finding.explanation);
    if let Some(sure) = words::doubt(finding.confidence) {
        page.text(4, &format!("How sure: {sure}."));
    }
    for evidence in &finding.evidence {
        let place = evidence
            .resource_id
            .as_ref()
            .map_or(String::new(), |id| format!(" ({})", id.name()));
        page.item(4, "·", &format!("{}{place}", words::evidence(evidence)));
    }
    match like {
        Some(like) => {
            let lead = format!("    {}", page.paint("fix", Tone::Good));
            page.badge(&lead, 7, &format!("as for {}", like.code));
        }
        None => finding.remediation.iter().for_each(|fix| remedy(page, fix)),
    }
    if let Some(url) = finding.docs.first() {
        page.line(4, &format!("see {url}"));
    }
}

fn remedy(page: &mut Page, fix: &Remediation) {
    let lead = format!("    {}", page.paint("fix", Tone::Good));
    page.badge(&lead, 7, &fix.summary);
    for command in &fix.commands {
        page.line(8, &format!("$ {command}"));
    }
    for effect in &fix.side_effects {
        page.item(8, "!", effect);
    }
    for undo in &fix.undo {
        page.line(8, &format!("undo: {undo}"));
    }
}

fn severity(severity: Severity) -> (&'static str, Tone) {
    let tone = match severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium | Severity::Low => Tone::Warn,
        Severity::Info => Tone::Quiet,
    };
    (words::severity(severity), tone)
}
