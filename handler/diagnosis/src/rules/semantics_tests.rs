//! What several rules together make of one rule of the semantics.

mod methods;
mod network;
mod ports;

use crate::facts::Access::{Allow, Deny};
use crate::facts::{Facts, NextHopType, OutboundType};
use crate::report::{CheckStatus, FinalState, Method, Report, Scope};
use crate::testing::*;

fn status(report: &Report, id: &str) -> CheckStatus {
    let mut checks = report.checks.iter();
    checks
        .find(|check| check.id == id)
        .expect("the check")
        .status
}

fn fires(facts: &Facts, code: &str) -> bool {
    let mut findings = crate::diagnose(facts).findings.into_iter();
    findings.any(|finding| finding.code == code)
}

#[test]
fn r1_43_nat_gateways_have_no_ports_of_nodes_to_run_out_of() {
    let report = crate::diagnose(&nat_gateway());
    for id in ["SNT102", "SNT103", "SNT104", "SNT105", "SNT106"] {
        assert_eq!(status(&report, id), CheckStatus::NotApplicable, "{id}");
    }
}

#[test]
fn r1_48_a_managed_nat_gateway_needs_a_network_of_aks() {
    let mut facts = nat_gateway();
    network_mut(&mut facts).outbound_type = Some(OutboundType::ManagedNatGateway);
    for pool in pools_mut(&mut facts) {
        pool.vnet_subnet_id = Some(subnet_id("system"));
    }
    assert!(fires(&facts, "NAT106"));
}

#[test]
fn r1_49_every_spelling_of_a_nat_gateways_type_promises_one() {
    for name in [
        "managedNATGateway",
        "managedNATGatewayV2",
        "userAssignedNATGateway",
        "MANAGEDNATGATEWAYV2",
    ] {
        assert!(OutboundType::parse(name).is_nat_gateway(), "{name}");
    }
    assert!(!OutboundType::parse("loadBalancer").is_nat_gateway());
}

#[test]
fn r1_68_a_nodes_own_address_is_a_hole_in_an_isolated_cluster() {
    let mut facts = isolated();
    assert!(!fires(&facts, "OUT113"));
    for pool in pools_mut(&mut facts) {
        pool.node_public_ip = Some(true);
    }
    assert!(fires(&facts, "OUT113"));
}

#[test]
fn r1_82_packets_of_pods_with_addresses_of_a_pod_subnet_are_looked_at_there() {
    let mut facts = nat_gateway();
    pod_subnet(&mut facts, "user", "pods");
    let deny = security_rule("deny", 200, Deny, "*", "Internet", "*");
    subnet_nsg(&mut facts, "pods", vec![deny]);
    let paths = crate::diagnose(&facts).outbound.paths;
    let ends = |scope| {
        let mut paths = paths.iter().filter(move |path| path.scope == scope);
        paths.next().expect("a path").final_state
    };
    assert_eq!(ends(Scope::Pod), FinalState::Dropped);
    assert_eq!(ends(Scope::Node), FinalState::Delivered);
}

#[test]
fn r2_4_a_public_service_beside_a_nat_gateway_is_not_asymmetric() {
    let mut facts = nat_gateway();
    facts.load_balancer = load_balancer().load_balancer;
    facts.public_ips.extend(load_balancer().public_ips);
    assert!(!fires(&facts, "UDR107"));
}

#[test]
fn r2_31_a_nat_gateway_that_cannot_be_read_is_never_well() {
    let mut facts = nat_gateway();
    let refused = denied("Microsoft.Network/natGateways/read");
    facts.nat_gateways.insert(nat_id("ng1"), refused);
    let report = crate::diagnose(&facts);
    assert!(report.findings.is_empty());
    assert_eq!(status(&report, "NAT102"), CheckStatus::Unknown);
    assert!(
        report
            .outbound
            .paths
            .iter()
            .all(|p| p.final_state == FinalState::Undetermined)
    );
}

#[test]
fn r3_5_an_appliance_without_address_leads_nowhere_that_is_known() {
    let mut facts = firewall_routing();
    route_table_mut(&mut facts).routes[0].next_hop_ip = None;
    let report = crate::diagnose(&facts);
    assert_eq!(report.outbound.paths[0].method, Method::VirtualAppliance);
    assert_eq!(status(&report, "path-firewall"), CheckStatus::Unknown);
}

#[test]
fn r3_6_a_route_to_an_appliance_takes_azures_own_addresses_too() {
    let report = crate::diagnose(&firewall_routing());
    let registry =
        |item: &&crate::report::EgressEndpointItem| item.domain_name == "mcr.microsoft.com";
    let item = report
        .egress_endpoints
        .items
        .iter()
        .find(registry)
        .expect("the registry");
    assert!(
        item.by_pool[0].why.contains("next hop"),
        "{:?}",
        item.by_pool
    );
}

#[test]
fn r4_5_a_group_that_denies_inbound_denies_no_answer() {
    let mut facts = load_balancer();
    let mut deny = security_rule("deny", 200, Deny, "*", "*", "*");
    deny.direction = Some(crate::facts::Direction::Inbound);
    deny.sources = vec!["Internet".to_owned()];
    subnet_nsg(&mut facts, "nodes", vec![deny]);
    let report = crate::diagnose(&facts);
    assert_eq!(report.outbound.paths[0].final_state, FinalState::Delivered);
}

#[test]
fn r4_6_rules_see_the_private_source_address() {
    let ends = |source: &str| {
        let mut facts = load_balancer();
        let mut deny = security_rule("deny", 200, Deny, "Tcp", "Internet", "443");
        deny.sources = vec![source.to_owned()];
        subnet_nsg(&mut facts, "nodes", vec![deny]);
        crate::diagnose(&facts).outbound.paths[0].final_state
    };
    assert_eq!(ends("10.0.0.0/16"), FinalState::Dropped);
    // The load balancer's address is put in after the groups, and other subnets do not send from here.
    assert_eq!(ends("20.1.2.3"), FinalState::Delivered);
    assert_eq!(ends("10.0.7.0/24"), FinalState::Delivered);
}

#[test]
fn r4_1_protocols_are_compared_without_regard_to_case() {
    for protocol in ["tcp", "TCP", "Tcp"] {
        let mut facts = load_balancer();
        let deny = security_rule("deny", 200, Deny, protocol, "Internet", "443");
        subnet_nsg(&mut facts, "nodes", vec![deny]);
        let path = &crate::diagnose(&facts).outbound.paths[0];
        assert_eq!(path.final_state, FinalState::Dropped, "{protocol}");
    }
}

#[test]
fn r4_14_the_load_balancers_tag_admits_no_public_address() {
    let mut facts = load_balancer();
    let admit = security_rule("admit", 100, Allow, "Tcp", "AzureLoadBalancer", "443");
    let deny = security_rule("deny", 200, Deny, "Tcp", "Internet", "443");
    subnet_nsg(&mut facts, "nodes", vec![admit, deny]);
    let path = &crate::diagnose(&facts).outbound.paths[0];
    assert_eq!(path.final_state, FinalState::Dropped);
}

#[test]
fn r5_44_an_appliance_of_another_maker_is_never_taken_to_allow() {
    let nic = hop_nic(Some(true), "running");
    let owner = crate::facts::HopOwner::VirtualMachineNic(nic);
    let report = crate::diagnose(&with_hop(crate::facts::Datum::Known(owner)));
    assert_eq!(report.outbound.paths[0].final_state, FinalState::Forwarded);
    assert_eq!(status(&report, "path-firewall"), CheckStatus::Unknown);
}

#[test]
fn r1_65_r2_56_a_dual_stack_table_needs_both_default_routes() {
    let mut facts = firewall_routing();
    network_mut(&mut facts).ip_families = vec!["IPv4".to_owned(), "IPv6".to_owned()];
    assert!(fires(&facts, "UDR111"));
    let hop = Some("fd00:1::4");
    let v6 = route("six", "::/0", NextHopType::VirtualAppliance, hop);
    route_table_mut(&mut facts).routes.push(v6);
    assert!(!fires(&facts, "UDR111"));
}
