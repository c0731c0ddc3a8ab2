//! The managed identity as on Functions: `IDENTITY_ENDPOINT` in plain http on loopback. The library reads that from the
//! environment, so the test starts itself again with it set.

use std::path::PathBuf;
use std::process::Stdio;

use egress_arm::operations::NAT_GATEWAY_GET;
use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, Trust};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Seen, Server, gateway, json_answer, ok, soon};

const TEST: &str =
    "managed_identity::a_token_is_fetched_once_for_all_calls_and_once_more_when_refused";
const CALLS: usize = 20;
const EXPIRES_ON: &str = "4102444800";

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is this test's only way to tell its second self what to do"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_is_fetched_once_for_all_calls_and_once_more_when_refused() {
    if let (Some(arm), Some(bundle)) = (variable("TEST_ARM"), variable("TEST_BUNDLE")) {
        return ask_often(&arm, bundle.into()).await;
    }
    let tokens = Server::start_plain(|seen: &Seen| {
        let token = format!("token-{}", seen.nth);
        ok(&json!({"access_token": token, "expires_on": EXPIRES_ON, "resource": "r", "token_type": "Bearer"}))
    })
    .await;
    let arm = Server::start(|seen| {
        if seen.header("authorization") == Some("Bearer token-1") {
            ok(&json!({}))
        } else {
            json_answer(
                401,
                &[],
                &json!({"error": {"code": "ExpiredAuthenticationToken"}}),
            )
        }
    })
    .await;
    let bundle = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("managed-identity.pem");
    std::fs::write(&bundle, &arm.pem).unwrap();

    let second_self = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env("TEST_ARM", &arm.origin)
        .env("TEST_BUNDLE", &bundle)
        .env("IDENTITY_ENDPOINT", format!("{}/msi/token", tokens.origin))
        .env("IDENTITY_HEADER", "the-header")
        // What is on this machine is asked without a proxy; one must never see the identity header.
        .env("http_proxy", "http://127.0.0.1:1")
        .env("https_proxy", "http://127.0.0.1:1")
        .stdout(Stdio::piped())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&second_self.stdout);
    assert!(second_self.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");

    let asked = tokens.seen();
    assert_eq!(
        asked.len(),
        2,
        "one token for all calls, one more after the refusal"
    );
    for seen in &asked {
        assert_eq!(seen.header("x-identity-header"), Some("the-header"));
        assert!(
            seen.path
                .contains("resource=https%3A%2F%2Fmanagement.azure.com"),
            "{}",
            seen.path
        );
        assert!(seen.path.contains("client_id=the-client"), "{}", seen.path);
    }
    let answered = arm.seen();
    let accepted = answered
        .iter()
        .filter(|seen| seen.header("authorization") == Some("Bearer token-1"));
    assert_eq!(accepted.count(), CALLS);
    assert!(
        answered
            .iter()
            .all(|seen| seen.header("x-identity-header").is_none())
    );
}

async fn ask_often(arm: &str, bundle: PathBuf) {
    let endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint(arm)
        .and_then(|endpoints| endpoints.with_arm_audience("https://management.azure.com"))
        .unwrap();
    let client = Client::new(ClientSettings {
        endpoints,
        identity: Identity::Managed {
            client_id: Some("the-client".to_owned()),
        },
        trust: Trust::File(bundle),
    });
    let calls = (0..CALLS).map(|_| {
        let session = client.session(soon());
        tokio::spawn(async move {
            session
                .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
                .await
        })
    });
    for answer in futures::future::join_all(calls).await {
        answer.unwrap().unwrap();
    }
}
