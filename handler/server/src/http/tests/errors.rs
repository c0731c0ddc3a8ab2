//! What the engine's failures become, request ids, and faults of our own.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use http::Method;

use super::{Answer, get, report_uri, request, router, send};
use crate::engine::DiagnosisError;
use crate::http::{App, Health};
use crate::reports::Policy;
use crate::testing::{FakeEngine, SUBSCRIPTION, app, policy, report};

async fn answer_for(error: DiagnosisError) -> Answer {
    let engine = FakeEngine::new(move |_| Err(error.clone()));
    get(&router(engine), &report_uri(&[])).await
}

#[tokio::test]
async fn each_failure_has_its_status_and_keeps_its_technical_text_for_the_log() {
    let secret = "internal-host-name";
    let cases = [
        (DiagnosisError::ClusterNotFound, 404, "clusterNotFound"),
        (
            DiagnosisError::IdentityFailed(secret.into()),
            502,
            "identityFailed",
        ),
        (
            DiagnosisError::AzureUnreachable(secret.into()),
            502,
            "azureUnreachable",
        ),
        (
            DiagnosisError::Throttled(secret.into()),
            502,
            "azureUnreachable",
        ),
        (
            DiagnosisError::Internal(secret.into()),
            500,
            "internalError",
        ),
    ];
    for (error, status, code) in cases {
        let answer = answer_for(error).await;
        answer.problem(status, code);
        assert!(!answer.body.contains(secret), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_unreadable_cluster_names_the_missing_action_and_scope() {
    let action = "Microsoft.ContainerService/managedClusters/read";
    let scope = format!("/subscriptions/{SUBSCRIPTION}");
    let answer = answer_for(DiagnosisError::Forbidden {
        action: action.to_owned(),
        scope: scope.clone(),
    })
    .await;
    let detail = answer.problem(403, "azureForbidden");
    assert!(detail.contains(action) && detail.contains(&scope));
    assert_eq!(answer.json()["needs"]["action"], action);
    assert_eq!(answer.json()["needs"]["scope"], scope);
}

#[tokio::test]
async fn a_subscription_outside_the_allow_list_is_refused_before_any_work() {
    let engine = FakeEngine::healthy();
    let only = |id: &str| Policy {
        allowed_subscriptions: BTreeSet::from([id.to_owned()]),
        ..policy()
    };
    let other = "00000000-0000-4000-8000-000000000002";
    let router = app(engine.clone(), only(other)).router();
    let answer = get(&router, &report_uri(&[])).await;
    assert!(
        answer
            .problem(403, "scopeNotAllowed")
            .contains(SUBSCRIPTION)
    );
    assert_eq!(engine.runs(), 0);

    let router = app(engine.clone(), only(SUBSCRIPTION)).router();
    assert_eq!(get(&router, &report_uri(&[])).await.status, 200);
}

#[tokio::test]
async fn wrong_settings_are_answered_while_the_probe_and_health_go_on() {
    let router = App {
        reports: Err(Arc::from("EGRESS_CLOUD is \"mars\"")),
        health: Health::bad_configuration(),
        ..app(FakeEngine::healthy(), policy())
    }
    .router();
    let detail = get(&router, &report_uri(&[]))
        .await
        .problem(500, "badConfiguration");
    assert!(detail.contains("EGRESS_CLOUD"));
    assert_eq!(get(&router, "/").await.status, 200);
    let health = get(&router, "/api/health").await;
    assert_eq!(health.json()["status"], "badConfiguration");
}

#[tokio::test]
async fn a_panicking_run_is_a_500_and_the_next_one_works() {
    let engine = FakeEngine::new(|request| {
        assert!(request.window.as_hours() == 6, "a test's panic");
        Ok(report(request.cluster.as_str()))
    });
    let router = router(engine);
    get(&router, &report_uri(&[("window", "PT1H")]))
        .await
        .problem(500, "internalError");
    assert_eq!(get(&router, &report_uri(&[])).await.status, 200);
}

#[tokio::test]
async fn a_panicking_handler_is_a_500() {
    let handler = axum::routing::get(async || assert_eq!(1, 2, "a test's panic"));
    let router = axum::Router::new()
        .route("/boom", handler)
        .layer(axum::middleware::from_fn(crate::http::finish::finish));
    get(&router, "/boom").await.problem(500, "internalError");
}

#[tokio::test]
async fn the_hosts_invocation_id_is_the_request_id() {
    let router = router(FakeEngine::healthy());
    let with = |values: &[&str]| {
        let mut request = request(Method::GET, "/api/nothing", Body::empty());
        for value in values {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request
                .headers_mut()
                .append("x-azure-functions-invocationid", value);
        }
        request
    };
    let host = "8f0c5a4e-0000-4000-8000-000000000001";
    let client = "11111111-1111-4111-8111-111111111111";
    let joined = format!("{client}, {host}");
    for values in [&[host][..], &[client, host], &[&joined]] {
        let answer = send(&router, with(values)).await;
        assert_eq!(answer.header("x-request-id"), host);
        answer.problem(404, "notFound");
    }
    let long = "a".repeat(65);
    for hostile in [
        "",
        "<script>alert(1)</script>",
        "a b c d e f g",
        "x",
        "ünïcödé-id",
        &long,
    ] {
        let answer = send(&router, with(&[hostile])).await;
        let id = answer.header("x-request-id");
        assert!(
            uuid::Uuid::try_parse(id).is_ok(),
            "{hostile:?} became {id:?}"
        );
        answer.problem(404, "notFound");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let router = router(FakeEngine::healthy());
    for uri in ["/", "/api/health", "/api/findings", &report_uri(&[])] {
        let answer = get(&router, uri).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.header("x-request-id").is_empty(), "{uri}");
    }
}
