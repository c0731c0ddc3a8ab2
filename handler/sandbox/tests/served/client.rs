//! A client that trusts the sandbox's certificate and nothing else.

use std::{sync::Once, time::Duration};

use egress_sandbox::{Options, Sandbox, Scenarios};
use reqwest::{Client, Response};
use serde_json::Value;

pub(crate) const API: &str = "api-version=2025-01-01";

pub(crate) struct Cloud {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

pub(crate) async fn cloud() -> Cloud {
    start(Options::default()).await
}

/// A sandbox with the one scenario `text`, called `case`.
pub(crate) async fn case(text: &str) -> Cloud {
    start(Options {
        scenarios: Scenarios::List(vec![("case".into(), text.into())]),
        ..Options::default()
    })
    .await
}

pub(crate) async fn start(options: Options) -> Cloud {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
    let sandbox = Sandbox::start(options).await.unwrap();
    let certificate = reqwest::Certificate::from_pem(sandbox.certificate_pem().as_bytes()).unwrap();
    let client = Client::builder()
        .tls_certs_only([certificate])
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    Cloud { sandbox, client }
}

impl Cloud {
    /// GET with a valid token; `path` is everything after the host.
    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = if path.starts_with("https://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.sandbox.arm_endpoint())
        };
        self.client
            .get(url)
            .bearer_auth(self.sandbox.token())
            .send()
            .await
            .unwrap()
    }

    /// Status and body.
    pub(crate) async fn read(&self, path: &str) -> (u16, Value) {
        let response = self.get(path).await;
        (
            response.status().as_u16(),
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
        )
    }

    /// The body of a 200.
    pub(crate) async fn body(&self, path: &str) -> Value {
        let (status, body) = self.read(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn cluster_id(&self, scenario: &str) -> String {
        self.sandbox.cluster(scenario).unwrap().id.clone()
    }

    /// Path of the cluster's node resource group.
    pub(crate) async fn node_group(&self, scenario: &str) -> String {
        let cluster = self
            .body(&format!("{}?{API}", self.cluster_id(scenario)))
            .await;
        let group = cluster["properties"]["nodeResourceGroup"].as_str().unwrap();
        let subscription = self
            .cluster_id(scenario)
            .split('/')
            .nth(2)
            .unwrap()
            .to_owned();
        format!("/subscriptions/{subscription}/resourceGroups/{group}")
    }
}
