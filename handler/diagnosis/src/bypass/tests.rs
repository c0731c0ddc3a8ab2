use super::*;
use crate::facts::{Datum, PublicIp};
use crate::testing::*;

fn plans(facts: &Facts, destination: Option<&str>) -> Bypass {
    let destination: Option<Destination> = destination.map(|text| text.parse().unwrap());
    bypass(facts, &crate::diagnose(facts), destination.as_ref())
}

fn only(facts: &Facts, destination: Option<&str>) -> BypassPlan {
    let found = plans(facts, destination);
    assert!(found.applicable, "{found:#?}");
    assert_eq!(found.plans.len(), 1);
    found.plans.into_iter().next().unwrap()
}

/// Type userDefinedRouting whose node subnet has a NAT gateway as well, so that there is a way past the appliance.
fn with_way_out() -> Facts {
    let mut facts = nat_gateway();
    facts.cluster.network.as_mut().unwrap().outbound_type =
        Some(crate::facts::OutboundType::UserDefinedRouting);
    with_firewall_route(facts)
}

#[test]
fn r9_8_the_default_route_is_replaced_and_brought_back_exactly() {
    let plan = only(&firewalled(), None);
    assert_eq!(plan.reach, PlanReach::AllDestinations);
    assert_eq!(
        plan.current_routes[0].next_hop_ip_address.as_deref(),
        Some("10.1.0.4")
    );
    assert_eq!(plan.commands.len(), 1);
    assert!(plan.commands[0].starts_with("az network route-table route create"));
    assert!(plan.commands[0].ends_with(
        "--route-table-name rt-egress --name default --address-prefix 0.0.0.0/0 --next-hop-type Internet"
    ));
    assert!(plan.undo[0].ends_with(
        "--name default --address-prefix 0.0.0.0/0 --next-hop-type VirtualAppliance --next-hop-ip-address 10.1.0.4"
    ));
    assert!(plan.before[0].starts_with("az network route-table route show"));
}

#[test]
fn r9_8_f_one_address_gets_a_route_of_its_own_and_loses_it_again() {
    let plan = only(&firewalled(), Some("20.1.2.3"));
    assert_eq!(plan.reach, PlanReach::OneDestination);
    assert_eq!(plan.current_routes, []);
    assert!(plan.commands[0].ends_with(
        "--name egress-bypass-test --address-prefix 20.1.2.3/32 --next-hop-type Internet"
    ));
    assert!(
        plan.undo[0].contains("route delete")
            && plan.undo[0].ends_with("--name egress-bypass-test")
    );
    assert_eq!(plan.test, ["curl -kIv --max-time 10 https://20.1.2.3:443/"]);
    // A name that is taken must not be replaced.
    let mut facts = firewalled();
    let own = route(
        "Egress-Bypass-Test",
        "20.9.9.9/32",
        NextHopType::Internet,
        None,
    );
    route_table_mut(&mut facts).routes.push(own);
    assert!(only(&facts, Some("20.1.2.3")).commands[0].contains("--name egress-bypass-test-2 "));
}

#[test]
fn a_host_leaves_the_address_to_a_person() {
    let plan = only(&firewalled(), Some("example.com:8443"));
    assert!(plan.commands[0].contains("--address-prefix ADDRESS/32"));
    assert!(plan.before.contains(&"nslookup example.com".to_owned()));
    assert_eq!(
        plan.test,
        ["curl -Iv --max-time 10 --resolve example.com:8443:ADDRESS https://example.com:8443/"]
    );
    assert!(
        plan.preconditions
            .iter()
            .any(|p| p.text.contains("ADDRESS"))
    );
}

#[test]
fn an_address_with_a_route_of_its_own_has_that_route_replaced() {
    let mut facts = firewalled();
    let own = route(
        "shop",
        "20.1.2.3/32",
        NextHopType::VirtualAppliance,
        Some("10.1.0.9"),
    );
    route_table_mut(&mut facts).routes.push(own);
    let plan = only(&facts, Some("20.1.2.3"));
    assert_eq!(plan.current_routes[0].name, "shop");
    assert!(plan.undo[0].ends_with("--next-hop-ip-address 10.1.0.9"));
}

#[test]
fn r2_52_both_halves_are_replaced_and_brought_back() {
    let mut facts = firewall_routing();
    let half = |name, prefix| {
        route(
            name,
            prefix,
            NextHopType::VirtualAppliance,
            Some("10.1.0.4"),
        )
    };
    route_table(
        &mut facts,
        vec![half("low", "0.0.0.0/1"), half("high", "128.0.0.0/1")],
    );
    let plan = only(&facts, None);
    assert_eq!((plan.commands.len(), plan.undo.len()), (2, 2));
    assert!(plan.commands[1].contains("--address-prefix 128.0.0.0/1"));
}

#[test]
fn r2_6_on_a_private_subnet_without_a_method_the_test_is_invalid() {
    let mut facts = firewalled();
    facts.load_balancer = Datum::Absent;
    subnet_mut(&mut facts, "nodes").default_outbound_access = Some(false);
    for destination in [None, Some("20.1.2.3")] {
        let plan = only(&facts, destination);
        assert_eq!(plan.validity, Validity::Invalid);
        assert_eq!(plan.preconditions[0].met, Some(false));
        assert!(plan.preconditions[0].text.contains("R2.6"));
        assert!(plan.proves.iter().any(|p| p.proves.starts_with("nothing:")));
        assert!(
            plan.side_effects[0].ends_with("at all"),
            "{:?}",
            plan.side_effects
        );
    }
    // Not private: default outbound access carries it, which is said.
    subnet_mut(&mut facts, "nodes").default_outbound_access = None;
    let plan = only(&facts, None);
    assert_eq!(plan.validity, Validity::Valid);
    assert!(
        plan.preconditions[0]
            .text
            .contains("default outbound access")
    );
    // Not known is not valid.
    facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
    assert_eq!(only(&facts, None).validity, Validity::Unknown);
}

#[test]
fn with_a_nat_gateway_the_test_is_valid() {
    let plan = only(&with_way_out(), None);
    assert_eq!(plan.validity, Validity::Valid);
    assert!(plan.preconditions[0].text.contains("NAT gateway"));
    assert!(
        plan.side_effects
            .iter()
            .any(|text| text.starts_with("Packets leave as "))
    );
    assert!(plan.preconditions.iter().any(|p| p.text.contains("R1.63")));
}

#[test]
fn r4_4_a_denying_group_makes_the_test_invalid() {
    let mut facts = with_way_out();
    deny_internet(&mut facts, "user", "443");
    assert_eq!(only(&facts, None).validity, Validity::Invalid);
    assert_eq!(only(&facts, Some("20.1.2.3")).validity, Validity::Invalid);
    // The rule is about another port.
    assert_eq!(only(&facts, Some("20.1.2.3:80")).validity, Validity::Valid);
}

#[test]
fn r9_8_what_the_whole_table_loses_meanwhile_is_said() {
    let plan = only(&with_way_out(), None);
    let effects = plan.side_effects.join("\n");
    for words in [
        "Nothing is inspected",
        "Open connections break",
        "Packets leave as 20.9.8.7",
    ] {
        assert!(effects.contains(words), "{words}: {effects}");
    }
    // AKS refuses its own operations while the default route leads to Internet; one address changes nothing for it.
    let refusal = |plan: &BypassPlan| plan.preconditions.iter().any(|p| p.text.contains("R1.63"));
    assert!(refusal(&plan));
    assert!(!refusal(&only(&with_way_out(), Some("20.1.2.3"))));
}

#[test]
fn r9_8_a_everybody_with_the_table_is_named() {
    let mut facts = firewalled();
    route_table_mut(&mut facts)
        .subnet_ids
        .push(subnet_id("databases"));
    let plan = only(&facts, None);
    let others: Vec<&PlanSubnet> = plan
        .subnets
        .iter()
        .filter(|s| s.node_pools.is_empty())
        .collect();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].id, subnet_id("databases"));
    assert!(
        plan.preconditions
            .iter()
            .any(|p| p.text.contains("databases"))
    );
}

#[test]
fn r1_88_r9_8_d_the_address_past_the_appliance_and_the_authorized_ranges() {
    let mut facts = with_way_out();
    let covered = |facts: &Facts| {
        let plan = only(facts, None);
        let ranges = plan
            .preconditions
            .iter()
            .find(|p| p.text.contains("authorized ranges"));
        ranges.map(|p| p.met)
    };
    assert_eq!(covered(&facts), None);
    facts.cluster.api_server.authorized_ip_ranges = vec!["198.51.100.0/24".to_owned()];
    assert_eq!(covered(&facts), Some(Some(false)));
    facts.cluster.api_server.authorized_ip_ranges = vec!["0.0.0.0/0".to_owned()];
    assert_eq!(covered(&facts), Some(Some(true)));
    // One destination leaves the API server's path alone.
    let plan = only(&facts, Some("20.1.2.3"));
    assert!(
        !plan
            .preconditions
            .iter()
            .any(|p| p.text.contains("authorized ranges"))
    );
    for ip in facts.public_ips.values_mut() {
        *ip = Datum::<PublicIp>::not_asked("test");
    }
    assert_eq!(covered(&facts), Some(None));
}

#[test]
fn not_applicable_with_the_reason() {
    let reason = |facts: &Facts, destination: Option<&str>| {
        let found = plans(facts, destination);
        assert!(!found.applicable && found.plans.is_empty());
        found.reason.unwrap()
    };
    assert!(reason(&load_balancer(), None).contains("no route table"));
    assert!(reason(&isolated(), None).contains("wants no way"));
    assert!(reason(&firewalled(), Some("10.9.9.9")).contains("no public address"));
    let mut to_internet = firewall_routing();
    route_table(
        &mut to_internet,
        vec![route("default", "0.0.0.0/0", NextHopType::Internet, None)],
    );
    assert!(reason(&to_internet, None).contains("not to an appliance"));
    let mut unread = firewall_routing();
    unread.route_tables.insert(route_table_id(), denied("x"));
    assert!(reason(&unread, None).contains("could not be read"));
    // This destination does not go through the appliance.
    let mut direct = firewalled();
    let own = route("shop", "20.1.0.0/16", NextHopType::Internet, None);
    route_table_mut(&mut direct).routes.push(own);
    assert!(reason(&direct, Some("20.1.2.3")).contains("20.1.2.3"));
}

#[test]
fn hostile_names_stay_in_their_argument() {
    let mut facts = firewall_routing();
    let evil = "x; rm -rf ~";
    route_table(
        &mut facts,
        vec![route(
            evil,
            "0.0.0.0/0",
            NextHopType::VirtualAppliance,
            Some("10.1.0.4"),
        )],
    );
    let plan = only(&facts, None);
    for command in plan.commands.iter().chain(&plan.undo).chain(&plan.before) {
        assert!(command.contains("'x; rm -rf ~'"), "{command}");
    }
}
