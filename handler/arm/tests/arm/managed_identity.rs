//! The managed identity as on Functions: `IDENTITY_ENDPOINT` in plain http on loopback. The library reads that from the
//! environment, so the test starts itself again with it set.

use std::ffi::OsStr;

use egress_arm::operations::NAT_GATEWAY_GET;
use egress_arm::{Client, Identity};
use serde_json::{Value, json};

use crate::second_self;
use crate::support::{Seen, Server, gateway, json_answer, ok, soon};

const TEST: &str =
    "managed_identity::a_token_is_fetched_once_for_all_calls_and_once_more_when_refused";
const CALLS: usize = 20;
const EXPIRES_ON: &str = "4102444800";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_is_fetched_once_for_all_calls_and_once_more_when_refused() {
    let identity = Identity::Managed {
        client_id: Some("the-client".to_owned()),
    };
    if let Some(client) = second_self::client(identity) {
        return ask_often(&client).await;
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
    let endpoint = format!("{}/msi/token", tokens.origin);
    // What is on this machine is asked without a proxy; one must never see the identity header.
    let proxy = OsStr::new("http://127.0.0.1:1");
    let variables = [
        ("IDENTITY_ENDPOINT", endpoint.as_ref()),
        ("IDENTITY_HEADER", OsStr::new("the-header")),
        ("http_proxy", proxy),
        ("https_proxy", proxy),
    ];
    second_self::run(TEST, &arm, &variables).await;

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

async fn ask_often(client: &Client) {
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
