//! Long work of the built binary under the host: its timeout, health in the meantime, and every form of the envelope.

use std::time::Duration;

use egress_tests::host::{Call, Delivery, Event};

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
