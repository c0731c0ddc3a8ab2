//! Single requests over real sockets: what is sent, what is repeated, what an answer becomes.

use std::io::Write;
use std::time::Duration;

use crate::support::{GATEWAY, Seen, Server, TOKEN, gateway, json_answer, ok, soon};
use axum::response::IntoResponse;
use egress_arm::operations::{METRICS_GET, NAT_GATEWAY_GET, PUBLIC_IP_GET, RESOURCE_GRAPH_QUERY};
use egress_arm::{ArmError, Failure, ResourceId};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Version;
use serde_json::{Value, json};
use tokio::time::Instant;

async fn get(server: &Server) -> Result<Value, ArmError> {
    server
        .session()
        .get(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
}

fn error_body(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

#[tokio::test]
async fn a_request_names_version_product_and_token() {
    let server = Server::start(|_| ok(&json!({"name": "ng1"}))).await;
    let answer = get(&server).await.unwrap();
    assert_eq!(answer, json!({"name": "ng1"}));
    let [seen] = &server.seen()[..] else {
        panic!("one request expected")
    };
    assert_eq!(seen.path, format!("{GATEWAY}?api-version=2026-03-01"));
    assert_eq!(
        seen.header("authorization"),
        Some(&*format!("Bearer {TOKEN}"))
    );
    assert!(
        seen.header("user-agent")
            .unwrap()
            .starts_with("aks-egress-diagnostics/")
    );
    assert!(seen.header("x-ms-client-request-id").is_some());
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn query_values_are_percent_encoded() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let query = [("metricnames", "Percentage CPU"), ("$filter", "A eq '+&'")];
    let _: Value = server
        .session()
        .get(&METRICS_GET, &gateway(), &query)
        .await
        .unwrap();
    let path = &server.seen()[0].path;
    assert!(path.contains("metricnames=Percentage%20CPU"), "{path}");
    assert!(path.ends_with("&%24filter=A%20eq%20%27%2B%26%27"), "{path}");
}

#[tokio::test]
async fn an_id_of_another_type_is_not_asked_for() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let answer = server
        .session()
        .get::<Value>(&PUBLIC_IP_GET, &gateway(), &[])
        .await;
    assert_eq!(*answer.unwrap_err().failure(), Failure::Malformed);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn connections_are_shared_over_http2() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let client = server.client();
    let _: Value = client
        .session(soon())
        .get(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap();
    let id = gateway();
    let many = (0..20).map(|_| {
        let session = client.session(soon());
        let id = &id;
        async move { session.get::<Value>(&NAT_GATEWAY_GET, id, &[]).await }
    });
    for answer in futures::future::join_all(many).await {
        answer.unwrap();
    }
    assert_eq!(server.seen().len(), 21);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.version == Version::HTTP_2)
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_throttled_read_is_repeated_and_counted() {
    let server = Server::start(|seen| match seen.nth {
        0 => json_answer(
            429,
            &[("Retry-After", "0"), ("x-ms-request-id", "first")],
            &error_body("TooManyRequests", ""),
        ),
        1 => json_answer(503, &[("x-ms-retry-after-ms", "1")], &Value::Null),
        _ => ok(&json!({"name": "ng1"})),
    })
    .await;
    let session = server.session();
    let answer: Value = session
        .get(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap();
    assert_eq!(answer, json!({"name": "ng1"}));
    let stats = session.stats();
    assert_eq!((stats.calls, stats.retries), (3, 2));
    assert_eq!(stats.failed_request_ids, ["first"]);
    let ids: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("x-ms-client-request-id").unwrap().to_owned())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn waiting_as_told_never_outlives_the_deadline() {
    let server = Server::start(|_| {
        json_answer(
            429,
            &[("Retry-After", "3600")],
            &error_body("SubscriptionRequestsThrottled", ""),
        )
    })
    .await;
    let error = get(&server).await.unwrap_err();
    let told = Some(Duration::from_hours(1));
    assert_eq!(*error.failure(), Failure::Throttled { retry_after: told });
    assert_eq!(error.error_code(), Some("SubscriptionRequestsThrottled"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let session = server.client().session(Instant::now());
    let error = session
        .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap_err();
    assert_eq!(*error.failure(), Failure::TimedOut);
    assert!(server.seen().is_empty());
    assert_eq!(session.stats().calls, 0);
}

#[tokio::test]
async fn a_missing_right_is_named_and_the_asker_is_not() {
    let server = Server::start(|_| {
        let message = "The client 'someone@example.com' with object id '7b795fb9-09d3-42f4-a494-38864f99ba3c' does not have \
            authorization to perform action 'Microsoft.Network/natGateways/read' over scope \
            '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/natGateways/ng1' \
            or the scope is invalid. If access was recently granted, please refresh your credentials.";
        json_answer(403, &[("x-ms-request-id", "r1")], &error_body("AuthorizationFailed", message))
    })
    .await;
    let error = get(&server).await.unwrap_err();
    let expected = Failure::Forbidden {
        action: Some("Microsoft.Network/natGateways/read".to_owned()),
        scope: Some(GATEWAY.to_owned()),
    };
    assert_eq!(*error.failure(), expected);
    assert_eq!(
        (error.http_status(), error.request_id()),
        (Some(403), Some("r1"))
    );
    let everything = format!("{error} {error:?} {}", error.detail());
    assert!(!everything.contains("someone"), "{everything}");
    assert!(!everything.contains("7b795fb9"), "{everything}");
}

#[tokio::test]
async fn absence_needs_resource_managers_own_word() {
    let failure = |code: &'static str| async move {
        let server = Server::start(move |_| json_answer(404, &[], &error_body(code, "m"))).await;
        get(&server).await.unwrap_err().failure().clone()
    };
    let code = Some("ResourceNotFound".to_owned());
    assert_eq!(
        failure("ResourceNotFound").await,
        Failure::NotFound { code }
    );
    // The way of asking is unknown, not the resource.
    let unsupported = failure("InvalidResourceType").await;
    assert!(
        matches!(unsupported, Failure::BadRequest { .. }),
        "{unsupported:?}"
    );

    let server = Server::start(|_| (http::StatusCode::NOT_FOUND, "<html>").into_response()).await;
    assert_eq!(
        *get(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
}

#[tokio::test]
async fn a_flat_error_body_is_read_too() {
    let server = Server::start(|_| {
        let body = json!({"code": "BadRequest", "message": "Failed to find metric configuration"});
        json_answer(400, &[], &body)
    })
    .await;
    let expected = Failure::BadRequest {
        code: Some("BadRequest".to_owned()),
        message: Some("Failed to find metric configuration".to_owned()),
    };
    assert_eq!(*get(&server).await.unwrap_err().failure(), expected);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn other_statuses() {
    for (status, expected) in [
        (401, Failure::IdentityFailed),
        (
            409,
            Failure::Other {
                status: 409,
                code: Some("C".to_owned()),
            },
        ),
    ] {
        let server = Server::start(move |_| json_answer(status, &[], &error_body("C", "m"))).await;
        assert_eq!(*get(&server).await.unwrap_err().failure(), expected);
    }
}

#[tokio::test]
async fn a_refused_token_is_tried_once_more_and_no_oftener() {
    let server =
        Server::start(|_| json_answer(401, &[], &error_body("ExpiredAuthenticationToken", "")))
            .await;
    assert_eq!(
        *get(&server).await.unwrap_err().failure(),
        Failure::IdentityFailed
    );
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_| ok(&json!({}))).await;
    let target = elsewhere.origin.clone();
    let server = Server::start(move |_| {
        json_answer(307, &[("Location", &format!("{target}/x"))], &Value::Null)
    })
    .await;
    let error = get(&server).await.unwrap_err();
    assert_eq!(*error.failure(), Failure::Malformed);
    assert_eq!(error.http_status(), Some(307));
    assert!(elsewhere.seen().is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let server = Server::start(|_| {
        ([("content-encoding", "gzip")], gzip(br#"{"name":"ng1"}"#)).into_response()
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), json!({"name": "ng1"}));
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let big = format!("\"{}\"", "x".repeat(17 << 20)).into_bytes();
    // Small on the wire, large when unpacked: only counting what comes out of the decoder notices.
    let packed = gzip(&big);
    let server =
        Server::start(move |_| ([("content-encoding", "gzip")], packed.clone()).into_response())
            .await;
    let error = get(&server).await.unwrap_err();
    assert_eq!(*error.failure(), Failure::Malformed);
    assert!(error.detail().contains("larger than"), "{}", error.detail());
    assert_eq!(server.seen().len(), 1);

    let server = Server::start(move |_| big.clone().into_response()).await;
    assert_eq!(
        *get(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_malformed_and_not_quoted() {
    for body in ["", "<html>secret</html>", "{\"name\": secret"] {
        let server = Server::start(move |_| body.into_response()).await;
        let error = get(&server).await.unwrap_err();
        assert_eq!(*error.failure(), Failure::Malformed);
        assert!(!error.detail().contains("secret"), "{}", error.detail());
    }
}

#[tokio::test]
async fn a_dead_endpoint_is_unreachable_and_the_error_holds_no_url() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let client = server.client();
    let port = server.origin.rsplit(':').next().unwrap().to_owned();
    drop(server);
    // The listener's task ends in its own time; a connection it still takes gets no TLS and fails as well.
    let session = client.session(Instant::now() + Duration::from_secs(3));
    let error = session
        .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap_err();
    let failure = error.failure();
    assert!(
        matches!(failure, Failure::Unreachable | Failure::TimedOut),
        "{failure:?}"
    );
    assert!(!error.detail().contains(&port), "{}", error.detail());
}

#[tokio::test]
async fn another_certificate_is_not_trusted() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let other = Server::start(|_| ok(&json!({}))).await;
    let client = egress_arm::Client::new(egress_arm::ClientSettings {
        endpoints: egress_arm::Endpoints::of(egress_arm::Cloud::Public)
            .with_arm_endpoint(&server.origin)
            .unwrap(),
        identity: egress_arm::Identity::Fixed(TOKEN.into()),
        trust: egress_arm::Trust::Pem(other.pem.clone().into_bytes()),
    });
    let session = client.session(Instant::now() + Duration::from_secs(3));
    let error = session
        .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap_err();
    assert_eq!(*error.failure(), Failure::Unreachable, "{}", error.detail());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_query_posts_its_body_to_the_tenant_and_is_repeated_as_a_read() {
    let server = Server::start(|seen: &Seen| match seen.nth {
        0 => json_answer(
            429,
            &[("retry-after", "0")],
            &json!({"error": {"code": "RateLimiting"}}),
        ),
        _ => ok(&json!({"data": []})),
    })
    .await;
    let body = json!({"query": "resources"});
    let answer: Value = server
        .session()
        .query(&RESOURCE_GRAPH_QUERY, &ResourceId::tenant(), &body)
        .await
        .unwrap();
    assert_eq!(answer["data"], json!([]));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(seen.method, http::Method::POST);
        assert_eq!(
            seen.path,
            "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
        );
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), body);
    }
}
