//! Facts to report.

use std::collections::BTreeMap;

use crate::changes;
use crate::context::Context;
use crate::facts::Facts;
use crate::gaps::Gaps;
use crate::next_steps::{look_at_policies, next_steps};
use crate::order::Order as _;
use crate::report::{Check, Finding, Report, ReportWindow, SCHEMA_VERSION, Severity, Stats};
use crate::rules::{Outcome, RULES, Step, interim, suppress};
use crate::sections;
use crate::verdict::{Judged, verdict};

/// One check with its outcome.
struct Ran {
    id: &'static str,
    step: Step,
    worst: Severity,
    outcome: Outcome,
}

/// Diagnoses one cluster. Statistics are left for the caller to fill in.
pub fn diagnose(facts: &Facts) -> Report {
    let ctx = Context::new(facts);
    let mut ran = run(&ctx);
    let mut findings = findings(&ran);
    let egress_endpoints = sections::endpoints(&ctx, &findings);
    ran.extend(interim::CHECKS.iter().map(|check| Ran {
        id: check.id,
        step: check.step,
        worst: Severity::Critical,
        outcome: (check.check)(&ctx, &findings),
    }));
    ran.push(Ran {
        id: "path-endpoints",
        step: Step::OutboundMethod,
        worst: Severity::Critical,
        outcome: interim::endpoints(&ctx, &egress_endpoints, &findings),
    });
    ran.order_by_key(|check| check.step);
    changes::explain(&ctx, &mut findings);
    let judged: Vec<Judged> = ran
        .iter()
        .map(|check| Judged {
            id: check.id,
            worst: check.worst,
            status: check.outcome.status(),
            open: check.outcome.is_open(),
            reason: check.outcome.reason(),
        })
        .collect();
    let mut gaps = Gaps::default();
    for check in &ran {
        for missing in &check.outcome.missing {
            gaps.add(missing, Some(check.id));
        }
    }
    gaps.add_sections(&ctx);
    gaps.add_activity_logs(&ctx);
    let gaps = gaps.finish();
    let outbound = sections::outbound(&ctx, &findings);
    let snat = sections::snat(&ctx);
    let verdict = verdict(&ctx, &findings, &judged, &outbound, &snat);
    let mut report = Report {
        schema_version: SCHEMA_VERSION.to_owned(),
        generated_at: facts.asked_at,
        window: ReportWindow {
            start: facts.window.start,
            end: facts.window.end,
        },
        cluster: sections::summary(&ctx),
        next_steps: Vec::new(),
        verdict,
        outbound,
        egress_endpoints,
        nat_gateway: sections::nat_gateway(&ctx),
        snat,
        nodes: sections::nodes(&ctx),
        disks: sections::disks(&ctx),
        findings,
        checks: checks(&ran, judged),
        gaps,
        stats: Stats::default(),
    };
    let policy = ctx.network().and_then(|network| network.policy.as_deref());
    report.next_steps = next_steps(&report, look_at_policies(policy));
    report
}

/// What is wrong as far as it is known before anybody asked for changes.
pub(crate) fn found(ctx: &Context<'_>) -> Vec<Finding> {
    findings(&run(ctx))
}

/// Runs every rule, in packet order.
fn run(ctx: &Context<'_>) -> Vec<Ran> {
    let mut outcomes: BTreeMap<&'static str, Outcome> = RULES
        .iter()
        .map(|rule| (rule.code, (rule.check)(ctx)))
        .collect();
    suppress(&mut outcomes);
    let rules = RULES.iter().filter_map(|rule| {
        Some(Ran {
            id: rule.code,
            step: rule.step,
            worst: rule.severity,
            outcome: outcomes.remove(rule.code)?,
        })
    });
    let mut ran: Vec<Ran> = rules.collect();
    ran.order_by_key(|check| check.step);
    ran
}

/// All findings in packet order, then severity; the registry's order decides the rest.
fn findings(ran: &[Ran]) -> Vec<Finding> {
    let mut ordered: Vec<(Step, &Finding)> = ran
        .iter()
        .flat_map(|check| check.outcome.findings.iter().map(|f| (check.step, f)))
        .collect();
    ordered.order_by(|a, b| a.0.cmp(&b.0).then(b.1.severity.cmp(&a.1.severity)));
    ordered
        .into_iter()
        .map(|(_, finding)| finding.clone())
        .collect()
}

fn checks(ran: &[Ran], judged: Vec<Judged>) -> Vec<Check> {
    ran.iter()
        .zip(judged)
        .map(|(check, judged)| Check {
            id: judged.id.to_owned(),
            step: check.step.as_str().to_owned(),
            status: judged.status,
            reason: judged.reason,
        })
        .collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk_oracle;
