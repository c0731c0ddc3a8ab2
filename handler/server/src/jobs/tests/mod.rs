//! The functions as the host calls them, and the same without a host.

mod calls;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};

use crate::engine::DiagnosisError;
use crate::http::tests::{Answer, get, post_json};
use crate::reports::Policy;
use crate::testing::{self, CLUSTER, FakeEngine, SUBSCRIPTION};

pub(crate) fn hosted(engine: &Arc<FakeEngine>) -> Router {
    testing::hosted(engine.clone(), testing::policy()).router()
}

/// Text as the host encodes it.
pub(crate) fn encoded(text: &str) -> Value {
    Value::from(Value::from(text).to_string())
}

/// A call of an HTTP function.
pub(crate) async fn http(router: &Router, name: &str, req: Value, blob: Option<&str>) -> Value {
    let data = json!({"req": req, "result": encoded_blob(blob)});
    let body = json!({"Data": data, "Metadata": {"sys": {}}}).to_string();
    let answer = post_json(router, &format!("/{name}"), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["Outputs"].clone()
}

/// An absent blob is the text `null`.
pub(crate) fn encoded_blob(blob: Option<&str>) -> Value {
    blob.map_or(Value::from("null"), encoded)
}

pub(crate) fn req(method: &str, path: &str, body: &str) -> Value {
    json!({
        "Url": format!("https://egress.example.net/api/{path}"), "Method": method, "Query": {},
        "Headers": {"Content-Type": ["application/json"], "Host": ["egress.example.net"]},
        "Params": {}, "Identities": [], "Body": body,
    })
}

/// Orders a diagnosis: its id and the message for the queue.
async fn order(router: &Router, fields: &Value) -> (String, String) {
    let outputs = http(
        router,
        "diagnoses",
        req("POST", "diagnoses", &fields.to_string()),
        None,
    )
    .await;
    assert_eq!(outputs["res"]["statusCode"], "202", "{outputs}");
    let messages = outputs["diagnoses"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    let body: Value = serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
    let id = body["id"].as_str().unwrap().to_owned();
    let headers = &outputs["res"]["headers"];
    assert_eq!(
        headers["location"],
        format!("https://egress.example.net/api/diagnoses/{id}")
    );
    assert_eq!(headers["retry-after"], "5");
    (id, messages[0].as_str().unwrap().to_owned())
}

/// The host delivers a message, with what is stored already.
async fn deliver(
    router: &Router,
    message: &str,
    previous: Option<&str>,
    latest: Option<&str>,
) -> Answer {
    let data = json!({
        "job": encoded(message), "previous": encoded_blob(previous), "latest": encoded_blob(latest),
    });
    let body = json!({"Data": data, "Metadata": {"DequeueCount": "1", "Id": "\"m\""}}).to_string();
    post_json(router, "/diagnose", &body).await
}

pub(crate) async fn fetch(router: &Router, id: &str, more: &str, blob: Option<&str>) -> Value {
    let path = format!("diagnoses/{id}{more}");
    http(router, "diagnosis", req("GET", &path, ""), blob).await["res"].clone()
}

fn ask() -> Value {
    json!({"clusterId": CLUSTER, "window": "PT1H"})
}

#[tokio::test]
async fn what_is_ordered_is_made_from_the_queue_and_fetched_in_every_format() {
    let engine = FakeEngine::healthy();
    let router = hosted(&engine);
    let (id, message) = order(&router, &ask()).await;
    assert_eq!(engine.runs(), 0, "an order asks Azure nothing");
    let pending = fetch(&router, &id, "", None).await;
    assert_eq!(pending["statusCode"], "202");
    assert!(
        pending["headers"]["location"]
            .as_str()
            .unwrap()
            .ends_with(&id)
    );

    let outputs = deliver(&router, &message, None, None).await.json()["Outputs"].clone();
    let result = outputs["result"].as_str().unwrap();
    let stats = |stored: &str| {
        let stored: Value = serde_json::from_str(stored).unwrap();
        stored["report"]["json"]["stats"]["cached"].clone()
    };
    let newest = outputs["newest"].as_str().unwrap();
    assert_eq!((stats(result), stats(newest)), (json!(false), json!(true)));
    let row: Value = serde_json::from_str(outputs["row"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&row["clusterId"], &row["resultId"]),
        (&json!(CLUSTER), &json!(id))
    );
    assert_eq!(
        outputs["notifications"],
        Value::Null,
        "who asked comes back"
    );
    assert_eq!(engine.asked.lock().unwrap()[0].window.as_hours(), 1);

    let cluster = testing::query(&[("clusterId", CLUSTER), ("window", "PT1H")]);
    for format in ["json", "text", "markdown", "adaptive-card"] {
        let fetched = fetch(&router, &id, &format!("?format={format}"), Some(result)).await;
        assert_eq!(fetched["statusCode"], "200", "{fetched}");
        let at_once = get(
            &router,
            &format!("/api/egress/report?{cluster}&format={format}"),
        )
        .await;
        assert_eq!(
            fetched["headers"]["content-type"],
            at_once.header("content-type")
        );
        let said = |text: &str| {
            text.replace("\"cached\":true", "\"cached\":false")
                .replace(", made for an earlier caller", "")
        };
        assert_eq!(
            said(fetched["body"].as_str().unwrap()),
            said(&at_once.body),
            "{format}"
        );
    }
}

#[tokio::test]
async fn a_message_delivered_again_does_nothing() {
    let engine = FakeEngine::healthy();
    let router = hosted(&engine);
    let (_, message) = order(&router, &ask()).await;
    let first = deliver(&router, &message, None, None).await.json();
    let result = first["Outputs"]["result"].as_str().unwrap();
    let again = deliver(&router, &message, Some(result), None).await;
    assert_eq!(again.json(), json!({"Outputs": {}}));
    assert_eq!(engine.runs(), 1);
}

#[tokio::test]
async fn a_young_result_of_the_same_question_is_shared_and_no_other() {
    let engine = FakeEngine::healthy();
    let uncached = Policy {
        cache: Duration::ZERO,
        ..testing::policy()
    };
    let mut app = testing::hosted(engine.clone(), uncached);
    app.jobs.share_seconds = 30;
    let router = app.router();
    let (_, message) = order(&router, &ask()).await;
    let first = deliver(&router, &message, None, None).await.json();
    let latest = first["Outputs"]["newest"].as_str().unwrap();

    let (id, message) = order(&router, &ask()).await;
    let shared = deliver(&router, &message, None, Some(latest)).await.json();
    assert_eq!(engine.runs(), 1);
    let stored: Value =
        serde_json::from_str(shared["Outputs"]["result"].as_str().unwrap()).unwrap();
    assert_eq!(stored["id"], id);
    assert_eq!(
        shared["Outputs"]["newest"],
        Value::Null,
        "a copy is not younger than it was"
    );

    assert_eq!(stored["report"]["json"]["stats"]["cached"], true);
    // The same question in other words.
    let other_words =
        json!({"clusterId": CLUSTER.to_uppercase(), "window": "PT60M", "fresh": "false"});
    let (_, message) = order(&router, &other_words).await;
    deliver(&router, &message, None, Some(latest)).await;
    assert_eq!(engine.runs(), 1);

    let old = latest.replace("\"finishedAt\":\"20", "\"finishedAt\":\"19");
    let ahead = latest.replace("\"finishedAt\":\"20", "\"finishedAt\":\"21");
    let others = [
        (json!({"clusterId": CLUSTER, "window": "PT2H"}), latest),
        (
            json!({"clusterId": CLUSTER, "window": "PT1H", "fresh": true}),
            latest,
        ),
        (ask(), old.as_str()),
        // By a clock that runs ahead.
        (ask(), ahead.as_str()),
        (ask(), "{}"),
        (ask(), "not JSON"),
    ];
    for (index, (fields, latest)) in others.into_iter().enumerate() {
        let (_, message) = order(&router, &fields).await;
        deliver(&router, &message, None, Some(latest)).await;
        assert_eq!(engine.runs(), index + 2, "{fields}");
    }
}

#[tokio::test]
async fn what_no_try_can_mend_is_stored_and_answered_like_the_report_would() {
    let forbidden = DiagnosisError::Forbidden {
        action: "a/read".to_owned(),
        scope: "/s".to_owned(),
    };
    let cases = [
        (DiagnosisError::ClusterNotFound, "404", "clusterNotFound"),
        (forbidden, "403", "azureForbidden"),
    ];
    for (error, status, code) in cases {
        let engine = FakeEngine::new(move |_| Err(error.clone()));
        let router = hosted(&engine);
        let (id, message) = order(&router, &ask()).await;
        let outputs = deliver(&router, &message, None, None).await.json()["Outputs"].clone();
        let row: Value = serde_json::from_str(outputs["row"].as_str().unwrap()).unwrap();
        assert_eq!(row["failure"]["code"], code);
        assert_eq!(outputs["newest"], Value::Null);
        let fetched = fetch(&router, &id, "", outputs["result"].as_str()).await;
        assert_eq!(fetched["statusCode"], status);
        let body: Value = serde_json::from_str(fetched["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["code"], code);
        assert_eq!(
            fetched["headers"]["content-type"],
            "application/problem+json"
        );
    }
}

#[tokio::test]
async fn what_another_try_may_mend_fails_so_that_the_queue_delivers_it_again() {
    let errors = [
        DiagnosisError::AzureUnreachable("secret place".to_owned()),
        DiagnosisError::Throttled("x".to_owned()),
        DiagnosisError::IdentityFailed("x".to_owned()),
        DiagnosisError::Busy,
        DiagnosisError::Internal("x".to_owned()),
    ];
    for error in errors {
        let engine = FakeEngine::new(move |_| Err(error.clone()));
        let router = hosted(&engine);
        let (_, message) = order(&router, &ask()).await;
        let answer = deliver(&router, &message, None, None).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_message_given_up_leaves_a_failure_under_its_own_name() {
    let router = hosted(&FakeEngine::healthy());
    let (id, message) = order(&router, &ask()).await;
    let given_up = async |message: &str| {
        let data = json!({"job": encoded(message)});
        let body = json!({"Data": data, "Metadata": {"Id": "\"from-the-queue\""}}).to_string();
        let answer = post_json(&router, "/diagnose-poison", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let outputs = answer.json()["Outputs"].clone();
        outputs["result"].as_str().unwrap().to_owned()
    };
    let stored = given_up(&message).await;
    let fetched = fetch(&router, &id, "", Some(&stored)).await;
    assert_eq!(fetched["statusCode"], "502");
    assert!(
        fetched["body"]
            .as_str()
            .unwrap()
            .contains("\"diagnosisFailed\"")
    );
    for strange in ["hello", "[]", "{\"id\":1}", "", "null"] {
        let stored: Value = serde_json::from_str(&given_up(strange).await).unwrap();
        assert_eq!(stored["id"], "from-the-queue", "{strange}");
        assert_eq!(stored["failure"]["code"], "invalidRequest");
    }
}

#[tokio::test]
async fn messages_that_are_not_ours_and_calls_that_are_none_are_refused() {
    let engine = FakeEngine::healthy();
    let router = hosted(&engine);
    let (_, message) = order(&router, &ask()).await;
    let with = |name: &str, value: Value| {
        let mut message: Value = serde_json::from_str(&message).unwrap();
        message[name] = value;
        message.to_string()
    };
    let strange = [
        "hello".to_owned(),
        "{}".to_owned(),
        with("id", json!("../../secrets")),
        with("origin", json!("stranger")),
        with("askedAt", json!("yesterday")),
        with("padding", json!("x".repeat(50_000))),
    ];
    for message in strange {
        let answer = deliver(&router, &message, None, None).await;
        answer.problem(400, "invalidRequest");
    }
    for body in ["", "[]", "{}", "{\"Data\":null}"] {
        post_json(&router, "/diagnose", body)
            .await
            .problem(400, "invalidRequest");
        // An error of the call itself would be the host's own 500.
        let answer = post_json(&router, "/diagnosis", body).await.json();
        assert_eq!(answer["Outputs"]["res"]["statusCode"], "400", "{answer}");
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn a_message_with_another_cluster_in_it_is_checked_like_any_request() {
    let engine = FakeEngine::healthy();
    let policy = Policy {
        allowed_subscriptions: [SUBSCRIPTION.to_owned()].into(),
        ..testing::policy()
    };
    let router = testing::hosted(engine.clone(), policy).router();
    let (_, message) = order(&router, &ask()).await;
    let elsewhere = message.replace(SUBSCRIPTION, "00000000-0000-4000-8000-00000000000f");
    let outputs = deliver(&router, &elsewhere, None, None).await.json()["Outputs"].clone();
    let stored: Value = serde_json::from_str(outputs["result"].as_str().unwrap()).unwrap();
    assert_eq!(stored["failure"]["code"], "scopeNotAllowed");
    let wrong = message.replace("managedClusters", "virtualMachines");
    let outputs = deliver(&router, &wrong, None, None).await.json()["Outputs"].clone();
    let stored: Value = serde_json::from_str(outputs["result"].as_str().unwrap()).unwrap();
    assert_eq!(stored["failure"]["code"], "invalidClusterId");
    assert_eq!(engine.runs(), 0);
    // An order for it is refused before anything is queued.
    let other = CLUSTER.replace(SUBSCRIPTION, "00000000-0000-4000-8000-00000000000f");
    let fields = json!({"clusterId": other}).to_string();
    let outputs = http(
        &router,
        "diagnoses",
        req("POST", "diagnoses", &fields),
        None,
    )
    .await;
    assert_eq!(outputs["res"]["statusCode"], "403");
    assert_eq!(outputs["diagnoses"], Value::Null);
}

#[tokio::test]
async fn an_order_is_checked_like_a_report_and_its_format_comes_later() {
    let router = hosted(&FakeEngine::healthy());
    for (fields, field) in [
        (json!({}), "clusterId"),
        (json!({"clusterId": CLUSTER, "window": "P9D"}), "window"),
        (json!({"clusterId": CLUSTER, "format": "text"}), "format"),
        (json!({"clusterId": CLUSTER, "colour": "red"}), "colour"),
    ] {
        let request = req("POST", "diagnoses", &fields.to_string());
        let outputs = http(&router, "diagnoses", request, None).await;
        assert_eq!(outputs["res"]["statusCode"], "400", "{fields}");
        let body: Value = serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["field"], field);
        assert_eq!(outputs["diagnoses"], Value::Null);
    }
}

#[tokio::test]
async fn under_the_host_an_order_without_bindings_is_not_taken() {
    let router = hosted(&FakeEngine::healthy());
    let answer = post_json(&router, "/api/diagnoses", &ask().to_string()).await;
    answer.problem(404, "notFound");
    // And without the host there are no functions.
    let alone = testing::app(FakeEngine::healthy(), testing::policy()).router();
    post_json(&alone, "/diagnose", "{}")
        .await
        .problem(404, "notFound");
}

#[tokio::test]
async fn without_a_host_the_same_is_done_by_this_process() {
    let engine = FakeEngine::with_gate(|r| Ok(testing::report(r.cluster.as_str())), 0);
    let router = testing::app(engine.clone(), testing::policy()).router();
    let ordered = post_json(&router, "/api/diagnoses", &ask().to_string()).await;
    assert_eq!(ordered.status, 202);
    let id = ordered.json()["id"].as_str().unwrap().to_owned();
    let uri = format!("/api/diagnoses/{id}");
    engine.wait_for_runs(1).await;
    assert_eq!(get(&router, &uri).await.status, 202);
    engine.gate.add_permits(1);
    loop {
        let answer = get(&router, &uri).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["cluster"]["id"], CLUSTER);
            break;
        }
        assert_eq!(answer.status, 202);
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.runs(), 1);
}
