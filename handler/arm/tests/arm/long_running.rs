//! Long-running operations.

use std::time::Duration;

use axum::response::Response;
use egress_arm::operations::{Method, Operation};
use egress_arm::{ArmError, Failure};
use http::Method as HttpMethod;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{GATEWAY, Seen, Server, TOKEN, gateway, json_answer, ok};

/// None of the table's operations is long-running yet.
static ACTION: Operation = Operation {
    name: "ACTION",
    method: Method::Post,
    provider: "Microsoft.Network",
    target: None,
    suffix: "/act",
    api_version: "2026-03-01",
    action: "Microsoft.Network/natGateways/act/action",
};

async fn run(server: &Server) -> Result<Value, ArmError> {
    let body = json!({"a": 1});
    server
        .session()
        .post_long_running(&ACTION, &gateway(), Some(&body))
        .await
}

fn at<'h>(name: &'h str, url: &'h str) -> [(&'h str, &'h str); 2] {
    [(name, url), ("Retry-After", "0")]
}

/// Answers the nth request, given the server's origin.
async fn script(answer: fn(usize, &str) -> Response) -> Server {
    Server::start(move |seen: &Seen| answer(seen.nth, &seen.origin)).await
}

#[tokio::test]
async fn an_immediate_result_needs_no_poll() {
    let server = script(|_, _| ok(&json!("done"))).await;
    assert_eq!(run(&server).await.unwrap(), json!("done"));
    let [seen] = &server.seen()[..] else {
        panic!("one request expected")
    };
    assert_eq!(seen.method, HttpMethod::POST);
    assert_eq!(seen.path, format!("{GATEWAY}/act?api-version=2026-03-01"));
    assert_eq!(seen.body, r#"{"a":1}"#);
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_location_is_polled_over_null_bodies_and_may_move() {
    let server = script(|nth, origin| match nth {
        0 => json_answer(
            202,
            &at("Location", &format!("{origin}/op?t=1&s=a%2Fb")),
            &Value::Null,
        ),
        1 => json_answer(
            202,
            &at("Location", &format!("{origin}/moved")),
            &Value::Null,
        ),
        2 => json_answer(202, &[("Retry-After", "0")], &Value::Null),
        _ => ok(&json!({"value": []})),
    })
    .await;
    assert_eq!(run(&server).await.unwrap(), json!({"value": []}));
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().skip(1).map(|seen| &*seen.path).collect();
    assert_eq!(paths, ["/op?t=1&s=a%2Fb", "/moved", "/moved"]);
    assert!(
        seen.iter()
            .skip(1)
            .all(|seen| seen.method == HttpMethod::GET)
    );
    let token = format!("Bearer {TOKEN}");
    assert!(
        seen.iter()
            .all(|seen| seen.header("authorization") == Some(&token))
    );
}

#[tokio::test]
async fn a_status_is_read_in_any_case_and_holds_the_result() {
    let server = script(|nth, origin| match nth {
        0 => json_answer(
            202,
            &at("Azure-AsyncOperation", &format!("{origin}/status")),
            &Value::Null,
        ),
        1 => json_answer(202, &[("Retry-After", "0")], &Value::Null),
        2 => json_answer(
            200,
            &[("Retry-After", "0")],
            &json!({"status": "InProgress"}),
        ),
        _ => ok(&json!({"status": "SUCCEEDED", "properties": {"output": {"value": [1]}}})),
    })
    .await;
    assert_eq!(run(&server).await.unwrap(), json!({"value": [1]}));
}

#[tokio::test]
async fn with_both_headers_the_result_is_read_from_its_location() {
    let server = script(|nth, origin| match nth {
        0 => {
            let (status, location) = (format!("{origin}/status"), format!("{origin}/result"));
            let headers = [
                ("Azure-AsyncOperation", &*status),
                ("Location", &*location),
                ("Retry-After", "0"),
            ];
            json_answer(202, &headers, &Value::Null)
        }
        1 => ok(&json!({"status": "Succeeded"})),
        _ => ok(&json!({"value": [2]})),
    })
    .await;
    assert_eq!(run(&server).await.unwrap(), json!({"value": [2]}));
    assert_eq!(server.seen()[2].path, "/result");
}

#[tokio::test]
async fn a_failed_operation_keeps_its_code() {
    for status in ["failed", "Canceled"] {
        let server = Server::start(move |seen| match seen.nth {
            0 => json_answer(
                202,
                &at("Azure-AsyncOperation", &format!("{}/s", seen.origin)),
                &Value::Null,
            ),
            _ => ok(&json!({"status": status, "error": {"code": "VmNotRunning", "message": "m"}})),
        })
        .await;
        let code = Some("VmNotRunning".to_owned());
        assert_eq!(
            *run(&server).await.unwrap_err().failure(),
            Failure::OperationFailed { code }
        );
    }
}

#[tokio::test]
async fn a_poll_elsewhere_gets_no_request_and_no_token() {
    let elsewhere = Server::start(|_| ok(&json!({}))).await;
    for name in ["Location", "Azure-AsyncOperation"] {
        for link in [
            format!("{}/op", elsewhere.origin),
            // Regional hosts are the cloud's own; here the endpoint is another.
            "https://eastus.management.azure.com/op".to_owned(),
            "/relative".to_owned(),
        ] {
            let server =
                Server::start(move |_| json_answer(202, &at(name, &link), &Value::Null)).await;
            let error = run(&server).await.unwrap_err();
            assert_eq!(*error.failure(), Failure::Malformed);
            assert!(!error.detail().contains("http"), "{}", error.detail());
            assert_eq!(server.seen().len(), 1);
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn nowhere_to_poll_is_malformed() {
    let server = script(|_, _| json_answer(202, &[], &Value::Null)).await;
    assert_eq!(
        *run(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
}

#[tokio::test]
async fn an_action_is_not_repeated() {
    let server = script(|_, _| json_answer(503, &[("Retry-After", "0")], &Value::Null)).await;
    assert_eq!(
        *run(&server).await.unwrap_err().failure(),
        Failure::Unreachable
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_poll_that_would_come_after_the_deadline_is_not_waited_for() {
    let server = script(|_, origin| {
        let location = format!("{origin}/op");
        json_answer(
            202,
            &[("Location", &location), ("Retry-After", "160")],
            &Value::Null,
        )
    })
    .await;
    let session = server
        .client()
        .session(Instant::now() + Duration::from_mins(1));
    let outcome = session
        .post_long_running::<Value>(&ACTION, &gateway(), None)
        .await;
    assert_eq!(*outcome.unwrap_err().failure(), Failure::TimedOut);
    assert_eq!(server.seen().len(), 1);
}
