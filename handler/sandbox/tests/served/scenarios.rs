use std::collections::BTreeSet;

use egress_sandbox::{Error, Options, Sandbox, Scenarios};
use serde_json::Value;

use crate::client::{API, Cloud, cloud};

#[tokio::test]
async fn every_cluster_is_served() {
    let cloud = cloud().await;
    assert!(cloud.sandbox.clusters().len() >= 24);
    for cluster in cloud.sandbox.clusters() {
        let body = cloud.body(&format!("{}?{API}", cluster.id)).await;
        assert!(
            body["id"]
                .as_str()
                .unwrap()
                .eq_ignore_ascii_case(&cluster.id)
        );
        assert!(!cluster.description.is_empty());
    }
}

fn strings<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => {
            found.insert(text);
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

fn own_ids(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| own_ids(item, found)),
        Value::Object(fields) => {
            // An object with an id and a name is the thing itself, not a reference to it.
            if let (Some(id), Some(_)) =
                (fields.get("id").and_then(Value::as_str), fields.get("name"))
            {
                found.insert(id.to_lowercase());
            }
            fields.values().for_each(|field| own_ids(field, found));
        }
        _ => {}
    }
}

/// Every body the sandbox serves, read over the wire.
async fn all_bodies(cloud: &Cloud) -> Vec<Value> {
    let subscriptions = cloud.body(&format!("/subscriptions?{API}")).await;
    let subscription = subscriptions["value"][0]["id"].as_str().unwrap().to_owned();
    let groups = cloud
        .body(&format!("{subscription}/resourceGroups?{API}"))
        .await;
    let mut bodies = vec![groups.clone()];
    for group in groups["value"].as_array().unwrap() {
        let group = group["id"].as_str().unwrap();
        let response = cloud.get(&format!("{group}/resources?{API}")).await;
        if response.status() == 403 {
            continue;
        }
        let list: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        for resource in list["value"].as_array().unwrap() {
            let id = resource["id"].as_str().unwrap();
            let mut response = cloud.get(&format!("{id}?{API}")).await;
            if response.status() == 429 {
                response = cloud.get(&format!("{id}?{API}")).await;
            }
            assert_eq!(response.status(), 200, "{id}");
            bodies.push(serde_json::from_slice(&response.bytes().await.unwrap()).unwrap());
            for child in children(resource["type"].as_str().unwrap()) {
                let mut path = format!("{id}/{child}");
                while !path.is_empty() {
                    let separator = if path.contains('?') {
                        ""
                    } else {
                        "?api-version=2018-10-01"
                    };
                    let (status, body) = cloud.read(&format!("{path}{separator}")).await;
                    if status != 429 {
                        body["nextLink"]
                            .as_str()
                            .unwrap_or_default()
                            .clone_into(&mut path);
                        bodies.push(body);
                    }
                }
            }
        }
    }
    bodies
}

fn children(kind: &str) -> &'static [&'static str] {
    match kind.to_lowercase().as_str() {
        "microsoft.containerservice/managedclusters" => &["agentPools"],
        "microsoft.compute/virtualmachinescalesets" => {
            &["networkInterfaces", "publicIPAddresses", "virtualMachines"]
        }
        "microsoft.network/firewallpolicies" => &["ruleCollectionGroups"],
        "microsoft.network/virtualnetworks" => &["subnets"],
        _ => &[],
    }
}

#[tokio::test]
async fn no_reference_dangles_but_to_what_was_deleted_or_denied() {
    let cloud = cloud().await;
    let bodies = all_bodies(&cloud).await;
    let mut known = BTreeSet::new();
    let mut referenced = BTreeSet::new();
    for body in &bodies {
        own_ids(body, &mut known);
        strings(body, &mut referenced);
    }
    let dangling: Vec<&str> = referenced
        .into_iter()
        .filter(|text| text.starts_with("/subscriptions/") && text.contains("/providers/"))
        .filter(|id| !known.contains(&id.to_lowercase()))
        .filter(|id| !id.contains("no-rights-on-node-rg"))
        .collect();
    assert_eq!(dangling.len(), 1, "{dangling:#?}");
    assert!(dangling[0].ends_with("/publicIPAddresses/pip-outbound"));
}

async fn refusal(text: &str) -> String {
    let scenarios = Scenarios::List(vec![("case".into(), text.into())]);
    let started = Sandbox::start(Options {
        scenarios,
        ..Options::default()
    })
    .await;
    match started {
        Err(error @ Error::Scenario { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unclear_scenario_is_refused_with_file_key_and_fix() {
    let unknown = refusal("description = 'x'\ncolour = 'red'\n[pools.system]").await;
    assert!(
        unknown.contains("case")
            && unknown.contains("colour")
            && unknown.contains("expected one of"),
        "{unknown}"
    );
    let cases = [
        ("[pools]", "`pools`", "[pools.system]"),
        ("expect = 'fine'\n[pools.system]", "`expect`", "healthy"),
        (
            "[pools.a]\nsubnet = 'v/s'",
            "`pools.a.subnet`",
            "[networks.",
        ),
        (
            "load_balancer.ips = ['pip']\n[pools.a]",
            "`load_balancer.ips`",
            "[public_ips.pip]",
        ),
        ("deleted = ['pip']\n[pools.a]", "`deleted`", "public_ips/"),
        (
            "[pools.a]\n[[faults]]\npath = '/x'",
            "`faults[0]`",
            "exactly one",
        ),
        (
            "[pools.a]\n[[faults]]\ngroup = 'g'\ndeny = true",
            "`faults[0].group`",
            "node",
        ),
        (
            "[pools.a]\n[[metrics]]\nof = 'load_balancer'\nname = 'Nope'\nconstant = 1",
            "`metrics[0].name`",
            "UsedSnatPorts",
        ),
        (
            "[pools.a]\n[[metrics]]\nof = 'load_balancer'\nname = 'UsedSnatPorts'",
            "`metrics[0]`",
            "exactly one",
        ),
        (
            "[pools.a]\n[[metrics]]\nof = 'load_balancer'\nname = 'UsedSnatPorts'\nnode = 'a/9'\nconstant = 1",
            "`metrics[0].node`",
            "a/0",
        ),
    ];
    for (text, key, fix) in cases {
        let message = refusal(&format!("description = 'x'\n{text}")).await;
        assert!(
            message.contains("case") && message.contains(key) && message.contains(fix),
            "{text}: {message}"
        );
    }
}

#[tokio::test]
async fn two_scenarios_may_not_share_a_group() {
    let text = "description = 'x'\ncluster.resource_group = 'rg-same'\n[pools.a]".to_owned();
    let scenarios = Scenarios::List(vec![("one".into(), text.clone()), ("two".into(), text)]);
    let started = Sandbox::start(Options {
        scenarios,
        ..Options::default()
    })
    .await;
    assert!(
        started
            .unwrap_err()
            .to_string()
            .contains("`rg-same` belongs to another scenario")
    );
}

#[tokio::test]
async fn a_folder_of_scenarios_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let sandbox = Sandbox::start(Options {
        scenarios: Scenarios::Dir(folder.into()),
        ..Options::default()
    })
    .await
    .unwrap();
    assert!(sandbox.cluster("healthy-lb-overlay").is_some());
}

#[tokio::test]
async fn the_demo_is_a_nat_gateway_missing_on_one_of_two_subnets() {
    let cloud = cloud().await;
    let cluster = cloud
        .body(&format!(
            "{}?{API}",
            cloud.cluster_id("nat-missing-on-one-subnet")
        ))
        .await;
    assert_eq!(
        cluster["properties"]["networkProfile"]["outboundType"],
        "userAssignedNATGateway"
    );
    let mut gateways = Vec::new();
    for pool in cluster["properties"]["agentPoolProfiles"]
        .as_array()
        .unwrap()
    {
        let subnet = cloud
            .body(&format!("{}?{API}", pool["vnetSubnetID"].as_str().unwrap()))
            .await;
        gateways.push((
            pool["name"].clone(),
            subnet["properties"]["natGateway"]["id"].is_string(),
        ));
    }
    assert_eq!(gateways, [("apps".into(), false), ("system".into(), true)]);
}
