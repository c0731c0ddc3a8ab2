//! How calls reach a function: the listener, plain HTTP and the envelope (E7, E8, E9, E11).

use std::time::Duration;

use egress_tests::host::{Answer, Call, Delivery, Host};
use serde_json::{Value, json};

use super::{Stub, told};

async fn seen(host: &Host, call: Call) -> Value {
    let answer: Answer = host.call(call).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The envelope that a call of `order` makes.
async fn envelope(host: &Host, call: Call) -> Value {
    let seen = seen(host, call).await;
    assert_eq!(
        (&seen["method"], &seen["target"]),
        (&json!("POST"), &json!("/order"))
    );
    serde_json::from_str(seen["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn e7_the_listener_answers_what_no_function_answers() {
    let host = Stub::new("listener").start().await;
    for (call, status) in [
        (Call::get("/"), 200),
        (Call::get("/api/nothing"), 404),
        (Call::get("/admin/host/status"), 401),
        (Call::get("/api/echo").without_key(), 401),
        (Call::post("/work", "{}"), 404),
        (Call::post("/api/work", "{}"), 404),
    ] {
        let answer = host.call(call.clone()).await;
        assert_eq!(
            (answer.status, answer.from_handler),
            (status, false),
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn e7_a_body_over_the_limit_is_413() {
    let stub = Stub::new("limit");
    let limit = |bytes: &str| {
        vec![(
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT".to_owned(),
            bytes.to_owned(),
        )]
    };
    let host = Host::start(stub.app(), limit("10")).await.unwrap();
    for path in ["/api/echo", "/api/order"] {
        assert_eq!(host.call(Call::post(path, "0123456789")).await.status, 200);
        let answer = host.call(Call::post(path, "0123456789a")).await;
        assert_eq!((answer.status, answer.from_handler), (413, false));
    }
}

#[tokio::test]
async fn e8_without_forwarding_every_call_is_an_envelope_and_redirects_are_followed() {
    let off = Stub::new("off").set("/customHandler/enableForwardingHttpRequest", json!(false));
    let host = off.start().await;
    let echoed = seen(&host, Call::get("/api/echo/a")).await;
    assert_eq!(echoed["target"], "/echo");
    // Followed as a client follows it: what is there answers with JSON that is no answer of a function's.
    let elsewhere = json!({ "status": 302, "location": "/elsewhere", "body": {} });
    let answer = host
        .call(Call::post("/api/order", elsewhere.to_string()))
        .await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b""[..]));
    let on = Stub::new("on").start().await;
    let answer = on
        .call(Call::post("/api/order", elsewhere.to_string()))
        .await;
    assert_eq!(
        (answer.status, answer.from_handler),
        (500, false),
        "no success where it is on"
    );
}

#[tokio::test]
async fn e9_a_call_is_forwarded_with_its_path_and_the_hosts_quirks() {
    let host = Stub::new("forward").start().await;
    let call = Call::get("/api/Echo/a%20b/c%2Fd")
        .query("a", "1")
        .query("b", "x y")
        .query("A", "2")
        .header("User-Agent", "curl/8")
        .header("Accept", "text/plain")
        .header("accept", "*/*")
        .header("Content-Encoding", "gzip")
        .header("X-Azure-Functions-InvocationId", "mine");
    let seen = seen(&host, call).await;
    assert_eq!(seen["target"], "/api/Echo/a%20b/c%2Fd?a=1%2C2&b=x+y");
    let headers = &seen["headers"];
    assert_eq!(headers["accept"], "text/plain,*/*");
    assert_eq!(headers["host"], "egress.example.net");
    assert!(headers["content-encoding"].is_null());
    let agent = headers["user-agent"].as_str().unwrap();
    assert!(agent.starts_with("curl/8 Azure-Functions-Host/"), "{agent}");
    let invocation = headers["x-azure-functions-invocationid"].as_str().unwrap();
    assert!(invocation.starts_with("mine, "), "{invocation}");
}

#[tokio::test]
async fn e9_an_escaped_question_mark_cuts_the_path() {
    let host = Stub::new("cut").start().await;
    let seen = seen(&host, Call::get("/api/echo/a%3Fb/c").query("q", "1")).await;
    assert_eq!(seen["target"], "/api/echo/a?q=1");
}

#[tokio::test]
async fn e9_any_status_of_the_handler_is_passed_through() {
    let host = Stub::new("statuses").start().await;
    for status in [302, 404, 500, 503] {
        let told = told(&json!({ "status": status, "type": "text/plain", "text": "as it is" }));
        let answer = host.call(Call::post("/api/echo", told)).await;
        assert_eq!((answer.status, answer.from_handler), (status, true));
        assert_eq!(answer.body, "as it is");
    }
}

#[tokio::test]
async fn e9_a_chunked_upload_fails_forwarded_and_arrives_without_its_body_in_the_envelope() {
    let host = Stub::new("chunked").start().await;
    let chunked = |path| Call {
        chunked: true,
        ..Call::post(path, "{\"a\":1}")
    };
    let answer = host.call(chunked("/api/echo")).await;
    assert_eq!((answer.status, answer.from_handler), (500, false));
    let envelope = envelope(&host, chunked("/api/order")).await;
    let req = &envelope["Data"]["req"];
    assert!(req["Body"].is_null() && envelope["Metadata"]["a"].is_null());
    assert_eq!(req["Headers"]["Transfer-Encoding"], json!(["chunked"]));
}

#[tokio::test]
async fn e11_a_request_is_described_as_the_host_describes_it() {
    let host = Stub::new("described").start().await;
    let body =
        json!({ "n": 1, "b": true, "q": "body", "o": {}, "l": [1], "at": "2026-08-08T10:00:00Z" });
    let call = Call::post("/api/order/a%20b", body.to_string())
        .query("q", "1/2")
        .query("Q", "3")
        .query("Code", "secret")
        .header("Accept", "a")
        .header("ACCEPT", "b");
    let envelope = envelope(&host, call).await;
    let req = &envelope["Data"]["req"];
    assert_eq!(
        req["Url"],
        "https://egress.example.net/api/order/a b?q=1%2F2&Q=3&Code=secret"
    );
    assert_eq!(req["Method"], "POST");
    assert_eq!(req["Query"], json!({ "q": "1/2,3", "Code": "secret" }));
    assert_eq!(req["Headers"]["Accept"], json!(["a", "b"]));
    assert_eq!(req["Params"], json!({ "id": "a b" }));
    assert_eq!(req["Body"], body.to_string());
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["Headers"]["Accept"], "a,b");
    assert_eq!(metadata["Query"], req["Query"]);
    let told = [
        ("n", "\"1\""),
        ("b", "\"True\""),
        ("q", "\"1/2,3\""),
        ("id", "\"a b\""),
    ];
    for (name, value) in told {
        assert_eq!(metadata[name], value, "{name}");
    }
    assert_eq!(metadata["at"], "\"08/08/2026 10:00:00\"");
    for absent in ["o", "l", "Code", "req"] {
        assert!(metadata[absent].is_null(), "{absent}");
    }
    assert_eq!(metadata["sys"]["MethodName"], "order");
}

#[tokio::test]
async fn e11_bodies_are_text_or_base64_or_absent() {
    let host = Stub::new("bodies").start().await;
    let bytes = Call {
        headers: vec![(
            "x-functions-key".into(),
            egress_tests::host::FUNCTION_KEY.into(),
        )],
        ..Call::post("/api/order", vec![0xff, 0x00])
    };
    let bytes = bytes.header("content-type", "application/octet-stream");
    let envelope = async |call| envelope(&host, call).await["Data"]["req"].clone();
    assert_eq!(envelope(bytes).await["Body"], "/wA=");
    let none = envelope(Call::get("/api/order")).await;
    assert!(none["Body"].is_null());
    assert_eq!(
        none["Params"],
        json!({ "id": null }),
        "an optional parameter that is left out"
    );
}

#[tokio::test]
async fn e11_a_message_is_described_as_the_host_describes_it() {
    let host = Stub::new("message").start().await;
    let message =
        json!({ "Id": "own", "on": true, "nested": { "a": 1 }, "list": [1], "none": null });
    host.clock().advance(Duration::from_mins(1));
    host.storage().put("work", &message.to_string(), true);
    host.clock().advance(Duration::from_mins(1));
    assert_eq!(host.deliver("work").await, Delivery::Done);
    let seen: Value =
        serde_json::from_slice(&host.storage().blob("seen/last.json").unwrap()).unwrap();
    assert_eq!(seen["target"], "/work");
    assert_eq!(seen["headers"]["transfer-encoding"], "chunked");
    assert_eq!(
        seen["headers"]["content-type"],
        "application/json; charset=utf-8"
    );
    assert!(seen["headers"]["x-azure-functions-invocationid"].is_string());
    let envelope: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    let twice = Value::from(message.to_string()).to_string();
    assert_eq!(envelope["Data"], json!({ "job": twice }));
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["DequeueCount"], "1");
    assert_eq!(
        metadata["Id"], "\"own\"",
        "a member of the message hides the queue's own"
    );
    assert_eq!(metadata["InsertionTime"], "2026-08-08T10:01:00+00:00");
    assert_eq!(metadata["NextVisibleTime"], "2026-08-08T10:12:00+00:00");
    assert_eq!(metadata["ExpirationTime"], "2026-08-15T10:01:00+00:00");
    assert_eq!(
        (&metadata["on"], &metadata["nested"]),
        (&json!("\"True\""), &json!({ "a": 1 }))
    );
    assert!(metadata["list"].is_null() && metadata["none"].is_null());
}
