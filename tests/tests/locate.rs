//! From what an alert names to the clusters it is about, against the simulated Azure.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_arm::ResourceId;
use egress_collect::{ClusterName, Located, Search, locate};
use egress_sandbox::{Call, Options, Sandbox, Scenarios};
use egress_tests::reading;
use tokio::time::Instant;

const SUBSCRIPTION: &str = "00000000-0000-4000-8000-0000000005ab";

async fn sandbox(scenarios: &[(&str, &str)]) -> Sandbox {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let list = scenarios.iter();
    let list = list.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Sandbox::start(Options {
        scenarios: Scenarios::List(list.collect()),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts")
}

fn network(group: &str, rest: &str) -> String {
    in_group(group, &format!("Microsoft.Network/{rest}"))
}

fn in_group(group: &str, rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{rest}")
}

fn search(resources: &[String]) -> Search {
    Search {
        resources: resources
            .iter()
            .map(|id| ResourceId::parse(id).expect("an id"))
            .collect(),
        names: Vec::new(),
        mentioned: BTreeSet::new(),
        allowed: BTreeSet::new(),
        most: 10,
        deadline: Instant::now() + Duration::from_mins(2),
    }
}

fn by_name(name: &str, group: Option<&str>) -> Search {
    Search {
        names: vec![ClusterName {
            name: name.to_owned(),
            group: group.map(str::to_owned),
        }],
        mentioned: [SUBSCRIPTION.to_owned()].into(),
        ..search(&[])
    }
}

async fn found(sandbox: &Sandbox, search: &Search) -> Located {
    locate(&reading::client(sandbox), search).await
}

/// The names of the clusters that one resource leads to.
async fn names(sandbox: &Sandbox, resource: &str) -> Vec<String> {
    let located = found(sandbox, &search(&[resource.to_owned()])).await;
    let names = located.clusters.iter().map(|id| id.name().to_owned());
    names.collect()
}

const PLAIN: &str = "description = \"x\"\n[pools.system]\n";

/// Two pools behind their own NAT gateway in a group of its own, with a network security group and a route table.
const GATEWAY: &str = r#"
description = "x"
cluster.outbound_type = "userAssignedNATGateway"
[pools.system]
subnet = "vnet/system"
[pools.apps]
subnet = "vnet/apps"
[networks.vnet]
resource_group = "rg-net"
prefixes = ["10.20.0.0/16"]
subnets.system = { prefix = "10.20.0.0/24", nat_gateway = "ng", nsg = "nsg" }
subnets.apps = { prefix = "10.20.1.0/24", nat_gateway = "ng", route_table = "rt" }
subnets.other = { prefix = "10.20.2.0/24", nsg = "nsg-other" }
[nsgs.nsg]
resource_group = "rg-net"
[nsgs.nsg-other]
resource_group = "rg-net"
[route_tables.rt]
resource_group = "rg-net"
routes = [{ name = "inside", to = "10.99.0.0/16", via = "VirtualAppliance", ip = "10.20.2.4" }]
[nat_gateways.ng]
resource_group = "rg-net"
ips = ["pip"]
prefixes = ["prefix"]
[public_ips.pip]
resource_group = "rg-net"
[public_ip_prefixes.prefix]
resource_group = "rg-net"
prefix = "20.1.1.0/31"
"#;

/// A cluster behind the firewall of a hub network; `{}` makes the names of the groups unique.
fn behind_firewall(own: &str) -> String {
    format!(
        r#"
description = "x"
[cluster]
outbound_type = "userDefinedRouting"
plugin_mode = "overlay"
[pools.system]
subnet = "spoke/nodes"
[networks.spoke]
resource_group = "rg-spoke-{own}"
prefixes = ["10.30.0.0/16"]
peerings = ["hub"]
subnets.nodes = {{ prefix = "10.30.0.0/22", route_table = "rt" }}
[networks.hub]
resource_group = "rg-hub-{own}"
prefixes = ["10.31.0.0/16"]
subnets.AzureFirewallSubnet = {{ prefix = "10.31.0.0/26" }}
[route_tables.rt]
resource_group = "rg-spoke-{own}"
routes = [{{ name = "default", to = "0.0.0.0/0", via = "VirtualAppliance", ip = "10.31.0.4" }}]
[public_ips.pip-fw]
resource_group = "rg-hub-{own}"
[firewalls.fw]
resource_group = "rg-hub-{own}"
network = "hub"
private_ip = "10.31.0.4"
ips = ["pip-fw"]
parent_rules = [{{ name = "base", to = ["AzureCloud"], ports = ["443"] }}]
"#
    )
}

#[tokio::test]
async fn what_is_in_the_node_resource_group_is_the_clusters_that_manages_it() {
    let sandbox = sandbox(&[("shop", PLAIN), ("bank", PLAIN)]).await;
    let node_group = "mc_rg-shop_shop_westeurope";
    for resource in [
        network(node_group, "loadBalancers/kubernetes"),
        network(
            node_group,
            "loadBalancers/kubernetes/frontendIPConfigurations/x",
        ),
        in_group(
            node_group,
            "Microsoft.Compute/virtualMachineScaleSets/aks-system-1-vmss",
        ),
        in_group(node_group, "Microsoft.Whatever/isNotKnown/here"),
        format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{node_group}"),
    ] {
        assert_eq!(names(&sandbox, &resource).await, ["shop"], "{resource}");
    }
}

#[tokio::test]
async fn one_read_settles_what_is_in_a_node_resource_group() {
    let sandbox = sandbox(&[("shop", PLAIN)]).await;
    let node_group = "MC_rg-shop_shop_westeurope";
    let several = ["loadBalancers/kubernetes", "publicIPAddresses/a"];
    let several = several.map(|rest| network(node_group, rest));
    let located = found(&sandbox, &search(&several)).await;
    assert_eq!(located.clusters.len(), 1);
    assert_eq!(sandbox.calls().len(), 1, "{:?}", sandbox.calls());
}

#[tokio::test]
async fn network_resources_lead_to_the_clusters_whose_pools_use_their_subnets() {
    let sandbox = sandbox(&[("gateway", GATEWAY), ("shop", PLAIN)]).await;
    for rest in [
        "natGateways/ng",
        "natgateways/NG",
        "publicIPAddresses/pip",
        "publicIPPrefixes/prefix",
        "routeTables/rt",
        "routeTables/rt/routes/inside",
        "networkSecurityGroups/nsg",
        "virtualNetworks/vnet",
        "virtualNetworks/vnet/subnets/apps",
        "virtualNetworks/vnet/virtualNetworkPeerings/x",
    ] {
        let resource = network("rg-net", rest);
        assert_eq!(names(&sandbox, &resource).await, ["gateway"], "{rest}");
    }
    // No pool is in this subnet.
    let beside = [
        "networkSecurityGroups/nsg-other",
        "virtualNetworks/vnet/subnets/other",
    ];
    for rest in beside {
        let located = found(&sandbox, &search(&[network("rg-net", rest)])).await;
        assert!(located.clusters.is_empty(), "{rest}: {located:?}");
        assert_eq!(located.reasons.len(), 1, "{located:?}");
        assert!(!located.passing);
    }
}

#[tokio::test]
async fn a_security_group_leads_to_the_nodes_that_carry_it_on_their_nics() {
    let text = GATEWAY.replace(
        "subnet = \"vnet/apps\"",
        "subnet = \"vnet/apps\"\nnsg = \"nsg-other\"",
    );
    let sandbox = sandbox(&[("gateway", &text)]).await;
    let group = network("rg-net", "networkSecurityGroups/nsg-other");
    assert_eq!(names(&sandbox, &group).await, ["gateway"]);
}

#[tokio::test]
async fn a_firewall_leads_to_the_clusters_whose_routes_end_at_it() {
    let (one, two) = (behind_firewall("one"), behind_firewall("two"));
    let sandbox = sandbox(&[("one", &one), ("two", &two), ("shop", PLAIN)]).await;
    for rest in [
        "azureFirewalls/fw",
        "publicIPAddresses/pip-fw",
        "firewallPolicies/fw-policy",
        "firewallPolicies/fw-policy/ruleCollectionGroups/rules",
        "firewallPolicies/fw-policy-parent",
    ] {
        // The other one has the same address in a network of its own.
        let resource = network("rg-hub-two", rest);
        assert_eq!(names(&sandbox, &resource).await, ["two"], "{rest}");
    }
}

#[tokio::test]
async fn around_an_unreadable_hub_network_may_be_any_cluster() {
    let (one, two) = (behind_firewall("one"), behind_firewall("two"));
    let fault =
        "[[faults]]\ngroup = \"rg-hub-two\"\nends = \"/virtualNetworks/hub\"\ndeny = true\n";
    let sandbox = sandbox(&[("one", &one), ("two", &(two + fault))]).await;
    let firewall = network("rg-hub-two", "azureFirewalls/fw");
    let located = found(&sandbox, &search(&[firewall])).await;
    assert_eq!(located.clusters.len(), 2, "{located:?}");
    assert!(located.reasons[0].contains("Microsoft.Network/virtualNetworks/read"));
}

#[tokio::test]
async fn a_secured_hub_leads_to_the_clusters_of_its_networks() {
    let hub = include_str!("../scenarios/udr-firewall-secured-hub.toml");
    let unsecured = hub.replace(
        "networks = [\"vnet-spoke\"]",
        "networks = [\"vnet-spoke\"]\ninternet_security = false",
    );
    for text in [hub, &unsecured] {
        let sandbox = sandbox(&[("secured", text), ("shop", PLAIN)]).await;
        // With a route of its own the network needs no default route from the hub.
        let firewall = network("rg-secured-hub", "azureFirewalls/fw-secured-hub");
        assert_eq!(names(&sandbox, &firewall).await, ["secured"]);
    }
    let sandbox = sandbox(&[("secured", hub)]).await;
    let hub = network("rg-secured-hub", "virtualHubs/hub-secured");
    assert_eq!(names(&sandbox, &hub).await, ["secured"]);
}

#[tokio::test]
async fn several_clusters_of_one_gateway_are_capped_and_counted() {
    let subnet = network("rg-net", "virtualNetworks/vnet/subnets/apps");
    let sharing = format!(
        "{PLAIN}[[edits]]\nresource = \"managedClusters/{{}}\"\nset = {{ \"/properties/agentPoolProfiles/0/vnetSubnetID\" = \"{subnet}\" }}\n"
    );
    let (a, b) = (sharing.replace("{}", "a"), sharing.replace("{}", "b"));
    let sandbox = sandbox(&[("gateway", GATEWAY), ("a", &a), ("b", &b)]).await;
    let gateway = network("rg-net", "natGateways/ng");
    assert_eq!(names(&sandbox, &gateway).await, ["a", "b", "gateway"]);
    let capped = Search {
        most: 2,
        ..search(&[gateway])
    };
    let located = found(&sandbox, &capped).await;
    assert_eq!((located.clusters.len(), located.left_out), (2, 1));
}

#[tokio::test]
async fn what_is_too_much_to_look_at_is_told() {
    let sandbox = sandbox(&[("gateway", GATEWAY)]).await;
    let tables: Vec<String> = (0..25)
        .map(|n| network("rg-net", &format!("routeTables/none-{n}")))
        .collect();
    let located = found(&sandbox, &search(&tables)).await;
    assert!(
        located.reasons[0].starts_with("5 more resources"),
        "{located:?}"
    );
}

#[tokio::test]
async fn names_are_matched_without_case_and_the_group_decides_between_equal_ones() {
    let sandbox = sandbox(&[
        ("a", "description = \"x\"\ncluster.name = \"shop\"\ncluster.resource_group = \"rg-a\"\n[pools.system]\n"),
        ("b", "description = \"x\"\ncluster.name = \"shop\"\ncluster.resource_group = \"rg-b\"\n[pools.system]\n"),
        ("bank", PLAIN),
    ])
    .await;
    let groups = async |group: Option<&str>, name: &str| -> Vec<String> {
        let located = found(&sandbox, &by_name(name, group)).await;
        let groups = located.clusters.iter();
        groups
            .map(|id| id.resource_group().expect("a group").to_owned())
            .collect()
    };
    assert_eq!(groups(None, "SHOP").await, ["rg-a", "rg-b"]);
    assert_eq!(groups(Some("RG-B"), "shop").await, ["rg-b"]);
    assert_eq!(
        groups(Some("mc_rg-a_shop_westeurope"), "shop").await,
        ["rg-a"]
    );
    // A hint that fits none excludes none.
    assert_eq!(groups(Some("rg-c"), "shop").await, ["rg-a", "rg-b"]);
    assert!(groups(None, "sho").await.is_empty());
}

#[tokio::test]
async fn the_tags_of_aks_name_the_cluster_unless_it_is_gone() {
    let tags = |name: &str| {
        format!(
            "{GATEWAY}[[edits]]\nresource = \"natGateways/ng\"\nset = {{ \"/tags/aks-managed-cluster-name\" = \"{name}\", \"/tags/aks-managed-cluster-rg\" = \"rg-shop\", \"/properties/subnets\" = [] }}\n"
        )
    };
    let gateway = network("rg-net", "natGateways/ng");
    let there = tags("shop");
    let there = sandbox(&[("gateway", &there), ("shop", PLAIN)]).await;
    assert_eq!(names(&there, &gateway).await, ["shop"]);
    let gone = tags("gone");
    let gone = sandbox(&[("gateway", &gone), ("shop", PLAIN)]).await;
    let located = found(&gone, &search(&[gateway])).await;
    assert!(located.clusters.is_empty());
    assert!(located.reasons[0].contains("gone"), "{located:?}");
}

#[tokio::test]
async fn a_denied_group_is_found_again_among_the_listed_clusters() {
    let denied = format!("{PLAIN}[[faults]]\ngroup = \"node\"\ndeny = true\n");
    let sandbox = sandbox(&[("shop", &denied), ("bank", PLAIN)]).await;
    let balancer = network("MC_rg-shop_shop_westeurope", "loadBalancers/kubernetes");
    assert_eq!(names(&sandbox, &balancer).await, ["shop"]);
}

#[tokio::test]
async fn a_cluster_whose_pools_cannot_be_read_is_said() {
    let broken = format!(
        "{PLAIN}[[edits]]\nresource = \"managedClusters/shop\"\nset = {{ \"/properties/agentPoolProfiles\" = [7] }}\n"
    );
    let sandbox = sandbox(&[("gateway", GATEWAY), ("shop", &broken)]).await;
    let gateway = network("rg-net", "natGateways/ng");
    let located = found(&sandbox, &search(&[gateway])).await;
    assert_eq!(located.clusters.len(), 1, "{located:?}");
    assert!(located.reasons[0].contains("shop"), "{located:?}");
}

#[tokio::test]
async fn other_subscriptions_are_not_asked() {
    let sandbox = sandbox(&[("gateway", GATEWAY)]).await;
    let only = Search {
        allowed: ["00000000-0000-4000-8000-000000000001".to_owned()].into(),
        ..search(&[network("rg-net", "natGateways/ng")])
    };
    let located = found(&sandbox, &only).await;
    assert!(located.clusters.is_empty());
    assert!(located.reasons[0].contains("allow-list"), "{located:?}");
    let about_it = |call: &Call| call.path.contains(SUBSCRIPTION);
    assert!(!sandbox.calls().iter().any(about_it));
}

#[tokio::test]
async fn an_outage_is_a_reason_that_passes() {
    let down = format!("{GATEWAY}[[faults]]\ngroup = \"rg-net\"\nstatus = 500\n");
    let sandbox = sandbox(&[("gateway", &down)]).await;
    let gone = Search {
        deadline: Instant::now() + Duration::from_millis(200),
        ..search(&[network("rg-net", "natGateways/ng")])
    };
    let located = found(&sandbox, &gone).await;
    assert!(located.clusters.is_empty());
    assert!(located.passing, "{located:?}");
}
