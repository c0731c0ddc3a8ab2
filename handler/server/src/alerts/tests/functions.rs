//! Alerts from the webhook to the diagnoses they lead to, as the host calls the functions, and without a host.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use egress_arm::{ResourceId, Trust, Webhook};
use egress_collect::Located;
use egress_tests::sink::Sink;
use serde_json::{Value, json};

use super::{SUBSCRIPTION, sample};
use crate::alerts::MAX_ALERT_BYTES;
use crate::http::tests::{Answer, get, post_json};
use crate::jobs::notify::Notify;
use crate::jobs::tests::{encoded, encoded_blob, fetch, hosted, http, req};
use crate::reports::Policy;
use crate::settings::NotifyFormat;
use crate::testing::{self, CLUSTER, FakeEngine, query};

/// Posts an alert: what is answered, and the messages for the queue.
async fn take(router: &Router, path: &str, body: &str) -> (Value, Vec<String>) {
    let outputs = http(router, "alerts", req("POST", path, body), None).await;
    assert_eq!(outputs["res"]["statusCode"], "202", "{outputs}");
    let answer = serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
    let messages = outputs["alerts"].as_array().into_iter().flatten();
    let messages = messages.map(|it| it.as_str().unwrap().to_owned());
    (answer, messages.collect())
}

/// The host delivers a message of the queue of alerts.
async fn deliver(router: &Router, name: &str, message: &str, previous: Option<&str>) -> Answer {
    let data = json!({"job": encoded(message), "previous": encoded_blob(previous)});
    let body = json!({"Data": data, "Metadata": {"Id": "\"from-the-queue\""}}).to_string();
    post_json(router, &format!("/{name}"), &body).await
}

/// The alert's id, what is stored of it, and the diagnoses it asks for.
async fn followed(router: &Router, body: &str) -> (String, String, Vec<Value>) {
    let (answer, messages) = take(router, "alerts", body).await;
    assert_eq!(answer["status"], "accepted", "{answer}");
    let outputs = deliver(router, "alert", &messages[0], None).await.json()["Outputs"].clone();
    (
        answer["id"].as_str().unwrap().to_owned(),
        outputs["result"].as_str().unwrap().to_owned(),
        jobs(&outputs),
    )
}

fn jobs(outputs: &Value) -> Vec<Value> {
    let messages = outputs["diagnoses"].as_array().into_iter().flatten();
    let jobs = messages.map(|it| serde_json::from_str(it.as_str().unwrap()).unwrap());
    jobs.collect()
}

fn clusters(names: &[&str]) -> Vec<ResourceId> {
    let ids = names.iter().map(|name| CLUSTER.replace("shop", name));
    ids.map(|id| ResourceId::parse(&id).unwrap()).collect()
}

#[tokio::test]
async fn an_alert_is_acknowledged_without_asking_azure() {
    let engine = FakeEngine::healthy();
    let router = hosted(&engine);
    let (answer, messages) = take(&router, "alerts", sample!("metric-static")).await;
    let id = answer["id"].as_str().unwrap();
    assert_eq!(
        answer,
        json!({"status": "accepted", "id": id,
               "location": format!("https://egress.example.net/api/diagnoses/{id}")})
    );
    assert_eq!(messages.len(), 1);
    let message: Value = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(message["id"], id);
    assert_eq!(engine.runs(), 0);
    assert!(engine.sought.lock().unwrap().is_empty());
    let pending = fetch(&router, id, "", None).await;
    assert_eq!(pending["statusCode"], "202");
}

#[tokio::test]
async fn the_same_alert_has_the_same_id_and_its_diagnoses_too() {
    let engine = FakeEngine::healthy();
    *engine.located.lock().unwrap() = Located {
        clusters: clusters(&["shop", "bank"]),
        ..Located::default()
    };
    let router = hosted(&engine);
    let (id, result, first) = followed(&router, sample!("metric-static")).await;
    let (again, _, second) = followed(&router, sample!("metric-static")).await;
    assert_eq!(id, again);
    let ids = |jobs: &[Value]| -> Vec<Value> { jobs.iter().map(|job| job["id"].clone()).collect() };
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(first.len(), 2);
    for job in &first {
        assert_eq!(job["origin"], "alert");
        assert_ne!(job["id"], id);
    }
    // Delivered again after the outcome was stored: the orders may have been lost, so they are given again.
    let (_, messages) = take(&router, "alerts", sample!("metric-static")).await;
    let outputs = deliver(&router, "alert", &messages[0], Some(&result)).await;
    let outputs = outputs.json()["Outputs"].clone();
    assert_eq!(ids(&jobs(&outputs)), ids(&first));
    assert_eq!(outputs["result"], Value::Null);
    assert_eq!(
        engine.sought.lock().unwrap().len(),
        1,
        "equal searches share one"
    );

    let (other, ..) = followed(&router, sample!("metric-dynamic")).await;
    assert_ne!(other, id);
}

#[tokio::test]
async fn what_an_alert_led_to_is_told_under_its_id() {
    let engine = FakeEngine::healthy();
    *engine.located.lock().unwrap() = Located {
        clusters: clusters(&["bank"]),
        left_out: 3,
        reasons: vec!["something could not be read".to_owned()],
        passing: true,
    };
    let router = hosted(&engine);
    let (id, result, jobs) = followed(&router, sample!("metric-static")).await;
    let told = fetch(&router, &id, "", Some(&result)).await;
    assert_eq!(told["statusCode"], "200");
    let body: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
    let child = jobs[0]["id"].as_str().unwrap();
    assert_eq!(
        (&body["id"], &body["status"]),
        (&json!(id), &json!("located"))
    );
    assert_eq!(body["alert"]["rule"], "snat-failed");
    assert_eq!(
        body["diagnoses"],
        json!([{"id": child, "clusterId": CLUSTER.replace("shop", "bank"),
                "location": format!("https://egress.example.net/api/diagnoses/{child}")}])
    );
    assert_eq!(body["leftOut"], 3);
    assert_eq!(body["reasons"].as_array().unwrap().len(), 2);
    let text = fetch(&router, &id, "?format=text", Some(&result)).await;
    assert_eq!(text["statusCode"], "400");
}

#[tokio::test]
async fn a_named_cluster_is_not_searched_for_and_the_cap_is_told() {
    let engine = FakeEngine::healthy();
    let router = hosted(&engine);
    let (_, _, jobs) = followed(&router, sample!("metric-cluster")).await;
    let asked = jobs[0]["request"]["clusterId"].as_str().unwrap();
    assert!(asked.eq_ignore_ascii_case(CLUSTER));

    let mut many: Value = serde_json::from_str(sample!("metric-cluster")).unwrap();
    let targets = (0..13).map(|n| json!(format!("{CLUSTER}-{n}")));
    many["data"]["essentials"]["alertTargetIDs"] = targets.collect();
    let (_, result, jobs) = followed(&router, &many.to_string()).await;
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!((jobs.len(), &result["leftOut"]), (10, &json!(3)));
    assert!(result["reasons"][0].as_str().unwrap().contains("3 more"));
    assert!(engine.sought.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_alert_that_leads_to_no_cluster_keeps_the_reason() {
    let engine = FakeEngine::healthy();
    engine.located.lock().unwrap().reasons = vec!["not an AKS resource".to_owned()];
    let router = hosted(&engine);
    let (id, result, jobs) = followed(&router, sample!("metric-static")).await;
    assert!(jobs.is_empty());
    let told = fetch(&router, &id, "", Some(&result)).await;
    let body: Value = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["status"], "noCluster");
    assert_eq!(body["reasons"], json!(["not an AKS resource"]));
}

#[tokio::test]
async fn when_azure_cannot_be_asked_the_queue_delivers_the_alert_again_and_at_last_gives_it_up() {
    let engine = FakeEngine::healthy();
    engine.located.lock().unwrap().passing = true;
    let router = hosted(&engine);
    let (answer, messages) = take(&router, "alerts", sample!("metric-static")).await;
    for tries in 1..=2 {
        let answer = deliver(&router, "alert", &messages[0], None).await;
        answer.problem(502, "azureUnreachable");
        assert_eq!(engine.sought.lock().unwrap().len(), tries, "never shared");
    }
    let given_up = deliver(&router, "alert-poison", &messages[0], None).await;
    let stored = given_up.json()["Outputs"]["result"].clone();
    let id = answer["id"].as_str().unwrap();
    let told = fetch(&router, id, "", stored.as_str()).await;
    assert_eq!(told["statusCode"], "502");
    assert!(told["body"].as_str().unwrap().contains("diagnosisFailed"));
}

#[tokio::test]
async fn messages_that_are_not_ours_are_refused_and_given_up() {
    let router = hosted(&FakeEngine::healthy());
    let (_, messages) = take(&router, "alerts", sample!("metric-static")).await;
    let escaping = messages[0].replace("loadbalancers/kubernetes", "../../secrets");
    let large = format!("{{\"id\":\"{}\"}}", "x".repeat(50_000));
    for message in ["{}", "[]", "text", "", &escaping, &large] {
        let answer = deliver(&router, "alert", message, None).await;
        answer.problem(400, "invalidRequest");
        let given_up = deliver(&router, "alert-poison", message, None).await;
        assert_eq!(given_up.status, 200);
        let stored = given_up.json()["Outputs"]["result"].clone();
        assert!(stored.as_str().unwrap().contains("invalidRequest"));
    }
}

#[tokio::test]
async fn what_is_not_diagnosed_is_accepted_with_the_reason() {
    let engine = FakeEngine::healthy();
    let policy = Policy {
        allowed_subscriptions: BTreeSet::from(["00000000-0000-4000-8000-00000000beef".to_owned()]),
        ..testing::policy()
    };
    let restricted = testing::hosted(engine.clone(), policy).router();
    let open = hosted(&engine);
    for (router, body, reason) in [
        (&open, sample!("metric-resolved"), "resolved"),
        (&open, sample!("budget"), "costs"),
        (&open, sample!("service-health"), "Azure service"),
        (
            &open,
            sample!("test-action"),
            "no cluster and no Azure resource",
        ),
        (&open, "[]", "no object"),
        (&open, "{", "not JSON"),
        (&open, "", "empty"),
        (&restricted, sample!("metric-static"), SUBSCRIPTION),
        (&restricted, sample!("metric-cluster"), SUBSCRIPTION),
    ] {
        let (answer, messages) = take(router, "alerts", body).await;
        assert_eq!(answer["status"], "ignored", "{body}");
        let said = answer["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{said}");
        assert_eq!((&answer["id"], messages.len()), (&Value::Null, 0));
    }
}

#[tokio::test]
async fn the_address_of_the_webhook_may_name_the_cluster() {
    let router = hosted(&FakeEngine::healthy());
    let path = format!("alerts?code=key&{}", query(&[("clusterId", CLUSTER)]));
    let (answer, messages) = take(&router, &path, sample!("service-health")).await;
    assert_eq!(answer["status"], "accepted");
    let message: Value = serde_json::from_str(&messages[0]).unwrap();
    assert_eq!(message["candidates"]["clusters"], json!([CLUSTER]));
    let path = "alerts?clusterId=%0d%0aevil&clusterId=%ff";
    let (answer, _) = take(&router, path, sample!("service-health")).await;
    let said = answer["reason"].as_str().unwrap();
    assert!(said.contains("address") && !said.contains("evil"), "{said}");
}

#[tokio::test]
async fn a_larger_body_than_azure_monitor_sends_is_refused() {
    let router = testing::app(FakeEngine::healthy(), testing::policy()).router();
    let large = " ".repeat(MAX_ALERT_BYTES + 1);
    let answer = post_json(&router, "/api/alerts", &large).await;
    assert!(answer.problem(413, "payloadTooLarge").contains("256 kB"));
    let largest = " ".repeat(MAX_ALERT_BYTES);
    let answer = post_json(&router, "/api/alerts", &largest).await;
    assert_eq!(answer.status, 202);
}

/// At most 20 diagnoses, every alert accounted for, and one card for each diagnosis.
#[tokio::test]
async fn a_thousand_alerts_about_twenty_clusters_run_twenty_diagnoses() {
    let engine = FakeEngine::healthy();
    let mut app = testing::app(engine.clone(), testing::policy());
    let sink = Sink::start().await;
    let trust = Trust::Pem(sink.certificate().as_bytes().to_vec());
    let webhook = Webhook::parse(&sink.url(), trust).unwrap();
    app.jobs.notify = Some(Arc::new(Notify::new(webhook, NotifyFormat::AdaptiveCard)));
    let router = app.router();
    let mut alert: Value = serde_json::from_str(sample!("metric-cluster")).unwrap();
    let mut locations = Vec::new();
    for n in 0..1_000 {
        let cluster = format!("{CLUSTER}-{}", n % 20);
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/{n}"
        );
        alert["data"]["essentials"]["alertTargetIDs"] = json!([cluster]);
        alert["data"]["essentials"]["alertId"] = json!(id);
        let answer = post_json(&router, "/api/alerts", &alert.to_string()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        locations.push(answer.json()["location"].as_str().unwrap().to_owned());
    }
    assert_eq!(locations.iter().collect::<BTreeSet<_>>().len(), 1_000);
    for location in locations {
        let outcome = done(&router, &location).await.json();
        assert_eq!(outcome["status"], "located");
        let diagnosis = outcome["diagnoses"][0]["location"].as_str().unwrap();
        done(&router, diagnosis).await;
    }
    assert_eq!(engine.runs(), 20);
    while sink.received().len() < 20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sink.received().len(), 20);
}

/// The answer once it is there.
async fn done(router: &Router, location: &str) -> Answer {
    loop {
        let answer = get(router, location).await;
        if answer.status == 200 {
            return answer;
        }
        assert_eq!(answer.status, 202, "{answer:?}");
        tokio::task::yield_now().await;
    }
}
