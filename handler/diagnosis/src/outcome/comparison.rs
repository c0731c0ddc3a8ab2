//! Whether an observation fits what the analysis says of each pool's path.

use serde::Serialize;
use utoipa::ToSchema;

use super::analysis::{Analysis, PoolPath};
use super::observation::Observation;
use super::symptom::{Reach, Symptom};
use crate::report::{Pattern, TrafficVerdict};

/// Whether observation and analysis fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Agreement {
    /// The observation is what the analysis predicts.
    Agrees,
    /// They cannot both be right.
    Contradicts,
    /// The observation decides nothing about it.
    Undecided,
}

/// The comparison for some pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolComparison {
    /// Agent pools.
    pub node_pools: Vec<String>,
    /// The analysis' verdict.
    pub verdict: TrafficVerdict,
    /// Whether they fit.
    pub agreement: Agreement,
    /// Why.
    pub why: String,
    /// Code of the finding that explains the observation.
    pub finding: Option<String>,
}

/// Compares with the observing pool's path, or with every path when no pool is named.
pub(super) fn compare(
    symptom: &Symptom,
    seen: &Observation,
    analysis: &Analysis,
) -> Vec<PoolComparison> {
    analysis
        .paths
        .iter()
        .filter(|path| {
            seen.node_pool
                .as_ref()
                .is_none_or(|pool| path.node_pools.contains(pool))
        })
        .map(|path| {
            let (agreement, why) = judge(symptom, seen, analysis, path);
            let explains =
                agreement == Agreement::Agrees && path.verdict == TrafficVerdict::Blocked;
            let blocker = path.blocked_by.as_ref().filter(|_| explains);
            PoolComparison {
                node_pools: path.node_pools.clone(),
                verdict: path.verdict,
                agreement,
                why,
                finding: blocker.map(|f| f.code.clone()),
            }
        })
        .collect()
}

/// Over all compared paths. Without a pool's name an observation that fits one pool fits the analysis.
pub(super) fn overall(comparisons: &[PoolComparison]) -> Agreement {
    let any = |wanted| comparisons.iter().any(|c| c.agreement == wanted);
    if any(Agreement::Agrees) {
        Agreement::Agrees
    } else if any(Agreement::Undecided) || comparisons.is_empty() {
        Agreement::Undecided
    } else {
        Agreement::Contradicts
    }
}

/// How a blocker shows itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Packets vanish.
    Silent,
    /// Names do not resolve.
    Name,
    /// A firewall resets TLS, answers HTTP itself, or drops, by kind of rule.
    Firewall,
    /// Not known.
    Unknown,
}

fn effect(path: &PoolPath) -> Effect {
    let Some(finding) = &path.blocked_by else {
        return match &path.dropped_by {
            Some(drop) if drop.firewall => Effect::Firewall,
            Some(_) => Effect::Silent,
            None => Effect::Unknown,
        };
    };
    match finding.code.as_str() {
        "NSG102" | "NSG104" | "DNS102" => Effect::Name,
        "FWL108" | "FWL109" | "FWL112" | "FWL114" | "FWL118" => Effect::Firewall,
        "API101" | "FWL101" | "FWL102" | "FWL103" | "FWL104" | "FWL106" | "FWL107" | "FWL111" => {
            Effect::Silent
        }
        code if ["NSG", "UDR", "OUT", "NAT"]
            .iter()
            .any(|family| code.starts_with(family)) =>
        {
            Effect::Silent
        }
        _ => Effect::Unknown,
    }
}

fn judge(
    symptom: &Symptom,
    seen: &Observation,
    analysis: &Analysis,
    path: &PoolPath,
) -> (Agreement, String) {
    let (agreement, why) = match path.verdict {
        // The verdict is about the direct path, and the answer took another.
        _ if symptom.reach == Reach::Answered && analysis.http_proxy == Some(true) => (
            Agreement::Undecided,
            "the answer came through the HTTP proxy: the direct path was not tried",
        ),
        TrafficVerdict::Blocked => return judge_blocked(symptom, seen, analysis, path),
        TrafficVerdict::Allowed => judge_allowed(symptom, seen, analysis),
        TrafficVerdict::Partial => (
            Agreement::Undecided,
            "the analysis finds a part of the destination blocked; the observation does not say which part it met",
        ),
        TrafficVerdict::Unknown => (
            Agreement::Undecided,
            "the analysis has no verdict on this destination",
        ),
    };
    (agreement, why.to_owned())
}

fn judge_blocked(
    symptom: &Symptom,
    seen: &Observation,
    analysis: &Analysis,
    path: &PoolPath,
) -> (Agreement, String) {
    let effect = effect(path);
    let no_device = analysis.device_on_path() == Some(false);
    let is_candidate = path.blocked_by.as_ref().is_some_and(|finding| {
        let mut candidates = symptom.candidates.iter();
        candidates.any(|c| c.codes.contains(&finding.code.as_str()))
    });
    let agreement = match (symptom.reach, effect) {
        // A blocker fails each time (R8.1).
        (Reach::Silent, Effect::Silent | Effect::Firewall)
            if seen.pattern != Pattern::Intermittent =>
        {
            Agreement::Agrees
        }
        (Reach::Connected, Effect::Firewall)
            if symptom_is(symptom, &["curl 35", "curl 52", "curl 55", "curl 56"]) =>
        {
            Agreement::Agrees
        }
        (Reach::Device, Effect::Firewall)
            if symptom.label != "HTTP 407" && symptom.label.starts_with("HTTP 4") =>
        {
            Agreement::Agrees
        }
        (Reach::Name, Effect::Name) => Agreement::Agrees,
        // A route may leave the node without a way; a security group drops in silence.
        (Reach::NoRoute, _) if is_candidate => Agreement::Agrees,
        (Reach::Answered, _) => Agreement::Contradicts,
        // Behind a device the connection may be the device's own (R5.17); without one it reached the destination.
        (Reach::Refused | Reach::Connected | Reach::Forgeable, Effect::Silent) if no_device => {
            Agreement::Contradicts
        }
        _ => Agreement::Undecided,
    };
    let blocker = match (&path.blocked_by, &path.dropped_by) {
        (Some(finding), _) => format!("{}: {}", finding.code, finding.title),
        (None, Some(drop)) => drop.why.clone(),
        (None, None) => "a block that no finding names".to_owned(),
    };
    let why = match agreement {
        Agreement::Agrees => format!(
            "{} from {} is what this does: {blocker}",
            symptom.label,
            pools(path)
        ),
        Agreement::Contradicts => format!(
            "{} means that packets came through, and the analysis says that they do not ({blocker})",
            symptom.label
        ),
        Agreement::Undecided => format!(
            "the analysis finds the destination blocked ({blocker}); {} neither proves nor refutes it",
            symptom.label
        ),
    };
    (agreement, why)
}

fn judge_allowed(
    symptom: &Symptom,
    seen: &Observation,
    analysis: &Analysis,
) -> (Agreement, &'static str) {
    let no_device = analysis.device_on_path() == Some(false);
    match symptom.reach {
        Reach::Answered => (
            Agreement::Agrees,
            "the analysis finds the path open, and it is",
        ),
        Reach::Silent if seen.pattern == Pattern::Persistent => (
            Agreement::Contradicts,
            "nothing that the analysis read drops these packets, and yet no answer comes: the drop lies outside of what \
             was read, or at the destination",
        ),
        Reach::NoRoute => (
            Agreement::Contradicts,
            "the analysis finds a route and the node has none",
        ),
        Reach::Device if symptom_is(symptom, &["HTTP 407", "curl 97"]) => (
            Agreement::Undecided,
            "a proxy answered: the path behind it was not tried",
        ),
        Reach::Device if symptom.label.ends_with("proxy") => (
            Agreement::Undecided,
            "a proxy answered: the path behind it was not tried",
        ),
        Reach::Device => (
            Agreement::Contradicts,
            "a firewall denied what the analysis finds allowed: its rules or its log outrank the list (R1.11)",
        ),
        Reach::Refused | Reach::Connected | Reach::Forgeable if no_device => (
            Agreement::Agrees,
            "the analysis finds the path open and packets came through: what failed lies beyond the path",
        ),
        Reach::Name => (
            Agreement::Undecided,
            "the name was not resolved, so the path was not tried",
        ),
        Reach::Silent => (
            Agreement::Undecided,
            "the analysis finds the path open; a failure now and then is no matter of rules and routes",
        ),
        Reach::Nothing | Reach::Refused | Reach::Connected | Reach::Forgeable => (
            Agreement::Undecided,
            "the observation does not tell the destination from a device on the way",
        ),
    }
}

fn symptom_is(symptom: &Symptom, labels: &[&str]) -> bool {
    labels.contains(&symptom.label.as_str())
}

fn pools(path: &PoolPath) -> String {
    match path.node_pools.as_slice() {
        [one] => format!("pool {one}"),
        several => format!("pools {}", several.join(", ")),
    }
}
