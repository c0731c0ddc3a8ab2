//! What carries the packets, and what a cluster must have for it (sections 1 and 2).

use super::{fires, status};
use crate::facts::Access::{Allow, Deny};
use crate::facts::{Datum, Facts, NextHopType, OutboundType};
use crate::report::Severity::Critical;
use crate::report::{CheckStatus, Finding, Method, Severity, Status, TrafficVerdict};
use crate::testing::*;

fn finding(facts: &Facts, code: &str) -> Finding {
    let mut findings = crate::diagnose(facts).findings.into_iter();
    findings
        .find(|finding| finding.code == code)
        .expect("the finding")
}

/// A load balancer cluster with these rules, as (priority, access, protocol, destination, ports).
fn grouped(rules: &[(u32, crate::facts::Access, &str, &str, &str)]) -> Facts {
    let mut facts = load_balancer();
    let rules = rules.iter().map(|(priority, access, protocol, to, ports)| {
        security_rule("given", *priority, *access, protocol, to, ports)
    });
    subnet_nsg(&mut facts, "nodes", rules.collect());
    facts
}

#[test]
fn r1_1_a_group_that_denies_443_to_the_internet_is_found_however_it_is_written() {
    for (protocol, to, ports) in [
        ("*", "Internet", "*"),
        ("Tcp", "*", "443"),
        ("tcp", "0.0.0.0/0", "0-65535"),
        ("Tcp", "Internet", "400-500"),
    ] {
        let facts = grouped(&[(200, Deny, protocol, to, ports)]);
        assert!(fires(&facts, "NSG101"), "{protocol} {to} {ports}");
    }
    for (protocol, to, ports) in [
        ("Udp", "Internet", "443"),
        ("Tcp", "Internet", "8443"),
        ("Tcp", "198.51.100.0/24", "443"),
    ] {
        let facts = grouped(&[(200, Deny, protocol, to, ports)]);
        assert!(!fires(&facts, "NSG101"), "{protocol} {to} {ports}");
    }
}

#[test]
fn r1_12_addresses_in_place_of_the_registrys_tag_allow_no_registry() {
    let facts = grouped(&[
        (100, Allow, "Tcp", "20.61.97.0/25", "443"),
        (200, Deny, "*", "Internet", "*"),
    ]);
    let report = crate::diagnose(&facts);
    assert_ne!(report.verdict.status, Status::Healthy);
    let mut items = report.egress_endpoints.items.iter();
    let registry = items.find(|item| item.domain_name == "mcr.microsoft.com");
    for pool in &registry.expect("the registry").by_pool {
        assert_ne!(pool.verdict, TrafficVerdict::Allowed);
    }
}

#[test]
fn r1_62_a_public_api_server_is_reached_by_the_outbound_path_and_a_private_one_is_not() {
    let verdicts = |private: bool| {
        let mut facts = load_balancer();
        let api = &mut facts.cluster.api_server;
        api.private_cluster = Some(private);
        api.fqdn = Some("shop-1.hcp.westeurope.azmk8s.io".to_owned());
        deny_internet(&mut facts, "nodes", "443");
        let items = crate::diagnose(&facts).egress_endpoints.items.into_iter();
        let server = items.filter(|item| item.domain_name.contains(".hcp."));
        let pools = server.flat_map(|item| item.by_pool);
        pools.map(|pool| pool.verdict).collect::<Vec<_>>()
    };
    let public = verdicts(false);
    assert!(!public.is_empty());
    assert!(public.iter().all(|v| *v == TrafficVerdict::Blocked));
    assert_eq!(verdicts(true), []);
}

#[test]
fn r1_63_a_table_needs_a_default_route_to_an_appliance_or_a_gateway() {
    let with = |routes| {
        let mut facts = firewall_routing();
        route_table_mut(&mut facts).routes = routes;
        ["UDR101", "UDR102", "UDR103"].map(|code| fires(&facts, code))
    };
    let default = |hop, ip| vec![route("default", "0.0.0.0/0", hop, ip)];
    let fine = [false; 3];
    assert_eq!(
        with(default(NextHopType::VirtualAppliance, Some("10.1.0.4"))),
        fine
    );
    assert_eq!(
        with(default(NextHopType::VirtualNetworkGateway, None)),
        fine
    );
    assert_eq!(
        with(default(NextHopType::Internet, None)),
        [false, false, true]
    );
    assert_eq!(with(Vec::new()), [false, true, false]);
    let elsewhere = route("one", "20.0.0.0/8", NextHopType::Internet, None);
    assert_eq!(with(vec![elsewhere]), [false, true, false]);
    let mut facts = firewall_routing();
    subnet_mut(&mut facts, "nodes").route_table_id = None;
    assert!(fires(&facts, "UDR101"));
}

#[test]
fn r1_66_an_isolated_cluster_needs_neither_a_default_route_nor_a_load_balancer() {
    for word in ["none", "block"] {
        let mut facts = isolated();
        network_mut(&mut facts).outbound_type = Some(OutboundType::parse(word));
        facts.load_balancer = Datum::Absent;
        if word == "block" {
            // In a network that AKS manages.
            let group = subnet_id("nodes").resource_group().map(str::to_owned);
            facts.cluster.node_resource_group = group;
        }
        let report = crate::diagnose(&facts);
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
        assert!(codes.is_empty(), "{word}: {codes:?}");
        for code in ["UDR101", "UDR102", "OUT106", "OUT112"] {
            assert_eq!(
                status(&report, code),
                CheckStatus::NotApplicable,
                "{word}: {code}"
            );
        }
    }
}

#[test]
fn r1_67_an_isolated_cluster_without_cached_artifacts_cannot_bootstrap() {
    for word in ["none", "block"] {
        for source in ["Direct", "direct"] {
            let mut facts = isolated();
            network_mut(&mut facts).outbound_type = Some(OutboundType::parse(word));
            facts.cluster.artifact_source = Some(source.to_owned());
            assert_eq!(
                finding(&facts, "OUT114").severity,
                Critical,
                "{word} {source}"
            );
        }
    }
    let mut cached = isolated();
    cached.cluster.artifact_source = Some("CACHE".to_owned());
    assert!(!fires(&cached, "OUT114"));
    let mut open = load_balancer();
    open.cluster.artifact_source = Some("Direct".to_owned());
    assert!(!fires(&open, "OUT114"));
}

#[test]
fn r1_75_a_load_balancer_cluster_beside_a_nat_gateway_exists_and_leaves_by_the_gateway() {
    let mut facts = load_balancer();
    facts.nat_gateways = nat_gateway().nat_gateways;
    facts.public_ips.extend(nat_gateway().public_ips);
    subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
    assert_eq!(finding(&facts, "OUT104").severity, Severity::Medium);
    let paths = crate::diagnose(&facts).outbound.paths;
    assert!(paths.iter().all(|path| path.method == Method::NatGateway));
}

#[test]
fn r2_7_a_subnet_that_becomes_private_binds_running_nodes_only_once_they_are_deallocated() {
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    network_mut(&mut facts).outbound_type = Some(OutboundType::LoadBalancer);
    let rule = crate::rules::find("OUT112").expect("the rule");
    let found = outcome(rule, &facts);
    assert_eq!(codes(&found), ["OUT112"]);
    let text = &found.findings[0].explanation;
    assert!(text.contains("deallocated"), "{text}");
}

#[test]
fn r2_23_a_default_route_to_internet_takes_nothing_from_the_load_balancer() {
    for private in [None, Some(true), Some(false)] {
        let mut facts = load_balancer();
        route_table(
            &mut facts,
            vec![route("default", "0.0.0.0/0", NextHopType::Internet, None)],
        );
        // False is what makes a subnet private.
        subnet_mut(&mut facts, "nodes").default_outbound_access = private;
        let report = crate::diagnose(&facts);
        let worst = report.findings.iter().map(|f| f.severity).max();
        assert!(
            worst.is_none_or(|severity| severity == Severity::Info),
            "{worst:?}"
        );
        assert_eq!(report.outbound.paths[0].method, Method::LoadBalancer);
        assert_eq!(report.verdict.status, Status::Healthy);
    }
}

#[test]
fn t8_a_subnet_without_a_method_is_told_by_what_took_it_and_by_nothing_else() {
    let codes = |facts: &Facts| {
        let findings = crate::diagnose(facts).findings.into_iter();
        findings.map(|finding| finding.code).collect::<Vec<_>>()
    };
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    assert_eq!(codes(&facts), ["NAT101"]);
    let report = crate::diagnose(&facts);
    assert_eq!(status(&report, "OUT112"), CheckStatus::NotApplicable);
    let mut paths = report.outbound.paths.iter();
    let dropped = paths.find(|path| path.cause.is_some()).expect("a drop");
    assert_eq!(dropped.cause.as_deref(), Some("NAT101"));
    // The tables of two subnets fail for two reasons, and UDR103 alone stops nothing.
    let mut facts = split_pools(firewall_routing());
    let internet = route("default", "0.0.0.0/0", NextHopType::Internet, None);
    route_table_mut(&mut facts).routes = vec![internet];
    subnet_mut(&mut facts, "user").route_table_id = None;
    for code in ["UDR101", "UDR103"] {
        assert!(fires(&facts, code), "{code}");
    }
    let affected = finding(&facts, "OUT112").affected.node_pools;
    assert_eq!(affected, ["system", "user"]);
}
