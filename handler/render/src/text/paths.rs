//! Traces for a terminal: what becomes of the packets to some destinations, step by step.

use egress_diagnosis::answers::PathsAnswer;
use egress_diagnosis::report::FinalState;
use egress_diagnosis::trace::{Trace, TraceStepKind, TracedDestination, TracedPath};

use super::page::{Page, Tone};
use super::{TextOptions, cluster_line, sections};
use crate::words;

/// Width of a step's kind.
const KIND: usize = 9;

/// The paths as plain text.
pub fn paths(answer: &PathsAnswer, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    cluster_line(&mut page, &answer.cluster);
    traces(&mut page, &answer.traces);
    sections::gap_list(&mut page, &answer.gaps);
    page.finish()
}

/// One block per trace.
pub(super) fn traces(page: &mut Page, traces: &[Trace]) {
    for trace in traces {
        let mut names: Vec<String> = trace
            .destinations
            .iter()
            .map(TracedDestination::label)
            .collect();
        names.sort();
        names.dedup();
        let title = match names.as_slice() {
            [one] => format!("To {one}"),
            several => format!("To {} destinations", several.len()),
        };
        page.heading(&title);
        if names.len() > 1 {
            page.text(2, &names.join(", "));
        }
        if trace.paths.is_empty() {
            page.text(2, "No subnet of a node pool could be read.");
        }
        for path in &trace.paths {
            one(page, path);
        }
        let mut notes: Vec<&String> = trace.paths.iter().flat_map(|path| &path.notes).collect();
        notes.sort();
        notes.dedup();
        for note in notes {
            page.item(2, "!", note);
        }
    }
}

fn one(page: &mut Page, path: &TracedPath) {
    let (word, tone) = state(path.final_state);
    let who = words::scope(path.scope);
    let why = path.steps.last().map_or("", |step| step.why.as_str());
    let cause = path
        .cause
        .as_ref()
        .map_or(String::new(), |code| format!(" ({code})"));
    let lead = format!("  {}", page.paint(word, tone));
    page.badge(
        &lead,
        word.len() + 2,
        &format!("{who} of {}: {why}{cause}", path.node_pools.join(", ")),
    );
    for step in &path.steps {
        let kind = match step.kind {
            TraceStepKind::Start => "start",
            TraceStepKind::Nsg => "nsg",
            TraceStepKind::Route => "route",
            TraceStepKind::Hop => "hop",
            TraceStepKind::Firewall => "firewall",
            TraceStepKind::Snat => "snat",
            // Said above.
            TraceStepKind::Final => continue,
        };
        let lead = page.paint(&format!("    {kind:<KIND$}"), Tone::Quiet);
        page.badge(&lead, KIND + 4, &format!("{}: {}", step.decision, step.why));
    }
}

fn state(state: FinalState) -> (&'static str, Tone) {
    let tone = match state {
        FinalState::Delivered => Tone::Good,
        FinalState::Dropped => Tone::Bad,
        FinalState::Forwarded => Tone::Warn,
        FinalState::Undetermined => Tone::Unsure,
    };
    (words::final_state(state), tone)
}
