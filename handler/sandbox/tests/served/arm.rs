use serde_json::Value;

use crate::client::{API, cloud};

#[tokio::test]
async fn a_cluster_is_found_in_any_case_with_aks_spellings() {
    let cloud = cloud().await;
    let id = cloud.cluster_id("healthy-lb-overlay");
    let upper = id
        .to_uppercase()
        .replace("/SUBSCRIPTIONS/", "/Subscriptions/");
    let body = cloud.body(&format!("{upper}?{API}")).await;
    assert!(body["id"].as_str().unwrap().contains("/resourcegroups/"));
    assert_eq!(body["type"], "Microsoft.ContainerService/ManagedClusters");
    assert_eq!(
        body["properties"]["networkProfile"]["outboundType"],
        "loadBalancer"
    );
    assert_eq!(
        body["properties"]["networkProfile"]["networkPluginMode"],
        "overlay"
    );
    assert!(
        body["properties"]["agentPoolProfiles"][0]
            .get("vnetSubnetID")
            .is_none()
    );
}

#[tokio::test]
async fn lists_that_azure_pages_end_with_an_empty_page() {
    let cloud = cloud().await;
    let first = cloud
        .body(&format!(
            "{}/agentPools?{API}",
            cloud.cluster_id("healthy-lb-overlay")
        ))
        .await;
    assert_eq!(first["value"].as_array().unwrap().len(), 2);
    let second = cloud.body(first["nextLink"].as_str().unwrap()).await;
    assert_eq!(second, serde_json::json!({ "value": [] }));
}

#[tokio::test]
async fn a_filtered_resource_list_begins_with_an_empty_page() {
    let cloud = cloud().await;
    let group = cloud.node_group("healthy-lb-overlay").await;
    let filter = "$filter=resourceType%20eq%20'Microsoft.Network/loadBalancers'";
    let first = cloud
        .body(&format!("{group}/resources?{API}&{filter}"))
        .await;
    assert_eq!(first["value"], serde_json::json!([]));
    let second = cloud.body(first["nextLink"].as_str().unwrap()).await;
    assert_eq!(second["value"][0]["name"], "kubernetes");
    assert!(second.get("nextLink").is_none());
}

#[tokio::test]
async fn what_is_missing_is_a_404_that_names_it() {
    let cloud = cloud().await;
    let group = cloud.node_group("healthy-lb-overlay").await;
    let (status, body) = cloud
        .read(&format!(
            "{group}/providers/microsoft.network/NATGATEWAYS/none?{API}"
        ))
        .await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("ResourceNotFound"))
    );
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("The Resource 'Microsoft.Network/natGateways/none' under")
    );
    let subscription = group.split("/resourceGroups").next().unwrap();
    let (status, body) = cloud
        .read(&format!("{subscription}/resourceGroups/none?{API}"))
        .await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("ResourceGroupNotFound"))
    );
    let (status, body) = cloud
        .read(&format!(
            "{group}/providers/Microsoft.Network/virtualNetworks/none/subnets/a?{API}"
        ))
        .await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("ParentResourceNotFound"))
    );
    let (status, body) = cloud
        .read(&format!(
            "/subscriptions/11111111-1111-4111-8111-111111111111?{API}"
        ))
        .await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("SubscriptionNotFound"))
    );
}

#[tokio::test]
async fn the_api_version_is_required() {
    let cloud = cloud().await;
    let (status, body) = cloud.read(&cloud.cluster_id("healthy-lb-overlay")).await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (400, Some("MissingApiVersionParameter"))
    );
}

#[tokio::test]
async fn scale_set_nics_are_served_at_their_old_version_only() {
    let cloud = cloud().await;
    let group = cloud.node_group("healthy-lb-overlay").await;
    let sets = cloud
        .body(&format!(
            "{group}/providers/Microsoft.Compute/virtualMachineScaleSets?{API}"
        ))
        .await;
    let apps = &sets["value"][0];
    assert_eq!(apps["tags"]["aks-managed-poolName"], "apps");
    assert_eq!(apps["sku"]["capacity"], 3);
    let nics = format!("{}/networkInterfaces", apps["id"].as_str().unwrap());
    let body = cloud.body(&format!("{nics}?api-version=2018-10-01")).await;
    let address = |nic: &Value| {
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"].clone()
    };
    let addresses: Vec<Value> = body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(address)
        .collect();
    assert_eq!(addresses, ["10.224.0.4", "10.224.0.5", "10.224.0.6"]);
    let (status, body) = cloud.read(&format!("{nics}?{API}")).await;
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (404, Some("InvalidResourceType"))
    );
}

#[tokio::test]
async fn answers_carry_arm_headers_and_are_compressed_when_asked() {
    let cloud = cloud().await;
    let url = format!(
        "{}{}?{API}",
        cloud.sandbox.arm_endpoint(),
        cloud.cluster_id("healthy-lb-overlay")
    );
    // A client that decodes would take the header away.
    let certificate =
        reqwest::Certificate::from_pem(cloud.sandbox.certificate_pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([certificate])
        .no_gzip()
        .build()
        .unwrap();
    let request = client.get(url).bearer_auth(cloud.sandbox.token());
    let response = request
        .header("accept-encoding", "gzip")
        .header("x-ms-client-request-id", "mine")
        .send()
        .await
        .unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(header("content-encoding"), Some("gzip"));
    assert_eq!(header("x-ms-client-request-id"), Some("mine"));
    assert_eq!(
        header("x-ms-ratelimit-remaining-subscription-reads"),
        Some("249")
    );
    assert!(header("x-ms-request-id").is_some() && header("x-ms-correlation-request-id").is_some());
}

#[tokio::test]
async fn the_egress_endpoints_use_arms_categories() {
    let cloud = cloud().await;
    let id = cloud.cluster_id("healthy-lb-overlay");
    let body = cloud
        .body(&format!("{id}/OutboundNetworkDependenciesEndpoints?{API}"))
        .await;
    let categories: Vec<&str> = body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["category"].as_str().unwrap())
        .collect();
    let expected = [
        "azure-resource-management",
        "images",
        "artifacts",
        "time-sync",
        "ubuntu-optional",
        "apiserver",
    ];
    assert_eq!(categories, expected);
    assert_eq!(
        body["value"][3]["endpoints"][0]["endpointDetails"][0]["protocol"],
        "UDP"
    );
}

#[tokio::test]
async fn the_nsg_of_aks_sits_on_its_own_subnet_or_on_the_nics() {
    let cloud = cloud().await;
    for (scenario, on_nics) in [("healthy-lb-overlay", false), ("healthy-user-nat", true)] {
        let group = cloud.node_group(scenario).await;
        let compute = "providers/Microsoft.Compute/virtualMachineScaleSets";
        let sets = cloud.body(&format!("{group}/{compute}?{API}")).await;
        let profile = &sets["value"][0]["properties"]["virtualMachineProfile"]["networkProfile"];
        let nic = &profile["networkInterfaceConfigurations"][0]["properties"];
        assert_eq!(nic["networkSecurityGroup"]["id"].is_string(), on_nics);
        let subnet = nic["ipConfigurations"][0]["properties"]["subnet"]["id"]
            .as_str()
            .unwrap();
        let subnet = cloud.body(&format!("{subnet}?{API}")).await;
        assert_eq!(
            subnet["properties"]["networkSecurityGroup"]["id"].is_string(),
            !on_nics
        );
    }
}
