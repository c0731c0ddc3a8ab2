//! What a person does next, in the troubleshooting guide's order (R0.1–R0.8).

use crate::report::{Finding, Gap, GapCause, Pattern, Severity, Status, Verdict};

/// Steps: mend what was found in packet order, then look at pressure when it comes and goes, then close the gaps.
pub(crate) fn next_steps(verdict: &Verdict, findings: &[Finding], gaps: &[Gap]) -> Vec<String> {
    let mut mends: Vec<(&str, Vec<&str>)> = Vec::new();
    for finding in findings.iter().filter(|f| f.severity > Severity::Info) {
        let Some(first) = finding.remediation.first() else {
            continue;
        };
        let known = mends
            .iter_mut()
            .find(|(summary, _)| *summary == first.summary);
        match known {
            Some((_, codes)) => codes.push(&finding.code),
            None => mends.push((&first.summary, vec![&finding.code])),
        }
    }
    let mut steps: Vec<String> = mends
        .into_iter()
        .map(|(summary, mut codes)| {
            codes.dedup();
            format!("{}: {summary}.", codes.join(", "))
        })
        .collect();
    if verdict.pattern == Pattern::Intermittent {
        steps.push(
            "Compare `kubectl top pods` and `kubectl top nodes` with the times of the failures."
                .to_owned(),
        );
    }
    for gap in gaps {
        if let Some(needs) = &gap.needs {
            let scope = needs.scope.as_deref().unwrap_or("the resource");
            let step = format!(
                "Grant the identity {} on {scope}, then ask again.",
                needs.action
            );
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    for gap in gaps.iter().filter(|gap| may_pass(gap.cause)) {
        steps.push(format!(
            "Ask again later: Azure gave no answer for {}.",
            gap.what
        ));
    }
    match verdict.status {
        Status::Unknown => steps.push(
            "Meanwhile test from a pod: `nslookup mcr.microsoft.com`, then `curl -Iv https://mcr.microsoft.com`.".to_owned(),
        ),
        Status::Healthy => steps.push(
            "If a destination still fails, test it from a pod: name first (`nslookup`), then port (`nc -zv`), then `curl -Iv`.".to_owned(),
        ),
        _ => {}
    }
    steps
}
/// Whether another try may get an answer.
fn may_pass(cause: GapCause) -> bool {
    matches!(
        cause,
        GapCause::Throttled | GapCause::TimedOut | GapCause::Unreachable
    )
}
