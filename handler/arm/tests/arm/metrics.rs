//! Metrics of several resources in one call to the data plane.

use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Failure, Identity, ResourceId, Trust};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Seen, Server, TOKEN, json_answer, ok, soon};

/// A client whose Resource Manager is nowhere and whose data plane is this server.
fn client(server: &Server, metrics: Option<&str>) -> Client {
    let mut endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint("https://localhost:1")
        .unwrap();
    if let Some(metrics) = metrics {
        endpoints = endpoints.with_metrics_endpoint(metrics).unwrap();
    }
    Client::new(ClientSettings {
        endpoints,
        identity: Identity::Fixed(TOKEN.into()),
        trust: Trust::Pem(server.pem.clone().into_bytes()),
    })
}

async fn ask(client: &Client) -> Result<Value, egress_arm::ArmError> {
    let subscription =
        ResourceId::parse("/subscriptions/00000000-0000-0000-0000-000000000001").unwrap();
    let query = [("metricnames", "OS Disk Queue Depth")];
    let session = client.session(soon());
    session
        .metrics_batch("eastus", &subscription, &query, &["/a", "/b"])
        .await
}

#[tokio::test]
async fn several_resources_are_asked_with_one_post_that_is_repeated_as_a_read() {
    let server = Server::start(|seen: &Seen| match seen.nth {
        0 => json_answer(429, &[("retry-after", "0")], &json!({})),
        _ => ok(&json!({"values": []})),
    })
    .await;
    let answer = ask(&client(&server, Some(&server.origin))).await.unwrap();
    assert_eq!(answer, json!({"values": []}));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(seen.method, Method::POST);
        assert_eq!(
            seen.path,
            "/subscriptions/00000000-0000-0000-0000-000000000001/metrics:getBatch?api-version=2024-02-01&metricnames=OS%20Disk%20Queue%20Depth"
        );
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body, json!({"resourceids": ["/a", "/b"]}));
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {TOKEN}"))
        );
    }
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_sent() {
    let server = Server::start(|_: &Seen| ok(&json!({}))).await;
    let error = ask(&client(&server, None)).await.unwrap_err();
    assert_eq!(*error.failure(), Failure::Unreachable);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_refusal_keeps_its_meaning() {
    let server = Server::start(|_: &Seen| {
        let message = "does not have authorization to perform action 'Microsoft.Insights/metrics/read' over scope '/subscriptions/00000000-0000-0000-0000-000000000001'";
        json_answer(
            403,
            &[],
            &json!({"error": {"code": "AuthorizationFailed", "message": message}}),
        )
    })
    .await;
    let error = ask(&client(&server, Some(&server.origin))).await;
    let expected = Failure::Forbidden {
        action: Some("Microsoft.Insights/metrics/read".to_owned()),
        scope: Some("/subscriptions/00000000-0000-0000-0000-000000000001".to_owned()),
    };
    assert_eq!(*error.unwrap_err().failure(), expected);
}
