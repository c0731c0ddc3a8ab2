//! Reading who owns an appliance hop takes at most five dependent waves, and nothing is read twice.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_diagnosis::facts::{Datum, Facts, HopOwner, Id};
use egress_sandbox::{Call, Options, Sandbox, Scenarios, waves};
use egress_tests::reading;

async fn read(scenario: &str, text: &str) -> (Facts, Vec<Call>) {
    // Answers that take a while make the waves visible in the order of arrivals and answers.
    let sandbox = Sandbox::start(Options {
        scenarios: Scenarios::List(vec![(scenario.to_owned(), text.to_owned())]),
        latency: Duration::from_millis(50),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts");
    let collected = reading::read(&reading::client(&sandbox), &sandbox.clusters()[0].id).await;
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
async fn r5_32_a_firewalls_health_and_snat_ports_by_protocol_are_measured() {
    let text = cluster("10.31.0.4", "userDefinedRouting", FIREWALL);
    let (facts, calls) = read("measured", &text).await;
    let of_firewall = format!(
        "{}/providers/microsoft.insights/metrics",
        firewall_of(&facts)
    );
    let asked: Vec<&Call> = calls
        .iter()
        .filter(|call| call.path.eq_ignore_ascii_case(&of_firewall))
        .collect();
    let value = |call: &Call, name: &str| {
        let mut query = call.query.iter();
        let found = query.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.to_lowercase())
    };
    for (metric, filter) in [
        ("snatportutilization", "protocol eq '*'"),
        ("firewallhealth", ""),
    ] {
        let mut asked = asked.iter();
        let call = asked.find(|call| value(call, "metricnames").contains(metric));
        let call = call.expect(metric);
        assert_eq!(value(call, "$filter"), filter, "{metric}");
        assert!(value(call, "aggregation").contains("average"), "{metric}");
    }
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

/// The owner of the one hop, which has to be an Azure Firewall with a body.
fn firewall_of(facts: &Facts) -> &Id {
    let Some(Datum::Known(HopOwner::AzureFirewall(id))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    assert!(facts.firewalls[id].as_known().is_some());
    id
}

/// More peered networks than are read ahead, none of which forwards.
fn many_peers(text: &str) -> String {
    let names: Vec<String> = (0..12).map(|n| format!("spoke-{n}")).collect();
    let list = names.iter().map(|name| format!("\"{name}\", "));
    let mut all = text.replace(
        r#"peerings = ["hub"]"#,
        &format!("peerings = [{}\"hub\"]", list.collect::<String>()),
    );
    for (n, name) in names.iter().enumerate() {
        let network = format!(
            "\n[networks.{name}]\nprefixes = [\"10.{}.0.0/16\"]\n",
            100 + n
        );
        all.push_str(&network);
    }
    all
}

#[tokio::test]
async fn a_firewall_behind_one_of_many_peerings_takes_five_waves() {
    let text = many_peers(&cluster("10.31.0.4", "userDefinedRouting", FIREWALL));
    let (facts, calls) = read("many", &text).await;
    assert_frugal(&calls);
    firewall_of(&facts);
    assert_eq!(facts.firewall_policies.len(), 2);
    let mut groups = facts.ip_groups.values();
    assert!(facts.ip_groups.len() == 1 && groups.all(|group| group.as_known().is_some()));
    assert!(facts.service_tags.as_known().is_some());
}

#[tokio::test]
async fn a_machine_behind_an_unlikely_peering_leaves_its_power_state_open() {
    // Networks in name order: the hub comes after those that are read ahead.
    let text = cluster("10.31.1.4", "userDefinedRouting", APPLIANCE).replace("spoke-", "a-");
    let text = many_peers(&text).replace("spoke-", "a-spoke-");
    let (facts, calls) = read("far", &text).await;
    assert_frugal(&calls);
    let Some(Datum::Known(HopOwner::VirtualMachineNic(nic))) = facts.hops.values().next() else {
        panic!("{:?}", facts.hops)
    };
    assert_eq!(nic.ip_forwarding, Some(false));
    assert!(
        matches!(nic.power, Datum::NotAsked { .. }),
        "{:?}",
        nic.power
    );
}

#[tokio::test]
async fn an_internal_load_balancer_behind_another_outbound_types_route_takes_five_waves() {
    let more = format!(
        "{APPLIANCE}\n[internal_load_balancers.ilb]\nresource_group = \"rg-hub\"\nsubnet = \"hub/nva\"\nprivate_ip = \"10.31.1.10\"\nbackends = [\"nva\"]\n"
    );
    for outbound in ["loadBalancer", "none"] {
        let (facts, calls) = read("ilb-lb", &cluster("10.31.1.10", outbound, &more)).await;
        assert_frugal(&calls);
        let Some(Datum::Known(HopOwner::InternalLoadBalancer(lb))) = facts.hops.values().next()
        else {
            panic!("{:?}", facts.hops)
        };
        assert!(facts.metrics[&lb.id].contains_key("DipAvailability"));
    }
}

#[tokio::test]
async fn a_firewall_that_no_list_holds_takes_five_waves() {
    // The lists of the subscription are refused; what lies in the groups may be read.
    let lists = ["azureFirewalls", "firewallPolicies"].map(|kind| {
        format!("\n[[faults]]\ngroup = \"subscription\"\nends = \"/{kind}\"\ndeny = true\n")
    });
    let without_parent = FIREWALL.replace("parent_rules", "# parent_rules");
    let text = cluster(
        "10.31.0.4",
        "userDefinedRouting",
        &format!("{without_parent}{}", lists.concat()),
    );
    let (facts, calls) = read("unlisted", &text).await;
    assert_frugal(&calls);
    firewall_of(&facts);
    let mut groups = facts.rule_collection_groups.values();
    assert!(groups.all(|group| group.as_known().is_some()));
    // What its rules name was asked for before it was known.
    let spokes = facts.ip_groups.values().next().expect("one IP group");
    assert!(spokes.as_known().is_some(), "{spokes:?}");
    assert_eq!(facts.ip_groups.len(), 1);
    assert_eq!(asks_for_tags(&calls), 1);
    let tags = &facts.service_tags;
    assert!(
        matches!(tags, Datum::NotAsked { .. }),
        "its rules name no tag: {tags:?}"
    );
}

#[tokio::test]
async fn a_parent_policy_that_becomes_known_too_late_is_not_asked_for() {
    let lists = ["azureFirewalls", "firewallPolicies"].map(|kind| {
        format!("\n[[faults]]\ngroup = \"subscription\"\nends = \"/{kind}\"\ndeny = true\n")
    });
    let text = cluster(
        "10.31.0.4",
        "userDefinedRouting",
        &format!("{FIREWALL}{}", lists.concat()),
    );
    let (facts, calls) = read("orphan", &text).await;
    assert_frugal(&calls);
    firewall_of(&facts);
    let parent = |id: &Id| id.name().ends_with("-parent");
    let groups = &facts.rule_collection_groups;
    let (_, groups) = groups
        .iter()
        .find(|(id, _)| parent(id))
        .expect("the parent");
    assert!(matches!(groups, Datum::NotAsked { .. }), "{groups:?}");
}

#[tokio::test]
async fn a_policy_that_no_list_holds_is_read_with_its_parent_in_five_waves() {
    let list =
        "\n[[faults]]\ngroup = \"subscription\"\nends = \"/firewallPolicies\"\ndeny = true\n";
    let text = cluster(
        "10.31.0.4",
        "userDefinedRouting",
        &format!("{FIREWALL}{list}"),
    );
    let (facts, calls) = read("policies", &text).await;
    assert_frugal(&calls);
    assert_eq!(facts.firewall_policies.len(), 2);
    let groups = facts.rule_collection_groups.values();
    assert!(groups.into_iter().all(|group| group.as_known().is_some()));
    let mut groups = facts.ip_groups.values();
    assert!(facts.ip_groups.len() == 1 && groups.all(|group| group.as_known().is_some()));
    // The parent's rule names AzureCloud.
    let list = facts.service_tags.as_known().expect("the list");
    assert!(list.tags.contains_key("AzureCloud") && !list.tags.contains_key("Sql.WestEurope"));
}

#[tokio::test]
async fn a_parent_that_no_list_holds_is_asked_for_beside_its_child() {
    let hidden = FIREWALL.replace("[firewalls.fw]\n", "[firewalls.fw]\ntier = \"Premium\"\n");
    let fault = "\n[[faults]]\ngroup = \"rg-fw\"\npath = \"/fw-policy-parent\"\nstatus = 403\n";
    let text = cluster(
        "10.31.0.4",
        "userDefinedRouting",
        &format!("{hidden}{fault}"),
    );
    let (facts, calls) = read("parent", &text).await;
    assert_frugal(&calls);
    let groups = facts.rule_collection_groups.values();
    let open = groups.filter(|group| group.as_known().is_none()).count();
    assert_eq!(open, 1);
}

/// A cluster of outbound type loadBalancer in a network that a hub with routing intent gives its default route.
const HUB: &str = include_str!("../scenarios/hub-default-route-lb.toml");

#[tokio::test]
async fn r3_14_a_hubs_default_route_and_its_firewalls_rules_take_five_waves() {
    let (facts, calls) = read("intent", HUB).await;
    assert_frugal(&calls);
    let routing = facts.hub_routing.values().next().expect("one hub");
    let routing = routing.as_known().expect("its routing");
    assert_eq!(routing.internet_security, Some(true));
    assert_eq!(routing.internet.as_ref(), Some(firewall_of(&facts)));
    let groups = facts.rule_collection_groups.values();
    assert!(groups.into_iter().all(|group| group.as_known().is_some()));
    // The hub's network belongs to Azure: nobody can be given rights on it.
    assert!(
        !calls.iter().any(|call| call.path.contains("/HV_")),
        "{calls:#?}"
    );
    assert!(
        !calls.iter().any(|call| call.status == Some(404)),
        "{calls:#?}"
    );
}

#[tokio::test]
async fn r3_14_a_route_table_that_takes_no_learned_routes_asks_no_hub() {
    let text = HUB.replace(
        r#"prefix = "10.76.0.0/22" }"#,
        r#"prefix = "10.76.0.0/22", route_table = "rt" }"#,
    );
    let text = format!("{text}\n[route_tables.rt]\ndisable_bgp = true\n");
    let (facts, calls) = read("closed", &text).await;
    assert_frugal(&calls);
    assert!(facts.hub_routing.is_empty());
    assert!(!calls.iter().any(|call| call.path.contains("routingIntent")));
}

#[tokio::test]
async fn machines_without_a_scale_set_cost_one_list_and_no_wave() {
    let text = include_str!("../scenarios/machines-pool-nic-nsg.toml");
    let (facts, calls) = read("machines", text).await;
    assert_frugal(&calls);
    assert_eq!(waves(&calls), 3, "{calls:#?}");
    let nics = facts.machine_nics.as_known().expect("the list");
    assert_eq!(nics.len(), 3);
    assert!(
        nics.iter()
            .all(|nic| nic.pool_name.as_deref() == Some("machines"))
    );
    let lists = calls.iter();
    let lists = lists.filter(|call| call.path.ends_with("Microsoft.Network/networkInterfaces"));
    assert_eq!(lists.count(), 1);
    let plain = text.replace("type = \"VirtualMachines\"\n", "");
    let (facts, _) = read("sets", &plain).await;
    assert!(matches!(facts.machine_nics, Datum::NotAsked { .. }));
}

#[tokio::test]
async fn a_full_route_table_and_a_policy_of_five_thousand_rules_are_evaluated_whole() {
    let routes: Vec<String> = (0..399)
        .map(|n| {
            let (high, low) = (n / 256, n % 256);
            format!(
                r#"{{ name = "r{n}", to = "10.{}.{low}.0/24", via = "VnetLocal" }}, "#,
                200 + high
            )
        })
        .collect();
    let rules: Vec<String> = (0..5_000)
        .map(|n| format!(r#"{{ name = "r{n}", fqdns = ["host{n}.example.com"] }}, "#))
        .collect();
    let full = cluster("10.31.0.4", "userDefinedRouting", FIREWALL);
    let full = full.replace("routes = [", &format!("routes = [{}", routes.concat()));
    let full = full.replace(
        "rules = [{ name = \"aks\"",
        &format!("rules = [{}{{ name = \"aks\"", rules.concat()),
    );
    let (facts, calls) = read("full", &full).await;
    assert_frugal(&calls);
    let table = facts.route_tables.values().next().expect("one table");
    assert_eq!(table.as_known().expect("its body").routes.len(), 400);
    let groups = facts.rule_collection_groups.values();
    let groups = groups.filter_map(Datum::as_known).flatten();
    let rules = groups.flat_map(|group| &group.collections);
    assert_eq!(
        rules.map(|it| it.rules.application.len()).sum::<usize>(),
        5_001
    );
    let report = egress_diagnosis::diagnose(&facts);
    let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
    assert!(
        !codes.contains(&"FWL108"),
        "the last rule admits what AKS needs: {codes:?}"
    );

    // Without the last rule nothing of what AKS needs is let through.
    let without = full.replace(
        "tags = [\"AzureKubernetesService\"]",
        "fqdns = [\"x.example\"]",
    );
    let (facts, _) = read("full-without", &without).await;
    let report = egress_diagnosis::diagnose(&facts);
    assert!(
        report.findings.iter().any(|f| f.code == "FWL108"),
        "{:?}",
        report.verdict
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
async fn what_changed_on_the_path_is_read_within_the_five_waves() {
    let denying = include_str!("../../handler/sandbox/scenarios/firewall-denies-mcr.toml");
    let (facts, calls) = read("changed", denying).await;
    assert_frugal(&calls);
    assert_eq!(waves(&calls), 5);
    let (group, log) = facts.activity_logs.iter().next().expect("a log");
    assert_eq!(group.name(), "rg-fwl-mcr");
    let log = log.as_known().expect("it is read beside the last wave");
    let written: Vec<&str> = log.writes.iter().map(|w| w.resource.name()).collect();
    assert_eq!(written, ["aks-egress"]);
}

#[tokio::test]
async fn logs_that_were_read_ahead_and_explain_nothing_are_no_fact() {
    let healthy = cluster("10.31.0.4", "userDefinedRouting", FIREWALL);
    let forbidden =
        format!("{healthy}\n[[faults]]\npath = \"/eventtypes/management/values\"\ndeny = true\n");
    for text in [healthy, forbidden] {
        let (facts, calls) = read("ahead", &text).await;
        assert_frugal(&calls);
        let mut paths = calls.iter().map(|call| call.path.to_lowercase());
        assert!(paths.any(|path| path.ends_with("/eventtypes/management/values")));
        let explained = egress_diagnosis::groups_to_explain(&facts);
        let read: Vec<Id> = facts.activity_logs.into_keys().collect();
        assert_eq!(read, explained);
    }
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
