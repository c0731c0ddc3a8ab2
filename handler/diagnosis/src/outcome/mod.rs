//! Reads a curl exit code or HTTP status in the light of the analysis (section 8).

mod analysis;
mod candidates;
mod comparison;
mod context;
mod observation;
mod symptom;
#[cfg(test)]
mod tests;

pub use analysis::{Analysis, DroppedBy, KnownFinding, PoolPath};
pub use candidates::CauseKind;
pub use comparison::{Agreement, PoolComparison};
pub use observation::{Observation, ObservationError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoints::bootstrap_exit;
use crate::order::Order as _;
use crate::report::{Confidence, Pattern, TrafficVerdict};
use candidates::{Candidate, Timing};
use symptom::{Reach, Symptom};

/// What an observation means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The code or status that was read, e.g. `curl 28`.
    pub observed: String,
    /// Whether this version knows it.
    pub known: bool,
    /// What it means by itself.
    pub meaning: String,
    /// What it proves about the path; empty when nothing.
    pub proves: Vec<String>,
    /// Whether it fits the analysis.
    pub agreement: Agreement,
    /// The same per group of pools; empty when the destination was not evaluated.
    pub comparisons: Vec<PoolComparison>,
    /// What may be behind it, likeliest first.
    pub causes: Vec<Cause>,
    /// What is not behind it, and why.
    pub ruled_out: Vec<String>,
    /// What would tell the causes apart, those about the likeliest first.
    pub tell_apart: Vec<TellApart>,
    /// What else to know when reading it.
    pub notes: Vec<String>,
}

/// Something to run, and the causes that its result speaks for or against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TellApart {
    /// A command or step.
    pub run: String,
    /// Kinds of the causes it is about.
    pub about: Vec<CauseKind>,
}

/// A possible cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// In words.
    pub summary: String,
    /// How sure.
    pub confidence: Confidence,
    /// What speaks for it; empty when nothing but the symptom does.
    pub evidence: Vec<String>,
    /// Code of the finding that it is.
    pub finding: Option<String>,
    /// What to run next.
    pub next: Vec<String>,
}

/// Reads an observation.
///
/// # Errors
/// [`ObservationError`] when nothing was given, or values that one request cannot have.
pub fn read(observation: &Observation, analysis: &Analysis) -> Result<Reading, ObservationError> {
    let symptom = symptom::symptom(observation.seen()?, observation);
    let comparisons = comparison::compare(&symptom, observation, analysis);
    let blockers = blockers(&symptom, &comparisons, analysis);
    let mut causes = Vec::new();
    let mut ruled_out = Vec::new();
    for candidate in symptom.candidates {
        match weigh(candidate, observation, analysis) {
            // The blocker itself says it better.
            Ok(_) if blockers.iter().any(|b| is_same(b, candidate)) => {}
            Ok(cause) => causes.push(cause),
            Err(reason) => ruled_out.push(format!("{}: {reason}", candidate.summary)),
        }
    }
    causes.splice(0..0, blockers);
    // Stable: the tables' own order decides between equals.
    causes.order_by_key(|cause| doubt(cause.confidence));
    Ok(Reading {
        tell_apart: tell_apart(&causes),
        known: symptom.known,
        meaning: symptom.meaning.to_owned(),
        proves: proves(&symptom, analysis),
        agreement: comparison::overall(&comparisons),
        notes: notes(&symptom, observation, analysis, &comparisons),
        observed: symptom.label,
        comparisons,
        causes,
        ruled_out,
    })
}

/// The blockers of the analysis that predict the observation. As certain as the finding when every compared path is
/// blocked by one; otherwise the observation may come from a pool that is not, and it is likely at most.
fn blockers(symptom: &Symptom, comparisons: &[PoolComparison], analysis: &Analysis) -> Vec<Cause> {
    let all = comparisons
        .iter()
        .all(|c| c.verdict == TrafficVerdict::Blocked && c.agreement == Agreement::Agrees);
    let mut causes: Vec<Cause> = Vec::new();
    for comparison in comparisons {
        let finding = analysis
            .paths
            .iter()
            .filter(|path| path.node_pools == comparison.node_pools)
            .filter_map(|path| path.blocked_by.as_ref())
            .find(|f| Some(&f.code) == comparison.finding.as_ref());
        let Some(finding) = finding else {
            causes.extend(unnamed(comparison, analysis, all));
            continue;
        };
        if let Some(cause) = causes
            .iter_mut()
            .find(|c| c.finding.as_ref() == Some(&finding.code) && c.summary == finding.title)
        {
            cause.evidence.push(comparison.why.clone());
            continue;
        }
        let kind = symptom
            .candidates
            .iter()
            .find(|c| c.codes.contains(&finding.code.as_str()))
            .map_or(CauseKind::Blocker, |c| c.kind);
        causes.push(Cause {
            kind,
            summary: finding.title.clone(),
            confidence: if all || doubt(finding.confidence) > doubt(Confidence::Likely) {
                finding.confidence
            } else {
                Confidence::Likely
            },
            evidence: vec![comparison.why.clone()],
            finding: Some(finding.code.clone()),
            next: vec![format!(
                "apply the remediation of {}, then try again",
                finding.code
            )],
        });
    }
    causes
}

/// A blocker that the analysis found for this destination, and that no finding is about.
fn unnamed(comparison: &PoolComparison, analysis: &Analysis, all: bool) -> Option<Cause> {
    if comparison.verdict != TrafficVerdict::Blocked || comparison.agreement != Agreement::Agrees {
        return None;
    }
    let drop = analysis
        .paths
        .iter()
        .find(|path| path.node_pools == comparison.node_pools && path.blocked_by.is_none())?
        .dropped_by
        .as_ref()?;
    Some(Cause {
        kind: CauseKind::Blocker,
        summary: drop.why.clone(),
        confidence: if all {
            Confidence::Certain
        } else {
            Confidence::Likely
        },
        evidence: vec![comparison.why.clone()],
        finding: None,
        next: vec!["allow the destination there, then try again".to_owned()],
    })
}

/// The causes' checks, each once with all causes that it is about.
fn tell_apart(causes: &[Cause]) -> Vec<TellApart> {
    let mut all: Vec<TellApart> = Vec::new();
    for cause in causes {
        for run in &cause.next {
            match all.iter_mut().find(|known| known.run == *run) {
                Some(known) if known.about.contains(&cause.kind) => {}
                Some(known) => known.about.push(cause.kind),
                None => all.push(TellApart {
                    run: run.clone(),
                    about: vec![cause.kind],
                }),
            }
        }
    }
    all
}

fn doubt(confidence: Confidence) -> u8 {
    match confidence {
        Confidence::Certain => 0,
        Confidence::Likely => 1,
        Confidence::Possible => 2,
    }
}

fn is_same(cause: &Cause, candidate: &Candidate) -> bool {
    cause
        .finding
        .as_deref()
        .is_some_and(|code| candidate.codes.contains(&code))
}

/// The candidate as a cause, or why it is ruled out.
fn weigh(
    candidate: &Candidate,
    observation: &Observation,
    analysis: &Analysis,
) -> Result<Cause, &'static str> {
    let mut findings = analysis
        .findings_of(candidate.codes, observation)
        .peekable();
    let first = findings.peek().map(|f| f.code.clone());
    let mut strong = false;
    let mut evidence: Vec<String> = findings
        .map(|f| {
            strong |= f.confidence != Confidence::Possible;
            format!("{}: {}", f.code, f.title)
        })
        .collect();
    match (candidate.fact)(analysis, observation) {
        Some(false) if evidence.is_empty() => return Err("the analysis found no such thing"),
        Some(true) => {
            strong = true;
            evidence.push("the analysis found what it takes".to_owned());
        }
        Some(false) | None => {}
    }
    let likely = match (candidate.timing, observation.pattern) {
        (Timing::Alternating, Pattern::Persistent) => {
            return Err("it does not fail the same way on each try (R8.1)");
        }
        // A blocker of one node or pool may still look intermittent.
        (Timing::Steady, Pattern::Intermittent) => false,
        _ => strong,
    };
    Ok(Cause {
        kind: candidate.kind,
        summary: candidate.summary.to_owned(),
        confidence: if likely {
            Confidence::Likely
        } else {
            Confidence::Possible
        },
        evidence,
        finding: first,
        next: candidate
            .checks
            .iter()
            .filter_map(|check| {
                let port = observation.port.unwrap_or(443).to_string();
                let check = match &analysis.show_cluster {
                    Some(show) => check.replace("{show}", show),
                    None if check.contains("{show}") => return None,
                    None => (*check).to_owned(),
                };
                Some(
                    check
                        .replace("{host}", observation.host())
                        .replace("{port}", &port),
                )
            })
            .collect(),
    })
}

/// What the symptom proves (R8.6).
fn proves(symptom: &Symptom, analysis: &Analysis) -> Vec<String> {
    const OPEN: &str = "DNS, route, network security groups and SNAT worked for this flow";
    let words: &[&str] = match symptom.reach {
        Reach::Answered => match analysis.http_proxy {
            Some(true) => &["the path works through the HTTP proxy", OPEN],
            _ => &[OPEN],
        },
        Reach::Forgeable => &[
            "DNS, route, network security groups and SNAT worked for this flow, unless a device on the way answered in \
             the destination's place",
        ],
        Reach::Device => {
            &["the path to a device on the way works; nothing about the path behind it"]
        }
        Reach::Connected => match analysis.device_on_path() {
            Some(false) => {
                &["DNS worked and a TCP connection came up: the packets are not dropped on the way"]
            }
            _ => &[
                "DNS worked and a TCP connection came up, with the destination or with a device in its place",
            ],
        },
        Reach::Refused => {
            &["the name resolved and something answered: the packets are not dropped silently"]
        }
        Reach::Silent | Reach::NoRoute | Reach::Name | Reach::Nothing => &[],
    };
    words.iter().map(|&w| w.to_owned()).collect()
}

fn notes(
    symptom: &Symptom,
    observation: &Observation,
    analysis: &Analysis,
    comparisons: &[PoolComparison],
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(exit) = observation.curl_exit.and_then(|c| bootstrap_exit(c.into())) {
        notes.push(format!(
            "if {} is an exit code of node provisioning and not of curl, it means: {}",
            exit.code, exit.meaning
        ));
    }
    match (symptom.reach, observation.tcp_connects) {
        (Reach::Connected, Some(true)) => notes.push(
            "a bare TCP connection works while the request fails: a device above layer 4 (R8.2)"
                .to_owned(),
        ),
        (Reach::Silent, Some(false)) => notes.push(
            "a bare TCP connection times out as well: the drop is at layer 3 or 4 (R8.2)"
                .to_owned(),
        ),
        (_, Some(true)) if analysis.azure_firewall != Some(false) => notes.push(
            "behind Azure Firewall a bare TCP connection proves nothing: the firewall may answer it itself (R5.17)"
                .to_owned(),
        ),
        _ => {}
    }
    let failed = !matches!(symptom.reach, Reach::Answered | Reach::Nothing);
    match observation.pattern {
        Pattern::Persistent if failed => {
            notes.push("the same failure on each try speaks for a blocker (R8.1)".to_owned());
        }
        Pattern::Intermittent if failed => notes.push(
            "failures now and then speak for SNAT ports, node pressure or one bad firewall address (R8.1)"
                .to_owned(),
        ),
        _ => {}
    }
    match &observation.node_pool {
        Some(pool) if comparisons.is_empty() && !analysis.paths.is_empty() => {
            notes.push(format!("the analysis has no path for pool {pool:?}"));
        }
        None if differ(comparisons) => notes.push(
            "the analysis differs between pools, and the observation does not say from which it comes"
                .to_owned(),
        ),
        _ => {}
    }
    notes
}

fn differ(comparisons: &[PoolComparison]) -> bool {
    let verdicts: Vec<TrafficVerdict> = comparisons.iter().map(|c| c.verdict).collect();
    verdicts.windows(2).any(|pair| match pair {
        [a, b] => a != b,
        _ => false,
    })
}
