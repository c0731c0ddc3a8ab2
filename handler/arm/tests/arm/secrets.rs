//! What must not leak, and what is made only when it is needed.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use egress_arm::operations::{Method, NAT_GATEWAY_GET, Operation};
use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Failure, Identity, Trust};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{Server, TOKEN, gateway, json_answer, ok, soon};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static ACTION: Operation = Operation {
    name: "ACTION",
    method: Method::Post,
    provider: "Microsoft.Network",
    target: None,
    suffix: "/act",
    api_version: "2026-03-01",
    action: "Microsoft.Network/natGateways/act/action",
};

#[tokio::test]
async fn the_most_talkative_log_holds_no_token_and_no_signed_url() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let server = Server::start(|seen| match seen.nth {
        0 => {
            let location = format!("{}/op?t=1&s=the-signature", seen.origin);
            json_answer(
                202,
                &[("Location", &location), ("Retry-After", "0")],
                &Value::Null,
            )
        }
        1 => json_answer(
            500,
            &[("Retry-After", "0")],
            &json!({"error": {"code": "C", "message": "the-message"}}),
        ),
        _ => ok(&json!({"value": []})),
    })
    .await;
    let session = server.client().session(soon());
    let _: Value = session
        .post_long_running(&ACTION, &gateway(), None)
        .await
        .unwrap();
    drop(guard);

    assert_eq!(server.seen().len(), 3);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/op?"), "the request was logged at all");
    for secret in [TOKEN, "the-signature", "the-message"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn nothing_is_made_before_the_first_request() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let bundle = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("made-later.pem");
    let _absent = std::fs::remove_file(&bundle);
    let client = Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public)
            .with_arm_endpoint(&server.origin)
            .unwrap(),
        identity: Identity::Fixed(TOKEN.into()),
        trust: Trust::File(bundle.clone()),
    });
    let id = gateway();
    let session = client.session(soon());
    let early = session.get::<Value>(&NAT_GATEWAY_GET, &id, &[]).await;
    assert_eq!(*early.unwrap_err().failure(), Failure::Unreachable);
    // The file is read by the request, and by the next one when it could not be read.
    std::fs::write(&bundle, &server.pem).unwrap();
    let late = session.get::<Value>(&NAT_GATEWAY_GET, &id, &[]).await;
    assert_eq!(late.unwrap(), json!({}));
}

#[tokio::test]
async fn without_a_token_resource_manager_is_not_asked() {
    let server = Server::start(|_| ok(&json!({}))).await;
    let client = Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public)
            .with_arm_endpoint(&server.origin)
            .unwrap(),
        identity: Identity::ClientSecret {
            tenant_id: "not a tenant".to_owned(),
            client_id: "client".to_owned(),
            secret: "the-secret".into(),
        },
        trust: Trust::Pem(server.pem.clone().into_bytes()),
    });
    let session = client.session(soon());
    let error = session
        .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap_err();
    assert_eq!(*error.failure(), Failure::IdentityFailed);
    assert!(error.detail().contains("tenant"), "{}", error.detail());
    assert!(!format!("{error:?}").contains("the-secret"));
    assert!(server.seen().is_empty());
}
