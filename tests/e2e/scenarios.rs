//! Every cluster of the simulated Azure, read over real HTTPS and diagnosed: the verdict and findings are what the
//! scenario file says, the whole report is kept as a snapshot, and the calls stay few.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_diagnosis::report::{CheckStatus, Report};
use egress_diagnosis::rules::RULES;
use egress_sandbox::{Call, Cluster, Options, Sandbox, Scenarios, waves};
use egress_tests::reading::{client, read, read_closely};
use futures::stream::{self, StreamExt};

async fn sandbox(options: Options) -> Sandbox {
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// The clusters that come with the sandbox, and those of `tests/scenarios`: near misses, and what cannot be told.
async fn sandboxes() -> [Sandbox; 2] {
    let near_misses = Options {
        scenarios: Scenarios::Dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios").into()),
        ..Options::default()
    };
    [
        sandbox(Options::default()).await,
        sandbox(near_misses).await,
    ]
}

async fn diagnosed(sandbox: &Sandbox) -> Vec<(Cluster, Report)> {
    let client = client(sandbox);
    let reports = sandbox.clusters().iter().map(async |cluster| {
        let collected = if cluster.pressure {
            read_closely(&client, &cluster.id).await
        } else {
            read(&client, &cluster.id).await
        };
        let report = egress_diagnosis::diagnose(&collected.facts);
        (cluster.clone(), report)
    });
    // A read that Azure keeps failing waits between its tries: others go on meanwhile.
    stream::iter(reports).buffered(8).collect().await
}

fn codes(report: &Report) -> BTreeSet<String> {
    report.findings.iter().map(|f| f.code.clone()).collect()
}

fn status_of(report: &Report, code: &str) -> Option<CheckStatus> {
    let check = report.checks.iter().find(|check| check.id == code)?;
    Some(check.status)
}

/// Where the report is not what the scenario's file says.
fn differences(cluster: &Cluster, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = serde_json::to_value(report.verdict.status).expect("a status");
    if let Some(expected) = &cluster.expected_status
        && status.as_str() != Some(expected)
    {
        wrong.push(format!("{status} instead of {expected}"));
    }
    let expected: BTreeSet<String> = cluster.expected_findings.iter().cloned().collect();
    if codes(report) != expected {
        wrong.push(format!("{:?} instead of {expected:?}", codes(report)));
    }
    let near_misses = cluster
        .near_misses
        .iter()
        .map(|code| (code, CheckStatus::Passed));
    let cannot_tell = cluster
        .cannot_tell
        .iter()
        .map(|code| (code, CheckStatus::Unknown));
    for (code, expected) in near_misses.chain(cannot_tell) {
        let status = status_of(report, code);
        if status != Some(expected) {
            wrong.push(format!(
                "check {code} is {status:?} instead of {expected:?}"
            ));
        }
    }
    wrong
}

#[tokio::test]
async fn every_scenario_gets_the_verdict_findings_and_checks_it_describes() {
    let mut wrong = Vec::new();
    for sandbox in sandboxes().await {
        for (cluster, report) in diagnosed(&sandbox).await {
            let found = differences(&cluster, &report);
            wrong.extend(
                found
                    .into_iter()
                    .map(|what| format!("{}: {what}", cluster.scenario)),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a scenario can show of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    /// It is raised.
    Fires,
    /// Its check passes although little is missing for it.
    NearMiss,
    /// Its check stays open.
    CannotTell,
}

/// Cases that cannot be, each with its reason.
const IMPOSSIBLE: &[(&str, Case, &str)] = &[(
    "API102",
    Case::CannotTell,
    "the cluster's own body always says it: without `httpProxyConfig` there is no proxy",
)];

#[tokio::test]
async fn every_code_has_scenarios_that_fire_it_that_nearly_do_and_that_cannot_tell() {
    let mut shown: BTreeSet<(String, Case)> = BTreeSet::new();
    for sandbox in sandboxes().await {
        for cluster in sandbox.clusters() {
            let cases = [
                (Case::Fires, &cluster.expected_findings),
                (Case::NearMiss, &cluster.near_misses),
                (Case::CannotTell, &cluster.cannot_tell),
            ];
            for (case, codes) in cases {
                shown.extend(codes.iter().map(|code| (code.clone(), case)));
            }
        }
    }
    let impossible = |code: &str, case| {
        IMPOSSIBLE
            .iter()
            .any(|(c, of, _)| *c == code && *of == case)
    };
    let cases = [Case::Fires, Case::NearMiss, Case::CannotTell];
    let missing: Vec<(&str, Case)> = RULES
        .iter()
        .flat_map(|rule| cases.map(|case| (rule.code, case)))
        .filter(|(code, case)| {
            shown.contains(&((*code).to_owned(), *case)) == impossible(code, *case)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "no scenario, or one for what cannot be: {missing:?}"
    );
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    let unknown: Vec<_> = shown
        .iter()
        .filter(|(code, _)| !known.contains(code.as_str()))
        .collect();
    assert!(unknown.is_empty(), "no such code: {unknown:?}");
}

#[tokio::test]
async fn every_scenario_gives_the_report_that_was_reviewed() {
    for sandbox in sandboxes().await {
        for (cluster, report) in diagnosed(&sandbox).await {
            insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, description => cluster.description.clone() }, {
                insta::assert_json_snapshot!(format!("{}.report", cluster.scenario), report);
            });
        }
    }
}

/// A card with one line for each of its elements: shorter than indented JSON, and as easy to compare.
fn lines_of(card: &serde_json::Value) -> String {
    let elements =
        ["body", "actions"].map(|part| card[part].as_array().cloned().unwrap_or_default());
    let lines: Vec<String> = elements.iter().flatten().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test]
async fn every_built_in_scenario_gives_the_ticket_and_card_that_were_reviewed() {
    let sandbox = sandbox(Options::default()).await;
    for (cluster, report) in diagnosed(&sandbox).await {
        let ticket = egress_render::markdown(&report, &[]);
        let card = lines_of(&egress_render::adaptive_card(&report, &[]));
        insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{}.formats", cluster.scenario), format!("{ticket}\n----- card -----\n{card}"));
        });
    }
}

#[tokio::test]
async fn healthy_clusters_raise_nothing_above_info_and_leave_nothing_open() {
    for sandbox in sandboxes().await {
        let reports = diagnosed(&sandbox).await;
        let healthy = reports
            .iter()
            .filter(|(cluster, _)| cluster.expected_status.as_deref() == Some("healthy"));
        for (cluster, report) in healthy {
            let name = &cluster.scenario;
            assert!(report.verdict.complete, "{name}");
            assert!(report.gaps.is_empty(), "{name}: {:?}", report.gaps);
            let open = report
                .checks
                .iter()
                .filter(|check| check.status == CheckStatus::Unknown)
                .count();
            assert_eq!(open, 0, "{name}");
        }
    }
}

/// Calls that asked for the same thing.
fn doubled(calls: &[Call]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    calls
        .iter()
        .map(|call| {
            format!(
                "{} {}?{:?}",
                call.method,
                call.path.to_lowercase(),
                call.query
            )
        })
        .filter(|call| !seen.insert(call.clone()))
        .collect()
}

#[tokio::test]
async fn load_balancer_and_nat_gateway_clusters_take_three_waves_and_read_nothing_twice() {
    // Answers that take a while make the waves visible in the order of arrivals and answers.
    let sandbox = sandbox(Options {
        latency: Duration::from_millis(50),
        ..Options::default()
    })
    .await;
    let client = client(&sandbox);
    for scenario in [
        "healthy-lb-overlay",
        "healthy-managed-nat",
        "healthy-user-nat",
        "healthy-kubenet",
    ] {
        let id = sandbox.cluster(scenario).expect("the scenario").id.clone();
        sandbox.reset_log();
        let collected = read(&client, &id).await;
        let calls = sandbox.calls();
        assert!(
            waves(&calls) <= 3,
            "{scenario}: {} waves: {calls:#?}",
            waves(&calls)
        );
        assert_eq!(doubled(&calls), Vec::<String>::new(), "{scenario}");
        assert_eq!(collected.stats.calls, calls.len() as u64, "{scenario}");
        if scenario == "healthy-lb-overlay" {
            assert!(calls.len() <= 14, "{} calls: {calls:#?}", calls.len());
        }
    }
    assert!(
        sandbox.connections() <= 2,
        "{} connections",
        sandbox.connections()
    );
}

#[tokio::test]
async fn a_throttled_read_is_repeated_and_counted() {
    let sandbox = sandbox(Options::default()).await;
    let id = sandbox
        .cluster("throttled")
        .expect("the scenario")
        .id
        .clone();
    let collected = read(&client(&sandbox), &id).await;
    assert!(collected.stats.retries > 0);
    let report = egress_diagnosis::diagnose(&collected.facts);
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
}
