//! The report on one screen in Teams: verdict, decisive facts, top findings, the command, links.
//!
//! Every text is a `TextRun`, the one element that never reads Markdown, so no name can open a link or an image.

use egress_diagnosis::report::{
    CheckStatus, FinalState, Finding, Remediation, Report, Severity, Status, TrafficVerdict,
};
use egress_diagnosis::trace::{Trace, TracedDestination};
use serde_json::{Value, json};

use crate::clean::clean;
use crate::markdown::is_plain_https;
use crate::words;

/// Largest card. Teams refuses messages over 28 KB, what the sender wraps the card in included.
pub const MAX_CARD_BYTES: usize = 20_000;
/// What Teams and the workflows of Power Automate render everywhere.
const VERSION: &str = "1.4";
/// Longest line of words, in bytes of JSON.
const LINE: usize = 500;
/// Longest command. A longer one is left to the whole report: half a command is worse than none.
const COMMAND: usize = 1500;
const COMMANDS: usize = 3;
const FINDINGS: usize = 4;
const GAPS: usize = 2;
const TRACES: usize = 3;
const LINKS: usize = 3;

/// The report as an Adaptive Card, with the traces of a destination that was asked for. Never more than
/// [`MAX_CARD_BYTES`].
pub fn adaptive_card(report: &Report, traces: &[Trace]) -> Value {
    let mut body = vec![head(report)];
    body.extend(facts(report, traces));
    body.extend(report.findings.iter().take(FINDINGS).map(finding));
    if report.findings.len() > FINDINGS {
        let more = report.findings.len() - FINDINGS;
        body.push(line([quiet(&format!("and {more} more findings"))]));
    }
    body.extend(fix(report));
    body.extend(gaps(report));
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        // Read by clients that cannot show cards, perhaps as Markdown: no name in it.
        "fallbackText": format!("AKS egress: {}", words::status(report.verdict.status)),
        "msteams": { "width": "Full" },
        "body": body,
        "actions": links(report),
    })
}

fn head(report: &Report) -> Value {
    let verdict = &report.verdict;
    let style = match verdict.status {
        Status::Healthy => "good",
        Status::AtRisk => "warning",
        Status::Degraded | Status::Blocked => "attention",
        Status::Unknown => "emphasis",
    };
    let badge = json!({
        "type": "TextRun", "text": words::status(verdict.status), "weight": "Bolder", "size": "Large"
    });
    let name = run(
        &format!("  {}", report.cluster.name),
        json!({ "size": "Large" }),
    );
    json!({
        "type": "Container",
        "style": style,
        "bleed": true,
        "items": [line([badge, name]), line([run(&verdict.headline, json!({ "weight": "Bolder" }))])],
    })
}

fn facts(report: &Report, traces: &[Trace]) -> Vec<Value> {
    let mut facts = vec![
        ("Cluster", words::cluster(&report.cluster)),
        ("Traffic", words::outbound_type(&report.outbound)),
        ("Pattern", words::pattern(report.verdict.pattern).to_owned()),
    ];
    for trace in traces.iter().take(1) {
        let names: Vec<String> = trace
            .destinations
            .iter()
            .map(TracedDestination::label)
            .collect();
        let states = trace.paths.iter().take(TRACES).map(|path| {
            let state = words::final_state(path.final_state).to_lowercase();
            format!("{state} from {}", path.node_pools.join(", "))
        });
        let states: Vec<String> = states.collect();
        facts.push(("To", format!("{}: {}", names.join(", "), states.join("; "))));
    }
    let dropped = report
        .outbound
        .paths
        .iter()
        .filter(|p| p.final_state == FinalState::Dropped)
        .count();
    if dropped > 0 {
        let all = report.outbound.paths.len();
        facts.push(("Paths", format!("{dropped} of {all} end in a drop")));
    }
    let items = &report.egress_endpoints.items;
    let blocked = items
        .iter()
        .filter(|item| {
            matches!(
                item.verdict,
                TrafficVerdict::Blocked | TrafficVerdict::Partial
            )
        })
        .count();
    if blocked > 0 {
        facts.push((
            "Endpoints",
            format!("{blocked} of {} needed ones are not allowed", items.len()),
        ));
    }
    if words::snat_device(report.snat.device).is_some() {
        let used = report.snat.utilization_peak;
        let used = used.map_or(String::new(), |share| {
            format!("; {:.0} % in use at the peak", share * 100.0)
        });
        let failed = words::failed_connections(&report.snat);
        facts.push(("SNAT", format!("failed connections: {failed}{used}")));
    }
    let open = report
        .checks
        .iter()
        .filter(|c| c.status == CheckStatus::Unknown)
        .count();
    if open > 0 {
        facts.push((
            "Open",
            format!("{open} of {} checks have no answer", report.checks.len()),
        ));
    }
    facts.push((
        "Window",
        format!("{} to {}", report.window.start, report.window.end),
    ));
    facts
        .iter()
        .map(|(name, value)| {
            let name =
                json!({ "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" });
            tight(line([name, run(value, json!({}))]))
        })
        .collect()
}

fn finding(finding: &Finding) -> Value {
    let color = match finding.severity {
        Severity::Critical | Severity::High => "Attention",
        Severity::Medium | Severity::Low => "Warning",
        Severity::Info => "Default",
    };
    let lead = format!("{} {}", words::severity(finding.severity), finding.code);
    let doubt = words::doubt(finding.confidence).map_or(String::new(), |sure| format!(" ({sure})"));
    line([
        run(&lead, json!({ "weight": "Bolder", "color": color })),
        run(&format!("  {}{doubt}", finding.title), json!({})),
    ])
}

/// The first remedy that there is, with its commands.
fn fix(report: &Report) -> Vec<Value> {
    let first = report
        .findings
        .iter()
        .find_map(|f| Some((f, f.remediation.first()?)));
    let Some((finding, remedy)) = first else {
        return Vec::new();
    };
    let lead = run(
        &format!("Fix for {}: ", finding.code),
        json!({ "weight": "Bolder" }),
    );
    let mut lines = vec![line([lead, run(&remedy.summary, json!({}))])];
    lines.extend(commands(remedy));
    lines.extend(
        remedy
            .side_effects
            .iter()
            .take(2)
            .map(|effect| tight(line([quiet(&format!("! {effect}"))]))),
    );
    lines
}

/// The commands whole, or a word on where they are.
fn commands(remedy: &Remediation) -> Vec<Value> {
    let whole = |command: &String| harmless(command) == *command && encoded(command) <= COMMAND;
    if remedy.commands.len() > COMMANDS || !remedy.commands.iter().all(whole) {
        return vec![tight(line([quiet(
            "The commands are in the whole report.",
        )]))];
    }
    let shown = |command: &String| {
        let text = json!({ "type": "TextRun", "text": command, "fontType": "Monospace" });
        tight(line([text]))
    };
    remedy.commands.iter().map(shown).collect()
}

fn gaps(report: &Report) -> Vec<Value> {
    let shown = report.gaps.iter().take(GAPS).map(|gap| {
        let needs = gap
            .needs
            .as_ref()
            .map_or(String::new(), |n| format!("; needs {}", words::needs(n)));
        let text = format!("Could not read {}: {}{needs}", gap.what, words::gap(gap));
        line([quiet(&text)])
    });
    shown.collect()
}

/// The documentation of the findings shown.
fn links(report: &Report) -> Vec<Value> {
    let mut known: Vec<&str> = Vec::new();
    let mut links = Vec::new();
    for finding in report.findings.iter().take(FINDINGS) {
        let Some(url) = finding
            .docs
            .first()
            .filter(|url| is_plain_https(url) && url.len() <= LINE)
        else {
            continue;
        };
        if links.len() < LINKS && !known.contains(&url.as_str()) {
            known.push(url);
            let title = shortened(&format!("About {}", finding.code), 40);
            links.push(json!({ "type": "Action.OpenUrl", "title": title, "url": url }));
        }
    }
    links
}

fn line<const N: usize>(inlines: [Value; N]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": Vec::from(inlines) })
}

/// The line without the space above it.
fn tight(mut line: Value) -> Value {
    if let Value::Object(members) = &mut line {
        members.insert("spacing".to_owned(), json!("Small"));
    }
    line
}

fn quiet(text: &str) -> Value {
    run(text, json!({ "isSubtle": true, "size": "Small" }))
}

/// Any text, in a look.
fn run(text: &str, mut look: Value) -> Value {
    if let Value::Object(members) = &mut look {
        members.insert("type".to_owned(), json!("TextRun"));
        members.insert("text".to_owned(), json!(shortened(text, LINE)));
    }
    look
}

/// Text without control characters, and without the two functions that cards expand anywhere: `{{DATE(…)}}` and `${…}`.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        if c == '{' && out.ends_with(['{', '$']) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The start of the text that takes at most `bytes` of JSON.
fn shortened(text: &str, bytes: usize) -> String {
    let text = harmless(text);
    if encoded(&text) <= bytes {
        return text;
    }
    let mut length = '…'.len_utf8();
    let fits = |c: &char| {
        length += encoded(c.encode_utf8(&mut [0; 4]));
        length <= bytes
    };
    let start: String = text.chars().take_while(fits).collect();
    format!("{start}…")
}

/// Bytes of the text inside JSON. Control characters are gone by then: only two marks grow.
fn encoded(text: &str) -> usize {
    text.len() + text.matches(['"', '\\']).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_its_size_in_json() {
        for text in ["\"".repeat(900), "😀".repeat(900), "\\\"a".repeat(300)] {
            let cut = shortened(&text, LINE);
            let json = serde_json::to_string(&cut).unwrap().len() - 2;
            assert!(json <= LINE && json > LINE - 8, "{json}");
            assert!(cut.ends_with('…'));
        }
        assert_eq!(shortened("short", LINE), "short");
    }

    #[test]
    fn functions_of_cards_and_templates_are_broken() {
        assert_eq!(
            harmless("{{DATE(2026-01-01,SHORT)}} ${x}"),
            "{ {DATE(2026-01-01,SHORT)}} $ {x}"
        );
        assert_eq!(harmless("{{{{ $${{"), "{ { { { $$ { {");
    }
}
