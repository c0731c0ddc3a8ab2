//! What must be refused, and how.

use axum::body::Body;
use http::Method;

use super::{get, post_json, report_uri, request, router, send};
use crate::testing::{CLUSTER, FakeEngine, body, query};

const REPORT: &str = "/api/egress/report";
const PATHS: [&str; 8] = [
    "/api/egress/report",
    "/api/egress/outbound-type",
    "/api/egress/endpoints",
    "/api/egress/nat-gateway",
    "/api/egress/snat",
    "/api/egress/paths",
    "/api/egress/bypass-plan",
    "/api/egress/pressure",
];

#[tokio::test]
async fn a_missing_cluster_id_is_named_on_every_route_in_both_methods() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    for path in PATHS {
        for answer in [
            get(&router, path).await,
            post_json(&router, path, "{}").await,
        ] {
            let detail = answer.problem(400, "invalidClusterId");
            assert!(detail.contains("missing"), "{detail}");
            assert_eq!(answer.field(), "clusterId");
        }
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn malformed_and_foreign_cluster_ids_are_told_what_is_wrong() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let subnet = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s";
    let cases = [
        ("", "missing"),
        ("shop", "/subscriptions/"),
        (
            "/subscriptions/nope/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c",
            "GUID",
        ),
        (subnet, "Microsoft.Network/virtualNetworks/subnets"),
        (
            &format!("{CLUSTER}/agentPools/a"),
            "managedClusters/agentPools",
        ),
        (&format!("{CLUSTER}/../x"), "dots"),
        (&format!("{CLUSTER}?x=1"), "character"),
        (&format!("{CLUSTER}%2f"), "character"),
        (&format!("{CLUSTER}\u{0}"), "character"),
        (&format!("{CLUSTER}\r\nHost: evil"), "character"),
        (&format!("https://evil.example{CLUSTER}"), "character"),
        (&format!("{CLUSTER}{}", "x".repeat(4000)), "bytes"),
    ];
    for (id, wrong) in cases {
        let from_query = get(
            &router,
            &format!("{REPORT}?{}", query(&[("clusterId", id)])),
        )
        .await;
        let from_body = post_json(&router, REPORT, &body(&[("clusterId", id)])).await;
        for answer in [from_query, from_body] {
            let detail = answer.problem(400, "invalidClusterId");
            assert!(detail.contains(wrong), "{id:?}: {detail}");
        }
    }
    for not_text in ["1", "true", "[]", "{}"] {
        let answer = post_json(&router, REPORT, &format!(r#"{{"clusterId":{not_text}}}"#)).await;
        assert!(answer.problem(400, "invalidClusterId").contains("string"));
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn a_doubled_cluster_id_is_refused_however_it_arrives() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let joined = format!("{CLUSTER},{CLUSTER}");
    let one = query(&[("clusterId", CLUSTER)]);
    let json = body(&[("clusterId", CLUSTER)]);
    let answers = [
        // As the host joins a repeated key.
        get(
            &router,
            &format!("{REPORT}?{}", query(&[("clusterId", &joined)])),
        )
        .await,
        get(&router, &format!("{REPORT}?{one}&{one}")).await,
        post_json(&router, &format!("{REPORT}?{one}"), &json).await,
        post_json(
            &router,
            REPORT,
            &format!(r#"{{"clusterId":"{CLUSTER}","clusterId":"{CLUSTER}"}}"#),
        )
        .await,
    ];
    for answer in answers {
        let detail = answer.problem(400, "invalidClusterId");
        assert!(detail.contains("more than once"), "{detail}");
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn unknown_fields_are_all_named() {
    let router = router(FakeEngine::healthy());
    let uri = report_uri(&[("windw", "PT1H"), ("clusterid", "x")]);
    let detail = get(&router, &uri).await.problem(400, "invalidRequest");
    assert!(
        detail.contains("windw") && detail.contains("clusterid"),
        "{detail}"
    );

    let answer = post_json(
        &router,
        REPORT,
        &body(&[("clusterId", CLUSTER), ("tenant", "t")]),
    )
    .await;
    assert!(answer.problem(400, "invalidRequest").contains("tenant"));
    assert_eq!(answer.field(), "tenant");
    // A function key in the body is not the host's.
    let answer = post_json(
        &router,
        REPORT,
        &body(&[("clusterId", CLUSTER), ("code", "k")]),
    )
    .await;
    answer.problem(400, "invalidRequest");
}

#[tokio::test]
async fn bad_values_name_their_field() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let cases = [
        ("window", "PT4M59S", "too short"),
        (
            "window",
            "P7DT1S",
            "too long; use an ISO 8601 duration from PT5M to P7D",
        ),
        // Longer than Azure keeps metrics.
        (
            "window",
            "P94D",
            "too long; use an ISO 8601 duration from PT5M to P7D",
        ),
        ("window", "-PT1H", "too short"),
        ("window", "P1M", "no fixed length"),
        ("window", "6h", "ISO 8601"),
        ("window", "PT6H,PT6H", "ISO 8601"),
        ("window", "", "ISO 8601"),
        ("format", "yaml", "markdown or adaptive-card"),
        ("format", "html", "not available in this version"),
        ("format", "", "markdown or adaptive-card"),
        ("fresh", "yes", "true or false"),
        ("pattern", "often", "persistent or intermittent"),
        ("pattern", "", "persistent or intermittent"),
        ("destination", "", "leave the field out"),
        (
            "destination",
            "https://mcr.microsoft.com/v2/",
            "mcr.microsoft.com",
        ),
        ("destination", "u:p@example.com", "user name"),
        ("destination", "bücher.example", "xn--"),
        ("destination", "example.com:65536", "1 to 65535"),
        ("destination", "example .com", "blank"),
        ("destination", "a.com,b.com", "one destination"),
        ("destination", "2001:db8::1", "brackets"),
    ];
    for (field, value, wrong) in cases {
        let from_query = get(&router, &report_uri(&[(field, value)])).await;
        let json = body(&[("clusterId", CLUSTER), (field, value)]);
        let from_body = post_json(&router, REPORT, &json).await;
        for answer in [from_query, from_body] {
            let detail = answer.problem(400, "invalidRequest");
            assert!(detail.contains(wrong), "{field}={value}: {detail}");
            assert_eq!(answer.field(), field);
        }
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn bodies_that_are_no_json_object() {
    let router = router(FakeEngine::healthy());
    let deep = "[".repeat(100_000);
    for text in [
        "{",
        "[]",
        "\"x\"",
        "null",
        "{\"clusterId\":}",
        "{}{}",
        deep.as_str(),
    ] {
        let answer = post_json(&router, REPORT, text).await;
        let detail = answer.problem(400, "invalidRequest");
        assert!(detail.contains("not a JSON object"), "{detail}");
    }
}

#[tokio::test]
async fn other_media_types_are_415() {
    let router = router(FakeEngine::healthy());
    let form = query(&[("clusterId", CLUSTER)]);
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
    ] {
        let mut request = request(Method::POST, REPORT, Body::from(form.clone()));
        if let Some(value) = content_type {
            request
                .headers_mut()
                .insert("content-type", value.parse().unwrap());
        }
        send(&router, request)
            .await
            .problem(415, "unsupportedMediaType");
    }
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_413_and_one_of_just_that_size_is_read() {
    let router = router(FakeEngine::healthy());
    let with_length = |length: usize| {
        let json = body(&[("clusterId", CLUSTER)]);
        json.clone() + &" ".repeat(length - json.len())
    };
    let limit = 1024 * 1024;
    let answer = post_json(&router, REPORT, &with_length(limit)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    post_json(&router, REPORT, &with_length(limit + 1))
        .await
        .problem(413, "payloadTooLarge");
}

#[tokio::test]
async fn wrong_methods_are_405_and_told_which_are_right() {
    let router = router(FakeEngine::healthy());
    let cases = [
        (Method::DELETE, "/api/egress/report", "GET,HEAD,POST"),
        (Method::PUT, "/api/egress/snat", "GET,HEAD,POST"),
        (Method::POST, "/api/findings", "GET,HEAD"),
        (Method::POST, "/api/health", "GET,HEAD"),
        (Method::POST, "/", "GET,HEAD"),
    ];
    for (method, path, allowed) in cases {
        let answer = send(&router, request(method, path, Body::empty())).await;
        answer.problem(405, "methodNotAllowed");
        assert_eq!(answer.header("allow"), allowed, "{path}");
    }
}

#[tokio::test]
async fn unknown_routes_are_404() {
    let router = router(FakeEngine::healthy());
    for path in [
        "/api",
        "/egress/report",
        "/api/egress",
        "/api/egress/report/x",
        "/diagnose",
        "/api//egress/report",
    ] {
        get(&router, path).await.problem(404, "notFound");
    }
}
