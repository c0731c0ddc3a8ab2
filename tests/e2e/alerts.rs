//! From an alert that is posted to the card that somebody reads, on the built binary and with no other input.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use egress_tests::alert::{about, path_of};
use egress_tests::host::Call;
use egress_tests::https::Https;
use serde_json::{Value, json};

use super::{World, with_sink, with_sink_and};

async fn post(world: &World, body: String) -> Value {
    let answer = world.host.call(Call::post("/api/alerts", body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()
}

/// The answer at an absolute address of this app.
async fn at(world: &World, address: &Value) -> Value {
    let answer = world.host.call(Call::get(&path_of(address))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// What the issue asks for: an alert ends as a stored report and a card with no other input.
#[tokio::test]
async fn an_alert_ends_as_a_stored_report_and_a_card_with_no_other_input() {
    let (world, sink) = with_sink("alert", "adaptive-card").await;
    let cluster = world.cluster("nat-missing-on-one-subnet");
    let (subscription, _) = cluster.split_once("/resourceGroups/").expect("a group");
    // The gateway lies in a group of its owner's: only its subnets lead to the cluster.
    let target = format!(
        "{subscription}/resourcegroups/rg-shop-network/providers/microsoft.network/natgateways/natgw-shop"
    );
    let taken = post(&world, about("1", &target)).await;
    assert_eq!(taken["status"], "accepted", "{taken}");
    assert_eq!(world.sandbox.calls().len(), 0, "taken without asking Azure");

    world.host.drain().await;

    let outcome = at(&world, &taken["location"]).await;
    assert_eq!(outcome["status"], "located", "{outcome}");
    let led_to = outcome["diagnoses"].as_array().expect("a list");
    assert_eq!(led_to.len(), 1, "{outcome}");
    let named = led_to[0]["clusterId"].as_str().expect("an id");
    assert!(named.eq_ignore_ascii_case(&cluster), "{named}");
    let report = at(&world, &led_to[0]["location"]).await;
    assert_eq!(report["verdict"]["status"], "blocked");

    let received = sink.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let card = &received[0]["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    assert!(card.to_string().contains("NAT101"), "{card}");
    assert_eq!(world.host.process().stderr(), Vec::<String>::new());
}

#[tokio::test]
async fn many_alerts_about_one_cluster_make_one_card() {
    let more = [("EGRESS_CACHE_SECONDS", "3600")];
    let (world, sink) = with_sink_and("burst", "adaptive-card", &more).await;
    let cluster = world.cluster("nat-missing-on-one-subnet");
    let mut locations = Vec::new();
    for name in 0..12 {
        let taken = post(&world, about(&name.to_string(), &cluster)).await;
        locations.push(taken["location"].clone());
    }
    world.host.drain().await;
    assert_eq!(world.diagnoses_made(&cluster), 1);
    assert_eq!(sink.received().len(), 1);
    // Each alert is accounted for all the same.
    for location in &locations {
        let outcome = at(&world, location).await;
        let report = at(&world, &outcome["diagnoses"][0]["location"]).await;
        assert_eq!(report["verdict"]["status"], "blocked");
    }
    // A handler that starts anew knows what was told.
    world.host.process().kill().await.expect("a successor");
    let taken = post(&world, about("later", &cluster)).await;
    world.host.drain().await;
    let outcome = at(&world, &taken["location"]).await;
    at(&world, &outcome["diagnoses"][0]["location"]).await;
    assert_eq!(world.diagnoses_made(&cluster), 1);
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn an_alert_that_leads_nowhere_is_told_once() {
    let (world, sink) = with_sink("nowhere", "adaptive-card").await;
    let cluster = world.cluster("healthy-lb-overlay");
    let (subscription, _) = cluster.split_once("/resourceGroups/").expect("a group");
    let target =
        format!("{subscription}/resourceGroups/nobodys/providers/Microsoft.Network/natGateways/x");
    // The same alert comes twice: action groups are not sparing.
    let taken = post(&world, about("1", &target)).await;
    assert_eq!(post(&world, about("1", &target)).await, taken);
    world.host.drain().await;
    let outcome = at(&world, &taken["location"]).await;
    assert_eq!(outcome["status"], "noCluster");
    let received = sink.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let card = received[0]["attachments"][0]["content"].to_string();
    assert!(
        card.contains("led to no cluster") && card.contains("snat"),
        "{card}"
    );
    // Ignored at once: whoever sent it was told why.
    let resolved = about("2", &cluster).replace("\"Fired\"", "\"Resolved\"");
    assert_eq!(post(&world, resolved).await["status"], "ignored");
    world.host.drain().await;
    assert_eq!(sink.received().len(), 1);
}

/// Azure's action groups send at most 256 kB and stop calling for a while where they get a 5xx.
#[tokio::test]
async fn bodies_that_are_no_alert_get_an_answer_and_leave_nothing() {
    let world = World::start("no-alert", std::time::Duration::ZERO, &[]).await;
    let large = format!("\"{}\"", "x".repeat(256 * 1024));
    let answer = world.host.call(Call::post("/api/alerts", large)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["code"], "payloadTooLarge");
    for body in ["{", "[]", "[{}]", "null", "\u{0}", "{}", "{\"data\":[]}"] {
        let taken = post(&world, body.to_owned()).await;
        assert_eq!(taken["status"], "ignored", "{body}");
        assert!(!taken["reason"].as_str().expect("a reason").is_empty());
    }
    assert!(world.host.storage().queue("egress-alerts").is_empty());
    // A line for each.
    let lines = || world.host.process().stdout().join("\n");
    while lines().matches("\"message\":\"alert: ").count() < 7 {
        tokio::task::yield_now().await;
    }
}

/// Neither another token nor waiting opens another tenant: the first try settles it.
#[tokio::test]
async fn a_cluster_of_another_tenant_is_refused_at_once() {
    let azure = Https::start(|_| {
        let body = json!({"error": {"code": "InvalidAuthenticationTokenTenant", "message": "The access token is from the wrong issuer"}});
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    })
    .await;
    let more = [
        ("EGRESS_ARM_ENDPOINT", azure.endpoint()),
        ("TRUST", azure.certificate()),
    ];
    let (world, sink) = with_sink_and("tenant", "adaptive-card", &more).await;
    let cluster = world.cluster("healthy-lb-overlay");
    let taken = post(&world, about("1", &cluster)).await;
    world.host.drain().await;
    let outcome = at(&world, &taken["location"]).await;
    let path = path_of(&outcome["diagnoses"][0]["location"]);
    let answer = world.host.call(Call::get(&path)).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], "azureForbidden");
    assert!(
        problem["detail"]
            .as_str()
            .expect("words")
            .contains("tenant")
    );
    let poison = world.host.storage().queue("egress-diagnoses-poison");
    assert!(poison.is_empty());
    assert_eq!(sink.received().len(), 1, "who is on call knows");
}

#[tokio::test]
async fn messages_that_are_not_ours_harm_nobody() {
    let (world, sink) = with_sink("foreign", "adaptive-card").await;
    let cluster = world.cluster("nat-missing-on-one-subnet");
    let hostile = json!({
        "id": "../../x", "about": "../y", "what": "<script>", "candidates": {"clusters": ["/subscriptions/../x"]},
    });
    for queue in ["egress-alerts", "egress-notifications"] {
        for strange in [
            "hello",
            "[1,2]",
            "{\"id\":\"abcd\"}",
            "",
            &hostile.to_string(),
        ] {
            world.host.storage().put(queue, strange, true);
        }
    }
    let taken = post(&world, about("1", &cluster)).await;
    world.host.drain().await;
    let outcome = at(&world, &taken["location"]).await;
    let report = at(&world, &outcome["diagnoses"][0]["location"]).await;
    assert_eq!(report["verdict"]["status"], "blocked");
    // Only the card of the alert; of each message that was none, a stored failure or a message in the queue for such.
    assert_eq!(sink.received().len(), 1);
    let poison = world.host.storage().queue("egress-notifications-poison");
    assert_eq!(poison.len(), 5);
    assert_eq!(world.results(), 5 + 2);
    assert_eq!(world.host.process().stderr(), Vec::<String>::new());
}
