//! The reading of an observation for a terminal.

use egress_diagnosis::answers::OutcomeAnswer;
use egress_diagnosis::outcome::{Agreement, Cause, Reading};
use egress_diagnosis::report::Confidence;

use super::page::{Page, Tone};
use super::{TextOptions, cluster_line, paths, sections};

/// The reading as plain text.
pub fn outcome(answer: &OutcomeAnswer, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    let reading = &answer.reading;
    let badge = page.paint(&format!(" {} ", reading.observed), Tone::Strong);
    page.badge(
        &badge,
        reading.observed.chars().count() + 2,
        &reading.meaning,
    );
    page.blank();
    cluster_line(&mut page, &answer.cluster);
    if let Some(destination) = &answer.destination {
        page.field("destination", &destination.label());
    }
    if let Some(pool) = &answer.node_pool {
        page.field("node pool", pool);
    }
    for proof in &reading.proves {
        page.field("proves", proof);
    }
    agreement(&mut page, reading);
    causes(&mut page, reading);
    list(&mut page, "Ruled out", &reading.ruled_out);
    tell_apart(&mut page, reading);
    list(&mut page, "To know", &reading.notes);
    paths::traces(&mut page, &answer.traces);
    sections::gap_list(&mut page, &answer.gaps);
    page.finish()
}

fn agreement(page: &mut Page, reading: &Reading) {
    page.heading("In the light of the analysis");
    let text = match reading.agreement {
        Agreement::Agrees => "It is what the analysis predicts.",
        Agreement::Contradicts => "It and the analysis cannot both be right.",
        Agreement::Undecided => "It decides nothing about what the analysis found.",
    };
    page.text(2, text);
    for comparison in &reading.comparisons {
        let pools = comparison.node_pools.join(", ");
        page.item(2, "→", &format!("{pools}: {}", comparison.why));
    }
}

fn causes(page: &mut Page, reading: &Reading) {
    if reading.causes.is_empty() {
        return;
    }
    page.heading("What may be behind it, likeliest first");
    for cause in &reading.causes {
        one(page, cause);
    }
}

fn one(page: &mut Page, cause: &Cause) {
    let (word, tone) = match cause.confidence {
        Confidence::Certain => ("CERTAIN", Tone::Bad),
        Confidence::Likely => ("LIKELY", Tone::Warn),
        Confidence::Possible => ("POSSIBLE", Tone::Quiet),
    };
    let code = cause
        .finding
        .as_ref()
        .map_or(String::new(), |code| format!("{code}: "));
    let lead = format!("  {}", page.paint(word, tone));
    page.badge(&lead, word.len() + 2, &format!("{code}{}", cause.summary));
    for evidence in &cause.evidence {
        page.item(4, "·", evidence);
    }
}

fn tell_apart(page: &mut Page, reading: &Reading) {
    if reading.tell_apart.is_empty() {
        return;
    }
    page.heading("What would tell them apart");
    for check in &reading.tell_apart {
        if is_command(&check.run) {
            page.line(2, &format!("$ {}", check.run));
        } else {
            page.item(2, "·", &check.run);
        }
    }
}

/// Whether it is something to type, and no step in words.
fn is_command(run: &str) -> bool {
    const PROGRAMS: [&str; 7] = [
        "az",
        "curl",
        "kubectl",
        "nc",
        "nslookup",
        "openssl",
        "traceroute",
    ];
    run.split(' ')
        .next()
        .is_some_and(|word| PROGRAMS.contains(&word))
}

fn list(page: &mut Page, title: &str, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    page.heading(title);
    for text in texts {
        page.item(2, "·", text);
    }
}
