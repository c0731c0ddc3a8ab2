//! Reading who owns an appliance hop takes at most five dependent waves, and nothing is read twice.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, ResourceId, Secret, Trust};
use egress_collect::{Request, collect};
use egress_diagnosis::facts::{Datum, Facts, HopOwner, Id, Window};
use egress_sandbox::{Call, Options, Sandbox, Scenarios, waves};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

async fn read(scenario: &str, text: &str) -> (Facts, Vec<Call>) {
    // Answers that take a while make the waves visible in the order of arrivals and answers.
    let sandbox = Sandbox::start(Options {
        scenarios: Scenarios::List(vec![(scenario.to_owned(), text.to_owned())]),
        latency: Duration::from_millis(50),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts");
    let client = Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public)
            .with_arm_endpoint(sandbox.arm_endpoint())
            .expect("an https endpoint"),
        identity: Identity::Fixed(Secret::new(sandbox.token())),
        trust: Trust::Pem(sandbox.certificate_pem().as_bytes().to_vec()),
    });
    let asked_at: Timestamp = "2026-11-01T12:00:00Z".parse().expect("a time");
    let request = Request {
        cluster: ResourceId::parse(&sandbox.clusters()[0].id).expect("an id"),
        window: Window {
            start: asked_at - SignedDuration::from_hours(6),
            end: asked_at,
        },
        asked_at,
        pressure: false,
        deadline: Instant::now() + Duration::from_mins(1),
        progress: None,
    };
    let collected = collect(&client, &request)
        .await
        .expect("a readable cluster");
    (collected.facts, sandbox.calls())
}

fn assert_frugal(calls: &[Call]) {
    let asked = |call: &Call| {
        format!(
            "{} {}?{:?}",
            call.method,
            call.path.to_lowercase(),
            call.query
        )
    };
    let distinct: BTreeSet<String> = calls.iter().map(asked).collect();
    assert_eq!(distinct.len(), calls.len(), "{calls:#?}");
    assert!(waves(calls) <= 5, "{} waves: {calls:#?}", waves(calls));
}

/// A cluster of type userDefinedRouting whose default leads to 10.31.0.4 or 10.31.1.4 in a peered hub.
fn cluster(hop: &str, outbound: &str, more: &str) -> String {
    format!(
        r#"
description = "x"
[cluster]
outbound_type = "{outbound}"
plugin_mode = "overlay"
[pools.system]
subnet = "spoke/nodes"
[networks.spoke]
prefixes = ["10.30.0.0/16"]
peerings = ["hub"]
subnets.nodes = {{ prefix = "10.30.0.0/22", route_table = "rt" }}
[networks.hub]
resource_group = "rg-hub"
prefixes = ["10.31.0.0/16"]
subnets.AzureFirewallSubnet = {{ prefix = "10.31.0.0/26", nat_gateway = "ng" }}
subnets.nva = {{ prefix = "10.31.1.0/26" }}
[route_tables.rt]
routes = [{{ name = "default", to = "0.0.0.0/0", via = "VirtualAppliance", ip = "{hop}" }}]
[nat_gateways.ng]
resource_group = "rg-hub"
ips = ["pip-ng"]
[public_ips.pip-ng]
resource_group = "rg-hub"
[public_ips.pip-fw]
resource_group = "rg-fw"
{more}
"#
    )
}

const FIREWALL: &str = r#"
[ip_groups.spokes]
resource_group = "rg-fw"
addresses = ["10.30.0.0/16"]
[firewalls.fw]
resource_group = "rg-fw"
network = "hub"
private_ip = "10.31.0.4"
ips = ["pip-fw"]
rules = [{ name = "aks", from_groups = ["spokes"], tags = ["AzureKubernetesService"] }]
parent_rules = [{ name = "base", to = ["AzureCloud"], ports = ["443"] }]
"#;

const APPLIANCE: &str = r#"
[appliances.nva]
resource_group = "rg-hub"
subnet = "hub/nva"
private_ip = "10.31.1.4"
forwarding = false
power_state = "deallocated"
"#;

#[tokio::test]
async fn a_firewall_with_its_parent_policy_and_ip_groups_takes_five_waves() {
    let text = cluster("10.31.0.4", "userDefinedRouting", FIREWALL);
    let (facts, calls) = read("fw", &text).await;
    assert_frugal(&calls);
    let Some(Datum::Known(HopOwner::AzureFirewall(id))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    assert!(facts.firewalls[id].as_known().is_some());
    assert_eq!(facts.firewall_policies.len(), 2);
    assert_eq!(facts.rule_collection_groups.len(), 2);
    let groups = facts.rule_collection_groups.values();
    assert!(groups.into_iter().all(|group| group.as_known().is_some()));
    assert!(
        facts
            .ip_groups
            .values()
            .all(|group| group.as_known().is_some())
    );
    assert_eq!(facts.ip_groups.len(), 1);
    let addresses: Vec<&str> = facts.public_ips.keys().map(Id::name).collect();
    assert!(addresses.contains(&"pip-fw") && addresses.contains(&"pip-ng"));
    assert_eq!(facts.nat_gateways.len(), 1);
    assert!(
        facts
            .subnets
            .keys()
            .any(|id| id.name() == "AzureFirewallSubnet")
    );
    assert_eq!(facts.virtual_networks.len(), 2);
}

#[tokio::test]
async fn a_virtual_machine_takes_five_waves() {
    let text = cluster("10.31.1.4", "userDefinedRouting", APPLIANCE);
    let (facts, calls) = read("nva", &text).await;
    assert_frugal(&calls);
    let Some(Datum::Known(HopOwner::VirtualMachineNic(nic))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    assert_eq!(nic.id.name(), "nva-nic");
    assert_eq!(nic.ip_forwarding, Some(false));
    assert_eq!(nic.power, Datum::Known("deallocated".to_owned()));
}

#[tokio::test]
async fn an_internal_load_balancer_is_found_by_its_frontend() {
    let more = format!(
        "{APPLIANCE}\n[internal_load_balancers.ilb]\nresource_group = \"rg-hub\"\nsubnet = \"hub/nva\"\nprivate_ip = \"10.31.1.10\"\nbackends = [\"nva\"]\n"
    );
    let (facts, calls) = read("ilb", &cluster("10.31.1.10", "userDefinedRouting", &more)).await;
    assert_frugal(&calls);
    let Some(Datum::Known(HopOwner::InternalLoadBalancer(lb))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    assert_eq!(lb.backend_pools[0].members, 1);
    assert_eq!(lb.rules[0].protocol.as_deref(), Some("All"));
}

#[tokio::test]
async fn a_deallocated_firewall_leaves_its_address_to_nobody() {
    let more = FIREWALL.replace("private_ip", "deallocated = true\nprivate_ip");
    // It lies in the hub's group: a firewall without addresses says nothing else about where it belongs.
    let more = more.replace(
        "[firewalls.fw]\nresource_group = \"rg-fw\"",
        "[firewalls.fw]\nresource_group = \"rg-hub\"",
    );
    let (facts, calls) = read("gone", &cluster("10.31.0.4", "userDefinedRouting", &more)).await;
    assert_frugal(&calls);
    let owner = facts.hops.values().next().expect("one hop");
    let Datum::Known(HopOwner::Nobody {
        subnet: Some(subnet),
    }) = owner
    else {
        panic!("{owner:?}")
    };
    assert_eq!(subnet.name(), "AzureFirewallSubnet");
    assert_eq!(facts.firewalls.len(), 1);
}

#[tokio::test]
async fn a_hub_that_may_not_be_read_is_not_empty() {
    let more = format!(
        "{FIREWALL}\n[[faults]]\ngroup = \"rg-hub\"\ndeny = true\n[[faults]]\ngroup = \"rg-fw\"\ndeny = true\n"
    );
    let (facts, _) = read("denied", &cluster("10.31.0.4", "userDefinedRouting", &more)).await;
    let owner = facts.hops.values().next().expect("one hop");
    assert!(
        matches!(owner, Datum::Denied { action: Some(action), .. } if action == "Microsoft.Network/virtualNetworks/read"),
        "{owner:?}"
    );
}

#[tokio::test]
async fn a_firewall_hidden_from_the_lists_is_asked_for_by_its_name() {
    let more = format!("{FIREWALL}\n[[faults]]\ngroup = \"rg-fw\"\ndeny = true\n");
    let (facts, _) = read("hidden", &cluster("10.31.0.4", "userDefinedRouting", &more)).await;
    let owner = facts.hops.values().next().expect("one hop");
    assert!(
        matches!(owner, Datum::Denied { action: Some(action), .. } if action == "Microsoft.Network/azureFirewalls/read"),
        "{owner:?}"
    );
}

#[tokio::test]
async fn r2_20_other_outbound_types_look_only_where_a_route_leads_to_an_appliance() {
    for (hop, more) in [("10.31.0.4", FIREWALL), ("10.31.1.4", APPLIANCE)] {
        let (facts, calls) = read("lb", &cluster(hop, "loadBalancer", more)).await;
        assert_eq!(facts.hops.len(), 1, "{calls:#?}");
        assert_frugal(&calls);
    }
    let plain =
        cluster("10.31.0.4", "loadBalancer", FIREWALL).replace("VirtualAppliance", "Internet");
    let (facts, calls) = read("plain", &plain).await;
    assert!(facts.hops.is_empty() && facts.firewall_policies.is_empty());
    assert!(
        !calls
            .iter()
            .any(|call| call.path.contains("ruleCollectionGroups"))
    );
    assert_eq!(waves(&calls), 3);
    let without_table = plain.replace(", route_table = \"rt\"", "");
    let (facts, calls) = read("none", &without_table).await;
    assert!(facts.hops.is_empty() && facts.firewalls.is_empty());
    assert!(!calls.iter().any(|call| call.path.contains("irewall")));
    assert_eq!(waves(&calls), 3);
}

/// A load balancer cluster whose nodes' security group holds these rules.
fn guarded(rules: &str) -> String {
    format!(
        r#"
description = "x"
cluster.plugin_mode = "overlay"
[pools.system]
subnet = "vnet/nodes"
[networks.vnet]
prefixes = ["10.40.0.0/16"]
subnets.nodes = {{ prefix = "10.40.0.0/24", nsg = "nsg" }}
[nsgs.nsg]
rules = [{rules}]
"#
    )
}

fn asks_for_tags(calls: &[Call]) -> usize {
    let tags = |call: &&Call| call.path.ends_with("/serviceTags");
    calls.iter().filter(tags).count()
}

#[tokio::test]
async fn r4_18_service_tags_are_read_in_the_fourth_wave_and_only_where_they_decide() {
    let denied = r#"{ name = "no-sql", priority = 100, access = "Deny", to = "Sql.westeurope" }"#;
    let (facts, calls) = read("tag", &guarded(denied)).await;
    assert_eq!((asks_for_tags(&calls), waves(&calls)), (1, 4), "{calls:#?}");
    let list = facts.service_tags.as_known().expect("the list");
    assert_eq!(list.change_number.as_deref(), Some("91"));
    assert_eq!(list.tags["Sql.WestEurope"], ["20.40.20.0/24"]);
    assert!(
        !list.tags.contains_key("AzureMonitor"),
        "nobody asked for it"
    );

    for rules in [
        "",
        r#"{ name = "a", priority = 100, access = "Deny", to = "Internet", ports = "25" }"#,
        r#"{ name = "a", priority = 100, access = "Allow", to = "Sql" }"#,
    ] {
        let (facts, calls) = read("plain", &guarded(rules)).await;
        assert_eq!((asks_for_tags(&calls), waves(&calls)), (0, 3), "{rules}");
        assert!(matches!(facts.service_tags, Datum::NotAsked { .. }));
    }
}

#[tokio::test]
async fn r4_18_a_firewalls_service_tags_are_read_beside_its_ip_groups() {
    let text = cluster("10.31.0.4", "userDefinedRouting", FIREWALL);
    let (facts, calls) = read("fw-tags", &text).await;
    assert_frugal(&calls);
    assert_eq!(asks_for_tags(&calls), 1);
    let list = facts.service_tags.as_known().expect("the list");
    assert!(list.tags.contains_key("AzureCloud"));
}

#[tokio::test]
async fn a_secured_hubs_firewall_is_confirmed_by_the_hubs_connections() {
    let text = include_str!("../scenarios/udr-firewall-secured-hub.toml");
    let (facts, calls) = read("hub", text).await;
    assert_frugal(&calls);
    let Some(Datum::Known(HopOwner::AzureFirewall(id))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    let firewall = facts.firewalls[id].as_known().expect("its body");
    let addresses: Vec<String> = (4..24).map(|last| format!("20.71.10.{last}")).collect();
    assert_eq!(firewall.hub_public_ips, addresses);

    let denied = format!(
        "{text}\n[[faults]]\ngroup = \"rg-secured-hub\"\npath = \"/hubVirtualNetworkConnections\"\ndeny = true\n"
    );
    let (facts, _) = read("hub-denied", &denied).await;
    let owner = facts.hops.values().next().expect("one hop");
    assert!(
        matches!(owner, Datum::Denied { action: Some(action), .. }
            if action == "Microsoft.Network/virtualHubs/hubVirtualNetworkConnections/read"),
        "{owner:?}"
    );
}
