//! What the overview of 200 clusters costs, measured on the release binary against stored rows over HTTPS: the first time,
//! when every row is read, and later, when none has changed.

use std::time::{Duration, Instant};

use egress_sandbox::{Options, Sandbox};
use egress_tests::running::Running;
use egress_tests::storage::Storage;

const CLUSTERS: usize = 200;

#[tokio::main]
async fn main() {
    let handler = egress_tests::binaries::handler();
    let _ = rustls::crypto::ring::default_provider().install_default();
    // For its identity endpoint alone.
    let sandbox = Sandbox::start(Options::default())
        .await
        .expect("the sandbox");
    let storage = Storage::start(1000).await;
    storage.put_fleet(CLUSTERS);
    let environment = [
        ("AzureWebJobsStorage__blobServiceUri", storage.endpoint()),
        ("IDENTITY_ENDPOINT", sandbox.identity_endpoint()),
        ("IDENTITY_HEADER", sandbox.identity_header()),
    ];
    let running = Running::start(&handler, storage.certificate(), &environment).await;
    let url = running.url("/api/fleet?top=1000");
    let ask = async || -> Duration {
        let start = Instant::now();
        let body = running.get(&url).await;
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
    println!(
        "overview of {CLUSTERS} clusters: first {first:?} with token, connection and every row; later, median {:?}",
        later[later.len() / 2]
    );
}
