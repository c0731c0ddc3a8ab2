//! Documentation pages, generated from the rules themselves.

use std::fmt::Write as _;

use super::{RULES, Rule, blocks_egress};
use crate::report::Severity;

/// The severity in words.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// The documentation page of a rule, in Markdown.
pub fn page(rule: &Rule) -> String {
    let blocks = if blocks_egress(rule.code, rule.severity) {
        "yes, when critical"
    } else {
        "no"
    };
    let mut page = format!(
        "# {} {}\n\nSeverity: up to **{}** · Step: {} · Blocks egress: {blocks}\n",
        rule.code,
        rule.slug,
        word(rule.severity),
        rule.step.as_str(),
    );
    let docs = &rule.docs;
    for (heading, text) in [
        ("What it checks", docs.what),
        ("Why it matters for egress", docs.why),
        ("Evidence", docs.evidence),
        ("Fix", docs.fix),
        ("How sure", docs.how_sure),
    ] {
        let _ = write!(page, "\n## {heading}\n\n{}\n", text.trim());
    }
    page.push_str("\n## References\n\n");
    for url in docs.references {
        let _ = writeln!(page, "- <{url}>");
    }
    page
}

/// The index over all pages, in Markdown.
pub fn index() -> String {
    let mut index = String::from(
        "# Findings\n\nGenerated from the rules; one page per finding.\n\n| code | slug | severity | step |\n|---|---|---|---|\n",
    );
    for rule in RULES {
        let _ = writeln!(
            index,
            "| [{0}]({0}.md) | {1} | {2} | {3} |",
            rule.code,
            rule.slug,
            word(rule.severity),
            rule.step.as_str()
        );
    }
    index
}
