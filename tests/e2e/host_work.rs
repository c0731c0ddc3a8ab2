//! Long work of the built binary under the host: its timeout, health in the meantime, and every form of the envelope.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use egress_tests::host::{Call, Delivery, Event};
use serde_json::Value;

use super::{DIAGNOSES, World};

/// So slow that nothing ends by itself while a test lasts.
const STUCK: Duration = Duration::from_hours(1);

/// Until a diagnosis of this cluster has asked Azure for something.
async fn until_in_work(world: &World, cluster: &str) {
    while world.diagnoses_made(cluster) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_diagnosis_that_takes_too_long_is_killed_and_made_by_its_successor() {
    let world = World::start("timeout", Duration::from_millis(300), &[]).await;
    let (slow, other) = (
        world.cluster("healthy-lb-overlay"),
        world.cluster("nat-missing-on-one-subnet"),
    );
    let id = world.order(&slow).await;
    let minute = Duration::from_mins(1);
    let time_passes = async {
        until_in_work(&world, &slow).await;
        // Somebody else calls a minute later, so that one's time is not over.
        world.host.clock().advance(minute);
        let call = Call::get("/api/egress/report").query("clusterId", &other);
        let (answer, ()) = tokio::join!(world.host.call(call), async {
            until_in_work(&world, &other).await;
            let rest = world.host.app().function_timeout.saturating_sub(minute);
            world.host.clock().advance(rest);
        });
        answer
    };
    let (delivery, answer) = tokio::join!(world.host.deliver(DIAGNOSES), time_passes);
    assert_eq!(
        delivery,
        Delivery::Failed("the function timed out".to_owned())
    );
    assert_eq!(
        (answer.status, answer.from_handler),
        (500, false),
        "it dies with the other"
    );
    let expected = [
        Event::Started(1),
        Event::Ready,
        Event::TimedOut("diagnose".to_owned()),
        Event::Exited(None),
        Event::Started(2),
        Event::Ready,
    ];
    assert_eq!(world.host.process().events(), expected);
    assert_eq!(world.results(), 0);

    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);
    assert_eq!(world.fetch(&id, "json").await.0, 200);
}

#[tokio::test]
async fn health_is_answered_while_diagnoses_are_in_work() {
    let world = World::start("health", STUCK, &[]).await;
    let clusters =
        ["healthy-lb-overlay", "nat-missing-on-one-subnet"].map(|name| world.cluster(name));
    for cluster in &clusters {
        world.order(cluster).await;
    }
    let pings = async {
        for cluster in &clusters {
            until_in_work(&world, cluster).await;
        }
        for _ in 0..20 {
            assert_eq!(world.host.ping().await, Some(200));
            let health = world
                .host
                .call(Call::get("/api/health").without_key())
                .await;
            assert_eq!(health.status, 200);
        }
    };
    tokio::select! {
        done = world.host.deliver_batch(DIAGNOSES) => panic!("nothing was in work: {done:?}"),
        () = pings => {}
    }
}

#[tokio::test]
async fn texts_that_are_encoded_once_are_read_as_well() {
    let mut world = World::start("encodings", Duration::ZERO, &[]).await;
    let cluster = world.cluster("nat-missing-on-one-subnet");
    world.host = world.host.as_documented();
    let id = world.order(&cluster).await;
    assert_eq!(
        world.host.deliver_and_forget(DIAGNOSES).await,
        Delivery::Done
    );
    assert_eq!(world.fetch(&id, "json").await.0, 200);
    // The stored result was read too: nothing is made twice.
    let made = world.diagnoses_made(&cluster);
    assert_eq!(world.host.deliver(DIAGNOSES).await, Delivery::Done);
    assert_eq!(world.diagnoses_made(&cluster), made);
}

#[tokio::test]
async fn a_timer_orders_a_diagnosis_of_every_cluster() {
    let world = World::start("timer", Duration::ZERO, &[]).await;
    let due = world.host.fire("sweep").await.expect("the sweep succeeds");
    assert_eq!(
        due.to_string(),
        "2026-08-08T10:17:00Z",
        "what the schedule says"
    );
    let ordered: BTreeSet<String> = world
        .host
        .storage()
        .queue(DIAGNOSES)
        .iter()
        .map(|message| {
            let content = STANDARD.decode(&message.stored).expect("base64");
            let job: Value = serde_json::from_slice(&content).expect("JSON");
            let cluster = job["request"]["clusterId"].as_str().expect("a cluster");
            cluster.to_lowercase()
        })
        .collect();
    let clusters = world.sandbox.clusters().iter();
    let expected: BTreeSet<String> = clusters.map(|cluster| cluster.id.to_lowercase()).collect();
    assert_eq!(ordered, expected);
    assert_eq!(
        world.host.storage().queue(DIAGNOSES).len(),
        expected.len(),
        "one each"
    );
}

#[tokio::test]
async fn a_timer_that_fails_orders_nothing_and_the_next_tick_tries_again() {
    let nowhere = [
        ("EGRESS_ARM_ENDPOINT", "https://127.0.0.1:9"),
        ("EGRESS_DEADLINE_SECONDS", "1"),
    ];
    let world = World::start("timer-fails", Duration::ZERO, &nowhere).await;
    for _ in 0..2 {
        let failed = world.host.fire("sweep").await;
        assert!(failed.is_err(), "{failed:?}");
        assert!(world.host.storage().queue(DIAGNOSES).is_empty());
    }
}

#[tokio::test]
async fn a_request_in_an_envelope_is_read_however_it_is_written() {
    let world = World::start("written", Duration::ZERO, &[]).await;
    let id = world.order(&world.cluster("healthy-lb-overlay")).await;
    let asked = async |call: Call| world.host.call(call).await;
    for path in [
        "/api/diagnoses/{}",
        "/API/Diagnoses/{}",
        "/api/diagnoses/{}/",
    ] {
        let answer = asked(Call::get(&path.replace("{}", &id))).await;
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        assert_eq!(answer.json()["id"], id.as_str());
    }
    let path = format!("/api/diagnoses/{id}");
    let doubled = Call::get(&path)
        .query("format", "json")
        .query("FORMAT", "text");
    assert_eq!(asked(doubled).await.status, 400);
    // Whatever a caller writes is answered by the handler, and not as its own fault.
    for strange in [
        "a b",
        "\"<>\\^`{|}",
        "100%",
        "%2500",
        "\u{fc}\u{1f600}",
        "a&b=c#d",
        "\r\nX: y",
    ] {
        let answer = asked(Call::get(&path).query("format", strange)).await;
        assert_eq!(
            (answer.status, answer.from_handler),
            (400, true),
            "{strange}"
        );
        let answer = asked(Call::get(&path).header("X-Note", strange.trim())).await;
        assert_eq!(answer.status, 202, "{strange}: {answer:?}");
    }
}
