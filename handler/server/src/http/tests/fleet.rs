//! The overview, from rows in a storage account of the test's own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use egress_arm::{BlobEndpoint, Client, ClientSettings, Cloud, Endpoints, Identity, Secret, Trust};
use egress_collect::Located;
use egress_diagnosis::report::{Severity, Status};
use egress_tests::storage::Storage;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, get, post_json, request, send};
use crate::fleet::row::{Failure, Row, WorstFinding};
use crate::fleet::rows::{BlobRows, Rows};
use crate::http::App;
use crate::jobs::ids::cluster_key;
use crate::reports::Policy;
use crate::testing::{self, FakeEngine, SUBSCRIPTION};

const OTHER: &str = "00000000-0000-4000-8000-000000000002";

fn rows(storage: &Storage) -> Rows {
    let client = Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public),
        identity: Identity::Fixed(Secret::from("the-token")),
        trust: Trust::Pem(storage.certificate().as_bytes().to_vec()),
    });
    let endpoint = BlobEndpoint::at(storage.endpoint()).unwrap();
    Rows::Blobs(BlobRows::new(client.blobs(endpoint)))
}

fn router_with(storage: &Storage, policy: Policy) -> Router {
    App {
        fleet: Arc::new(rows(storage)),
        ..testing::hosted(FakeEngine::healthy(), policy)
    }
    .router()
}

fn router(storage: &Storage) -> Router {
    router_with(storage, testing::policy())
}

/// A row of an hour ago; with a finding where the status has one.
fn row(name: &str, subscription: &str, status: Status, snat: Option<f64>) -> Row {
    let cluster = format!(
        "/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}"
    );
    let severity = match status {
        Status::Blocked => Some(Severity::Critical),
        Status::Degraded => Some(Severity::High),
        Status::AtRisk => Some(Severity::Medium),
        Status::Unknown | Status::Healthy => None,
    };
    let mut row = Row::of_report(&testing::report(&cluster), &format!("result-{name}"));
    row.subscription_id = subscription.to_owned();
    row.status = status;
    row.snat_utilization_peak = snat;
    row.generated_at = Timestamp::now() - SignedDuration::from_hours(1);
    row.worst_finding = severity.map(|severity| WorstFinding {
        code: "NAT101".to_owned(),
        severity,
        title: "title".to_owned(),
    });
    row
}

fn put(storage: &Storage, row: &Row) {
    let cluster = crate::cluster_id::parse(&row.cluster_id).unwrap();
    let name = format!("{}.json", cluster_key(&cluster));
    let body = serde_json::to_string(row).unwrap();
    storage.put("egress-fleet", &name, &body);
}

/// A storage account with one cluster of each status, two of them in another subscription.
async fn one_of_each() -> Storage {
    let storage = Storage::start(2).await;
    for (name, subscription, status, snat) in [
        ("fine", SUBSCRIPTION, Status::Healthy, Some(0.1)),
        ("stopped", SUBSCRIPTION, Status::Blocked, None),
        ("hazy", OTHER, Status::Unknown, None),
        ("risky", OTHER, Status::AtRisk, Some(0.5)),
        ("wrong", SUBSCRIPTION, Status::Degraded, Some(0.9)),
    ] {
        put(&storage, &row(name, subscription, status, snat));
    }
    storage
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let clusters = body["clusters"].as_array().unwrap().iter();
    clusters
        .map(|cluster| cluster["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn clusters_come_worst_first_with_their_age_and_result() {
    let storage = one_of_each().await;
    let answer = get(&router(&storage), "/api/fleet").await;
    assert_eq!(
        names(&answer),
        ["stopped", "wrong", "hazy", "risky", "fine"]
    );
    let body = answer.json();
    let counts = json!({"blocked": 1, "degraded": 1, "unknown": 1, "atRisk": 1, "healthy": 1});
    assert_eq!(body["counts"], counts);
    assert_eq!(body["total"], 5);
    assert_eq!(
        (&body["gaps"], &body["nextLink"]),
        (&json!([]), &Value::Null)
    );
    let first = &body["clusters"][0];
    assert_eq!(first["resultId"], "result-stopped");
    assert_eq!(first["worstFinding"]["code"], "NAT101");
    let age = first["ageSeconds"].as_u64().unwrap();
    assert!((3600..3700).contains(&age), "{age}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn of_equal_status_severity_decides_then_snat_then_the_name() {
    let storage = Storage::start(100).await;
    let critical = |name: &str, snat: Option<f64>| row(name, SUBSCRIPTION, Status::Blocked, snat);
    let mut high = critical("ahigh", Some(1.0));
    high.worst_finding.as_mut().unwrap().severity = Severity::High;
    for row in [
        high,
        critical("d", None),
        critical("c", Some(0.0)),
        critical("b2", Some(0.5)),
        critical("b1", Some(0.5)),
    ] {
        put(&storage, &row);
    }
    let answer = get(&router(&storage), "/api/fleet").await;
    assert_eq!(names(&answer), ["b1", "b2", "c", "d", "ahigh"]);
}

#[tokio::test]
async fn filters_take_lists_and_repeats() {
    let storage = one_of_each().await;
    let router = router(&storage);
    let ask = async |query: &str| names(&get(&router, &format!("/api/fleet?{query}")).await);
    let both = format!("subscriptionId={SUBSCRIPTION},{OTHER}");
    assert_eq!(ask(&both).await.len(), 5);
    let upper = format!("subscriptionId={}", OTHER.to_uppercase());
    assert_eq!(ask(&upper).await, ["hazy", "risky"]);
    assert_eq!(
        ask("status=healthy&status=blocked").await,
        ["stopped", "fine"]
    );
    assert_eq!(ask("status=healthy,%20atRisk").await, ["risky", "fine"]);
    let one = format!("subscriptionId={OTHER}&status=unknown");
    assert_eq!(ask(&one).await, ["hazy"]);
    let counts = get(&router, &format!("/api/fleet?{one}")).await.json()["counts"].clone();
    assert_eq!(
        (&counts["atRisk"], &counts["blocked"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat_while_rows_change() {
    let storage = one_of_each().await;
    let router = router(&storage);
    let mut uri = "/api/fleet?top=2&status=blocked,degraded,atRisk,healthy".to_owned();
    let mut seen = Vec::new();
    loop {
        let mut request = request(Method::GET, &uri, Body::empty());
        let headers = request.headers_mut();
        headers.insert("host", "egress.example.net".parse().unwrap());
        let answer = send(&router, request).await;
        seen.extend(names(&answer));
        let body = answer.json();
        let Some(next) = body["nextLink"].as_str() else {
            assert_eq!(body["continuation"], Value::Null);
            break;
        };
        assert!(body["continuation"].as_str().is_some());
        let path = next.strip_prefix("http://egress.example.net").unwrap();
        uri = path.to_owned();
        // A cluster that was shown gets worse, and one appears above: neither moves the next page.
        put(
            &storage,
            &row("new", SUBSCRIPTION, Status::Blocked, Some(1.0)),
        );
    }
    assert_eq!(seen, ["stopped", "wrong", "risky", "fine"]);
}

#[tokio::test]
async fn the_links_scheme_is_the_callers() {
    let storage = one_of_each().await;
    let router = router(&storage);
    let link = async |headers: &[(&'static str, &str)]| {
        let mut request = request(Method::GET, "/api/fleet?top=1", Body::empty());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let body = send(&router, request).await.json();
        body["nextLink"].as_str().map(str::to_owned)
    };
    let starts = |link: Option<String>, start: &str| assert!(link.unwrap().starts_with(start));
    starts(
        link(&[("host", "127.0.0.1:8080")]).await,
        "http://127.0.0.1:8080/api/fleet?top=1&",
    );
    let proxied = [
        ("host", "inner"),
        ("x-forwarded-host", "outer.example"),
        ("x-forwarded-proto", "https"),
    ];
    starts(link(&proxied).await, "https://outer.example/api/fleet?");
    assert_eq!(link(&[("host", "evil\"/>.example")]).await, None);
}

#[tokio::test]
async fn clusters_outside_the_allow_list_are_neither_shown_nor_counted() {
    let storage = one_of_each().await;
    let policy = Policy {
        allowed_subscriptions: [OTHER.to_owned()].into(),
        ..testing::policy()
    };
    // Its own field may say anything: the id decides.
    let mut lying = row("lying", SUBSCRIPTION, Status::Blocked, None);
    lying.subscription_id = OTHER.to_owned();
    put(&storage, &lying);
    let router = router_with(&storage, policy);
    let answer = get(&router, "/api/fleet").await;
    assert_eq!(names(&answer), ["hazy", "risky"]);
    assert_eq!(answer.json()["counts"]["blocked"], 0);
    let asked = get(
        &router,
        &format!("/api/fleet?subscriptionId={SUBSCRIPTION}"),
    )
    .await;
    asked.problem(403, "scopeNotAllowed");
}

#[tokio::test]
async fn what_is_no_row_is_named_and_never_an_error() {
    let storage = one_of_each().await;
    let deep = "[".repeat(20_000);
    let foreign = r#"{"clusterId":"/subscriptions/x"}"#;
    let mut negative = serde_json::to_value(row("n", OTHER, Status::Healthy, None)).unwrap();
    negative["snatUtilizationPeak"] = json!(-1);
    let mut other_status = negative.clone();
    other_status["snatUtilizationPeak"] = json!(0.5);
    other_status["status"] = json!("excellent");
    let mut huge = serde_json::to_value(row("h", OTHER, Status::Healthy, None)).unwrap();
    huge["headline"] = json!("x".repeat(20_000));
    for (name, body) in [
        ("a0.json", String::new()),
        ("a1.json", deep),
        ("a2.json", foreign.to_owned()),
        ("a3.json", negative.to_string()),
        ("a4.json", other_status.to_string()),
        ("a5.json", huge.to_string()),
        ("notes.txt", "hello".to_owned()),
    ] {
        storage.put("egress-fleet", name, &body);
    }
    let answer = get(&router(&storage), "/api/fleet").await;
    assert_eq!(names(&answer).len(), 5);
    let gaps = answer.json()["gaps"].clone();
    assert_eq!(gaps.as_array().unwrap().len(), 1, "{gaps}");
    assert_eq!(gaps[0]["cause"], "malformed");
    let what = gaps[0]["what"].as_str().unwrap();
    assert!(
        what.contains('7') && what.contains("a0.json") && what.ends_with(", …)"),
        "{what}"
    );
}

#[tokio::test]
async fn rows_that_may_not_be_read_are_a_gap_with_the_missing_right() {
    let storage = one_of_each().await;
    storage.refuse(403, "AuthorizationPermissionMismatch");
    let answer = get(&router(&storage), "/api/fleet").await;
    assert_eq!(names(&answer).len(), 0);
    let gap = &answer.json()["gaps"][0];
    assert_eq!(
        (&gap["cause"], &gap["httpStatus"]),
        (&json!("forbidden"), &json!(403))
    );
    assert!(
        gap["needs"]["action"]
            .as_str()
            .unwrap()
            .ends_with("blobs/read")
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_an_error_not_an_empty_fleet() {
    let storage = one_of_each().await;
    storage.list_as(
        "<!DOCTYPE x [<!ENTITY a \"b\">]><EnumerationResults><Blobs/></EnumerationResults>",
    );
    get(&router(&storage), "/api/fleet")
        .await
        .problem(502, "azureUnreachable");
}

#[tokio::test]
async fn before_the_first_diagnosis_the_fleet_is_empty_and_says_so() {
    let storage = Storage::start(10).await;
    let alone = testing::app(FakeEngine::healthy(), testing::policy()).router();
    let nowhere = testing::hosted(FakeEngine::healthy(), testing::policy()).router();
    for (router, expected) in [
        (router(&storage), "no diagnosis has been stored yet"),
        (alone, "no diagnosis has been stored yet"),
        (nowhere, "stored results cannot be read"),
    ] {
        let body = get(&router, "/api/fleet").await.json();
        assert_eq!((&body["clusters"], &body["total"]), (&json!([]), &json!(0)));
        let what = body["gaps"][0]["what"].as_str().unwrap();
        assert!(what.starts_with(expected), "{what}");
    }
}

#[tokio::test]
async fn a_row_under_another_clusters_name_is_none() {
    let storage = one_of_each().await;
    let copy = row("copied", SUBSCRIPTION, Status::Blocked, None);
    let body = serde_json::to_string(&copy).unwrap();
    storage.put(
        "egress-fleet",
        "00000000000000000000000000000000.json",
        &body,
    );
    let answer = get(&router(&storage), "/api/fleet").await;
    assert_eq!(names(&answer).len(), 5);
    assert_eq!(answer.json()["gaps"][0]["cause"], "malformed");
}

#[tokio::test]
async fn only_rows_that_changed_are_read_again() {
    let storage = one_of_each().await;
    let router = router(&storage);
    let blobs = |asked: Vec<String>| asked.iter().filter(|uri| uri.contains(".json")).count();
    names(&get(&router, "/api/fleet").await);
    assert_eq!(blobs(storage.asked()), 5);
    names(&get(&router, "/api/fleet").await);
    assert_eq!(blobs(storage.asked()), 0);
    put(
        &storage,
        &row("fine", SUBSCRIPTION, Status::Blocked, Some(1.0)),
    );
    let answer = get(&router, "/api/fleet").await;
    assert_eq!(names(&answer)[0], "fine");
    assert_eq!(blobs(storage.asked()), 1);
}

#[tokio::test]
async fn as_text_it_is_a_table_that_no_name_can_break() {
    let storage = one_of_each().await;
    let cluster = crate::cluster_id::parse(testing::CLUSTER).unwrap();
    let failure = Failure {
        code: "clusterNotFound".to_owned(),
        detail: "gone\nBLOCKED \u{1b}[2J".to_owned(),
    };
    put(
        &storage,
        &Row::of_failure(&cluster, failure, Timestamp::now(), "r"),
    );
    let answer = get(&router(&storage), "/api/fleet?format=text&top=4").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert!(lines[0].starts_with("4 of 6 clusters; of all: 1 blocked, 1 degraded, 2 unknown"));
    assert!(lines[2].starts_with("STATUS"));
    assert!(
        lines[3].starts_with("BLOCKED") && lines[3].contains("stopped"),
        "{}",
        answer.body
    );
    assert!(
        lines[4].contains("90%") && lines[4].contains("60 min"),
        "{}",
        answer.body
    );
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("BLOCKED"))
            .count(),
        1
    );
    assert!(!answer.body.contains('\u{1b}'));
    assert!(lines.last().unwrap().starts_with("more with continuation="));
}

#[tokio::test]
async fn wrong_questions_name_the_field() {
    let storage = one_of_each().await;
    let router = router(&storage);
    for (query, field) in [
        ("top=0", "top"),
        ("top=1001", "top"),
        ("top=many", "top"),
        ("top=1&top=2", "top"),
        ("status=great", "status"),
        ("status=Blocked", "status"),
        ("subscriptionId=prod", "subscriptionId"),
        ("continuation=", "continuation"),
        ("continuation=00zz", "continuation"),
        (
            "continuation=%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC",
            "continuation",
        ),
        ("format=markdown", "format"),
        ("clusterId=x", "clusterId"),
    ] {
        let answer = get(&router, &format!("/api/fleet?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.field().as_str()),
            (400, field),
            "{query}"
        );
    }
    assert_eq!(storage.asked(), Vec::<String>::new());
}

/// A call of a function with an HTTP trigger and a queue, as the host makes it.
async fn invoke(router: &Router, function: &str, data: Value) -> Value {
    let body = json!({"Data": data, "Metadata": {"sys": {}}}).to_string();
    let answer = post_json(router, function, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["Outputs"].clone()
}

async fn order_by_host(router: &Router, body: &Value) -> Value {
    let headers = json!({"Content-Type": ["application/json"], "Host": ["app.example.net"]});
    let req = json!({
        "Url": "https://app.example.net/api/fleet", "Method": "POST", "Query": {},
        "Headers": headers, "Params": {}, "Body": body.to_string(),
    });
    invoke(router, "/fleet-sweep", json!({"req": req})).await
}

fn messages(outputs: &Value) -> Vec<Value> {
    let messages = outputs["diagnoses"].as_array().into_iter().flatten();
    messages
        .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
        .collect()
}

fn cluster(name: &str) -> String {
    row(name, SUBSCRIPTION, Status::Healthy, None).cluster_id
}

fn listed(names: &[&str]) -> Located {
    let ids = names
        .iter()
        .map(|name| crate::cluster_id::parse(&cluster(name)).unwrap());
    Located {
        clusters: ids.collect(),
        ..Located::default()
    }
}

#[tokio::test]
async fn an_order_for_subscriptions_leaves_a_message_for_each_of_their_clusters() {
    let engine = FakeEngine::healthy();
    *engine.listed.lock().unwrap() = Located {
        left_out: 3,
        reasons: vec!["a reason".to_owned()],
        ..listed(&["a", "b"])
    };
    let policy = Policy {
        allowed_subscriptions: [SUBSCRIPTION.to_owned()].into(),
        ..testing::policy()
    };
    let router = testing::hosted(engine.clone(), policy).router();
    let outputs = order_by_host(
        &router,
        &json!({"subscriptionIds": [SUBSCRIPTION.to_uppercase()]}),
    )
    .await;
    assert_eq!(outputs["res"]["statusCode"], "202");
    let body: Value = serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&body["enqueued"], &body["leftOut"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(body["reasons"], json!(["a reason"]));
    let messages = messages(&outputs);
    assert_eq!(messages.len(), 2);
    for (message, answer) in messages.iter().zip(body["diagnoses"].as_array().unwrap()) {
        assert_eq!(message["id"], answer["id"]);
        assert_eq!(message["origin"], "sweep");
        assert_eq!(message["request"]["clusterId"], answer["clusterId"]);
        assert_eq!(message["request"]["fresh"], true);
        let location = answer["location"].as_str().unwrap();
        let id = message["id"].as_str().unwrap();
        assert_eq!(
            location,
            format!("https://app.example.net/api/diagnoses/{id}")
        );
        assert!(message.to_string().len() < 40_000);
    }
    let asked = engine.lists_asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].subscriptions, [SUBSCRIPTION.to_owned()].into());
    assert_eq!(asked[0].allowed, [SUBSCRIPTION.to_owned()].into());
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn an_order_for_clusters_asks_azure_nothing_and_counts_each_once() {
    let engine = FakeEngine::healthy();
    let router = testing::hosted(engine.clone(), testing::policy()).router();
    let twice = [cluster("a"), cluster("A"), cluster("b")];
    let outputs = order_by_host(&router, &json!({"clusterIds": twice})).await;
    assert_eq!(messages(&outputs).len(), 2);
    assert!(engine.lists_asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn wrong_orders_are_refused_with_the_field_and_leave_no_message() {
    let engine = FakeEngine::healthy();
    let policy = Policy {
        allowed_subscriptions: [OTHER.to_owned()].into(),
        ..testing::policy()
    };
    let router = testing::hosted(engine.clone(), policy).router();
    let many: Vec<String> = (0..501).map(|n| cluster(&format!("c{n}"))).collect();
    for (body, status, field) in [
        (json!({}), "400", "subscriptionIds"),
        (
            json!({"subscriptionIds": [OTHER], "clusterIds": []}),
            "400",
            "clusterIds",
        ),
        (json!({"subscriptionIds": []}), "400", "subscriptionIds"),
        (json!({"subscriptionIds": OTHER}), "400", "subscriptionIds"),
        (json!({"subscriptionIds": [1]}), "400", "subscriptionIds"),
        (
            json!({"subscriptionIds": ["../x"]}),
            "400",
            "subscriptionIds",
        ),
        (
            json!({"clusterIds": ["/subscriptions/x"]}),
            "400",
            "clusterIds",
        ),
        (json!({"clusterIds": many}), "400", "clusterIds"),
        (json!({"clusters": []}), "400", "clusters"),
        (json!([]), "400", ""),
        (json!({"subscriptionIds": [SUBSCRIPTION]}), "403", ""),
        (json!({"clusterIds": [cluster("a")]}), "403", ""),
    ] {
        let outputs = order_by_host(&router, &body).await;
        let problem: Value =
            serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(outputs["res"]["statusCode"], status, "{problem}");
        assert_eq!(
            problem["field"].as_str().unwrap_or_default(),
            field,
            "{problem}"
        );
        assert_eq!(outputs["diagnoses"], Value::Null);
    }
    assert!(engine.lists_asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn clusters_that_cannot_be_listed_now_are_an_error_not_an_empty_order() {
    let engine = FakeEngine::healthy();
    *engine.listed.lock().unwrap() = Located {
        passing: true,
        reasons: vec!["throttled".to_owned()],
        ..Located::default()
    };
    let router = testing::hosted(engine, testing::policy()).router();
    let outputs = order_by_host(&router, &json!({"subscriptionIds": [OTHER]})).await;
    assert_eq!(outputs["res"]["statusCode"], "502");
    let timer = json!({"Data": {"timer": {}}, "Metadata": {}}).to_string();
    let failed = post_json(&router, "/sweep", &timer).await;
    failed.problem(502, "azureUnreachable");
}

#[tokio::test]
async fn without_a_host_an_order_is_worked_on_at_once_and_shows_in_the_overview() {
    let router = testing::app(FakeEngine::healthy(), testing::policy()).router();
    let body = json!({"clusterIds": [cluster("a"), cluster("b")]}).to_string();
    let accepted = post_json(&router, "/api/fleet", &body).await;
    assert_eq!(
        (accepted.status.as_u16(), &accepted.json()["enqueued"]),
        (202, &json!(2))
    );
    let fleet = loop {
        let fleet = get(&router, "/api/fleet").await;
        if fleet.json()["total"] == 2 {
            break fleet;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(names(&fleet), ["a", "b"]);
    assert_eq!(fleet.json()["gaps"], json!([]));
    let result = fleet.json()["clusters"][0]["resultId"]
        .as_str()
        .unwrap()
        .to_owned();
    let report = get(&router, &format!("/api/diagnoses/{result}")).await;
    assert_eq!(report.json()["cluster"]["name"], "a");
}

#[tokio::test]
async fn a_timer_that_fires_twice_for_a_slot_orders_the_same_diagnoses() {
    let engine = FakeEngine::healthy();
    *engine.listed.lock().unwrap() = listed(&["a", "b"]);
    let router = testing::hosted(engine.clone(), testing::policy()).router();
    let slot = Timestamp::now() - SignedDuration::from_secs(90);
    let fire = async |slot: Timestamp| {
        let timer = json!({"Schedule": {}, "ScheduleStatus": {"Next": slot.to_string()}, "IsPastDue": false});
        let outputs = invoke(&router, "/sweep", json!({"timer": timer})).await;
        let messages = messages(&outputs);
        assert_eq!(messages.len(), 2);
        let ids = messages
            .iter()
            .map(|message| message["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let first = fire(slot).await;
    assert_ne!(first[0], first[1]);
    assert_eq!(fire(slot).await, first);
    assert_ne!(fire(slot - SignedDuration::from_mins(5)).await, first);
    // All that may be looked into.
    assert!(
        engine.lists_asked.lock().unwrap()[0]
            .subscriptions
            .is_empty()
    );
}

#[tokio::test]
async fn turned_off_the_timer_orders_nothing() {
    let engine = FakeEngine::healthy();
    let mut app = testing::hosted(engine.clone(), testing::policy());
    app.jobs.sweep = false;
    let outputs = invoke(&app.router(), "/sweep", json!({"timer": {}})).await;
    assert_eq!(outputs, json!({}));
    assert!(engine.lists_asked.lock().unwrap().is_empty());
}
