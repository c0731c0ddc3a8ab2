//! The plan to go past an appliance for a terminal.

use egress_diagnosis::answers::BypassAnswer;
use egress_diagnosis::bypass::{BypassPlan, PlanReach, Validity};

use super::page::{Page, Tone};
use super::{TextOptions, cluster_line, sections};

/// The plan as plain text.
pub fn bypass_plan(answer: &BypassAnswer, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    let bypass = &answer.bypass;
    if let Some(reason) = &bypass.reason {
        let badge = page.paint(" NOT APPLICABLE ", Tone::Quiet);
        page.badge(&badge, 16, reason);
    } else {
        let badge = page.paint(" PLAN ", Tone::Strong);
        page.badge(
            &badge,
            6,
            "Send packets past the appliance for a moment. Nothing here is executed; have the undo ready first.",
        );
    }
    page.blank();
    cluster_line(&mut page, &answer.cluster);
    if let Some(destination) = &answer.destination {
        page.field("destination", &destination.label());
    }
    for plan in &bypass.plans {
        one(&mut page, plan);
    }
    if !bypass.not_bypassed.is_empty() && bypass.applicable {
        page.heading("Not part of it");
        for other in &bypass.not_bypassed {
            let pools = other.node_pools.join(", ");
            page.item(2, "·", &format!("{pools}: {}", other.why));
        }
    }
    sections::gap_list(&mut page, &answer.gaps);
    page.finish()
}

fn one(page: &mut Page, plan: &BypassPlan) {
    page.heading(&format!("Route table {}", plan.route_table_id.name()));
    let reach = match plan.reach {
        PlanReach::OneDestination => "one destination",
        PlanReach::AllDestinations => "all destinations",
    };
    page.field("leads past", reach);
    page.field("node pools", &plan.node_pools.join(", "));
    let (word, tone) = match plan.validity {
        Validity::Valid => ("the test can say something", Tone::Good),
        Validity::Invalid => (
            "INVALID: it would fail whatever the appliance does",
            Tone::Bad,
        ),
        Validity::Unknown => ("not known, see below", Tone::Unsure),
    };
    let label = page.paint("  test        ", Tone::Quiet);
    let word = page.paint(word, tone);
    page.painted(&format!("{label} {word}"));
    page.text(2, "Before:");
    for precondition in &plan.preconditions {
        let mark = match precondition.met {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "?",
        };
        page.item(4, mark, &precondition.text);
    }
    commands(page, "Keep what is there:", &plan.before);
    commands(page, "Change:", &plan.commands);
    commands(page, "Try from a pod:", &plan.test);
    commands(page, "Undo:", &plan.undo);
    page.text(2, "What it proves:");
    for proof in &plan.proves {
        page.item(4, "→", &format!("{}: {}", proof.outcome, proof.proves));
    }
    page.text(2, "Until the undo:");
    for effect in &plan.side_effects {
        page.item(4, "!", effect);
    }
}

fn commands(page: &mut Page, title: &str, commands: &[String]) {
    page.text(2, title);
    for command in commands {
        page.line(4, &format!("$ {command}"));
    }
}
