//! What a report costs, measured on the release binary against the simulated Azure: waiting (as a ratio to the time of
//! its dependent waves), calls, connections, resident memory after 1,000 reports, and the binary's size.

use std::path::Path;
use std::time::{Duration, Instant};

use egress_sandbox::{Options, Sandbox, waves};
use egress_tests::running::Running;

const LATENCY: Duration = Duration::from_millis(100);
const MEGABYTE: u64 = 1_000_000;

#[tokio::main]
async fn main() {
    let handler = egress_tests::binaries::handler();
    binary_size(&handler);
    for scenario in [
        "healthy-lb-overlay",
        "healthy-managed-nat",
        "healthy-user-nat",
    ] {
        waiting(&handler, scenario).await;
    }
    memory(&handler).await;
}

fn binary_size(handler: &Path) {
    let size = std::fs::metadata(handler).expect("the binary").len();
    println!("binary: {:.2} MB", size as f64 / MEGABYTE as f64);
    assert!(size < 12 * MEGABYTE, "{size} bytes");
}

/// A handler that reads from a simulated Azure.
struct Reporting {
    sandbox: Sandbox,
    running: Running,
    url: String,
}

impl Reporting {
    async fn start(handler: &Path, scenario: &str, latency: Duration) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(Options {
            latency,
            ..Options::default()
        })
        .await
        .expect("the sandbox");
        let environment = [
            ("EGRESS_ARM_ENDPOINT", sandbox.arm_endpoint()),
            ("EGRESS_ARM_AUDIENCE", sandbox.arm_endpoint()),
            ("IDENTITY_ENDPOINT", sandbox.identity_endpoint()),
            ("IDENTITY_HEADER", sandbox.identity_header()),
        ];
        let running = Running::start(handler, sandbox.certificate_pem(), &environment).await;
        let id = &sandbox.cluster(scenario).expect("the scenario").id;
        let url = running.url(&format!("/api/egress/report?fresh=true&clusterId={id}"));
        Self {
            sandbox,
            running,
            url,
        }
    }

    async fn report(&self) -> Duration {
        let start = Instant::now();
        self.running.get(&self.url).await;
        start.elapsed()
    }
}

/// At most 1.15 times the waves' own time; the first report, which also opens connections and gets a token, apart.
async fn waiting(handler: &Path, scenario: &str) {
    let running = Reporting::start(handler, scenario, LATENCY).await;
    let first = running.report().await;
    let connections = running.sandbox.connections();
    let mut times = Vec::new();
    let mut depth = 0;
    let mut calls = 0;
    for _ in 0..10 {
        running.sandbox.reset_log();
        times.push(running.report().await);
        calls = running.sandbox.calls().len();
        depth = depth.max(waves(&running.sandbox.calls()));
    }
    times.sort();
    let median = times[times.len() / 2];
    let ratio = median.as_secs_f64() / (LATENCY.as_secs_f64() * depth as f64);
    // The first report's, and whatever was opened since the log was last cleared.
    let connections = connections + running.sandbox.connections();
    println!(
        "{scenario}: {calls} calls in {depth} waves on {connections} connection(s); median {median:?} = {ratio:.3} × the \
         waves' own time; first report {first:?}"
    );
    assert!(depth <= 3, "{depth} waves");
    assert!(ratio <= 1.15, "{ratio:.3} times the waves' own time");
    assert!(connections <= 2, "{connections} connections");
}

async fn memory(handler: &Path) {
    let running = Reporting::start(handler, "healthy-lb-overlay", Duration::ZERO).await;
    let start = Instant::now();
    for _ in 0..1000 {
        running.report().await;
    }
    let each = start.elapsed() / 1000;
    let resident = running.running.resident();
    println!(
        "resident after 1,000 reports: {:.1} MB; {each:?} a report",
        resident as f64 / MEGABYTE as f64
    );
    assert!(resident < 25 * MEGABYTE, "{resident} bytes");
}
