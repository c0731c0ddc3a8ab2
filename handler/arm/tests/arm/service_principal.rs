//! Tokens from the login endpoint: a service principal with a secret, and a workload identity with a federated token. The
//! same server plays the login endpoint and Resource Manager.

use std::collections::BTreeMap;
use std::path::PathBuf;

use egress_arm::operations::NAT_GATEWAY_GET;
use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Failure, Identity, Trust};
use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::{Seen, Server, gateway, json_answer, ok, soon};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";

fn answer(seen: &Seen) -> axum::response::Response {
    if seen.method == Method::POST {
        return ok(&json!({
            "token_type": "Bearer",
            "expires_in": 3600,
            "ext_expires_in": 3600,
            "access_token": "from-login",
        }));
    }
    match seen.header("authorization") {
        Some("Bearer from-login") => ok(&json!({"name": "ng1"})),
        _ => json_answer(
            401,
            &[],
            &json!({"error": {"code": "AuthenticationFailed"}}),
        ),
    }
}

fn client(server: &Server, identity: Identity) -> Client {
    let endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint(&server.origin)
        .and_then(|endpoints| endpoints.with_arm_audience("https://management.azure.com"))
        .and_then(|endpoints| endpoints.with_authority(&server.origin))
        .unwrap();
    Client::new(ClientSettings {
        endpoints,
        identity,
        trust: Trust::Pem(server.pem.clone().into_bytes()),
    })
}

/// The form with which the one token was asked, after two reads that succeed with it.
async fn form_of(identity: Identity) -> BTreeMap<String, String> {
    let server = Server::start(answer).await;
    let session = client(&server, identity).session(soon());
    for _ in 0..2 {
        session
            .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
            .await
            .unwrap();
    }
    let seen = server.seen();
    let asked: Vec<&Seen> = seen
        .iter()
        .filter(|seen| seen.method == Method::POST)
        .collect();
    assert_eq!(asked.len(), 1, "one token for both reads");
    assert_eq!(asked[0].path, format!("/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(asked[0].header("authorization"), None);
    form_urlencoded::parse(&asked[0].body)
        .into_owned()
        .collect()
}

#[tokio::test]
async fn a_service_principal_sends_its_secret_to_the_login_endpoint_only() {
    let form = form_of(Identity::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: "the-client".to_owned(),
        secret: "the-secret".into(),
    })
    .await;
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["client_id"], "the-client");
    assert_eq!(form["client_secret"], "the-secret");
    assert_eq!(form["scope"], "https://management.azure.com/.default");
}

#[tokio::test]
async fn a_workload_identity_sends_the_federated_token_of_its_file() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("federated-token");
    std::fs::write(&file, "the-federated-token").unwrap();
    let form = form_of(Identity::Workload {
        tenant_id: TENANT.to_owned(),
        client_id: "the-client".to_owned(),
        token_file: file,
    })
    .await;
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["client_id"], "the-client");
    assert_eq!(form["client_assertion"], "the-federated-token");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
}

#[tokio::test]
async fn a_refused_secret_is_a_failure_of_the_identity_that_does_not_show_it() {
    let server = Server::start(|_: &Seen| {
        json_answer(
            401,
            &[],
            &json!({
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided.",
            }),
        )
    })
    .await;
    let identity = Identity::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: "the-client".to_owned(),
        secret: "the-secret".into(),
    };
    let error = client(&server, identity)
        .session(soon())
        .get::<Value>(&NAT_GATEWAY_GET, &gateway(), &[])
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure(), Failure::IdentityFailed),
        "{error:?}"
    );
    assert!(!format!("{error:?} {error}").contains("the-secret"));
}
