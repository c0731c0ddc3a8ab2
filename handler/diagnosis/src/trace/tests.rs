use super::*;
use crate::facts::Access::{Allow, Deny};
use crate::facts::{
    ApplicationRule, ApplicationTarget, Datum, Id, NetworkRule, NextHopType, Peering, RuleAction,
    RuleCollectionRules,
};
use crate::report::{FinalState, Method};
use crate::testing::*;

fn asked(facts: &Facts, destination: &str) -> Vec<TracedPath> {
    let destination = destination.parse().expect("a destination");
    trace(facts, &crate::diagnose(facts), &destination).paths
}

fn one(facts: &Facts, destination: &str) -> TracedPath {
    let mut paths = asked(facts, destination);
    assert_eq!(paths.len(), 1, "{paths:#?}");
    paths.remove(0)
}

fn kinds(path: &TracedPath) -> Vec<TraceStepKind> {
    path.steps.iter().map(|step| step.kind).collect()
}

fn step(path: &TracedPath, kind: TraceStepKind) -> &TraceStep {
    path.steps.iter().find(|s| s.kind == kind).expect("a step")
}

fn app_rule(name: &str, hosts: &[&str], protocol: &str, port: u16) -> ApplicationRule {
    ApplicationRule {
        name: name.to_owned(),
        protocols: vec![(protocol.to_owned(), Some(port))],
        sources: vec!["*".to_owned()],
        targets: hosts
            .iter()
            .map(|host| ApplicationTarget::Fqdn((*host).to_owned()))
            .collect(),
        ..ApplicationRule::default()
    }
}

fn network_rule(name: &str, destinations: &[&str], ports: &[&str]) -> NetworkRule {
    let texts = |all: &[&str]| all.iter().map(|&t| t.to_owned()).collect();
    NetworkRule {
        name: name.to_owned(),
        protocols: vec!["TCP".to_owned()],
        sources: vec!["*".to_owned()],
        destinations: texts(destinations),
        destination_ports: texts(ports),
        ..NetworkRule::default()
    }
}

#[test]
fn delivered_through_the_load_balancer_step_by_step() {
    use TraceStepKind as K;
    for destination in [
        "mcr.microsoft.com",
        "203.0.114.7:8080/tcp",
        "8.8.8.8:53/udp",
    ] {
        let path = one(&load_balancer(), destination);
        assert_eq!(path.final_state, FinalState::Delivered, "{path:#?}");
        assert_eq!(
            kinds(&path),
            [K::Start, K::Nsg, K::Nsg, K::Route, K::Snat, K::Final]
        );
        assert_eq!(path.method, Method::LoadBalancer);
        assert_eq!(path.next_hop.hop_type, "Internet");
        assert_eq!(path.cause, None);
        assert!(path.public_ips.is_some_and(|ips| !ips.is_empty()));
        assert_eq!(path.decided_by.unwrap().resource_id, Some(lb_id()));
    }
}

#[test]
fn r4_4_the_rule_that_denies_exactly_this_address_is_named() {
    let mut facts = load_balancer();
    let rules = vec![security_rule(
        "no-shop",
        200,
        Deny,
        "Tcp",
        "203.0.113.0/24",
        "443",
    )];
    subnet_nsg(&mut facts, "nodes", rules);
    let path = one(&facts, "203.0.113.7");
    assert_eq!(path.final_state, FinalState::Dropped);
    let by = path.decided_by.clone().unwrap();
    assert_eq!(by.resource_id, Some(nsg_id("nsg-nodes")));
    assert_eq!(
        (by.rule.as_deref(), by.priority),
        (Some("no-shop"), Some(200))
    );
    // The later steps are shown all the same.
    assert_eq!(step(&path, TraceStepKind::Route).decision, "Internet");
    // Another port, another protocol, an address beside it.
    for open in ["203.0.113.7:80", "203.0.113.7:443/udp", "203.0.114.7"] {
        assert_eq!(
            one(&facts, open).final_state,
            FinalState::Delivered,
            "{open}"
        );
    }
    // A host may or may not have such an address.
    let host = one(&facts, "shop.example.com");
    assert_eq!(host.final_state, FinalState::Undetermined);
}

#[test]
fn a_host_is_undetermined_where_rules_split_the_internet() {
    let mut facts = load_balancer();
    let rules = vec![security_rule(
        "no-shop",
        200,
        Deny,
        "Tcp",
        "20.0.0.0/8",
        "443",
    )];
    subnet_nsg(&mut facts, "nodes", rules);
    assert_eq!(one(&facts, "20.1.2.3").final_state, FinalState::Dropped);
    assert_eq!(one(&facts, "21.1.2.3").final_state, FinalState::Delivered);
    let host = one(&facts, "shop.example.com");
    assert_eq!(host.final_state, FinalState::Undetermined);
    assert_eq!(host.decided_by, None);
    assert!(host.notes.iter().any(|note| note.contains("not known")));
}

#[test]
fn a_drop_by_a_found_rule_has_its_code() {
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "443");
    let report = crate::diagnose(&facts);
    let code = report
        .findings
        .iter()
        .find(|finding| finding.blocks_egress)
        .map(|finding| finding.code.clone());
    assert!(code.as_deref().is_some_and(|code| code.starts_with("NSG")));
    for destination in ["example.com", "8.8.8.8"] {
        let path = one(&facts, destination);
        assert_eq!(path.final_state, FinalState::Dropped, "{destination}");
        assert_eq!(path.cause, code, "{destination}");
    }
    let open = one(&facts, "8.8.8.8:80");
    assert_eq!(
        (open.final_state, open.cause),
        (FinalState::Delivered, None)
    );
}

#[test]
fn pools_with_their_own_groups_have_their_own_paths() {
    let mut facts = load_balancer();
    let rules = vec![security_rule("deny", 200, Deny, "*", "Internet", "*")];
    nic_nsg(&mut facts, "user", rules);
    let paths = asked(&facts, "mcr.microsoft.com");
    let states: Vec<_> = paths
        .iter()
        .map(|path| (path.node_pools.join(","), path.final_state))
        .collect();
    assert_eq!(
        states,
        [
            ("system".to_owned(), FinalState::Delivered),
            ("user".to_owned(), FinalState::Dropped)
        ]
    );
}

#[test]
fn r4_18_a_service_tag_that_nobody_knows_leaves_it_undetermined() {
    let mut facts = load_balancer();
    let rules = vec![
        security_rule("sql", 100, Allow, "Tcp", "Sql", "1433"),
        security_rule("deny", 200, Deny, "*", "Internet", "*"),
    ];
    subnet_nsg(&mut facts, "nodes", rules);
    assert_eq!(
        one(&facts, "20.1.2.3:1433").final_state,
        FinalState::Undetermined
    );
    assert_eq!(one(&facts, "20.1.2.3:443").final_state, FinalState::Dropped);
    // An unread group is never passed.
    facts.nsgs.insert(nsg_id("nsg-nodes"), denied("x"));
    assert_eq!(
        one(&facts, "20.1.2.3:443").final_state,
        FinalState::Undetermined
    );
}

#[test]
fn r4_10_the_platform_is_reached_past_routes_and_ordinary_rules() {
    let mut facts = with_firewall_route(load_balancer());
    let rules = vec![security_rule("no-dns", 100, Deny, "Udp", "*", "53")];
    subnet_nsg(&mut facts, "nodes", rules);
    let dns = one(&facts, "168.63.129.16:53/udp");
    assert_eq!(dns.final_state, FinalState::Delivered);
    assert_eq!(step(&dns, TraceStepKind::Route).decision, "host");
    let tag = vec![security_rule(
        "no-dns",
        100,
        Deny,
        "*",
        "AzurePlatformDNS",
        "*",
    )];
    subnet_nsg(&mut facts, "nodes", tag);
    assert_eq!(
        one(&facts, "168.63.129.16:53/udp").final_state,
        FinalState::Dropped
    );
}

#[test]
fn r3_1_the_longest_prefix_decides_for_an_address() {
    let mut facts = firewall_routing();
    subnet_mut(&mut facts, "nodes").default_outbound_access = None;
    route_table(
        &mut facts,
        vec![
            route(
                "default",
                "0.0.0.0/0",
                NextHopType::VirtualAppliance,
                Some("10.1.0.4"),
            ),
            route("direct", "20.0.0.0/8", NextHopType::Internet, None),
            route("hole", "20.40.0.0/16", NextHopType::None, None),
        ],
    );
    let hop = |destination: &str| {
        let path = one(&facts, destination);
        (path.next_hop.hop_type, path.final_state)
    };
    assert_eq!(
        hop("8.8.8.8"),
        ("VirtualAppliance".to_owned(), FinalState::Forwarded)
    );
    assert_eq!(
        hop("20.1.1.1"),
        ("Internet".to_owned(), FinalState::Delivered)
    );
    assert_eq!(hop("20.40.1.1"), ("None".to_owned(), FinalState::Dropped));
    let dropped = one(&facts, "20.40.1.1");
    let by = dropped.decided_by.unwrap();
    assert_eq!(by.resource_id, Some(route_table_id()));
    assert_eq!(by.rule.as_deref(), Some("hole"));
    // A host may be on any of the three.
    assert_eq!(
        one(&facts, "example.com").final_state,
        FinalState::Undetermined
    );
}

#[test]
fn r2_35_a_default_route_to_none_drops_with_the_findings_code() {
    let mut facts = firewall_routing();
    route_table(
        &mut facts,
        vec![route("default", "0.0.0.0/0", NextHopType::None, None)],
    );
    for destination in ["8.8.8.8", "example.com"] {
        let path = one(&facts, destination);
        assert_eq!(path.final_state, FinalState::Dropped);
        assert_eq!(path.cause.as_deref(), Some("OUT101"));
    }
}

#[test]
fn inside_the_network_and_beyond_a_peering_is_forwarded() {
    let mut facts = load_balancer();
    vnet_mut(&mut facts).peerings.push(Peering {
        name: "to-hub".to_owned(),
        state: Some("Connected".to_owned()),
        remote: None,
        remote_address_prefixes: vec!["10.1.0.0/16".to_owned()],
        allow_forwarded_traffic: None,
        allow_gateway_transit: None,
        use_remote_gateways: Some(false),
    });
    let own = one(&facts, "10.0.0.200:443");
    assert_eq!(
        (own.final_state, own.next_hop.hop_type.as_str()),
        (FinalState::Forwarded, "VnetLocal")
    );
    assert_eq!(
        one(&facts, "10.1.0.9:443").final_state,
        FinalState::Forwarded
    );
    // A private range that nobody uses (R3.3).
    assert_eq!(
        one(&facts, "172.16.0.9:443").final_state,
        FinalState::Dropped
    );
}

#[test]
fn r3_4_a_service_endpoint_passes_the_appliance() {
    let mut facts = firewalled();
    subnet_mut(&mut facts, "nodes").service_endpoints = vec![crate::facts::ServiceEndpoint {
        service: "Microsoft.Storage".to_owned(),
        locations: vec!["westeurope".to_owned()],
    }];
    // Whether the address is Storage's is not known: through the endpoint it arrives, through the firewall it does not.
    let path = one(&facts, "20.1.2.3");
    assert_eq!(path.final_state, FinalState::Undetermined);
    assert!(step(&path, TraceStepKind::Route).why.contains("Storage"));
}

#[test]
fn r5_21_the_firewalls_rules_decide_for_a_host() {
    use TraceStepKind as K;
    let allowed = one(&firewalled(), "mcr.microsoft.com");
    assert_eq!(allowed.method, Method::AzureFirewall);
    assert_eq!(step(&allowed, K::Firewall).decision, "allowed");
    assert!(step(&allowed, K::Firewall).why.contains("rule aks"));
    assert_eq!(
        kinds(&allowed),
        [
            K::Start,
            K::Nsg,
            K::Nsg,
            K::Route,
            K::Hop,
            K::Firewall,
            K::Snat,
            K::Final
        ]
    );
    let denied = one(&firewalled(), "example.com");
    assert_eq!(denied.final_state, FinalState::Dropped);
    assert_eq!(denied.cause, None, "no finding is about this host");
    let by = denied.decided_by.unwrap();
    assert_eq!((by.resource_id, by.rule), (Some(firewall_id()), None));
    // Application rules are not asked for other protocols.
    assert_eq!(
        one(&firewalled(), "mcr.microsoft.com:443/udp").final_state,
        FinalState::Dropped
    );
}

#[test]
fn delivered_only_when_the_firewalls_own_subnet_is_known_to_lead_out() {
    let mut facts = firewalled();
    let delivered = one(&facts, "mcr.microsoft.com");
    assert_eq!(delivered.final_state, FinalState::Delivered);
    assert_eq!(delivered.public_ips, Some(vec!["20.5.5.5".to_owned()]));
    let Some(Datum::Known(mut subnet)) = facts.subnets.remove(&firewall_subnet_id()) else {
        panic!("the firewall's subnet")
    };
    assert_eq!(
        one(&facts, "mcr.microsoft.com").final_state,
        FinalState::Forwarded
    );
    subnet.route_table_id = Some(route_table_id());
    facts
        .subnets
        .insert(firewall_subnet_id(), Datum::Known(subnet));
    assert_eq!(
        one(&facts, "mcr.microsoft.com").final_state,
        FinalState::Forwarded
    );
    // One that leads nowhere but out takes nothing elsewhere. The pools need theirs, so it is another one.
    let own = Id::new(format!("{}-own", route_table_id()));
    let out = route("out", "0.0.0.0/0", NextHopType::Internet, None);
    let mut table = route_table_mut(&mut facts).clone();
    (table.id, table.routes) = (own.clone(), vec![out]);
    facts.route_tables.insert(own.clone(), Datum::Known(table));
    if let Some(Datum::Known(subnet)) = facts.subnets.get_mut(&firewall_subnet_id()) {
        subnet.route_table_id = Some(own);
    }
    assert_eq!(
        one(&facts, "mcr.microsoft.com").final_state,
        FinalState::Delivered
    );
}

#[test]
fn r5_4_a_network_denial_comes_before_an_application_allowance() {
    let mut facts = firewalled();
    let rules = RuleCollectionRules {
        network: vec![network_rule("no-443", &["*"], &["443"])],
        ..RuleCollectionRules::default()
    };
    firewall_rules(&mut facts, RuleAction::Deny, rules);
    let path = one(&facts, "mcr.microsoft.com");
    assert_eq!(path.final_state, FinalState::Dropped);
    let by = path.decided_by.clone().unwrap();
    assert_eq!(
        (by.rule.as_deref(), by.priority),
        (Some("no-443"), Some(300))
    );
    assert_eq!(path.cause.as_deref(), Some("FWL108"));
}

#[test]
fn r5_10_an_address_is_judged_by_network_rules() {
    let mut facts = firewalled();
    let rules = RuleCollectionRules {
        network: vec![network_rule("api", &["20.1.2.3"], &["443"])],
        application: vec![app_rule("all", &["*"], "Https", 443)],
        ..RuleCollectionRules::default()
    };
    firewall_rules(&mut facts, RuleAction::Allow, rules);
    assert_eq!(one(&facts, "20.1.2.3").final_state, FinalState::Delivered);
    let other = one(&facts, "20.1.2.4");
    assert_eq!(other.final_state, FinalState::Dropped);
    assert!(other.notes.iter().any(|n| n.contains("host name")));
    assert_eq!(
        one(&facts, "example.com").final_state,
        FinalState::Delivered
    );
}

#[test]
fn a_port_that_does_not_say_what_is_spoken_stays_open_where_it_matters() {
    let mut facts = firewalled();
    let rules = RuleCollectionRules {
        application: vec![app_rule("tls", &["example.com"], "Https", 8443)],
        ..RuleCollectionRules::default()
    };
    firewall_rules(&mut facts, RuleAction::Allow, rules);
    let path = one(&facts, "example.com:8443");
    assert_eq!(path.final_state, FinalState::Undetermined);
    assert!(path.steps.last().unwrap().why.contains("spoken"));
    // Nothing allows this one, whatever is spoken.
    assert_eq!(
        one(&facts, "example.org:8443").final_state,
        FinalState::Dropped
    );
}

#[test]
fn an_unread_policy_denies_and_allows_nothing() {
    let mut facts = firewalled();
    facts
        .rule_collection_groups
        .insert(policy_id(), denied("x"));
    for destination in ["mcr.microsoft.com", "example.com", "20.1.2.3"] {
        let path = one(&facts, destination);
        assert_eq!(path.final_state, FinalState::Undetermined, "{destination}");
        assert_eq!(path.cause, None);
    }
    let unread = with_hop(Datum::not_asked("test"));
    assert_eq!(
        one(&unread, "example.com").final_state,
        FinalState::Forwarded
    );
}

#[test]
fn r2_38_an_appliance_that_does_not_forward_drops() {
    let nic = hop_nic(Some(false), "running");
    let facts = with_hop(Datum::Known(crate::facts::HopOwner::VirtualMachineNic(nic)));
    let path = one(&facts, "example.com");
    assert_eq!(path.final_state, FinalState::Dropped);
    assert_eq!(path.cause.as_deref(), Some("FWL101"));
    let nic = hop_nic(Some(true), "running");
    let facts = with_hop(Datum::Known(crate::facts::HopOwner::VirtualMachineNic(nic)));
    assert_eq!(
        one(&facts, "example.com").final_state,
        FinalState::Forwarded
    );
}

#[test]
fn r2_6_a_private_subnet_without_a_method_drops_all_but_storage() {
    let mut facts = load_balancer();
    facts.load_balancer = Datum::Absent;
    subnet_mut(&mut facts, "nodes").default_outbound_access = Some(false);
    let path = one(&facts, "example.com");
    assert_eq!(path.final_state, FinalState::Dropped);
    assert_eq!(path.cause.as_deref(), Some("OUT106"));
    let storage = one(&facts, "shop.blob.core.windows.net");
    assert_eq!(storage.final_state, FinalState::Undetermined);
}

#[test]
fn r2_5_an_unread_load_balancer_is_no_delivery() {
    let mut facts = load_balancer();
    facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
    assert_eq!(one(&facts, "8.8.8.8").final_state, FinalState::Undetermined);
    facts.virtual_networks.clear();
    assert_eq!(one(&facts, "8.8.8.8").final_state, FinalState::Undetermined);
}

#[test]
fn ipv6_is_never_guessed() {
    let facts = load_balancer();
    let path = one(&facts, "[2603:1030::1]:443");
    assert_eq!(path.final_state, FinalState::Dropped);
    assert!(path.steps.last().unwrap().why.contains("no IPv6 addresses"));
    let mut dual = load_balancer();
    vnet_mut(&mut dual)
        .address_prefixes
        .push("fd00::/48".to_owned());
    subnet_mut(&mut dual, "nodes")
        .address_prefixes
        .push("fd00::/64".to_owned());
    assert_eq!(
        one(&dual, "[2603:1030::1]:443").final_state,
        FinalState::Undetermined
    );
}

#[test]
fn a_gateway_may_announce_private_ranges_and_a_default_of_its_own() {
    let mut facts = load_balancer();
    with_gateway(&mut facts);
    assert_eq!(one(&facts, "8.8.8.8").final_state, FinalState::Undetermined);
    let mut user = firewall_routing();
    with_gateway(&mut user);
    // A user default route stands against an announced one; only something closer would come first.
    let public = one(&user, "8.8.8.8");
    assert_eq!(public.final_state, FinalState::Forwarded);
    assert!(public.notes.iter().any(|n| n.contains("more specific")));
}

#[test]
fn the_clusters_own_ranges_are_no_egress() {
    let mut facts = load_balancer();
    network_mut(&mut facts).service_cidrs = vec!["10.200.0.0/16".to_owned()];
    network_mut(&mut facts).pod_cidrs = vec!["10.244.0.0/16".to_owned()];
    for address in ["10.200.0.1", "10.244.1.1"] {
        let path = one(&facts, address);
        assert_eq!(path.final_state, FinalState::Undetermined);
        assert!(
            path.steps
                .last()
                .unwrap()
                .why
                .contains("inside the cluster")
        );
    }
}

#[test]
fn required_endpoints_with_the_same_steps_stand_together() {
    let mut facts = load_balancer();
    facts.cluster.api_server.fqdn = Some("shop.hcp.westeurope.azmk8s.io".to_owned());
    let report = crate::diagnose(&facts);
    let traces = trace_required(&facts, &report);
    let all: usize = traces.iter().map(|trace| trace.destinations.len()).sum();
    assert_eq!(all, report.egress_endpoints.items.len());
    assert!(traces.len() < all);
    for trace in &traces {
        assert!(
            trace
                .paths
                .iter()
                .all(|p| p.final_state == FinalState::Delivered)
        );
    }
}

#[test]
fn r1_9_traces_never_contradict_the_verdicts_on_required_endpoints() {
    use crate::report::TrafficVerdict;
    let mut denying = load_balancer();
    deny_internet(&mut denying, "nodes", "443");
    let mut tagged = load_balancer();
    let rules = vec![
        security_rule(
            "mcr",
            100,
            Allow,
            "Tcp",
            "MicrosoftContainerRegistry",
            "443",
        ),
        security_rule("deny", 200, Deny, "*", "Internet", "*"),
    ];
    subnet_nsg(&mut tagged, "nodes", rules);
    for facts in [
        load_balancer(),
        nat_gateway(),
        firewall_routing(),
        firewalled(),
        denying,
        tagged,
    ] {
        let report = crate::diagnose(&facts);
        for trace in trace_required(&facts, &report) {
            for destination in &trace.destinations {
                let item = report.egress_endpoints.items.iter().find(|item| {
                    Some(&item.domain_name) == destination.host.as_ref()
                        && item.port == destination.port
                });
                let verdict = item.unwrap().verdict;
                for path in &trace.paths {
                    let pair = (verdict, path.final_state);
                    assert!(
                        !matches!(
                            pair,
                            (TrafficVerdict::Allowed, FinalState::Dropped)
                                | (TrafficVerdict::Blocked, FinalState::Delivered)
                        ),
                        "{}: {pair:?}",
                        destination.label()
                    );
                }
            }
        }
    }
}

#[test]
fn an_endpoint_without_port_is_listed_and_undetermined() {
    let mut facts = load_balancer();
    if let Datum::Known(list) = &mut facts.egress_endpoints {
        list.truncate(1);
        list[0].domain_name = "somewhere.example".to_owned();
        list[0].port = None;
    }
    let traces = trace_required(&facts, &crate::diagnose(&facts));
    let open = traces
        .iter()
        .find(|t| {
            t.destinations
                .iter()
                .any(|d| d.host.as_deref() == Some("somewhere.example"))
        })
        .unwrap();
    assert_eq!(open.paths[0].final_state, FinalState::Undetermined);
    assert_eq!(open.destinations[0].label(), "somewhere.example:?/tcp");
}

#[test]
fn r4_20_azure_may_drop_mail_whatever_the_rules_say() {
    let noted = |destination: &str| {
        let notes = one(&load_balancer(), destination).notes;
        notes.iter().any(|note| note.contains("TCP 25"))
    };
    assert!(noted("8.8.8.8:25"));
    assert!(!noted("8.8.8.8:587"));
}

#[test]
fn r5_19_what_is_not_translated_gets_no_answer() {
    let mut facts = firewalled();
    policy_mut(&mut facts).private_ranges = vec!["0.0.0.0/0".to_owned()];
    // Application rules proxy.
    let proxied = one(&facts, "mcr.microsoft.com");
    assert_eq!(proxied.final_state, FinalState::Delivered);
    let rules = crate::testing::network_rule(&["*"], "TCP", "443");
    firewall_rules(&mut facts, RuleAction::Allow, rules);
    let plain = one(&facts, "mcr.microsoft.com");
    assert_eq!(plain.final_state, FinalState::Dropped);
    assert_eq!(plain.cause.as_deref(), Some("FWL111"));
}
