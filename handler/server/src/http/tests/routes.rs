//! What each route gives, and how paths and keys may be written.

use axum::body::Body;
use http::Method;
use jiff::SignedDuration;
use serde_json::json;

use super::{get, post_json, report_uri, request, router, send};
use crate::testing::{CLUSTER, FakeEngine, body, query};

#[tokio::test]
async fn get_and_post_give_the_same_report() {
    let router = router(FakeEngine::healthy());
    let from_get = get(&router, &report_uri(&[("fresh", "true")])).await;
    let json = json!({"clusterId": CLUSTER, "fresh": true, "window": null}).to_string();
    let from_post = post_json(&router, "/api/egress/report", &json).await;
    assert_eq!(from_get.status, 200, "{from_get:?}");
    assert_eq!(from_get.json(), from_post.json());
    assert_eq!(from_get.json()["cluster"]["id"], CLUSTER);
    assert_eq!(from_get.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_post_may_carry_its_fields_in_query_and_body() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let empty = request(Method::POST, &report_uri(&[]), Body::empty());
    assert_eq!(send(&router, empty).await.status, 200);
    let both = post_json(&router, &report_uri(&[]), &body(&[("window", "P1D")])).await;
    assert_eq!(both.status, 200);
    let windows: Vec<_> = engine
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|r| r.window)
        .collect();
    assert_eq!(
        windows,
        [
            SignedDuration::from_hours(6),
            SignedDuration::from_hours(24)
        ]
    );
}

#[tokio::test]
async fn the_function_key_is_not_a_field() {
    let router = router(FakeEngine::healthy());
    for key in ["code", "Code"] {
        let answer = get(&router, &report_uri(&[(key, "the-key==")])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn literal_segments_match_in_any_case_and_with_a_slash_at_the_end() {
    let router = router(FakeEngine::healthy());
    let pairs = query(&[("clusterId", CLUSTER)]);
    for path in [
        "/API/Egress/REPORT",
        "/api/egress/report/",
        "/Api/egress/Outbound-Type/",
    ] {
        let answer = get(&router, &format!("{path}?{pairs}")).await;
        assert_eq!(answer.status, 200, "{path}");
        // Only the path is folded: values keep their case.
        assert_eq!(answer.json()["cluster"]["id"], CLUSTER);
    }
}

#[tokio::test]
async fn sections_give_their_part_with_its_findings_and_gaps() {
    let router = router(FakeEngine::healthy());
    let cases = [
        ("outbound-type", "outbound", json!(["CLS101", "NAT101"]), 1),
        (
            "endpoints",
            "egressEndpoints",
            json!(["CLS101", "NSG101"]),
            1,
        ),
        ("nat-gateway", "natGateway", json!(["CLS101", "NAT101"]), 1),
        ("snat", "snat", json!(["CLS101", "SNT101"]), 2),
    ];
    for (path, part, findings, gaps) in cases {
        let uri = format!("/api/egress/{path}?{}", query(&[("clusterId", CLUSTER)]));
        let section = get(&router, &uri).await.json();
        let whole = get(&router, &report_uri(&[])).await.json();
        for same in [
            "schemaVersion",
            "generatedAt",
            "window",
            "cluster",
            "verdict",
            part,
        ] {
            assert!(!section[same].is_null(), "{path}: {same}");
            assert_eq!(section[same], whole[same], "{path}: {same}");
        }
        let codes: Vec<_> = section["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["code"].clone())
            .collect();
        assert_eq!(json!(codes), findings, "{path}");
        assert_eq!(section["gaps"].as_array().unwrap().len(), gaps, "{path}");
        assert!(section["checks"].is_null() && section["nodes"].is_null());
    }
}

#[tokio::test]
async fn health_says_version_and_identity_without_asking_azure() {
    let engine = FakeEngine::healthy();
    let health = get(&router(engine.clone()), "/api/health").await.json();
    assert_eq!(
        health,
        json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"),
               "identityConfigured": true, "identity": "managedIdentity"})
    );
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn the_catalogue_lists_findings_and_explains_one_in_any_case() {
    let router = router(FakeEngine::healthy());
    let list = get(&router, "/api/findings").await.json();
    let entries = list["findings"].as_array().unwrap();
    let nat101 = entries.iter().find(|f| f["code"] == "NAT101").unwrap();
    assert_eq!(nat101["slug"], "subnet-not-associated");
    assert_eq!(nat101["severity"], "critical");
    for path in ["/api/findings/NAT101", "/api/findings/nat101"] {
        let page = get(&router, path).await.json();
        assert_eq!(page["code"], "NAT101");
        assert!(
            page["documentation"]
                .as_str()
                .unwrap()
                .contains("What it checks")
        );
    }
    get(&router, "/api/findings/XXX999")
        .await
        .problem(404, "notFound");
}

#[tokio::test]
async fn the_schema_describes_the_report() {
    let answer = get(&router(FakeEngine::healthy()), "/api/schemas/report.json").await;
    assert_eq!(answer.header("content-type"), "application/schema+json");
    let schema = answer.json();
    let report = get(&router(FakeEngine::healthy()), &report_uri(&[]))
        .await
        .json();
    for field in report.as_object().unwrap().keys() {
        assert!(!schema["properties"][field].is_null(), "{field}");
    }
}
