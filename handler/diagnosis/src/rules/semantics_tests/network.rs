//! Next hops and firewalls (sections 3 and 5).

use super::fires;
use crate::facts::{Datum, Facts, HopOwner, NextHopType, Peering};
use crate::report::{FinalState, Method};
use crate::testing::*;

/// userDefinedRouting with a default route to this address, whose owner is not known.
fn to(ip: &str) -> Facts {
    let mut facts = firewall_routing();
    let default = route(
        "default",
        "0.0.0.0/0",
        NextHopType::VirtualAppliance,
        Some(ip),
    );
    route_table_mut(&mut facts).routes = vec![default];
    facts
}

#[test]
fn r3_8_an_appliance_is_reached_inside_the_network_and_its_peers_only() {
    // The network is 10.0.0.0/16 with nodes in 10.0.0.0/24, its one peer 10.1.0.0/16.
    for (ip, unreachable, among_nodes) in [
        ("10.1.0.4", false, false),
        ("10.0.200.4", false, false),
        ("10.0.0.200", false, true),
        ("10.2.0.4", true, false),
        ("192.168.0.4", true, false),
    ] {
        let facts = to(ip);
        assert_eq!(fires(&facts, "UDR104"), unreachable, "{ip}");
        assert_eq!(fires(&facts, "UDR105"), among_nodes, "{ip}");
    }
}

#[test]
fn r3_8_a_gateway_brings_no_appliance_within_reach() {
    let mut facts = to("172.16.0.4");
    with_gateway(&mut facts);
    vnet_mut(&mut facts).peerings.push(Peering {
        name: "transit".to_owned(),
        state: Some("Connected".to_owned()),
        remote: None,
        remote_address_prefixes: vec!["10.3.0.0/16".to_owned()],
        allow_forwarded_traffic: Some(true),
        allow_gateway_transit: Some(false),
        use_remote_gateways: Some(true),
    });
    assert!(fires(&facts, "UDR104"));
}

#[test]
fn r3_8_a_machine_forwards_only_with_forwarding_on_its_interface() {
    for (forwarding, state) in [
        (Some(true), FinalState::Forwarded),
        (Some(false), FinalState::Dropped),
    ] {
        let nic = HopOwner::VirtualMachineNic(hop_nic(forwarding, "running"));
        let facts = with_hop(Datum::Known(nic));
        assert_eq!(fires(&facts, "FWL101"), forwarding == Some(false));
        assert_eq!(crate::diagnose(&facts).outbound.paths[0].final_state, state);
    }
}

#[test]
fn r3_8_an_internal_load_balancer_may_be_the_next_hop() {
    let report = crate::diagnose(&balanced());
    assert_eq!(report.outbound.paths[0].method, Method::VirtualAppliance);
    assert!(report.findings.iter().all(|f| !f.blocks_egress));
}

#[test]
fn r5_31_every_address_of_a_firewall_is_one_that_the_internet_may_see() {
    let mut facts = firewalled();
    let first = facts.public_ips[&public_ip_id("fw-1")].clone();
    let mut second = first;
    if let Datum::Known(ip) = &mut second {
        ip.id = public_ip_id("fw-2");
        ip.address = Some("20.5.5.6".to_owned());
    }
    facts.public_ips.insert(public_ip_id("fw-2"), second);
    firewall_mut(&mut facts)
        .public_ip_ids
        .push(public_ip_id("fw-2"));
    let report = crate::diagnose(&facts);
    assert_eq!(
        report.outbound.paths[0].public_ips.as_deref(),
        Some(["20.5.5.5".to_owned(), "20.5.5.6".to_owned()].as_slice())
    );
    // Which one a connection gets is not documented: admitting one of two is not enough.
    facts.cluster.api_server.authorized_ip_ranges = vec!["20.5.5.5/32".to_owned()];
    assert!(fires(&facts, "API101"));
    let ranges = &mut facts.cluster.api_server.authorized_ip_ranges;
    ranges.push("20.5.5.6/32".to_owned());
    assert!(!fires(&facts, "API101"));
}

#[test]
fn r5_45_answers_that_leave_through_a_firewall_which_saw_no_request_are_dropped() {
    let mut facts = firewalled();
    assert!(!fires(&facts, "UDR107"));
    facts.load_balancer = load_balancer().load_balancer;
    facts.public_ips.extend(load_balancer().public_ips);
    lb_mut(&mut facts).outbound_rules.clear();
    assert!(fires(&facts, "UDR107"));
    // With the firewall in front, its own address has a way back.
    let back = route("back", "20.5.5.5/32", NextHopType::Internet, None);
    route_table_mut(&mut facts).routes.push(back);
    assert!(!fires(&facts, "UDR107"));
}
