//! The queues and timers of the emulated host (E13, E14).

use std::time::Duration;

use egress_tests::host::{Delivery, Event};
use serde_json::{Value, json};

use super::{Stub, outputs, texts, told};

fn failing() -> String {
    told(&json!({ "status": 500 }))
}

#[tokio::test]
async fn e13_a_failed_message_is_invisible_for_its_time_and_poison_after_five_deliveries() {
    let host = Stub::new("retries").start().await;
    host.storage().put("work", &failing(), true);
    for count in 1..5 {
        assert!(
            matches!(host.deliver_visible("work").await, Delivery::Failed(_)),
            "{count}"
        );
        assert_eq!(host.deliver_visible("work").await, Delivery::Empty);
        host.clock().advance(Duration::from_secs(29));
        assert_eq!(host.deliver_visible("work").await, Delivery::Empty);
        host.clock().advance(Duration::from_secs(1));
    }
    assert!(matches!(
        host.deliver_visible("work").await,
        Delivery::Poisoned(_)
    ));
    assert_eq!(texts(&host, "work-poison"), [failing()]);
    assert!(host.storage().queue("work").is_empty());
}

#[tokio::test]
async fn e13_what_a_dead_host_held_is_seen_again_when_its_lease_ends() {
    let host = Stub::new("lease").start().await;
    host.storage()
        .put("work", &outputs(&json!({ "next": ["x"] })), true);
    assert_eq!(host.deliver_and_forget("work").await, Delivery::Done);
    host.clock().advance(Duration::from_secs(599));
    assert_eq!(host.deliver_visible("work").await, Delivery::Empty);
    host.clock().advance(Duration::from_secs(1));
    assert_eq!(host.deliver_visible("work").await, Delivery::Done);
    assert_eq!(texts(&host, "next"), ["x", "x"], "at least once");
}

#[tokio::test]
async fn e13_a_message_in_work_is_held_however_long_it_takes() {
    let stub = Stub::new("held").set("/functionTimeout", json!("-1"));
    let host = stub.start().await;
    host.storage()
        .put("work", &json!({ "hang": true }).to_string(), true);
    let others = async {
        tokio::task::yield_now().await;
        host.clock().advance(Duration::from_hours(1));
        host.deliver("work").await
    };
    tokio::select! {
        _ = host.deliver("work") => panic!("it never ends"),
        seen = others => assert_eq!(seen, Delivery::Empty),
    }
}

#[tokio::test]
async fn e13_a_batch_is_worked_on_side_by_side() {
    let stub = Stub::new("batch").set("/functionTimeout", json!("00:01:00"));
    let host = stub.start().await;
    for _ in 0..5 {
        host.storage()
            .put("work", &json!({ "hang": true }).to_string(), true);
    }
    let end = async {
        tokio::task::yield_now().await;
        host.clock().advance(Duration::from_mins(1));
    };
    let (batch, ()) = tokio::join!(host.deliver_batch("work"), end);
    // Four at once: all of them are over at the same time.
    assert_eq!(batch.len(), 4);
    let untouched = host
        .storage()
        .queue("work")
        .into_iter()
        .filter(|m| m.dequeued == 0);
    assert_eq!(untouched.count(), 1);
}

#[tokio::test]
async fn e13_what_cannot_be_decoded_is_poison_with_its_content_and_no_function_sees_it() {
    let stub = Stub::new("undecodable");
    let poison = json!([
        { "type": "queueTrigger", "direction": "in", "name": "job", "queueName": "work-poison" },
    ]);
    stub.function("give-up", &poison);
    let host = stub.start().await;
    host.storage()
        .put_stored("work", "{\"not\": \"base64\"}".to_owned());
    let delivery = host.deliver("work").await;
    assert!(matches!(delivery, Delivery::Poisoned(_)), "{delivery:?}");
    let kept = host.storage().queue("work-poison");
    assert_eq!(kept[0].stored, "{\"not\": \"base64\"}");
    // The poison queue has no poison queue: what cannot be decoded stays there, until it expires.
    assert_eq!(host.deliver("work-poison").await, Delivery::Ignored);
    host.drain().await;
    host.clock().advance(Duration::from_hours(7 * 24));
    assert_eq!(host.deliver("work-poison").await, Delivery::Empty);
    // What is base64 of no text fails like anything else.
    host.storage().put("work", &[0xff, 0xfe], true);
    assert!(matches!(host.deliver("work").await, Delivery::Failed(why) if why.contains("UTF-8")));
}

#[tokio::test]
async fn e13_a_poison_function_that_fails_is_tried_again_when_the_lease_ends_and_five_times_in_all()
{
    let stub = Stub::new("poison-fails");
    let poison = json!([
        { "type": "queueTrigger", "direction": "in", "name": "job", "queueName": "work-poison" },
    ]);
    stub.function("give-up", &poison);
    let host = stub.start().await;
    host.storage().put("work-poison", &failing(), true);
    for _ in 0..5 {
        assert!(matches!(
            host.deliver_visible("work-poison").await,
            Delivery::Failed(_)
        ));
        host.clock().advance(Duration::from_secs(599));
        assert_eq!(host.deliver_visible("work-poison").await, Delivery::Empty);
        host.clock().advance(Duration::from_secs(1));
    }
    assert_eq!(host.deliver_visible("work-poison").await, Delivery::Ignored);
    assert!(host.storage().queue("work-poison-poison").is_empty());
}

#[tokio::test]
async fn e14_a_timer_fires_when_it_is_due_and_a_failure_is_not_tried_again() {
    let stub = Stub::new("timer");
    stub.function("tick", &json!([
        { "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 17 * * * *" },
        { "type": "blob", "direction": "out", "name": "seen", "path": "seen/tick.json" },
    ]));
    let host = stub.start().await;
    let seen = || {
        let blob = host.storage().blob("seen/tick.json").unwrap();
        let seen: Value = serde_json::from_slice(&blob).unwrap();
        let envelope: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
        envelope["Data"]["timer"].clone()
    };
    assert_eq!(
        host.fire("tick").await.unwrap().to_string(),
        "2026-08-08T10:17:00Z"
    );
    assert_eq!(seen()["IsPastDue"], false);
    assert_eq!(
        seen()["ScheduleStatus"]["Next"],
        "2026-08-08T10:17:00+00:00"
    );
    host.fire("tick").await.unwrap();
    assert_eq!(
        seen()["ScheduleStatus"]["Next"],
        "2026-08-08T11:17:00+00:00"
    );
    assert_eq!(
        seen()["ScheduleStatus"]["Last"],
        "2026-08-08T10:17:00.0034564+00:00"
    );
    host.fire_late("tick", Duration::from_mins(40))
        .await
        .unwrap();
    assert_eq!(seen()["IsPastDue"], true);

    let starts = host.process().events().len();
    host.process().kill().await.unwrap();
    assert_eq!(
        host.process().events().len(),
        starts + 3,
        "killed, started, ready"
    );
    assert!(host.process().events().contains(&Event::Started(2)));
}
