//! What a burst of alerts costs, measured on the release binary under the emulated host while Azure is slow: how long the
//! handler takes to take one, how many diagnoses a thousand about twenty clusters lead to, and what the memory does.

use std::path::Path;
use std::time::{Duration, Instant};

use egress_sandbox::{Options, Sandbox};
use egress_tests::alert::{about, path_of};
use egress_tests::host::{App, Call, Delivery, Host};
use egress_tests::running::resident;
use egress_tests::{binaries, package};
use serde_json::Value;

const ALERTS: usize = 1_000;
const CLUSTERS: usize = 20;
/// Messages of a queue that the host has in work at the same time, as `host.json` says.
const AT_ONCE: usize = 12;
const LATENCY: Duration = Duration::from_millis(500);
const MEGABYTE: f64 = 1e6;

#[tokio::main]
async fn main() {
    let handler = binaries::handler();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::start(Options {
        latency: LATENCY,
        ..Options::default()
    })
    .await
    .expect("the sandbox");
    let folder = std::env::temp_dir().join(format!("egress-alerts-{}", std::process::id()));
    let host = host(&handler, &sandbox, &folder).await;
    let clusters = sandbox.clusters().iter().take(CLUSTERS);
    let clusters: Vec<String> = clusters.map(|cluster| cluster.id.clone()).collect();
    assert_eq!(clusters.len(), CLUSTERS);

    let start = memory(&host);
    let first = burst(&host, &sandbox, &clusters, "first").await;
    assert!(first.diagnoses <= CLUSTERS, "{} diagnoses", first.diagnoses);
    let after_first = memory(&host);
    // Of the same clusters in the same period of the cache: all is there already.
    let second = burst(&host, &sandbox, &clusters, "second").await;
    assert_eq!(second.diagnoses, 0);
    let after_second = memory(&host);
    let _ = std::fs::remove_dir_all(&folder);

    for (name, burst) in [("first", &first), ("second", &second)] {
        println!(
            "{name} burst: {ALERTS} alerts about {CLUSTERS} clusters, each call of Azure {LATENCY:?}: {} diagnoses, every \
             alert has its report; taken in {:?}, followed up in {:?}; the handler took {} ms for the median alert, {} ms \
             for one in a hundred, {} ms for the slowest (whole milliseconds)",
            burst.diagnoses,
            burst.taken,
            burst.followed,
            burst.handler_ms(50),
            burst.handler_ms(99),
            burst.handler_ms(100),
        );
        assert!(burst.handler_ms(50) < 5, "{} ms", burst.handler_ms(50));
    }
    let growth = after_second / after_first;
    println!(
        "resident: {:.1} MB at the start, {:.1} MB after the first burst, {:.1} MB after the second = {growth:.2} times",
        start / MEGABYTE,
        after_first / MEGABYTE,
        after_second / MEGABYTE,
    );
    assert!(growth <= 1.1, "{growth:.2} times");
}

async fn host(handler: &Path, sandbox: &Sandbox, folder: &Path) -> Host {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    package::lay_out(repository, handler, folder);
    let certificate = folder.join("sandbox.pem");
    std::fs::write(&certificate, sandbox.certificate_pem()).expect("the certificate");
    let settings = [
        ("EGRESS_ARM_ENDPOINT", sandbox.arm_endpoint()),
        ("EGRESS_ARM_AUDIENCE", sandbox.arm_endpoint()),
        ("SSL_CERT_FILE", certificate.to_str().expect("a path")),
        ("IDENTITY_ENDPOINT", sandbox.identity_endpoint()),
        ("IDENTITY_HEADER", sandbox.identity_header()),
        // Longer than the bursts take: one period of the cache.
        ("EGRESS_CACHE_SECONDS", "3600"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let app = App::load(folder).expect("the application loads");
    Host::start(app, settings.into())
        .await
        .expect("the handler is ready")
}

/// What a burst came to.
struct Burst {
    diagnoses: usize,
    taken: Duration,
    followed: Duration,
    /// As the handler's own log says, sorted.
    handler: Vec<u64>,
}

impl Burst {
    /// What so many per cent of the alerts took at most.
    fn handler_ms(&self, per_cent: usize) -> u64 {
        self.handler[(self.handler.len() * per_cent / 100).min(self.handler.len() - 1)]
    }
}

async fn burst(host: &Host, sandbox: &Sandbox, clusters: &[String], name: &str) -> Burst {
    sandbox.reset_log();
    let logged = host.process().stdout().len();
    let start = Instant::now();
    let take = async |numbers: std::ops::Range<usize>| {
        let mut locations = Vec::new();
        for number in numbers {
            let body = about(&format!("{name}-{number}"), &clusters[number % CLUSTERS]);
            let answer = host.call(Call::post("/api/alerts", body)).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            locations.push(path_of(&answer.json()["location"]));
        }
        (locations, start.elapsed())
    };
    let (mut locations, _) = take(0..CLUSTERS).await;
    deliver(host, "egress-alerts").await;
    // The other alerts come while these are diagnosed, slowly.
    let ((more, taken), ()) =
        tokio::join!(take(CLUSTERS..ALERTS), deliver(host, "egress-diagnoses"));
    locations.extend(more);
    let handler = handler_times(host, logged).await;
    for queue in ["egress-alerts", "egress-diagnoses"] {
        deliver(host, queue).await;
    }
    let followed = start.elapsed();
    for path in locations {
        let outcome = fetch(host, &path).await;
        let report = fetch(host, &path_of(&outcome["diagnoses"][0]["location"])).await;
        assert!(report["verdict"]["status"].is_string(), "{report}");
    }
    let calls = sandbox.calls();
    let is_one_of = |path: &str| clusters.iter().any(|id| path.eq_ignore_ascii_case(id));
    Burst {
        diagnoses: calls.iter().filter(|call| is_one_of(&call.path)).count(),
        taken,
        followed,
        handler,
    }
}

/// Delivers a queue's messages as many at a time as the host does, until it is empty.
async fn deliver(host: &Host, queue: &str) {
    let worker = async || {
        loop {
            match host.deliver_visible(queue).await {
                Delivery::Empty => return,
                Delivery::Done => {}
                other => panic!("{other:?}"),
            }
        }
    };
    futures::future::join_all((0..AT_ONCE).map(|_| worker())).await;
}

async fn fetch(host: &Host, path: &str) -> Value {
    let answer = host.call(Call::get(path)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// What the handler says of each call of its function for alerts, in milliseconds.
async fn handler_times(host: &Host, logged: usize) -> Vec<u64> {
    let of_alert = |line: &String| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_ours = line["message"] == "answered" && line["span"]["path"] == "/alerts";
        is_ours.then(|| line["duration_ms"].as_u64())?
    };
    loop {
        let log = host.process().stdout();
        let mut times: Vec<u64> = log[logged..].iter().filter_map(of_alert).collect();
        if times.len() == ALERTS {
            times.sort_unstable();
            return times;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn memory(host: &Host) -> f64 {
    resident(host.process().pid().expect("a handler")) as f64
}
