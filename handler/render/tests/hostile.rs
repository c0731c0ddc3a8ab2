//! Reports whose every string is hostile, in the formats that a reader's program interprets.

use std::collections::BTreeSet;

use egress_diagnosis::diagnose;
use egress_diagnosis::facts::{Facts, Id};
use egress_diagnosis::report::Report;
use egress_diagnosis::testing::*;
use egress_diagnosis::trace::{Destination, Trace, trace};
use egress_render::{MAX_CARD_BYTES, adaptive_card, markdown};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use serde_json::Value;

fn all_facts() -> Vec<Facts> {
    let mut exhausted = load_balancer();
    let id = lb_id();
    set_metric(
        &mut exhausted,
        &id,
        "SnatConnectionCount",
        connections("Failed", &[42.0, 7.0]),
    );
    set_metric(
        &mut exhausted,
        &id,
        "UsedSnatPorts",
        port_series(&[(NODE_1, &[1024.0])]),
    );
    let mut unassociated = nat_gateway();
    subnet_mut(&mut unassociated, "user").nat_gateway_id = None;
    let mut denying = load_balancer();
    deny_internet(&mut denying, "nodes", "443");
    let mut unreadable = load_balancer();
    unreadable.load_balancer = denied("Microsoft.Network/loadBalancers/read");
    vec![
        exhausted,
        unassociated,
        denying,
        unreadable,
        firewalled(),
        firewall_routing(),
    ]
}

/// Puts a piece of text into strings.
struct Poison<'a>(&'a str);

impl Poison<'_> {
    fn one(&self, text: &mut String) {
        *text = format!("{0}{text}{0}", self.0);
    }

    fn each<'s>(&self, texts: impl IntoIterator<Item = &'s mut String>) {
        texts.into_iter().for_each(|text| self.one(text));
    }

    fn ids<'s>(&self, ids: impl IntoIterator<Item = &'s mut Id>) {
        ids.into_iter()
            .for_each(|id| *id = Id::new(format!("{id}/{}", self.0)));
    }
}

/// The report with a piece of text put into each of its strings; what is a number or an enum stays.
fn poisoned(mut report: Report, with: &str) -> Report {
    let p = Poison(with);
    let cluster = &mut report.cluster;
    p.each([&mut cluster.name, &mut cluster.resource_group]);
    p.ids([&mut cluster.id]);
    p.each(&mut cluster.location);
    p.each(&mut cluster.kubernetes_version);
    p.each(&mut cluster.network_plugin);
    p.each(&mut cluster.network_plugin_mode);
    p.each(
        cluster
            .node_pools
            .iter_mut()
            .flatten()
            .map(|pool| &mut pool.name),
    );
    p.one(&mut report.verdict.headline);
    p.each(&mut report.verdict.pattern_evidence);
    p.each(&mut report.next_steps);
    poison_paths(&mut report, &p);
    poison_endpoints(&mut report, &p);
    poison_snat(&mut report, &p);
    poison_findings(&mut report, &p);
    for check in &mut report.checks {
        p.each([&mut check.id, &mut check.step]);
        p.each(&mut check.reason);
    }
    for gap in &mut report.gaps {
        p.one(&mut gap.what);
        p.each(&mut gap.error_code);
        p.each(&mut gap.checks);
        if let Some(needs) = &mut gap.needs {
            p.one(&mut needs.action);
            p.each(&mut needs.scope);
        }
    }
    report
}

fn poison_paths(report: &mut Report, p: &Poison<'_>) {
    p.each(&mut report.outbound.declared_type);
    for path in &mut report.outbound.paths {
        p.each(&mut path.node_pools);
        p.ids(&mut path.subnet_id);
        p.one(&mut path.next_hop.hop_type);
        p.each(&mut path.next_hop.ip_address);
        p.each(path.device.iter_mut().map(|device| &mut device.name));
        p.each(path.public_ips.iter_mut().flatten());
        p.each(&mut path.cause);
        for step in &mut path.steps {
            p.ids(&mut step.resource_id);
            p.each([&mut step.decision, &mut step.why]);
        }
    }
}

fn poison_endpoints(report: &mut Report, p: &Poison<'_>) {
    p.each(&mut report.egress_endpoints.notes);
    for item in &mut report.egress_endpoints.items {
        p.each([&mut item.category, &mut item.domain_name]);
        p.each(&mut item.protocol);
        for pool in &mut item.by_pool {
            p.each(&mut pool.node_pools);
            p.one(&mut pool.why);
        }
    }
}

fn poison_snat(report: &mut Report, p: &Poison<'_>) {
    for backend in &mut report.snat.backends {
        p.one(&mut backend.ip_address);
        backend.node = Some(format!("x{}", p.0));
        backend.node_pool = Some(format!("x{}", p.0));
    }
    if let Some(advice) = &mut report.snat.recommendation {
        p.each([&mut advice.summary, &mut advice.why]);
        p.each(&mut advice.commands);
        p.each(&mut advice.side_effects);
        for other in &mut advice.alternatives {
            p.each([&mut other.summary, &mut other.trade_off]);
            p.each(&mut other.commands);
        }
    }
}

fn poison_findings(report: &mut Report, p: &Poison<'_>) {
    for finding in &mut report.findings {
        p.each([
            &mut finding.code,
            &mut finding.title,
            &mut finding.explanation,
        ]);
        for evidence in &mut finding.evidence {
            p.one(&mut evidence.text);
            p.each(&mut evidence.value);
            p.ids(&mut evidence.resource_id);
        }
        for fix in &mut finding.remediation {
            p.one(&mut fix.summary);
            p.each(&mut fix.commands);
            p.each(&mut fix.side_effects);
            p.each(&mut fix.undo);
        }
        finding.docs.push(format!("x{}", p.0));
    }
}

fn traces(facts: &Facts, report: &Report) -> Vec<Trace> {
    let destination: Option<Destination> = "example.com".parse().ok();
    destination
        .iter()
        .map(|to| trace(facts, report, to))
        .collect()
}

/// What a document consists of, without its words.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    blocks: Vec<String>,
    links: BTreeSet<String>,
}

/// Everything that opens something in the document, in order.
fn shape(markdown: &str) -> Shape {
    let mut blocks = Vec::new();
    let mut links = BTreeSet::new();
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                links.insert(dest_url.to_string());
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                blocks.push(format!("code {language}"));
            }
            Event::Start(tag) => blocks.push(format!("{tag:?}")),
            Event::Text(_) | Event::Code(_) | Event::End(_) => {}
            other => blocks.push(format!("{other:?}")),
        }
    }
    Shape { blocks, links }
}

/// Every line of a Mermaid picture is one of ours.
fn pictures_are_plain(markdown: &str) -> bool {
    let mut inside = false;
    markdown.lines().all(|line| {
        if line.starts_with("```") {
            inside = line == "```mermaid";
            return true;
        }
        !inside
            || line == "flowchart LR"
            || line.starts_with("  style n")
            || (line.starts_with("  n0 -") && !line.contains('['))
            || line
                .trim_start()
                .strip_prefix('n')
                .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
                .and_then(|rest| rest.strip_prefix("[\"")?.strip_suffix("\"]"))
                .is_some_and(|label| {
                    !label.contains(['"', '`', '<', '>', '%', '{', '[', ']', '\\'])
                })
    })
}

fn elements<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            found.push(value);
            members.values().for_each(|member| elements(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| elements(item, found)),
        _ => {}
    }
}

fn check(facts: &Facts, with: &str) {
    let report = diagnose(facts);
    let traces = traces(facts, &report);
    let plain = shape(&markdown(&poisoned(report.clone(), "x"), &traces));
    let poisoned = poisoned(report, with);
    let ticket = markdown(&poisoned, &traces);
    assert_eq!(shape(&ticket), plain, "{ticket}");
    assert!(pictures_are_plain(&ticket), "{ticket}");
    assert!(!ticket.contains(|c: char| c.is_control() && c != '\n'));

    let card = adaptive_card(&poisoned, &traces);
    let bytes = card.to_string().len();
    assert!(bytes <= MAX_CARD_BYTES, "{bytes}");
    let mut found = Vec::new();
    elements(&card, &mut found);
    for element in found {
        let kind = element["type"].as_str();
        assert!(
            matches!(
                kind,
                None | Some(
                    "AdaptiveCard" | "Container" | "RichTextBlock" | "TextRun" | "Action.OpenUrl"
                )
            ),
            "{kind:?} reads Markdown"
        );
        if let Some(url) = element["url"].as_str() {
            assert!(url.starts_with("https://learn.microsoft.com/"), "{url}");
        }
        let text = element["text"].as_str().unwrap_or_default();
        assert!(
            !text.contains(char::is_control) && !text.contains("{{"),
            "{text}"
        );
    }
}

#[test]
fn known_tricks_open_nothing() {
    let tricks = [
        "[x](https://evil.example)",
        "![x](https://evil.example/x.png)",
        "<script>alert(1)</script>",
        "<https://evil.example>",
        "\n\n# heading\n\n",
        "\n```\n<b>\n```mermaid\n",
        "``` `` `",
        "|||",
        "\\|\\\\|",
        "\"]\n  click n0 \"https://evil.example\"\n",
        "%%{init: {\"securityLevel\": \"loose\"}}%%",
        "{{DATE(2026-01-01T00:00:00Z,SHORT)}}",
        "\u{202e}\u{1b}[2J\u{0}",
        "\n---\n",
        "- [ ] 1. > ",
        "[^1]: x",
        "$$x$$ ~~y~~ ==z==",
        "&#60;b&#62;",
    ];
    for facts in all_facts() {
        for trick in tricks {
            check(&facts, trick);
        }
    }
}

#[test]
fn a_card_of_endless_strings_keeps_its_size_and_whole_commands() {
    for facts in all_facts() {
        check(&facts, &"\"\\😀".repeat(3000));
        let report = diagnose(&facts);
        let first = report.findings.iter().find_map(|f| f.remediation.first());
        let shown = adaptive_card(&report, &[]).to_string();
        for command in first.iter().flat_map(|fix| &fix.commands) {
            let quoted = Value::from(command.as_str()).to_string();
            let whole = shown.contains(quoted.trim_matches('"'));
            assert!(
                whole || shown.contains("The commands are in the whole report."),
                "{command}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_string_opens_anything(with in "([!-~]{0,6}|[`|\\[\\]<>(){}#*_\\\\\n\" -]{0,10}|\\PC{0,4}){0,3}", index in 0_usize..6) {
        let facts = all_facts();
        check(&facts[index], &with);
    }
}
