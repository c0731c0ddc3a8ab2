//! Diagnoses that are made later, on the built binary: the emulated Functions host owns queues and blobs, the simulated
//! Azure answers the reads.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed expectation in a helper is the test's failure"
)]

mod alerts;
mod host_work;

use std::path::Path;
use std::time::Duration;

use egress_sandbox::{Options, Sandbox};
use egress_tests::host::{App, Call, Delivery, Host};
use egress_tests::package;
use egress_tests::sink::Sink;
use serde_json::{Value, json};

const DIAGNOSES: &str = "egress-diagnoses";

/// A host in front of a simulated Azure.
struct World {
    sandbox: Sandbox,
    host: Host,
}

impl World {
    async fn start(test: &str, latency: Duration, more: &[(&str, &str)]) -> Self {
        let options = Options {
            latency,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.expect("the sandbox");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("asynchronous")
            .join(test);
        let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        package::lay_out(repository, Path::new(env!("CARGO_BIN_EXE_handler")), &root);
        let certificate = root.join("sandbox.pem");
        std::fs::write(&certificate, sandbox.certificate_pem()).expect("the certificate");
        let mut settings = vec![
            ("EGRESS_ARM_ENDPOINT", sandbox.arm_endpoint().to_owned()),
            ("EGRESS_ARM_AUDIENCE", sandbox.arm_endpoint().to_owned()),
            ("SSL_CERT_FILE", certificate.display().to_string()),
            ("IDENTITY_ENDPOINT", sandbox.identity_endpoint().to_owned()),
            ("IDENTITY_HEADER", sandbox.identity_header().to_owned()),
            ("EGRESS_ID_KEY", "a key of this test".to_owned()),
        ];
        for (name, value) in more {
            if *name == "TRUST" {
                let known = std::fs::read_to_string(&certificate).expect("the certificates");
                std::fs::write(&certificate, known + value).expect("the certificates");
                continue;
            }
            settings.retain(|(known, _)| known != name);
            settings.push((name, (*value).to_owned()));
        }
        let settings = settings
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        let app = App::load(&root).expect("the application loads");
        let host = Host::start(app, settings)
            .await
            .expect("the handler is ready");
        Self { sandbox, host }
    }

    fn cluster(&self, scenario: &str) -> String {
        self.sandbox
            .cluster(scenario)
            .expect("the scenario")
            .id
            .clone()
    }

    /// Orders a diagnosis; its id.
    async fn order(&self, cluster: &str) -> String {
        let body = json!({ "clusterId": cluster }).to_string();
        let answer = self.host.call(Call::post("/api/diagnoses", body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let location = format!("https://egress.example.net/api/diagnoses/{id}");
        assert_eq!(answer.header("location"), Some(location.as_str()));
        assert!(answer.header("retry-after").is_some());
        id
    }

    async fn fetch(&self, id: &str, format: &str) -> (u16, String, String) {
        let call = Call::get(&format!("/api/diagnoses/{id}")).query("format", format);
        let answer = self.host.call(call).await;
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        (
            answer.status,
            kind,
            String::from_utf8_lossy(&answer.body).into_owned(),
        )
    }

    fn results(&self) -> usize {
        let blobs = self.host.storage().blobs();
        blobs
            .iter()
            .filter(|path| path.starts_with("egress-results/"))
            .count()
    }

    /// How often Azure was asked for the cluster itself.
    fn diagnoses_made(&self, cluster: &str) -> usize {
        let calls = self.sandbox.calls();
        calls
            .iter()
            .filter(|call| call.path.eq_ignore_ascii_case(cluster))
            .count()
    }
}

#[tokio::test]
async fn an_order_ends_as_a_stored_report_in_every_format() {
    let world = World::start("order", Duration::ZERO, &[]).await;
    let cluster = world.cluster("nat-missing-on-one-subnet");
    let id = world.order(&cluster).await;
    assert_eq!(world.fetch(&id, "json").await.0, 202);
    assert_eq!(
        world.sandbox.calls().len(),
        0,
        "nothing is asked before the queue delivers"
    );
    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);

    let (status, kind, body) = world.fetch(&id, "json").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    let report: Value = serde_json::from_str(&body).unwrap();
    let reported = report["cluster"]["id"].as_str().unwrap();
    assert!(reported.eq_ignore_ascii_case(&cluster), "{reported}");
    assert_eq!(report["verdict"]["status"], "blocked");
    let (_, kind, text) = world.fetch(&id, "text").await;
    assert!(
        kind.starts_with("text/plain") && text.contains("NAT101"),
        "{text}"
    );
    let (_, kind, markdown) = world.fetch(&id, "markdown").await;
    assert!(
        kind.starts_with("text/markdown") && markdown.contains("```mermaid"),
        "{markdown}"
    );
    let (_, kind, card) = world.fetch(&id, "adaptive-card").await;
    assert_eq!(kind, "application/vnd.microsoft.card.adaptive");
    assert_eq!(
        serde_json::from_str::<Value>(&card).unwrap()["type"],
        "AdaptiveCard"
    );

    // The host changed nothing of what it stored.
    let stored = world
        .host
        .storage()
        .blob(&format!("egress-results/{id}.json"))
        .unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored["report"]["json"], report);
    let rows: Vec<String> = world.host.storage().blobs();
    assert!(
        rows.iter().any(|path| path.starts_with("egress-fleet/")),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_handler_killed_in_mid_run_loses_nothing_and_stores_one_report() {
    let world = World::start("killed", Duration::from_millis(300), &[]).await;
    let cluster = world.cluster("healthy-lb-overlay");
    let id = world.order(&cluster).await;
    let killed = async {
        // The run has begun once Azure was asked for something.
        while world.sandbox.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        world.host.process().kill().await.expect("a successor");
    };
    let (delivery, ()) = tokio::join!(world.host.deliver(DIAGNOSES), killed);
    assert!(matches!(delivery, Delivery::Failed(_)), "{delivery:?}");
    assert_eq!(world.results(), 0);
    assert_eq!(world.fetch(&id, "json").await.0, 202);

    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);
    assert_eq!(world.results(), 1);
    assert_eq!(world.fetch(&id, "json").await.0, 200);
    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Empty);
}

#[tokio::test]
async fn what_is_delivered_twice_is_made_once() {
    let world = World::start("twice", Duration::ZERO, &[("EGRESS_CACHE_SECONDS", "0")]).await;
    let cluster = world.cluster("healthy-lb-overlay");
    let id = world.order(&cluster).await;
    assert_eq!(
        world.host.deliver_and_forget(DIAGNOSES).await,
        Delivery::Done
    );
    let (_, _, first) = world.fetch(&id, "json").await;
    assert_eq!(world.diagnoses_made(&cluster), 1);
    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);
    assert_eq!(world.diagnoses_made(&cluster), 1);
    assert_eq!(world.fetch(&id, "json").await.2, first);
    assert_eq!(world.results(), 1);
}

#[tokio::test]
async fn five_failures_end_in_the_poison_queue_with_a_stored_failure() {
    let nowhere = [
        ("EGRESS_ARM_ENDPOINT", "https://127.0.0.1:9"),
        ("EGRESS_DEADLINE_SECONDS", "1"),
    ];
    let world = World::start("poison", Duration::ZERO, &nowhere).await;
    let id = world.order(&world.cluster("healthy-lb-overlay")).await;
    for _ in 1..5 {
        let delivery = world.host.deliver(DIAGNOSES).await;
        assert!(matches!(delivery, Delivery::Failed(_)), "{delivery:?}");
        assert_eq!(world.fetch(&id, "json").await.0, 202);
    }
    let delivery = world.host.deliver(DIAGNOSES).await;
    assert!(matches!(delivery, Delivery::Poisoned(_)), "{delivery:?}");
    assert_eq!(
        world.host.deliver("egress-diagnoses-poison").await,
        Delivery::Done
    );
    let (status, kind, body) = world.fetch(&id, "json").await;
    assert_eq!((status, kind.as_str()), (502, "application/problem+json"));
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["code"],
        "diagnosisFailed"
    );
}

#[tokio::test]
async fn strange_messages_end_as_stored_failures_and_harm_nobody() {
    let world = World::start("strange", Duration::ZERO, &[]).await;
    let id = world.order(&world.cluster("healthy-lb-overlay")).await;
    let foreign = json!({"id": "../../x", "cluster": "../y", "origin": "caller"}).to_string();
    for strange in ["hello", "[1,2]", "{\"id\":\"abcd\"}", foreign.as_str()] {
        world.host.storage().put(DIAGNOSES, strange, true);
    }
    world.host.drain().await;
    assert_eq!(
        world.fetch(&id, "json").await.0,
        200,
        "the good one is made"
    );
    assert_eq!(world.results(), 5);
    assert!(
        world
            .host
            .storage()
            .queue("egress-diagnoses-poison")
            .is_empty()
    );
    assert_eq!(world.host.process().stderr(), Vec::<String>::new());
}

#[tokio::test]
async fn ids_that_were_never_handed_out_are_not_found() {
    let world = World::start("unknown", Duration::ZERO, &[]).await;
    let id = world.order(&world.cluster("healthy-lb-overlay")).await;
    for unknown in [
        "x",
        "..%2Fegress-fleet%2Fa",
        &id.to_uppercase(),
        &"0".repeat(56),
    ] {
        assert_eq!(world.fetch(unknown, "json").await.0, 404, "{unknown}");
    }
    assert_eq!(world.fetch(&id, "html").await.0, 400);
}

/// A world whose results are told to a webhook.
async fn with_sink(test: &str, format: &str) -> (World, Sink) {
    with_sink_and(test, format, &[]).await
}

async fn with_sink_and(test: &str, format: &str, more: &[(&str, &str)]) -> (World, Sink) {
    let sink = Sink::start().await;
    let url = sink.url();
    let told = [
        ("EGRESS_NOTIFY_URL", url.as_str()),
        ("EGRESS_NOTIFY_FORMAT", format),
        ("TRUST", sink.certificate()),
    ];
    let all = [&told, more].concat();
    (World::start(test, Duration::ZERO, &all).await, sink)
}

/// Puts a diagnosis into the queue that nobody comes back for; its id.
fn put(world: &World, number: u8, cluster: &str, origin: &str) -> String {
    let id = format!("{number:056x}");
    let job = json!({
        "id": id, "cluster": format!("key-of-{number}"), "origin": origin, "askedAt": "2026-08-20T10:05:00Z",
        "request": { "clusterId": cluster },
    });
    world.host.storage().put(DIAGNOSES, &job.to_string(), true);
    id
}

#[tokio::test]
async fn an_alerts_result_reaches_the_webhook_as_a_card() {
    let (world, sink) = with_sink("card", "adaptive-card").await;
    put(
        &world,
        1,
        &world.cluster("nat-missing-on-one-subnet"),
        "alert",
    );
    put(
        &world,
        2,
        &format!("{}-gone", world.cluster("healthy-lb-overlay")),
        "alert",
    );
    world.host.drain().await;
    let received = sink.received();
    assert_eq!(received.len(), 2);
    for message in &received {
        assert_eq!(message["type"], "message");
        let attachment = &message["attachments"][0];
        assert_eq!(
            attachment["contentType"],
            "application/vnd.microsoft.card.adaptive"
        );
        assert_eq!(attachment["content"]["type"], "AdaptiveCard");
    }
    assert!(received[0].to_string().contains("NAT101"));
    assert!(
        received[1].to_string().contains("No report"),
        "{}",
        received[1]
    );
    let said = world.host.process().stdout().join("\n");
    assert!(!said.contains("s3cr3t"), "the address is a secret");
}

#[tokio::test]
async fn a_sweep_tells_of_clusters_that_need_somebody_and_a_caller_is_told_nothing() {
    let (world, sink) = with_sink("who", "json").await;
    let broken = world.cluster("nat-missing-on-one-subnet");
    let healthy = world.cluster("healthy-lb-overlay");
    put(&world, 1, &broken, "caller");
    put(&world, 2, &healthy, "sweep");
    let told = put(&world, 3, &broken, "sweep");
    world.host.drain().await;
    let received = sink.received();
    let ids: Vec<&Value> = received.iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, [&json!(told)]);
    assert_eq!(
        received[0]["report"]["json"]["verdict"]["status"],
        "blocked"
    );
    assert_eq!(world.results(), 3);
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_and_never_costs_the_result() {
    let (world, sink) = with_sink("again", "json").await;
    let id = put(&world, 1, &world.cluster("healthy-lb-overlay"), "alert");
    sink.answer(500);
    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);
    let delivery = world.host.deliver("egress-notifications").await;
    assert!(matches!(delivery, Delivery::Failed(_)), "{delivery:?}");
    // A redirect is no success either, and not followed.
    sink.answer(307);
    let delivery = world.host.deliver("egress-notifications").await;
    assert!(matches!(delivery, Delivery::Failed(_)), "{delivery:?}");
    assert_eq!(world.fetch(&id, "json").await.0, 200);
    sink.answer(200);
    assert_eq!(
        world.host.deliver("egress-notifications").await,
        Delivery::Done
    );
    assert_eq!(sink.received().len(), 3);
}
