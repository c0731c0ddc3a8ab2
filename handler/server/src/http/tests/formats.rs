//! JSON, text, Markdown or a card.

use axum::body::Body;
use http::Method;

use super::{Answer, get, post_json, report_uri, request, router, send};
use crate::testing::{CLUSTER, FakeEngine, body, query};

async fn accept(uri: &str, accept: &str) -> Answer {
    let mut request = request(Method::GET, uri, Body::empty());
    request
        .headers_mut()
        .insert("accept", accept.parse().unwrap());
    send(&router(FakeEngine::healthy()), request).await
}

#[tokio::test]
async fn the_accept_header_decides_when_no_format_is_given() {
    let json = "application/json";
    let text = "text/plain; charset=utf-8";
    let card = "application/vnd.microsoft.card.adaptive";
    let cases = [
        ("application/json", json),
        ("text/plain", text),
        ("*/*", json),
        ("application/*", json),
        ("TEXT/*", text),
        ("text/html,application/xhtml+xml,*/*;q=0.8", json),
        ("application/json;q=0.5, text/plain;q=0.6", text),
        ("text/plain;q=0, */*", json),
        ("*/*;q=0.1, text/plain", text),
        (
            "text/markdown, text/plain;q=0.9",
            "text/markdown; charset=utf-8",
        ),
        ("application/vnd.microsoft.card.adaptive", card),
        ("Application/VND.Microsoft.Card.Adaptive, */*;q=0.1", card),
        // Nothing that can be read as a media range asks for nothing.
        ("nonsense", json),
    ];
    for (header, expected) in cases {
        let answer = accept(&report_uri(&[]), header).await;
        assert_eq!(answer.status, 200, "{header}");
        assert_eq!(answer.header("content-type"), expected, "{header}");
        assert_eq!(answer.header("vary"), "accept");
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_406() {
    for header in ["text/html", "application/json;q=0", "image/*"] {
        accept(&report_uri(&[]), header)
            .await
            .problem(406, "notAcceptable");
    }
    let section = format!("/api/egress/snat?{}", query(&[("clusterId", CLUSTER)]));
    accept(&section, "text/plain")
        .await
        .problem(406, "notAcceptable");
}

#[tokio::test]
async fn a_named_format_comes_before_the_accept_header() {
    let answer = accept(&report_uri(&[("format", "text")]), "application/json").await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    let answer = accept(&report_uri(&[("format", "json")]), "text/plain").await;
    assert_eq!(answer.json()["verdict"]["status"], "blocked");
}

#[tokio::test]
async fn a_report_is_a_ticket_or_a_card_with_the_path_that_was_asked_for() {
    let router = router(FakeEngine::healthy());
    let to = [("destination", "example.com"), ("format", "markdown")];
    let ticket = get(&router, &report_uri(&to)).await;
    assert_eq!(
        ticket.header("content-type"),
        "text/markdown; charset=utf-8"
    );
    assert!(ticket.body.starts_with("# BLOCKED"), "{}", ticket.body);
    assert!(
        ticket.body.contains("## To example.com:443/tcp"),
        "{}",
        ticket.body
    );
    let json = body(&[
        ("clusterId", CLUSTER),
        ("format", "adaptive-card"),
        ("destination", "example.com"),
    ]);
    let card = post_json(&router, "/api/egress/report", &json).await;
    assert_eq!(
        card.header("content-type"),
        "application/vnd.microsoft.card.adaptive"
    );
    assert_eq!(card.json()["type"], "AdaptiveCard");
    assert!(card.body.contains("example.com:443/tcp"), "{}", card.body);
}

#[tokio::test]
async fn html_is_not_made_yet_and_what_a_route_makes_is_said() {
    let router = router(FakeEngine::healthy());
    for (path, format, said) in [
        ("report", "html", "json, text, markdown or adaptive-card"),
        ("report", "pdf", "json, text, markdown or adaptive-card"),
        ("paths", "markdown", "gives json or text;"),
        ("snat", "adaptive-card", "gives json;"),
    ] {
        let pairs = query(&[("clusterId", CLUSTER), ("format", format)]);
        let answer = get(&router, &format!("/api/egress/{path}?{pairs}")).await;
        let detail = answer.problem(400, "invalidRequest");
        assert!(detail.contains(said), "{detail}");
    }
}

#[tokio::test]
async fn paths_outcome_and_plan_are_json_or_text() {
    for path in ["paths", "outcome", "pressure", "bypass-plan"] {
        let mut pairs = vec![("clusterId", CLUSTER)];
        if path == "outcome" {
            pairs.push(("curlExitCode", "28"));
        }
        let uri = format!("/api/egress/{path}?{}", query(&pairs));
        let json = accept(&uri, "*/*").await;
        assert_eq!(json.json()["cluster"]["id"], CLUSTER, "{path}");
        let text = accept(&uri, "text/plain").await;
        assert!(
            text.header("content-type").starts_with("text/plain"),
            "{path}"
        );
        assert!(text.body.contains("shop"), "{path}: {}", text.body);
    }
}

#[tokio::test]
async fn sections_are_json_only() {
    let pairs = query(&[("clusterId", CLUSTER), ("format", "text")]);
    let answer = get(
        &router(FakeEngine::healthy()),
        &format!("/api/egress/snat?{pairs}"),
    )
    .await;
    answer.problem(400, "invalidRequest");
    assert_eq!(answer.field(), "format");
}
