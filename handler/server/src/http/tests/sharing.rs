//! Who shares a run, who is turned away, and what a caller that hangs up leaves behind.

use std::time::Duration;

use axum::Router;
use futures::future::join_all;

use super::{get, report_uri, router};
use crate::engine::DiagnosisError;
use crate::reports::Policy;
use crate::testing::{FakeEngine, app, policy, report};

fn gated() -> std::sync::Arc<FakeEngine> {
    FakeEngine::with_gate(|request| Ok(report(request.cluster.as_str())), 0)
}

fn spawn_get(router: &Router, uri: String) -> tokio::task::JoinHandle<super::Answer> {
    let router = router.clone();
    tokio::spawn(async move { get(&router, &uri).await })
}

#[tokio::test]
async fn concurrent_equal_requests_share_one_run_even_without_a_cache() {
    let engine = gated();
    let no_cache = Policy {
        cache: Duration::ZERO,
        ..policy()
    };
    let router = app(engine.clone(), no_cache).router();
    let all: Vec<_> = (0..10)
        .map(|_| spawn_get(&router, report_uri(&[])))
        .collect();
    engine.wait_for_runs(1).await;
    // One that differs in case only is equal; it joins while the first is still held.
    let upper = report_uri(&[]).replace("shop", "SHOP");
    let late = spawn_get(&router, upper);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    engine.gate.add_permits(1);
    let mut answers = join_all(all).await;
    answers.push(late.await);
    let cached: Vec<bool> = answers
        .into_iter()
        .map(|answer| answer.unwrap().json()["stats"]["cached"].as_bool().unwrap())
        .collect();
    assert_eq!(engine.runs(), 1);
    assert_eq!(cached.iter().filter(|cached| !**cached).count(), 1);

    // Nothing was kept.
    engine.gate.add_permits(1);
    let answer = get(&router, &report_uri(&[])).await;
    assert_eq!(answer.json()["stats"]["cached"], false);
    assert_eq!(engine.runs(), 2);
}

#[tokio::test]
async fn a_later_request_gets_the_cached_report_unless_it_wants_a_fresh_one() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let cached = async |more: &[(&str, &str)]| {
        let answer = get(&router, &report_uri(more)).await;
        answer.json()["stats"]["cached"].as_bool().unwrap()
    };
    assert!(!cached(&[]).await);
    assert!(cached(&[]).await);
    assert!(cached(&[("format", "json"), ("window", "PT6H")]).await);
    assert_eq!(engine.runs(), 1);
    assert!(!cached(&[("fresh", "true")]).await);
    assert_eq!(engine.runs(), 2);
    // The fresh one replaced it.
    assert!(cached(&[]).await);
    // Another window is another report.
    assert!(!cached(&[("window", "PT1H")]).await);
    assert_eq!(engine.runs(), 3);
}

#[tokio::test]
async fn errors_are_not_kept() {
    let engine = FakeEngine::new(|_| Err(DiagnosisError::ClusterNotFound));
    let router = router(engine.clone());
    for run in 1..=3 {
        get(&router, &report_uri(&[]))
            .await
            .problem(404, "clusterNotFound");
        assert_eq!(engine.runs(), run);
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_take_the_run_from_the_others() {
    let engine = gated();
    let router = router(engine.clone());
    let first = spawn_get(&router, report_uri(&[]));
    engine.wait_for_runs(1).await;
    let second = spawn_get(&router, report_uri(&[]));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    engine.gate.add_permits(1);
    assert_eq!(second.await.unwrap().status, 200);
    assert_eq!(engine.runs(), 1);
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_ends_and_frees_its_place() {
    let engine = gated();
    let one_run = Policy {
        concurrent_runs: 1,
        ..policy()
    };
    let router = app(engine.clone(), one_run).router();
    let gone = spawn_get(&router, report_uri(&[]));
    engine.wait_for_runs(1).await;
    gone.abort();
    engine.gate.add_permits(2);
    // The abandoned run's report is there for the next caller, and its place is free for another report.
    let answer = get(&router, &report_uri(&[])).await;
    assert_eq!(answer.json()["stats"]["cached"], true);
    let other = get(&router, &report_uri(&[("window", "PT1H")])).await;
    assert_eq!(other.status, 200, "{other:?}");
}

#[tokio::test]
async fn too_many_runs_are_turned_away_while_the_probe_health_and_shared_runs_answer() {
    let engine = gated();
    let one_run = Policy {
        concurrent_runs: 1,
        ..policy()
    };
    let router = app(engine.clone(), one_run).router();
    let running = spawn_get(&router, report_uri(&[]));
    engine.wait_for_runs(1).await;

    let turned_away = get(&router, &report_uri(&[("window", "PT1H")])).await;
    turned_away.problem(503, "busy");
    assert!(turned_away.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(get(&router, "/").await.status, 200);
    assert_eq!(get(&router, "/api/health").await.status, 200);
    let sharing = spawn_get(&router, report_uri(&[]));

    engine.gate.add_permits(2);
    assert_eq!(running.await.unwrap().status, 200);
    assert_eq!(sharing.await.unwrap().status, 200);
    // A refusal is not kept either.
    let later = get(&router, &report_uri(&[("window", "PT1H")])).await;
    assert_eq!(later.status, 200);
}
