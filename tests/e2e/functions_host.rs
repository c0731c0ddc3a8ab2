//! The handler under an emulated Functions host: `host.json` and the function folders load under the host's rules, and
//! the built binary is driven over a socket the way the host does.

mod host_contract;
mod host_life;
mod host_package;

use std::path::{Path, PathBuf};

use egress_tests::host::{App, Call, Event, Host, start};
use egress_tests::package;

fn repository() -> &'static Path {
    // This file is a test target of `handler/server`.
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The application as the package lays it out, in a folder of the test's own.
fn app_root(test: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("functions-host")
        .join(test);
    package::lay_out(
        repository(),
        Path::new(env!("CARGO_BIN_EXE_handler")),
        &root,
    );
    root
}

async fn host(test: &str) -> Host {
    start(&app_root(test)).await
}

const STOPPED: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                       Microsoft.Compute/virtualMachines/vm";

const CLUSTER: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/shop";

#[tokio::test]
async fn the_host_reaches_the_handler_and_keys_guard_all_but_health() {
    let host = host("reach").await;
    let health = host.call(Call::get("/api/health").without_key()).await;
    assert_eq!(health.status, 200);
    assert!(health.from_handler);
    assert_eq!(
        host.call(Call::get("/api/findings").without_key())
            .await
            .status,
        401
    );
    assert_eq!(host.call(Call::get("/api/findings")).await.status, 200);
    assert_eq!(
        host.call(Call::get("/api/findings/NAT101")).await.status,
        200
    );
    assert_eq!(host.call(Call::get("/api/nothing")).await.status, 404);
}

/// Each function's route leads to a route of the handler, so that no folder stands for nothing.
#[tokio::test]
async fn every_function_reaches_a_route_of_the_handler() {
    let host = host("routes").await;
    let app = App::load(&app_root("routes-loaded")).unwrap();
    for function in app.functions.iter().filter(|function| function.forwarded) {
        let path = function.http().route.replace("{code?}", "NAT101");
        let path = path.replace("{file}", "paths.json");
        let answer = host.call(Call::get(&format!("/api/{path}"))).await;
        assert!(answer.from_handler, "{}", function.name);
        assert_ne!(answer.status, 404, "{}", function.name);
        assert_ne!(answer.status, 405, "{}", function.name);
    }
}

/// What else the host calls has its function in the handler, which from outside cannot be reached.
#[tokio::test]
async fn every_other_function_is_called_by_its_name_and_by_nobody_else() {
    let host = host("functions").await;
    let others: Vec<_> = host
        .app()
        .functions
        .iter()
        .filter(|f| !f.forwarded)
        .cloned()
        .collect();
    assert!(!others.is_empty());
    for function in others {
        let trigger = function.trigger();
        let why = if let Some(http) = &function.http {
            let method = http.methods.first().cloned().unwrap_or_default();
            let route = host_contract::without_constraints(&http.route);
            let path = format!("/api/{}", route.replace("{id}", &"0".repeat(56)));
            let answer = host
                .call(Call {
                    method,
                    ..Call::get(&path)
                })
                .await;
            assert!(answer.from_handler, "{}", function.name);
            assert_ne!(answer.status, 405, "{}", function.name);
            format!(
                "{} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
        } else if trigger.is("timerTrigger") {
            format!("{:?}", host.fire(&function.name).await)
        } else {
            let queue = trigger.text("queueName", &[]).unwrap_or_default();
            host.storage().put(&queue, "not ours", true);
            format!("{:?}", host.deliver(&queue).await)
        };
        assert!(
            !why.contains("there is no route"),
            "{}: {why}",
            function.name
        );
        for path in [function.name.clone(), format!("api/{}", function.name)] {
            let outside = host.call(Call::post(&format!("/{path}"), "{}")).await;
            let is_its_own_route = function
                .http
                .as_ref()
                .is_some_and(|h| path.ends_with(&h.route));
            assert!(is_its_own_route || !outside.from_handler, "{path}");
        }
    }
}

#[tokio::test]
async fn a_destination_arrives_as_it_was_written() {
    let host = host("destination").await;
    for (destination, wrong) in [
        ("https://mcr.microsoft.com/v2/", "the host alone"),
        ("[2001:db8::1]:0/udp", "1 to 65535"),
        ("a b.example", "blank"),
    ] {
        let call = Call::get("/api/egress/paths")
            .query("clusterId", CLUSTER)
            .query("destination", destination);
        let answer = host.call(call).await;
        assert_eq!(answer.status, 400, "{destination}");
        let problem = answer.json();
        assert_eq!(problem["field"], "destination");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(wrong), "{destination}: {detail}");
    }
    let nothing = host
        .call(Call::get("/api/egress/outcome").query("clusterId", CLUSTER))
        .await;
    assert_eq!(
        (nothing.status, nothing.json()["field"].as_str()),
        (400, Some("curlExitCode"))
    );
}

#[tokio::test]
async fn literal_segments_match_in_any_case() {
    let host = host("case").await;
    let answer = host
        .call(Call::get("/API/Egress/REPORT").query("clusterId", STOPPED))
        .await;
    assert!(answer.from_handler);
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("invalidClusterId"))
    );
    assert_eq!(host.call(Call::get("/api/HEALTH")).await.status, 200);
}

#[tokio::test]
async fn a_doubled_query_key_arrives_comma_joined_and_is_refused() {
    let host = host("doubled").await;
    let answer = host
        .call(
            Call::get("/api/egress/report")
                .query("clusterId", "a")
                .query("CLUSTERID", "b"),
        )
        .await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("invalidClusterId"))
    );
}

#[tokio::test]
async fn the_function_key_in_the_query_is_not_an_unknown_field() {
    let host = host("code").await;
    let call = Call::get("/api/egress/report")
        .without_key()
        .query("code", egress_tests::host::FUNCTION_KEY);
    let answer = host.call(call).await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("invalidClusterId")),
        "clusterId is missing"
    );
}

#[tokio::test]
async fn the_invocation_id_is_the_request_id_in_header_body_and_log() {
    let host = host("invocation").await;
    let answer = host
        .call(
            Call::get("/api/egress/report").header("X-Azure-Functions-InvocationId", "client-made"),
        )
        .await;
    let id = answer
        .header("x-request-id")
        .expect("a request id")
        .to_owned();
    assert!(
        id.starts_with("5d0f6a0e-"),
        "the host's id is the last of the two: {id}"
    );
    assert_eq!(answer.json()["requestId"].as_str(), Some(id.as_str()));
    // The line is written before the answer is; only the pipe may lag.
    while !host
        .process()
        .stdout()
        .iter()
        .any(|line| line.contains(&id))
    {
        tokio::task::yield_now().await;
    }
    for line in host.process().stdout() {
        serde_json::from_str::<serde_json::Value>(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[tokio::test]
async fn a_body_with_a_lost_content_encoding_is_a_clear_400() {
    let host = host("gzip").await;
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    let answer = host
        .call(Call::post("/api/egress/report", gzip).header("Content-Encoding", "gzip"))
        .await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (400, Some("invalidRequest"))
    );
}

#[tokio::test]
async fn a_killed_handler_is_back_on_the_same_port_and_the_third_kill_stops_the_host() {
    let host = host("killed").await;
    let (port, pid) = (host.process().port(), host.process().pid());
    for _ in 0..2 {
        host.process().kill().await.unwrap();
        assert_eq!(host.process().port(), port);
        assert_eq!(host.call(Call::get("/api/health")).await.status, 200);
    }
    assert_ne!(host.process().pid(), pid);
    assert!(host.process().kill().await.is_err());
    assert_eq!(host.process().events().last(), Some(&Event::Stopped));
}

#[tokio::test]
async fn normal_work_writes_nothing_to_stderr() {
    let host = host("stderr").await;
    for path in [
        "/api/health",
        "/api/findings",
        "/api/egress/report",
        "/api/nothing",
    ] {
        host.call(Call::get(path)).await;
    }
    assert_eq!(host.process().stderr(), Vec::<String>::new());
}
