//! HTTP functions with further bindings: what the host says of a request, and what it gets back.

use serde_json::{Value, json};

use super::{ask, fetch, hosted, http, order, req};
use crate::http::tests::post_json;
use crate::jobs::ids::Ids;
use crate::testing::{CLUSTER, FakeEngine};

#[tokio::test]
async fn paths_count_as_the_host_matches_them() {
    let router = hosted(&FakeEngine::healthy());
    let (id, _) = order(&router, &ask()).await;
    for path in [
        format!("/API/Diagnoses/{id}"),
        format!("/api/diagnoses/{id}/"),
    ] {
        let mut request = req("GET", "", "");
        request["Url"] = json!(format!("https://egress.example.net{path}?format=text"));
        let outputs = http(&router, "diagnosis", request, None).await;
        assert_eq!(outputs["res"]["statusCode"], "202", "{path}");
    }
    for (name, path) in [
        ("diagnoses", "API/DIAGNOSES/"),
        ("fleet-sweep", "Api/Fleet"),
    ] {
        let fields = match name {
            "diagnoses" => ask(),
            _ => json!({"clusterIds": [CLUSTER]}),
        };
        let outputs = http(&router, name, req("POST", path, &fields.to_string()), None).await;
        assert_eq!(outputs["res"]["statusCode"], "202", "{path}");
    }
    // An id is no literal: of another case it is none.
    let upper = id.to_uppercase();
    assert_eq!(fetch(&router, &upper, "", None).await["statusCode"], "404");
}

/// The host fails an invocation that is answered with an error, and gives the caller a 500 of its own.
#[tokio::test]
async fn what_is_wrong_with_a_call_is_answered_through_the_hosts_output() {
    let router = hosted(&FakeEngine::healthy());
    let large = " ".repeat(64 * 1024 * 1024 + 1);
    let answer = post_json(&router, "/alerts", &large).await.json();
    let res = &answer["Outputs"]["res"];
    assert_eq!(res["statusCode"], "413", "{answer}");
    assert_eq!(res["headers"]["content-type"], "application/problem+json");
    let over = json!({"clusterId": CLUSTER, "x": "x".repeat(1024 * 1024)}).to_string();
    let outputs = http(&router, "diagnoses", req("POST", "diagnoses", &over), None).await;
    assert_eq!(outputs["res"]["statusCode"], "413");
    for wrong in [
        json!(null),
        json!({}),
        json!({"Url": "", "Method": "GET"}),
        json!({"Url": "https://h/", "Method": "A B"}),
    ] {
        let outputs = http(&router, "diagnosis", wrong, None).await;
        let body: Value = serde_json::from_str(outputs["res"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&outputs["res"]["statusCode"], &body["code"]),
            (&json!("400"), &json!("invalidRequest"))
        );
        assert_eq!(body["requestId"], outputs["res"]["headers"]["x-request-id"]);
    }
}

/// The route's constraint keeps from the host what it could not look for as a blob, and lets every id through.
#[test]
fn the_functions_route_takes_ids_of_just_this_length() {
    let folder = include_str!("../../../../../function-definitions/diagnosis/function.json");
    let folder: Value = serde_json::from_str(folder).unwrap();
    let id = Ids::new(None).issue(jiff::Timestamp::now());
    let length = id.as_str().len();
    let route = format!(r"diagnoses/{{id:length({length}):regex(^\w+$)}}");
    assert_eq!(folder["bindings"][0]["route"], route);
    assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn no_header_of_a_caller_gets_into_the_location() {
    let router = hosted(&FakeEngine::healthy());
    for host in ["evil\r\nSet-Cookie: a=b", "a/b", "a b", "", "h\"ost"] {
        let mut request = req("POST", "diagnoses", &ask().to_string());
        request["Headers"]["X-Forwarded-Host"] = json!([host]);
        let outputs = http(&router, "diagnoses", request, None).await;
        let location = outputs["res"]["headers"]["location"].as_str().unwrap();
        // A line break makes the header no header, so that the host's own counts.
        assert!(
            location.starts_with("/api/diagnoses/")
                || location.starts_with("https://egress.example.net/api/"),
            "{location}"
        );
    }
}

#[tokio::test]
async fn ids_that_nobody_got_are_not_found() {
    let router = hosted(&FakeEngine::healthy());
    let (id, _) = order(&router, &ask()).await;
    let mut forged = id.clone();
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    for id in [
        forged.as_str(),
        "x",
        "a b",
        "ä{b}",
        "..%2F..%2Fsecrets",
        &id.to_uppercase(),
    ] {
        let fetched = fetch(&router, id, "", None).await;
        assert_eq!(fetched["statusCode"], "404", "{id}");
    }
    let fetched = fetch(&router, &id, "?format=html", None).await;
    assert_eq!(fetched["statusCode"], "400");
    let fetched = fetch(&router, &id, "?window=PT1H", None).await;
    assert_eq!(fetched["statusCode"], "400");
}
