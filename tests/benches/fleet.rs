//! What the overview of 200 clusters costs, measured on the release binary against stored rows over HTTPS: the first time,
//! when every row is read, and later, when none has changed.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use egress_sandbox::{Options, Sandbox};
use egress_tests::storage::Storage;
use tokio::process::Command;

const CLUSTERS: usize = 200;

#[tokio::main]
async fn main() {
    let handler = egress_tests::binaries::release().handler;
    let _ = rustls::crypto::ring::default_provider().install_default();
    // For its identity endpoint alone.
    let sandbox = Sandbox::start(Options::default())
        .await
        .expect("the sandbox");
    let storage = Storage::start(1000).await;
    storage.put_fleet(CLUSTERS);
    let certificate = std::env::temp_dir().join(format!("egress-fleet-{}.pem", std::process::id()));
    std::fs::write(&certificate, storage.certificate()).expect("the certificate's file");
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let _child = Command::new(handler)
        .arg("serve")
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("AzureWebJobsStorage__blobServiceUri", storage.endpoint())
        .env("SSL_CERT_FILE", &certificate)
        .env("IDENTITY_ENDPOINT", sandbox.identity_endpoint())
        .env("IDENTITY_HEADER", sandbox.identity_header())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the handler starts");
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    while client
        .get(format!("http://127.0.0.1:{port}/"))
        .send()
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    let url = format!("http://127.0.0.1:{port}/api/fleet?top=1000");
    let ask = async || -> Duration {
        let start = Instant::now();
        let answer = client.get(&url).send().await.expect("an answer");
        let body = answer.bytes().await.expect("a body");
        let elapsed = start.elapsed();
        let fleet: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(fleet["total"], CLUSTERS);
        elapsed
    };
    let first = ask().await;
    let mut later = Vec::new();
    for _ in 0..20 {
        later.push(ask().await);
    }
    later.sort();
    let _ = std::fs::remove_file(&certificate);
    println!(
        "overview of {CLUSTERS} clusters: first {first:?} with token, connection and every row; later, median {:?}",
        later[later.len() / 2]
    );
}
