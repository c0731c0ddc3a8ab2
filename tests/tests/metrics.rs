//! Metrics of several scale sets are asked in one call, and nobody notices but the call log.

use std::fmt::Write as _;
use std::time::Duration;

use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, Secret, Trust};
use egress_collect::Collected;
use egress_diagnosis::facts::Datum;
use egress_diagnosis::report::{CheckStatus, GapCause, Report};
use egress_sandbox::{Call, Options, Sandbox, Scenarios, waves};
use egress_tests::reading::{client, read, read_closely};

/// A cluster with so many pools behind its load balancer; one node of the third has a busy disk.
fn cluster(pools: usize, more: &str) -> String {
    let mut text = "description = \"x\"\n[pools.system]\n".to_owned();
    for index in 1..pools {
        writeln!(text, "[pools.apps{index}]\ncount = 3").unwrap();
    }
    if pools > 3 {
        text.push_str(
            r#"
            [[metrics]]
            of = "pools/apps3"
            name = "OS Disk IOPS Consumed Percentage"
            node = "apps3/1"
            spike = { base = 30, peak = 100, ago = 60, minutes = 25 }
            "#,
        );
    }
    text + more
}

async fn sandbox(text: String) -> Sandbox {
    Sandbox::start(Options {
        scenarios: Scenarios::List(vec![("case".to_owned(), text)]),
        // Answers that take a while make the waves visible in the order of arrivals and answers.
        latency: Duration::from_millis(50),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts")
}

async fn closely(sandbox: &Sandbox) -> (Collected, Vec<Call>) {
    let id = &sandbox.clusters()[0].id;
    let collected = read_closely(&client(sandbox), id).await;
    (collected, sandbox.calls())
}

/// A client that knows no data plane.
fn without_data_plane(sandbox: &Sandbox) -> Client {
    Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public)
            .with_arm_endpoint(sandbox.arm_endpoint())
            .expect("an https endpoint"),
        identity: Identity::Fixed(Secret::new(sandbox.token())),
        trust: Trust::Pem(sandbox.certificate_pem().as_bytes().to_vec()),
    })
}

fn batches(calls: &[Call]) -> usize {
    let batch = |call: &&Call| call.path.ends_with("/metrics:getBatch");
    calls.iter().filter(batch).count()
}

/// Calls to Resource Manager for one scale set's metrics.
fn singles(calls: &[Call]) -> usize {
    let single = |call: &&Call| {
        call.path.contains("/virtualMachineScaleSets/")
            && call.path.ends_with("/Microsoft.Insights/metrics")
    };
    calls.iter().filter(single).count()
}

fn status(report: &Report, code: &str) -> CheckStatus {
    let check = report.checks.iter().find(|check| check.id == code);
    check.expect("the check").status
}

#[tokio::test]
async fn ten_pools_looked_at_closely_take_four_waves_and_thirty_calls() {
    let sandbox = sandbox(cluster(10, "")).await;
    let (collected, calls) = closely(&sandbox).await;
    assert!(waves(&calls) <= 4, "{} waves", waves(&calls));
    assert!(calls.len() <= 30, "{} calls: {calls:#?}", calls.len());
    assert_eq!((batches(&calls), singles(&calls)), (1, 0));
    assert_eq!(collected.stats.calls, calls.len() as u64);
    let report = egress_diagnosis::diagnose(&collected.facts);
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
    assert_eq!(status(&report, "NOD104"), CheckStatus::Failed);

    // One call for each says the same.
    sandbox.reset_log();
    let id = &sandbox.clusters()[0].id;
    let one_by_one = read_closely(&without_data_plane(&sandbox), id).await;
    let calls = sandbox.calls();
    assert_eq!((batches(&calls), singles(&calls)), (0, 10));
    assert_eq!(one_by_one.facts, collected.facts);

    sandbox.reset_log();
    read(&client(&sandbox), id).await;
    let calls = sandbox.calls();
    assert!(waves(&calls) <= 3, "{} waves", waves(&calls));
    assert!(calls.len() <= 21, "{} calls: {calls:#?}", calls.len());
}

#[tokio::test]
async fn one_scale_set_is_asked_of_resource_manager() {
    let sandbox = sandbox(cluster(1, "")).await;
    let (_, calls) = closely(&sandbox).await;
    assert_eq!((batches(&calls), singles(&calls)), (0, 1));
}

#[tokio::test]
async fn a_refused_batch_costs_a_wave_and_no_fact() {
    let whole = closely(&sandbox(cluster(4, "")).await).await.0.facts;
    for refusal in [
        "deny = true",
        "status = 400",
        "status = 404",
        "truncate = true",
    ] {
        let fault =
            format!("\n[[faults]]\ngroup = \"node\"\npath = \"/metrics:getBatch\"\n{refusal}\n");
        let sandbox = sandbox(cluster(4, &fault)).await;
        let (collected, calls) = closely(&sandbox).await;
        assert_eq!((batches(&calls), singles(&calls)), (1, 4), "{refusal}");
        assert!(waves(&calls) <= 4, "{refusal}: {} waves", waves(&calls));
        assert_eq!(collected.facts.metrics, whole.metrics, "{refusal}");
    }
}

#[tokio::test]
async fn metrics_that_one_scale_set_denies_are_a_gap_of_its_own() {
    let fault = "\n[[faults]]\npath = \"/virtualMachineScaleSets/aks-apps1\"\nends = \"/Microsoft.Insights/metrics\"\ndeny = true\n";
    let sandbox = sandbox(cluster(4, fault)).await;
    let (collected, _) = closely(&sandbox).await;
    let mut denied = 0;
    for (id, metrics) in &collected.facts.metrics {
        let disks = metrics.get("OS Disk IOPS Consumed Percentage");
        match disks {
            Some(Datum::Denied { action, scope }) => {
                denied += 1;
                assert!(id.as_str().contains("aks-apps1"));
                assert_eq!(action.as_deref(), Some("Microsoft.Insights/metrics/read"));
                assert_eq!(scope.as_deref(), Some(id.as_str()));
            }
            Some(known) => assert!(known.as_known().is_some(), "{id}: {known:?}"),
            None => {}
        }
    }
    assert_eq!(denied, 1);
    let report = egress_diagnosis::diagnose(&collected.facts);
    assert_eq!(status(&report, "NOD104"), CheckStatus::Failed);
    for gap in &report.gaps {
        assert_eq!(gap.cause, GapCause::Forbidden, "{gap:?}");
        assert!(gap.what.contains("aks-apps1"), "{gap:?}");
    }
    assert!(!report.gaps.is_empty());
}

#[tokio::test]
async fn a_data_plane_without_time_is_not_replaced_by_many_calls() {
    let fault = "\n[[faults]]\ngroup = \"node\"\npath = \"/metrics:getBatch\"\nretry_after = 3600\ntimes = 1000\n";
    let sandbox = sandbox(cluster(4, fault)).await;
    let (collected, calls) = closely(&sandbox).await;
    assert_eq!((batches(&calls), singles(&calls)), (1, 0));
    let report = egress_diagnosis::diagnose(&collected.facts);
    assert_eq!(status(&report, "NOD104"), CheckStatus::Unknown);
    assert!(
        report
            .gaps
            .iter()
            .all(|gap| gap.cause == GapCause::Throttled)
    );
    assert!(!report.gaps.is_empty());
}

#[tokio::test]
async fn more_scale_sets_than_one_call_takes_are_asked_in_several() {
    let sandbox = sandbox(cluster(52, "")).await;
    let (collected, calls) = closely(&sandbox).await;
    assert_eq!((batches(&calls), singles(&calls)), (2, 0));
    assert!(egress_diagnosis::diagnose(&collected.facts).gaps.is_empty());
}
