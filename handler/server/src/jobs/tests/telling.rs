//! Who is told of what, and how often.

use std::sync::Arc;

use axum::Router;
use egress_arm::{Trust, Webhook};
use serde_json::{Value, json};

use super::{ask, deliver, encoded, encoded_blob, order};
use crate::http::tests::post_json;
use crate::jobs::notify::Notify;
use crate::settings::NotifyFormat;
use crate::testing::{self, FakeEngine};

/// An app that tells a webhook, and a message of a diagnosis that an alert asked for.
async fn told(engine: &Arc<FakeEngine>) -> (Router, String, String) {
    let mut app = testing::hosted(engine.clone(), testing::policy());
    let webhook = Webhook::parse("https://localhost:9/hook", Trust::System).unwrap();
    app.jobs.notify = Some(Arc::new(Notify::new(webhook, NotifyFormat::AdaptiveCard)));
    let router = app.router();
    let (id, message) = order(&router, &ask()).await;
    let message = message.replace("\"caller\"", "\"alert\"");
    (router, id, message)
}

/// The notifications among a function's outputs.
fn notifications(outputs: &Value) -> Vec<Value> {
    let messages = outputs["notifications"].as_array().into_iter().flatten();
    let messages = messages.map(|it| serde_json::from_str(it.as_str().unwrap()).unwrap());
    messages.collect()
}

/// The result may have been all that was written: the host writes outputs one beside the other.
#[tokio::test]
async fn a_message_delivered_again_leaves_the_same_notification_again() {
    let engine = FakeEngine::healthy();
    let (router, id, message) = told(&engine).await;
    let first = deliver(&router, &message, None, None).await.json()["Outputs"].clone();
    let result = first["result"].as_str().unwrap();
    let expected = notifications(&first);
    assert_eq!((expected.len(), &expected[0]["id"]), (1, &json!(id)));
    assert_eq!(expected[0]["about"].as_str().unwrap().len(), 32);
    let again = deliver(&router, &message, Some(result), None).await.json()["Outputs"].clone();
    assert_eq!(notifications(&again), expected);
    assert_eq!((&again["result"], engine.runs()), (&Value::Null, 1));
}

#[tokio::test]
async fn alerts_that_share_a_diagnosis_tell_the_same() {
    let engine = FakeEngine::healthy();
    let (router, id, message) = told(&engine).await;
    let first = deliver(&router, &message, None, None).await.json()["Outputs"].clone();
    let latest = first["newest"].as_str().unwrap();
    let (other, message) = order(&router, &ask()).await;
    let message = message.replace("\"caller\"", "\"alert\"");
    let shared = deliver(&router, &message, None, Some(latest)).await.json()["Outputs"].clone();
    let (one, two) = (&notifications(&first)[0], &notifications(&shared)[0]);
    assert_eq!((&one["id"], &two["id"]), (&json!(id), &json!(other)));
    assert_eq!((&one["about"], &one["what"]), (&two["about"], &two["what"]));
    assert_eq!(engine.runs(), 1);
}

#[tokio::test]
async fn what_was_told_last_is_not_told_again() {
    let (router, id, _) = told(&FakeEngine::healthy()).await;
    let message = json!({"id": id, "about": "cluster", "what": "report 1"}).to_string();
    let told = json!({"what": "report 1"}).to_string();
    let data = json!({"job": encoded(&message), "result": encoded("{}"), "told": encoded(&told)});
    let body = json!({"Data": data, "Metadata": {}}).to_string();
    // The webhook, which nobody is behind, is not asked.
    let answer = post_json(&router, "/notify", &body).await;
    assert_eq!(answer.json(), json!({"Outputs": {}}));
}

#[tokio::test]
async fn a_good_result_stays_when_its_message_is_given_up() {
    let (router, _, message) = told(&FakeEngine::healthy()).await;
    let first = deliver(&router, &message, None, None).await.json()["Outputs"].clone();
    let data =
        json!({"job": encoded(&message), "previous": encoded_blob(first["result"].as_str())});
    let body = json!({"Data": data, "Metadata": {}}).to_string();
    let given_up = post_json(&router, "/diagnose-poison", &body).await.json()["Outputs"].clone();
    assert_eq!(given_up["result"], Value::Null);
    assert_eq!(notifications(&given_up), notifications(&first));
    // Without one, an alert's failure is told.
    let data = json!({"job": encoded(&message), "previous": "null"});
    let body = json!({"Data": data, "Metadata": {}}).to_string();
    let given_up = post_json(&router, "/diagnose-poison", &body).await.json()["Outputs"].clone();
    let what = notifications(&given_up)[0]["what"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(what.starts_with("diagnosisFailed 20"), "{what}");
}
