//! Start, supervision and end of the handler process (E2 to E6, E15, E17).

use std::time::Duration;

use egress_tests::host::{Call, Delivery, Event, Host};
use serde_json::json;

use super::{Stub, told};

fn count(host: &Host, event: impl Fn(&Event) -> bool) -> usize {
    host.process().events().iter().filter(|e| event(e)).count()
}

fn starts(host: &Host) -> usize {
    count(host, |event| matches!(event, Event::Started(_)))
}

/// Tells the handler to exit, and waits until the host has noticed.
async fn exit(host: &Host, code: u8) -> u16 {
    let noticed = |event: &Event| match event {
        Event::Started(_) | Event::Stopped => code != 0,
        Event::Exited(_) => code == 0,
        _ => false,
    };
    let before = count(host, noticed);
    let body = json!({ "exit": code }).to_string();
    let answer = host.call(Call::post("/api/echo", body)).await;
    while count(host, noticed) == before {
        tokio::task::yield_now().await;
    }
    answer.status
}

#[tokio::test]
async fn e4_a_404_on_the_root_is_ready() {
    let host = Stub::new("not-found").start().await;
    assert_eq!(host.ping().await, Some(404));
    assert_eq!(host.process().events(), [Event::Started(1), Event::Ready]);
}

#[tokio::test]
async fn e4_a_handler_that_never_listens_is_started_three_times() {
    let stub = Stub::new("never-listens").starting("never-listen");
    let stub = stub.set("/customHandler/initializationTimeout", json!("00:00:01"));
    let stopped = Host::start(stub.app(), Vec::new()).await;
    assert!(stopped.is_err());
}

#[tokio::test]
async fn e4_a_root_that_never_answers_is_waited_for_longer_than_a_function_and_then_a_failed_start()
{
    let host = Host::begin(
        Stub::new("never-answers").starting("never-answer").app(),
        Vec::new(),
    );
    let failed = |host: &Host| count(host, |event| *event == Event::NotReady);
    // The stub says when it holds a connection.
    while host.process().stdout().is_empty() {
        tokio::task::yield_now().await;
    }
    host.clock().advance(Duration::from_secs(359));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(failed(&host), 0);
    host.clock().advance(Duration::from_secs(1));
    while failed(&host) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(starts(&host), 2);
}

#[tokio::test]
async fn e5_an_exit_with_200_is_a_restart_that_does_not_count() {
    let host = Stub::new("exit-200").start().await;
    for _ in 0..5 {
        assert_eq!(exit(&host, 200).await, 500, "the call in flight dies");
        assert_eq!(host.call(Call::get("/api/echo")).await.status, 200);
    }
    assert_eq!(starts(&host), 6);
}

#[tokio::test]
async fn e5_two_crashes_are_recovered_from_and_the_third_stops_the_host() {
    let host = Stub::new("crashes").start().await;
    for _ in 0..2 {
        assert_eq!(exit(&host, 7).await, 500);
        assert_eq!(host.call(Call::get("/api/echo")).await.status, 200);
    }
    assert_eq!(exit(&host, 7).await, 500);
    assert_eq!(host.call(Call::get("/api/echo")).await.status, 503);
    assert_eq!(host.process().events().last(), Some(&Event::Stopped));
    assert_eq!(count(&host, |event| *event == Event::Exited(Some(7))), 3);
}

#[tokio::test]
async fn e5_errors_are_forgotten_after_half_an_hour_without_one() {
    let host = Stub::new("forgotten").start().await;
    for minutes in [0, 30, 31, 30, 31] {
        host.clock().advance(Duration::from_mins(minutes));
        host.process().kill().await.unwrap();
    }
    host.process().kill().await.unwrap();
    assert!(host.process().kill().await.is_err(), "the third in a row");

    // Half an hour to the second is not enough.
    let host = Stub::new("not-forgotten").start().await;
    for _ in 0..2 {
        host.process().kill().await.unwrap();
        host.clock().advance(Duration::from_mins(30));
    }
    assert!(host.process().kill().await.is_err());
}

/// The trap: the host does not notice that the handler is gone, and every call fails from then on.
#[tokio::test]
async fn e5_an_exit_with_0_is_never_noticed() {
    let host = Stub::new("exit-0").start().await;
    assert_eq!(exit(&host, 0).await, 500);
    for _ in 0..3 {
        let answer = host.call(Call::get("/api/echo")).await;
        assert_eq!((answer.status, answer.from_handler), (500, false));
    }
    host.storage().put("work", &told(&json!({})), true);
    assert!(matches!(host.deliver("work").await, Delivery::Failed(_)));
    assert_eq!(starts(&host), 1);

    // Nor is one before the handler listens: the start fails only when its time is over.
    let stub = Stub::new("exit-0-at-once").starting("exit-0");
    let stub = stub.set("/customHandler/initializationTimeout", json!("00:00:01"));
    let host = Host::begin(stub.app(), Vec::new());
    assert!(host.process().ready().await.is_err());
    assert_eq!(count(&host, |event| *event == Event::NotReady), 3);
}

#[tokio::test]
async fn e5_a_crash_at_the_start_counts() {
    let host = Host::begin(Stub::new("exit-7").starting("exit-7").app(), Vec::new());
    assert!(host.process().ready().await.is_err());
    assert_eq!(starts(&host), 3);
    assert_eq!(count(&host, |event| *event == Event::NotReady), 0);
}

#[tokio::test]
async fn e6_a_missing_executable_is_waited_for_until_the_host_ends() {
    let stub = Stub::new("missing");
    let path = "/customHandler/description/defaultExecutablePath";
    let stub = stub.set(path, json!("/nowhere/handler"));
    let stub = stub.set("/customHandler/initializationTimeout", json!("00:00:01"));
    let host = Host::begin(stub.app(), Vec::new());
    assert_eq!(host.call(Call::get("/api/echo")).await.status, 503);
    assert_eq!(host.process().events(), [Event::Started(1), Event::Stopped]);
}

#[tokio::test]
async fn e3_every_start_has_its_own_worker_id_and_the_same_port() {
    let host = Stub::new("worker").start().await;
    let arguments = async || host.call(Call::get("/api/echo")).await.json()["arguments"].clone();
    let first = arguments().await;
    assert_eq!(first[0], host.process().port().to_string());
    host.process().kill().await.unwrap();
    let second = arguments().await;
    assert_eq!(first[0], second[0]);
    assert!(first[2].is_string());
    assert_ne!(first[2], second[2]);
}

#[tokio::test]
async fn e15_a_function_that_takes_too_long_takes_all_others_with_it() {
    let host = Stub::new("timeout").start().await;
    let hang = json!({ "hang": true }).to_string();
    host.storage().put("work", &hang, true);
    let timeout = async {
        // Another call begins a minute later, so its own time is not over when the first one's is.
        host.clock().advance(Duration::from_mins(1));
        let other = host.call(Call::post("/api/echo", hang.clone()));
        let (other, ()) = tokio::join!(other, async {
            tokio::task::yield_now().await;
            host.clock().advance(Duration::from_mins(4));
        });
        other
    };
    let (delivery, other) = tokio::join!(host.deliver("work"), timeout);
    assert_eq!(
        delivery,
        Delivery::Failed("the function timed out".to_owned())
    );
    assert_eq!((other.status, other.from_handler), (500, false));
    let timed_out = |event: &Event| matches!(event, Event::TimedOut(_));
    assert_eq!(count(&host, timed_out), 1);
    assert_eq!(starts(&host), 2);
    // Such a restart is the host's own and never counts as a crash.
    for _ in 0..3 {
        host.storage().put("work", &hang, true);
        let end = async {
            tokio::task::yield_now().await;
            host.clock().advance(Duration::from_mins(5));
        };
        tokio::join!(host.deliver("work"), end);
    }
    assert_eq!(starts(&host), 5);
    assert_eq!(host.call(Call::get("/api/echo")).await.status, 200);
}

#[tokio::test]
async fn e17_the_port_is_free_after_the_end() {
    let host = Stub::new("end").start().await;
    let port = host.process().port();
    assert!(host.stop().await);
    assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
}
