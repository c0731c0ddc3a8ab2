//! The remedies are those of section 9, with this cluster's names.

use crate::facts::Access::Deny;
use crate::facts::{Datum, Facts, HopOwner, NextHopType};
use crate::report::Remediation;
use crate::testing::*;

/// What the finding of this code proposes.
fn remedies(code: &str, facts: &Facts) -> Vec<Remediation> {
    let mut findings = crate::diagnose(facts).findings.into_iter();
    let found = findings.find(|finding| finding.code == code);
    found.expect("the finding").remediation
}

fn commands(code: &str, facts: &Facts) -> Vec<String> {
    let remedies = remedies(code, facts).into_iter();
    remedies.flat_map(|remedy| remedy.commands).collect()
}

#[test]
fn r9_5_a_nat_gateway_is_attached_to_the_subnet_and_taken_off_again() {
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    let remedy = &remedies("NAT101", &facts)[0];
    let subnet = subnet_id("user");
    let update = format!("az network vnet subnet update --ids {subnet}");
    assert_eq!(
        remedy.commands,
        [format!("{update} --nat-gateway {}", nat_id("ng1"))]
    );
    assert_eq!(remedy.undo, [format!("{update} --remove natGateway")]);
}

#[test]
fn r9_6_another_outbound_type_follows_the_migration_matrix() {
    // A network of the caller's may become userDefinedRouting, one of AKS's may not (R1.71, R1.72).
    let own = with_firewall_route(load_balancer());
    let becomes = |facts: &Facts| {
        let commands = commands("OUT102", facts);
        commands
            .iter()
            .any(|it| it.ends_with("--outbound-type userDefinedRouting"))
    };
    assert!(becomes(&own));
    let mut managed = own;
    let group = subnet_id("nodes").resource_group().map(str::to_owned);
    managed.cluster.node_resource_group = group;
    assert!(!becomes(&managed));
}

#[test]
fn r9_7_the_new_authorized_ranges_hold_the_old_ones() {
    let mut facts = nat_gateway();
    facts.cluster.api_server.authorized_ip_ranges = vec!["198.51.100.0/24".to_owned()];
    let command = &commands("API101", &facts)[0];
    assert!(
        command.ends_with("--api-server-authorized-ip-ranges 198.51.100.0/24,20.9.8.7/32"),
        "{command}"
    );
}

#[test]
fn r9_9_a_default_route_is_added_to_the_table_that_is_there() {
    let mut facts = firewall_routing();
    route_table_mut(&mut facts).routes.clear();
    let command = &commands("UDR102", &facts)[0];
    assert!(
        command.starts_with("az network route-table route create"),
        "{command}"
    );
    assert!(
        command.ends_with(
            "--address-prefix 0.0.0.0/0 --next-hop-type VirtualAppliance --next-hop-ip-address FIREWALL_PRIVATE_IP"
        ),
        "{command}"
    );
}

#[test]
fn r9_10_the_allowing_rule_comes_before_the_one_that_denies() {
    let mut facts = load_balancer();
    let deny = security_rule("deny", 200, Deny, "*", "Internet", "*");
    subnet_nsg(&mut facts, "nodes", vec![deny]);
    let command = &commands("NSG101", &facts)[0];
    assert!(
        command.starts_with("az network nsg rule create"),
        "{command}"
    );
    for part in [
        " --direction Outbound --priority 199 --access Allow --protocol Tcp",
        " --destination-address-prefixes Internet --destination-port-ranges 443",
    ] {
        assert!(command.contains(part), "{command}");
    }
}

#[test]
fn r9_11_a_firewall_without_policy_gets_a_classic_rule() {
    let mut facts = firewalled();
    firewall_mut(&mut facts).policy_id = None;
    let command = &commands("FWL108", &facts)[0];
    assert!(
        command.starts_with("az network firewall application-rule create"),
        "{command}"
    );
    for part in [
        " --protocols Http=80 Https=443 --source-addresses 10.0.0.0/24",
        " --action Allow --priority 100",
    ] {
        assert!(command.contains(part), "{command}");
    }
}

#[test]
fn r9_13_forwarding_is_switched_on_at_the_interface() {
    let nic = hop_nic(Some(false), "running");
    let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(nic)));
    let command = &commands("FWL101", &facts)[0];
    assert!(command.starts_with("az network nic update"), "{command}");
    assert!(command.ends_with("--ip-forwarding true"), "{command}");
}

#[test]
fn r9_14_a_public_service_behind_an_appliance_becomes_internal() {
    let mut facts = firewalled();
    facts.load_balancer = load_balancer().load_balancer;
    facts.public_ips.extend(load_balancer().public_ips);
    lb_mut(&mut facts).outbound_rules.clear();
    let remedies = remedies("UDR107", &facts);
    let text = format!("{remedies:?}");
    assert!(
        text.contains("service.beta.kubernetes.io/azure-load-balancer-internal"),
        "{text}"
    );
    assert!(
        text.contains("--address-prefix 20.5.5.5/32 --next-hop-type Internet"),
        "{text}"
    );
}

#[test]
fn r9_16_nodes_get_their_image_again_after_the_artifact_source_changed() {
    let mut facts = isolated();
    facts.cluster.artifact_source = Some("Direct".to_owned());
    let commands = commands("OUT114", &facts);
    let upgrade = commands.iter().find(|it| it.starts_with("az aks upgrade"));
    assert!(
        upgrade.is_some_and(|command| command.contains("--node-image-only")),
        "{commands:?}"
    );
}

#[test]
fn r9_17_an_update_without_arguments_brings_back_what_aks_wants() {
    let mut facts = load_balancer();
    lb_mut(&mut facts).outbound_rules.clear();
    let command = &commands("OUT106", &facts)[0];
    assert!(command.starts_with("az aks update"), "{command}");
    assert!(
        command.ends_with("--resource-group rg --name shop"),
        "{command}"
    );
}

#[test]
fn r1_44_r2_28_every_remedy_that_creates_something_says_where() {
    let mut gateway = nat_gateway();
    nat_mut(&mut gateway, "ng1").public_ips.clear();
    let mut table = firewall_routing();
    subnet_mut(&mut table, "nodes").route_table_id = None;
    for (code, facts) in [("NAT102", gateway), ("UDR101", table)] {
        let commands = commands(code, &facts);
        let create = commands.iter().find(|it| it.contains(" create "));
        let create = create.expect("something is created");
        assert!(create.contains("--location westeurope"), "{create}");
    }
}

/// Findings that may propose another outbound type, each on a cluster that raises it.
fn that_may_move() -> Vec<(&'static str, Facts)> {
    let mut overridden = load_balancer();
    overridden.nat_gateways = nat_gateway().nat_gateways;
    overridden.public_ips.extend(nat_gateway().public_ips);
    subnet_mut(&mut overridden, "nodes").nat_gateway_id = Some(nat_id("ng1"));
    let mut gateway_declared = firewall_routing();
    route_table_mut(&mut gateway_declared).routes =
        vec![route("default", "0.0.0.0/0", NextHopType::Internet, None)];
    gateway_declared.nat_gateways = nat_gateway().nat_gateways;
    gateway_declared.public_ips.extend(nat_gateway().public_ips);
    subnet_mut(&mut gateway_declared, "nodes").nat_gateway_id = Some(nat_id("ng1"));
    let mut hub = load_balancer();
    with_hub(&mut hub);
    vec![
        ("OUT102", with_firewall_route(load_balancer())),
        ("OUT102", hub),
        ("OUT104", overridden),
        ("NAT104", with_firewall_route(nat_gateway())),
        ("UDR103", gateway_declared),
    ]
}

#[test]
fn r1_73_another_outbound_type_disrupts_and_authorized_ranges_come_first() {
    for (code, facts) in that_may_move() {
        let moves = |remedy: &Remediation| {
            let mut commands = remedy.commands.iter();
            commands.any(|command| command.contains("--outbound-type"))
        };
        let remedies = remedies(code, &facts);
        let moving: Vec<_> = remedies.iter().filter(|remedy| moves(remedy)).collect();
        assert!(!moving.is_empty(), "{code}");
        for remedy in moving {
            let effects = remedy.side_effects.join(" ").to_lowercase();
            for word in [
                "connections",
                "break",
                "authorized ip ranges",
                "allow-lists",
            ] {
                assert!(
                    effects.contains(word),
                    "{code}: {word} is not in: {effects}"
                );
            }
            assert!(!remedy.undo.is_empty(), "{code}");
        }
    }
}

#[test]
fn r1_47_new_connections_leave_by_an_attached_gateway_and_open_ones_as_before() {
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    let effects = remedies("NAT101", &facts)[0].side_effects.join(" ");
    assert!(effects.contains("New connections leave by the NAT gateway's address at once"));
    assert!(effects.contains("open ones keep theirs"));
}

#[test]
fn r1_89_authorized_ranges_start_on_their_network_address_and_take_two_minutes() {
    let mut facts = nat_gateway();
    facts.cluster.api_server.authorized_ip_ranges = vec!["198.51.100.0/24".to_owned()];
    let remedy = &remedies("API101", &facts)[0];
    let ranges = remedy.commands[0].rsplit(' ').next().expect("the ranges");
    for range in ranges.split(',') {
        let net: ipnet::IpNet = range.parse().expect("a range");
        assert_eq!(net, net.trunc(), "{range}");
    }
    let effects = remedy.side_effects.join(" ");
    assert!(effects.contains("two minutes"), "{effects}");
    // A private cluster has none.
    facts.cluster.api_server.private_cluster = Some(true);
    let mut findings = crate::diagnose(&facts).findings.into_iter();
    assert!(!findings.any(|finding| finding.code == "API101"));
}

#[test]
fn r3_10_a_subnet_that_has_a_route_table_is_given_no_second_one() {
    let mut without_default = firewall_routing();
    route_table_mut(&mut without_default).routes.clear();
    for (code, facts) in [
        ("UDR102", without_default),
        ("OUT102", with_firewall_route(kubenet())),
    ] {
        for command in commands(code, &facts) {
            assert!(!command.contains("--route-table "), "{code}: {command}");
            assert!(!command.contains("route-table create"), "{code}: {command}");
        }
    }
}

#[test]
fn r9_15_a_pool_with_a_better_disk_comes_before_the_old_one_is_drained_and_deleted() {
    let mut facts = load_balancer();
    closer_look(&mut facts);
    disk_percent(&mut facts, "user", "OS Disk IOPS Consumed Percentage", 99.0);
    let remedies = remedies("NOD104", &facts);
    let replaced = remedies.iter().find(|remedy| {
        let mut commands = remedy.commands.iter();
        commands.any(|command| command.starts_with("az aks nodepool add"))
    });
    let remedy = replaced.expect("a pool beside the old one");
    let add = &remedy.commands[0];
    for part in [" --node-osdisk-type ", " --node-osdisk-size "] {
        assert!(add.contains(part), "{add}");
    }
    let at = |start: &str| {
        let mut commands = remedy.commands.iter();
        commands.position(|command| command.starts_with(start))
    };
    let (drain, delete) = (at("kubectl drain"), at("az aks nodepool delete"));
    assert!(drain.is_some() && drain < delete, "{:?}", remedy.commands);
    let effects = remedy.side_effects.join(" ").to_lowercase();
    for word in ["lost", "quota"] {
        assert!(effects.contains(word), "{effects}");
    }
}

#[test]
fn r1_8_no_rule_is_proposed_for_the_api_servers_address_which_may_change() {
    let commands = commands("FWL112", &firewalled()).join(" ");
    assert!(commands.contains("AzureCloud.westeurope"), "{commands}");
    let mut words = commands.split([' ', ',', '=', '/']);
    let address = |word: &str| {
        word.parse::<std::net::Ipv4Addr>()
            .is_ok_and(|ip| !ip.is_private())
    };
    assert_eq!(words.find(|word| address(word)), None, "{commands}");
}
