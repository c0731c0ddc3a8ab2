//! Ports, addresses and timeouts of what translates (sections 1.3 and 1.4).

use super::fires;
use crate::facts::{Cause, Datum, Facts, Frontend, Id, PublicIpPrefix};
use crate::testing::*;

/// A prefix of the caller's of this length, among the facts; its id.
fn prefix(facts: &mut Facts, name: &str, text: &str) -> Id {
    let id = Id::new(format!(
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/publicIPPrefixes/{name}"
    ));
    let body = PublicIpPrefix {
        id: id.clone(),
        prefix: Some(text.to_owned()),
        length: None,
    };
    facts
        .public_ip_prefixes
        .insert(id.clone(), Datum::Known(body));
    id
}

fn addresses(facts: &Facts) -> Option<u32> {
    let snat = crate::diagnose(facts).snat;
    snat.capacity.expect("a capacity").public_ips
}

#[test]
fn r1_20_managed_and_own_addresses_and_prefixes_add_up() {
    let mut facts = load_balancer();
    let four = prefix(&mut facts, "own", "20.7.7.0/30");
    let profile = network_mut(&mut facts)
        .load_balancer_profile
        .as_mut()
        .expect("the profile");
    profile.outbound_ip_prefixes = vec![four.clone()];
    profile.effective_outbound_ips.push(four.clone());
    // As the load balancer has them.
    let balancer = lb_mut(&mut facts);
    let frontend = Id::new(format!("{}/frontendIPConfigurations/f2", lb_id()));
    balancer.frontends.push(Frontend {
        id: frontend.clone(),
        public_ip: None,
        public_ip_prefix: Some(four),
        private_ip: None,
    });
    balancer.outbound_rules[0].frontends.push(frontend);
    assert_eq!(addresses(&facts), Some(5));
    assert!(!fires(&facts, "OUT107"), "mixed addresses are no drift");
    // As the cluster lists them, where the load balancer cannot be read.
    facts.load_balancer = Datum::Failed {
        cause: Cause::Malformed,
        http_status: None,
        error_code: None,
    };
    assert_eq!(
        crate::context::Context::new(&facts).balancer_ips().ok(),
        Some(5),
        "all effectiveOutboundIPs"
    );
}

#[test]
fn r1_22_a_profile_without_numbers_means_automatic_ports_and_thirty_minutes() {
    let drifts = |ports, minutes| {
        let mut facts = load_balancer();
        let profile = network_mut(&mut facts).load_balancer_profile.as_mut();
        let profile = profile.expect("the profile");
        (
            profile.allocated_outbound_ports,
            profile.idle_timeout_minutes,
        ) = (None, None);
        let rule = &mut lb_mut(&mut facts).outbound_rules[0];
        (rule.allocated_outbound_ports, rule.idle_timeout_minutes) = (Some(ports), Some(minutes));
        fires(&facts, "OUT107")
    };
    assert!(!drifts(0, 30));
    assert!(drifts(1024, 30));
    assert!(drifts(0, 4));
}

#[test]
fn r1_32_the_nodes_of_every_pool_take_ports_of_the_one_outbound_pool() {
    let facts = load_balancer();
    let capacity = crate::diagnose(&facts).snat.capacity.expect("a capacity");
    assert_eq!(capacity.live_nodes, Some(5), "2 of system and 3 of user");
}

#[test]
fn r1_36_an_outbound_pool_without_a_node_translates_nothing() {
    let mut facts = load_balancer();
    assert!(!fires(&facts, "OUT106"));
    lb_mut(&mut facts).backend_pools[0].members = 0;
    assert!(fires(&facts, "OUT106"));
}

#[test]
fn r1_41_the_shortest_timeout_of_a_nat_gateway_is_its_default_of_four_minutes() {
    let failing = |minutes| {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").idle_timeout_minutes = Some(minutes);
        let failed = connections("Failed", &[42.0, 0.0, 7.0]);
        set_metric(&mut facts, &nat_id("ng1"), "SNATConnectionCount", failed);
        facts
    };
    assert!(!fires(&failing(4), "SNT109"));
    for minutes in [5, 120] {
        let facts = failing(minutes);
        let mut findings = crate::diagnose(&facts).findings.into_iter();
        let found = findings.find(|finding| finding.code == "SNT109");
        let remedy = found.expect("the finding").remediation.remove(0);
        assert!(
            remedy.commands[0].ends_with("--idle-timeout 4"),
            "{:?}",
            remedy.commands
        );
        assert!(
            remedy.undo[0].ends_with(&format!("--idle-timeout {minutes}")),
            "{:?}",
            remedy.undo
        );
    }
}
