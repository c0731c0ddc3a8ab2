use std::time::Duration;

use egress_sandbox::{Options, waves};
use reqwest::Version;

use crate::client::{API, cloud, start};

#[tokio::test]
async fn calls_are_logged_with_decoded_path_query_and_status() {
    let cloud = cloud().await;
    let response = cloud
        .get(&format!("/subscriptions/a%20b?{API}&$filter=x%20eq%20'y'"))
        .await;
    assert_eq!(response.status(), 404);
    let calls = cloud.sandbox.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].method.as_str(), calls[0].path.as_str()),
        ("GET", "/subscriptions/a b")
    );
    assert_eq!(
        calls[0].query[1],
        ("$filter".to_owned(), "x eq 'y'".to_owned())
    );
    assert_eq!(calls[0].status, Some(404));
    assert!(calls[0].ended > Some(calls[0].started));
    cloud.sandbox.reset_log();
    assert!(cloud.sandbox.calls().is_empty());
}

#[tokio::test]
async fn waves_count_dependent_round_trips() {
    // With latency, requests sent together are under way together.
    let cloud = start(Options {
        latency: Duration::from_millis(100),
        ..Options::default()
    })
    .await;
    let path = format!("/subscriptions?{API}");
    cloud.get(&path).await;
    let _ = tokio::join!(cloud.get(&path), cloud.get(&path), cloud.get(&path));
    cloud.get(&path).await;
    let calls = cloud.sandbox.calls();
    assert_eq!(calls.len(), 5);
    assert_eq!(waves(&calls), 3);
    assert_eq!(cloud.sandbox.connections(), 1);
}

#[tokio::test]
async fn a_client_without_http2_is_served_too() {
    let cloud = cloud().await;
    let certificate =
        reqwest::Certificate::from_pem(cloud.sandbox.certificate_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .http1_only()
        .build()
        .unwrap();
    let url = format!("{}/subscriptions?{API}", cloud.sandbox.arm_endpoint());
    let response = client
        .get(url)
        .bearer_auth(cloud.sandbox.token())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, Version::HTTP_11)
    );
}

#[tokio::test]
async fn a_stopped_sandbox_refuses_connections() {
    let cloud = cloud().await;
    let url = format!("{}/subscriptions?{API}", cloud.sandbox.arm_endpoint());
    cloud.sandbox.shutdown();
    // The listener closes as soon as its task runs.
    loop {
        if cloud.client.get(&url).send().await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
}
