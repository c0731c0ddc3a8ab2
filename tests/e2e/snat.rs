//! What Azure's answers about SNAT ports and about changes become, from the simulated Azure to the report, where a snapshot
//! would not say what matters: a thousand nodes, answers that were cut, entries of the activity log.

use std::fmt::Write as _;
use std::time::Duration;

use egress_diagnosis::report::{CheckStatus, GapCause, Report, SnatDevice, Status};
use egress_render::TextOptions;
use egress_sandbox::{Call, Options, Sandbox, Scenarios};
use egress_tests::reading::{client, read, read_window};
use jiff::SignedDuration;

async fn case(text: &str) -> (Sandbox, Report) {
    let sandbox = Sandbox::start(Options {
        scenarios: Scenarios::List(vec![("case".to_owned(), text.to_owned())]),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts");
    let id = &sandbox.clusters()[0].id;
    // Five minutes are enough to tell, and keep a thousand nodes' points few.
    let read = read_window(&client(&sandbox), id, SignedDuration::from_mins(5)).await;
    let report = egress_diagnosis::diagnose(&read.facts);
    (sandbox, report)
}

async fn report(sandbox: &Sandbox, scenario: &str) -> Report {
    let id = sandbox.cluster(scenario).expect("the scenario").id.clone();
    sandbox.reset_log();
    egress_diagnosis::diagnose(&read(&client(sandbox), &id).await.facts)
}

fn status(report: &Report, code: &str) -> CheckStatus {
    let check = report.checks.iter().find(|check| check.id == code);
    check.expect("the check").status
}

const THOUSAND: &str = r#"
description = "1,000 nodes; the 778th is out of ports."

[pools.system]
count = 1000

[[metrics]]
of = "load_balancer"
name = "UsedSnatPorts"
node = "system/777"
dimensions.ProtocolType = "TCP"
constant = 32 # all that a node of so many has

[[metrics]]
of = "load_balancer"
name = "SnatConnectionCount"
node = "system/777"
dimensions.ConnectionState = "Failed"
constant = 2
"#;

#[tokio::test]
async fn r6_3_the_one_node_among_a_thousand_is_found() {
    let (sandbox, report) = case(THOUSAND).await;
    let snat = &report.snat;
    assert_eq!(snat.device, SnatDevice::LoadBalancer);
    assert_eq!(snat.backends.len(), 1000);
    assert_eq!(snat.allocated_per_node, Some(32));
    let hot = &snat.backends[0];
    assert!(
        hot.node
            .as_deref()
            .is_some_and(|node| node.ends_with("0000ll")),
        "{hot:?}"
    );
    // Five minutes with two failures each.
    assert_eq!((hot.used_peak, hot.failed), (Some(32), Some(10)));
    assert_eq!(snat.failed_connections, Some(10));
    assert!(
        snat.backends[1..]
            .iter()
            .all(|node| node.used_peak == Some(24))
    );
    assert_eq!(status(&report, "SNT102"), CheckStatus::Failed);
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
    let metrics = sandbox
        .calls()
        .into_iter()
        .filter(|call| call.path.contains("/loadBalancers/") && call.path.ends_with("/metrics"));
    assert_eq!(metrics.count(), 2, "connections, and ports");
}

#[tokio::test]
async fn what_no_answer_could_hold_is_a_gap_and_the_report_stands() {
    // Ports are split by node, address and protocol: 32,000 series.
    let wide = format!("{THOUSAND}\n[load_balancer]\nmanaged_ips = 16\n");
    let (_, report) = case(&wide).await;
    assert_eq!(report.snat.failed_connections, Some(10));
    assert_eq!(status(&report, "SNT101"), CheckStatus::Failed);
    for code in ["SNT102", "SNT103"] {
        assert_eq!(status(&report, code), CheckStatus::Unknown, "{code}");
    }
    let ports = |gap: &&egress_diagnosis::report::Gap| gap.what.contains("UsedSnatPorts");
    let gap = report.gaps.iter().find(ports).expect("the gap is told");
    assert_eq!(gap.cause, GapCause::NotAsked);
}

#[tokio::test]
async fn more_nodes_than_were_asked_for_leave_the_question_open() {
    // The load balancer does not say how many nodes it has, so that fewer series are asked for than there are.
    let silent = r#"
description = "1,000 nodes behind a load balancer that names none."

[pools.system]
count = 1000

[[edits]]
resource = "loadBalancers/kubernetes"
set = { "/properties/backendAddressPools" = [] }
"#;
    let (_, report) = case(silent).await;
    assert!(report.snat.backends.len() < 1000);
    for code in ["SNT102", "SNT103"] {
        assert_eq!(status(&report, code), CheckStatus::Unknown, "{code}");
    }
    assert!(!report.verdict.complete);
}

/// Code and text of what the activity log told.
fn told(report: &Report) -> Vec<(&str, &str)> {
    let findings = report.findings.iter();
    let all = findings.flat_map(|f| {
        f.evidence
            .iter()
            .map(|e| (f.code.as_str(), e.text.as_str()))
    });
    all.filter(|(_, text)| text.contains("(activity log)"))
        .collect()
}

fn log_calls(sandbox: &Sandbox) -> Vec<Call> {
    let is_log = |call: &Call| call.path.contains("/eventtypes/");
    sandbox.calls().into_iter().filter(is_log).collect()
}

async fn clusters_of(scenarios: Scenarios) -> Sandbox {
    let options = Options {
        scenarios,
        ..Options::default()
    };
    Sandbox::start(options).await.expect("the sandbox starts")
}

fn folder() -> Scenarios {
    Scenarios::Dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios").into())
}

#[tokio::test]
async fn a_change_is_evidence_on_what_it_may_explain() {
    let sandbox = clusters_of(Scenarios::default()).await;
    let route = report(&sandbox, "route-changed-to-nowhere").await;
    let reason = "which may or may not be the reason (activity log)";
    let text = format!(
        "route default in route table rt-egress was changed 3 hours before this report, {reason}"
    );
    assert_eq!(told(&route), [("OUT101", text.as_str())]);
    let calls = log_calls(&sandbox);
    assert_eq!(calls.len(), 1, "one group holds what was found: {calls:#?}");
    let grown = report(&sandbox, "snat-failures-after-scale-out").await;
    let began = told(&grown)[0];
    assert_eq!(began.0, "SNT101");
    let folder = clusters_of(folder()).await;
    let routed = report(&folder, "snat-failures-after-route-change").await;
    let text = format!(
        "route default in route table rt-egress was changed 14 minutes before failures began, {reason}"
    );
    assert!(
        told(&routed).contains(&("SNT101", text.as_str())),
        "{:?}",
        told(&routed)
    );
    assert!(began.1.starts_with("agent pool apps in cluster snat-failures-after-scale-out was changed 14 minutes before failures began, "), "{began:?}");
}

/// Which node, since when, why, the number, the command, what it disturbs and how to undo it: without a portal.
#[tokio::test]
async fn the_text_on_an_exhausted_cluster_tells_all_that_it_takes_to_mend_it() {
    let sandbox = clusters_of(Scenarios::default()).await;
    let made = report(&sandbox, "snat-exhausted-one-node").await;
    let options = TextOptions {
        color: false,
        width: 1_000,
    };
    let text = egress_render::text(&made, &options);
    let mut from = 0;
    for told in [
        "DEGRADED  1110 SNAT connections failed on load balancer kubernetes",
        "pattern      intermittent",
        "CRITICAL SNT101",
        "No SNAT port was free for these connections.",
        "first and last failure: ",
        "vmss000001 (10.224.0.5): 1110",
        "fix Reuse connections in the application",
        "fix Spread the pods of node aks-apps-",
        "fix Give each node 1368 ports on 1 outbound address",
        "--load-balancer-managed-outbound-ip-count 1 --load-balancer-outbound-ports 1368\n",
        "! Azure hands the ports out anew: open outbound connections can drop",
        "undo: az aks update ",
        "--load-balancer-managed-outbound-ip-count 1 --load-balancer-outbound-ports 0\n",
        "vmss000001 (10.224.0.5) used all of its 1024 SNAT ports",
        "1024 of 1024",
        "█",
        "failed connections, most 37 at ",
        "1. Compare `kubectl top pods`",
        "Reuse connections in the application",
        "Give each node 1368 ports on 1 outbound address",
    ] {
        let at = text.get(from..).and_then(|rest| rest.find(told));
        from += at.unwrap_or_else(|| panic!("no {told:?} after {from} in\n{text}")) + told.len();
    }
}

#[tokio::test]
async fn the_activity_log_tells_nothing_of_people() {
    let sandbox = clusters_of(Scenarios::default()).await;
    let made = report(&sandbox, "route-changed-to-nowhere").await;
    let text = serde_json::to_string(&made).expect("JSON");
    assert!(!text.contains("sandbox.example") && !text.contains("203.0.113.77"));
    for call in log_calls(&sandbox) {
        let mut asked = String::new();
        for (name, value) in &call.query {
            write!(asked, "{name}={value}&").expect("a string takes text");
        }
        assert!(
            asked.contains("$select=eventTimestamp,operationName,status,resourceId&"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn what_changed_elsewhere_or_not_at_all_explains_nothing() {
    let sandbox = clusters_of(folder()).await;
    let made = report(&sandbox, "change-of-another-resource").await;
    assert_eq!(told(&made), []);
    assert_eq!(log_calls(&sandbox).len(), 1);
}

#[tokio::test]
async fn a_log_that_may_not_be_read_is_a_gap_and_opens_no_check() {
    let sandbox = clusters_of(folder()).await;
    let made = report(&sandbox, "activity-log-forbidden").await;
    assert_eq!(told(&made), []);
    let [gap] = made.gaps.as_slice() else {
        panic!("{:?}", made.gaps)
    };
    assert_eq!(gap.cause, GapCause::Forbidden);
    assert_eq!(
        gap.needs.as_ref().expect("a right").action,
        "Microsoft.Insights/eventtypes/values/Read"
    );
    assert!(gap.checks.is_empty());
    let as_without_gap = report(&sandbox, "change-of-another-resource").await;
    assert_eq!(made.verdict.complete, as_without_gap.verdict.complete);
}

#[tokio::test]
async fn of_a_long_log_the_newest_pages_are_read() {
    let sandbox = clusters_of(folder()).await;
    let made = report(&sandbox, "activity-log-huge").await;
    let [(_, text)] = told(&made)[..] else {
        panic!("{:?}", told(&made))
    };
    assert!(
        text.starts_with("route default in route table rt-egress was changed 3 hours before"),
        "{text}"
    );
    assert_eq!(log_calls(&sandbox).len(), 5, "pages");
    let gap = made
        .gaps
        .iter()
        .find(|gap| gap.what.starts_with("activity log"));
    assert_eq!(gap.expect("the rest is a gap").cause, GapCause::NotAsked);
}

#[tokio::test]
async fn where_nothing_was_found_the_log_is_not_asked() {
    let sandbox = clusters_of(Scenarios::default()).await;
    for scenario in ["healthy-lb-overlay", "healthy-user-nat"] {
        report(&sandbox, scenario).await;
        assert_eq!(log_calls(&sandbox).len(), 0, "{scenario}");
    }
}

/// What is behind a firewall's NAT gateway takes the last wave of the plan: a later one would be too late for the log.
#[tokio::test]
async fn a_log_that_is_read_beside_the_last_wave_is_silent_where_nothing_was_found() {
    let sandbox = clusters_of(Scenarios::default()).await;
    let made = report(&sandbox, "healthy-udr-firewall").await;
    assert_eq!(
        log_calls(&sandbox).len(),
        2,
        "the hub's group and the cluster's"
    );
    assert_eq!(
        (made.verdict.status, told(&made)),
        (Status::Healthy, Vec::new())
    );
    assert_eq!(made.gaps, []);
}

#[tokio::test]
async fn a_wait_longer_than_the_report_may_take_is_a_gap_at_once() {
    let sandbox = clusters_of(folder()).await;
    let started = tokio::time::Instant::now();
    let made = report(&sandbox, "snat-metrics-throttled-for-long").await;
    assert!(
        started.elapsed() < Duration::from_mins(4),
        "the deadline is five minutes"
    );
    assert!(!made.gaps.is_empty());
    assert!(
        made.gaps.iter().all(|gap| gap.cause == GapCause::Throttled),
        "{:?}",
        made.gaps
    );
}
