//! What an Azure Firewall's rules do with a destination (R5.1–R5.21).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Destination;
use super::cause::Blame;
use super::report::{TraceStep, TraceStepKind};
use crate::context::Context;
use crate::facts::{AzureFirewall, Datum, Id};
use crate::network::firewall::{Caveat, FirewallPart, FirewallRules, RuleName, Stage};
use crate::network::{AddressSet, Decision, Doubt, Outcome};
use crate::report::DecidedBy;
use crate::rules::inspection;

/// The rules of every firewall that was read, ready for questions.
pub(super) fn rules(ctx: &Context<'_>) -> BTreeMap<Id, Rc<FirewallRules>> {
    let firewalls = ctx.facts.firewalls.values().filter_map(Datum::as_known);
    firewalls
        .map(|firewall| (firewall.id.clone(), inspection::rules_of(ctx, firewall)))
        .collect()
}

/// A firewall's answer.
pub(super) struct Answer {
    pub(super) step: TraceStep,
    pub(super) outcome: Outcome,
    /// The rule that decides.
    pub(super) by: DecidedBy,
    pub(super) blame: Blame,
    pub(super) notes: Vec<String>,
    /// Application rules decide, whose traffic the firewall proxies with an address of its own (R5.19).
    pub(super) proxied: bool,
}

/// What the rules do with packets from these sources. A destination whose protocol is not known is decided only when it
/// does not matter.
pub(super) fn answer(
    firewall: &AzureFirewall,
    rules: &FirewallRules,
    sources: &AddressSet,
    destination: &Destination,
) -> Answer {
    let flows = destination.flows();
    let parts: Vec<FirewallPart<'_>> = flows
        .iter()
        .flat_map(|flow| rules.evaluate(sources, &destination.target(*flow)))
        .collect();
    let (outcome, why) = settle(&parts, flows.len());
    let first = parts
        .iter()
        .find(|part| part.decision.outcome == outcome)
        .or(parts.first());
    let rule = first.map(|part| part.decision.by);
    let at = rule.and_then(|rule| rule.group.as_ref().or(rule.policy.as_ref()));
    let by = DecidedBy {
        resource_id: Some(at.unwrap_or(&firewall.id).clone()),
        rule: rule
            .filter(|rule| outcome != Outcome::Undecidable && !rule.is_implicit())
            .map(|rule| rule.rule.clone()),
        priority: rule.and_then(|rule| rule.collection_priority),
    };
    let denied_host = destination.host().filter(|_| outcome == Outcome::Denied);
    Answer {
        step: TraceStep {
            kind: TraceStepKind::Firewall,
            resource_id: Some(firewall.id.clone()),
            decision: match outcome {
                Outcome::Allowed => "allowed",
                Outcome::Denied => "denied",
                Outcome::Undecidable => "unknown",
            }
            .to_owned(),
            why,
        },
        outcome,
        by,
        blame: denied_host.map_or(Blame::Nothing, |host| Blame::Part {
            families: &["FWL"],
            resource: None,
            name: format!("{host}:{}", destination.port),
        }),
        notes: notes(&parts, destination, outcome, rules),
        proxied: parts
            .iter()
            .all(|part| part.decision.by.stage == Stage::Application),
    }
}

fn settle(parts: &[FirewallPart<'_>], flows: usize) -> (Outcome, String) {
    let open = parts
        .iter()
        .find(|part| part.decision.outcome == Outcome::Undecidable);
    if let Some(open) = open {
        return (Outcome::Undecidable, open_words(&open.decision));
    }
    let mut words: Vec<String> = Vec::new();
    for part in parts {
        let word = rule_words(part.decision.by, part.decision.outcome);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let words = words.join("; ");
    let all = |wanted| parts.iter().all(|part| part.decision.outcome == wanted);
    if parts.is_empty() {
        (
            Outcome::Undecidable,
            "the addresses that send are not known".to_owned(),
        )
    } else if all(Outcome::Allowed) {
        (Outcome::Allowed, words)
    } else if all(Outcome::Denied) {
        (Outcome::Denied, words)
    } else if flows > 1 {
        (
            Outcome::Undecidable,
            format!(
                "it depends on what is spoken on this port, or on the address that sends: {words}"
            ),
        )
    } else {
        (
            Outcome::Undecidable,
            format!("it depends on the address that sends: {words}"),
        )
    }
}

/// `application rule aks of collection egress-rules (priority 300) in group egress (priority 200) allows it`
fn rule_words(rule: &RuleName, outcome: Outcome) -> String {
    let verb = match outcome {
        Outcome::Allowed => "allows",
        Outcome::Denied => "denies",
        Outcome::Undecidable => "may decide",
    };
    let kind = match rule.stage {
        Stage::Implicit if outcome == Outcome::Allowed => {
            return "the built-in collection of platform hosts allows it".to_owned();
        }
        Stage::Implicit => return "no rule allows it".to_owned(),
        Stage::Nat => "DNAT",
        Stage::Network => "network",
        Stage::Application => "application",
    };
    format!("{kind} {} {verb} it", inspection::rule_label(rule))
}

/// Why a decision is open, by the first rule that may come before the one that decides.
fn open_words(decision: &Decision<&RuleName>) -> String {
    let otherwise = rule_words(decision.by, decision.otherwise);
    let Some(open) = decision
        .open
        .iter()
        .find(|o| o.outcome != decision.otherwise)
    else {
        return otherwise;
    };
    let doubt = open.doubts.first().map_or_else(String::new, Doubt::words);
    let rule = if open.rule.is_implicit() {
        doubt
    } else {
        format!(
            "{}, if it matches: {doubt}",
            rule_words(open.rule, open.outcome)
        )
    };
    format!("{rule}; else {otherwise}")
}

fn notes(
    parts: &[FirewallPart<'_>],
    destination: &Destination,
    outcome: Outcome,
    rules: &FirewallRules,
) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut add = |text: String| {
        if !notes.contains(&text) {
            notes.push(text);
        }
    };
    for caveat in parts.iter().flat_map(|part| &part.caveats) {
        add(match caveat {
            Caveat::ThreatIntelligence => {
                "the firewall's threat intelligence drops what it knows as malicious before any rule (R5.1)".to_owned()
            }
            Caveat::FqdnTagContents(tag) => {
                format!("the documented hosts of FQDN tag {tag} are used; the firewall's own list may differ (R5.14)")
            }
            Caveat::FirewallAsDns => {
                "it holds only for clients that use the firewall as their DNS server (R5.13)".to_owned()
            }
        });
    }
    if rules.threat_intel_denies() && outcome == Outcome::Allowed {
        add("the firewall's threat intelligence drops what it knows as malicious before any rule (R5.1)".to_owned());
    }
    if destination.address().is_some() && outcome == Outcome::Denied {
        add("this is about calls to the address itself: application rules look at the host name that a client calls (R5.10), so ask with the name as well".to_owned());
    }
    if outcome == Outcome::Denied {
        add("a TCP connection to it may come up all the same, answered by the firewall itself (R5.17)".to_owned());
    }
    notes
}
