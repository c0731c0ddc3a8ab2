use std::time::Duration;

use crate::client::{API, case, cloud};

#[tokio::test]
async fn a_group_without_rights_gives_the_full_text_of_azure() {
    let cloud = cloud().await;
    let group = cloud.node_group("no-rights-on-node-rg").await;
    let id = format!("{group}/providers/Microsoft.Network/loadBalancers/kubernetes");
    let (status, body) = cloud.read(&format!("{id}?{API}")).await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (403, Some("AuthorizationFailed"))
    );
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("The client '") && message.contains("' with object id '"),
        "{message}"
    );
    assert!(message.contains(&format!(
        "' does not have authorization to perform action 'Microsoft.Network/loadBalancers/read' over scope '{id}' or the scope is invalid."
    )));
    // What does not exist is denied all the same.
    let (status, _) = cloud
        .read(&format!(
            "{group}/providers/Microsoft.Network/natGateways/none?{API}"
        ))
        .await;
    assert_eq!(status, 403);
    let (status, body) = cloud
        .read(&format!("{id}/providers/Microsoft.Insights/metrics?{API}"))
        .await;
    assert_eq!(status, 403);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("'Microsoft.Insights/metrics/read'")
    );
    let (status, _) = cloud
        .read(&format!(
            "{}/agentPools?{API}",
            cloud.cluster_id("no-rights-on-node-rg")
        ))
        .await;
    assert_eq!(status, 200);
    let subscription = group.split("/resourceGroups").next().unwrap();
    let all = cloud
        .body(&format!(
            "{subscription}/providers/Microsoft.Network/loadBalancers?{API}"
        ))
        .await;
    assert!(
        !all.to_string()
            .to_lowercase()
            .contains(&group.to_lowercase())
    );
}

#[tokio::test]
async fn throttling_strikes_once_per_path() {
    let cloud = cloud().await;
    let path = format!("{}/agentPools?{API}", cloud.cluster_id("throttled"));
    let first = cloud.get(&path).await;
    assert_eq!(first.status(), 429);
    assert_eq!(first.headers().get("retry-after").unwrap(), "1");
    assert_eq!(cloud.get(&path).await.status(), 200);
    cloud.sandbox.reset_log();
    assert_eq!(cloud.get(&path).await.status(), 429);
}

#[tokio::test]
async fn errors_truncation_and_delays() {
    let cloud = case(
        r#"
        description = "x"
        pools.system.count = 1
        [[faults]]
        path = "/loadBalancers"
        status = 500
        times = 2
        [[faults]]
        path = "/virtualNetworks"
        truncate = true
        [[faults]]
        path = "/agentPools"
        delay_ms = 60000
        "#,
    )
    .await;
    let group = cloud.node_group("case").await;
    let balancers = format!("{group}/providers/Microsoft.Network/loadBalancers?{API}");
    for expected in [500, 500, 200] {
        assert_eq!(cloud.get(&balancers).await.status(), expected);
    }
    let cut = cloud
        .get(&format!(
            "{group}/providers/Microsoft.Network/virtualNetworks?{API}"
        ))
        .await;
    assert_eq!(cut.status(), 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&cut.bytes().await.unwrap()).is_err());
    let url = format!(
        "{}{}/agentPools?{API}",
        cloud.sandbox.arm_endpoint(),
        cloud.cluster_id("case")
    );
    let late = cloud
        .client
        .get(url)
        .bearer_auth(cloud.sandbox.token())
        .timeout(Duration::from_millis(50));
    assert!(late.send().await.unwrap_err().is_timeout());
}
