//! The way of a packet as a Mermaid flowchart.

use egress_diagnosis::report::{FinalState, Path, Report, Step, StepKind};

use super::escape::label;
use crate::words;

/// Pictures of one report; a cluster with more distinct paths has them in the table.
const PICTURES: usize = 8;

/// One picture per distinct path: those that differ only in where they start share one.
pub(super) fn pictures(report: &Report) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<&Path>> = Vec::new();
    for path in &report.outbound.paths {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|one| same(one, path)))
        {
            Some(group) => group.push(path),
            None => groups.push(vec![path]),
        }
    }
    groups
        .iter()
        .take(PICTURES)
        .filter_map(|group| picture(group))
        .collect()
}

fn same(one: &Path, other: &Path) -> bool {
    let steps = |path: &Path| -> Vec<Step> {
        path.steps
            .iter()
            .filter(|step| step.kind != StepKind::Start)
            .cloned()
            .collect()
    };
    one.final_state == other.final_state && steps(one) == steps(other)
}

fn picture(group: &[&Path]) -> Option<Vec<String>> {
    let first = group.first()?;
    let mut labels: Vec<String> = vec![start(group)];
    labels.extend(first.steps.iter().filter_map(step_label));
    labels.push(end(first));
    let mut lines = vec!["flowchart LR".to_owned()];
    for (index, text) in labels.iter().enumerate() {
        lines.push(format!("  n{index}[\"{}\"]", label(text)));
    }
    lines.push(edges(first, labels.len()));
    let color = match first.final_state {
        FinalState::Delivered => "#2e7d32",
        FinalState::Dropped => "#c62828",
        FinalState::Forwarded | FinalState::Undetermined => "#ef6c00",
    };
    lines.push(format!(
        "  style n{} stroke:{color},stroke-width:3px",
        labels.len() - 1
    ));
    Some(lines)
}

/// The chain of nodes; dotted after a denial, where the packet does not come any more.
fn edges(path: &Path, nodes: usize) -> String {
    let denied = path
        .steps
        .iter()
        .filter(|step| step_label(step).is_some())
        .position(|step| step.kind == StepKind::Nsg && step.decision.starts_with("denied"));
    let arrow = |to: usize| match denied {
        // The start comes before the first step.
        Some(at) if to > at + 1 => "-.->",
        _ => "-->",
    };
    let rest: Vec<String> = (1..nodes)
        .map(|to| format!(" {} n{to}", arrow(to)))
        .collect();
    format!("  n0{}", rest.concat())
}

fn start(group: &[&Path]) -> String {
    let from: Vec<String> = group
        .iter()
        .map(|path| {
            let subnet = path
                .subnet_id
                .as_ref()
                .map_or("unknown subnet", |id| id.name());
            format!(
                "{} of {} in {subnet}",
                words::scope(path.scope),
                path.node_pools.join(", ")
            )
        })
        .collect();
    from.join("; ")
}

fn step_label(step: &Step) -> Option<String> {
    let kind = match step.kind {
        StepKind::Nsg => "NSG",
        StepKind::Route => "route",
        StepKind::Hop => "hop",
        StepKind::Snat => "SNAT",
        // The start names its subnets, the end its state.
        StepKind::Start | StepKind::Final => return None,
    };
    let name = step
        .resource_id
        .as_ref()
        .map_or(String::new(), |id| format!(" {}", id.name()));
    Some(format!("{kind}{name}: {}", step.decision))
}

fn end(path: &Path) -> String {
    let cause = path
        .cause
        .as_ref()
        .map_or(String::new(), |code| format!(" ({code})"));
    let ips = match &path.public_ips {
        Some(ips) if !ips.is_empty() && path.final_state == FinalState::Delivered => {
            format!(" as {}", ips.join(", "))
        }
        _ => String::new(),
    };
    format!(
        "{}{ips}{cause}",
        words::final_state(path.final_state).to_lowercase()
    )
}
