use serde_json::{Value, json};

use crate::client::{Cloud, case, cloud};

const HOUR: &str = "api-version=2024-02-01&timespan=2026-01-01T00:00:00Z/2026-01-01T01:00:00Z";

async fn balancer(cloud: &Cloud, scenario: &str) -> String {
    let group = cloud.node_group(scenario).await;
    format!(
        "{group}/providers/Microsoft.Network/loadBalancers/kubernetes/providers/Microsoft.Insights"
    )
}

fn series(body: &Value) -> &Vec<Value> {
    body["value"][0]["timeseries"].as_array().unwrap()
}

#[tokio::test]
async fn a_star_splits_and_an_equal_picks() {
    let cloud = cloud().await;
    let insights = balancer(&cloud, "snat-exhausted-one-node").await;
    let filter = "$filter=BackendIPAddress%20eq%20'*'%20and%20ProtocolType%20eq%20'TCP'";
    let query = format!(
        "{insights}/metrics?{HOUR}&metricnames=UsedSnatPorts&interval=PT1M&aggregation=average,maximum"
    );
    let body = cloud.body(&format!("{query}&{filter}")).await;
    assert_eq!(series(&body).len(), 5);
    let names: Vec<&Value> = series(&body)[0]["metadatavalues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"]["value"])
        .collect();
    assert_eq!(names, ["backendipaddress", "protocoltype"]);
    // apps come first in the subnet: .4, .5, .6; the second one is the exhausted node.
    let peaks: Vec<(&str, f64)> = series(&body)
        .iter()
        .map(|one| {
            let points = one["data"].as_array().unwrap();
            assert_eq!(points.len(), 60);
            let peak = points
                .iter()
                .map(|point| point["average"].as_f64().unwrap())
                .fold(0.0, f64::max);
            (one["metadatavalues"][0]["value"].as_str().unwrap(), peak)
        })
        .collect();
    assert!(peaks.contains(&("10.224.0.5", 1024.0)));
    assert_eq!(peaks.iter().filter(|(_, peak)| *peak > 100.0).count(), 1);
    let top = cloud
        .body(&format!("{query}&{filter}&top=2&orderby=maximum%20desc"))
        .await;
    assert_eq!(series(&top).len(), 2);
    assert_eq!(series(&top)[0]["metadatavalues"][0]["value"], "10.224.0.5");
}

#[tokio::test]
async fn grains_aggregate_their_minutes() {
    let cloud = case(
        r#"
        description = "x"
        pools.system.count = 1
        [[metrics]]
        of = "load_balancer"
        name = "SnatConnectionCount"
        dimensions.ConnectionState = "Failed"
        spike = { base = 0, peak = 10, ago = 30, minutes = 10 }
        "#,
    )
    .await;
    let insights = balancer(&cloud, "case").await;
    let query = format!(
        "{insights}/metrics?{HOUR}&metricnames=snatconnectioncount&$filter=ConnectionState%20eq%20'failed'&aggregation=Total,Average,Count,Minimum,Maximum"
    );
    let body = cloud.body(&format!("{query}&interval=PT15M")).await;
    let points = series(&body)[0]["data"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    assert_eq!(
        points[2],
        json!({ "timeStamp": "2026-01-01T00:30:00Z", "total": 100.0, "average": 100.0 / 15.0, "count": 15.0, "minimum": 0.0, "maximum": 10.0 })
    );
    assert_eq!(points[1]["total"], 0.0);
    let body = cloud.body(&format!("{query}&interval=FULL")).await;
    assert_eq!(series(&body)[0]["data"].as_array().unwrap().len(), 1);
    assert_eq!(series(&body)[0]["data"][0]["total"], 100.0);
}

#[tokio::test]
async fn a_gap_is_a_point_with_only_its_time() {
    let cloud = case(
        r#"
        description = "x"
        pools.system.count = 1
        [[metrics]]
        of = "load_balancer"
        name = "VipAvailability"
        constant = 100
        gap = { ago = 10, minutes = 5 }
        "#,
    )
    .await;
    let insights = balancer(&cloud, "case").await;
    let body = cloud
        .body(&format!(
            "{insights}/metrics?{HOUR}&metricnames=VipAvailability"
        ))
        .await;
    let points = series(&body)[0]["data"].as_array().unwrap();
    let gaps: Vec<&Value> = points
        .iter()
        .filter(|point| point.get("average").is_none())
        .collect();
    assert_eq!(gaps.len(), 5);
    assert_eq!(gaps[0], &json!({ "timeStamp": "2026-01-01T00:50:00Z" }));
    assert_eq!(gaps[4], &json!({ "timeStamp": "2026-01-01T00:54:00Z" }));
}

#[tokio::test]
async fn a_ramp_runs_from_start_to_end() {
    let cloud = case(
        r#"
        description = "x"
        pools.system.count = 1
        [[metrics]]
        of = "load_balancer"
        name = "VipAvailability"
        ramp = { from = 0, to = 59 }
        "#,
    )
    .await;
    let insights = balancer(&cloud, "case").await;
    let body = cloud
        .body(&format!(
            "{insights}/metrics?{HOUR}&metricnames=VipAvailability"
        ))
        .await;
    let points = series(&body)[0]["data"].as_array().unwrap();
    let values: Vec<f64> = points
        .iter()
        .map(|point| point["average"].as_f64().unwrap().round())
        .collect();
    assert_eq!(values, (0..60).map(f64::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn no_data_is_an_empty_list_of_series() {
    let cloud = cloud().await;
    let insights = balancer(&cloud, "no-traffic-seen").await;
    let body = cloud
        .body(&format!(
            "{insights}/metrics?{HOUR}&metricnames=UsedSnatPorts"
        ))
        .await;
    assert_eq!(body["value"][0]["timeseries"], json!([]));
    assert_eq!(body["value"][0]["errorCode"], "Success");
}

#[tokio::test]
async fn bad_queries_are_flat_400s() {
    let cloud = cloud().await;
    let insights = balancer(&cloud, "healthy-lb-overlay").await;
    let refused = async |query: &str| {
        let (status, body) = cloud
            .read(&format!("{insights}/metrics?{HOUR}&{query}"))
            .await;
        assert_eq!(
            (status, body["code"].as_str()),
            (400, Some("BadRequest")),
            "{query}: {body}"
        );
        body["message"].as_str().unwrap().to_owned()
    };
    let unknown = refused("metricnames=Nonsense").await;
    assert!(unknown.starts_with(
        "Failed to find metric configuration for provider: Microsoft.Network, resource Type: loadBalancers, metric: Nonsense, Valid metrics: "
    ));
    assert!(unknown.contains("UsedSnatPorts"));
    assert!(
        refused("metricnames=UsedSnatPorts&$filter=Nonsense%20eq%20'*'")
            .await
            .contains("Nonsense")
    );
    assert!(
        refused("metricnames=UsedSnatPorts&top=3")
            .await
            .contains("filter")
    );
    assert!(
        refused("metricnames=UsedSnatPorts&interval=PT7M")
            .await
            .contains("PT7M")
    );
    assert!(
        refused("metricnames=UsedSnatPorts&aggregation=median")
            .await
            .contains("median")
    );
    let names = vec!["UsedSnatPorts"; 21].join(",");
    assert!(
        refused(&format!("metricnames={names}"))
            .await
            .contains("20")
    );
}

#[tokio::test]
async fn an_unknown_dimension_is_ignored_when_told_so() {
    let cloud = cloud().await;
    let insights = balancer(&cloud, "healthy-lb-overlay").await;
    let query = "metricnames=UsedSnatPorts&$filter=Nonsense%20eq%20'*'&ValidateDimensions=false&AutoAdjustTimegrain=true&interval=PT7M";
    let body = cloud
        .body(&format!("{insights}/metrics?{HOUR}&{query}"))
        .await;
    assert_eq!(series(&body).len(), 1);
    assert_eq!(body["interval"], "PT15M");
}

#[tokio::test]
async fn definitions_name_the_dimensions() {
    let cloud = cloud().await;
    let insights = balancer(&cloud, "healthy-lb-overlay").await;
    let body = cloud
        .body(&format!(
            "{insights}/metricDefinitions?api-version=2024-02-01"
        ))
        .await;
    let snat = body["value"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"]["value"] == "SnatConnectionCount")
        .unwrap();
    assert_eq!(snat["primaryAggregationType"], "Total");
    assert_eq!(snat["dimensions"][2]["value"], "ConnectionState");
}
