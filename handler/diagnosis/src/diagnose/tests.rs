//! Whole reports of whole clusters.

use super::*;
use crate::facts::{Datum, NextHopType, PowerState};
use crate::report::{CheckStatus, GapCause, Method, Pattern, Status};
use crate::snat::usage::{LB_CONNECTIONS, LB_USED};
use crate::testing::*;

fn check<'r>(report: &'r Report, id: &str) -> &'r Check {
    report.checks.iter().find(|c| c.id == id).unwrap()
}

#[test]
fn healthy_clusters_are_healthy_and_raise_nothing_above_info() {
    for facts in [load_balancer(), nat_gateway(), kubenet(), isolated()] {
        let report = diagnose(&facts);
        let declared = report.outbound.declared_type.clone();
        assert_eq!(
            report.verdict.status,
            Status::Healthy,
            "{declared:?}: {:#?}",
            report.checks
        );
        assert_eq!(report.verdict.pattern, Pattern::None);
        assert!(report.verdict.complete && report.gaps.is_empty());
        assert_eq!(report.findings, []);
        assert_eq!(report.outbound.agrees_with_actual, Some(true));
    }
}

#[test]
fn the_headline_names_the_way_out() {
    assert_eq!(
        diagnose(&load_balancer()).verdict.headline,
        "Every node pool of shop leaves through load balancer kubernetes (20.1.2.3), and no SNAT connection failed in the window."
    );
    let nat = diagnose(&nat_gateway());
    assert!(nat.verdict.headline.contains("NAT gateway ng1 (20.9.8.7)"));
    assert_eq!(nat.outbound.paths[0].method, Method::NatGateway);
}

#[test]
fn routing_through_an_appliance_that_was_not_found_is_unknown_and_says_so() {
    let report = diagnose(&firewall_routing());
    assert_eq!(report.verdict.status, Status::Unknown);
    assert!(
        report.verdict.headline.contains("next hop 10.1.0.4"),
        "{}",
        report.verdict.headline
    );
    assert_eq!(check(&report, "path-firewall").status, CheckStatus::Unknown);
    assert!(
        check(&report, "path-firewall")
            .reason
            .as_ref()
            .unwrap()
            .contains("10.1.0.4")
    );
    assert!(!report.verdict.complete);
}

#[test]
fn what_is_not_evaluated_is_never_healthy() {
    let mut gateway = load_balancer();
    if let Some(Datum::Known(network)) = gateway.virtual_networks.get_mut(&vnet_id()) {
        network.subnet_ids.push(subnet_id("gatewaysubnet"));
    }
    let mut no_type = load_balancer();
    network_mut(&mut no_type).outbound_type = None;
    let mut no_cache = isolated();
    no_cache.cluster.artifact_source = None;
    for (what, facts) in [
        ("gateway", gateway),
        ("no type", no_type),
        ("isolated without cache", no_cache),
    ] {
        assert_eq!(diagnose(&facts).verdict.status, Status::Unknown, "{what}");
    }
}

#[test]
fn r1_80_only_routes_of_the_pod_range_to_nodes_are_pod_routes() {
    let facts = kubenet();
    for (prefix, hop, expected) in [
        ("10.244.3.0/24", NODE_1, true),
        ("10.244.3.0/24", "10.9.9.9", false),
        ("0.0.0.0/0", NODE_1, false),
        ("Internet", NODE_1, false),
    ] {
        let route = route("r", prefix, NextHopType::VirtualAppliance, Some(hop));
        assert_eq!(
            crate::path::is_pod_route(&facts, &route),
            expected,
            "{prefix} {hop}"
        );
    }
}

#[test]
fn a_blocker_is_persistent_and_decides_the_headline() {
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    let report = diagnose(&facts);
    assert_eq!(report.verdict.status, Status::Blocked);
    assert_eq!(report.verdict.pattern, Pattern::Persistent);
    assert!(
        report
            .verdict
            .headline
            .starts_with("Node pool user cannot reach the internet")
    );
    assert_eq!(report.outbound.agrees_with_actual, Some(false));
}

#[test]
fn failed_connections_degrade_and_are_intermittent() {
    let mut facts = load_balancer();
    set_metric(
        &mut facts,
        &lb_id(),
        LB_CONNECTIONS,
        connections("Failed", &[5.0, 0.0, 0.0, 0.0, 0.0, 5.0]),
    );
    set_metric(
        &mut facts,
        &lb_id(),
        LB_USED,
        port_series(&[(NODE_1, &[1024.0; 6])]),
    );
    let report = diagnose(&facts);
    assert_eq!(report.verdict.status, Status::Degraded);
    assert_eq!(report.verdict.pattern, Pattern::Intermittent);
    assert_eq!(
        (report.snat.failed_connections, report.snat.failed_windows),
        (Some(10), Some(2))
    );
    let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["SNT101", "SNT102", "SNT109"]);
    let advice = report.snat.recommendation.unwrap();
    assert_eq!(
        (advice.ports_per_node, advice.public_ips),
        (Some(1368), Some(1))
    );
}

#[test]
fn figures_of_a_healthy_load_balancer() {
    let snat = diagnose(&load_balancer()).snat;
    assert_eq!(
        (snat.allocated_per_node, snat.used_peak),
        (Some(1024), Some(80))
    );
    assert_eq!(snat.utilization_peak, Some(80.0 / 1024.0));
    let capacity = snat.capacity.unwrap();
    assert_eq!(
        (capacity.public_ips, capacity.total_ports),
        (Some(1), Some(64_000))
    );
    assert_eq!(
        (
            capacity.live_nodes,
            capacity.max_nodes,
            capacity.surge_nodes
        ),
        (Some(5), Some(5), Some(2))
    );
    assert_eq!(
        (capacity.required_ports, capacity.fits),
        (Some(7 * 1024), Some(true))
    );
    assert_eq!(snat.recommendation, None);
}

#[test]
fn no_rights_on_the_node_resource_group_is_unknown_with_one_gap_each() {
    let mut facts = load_balancer();
    facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
    facts.scale_sets = denied("Microsoft.Compute/virtualMachineScaleSets/read");
    facts.public_ips.insert(
        public_ip_id("lb-1"),
        denied("Microsoft.Network/publicIPAddresses/read"),
    );
    facts.metrics.clear();
    let report = diagnose(&facts);
    assert_eq!(report.verdict.status, Status::Unknown);
    assert_eq!(report.findings, []);
    let gap = report
        .gaps
        .iter()
        .find(|g| g.what == "load balancer kubernetes")
        .unwrap();
    assert_eq!(gap.cause, GapCause::Forbidden);
    assert_eq!(
        gap.needs.as_ref().unwrap().action,
        "Microsoft.Network/loadBalancers/read"
    );
    assert!(gap.checks.contains(&"OUT106".to_owned()) && gap.checks.contains(&"SNT101".to_owned()));
    let mut names: Vec<&str> = report.gaps.iter().map(|g| g.what.as_str()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "each datum once");
    assert!(
        report
            .next_steps
            .iter()
            .any(|s| s.contains("Microsoft.Network/loadBalancers/read"))
    );
}

#[test]
fn a_stopped_cluster_keeps_its_path_checks_and_drops_its_metric_checks() {
    let mut facts = load_balancer();
    facts.cluster.power_state = Some(PowerState::Stopped);
    facts.metrics.clear();
    let report = diagnose(&facts);
    assert_eq!(report.verdict.status, Status::Degraded);
    assert_eq!(check(&report, "OUT106").status, CheckStatus::Passed);
    assert_eq!(check(&report, "SNT101").status, CheckStatus::NotApplicable);
    assert!(report.verdict.headline.contains("not running"));
}

#[test]
fn no_traffic_is_not_shown_beside_its_cause() {
    let mut facts = nat_gateway();
    nat_mut(&mut facts, "ng1").public_ips.clear();
    set_metric(
        &mut facts,
        &nat_id("ng1"),
        crate::snat::usage::NAT_CONNECTIONS,
        connections("Attempted", &[]),
    );
    let report = diagnose(&facts);
    let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["NAT102"]);
    assert!(
        check(&report, "SNT108")
            .reason
            .as_ref()
            .unwrap()
            .contains("NAT102")
    );
}

#[test]
fn nothing_readable_is_unknown_and_does_not_panic() {
    let mut facts = load_balancer();
    facts.cluster.network = None;
    facts.cluster.power_state = None;
    facts.cluster.provisioning_state = None;
    facts.agent_pools = Datum::not_asked("test");
    facts.load_balancer = Datum::not_asked("test");
    facts.scale_sets = Datum::not_asked("test");
    facts.pool_subnets.clear();
    facts.subnets.clear();
    facts.virtual_networks.clear();
    facts.public_ips.clear();
    facts.metrics.clear();
    let report = diagnose(&facts);
    assert_eq!(report.verdict.status, Status::Unknown);
    assert_eq!(report.findings, []);
    assert_eq!(report.outbound.agrees_with_actual, None);
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    for facts in [load_balancer(), nat_gateway(), firewall_routing()] {
        let once = serde_json::to_string(&diagnose(&facts)).unwrap();
        let again = serde_json::to_string(&diagnose(&facts.clone())).unwrap();
        assert_eq!(once, again);
    }
}

fn steps(report: &Report) -> Vec<(crate::report::StepKind, &str)> {
    let path = &report.outbound.paths[0];
    path.steps
        .iter()
        .map(|step| (step.kind, step.decision.as_str()))
        .collect()
}

#[test]
fn the_walk_through_an_appliance_ends_forwarded_and_names_the_route() {
    use crate::report::{FinalState, StepKind};
    let report = diagnose(&firewall_routing());
    let path = &report.outbound.paths[0];
    assert_eq!(
        steps(&report)[1..],
        [
            (StepKind::Route, "VirtualAppliance 10.1.0.4"),
            (StepKind::Hop, "VirtualAppliance 10.1.0.4"),
            (StepKind::Final, "forwarded"),
        ]
    );
    assert_eq!(path.final_state, FinalState::Forwarded);
    assert_eq!(path.next_hop.route_name.as_deref(), Some("default"));
    assert_eq!(path.next_hop.ip_address.as_deref(), Some("10.1.0.4"));
    assert_eq!(
        path.public_ips, None,
        "the appliance's address is not known"
    );
}

#[test]
fn r4_30_a_security_group_that_denies_443_drops_the_packet_and_the_step_names_its_rule() {
    use crate::report::{FinalState, StepKind};
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "443");
    let report = diagnose(&facts);
    let path = &report.outbound.paths[0];
    assert_eq!(path.final_state, FinalState::Dropped);
    assert_eq!(path.method, Method::LoadBalancer, "what would carry it");
    let step = path.steps.iter().find(|s| s.kind == StepKind::Nsg).unwrap();
    assert_eq!(step.decision, "denied");
    assert_eq!(step.resource_id, Some(nsg_id("nsg")));
    assert!(
        step.why
            .contains("rule no-internet (priority 200, subnet level) denies"),
        "{}",
        step.why
    );
    // Another port leaves 443 open.
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "25");
    let report = diagnose(&facts);
    assert_eq!(report.outbound.paths[0].final_state, FinalState::Delivered);
}

#[test]
fn an_unread_security_group_leaves_the_end_undetermined() {
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "25");
    facts.nsgs.clear();
    let report = diagnose(&facts);
    let path = &report.outbound.paths[0];
    assert_eq!(path.final_state, crate::report::FinalState::Undetermined);
    assert_ne!(report.verdict.status, Status::Healthy);
}

#[test]
fn an_unreachable_hop_drops_and_gives_the_cause() {
    let mut facts = firewall_routing();
    route_table_mut(&mut facts).routes[0].next_hop_ip = Some("172.20.0.4".into());
    let report = diagnose(&facts);
    let path = &report.outbound.paths[0];
    assert_eq!(path.final_state, crate::report::FinalState::Dropped);
    assert_eq!(path.cause.as_deref(), Some("UDR104"));
    assert_eq!(report.verdict.status, Status::Blocked);
}

#[test]
fn a_user_default_decides_whatever_a_gateway_announces() {
    let mut facts = with_firewall_route(load_balancer());
    with_gateway(&mut facts);
    let report = diagnose(&facts);
    assert_eq!(report.outbound.paths[0].method, Method::VirtualAppliance);
    // A network that could not be read does not matter either.
    facts
        .virtual_networks
        .insert(vnet_id(), Datum::not_asked("test"));
    let report = diagnose(&facts);
    assert_eq!(report.outbound.paths[0].method, Method::VirtualAppliance);
    assert!(report.findings.iter().any(|f| f.code == "OUT102"));
}
