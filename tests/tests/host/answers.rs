//! What becomes of a function's answer (E11, E12).

use std::time::Duration;

use egress_tests::host::{Call, Delivery, Event};
use serde_json::json;

use super::{Stub, outputs, texts, told};

const TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::test]
async fn e12_each_kind_of_output_is_written_as_the_host_writes_it() {
    let host = Stub::new("outputs").start().await;
    let given = json!({
        "next": ["abcd", "{\"a\":1}"], "result": "abcd", "NEXT": ["not declared"], "seen": null,
    });
    host.storage().put("work", &outputs(&given), true);
    assert_eq!(host.deliver("work").await, Delivery::Done);
    assert_eq!(
        texts(&host, "next"),
        ["abcd", "{\"a\":1}"],
        "strings of a list are kept"
    );
    // The base64 trap: a top-level string that reads as base64 is decoded.
    let result = host.storage().blob("results/a.json").unwrap();
    assert_eq!(result, [0x69, 0xb7, 0x1d]);
    assert_eq!(host.storage().blobs(), ["results/a.json"]);
}

#[tokio::test]
async fn e12_an_empty_object_is_a_success() {
    let host = Stub::new("empty-object").start().await;
    host.storage()
        .put("work", &told(&json!({ "body": {} })), true);
    assert_eq!(host.deliver("work").await, Delivery::Done);
    assert!(host.storage().blobs().is_empty());
}

#[tokio::test]
async fn e12_a_bad_http_output_fails_the_call_before_anything_is_written() {
    let host = Stub::new("bad-res").start().await;
    let body = outputs(&json!({ "next": ["kept?"], "res": "plain text" }));
    let answer = host.call(Call::post("/api/order", body)).await;
    assert_eq!((answer.status, answer.from_handler), (500, false));
    assert!(texts(&host, "next").is_empty());
}

#[tokio::test]
async fn e12_a_failing_output_keeps_what_the_others_wrote() {
    let host = Stub::new("kept").start().await;
    let given = json!({ "result": "{\"a\":1}", "next": "{\"looks\": like JSON}" });
    host.storage().put("work", &outputs(&given), true);
    assert!(matches!(host.deliver("work").await, Delivery::Failed(_)));
    assert_eq!(host.storage().blob("results/a.json").unwrap(), b"{\"a\":1}");
    assert!(texts(&host, "next").is_empty());
}

#[tokio::test]
async fn e12_an_outputs_path_is_filled_in_after_the_function_has_run() {
    let host = Stub::new("path").start().await;
    let nameless = |given| json!({ "status": 200, "body": { "Outputs": given } }).to_string();
    // `{Id}` is the queue's own then; a name that nothing is known of is missed only by what is written to it.
    host.storage()
        .put("work", &nameless(json!({ "result": "{}" })), true);
    assert_eq!(host.deliver("work").await, Delivery::Done);
    assert_eq!(host.storage().blobs().len(), 1);

    let stub = Stub::new("path-unknown");
    stub.function("work", &json!([
        { "type": "queueTrigger", "direction": "in", "name": "job", "queueName": "work" },
        { "type": "queue", "direction": "out", "name": "next", "queueName": "next" },
        { "type": "blob", "direction": "out", "name": "result", "path": "results/{cluster}.json" },
    ]));
    let host = stub.start().await;
    host.storage()
        .put("work", &outputs(&json!({ "next": ["1"] })), true);
    assert_eq!(host.deliver("work").await, Delivery::Done);
    host.storage().put(
        "work",
        &outputs(&json!({ "next": ["2"], "result": "{}" })),
        true,
    );
    let delivery = host.deliver("work").await;
    assert!(
        matches!(&delivery, Delivery::Failed(why) if why.contains("cluster")),
        "{delivery:?}"
    );
    assert_eq!(texts(&host, "next"), ["1", "2"], "the function ran");
}

#[tokio::test]
async fn e12_no_outputs_is_an_empty_200_and_no_res_is_an_empty_object() {
    let host = Stub::new("no-outputs").start().await;
    for (answer, body) in [(json!({}), ""), (json!({ "Outputs": {} }), "{}")] {
        let call = Call::post("/api/order", told(&json!({ "body": answer })));
        let answer = host.call(call).await;
        assert_eq!((answer.status, &answer.body[..]), (200, body.as_bytes()));
    }
}

#[tokio::test]
async fn e11_answers_that_are_no_success_fail() {
    let once = Stub::new("failures").set("/extensions/queues/maxDequeueCount", json!(1));
    let host = once.start().await;
    for wrong in [
        json!({ "status": 500, "body": {} }),
        json!({ "status": 302, "body": {} }),
        json!({ "type": "text/plain", "text": "done" }),
        json!({ "type": "", "text": "{}" }),
        json!({ "text": "{\"Outputs\":" }),
        json!({ "body": [] }),
        json!({ "body": "done" }),
        json!({ "body": { "Outputs": [] } }),
        json!({ "body": { "Logs": "done" } }),
    ] {
        host.storage().put("work", &told(&wrong), true);
        let delivery = host.deliver("work").await;
        assert!(
            matches!(delivery, Delivery::Poisoned(_)),
            "{wrong}: {delivery:?}"
        );
    }
    assert!(host.storage().blobs().is_empty());
    let hung = |event: &Event| matches!(event, Event::Hung(_) | Event::TimedOut(_));
    assert!(!host.process().events().iter().any(hung));
}

#[tokio::test]
async fn e11_an_empty_answer_hangs_until_the_functions_timeout() {
    let once = Stub::new("hung").set("/extensions/queues/maxDequeueCount", json!(1));
    let host = once.start().await;
    for (starts, empty) in [
        json!({ "text": "" }),
        json!({ "text": " \n" }),
        json!({ "text": "null" }),
        json!({ "status": 204, "type": "text/plain" }),
    ]
    .iter()
    .enumerate()
    {
        let before = host.clock().passed();
        host.storage().put("work", &told(empty), true);
        let delivery = host.deliver("work").await;
        assert!(
            matches!(delivery, Delivery::Poisoned(_)),
            "{empty}: {delivery:?}"
        );
        assert_eq!(host.clock().passed(), before + TIMEOUT, "{empty}");
        let events = host.process().events();
        let started = u32::try_from(starts).unwrap() + 2;
        let expected = [
            Event::Hung("work".into()),
            Event::TimedOut("work".into()),
            Event::Exited(None),
            Event::Started(started),
            Event::Ready,
        ];
        assert!(events.ends_with(&expected), "{events:?}");
    }
}
