//! What a person does next, in the troubleshooting guide's order (R0.1–R0.8).

use crate::report::{Finding, Gap, GapCause, Pattern, Report, Severity, Status, Verdict};

/// Families of findings about pressure, which comes and goes; the others are about what blocks each time (R0.1).
const PRESSURE: [&str; 2] = ["SNT", "NOD"];

const COMPARE: &str =
    "Compare `kubectl top pods` and `kubectl top nodes` with the times of the failures.";

/// A report's next steps for somebody who has seen the fault each time, or now and then: what fits comes first, and
/// nothing is left out (R0.1, R8.1).
pub fn next_steps_for(report: &Report, told: Pattern) -> Vec<String> {
    steps(&report.verdict, &report.findings, &report.gaps, Some(told))
}

/// Steps: mend what was found in packet order, then look at pressure when it comes and goes, then close the gaps.
pub(crate) fn next_steps(verdict: &Verdict, findings: &[Finding], gaps: &[Gap]) -> Vec<String> {
    steps(verdict, findings, gaps, None)
}

fn steps(
    verdict: &Verdict,
    findings: &[Finding],
    gaps: &[Gap],
    told: Option<Pattern>,
) -> Vec<String> {
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
    let is_pressure = |codes: &[&str]| {
        codes
            .iter()
            .any(|code| PRESSURE.iter().any(|f| code.starts_with(f)))
    };
    match told {
        Some(Pattern::Intermittent) => mends.sort_by_key(|(_, codes)| !is_pressure(codes)),
        Some(Pattern::Persistent) => mends.sort_by_key(|(_, codes)| is_pressure(codes)),
        Some(Pattern::None | Pattern::Unknown) | None => {}
    }
    let mut steps: Vec<String> = mends
        .into_iter()
        .map(|(summary, mut codes)| {
            codes.dedup();
            format!("{}: {summary}.", codes.join(", "))
        })
        .collect();
    // The guide looks at the nodes before anything else when a fault comes and goes (R0.8).
    if told == Some(Pattern::Intermittent) {
        steps.insert(0, COMPARE.to_owned());
    } else if verdict.pattern == Pattern::Intermittent {
        steps.push(COMPARE.to_owned());
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
    for gap in gaps {
        if gap.http_status == Some(401) {
            steps.push(format!(
                "Ask with an identity of the tenant that holds it: Azure does not accept this one's token for {}.",
                gap.what
            ));
        } else if may_pass(gap.cause) {
            steps.push(format!(
                "Ask again later: Azure gave no answer for {}.",
                gap.what
            ));
        } else if gap.cause == GapCause::NotFound {
            steps.push(format!(
                "Look whether it still exists and whether the identity sees its subscription: Azure knows nothing of {}.",
                gap.what
            ));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A cluster that both blocks and runs out of ports.
    fn report() -> Report {
        let mut facts = load_balancer();
        deny_internet(&mut facts, "nodes", "443");
        let failed = connections("Failed", &[42.0, 0.0, 7.0]);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        crate::diagnose(&facts)
    }

    #[test]
    fn r0_1_what_the_caller_has_seen_ranks_and_never_hides() {
        let report = report();
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
        assert!(
            codes.iter().any(|code| code.starts_with("NSG")),
            "{codes:?}"
        );
        assert!(
            codes.iter().any(|code| code.starts_with("SNT")),
            "{codes:?}"
        );
        let persistent = next_steps_for(&report, Pattern::Persistent);
        let intermittent = next_steps_for(&report, Pattern::Intermittent);
        assert!(persistent[0].starts_with("NSG"), "{persistent:?}");
        assert_eq!(intermittent[0], COMPARE);
        assert!(intermittent[1].starts_with("SNT"), "{intermittent:?}");
        for step in &report.next_steps {
            assert!(persistent.contains(step), "{step}");
            assert!(intermittent.contains(step), "{step}");
        }
    }
}
