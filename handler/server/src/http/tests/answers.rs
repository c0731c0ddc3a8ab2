//! Paths, outcome and bypass plan: what they give, what they refuse, and that they share one reading of Azure.

use egress_diagnosis::facts::Facts;
use egress_diagnosis::testing::{deny_internet, firewalled, load_balancer};
use serde_json::{Value, json};

use super::{Answer, get, post_json, report_uri, router};
use crate::testing::{CLUSTER, FakeEngine, body, query};

fn uri(path: &str, more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("clusterId", CLUSTER)];
    pairs.extend_from_slice(more);
    format!("/api/egress/{path}?{}", query(&pairs))
}

async fn of(facts: Facts, path: &str, more: &[(&str, &str)]) -> Answer {
    let answer = get(&router(FakeEngine::of_facts(facts)), &uri(path, more)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

fn denying() -> Facts {
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "443");
    facts
}

#[tokio::test]
async fn paths_of_the_required_endpoints_and_of_one_destination() {
    let all = of(load_balancer(), "paths", &[]).await.json();
    assert_eq!(all["destination"], Value::Null);
    let named = |host: &str| {
        let mut traces = all["traces"].as_array().unwrap().iter();
        traces.any(|trace| {
            let mut destinations = trace["destinations"].as_array().unwrap().iter();
            destinations.any(|d| d["host"] == host)
        })
    };
    assert!(named("mcr.microsoft.com"));

    let one = of(denying(), "paths", &[("destination", "Example.com")])
        .await
        .json();
    assert_eq!(one["destination"]["host"], "example.com");
    assert_eq!(one["destination"]["port"], 443);
    let path = &one["traces"][0]["paths"][0];
    assert_eq!(path["final"], "dropped");
    assert_eq!(path["cause"], "NSG101");
    assert!(path["decidedBy"]["rule"].is_string());
    assert_eq!(path["steps"][0]["kind"], "start");
    assert_eq!(one["outbound"]["paths"][0]["final"], "dropped");

    let text = of(
        denying(),
        "paths",
        &[("destination", "8.8.8.8"), ("format", "text")],
    )
    .await;
    assert!(
        text.body.contains("DROPPED") && text.body.contains("8.8.8.8:443/tcp"),
        "{}",
        text.body
    );
}

#[tokio::test]
async fn an_outcome_is_read_in_the_light_of_the_analysis() {
    let seen = [("curlExitCode", "28"), ("destination", "mcr.microsoft.com")];
    let answer = of(denying(), "outcome", &seen).await.json();
    let reading = &answer["reading"];
    assert_eq!(reading["observed"], "curl 28");
    assert_eq!(reading["agreement"], "agrees");
    assert_eq!(reading["causes"][0]["finding"], "NSG101");
    assert!(!reading["tellApart"].as_array().unwrap().is_empty());
    assert_eq!(answer["pattern"], "unknown");

    let json = json!({
        "clusterId": CLUSTER, "curlExitCode": 22, "httpStatus": 403, "nodePool": "SYSTEM",
        "pattern": "intermittent", "text": "x-cache: CONFIG_NOCACHE", "tcpConnects": true,
    });
    let router = router(FakeEngine::of_facts(load_balancer()));
    let answer = post_json(&router, "/api/egress/outcome", &json.to_string())
        .await
        .json();
    assert_eq!(answer["reading"]["observed"], "HTTP 403");
    assert_eq!(answer["nodePool"], "system");
    assert_eq!(answer["pattern"], "intermittent");
    assert_eq!(answer["traces"], json!([]));
}

/// Fields of a request, the one that is named as wrong, and what is said of it.
type Refused<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test]
async fn an_outcome_without_anything_seen_is_refused_before_azure_is_asked() {
    let engine = FakeEngine::healthy();
    let router = router(engine.clone());
    let cases: [Refused<'_>; 15] = [
        (
            &[],
            "curlExitCode",
            "curl exit code, an HTTP status or both",
        ),
        (
            &[("httpStatus", "000")],
            "curlExitCode",
            "curl exit code, an HTTP status or both",
        ),
        (
            &[("destination", "mcr.microsoft.com")],
            "curlExitCode",
            "both",
        ),
        (&[("curlExitCode", "256")], "curlExitCode", "0 to 255"),
        (&[("curlExitCode", "-1")], "curlExitCode", "0 to 255"),
        (&[("curlExitCode", "")], "curlExitCode", "0 to 255"),
        (&[("curlExitCode", "28.0")], "curlExitCode", "0 to 255"),
        (&[("curlExitCode", "0x1c")], "curlExitCode", "0 to 255"),
        (&[("httpStatus", "1000")], "httpStatus", "0 to 999"),
        (&[("httpStatus", "99")], "httpStatus", "three digits"),
        (
            &[("curlExitCode", "28"), ("httpStatus", "200")],
            "curlExitCode",
            "one request",
        ),
        (
            &[("curlExitCode", "28"), ("nodePool", "a;b")],
            "nodePool",
            "nodepool list",
        ),
        (
            &[("curlExitCode", "28"), ("nodePool", "")],
            "nodePool",
            "nodepool list",
        ),
        (
            &[("curlExitCode", "28"), ("tcpConnects", "yes")],
            "tcpConnects",
            "true or false",
        ),
        (
            &[("curlExitCode", "28"), ("destination", "*.x.com")],
            "destination",
            "one host",
        ),
    ];
    for (fields, field, wrong) in cases {
        let mut pairs = vec![("clusterId", CLUSTER)];
        pairs.extend_from_slice(fields);
        let from_query = get(&router, &uri("outcome", fields)).await;
        let from_body = post_json(&router, "/api/egress/outcome", &body(&pairs)).await;
        for answer in [from_query, from_body] {
            let detail = answer.problem(400, "invalidRequest");
            assert!(detail.contains(wrong), "{fields:?}: {detail}");
            assert_eq!(answer.field(), field, "{fields:?}");
        }
    }
    for not_text in ["{}", "[28]", "true", "28.5", "1e9", "-28"] {
        let json = format!(r#"{{"clusterId":"{CLUSTER}","curlExitCode":{not_text}}}"#);
        let answer = post_json(&router, "/api/egress/outcome", &json).await;
        answer.problem(400, "invalidRequest");
        assert_eq!(answer.field(), "curlExitCode");
    }
    let long = body(&[
        ("clusterId", CLUSTER),
        ("curlExitCode", "28"),
        ("text", &"x".repeat(20_000)),
    ]);
    let answer = post_json(&router, "/api/egress/outcome", &long).await;
    answer.problem(400, "invalidRequest");
    assert_eq!(answer.field(), "text");
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn fields_of_an_outcome_are_unknown_elsewhere() {
    let router = router(FakeEngine::healthy());
    for path in ["report", "paths", "bypass-plan", "snat", "pressure"] {
        let answer = get(&router, &uri(path, &[("curlExitCode", "28")])).await;
        assert!(
            answer
                .problem(400, "invalidRequest")
                .contains("curlExitCode")
        );
    }
}

#[tokio::test]
async fn a_bypass_plan_has_commands_and_their_undo_and_executes_nothing() {
    let engine = FakeEngine::of_facts(firewalled());
    let router = router(engine.clone());
    let plan = get(&router, &uri("bypass-plan", &[])).await.json();
    let plan = &plan["bypass"]["plans"][0];
    assert_eq!(plan["reach"], "allDestinations");
    assert_eq!(plan["currentRoutes"][0]["nextHopIpAddress"], "10.1.0.4");
    assert!(
        plan["commands"][0]
            .as_str()
            .unwrap()
            .ends_with("--next-hop-type Internet")
    );
    assert!(
        plan["undo"][0]
            .as_str()
            .unwrap()
            .ends_with("--next-hop-ip-address 10.1.0.4")
    );
    let narrow = get(&router, &uri("bypass-plan", &[("destination", "20.1.2.3")]))
        .await
        .json();
    assert_eq!(narrow["bypass"]["plans"][0]["reach"], "oneDestination");
    assert_eq!(engine.runs(), 1);

    let none = of(load_balancer(), "bypass-plan", &[]).await.json();
    assert_eq!(none["bypass"]["applicable"], false);
    assert!(
        none["bypass"]["reason"]
            .as_str()
            .unwrap()
            .contains("no appliance")
    );
}

#[tokio::test]
async fn pressure_is_a_closer_look_and_so_a_reading_of_its_own() {
    let engine = FakeEngine::of_facts(load_balancer());
    let router = router(engine.clone());
    assert_eq!(get(&router, &report_uri(&[])).await.status, 200);
    let pressure = get(&router, &uri("pressure", &[])).await.json();
    assert_eq!(pressure["nodes"]["cpuPeakPercent"], 20.0);
    assert_eq!(pressure["disks"]["pools"][0]["name"], "system");
    assert_eq!(pressure["traces"], json!([]));
    assert!(pressure["outbound"].is_null());
    let text = get(&router, &uri("pressure", &[("format", "text")])).await;
    assert!(text.body.contains("Nodes and disks"), "{text:?}");
    let asked: Vec<bool> = engine
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|a| a.pressure)
        .collect();
    assert_eq!(asked, [false, true]);
}

#[tokio::test]
async fn whatever_is_asked_about_a_cluster_is_one_reading_of_azure() {
    let engine = FakeEngine::of_facts(firewalled());
    let router = router(engine.clone());
    let mut uris = vec![
        report_uri(&[]),
        report_uri(&[("destination", "a.com"), ("pattern", "persistent")]),
    ];
    for destination in ["mcr.microsoft.com", "8.8.8.8", "example.com:8443"] {
        for path in ["paths", "bypass-plan", "snat", "outbound-type"] {
            uris.push(uri(path, &[("destination", destination)]));
        }
        uris.push(uri(
            "outcome",
            &[("destination", destination), ("curlExitCode", "35")],
        ));
    }
    for uri in uris {
        assert_eq!(get(&router, &uri).await.status, 200, "{uri}");
    }
    assert_eq!(engine.runs(), 1);
}

#[tokio::test]
async fn a_destination_adds_its_trace_to_the_report_and_its_parts() {
    let router = router(FakeEngine::of_facts(denying()));
    for path in [
        "report",
        "snat",
        "endpoints",
        "nat-gateway",
        "outbound-type",
    ] {
        let without = get(&router, &uri(path, &[])).await.json();
        assert!(without.get("traces").is_none(), "{path}");
        let with = get(&router, &uri(path, &[("destination", "example.com")]))
            .await
            .json();
        assert_eq!(
            with["traces"][0]["destinations"][0]["host"], "example.com",
            "{path}"
        );
        assert_eq!(with["traces"][0]["paths"][0]["final"], "dropped");
        assert_eq!(with["cluster"], without["cluster"]);
    }
    let text = get(
        &router,
        &report_uri(&[("destination", "example.com"), ("format", "text")]),
    )
    .await;
    assert!(
        text.body.contains("To example.com:443/tcp"),
        "{}",
        text.body
    );
}

#[tokio::test]
async fn r0_1_the_pattern_ranks_next_steps_and_hides_none() {
    let router = router(FakeEngine::of_facts(denying()));
    let steps = async |more: &[(&str, &str)]| {
        let report = get(&router, &report_uri(more)).await.json();
        let steps = report["nextSteps"].as_array().unwrap().clone();
        assert!(!steps.is_empty());
        steps
    };
    let plain = steps(&[]).await;
    let intermittent = steps(&[("pattern", "intermittent")]).await;
    assert!(intermittent[0].as_str().unwrap().contains("kubectl top"));
    assert!(plain.iter().all(|step| intermittent.contains(step)));
    // Nobody else's report is changed by it.
    assert_eq!(steps(&[]).await, plain);
}

#[tokio::test]
async fn each_answer_has_its_schema() {
    let router = router(FakeEngine::of_facts(firewalled()));
    for (name, uri) in [
        ("report", report_uri(&[])),
        ("paths", uri("paths", &[])),
        ("outcome", uri("outcome", &[("httpStatus", "403")])),
        ("bypass-plan", uri("bypass-plan", &[])),
    ] {
        let schema = get(&router, &format!("/api/schemas/{name}.json")).await;
        assert_eq!(schema.header("content-type"), "application/schema+json");
        let schema = schema.json();
        let answer = get(&router, &uri).await.json();
        for field in answer.as_object().unwrap().keys() {
            assert!(!schema["properties"][field].is_null(), "{name}: {field}");
        }
    }
    let unknown = get(&router, "/api/schemas/nothing.json").await;
    assert!(unknown.problem(404, "notFound").contains("paths.json"));
}
