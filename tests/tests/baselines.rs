//! A healthy cluster of every shape, as the reviewed reports show it: nothing is raised above `info`, and nothing is
//! dropped.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The reviewed report of a scenario.
fn report(scenario: &str) -> Value {
    let file = format!("snapshots/{scenario}.report.snap");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{scenario}: {error}"));
    let body = text.splitn(3, "---\n").nth(2).expect("a report");
    serde_json::from_str(body).expect("a report")
}

fn every<'r>(report: &'r Value, list: &str, member: &'r str) -> Vec<&'r Value> {
    let items = report.pointer(list).and_then(Value::as_array);
    let items = items.expect("a list").iter();
    items.map(|item| &item[member]).collect()
}

fn pools<'r>(report: &'r Value, member: &'r str) -> Vec<&'r Value> {
    every(report, "/cluster/nodePools", member)
}

/// The declared outbound type, and what carries every path.
fn carried(report: &Value, declared: &str, method: &str) -> bool {
    report["outbound"]["declaredType"] == declared
        && every(report, "/outbound/paths", "method")
            .iter()
            .all(|m| *m == method)
}

fn firewall_in(report: &Value, part: &str) -> bool {
    let endpoint = every(report, "/outbound/paths", "device");
    carried(report, "userDefinedRouting", "azureFirewall")
        && endpoint
            .iter()
            .all(|device| device["id"].as_str().is_some_and(|id| id.contains(part)))
}

fn plugin(report: &Value, plugin: &str, mode: &Value) -> bool {
    report["cluster"]["networkPlugin"] == plugin && report["cluster"]["networkPluginMode"] == *mode
}

fn balancer_steps(report: &Value) -> bool {
    report.to_string().contains("load balancer ilb-")
}

/// A shape: its name, the scenario, and what shows that the scenario is of it.
type Shape = (&'static str, &'static str, fn(&Value) -> bool);

const SHAPES: &[Shape] = &[
    ("load balancer", "healthy-lb-overlay", |r| {
        carried(r, "loadBalancer", "loadBalancer")
    }),
    ("managed NAT gateway", "healthy-managed-nat", |r| {
        carried(r, "managedNATGateway", "natGateway")
    }),
    ("own NAT gateway", "healthy-user-nat", |r| {
        carried(r, "userAssignedNATGateway", "natGateway")
    }),
    ("firewall in the network", "healthy-udr-own-vnet", |r| {
        firewall_in(r, "/azureFirewalls/fw")
    }),
    ("firewall in a peered hub", "healthy-udr-firewall", |r| {
        firewall_in(r, "/azureFirewalls/fw-hub")
    }),
    (
        "firewall of a secured hub",
        "udr-firewall-secured-hub",
        |r| firewall_in(r, "/azureFirewalls/fw-secured-hub"),
    ),
    ("appliance", "udr-nva", |r| {
        carried(r, "userDefinedRouting", "virtualAppliance")
    }),
    ("internal load balancer", "udr-nva-pair", |r| {
        carried(r, "userDefinedRouting", "virtualAppliance") && balancer_steps(r)
    }),
    ("none", "healthy-none-managed-network", |r| {
        r["outbound"]["declaredType"] == "none"
    }),
    ("block", "healthy-block", |r| {
        r["outbound"]["declaredType"] == "block"
    }),
    ("kubenet", "healthy-kubenet", |r| {
        plugin(r, "kubenet", &Value::Null)
    }),
    ("overlay", "healthy-lb-overlay", |r| {
        plugin(r, "azure", &Value::from("overlay"))
    }),
    ("pod subnet", "healthy-pod-subnet", |r| {
        pools(r, "podSubnetId").iter().any(|id| id.is_string())
    }),
    ("private", "healthy-private-cluster", |r| {
        r["cluster"]["privateCluster"] == true
    }),
    (
        "API server in the network",
        "healthy-api-vnet-integration",
        |_| {
            let file = "scenarios/healthy-api-vnet-integration.toml";
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            fs::read_to_string(path).is_ok_and(|text| text.contains("vnet_integration"))
        },
    ),
    ("dual stack", "healthy-dual-stack", |r| {
        let addresses = every(r, "/outbound/paths", "publicIps");
        addresses.iter().any(|ips| ips.to_string().contains(':'))
    }),
    (
        "several pools and subnets",
        "healthy-several-subnets",
        |r| {
            let mut subnets: Vec<String> = pools(r, "vnetSubnetId")
                .iter()
                .map(ToString::to_string)
                .collect();
            subnets.sort();
            subnets.dedup();
            subnets.len() > 1
        },
    ),
    ("Windows pool", "healthy-windows-pool", |r| {
        pools(r, "osType").iter().any(|os| **os == "Windows")
    }),
    ("GPU pool", "healthy-gpu-pool", |r| {
        let hosts = every(r, "/egressEndpoints/items", "domainName");
        hosts.iter().any(|host| **host == "nvidia.github.io")
    }),
    (
        "node resource group of an own name",
        "healthy-own-node-group",
        |r| {
            let name = r["cluster"]["nodeResourceGroup"].as_str();
            name.is_some_and(|name| !name.starts_with("MC_"))
        },
    ),
];

#[test]
fn a_healthy_cluster_of_every_shape_raises_nothing_above_info() {
    let mut wrong = Vec::new();
    for (shape, scenario, is_of_it) in SHAPES {
        let report = report(scenario);
        if !is_of_it(&report) {
            wrong.push(format!("{scenario} is not of shape {shape}"));
        }
        let severities = every(&report, "/findings", "severity");
        if severities.iter().any(|severity| **severity != "info") {
            wrong.push(format!("{shape}: {scenario} raises {severities:?}"));
        }
        let ends = every(&report, "/outbound/paths", "final");
        let isolated = ["none", "block"].contains(shape);
        if !isolated && ends.iter().any(|end| **end == "dropped") {
            wrong.push(format!("{shape}: {scenario} drops"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
