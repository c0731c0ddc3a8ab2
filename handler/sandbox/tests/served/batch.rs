//! The metrics data plane.

use serde_json::{Value, json};

use crate::client::{Cloud, case};

const POOLS: &str = r#"
description = "x"
[pools.system]
count = 2
[pools.apps]
count = 1

[[metrics]]
of = "pools/apps"
name = "OS Disk Queue Depth"
constant = 7

[[metrics]]
of = "pools/system"
name = "OS Disk Queue Depth"
constant = 2
"#;
const NAMESPACE: &str = "metricnamespace=Microsoft.Compute/virtualMachineScaleSets";
const HOUR: &str =
    "api-version=2024-02-01&starttime=2026-01-01T00:00:00Z&endtime=2026-01-01T01:00:00Z";

async fn scale_sets(cloud: &Cloud) -> Vec<String> {
    let group = cloud.node_group("case").await;
    let list = format!(
        "{group}/providers/Microsoft.Compute/virtualMachineScaleSets?api-version=2026-04-01"
    );
    let body = cloud.body(&list).await;
    let sets = body["value"].as_array().unwrap().iter();
    sets.map(|set| set["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn post(cloud: &Cloud, token: &str, query: &str, body: &Value) -> (u16, Value) {
    let subscription = cloud.cluster_id("case");
    let subscription = subscription.split('/').nth(2).unwrap();
    let url = format!(
        "{}/subscriptions/{subscription}/metrics:getBatch?{query}",
        cloud.sandbox.metrics_endpoint()
    );
    let request = cloud.client.post(url).bearer_auth(token);
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    )
}

async fn asked(cloud: &Cloud, query: &str, ids: &[String]) -> (u16, Value) {
    let token = cloud.sandbox.token();
    post(cloud, &token, query, &json!({ "resourceids": ids })).await
}

/// A token for one audience, from the identity endpoint.
async fn token_for(cloud: &Cloud, audience: &str) -> String {
    let url = format!(
        "{}?api-version=2019-08-01&resource={audience}",
        cloud.sandbox.identity_endpoint()
    );
    let request = cloud.client.get(url);
    let request = request.header("X-IDENTITY-HEADER", cloud.sandbox.identity_header());
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&answer).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_resource_has_its_own_answer() {
    let cloud = case(POOLS).await;
    let ids = scale_sets(&cloud).await;
    let query = format!(
        "{HOUR}&{NAMESPACE}&metricnames=OS%20Disk%20Queue%20Depth&interval=PT15M&aggregation=average&filter=VMName%20eq%20'*'&top=5"
    );
    let (status, body) = asked(&cloud, &query, &ids).await;
    assert_eq!(status, 200, "{body}");
    let values = body["values"].as_array().unwrap();
    let told: Vec<(String, usize, f64)> = values
        .iter()
        .map(|one| {
            let series = one["value"][0]["timeseries"].as_array().unwrap();
            assert_eq!(series[0]["data"].as_array().unwrap().len(), 4);
            assert_eq!(one["starttime"], "2026-01-01T00:00:00Z");
            assert_eq!(one["interval"], "PT15M");
            let id = one["resourceid"].as_str().unwrap().to_owned();
            let first = series[0]["data"][0]["average"].as_f64().unwrap();
            (id, series.len(), first)
        })
        .collect();
    assert_eq!(told.len(), 2);
    for (id, series, value) in told {
        let expected = if id.contains("apps") {
            (1, 7.0)
        } else {
            (2, 2.0)
        };
        assert_eq!((series, value), expected, "{id}");
    }
}

#[tokio::test]
async fn a_token_is_for_one_of_both_planes() {
    let cloud = case(POOLS).await;
    let ids = json!({ "resourceids": scale_sets(&cloud).await });
    let query = format!("{HOUR}&{NAMESPACE}&metricnames=Percentage%20CPU");
    let metrics = token_for(&cloud, "https://metrics.monitor.azure.com").await;
    let arm = token_for(&cloud, "https://management.azure.com").await;
    assert_eq!(post(&cloud, &metrics, &query, &ids).await.0, 200);
    let (status, body) = post(&cloud, &arm, &query, &ids).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("InvalidAuthenticationTokenAudience"))
    );
    let url = format!(
        "{}/subscriptions?api-version=2022-12-01",
        cloud.sandbox.arm_endpoint()
    );
    let answer = cloud.client.get(url).bearer_auth(metrics).send().await;
    assert_eq!(answer.unwrap().status(), 401);
}

#[tokio::test]
async fn what_the_service_does_not_take_is_refused() {
    let cloud = case(POOLS).await;
    let ids = scale_sets(&cloud).await;
    let cpu = "metricnames=Percentage%20CPU";
    let balancer = ids[0].replace(
        "Microsoft.Compute/virtualMachineScaleSets",
        "Microsoft.Network/loadBalancers",
    );
    let balancer = format!("{}/kubernetes", balancer.rsplit_once('/').unwrap().0);
    let elsewhere = ids[0].replace(
        ids[0].split('/').nth(2).unwrap(),
        "00000000-0000-4000-8000-0000000000ff",
    );
    let gone = format!("{}x", ids[0]);
    let whole = format!("{HOUR}&{NAMESPACE}&{cpu}");
    for (what, query, ids, refused) in [
        ("none", whole.clone(), vec![], 400),
        ("too many", whole.clone(), vec![ids[0].clone(); 51], 400),
        (
            "another type",
            whole.clone(),
            vec![ids[0].clone(), balancer],
            400,
        ),
        ("another subscription", whole.clone(), vec![elsewhere], 400),
        ("one that is gone", whole.clone(), vec![gone], 404),
        ("no namespace", format!("{HOUR}&{cpu}"), ids.clone(), 400),
        (
            "an unknown metric",
            format!("{HOUR}&{NAMESPACE}&metricnames=Nope"),
            ids.clone(),
            400,
        ),
        (
            "a dimension that it lacks",
            format!("{whole}&filter=Pool%20eq%20'*'"),
            ids.clone(),
            400,
        ),
        (
            "Resource Manager's spelling",
            format!("{whole}&%24filter=VMName%20eq%20'*'"),
            ids.clone(),
            400,
        ),
        (
            "a version that it does not know",
            format!("api-version=2018-01-01&{NAMESPACE}&{cpu}"),
            ids.clone(),
            400,
        ),
    ] {
        let (status, body) = asked(&cloud, &query, &ids).await;
        assert_eq!(status, refused, "{what}: {body}");
        assert!(body["error"]["code"].is_string(), "{what}: {body}");
    }
    let (status, _) = post(&cloud, &cloud.sandbox.token(), &whole, &json!([])).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn one_resource_whose_metrics_are_denied_denies_all() {
    let denied = format!(
        "{POOLS}\n[[faults]]\npath = \"/virtualMachineScaleSets/aks-apps\"\nends = \"/Microsoft.Insights/metrics\"\ndeny = true\n"
    );
    let cloud = case(&denied).await;
    let ids = scale_sets(&cloud).await;
    let query = format!("{HOUR}&{NAMESPACE}&metricnames=Percentage%20CPU");
    let (status, body) = asked(&cloud, &query, &ids).await;
    assert_eq!(status, 403);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("Microsoft.Insights/metrics/read"));
    assert!(message.contains("aks-apps"), "{message}");
    let others: Vec<String> = ids
        .into_iter()
        .filter(|id| !id.contains("aks-apps"))
        .collect();
    assert_eq!(asked(&cloud, &query, &others).await.0, 200);
}
