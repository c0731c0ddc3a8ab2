use std::collections::BTreeMap;

use egress_diagnosis::facts::*;
use egress_diagnosis::network::nsg::*;
use egress_diagnosis::network::*;

use super::build::*;

pub(crate) fn context(routes: Option<Vec<Route>>, tags: ServiceTags) -> TagContext {
    let mut network = vnet(&["10.0.0.0/16", "fd00::/48"]);
    network.peerings = vec![peering("hub", Some("Connected"), &["10.1.0.0/16"])];
    let table = routes.map(table);
    TagContext {
        service_tags: tags,
        space: VirtualNetworkSpace::of(
            &network,
            table.as_ref(),
            OnPremises::Known(AddressSet::empty()),
        ),
        application_groups: BTreeMap::new(),
    }
}

fn plain() -> TagContext {
    context(None, ServiceTags::unknown())
}

fn with_default_route() -> TagContext {
    let hop = route("0.0.0.0/0", NextHopType::VirtualAppliance, Some("10.1.0.4"));
    context(Some(vec![hop]), ServiceTags::unknown())
}

fn to(destinations: &[&str], protocol: Protocol, ports: &str) -> FlowClass {
    FlowClass::new(
        set(&["10.0.0.0/24"]),
        set(destinations),
        protocol,
        PortSet::parse(ports).unwrap(),
    )
}

fn ready(rules: Vec<SecurityRule>, tags: &TagContext) -> SecurityRules {
    SecurityRules::new(&nsg(rules), Level::Subnet, Direction::Outbound, tags)
}

fn outbound(rules: Vec<SecurityRule>, tags: &TagContext, class: FlowClass) -> Vec<Part> {
    ready(rules, tags).evaluate(class)
}

/// The only part of a class.
fn only(rules: Vec<SecurityRule>, tags: &TagContext, class: FlowClass) -> Decision<RuleName> {
    let mut parts = outbound(rules, tags, class);
    assert_eq!(parts.len(), 1, "{parts:#?}");
    parts.remove(0).decision
}

fn decided(decision: &Decision<RuleName>, outcome: Outcome, priority: u32) {
    assert_eq!(
        (decision.outcome, decision.by.priority),
        (outcome, Some(priority)),
        "{decision:#?}"
    );
}

use Access::{Allow, Deny};
use Outcome::{Allowed, Denied, Undecidable};

#[test]
fn r4_2_vectors_first_match_decides() {
    let rules = vec![
        rule(300, Allow, "Tcp", &["AzureCloud"], &["443"]),
        rule(200, Deny, "*", &["Internet"], &["*"]),
    ];
    let decision = only(rules, &plain(), to(&["20.1.2.3"], Protocol::Tcp, "443"));
    decided(&decision, Denied, 200);
    assert_eq!(decision.by.origin, Origin::Custom);
    assert_eq!(decision.by.nsg, Some(Id::new("/nsg")));
}

#[test]
fn r4_17_vector_a_tag_without_the_address_does_not_help() {
    let rules = || {
        vec![
            rule(100, Allow, "Tcp", &["AzureCloud.westeurope"], &["443"]),
            rule(200, Deny, "*", &["Internet"], &["*"]),
        ]
    };
    let edge = || to(&["13.107.42.1"], Protocol::Tcp, "443");
    let known = ServiceTags::new([
        ("AzureCloud.westeurope", ["20.50.0.0/16"]),
        ("AzureFrontDoor.FirstParty", ["13.107.0.0/16"]),
    ]);
    let tags = context(None, known);
    decided(&only(rules(), &tags, edge()), Denied, 200);
    let mut with_front_door = rules();
    with_front_door.push(rule(
        110,
        Allow,
        "TCP",
        &["azurefrontdoor.firstparty"],
        &["443"],
    ));
    decided(&only(with_front_door, &tags, edge()), Allowed, 110);
    // R4.18: without the tag's contents nobody knows.
    let unknown = only(rules(), &plain(), edge());
    decided(&unknown, Undecidable, 200);
    assert_eq!(unknown.otherwise, Denied);
    assert_eq!(
        unknown.open[0].doubts,
        vec![Doubt::UnresolvedTag("AzureCloud.westeurope".to_owned())]
    );
}

#[test]
fn r4_10_vector_platform_addresses_are_not_filtered() {
    let rules = || vec![rule(100, Deny, "Udp", &["*"], &["53"])];
    let platform = only(
        rules(),
        &plain(),
        to(&["168.63.129.16"], Protocol::Udp, "53"),
    );
    assert_eq!(platform.outcome, Allowed);
    assert_eq!(platform.by.origin, Origin::Platform);
    decided(
        &only(rules(), &plain(), to(&["10.0.0.4"], Protocol::Udp, "53")),
        Denied,
        100,
    );
    let metadata = only(
        vec![rule(100, Deny, "*", &["0.0.0.0/0"], &["*"])],
        &plain(),
        to(&["169.254.169.254"], Protocol::Tcp, "80"),
    );
    assert_eq!(metadata.outcome, Allowed);
}

#[test]
fn r4_10_only_the_platform_tags_reach_them() {
    let dns = vec![rule(100, Deny, "*", &["AzurePlatformDNS"], &["*"])];
    decided(
        &only(dns, &plain(), to(&["168.63.129.16"], Protocol::Udp, "53")),
        Denied,
        100,
    );
    let metadata = vec![rule(100, Deny, "*", &["AzurePlatformIMDS"], &["*"])];
    decided(
        &only(
            metadata,
            &plain(),
            to(&["169.254.169.254"], Protocol::Tcp, "80"),
        ),
        Denied,
        100,
    );
    let activation = vec![rule(100, Deny, "*", &["AzurePlatformLKM"], &["*"])];
    decided(
        &only(
            activation,
            &plain(),
            to(&["20.1.2.3"], Protocol::Tcp, "443"),
        ),
        Allowed,
        65001,
    );
}

#[test]
fn r4_13_vector_a_default_route_may_widen_virtual_network() {
    let rules = || vec![rule(100, Deny, "*", &["VirtualNetwork"], &["*"])];
    let public = || to(&["8.8.8.8"], Protocol::Tcp, "443");
    decided(&only(rules(), &plain(), public()), Allowed, 65001);
    let widened = only(rules(), &with_default_route(), public());
    decided(&widened, Undecidable, 65001);
    assert_eq!(widened.open[0].outcome, Denied);
    assert_eq!(
        widened.open[0].doubts,
        vec![Doubt::DefaultRouteInVirtualNetwork]
    );
    decided(
        &only(
            rules(),
            &with_default_route(),
            to(&["10.0.0.9"], Protocol::Tcp, "1"),
        ),
        Denied,
        100,
    );
    // Both ways the default rules allow: decided. A custom denial above still wins.
    decided(
        &only(Vec::new(), &with_default_route(), public()),
        Allowed,
        65001,
    );
    let deny = vec![rule(100, Deny, "*", &["Internet"], &["*"])];
    decided(&only(deny, &with_default_route(), public()), Denied, 100);
}

#[test]
fn r4_13_unknown_on_premises_is_undecidable_only_off_the_internet() {
    let mut tags = plain();
    tags.space.on_premises = OnPremises::Unknown;
    decided(
        &only(Vec::new(), &tags, to(&["8.8.8.8"], Protocol::Tcp, "443")),
        Allowed,
        65001,
    );
    decided(
        &only(
            Vec::new(),
            &tags,
            to(&["192.168.7.7"], Protocol::Tcp, "443"),
        ),
        Undecidable,
        65500,
    );
}

#[test]
fn r4_3_default_rules_are_appended_and_not_twice() {
    decided(
        &only(Vec::new(), &plain(), to(&["10.1.0.7"], Protocol::Tcp, "22")),
        Allowed,
        65000,
    );
    decided(
        &only(Vec::new(), &plain(), to(&["8.8.8.8"], Protocol::Udp, "53")),
        Allowed,
        65001,
    );
    decided(
        &only(
            Vec::new(),
            &plain(),
            to(&["192.168.1.1"], Protocol::Tcp, "22"),
        ),
        Denied,
        65500,
    );
    let mut group = nsg(Vec::new());
    group.default_rules = vec![rule(65001, Deny, "*", &["Internet"], &["*"])];
    let rules = SecurityRules::new(&group, Level::Nic, Direction::Outbound, &plain());
    let part = &rules.evaluate(to(&["8.8.8.8"], Protocol::Tcp, "443"))[0];
    decided(&part.decision, Denied, 65001);
    assert_eq!(part.decision.by.origin, Origin::Default);
}

#[test]
fn r4_12_internet_holds_azure_and_not_the_network() {
    let deny = || vec![rule(100, Deny, "Tcp", &["Internet"], &["443"])];
    decided(
        &only(deny(), &plain(), to(&["20.1.2.3"], Protocol::Tcp, "443")),
        Denied,
        100,
    );
    decided(
        &only(deny(), &plain(), to(&["10.1.2.3"], Protocol::Tcp, "443")),
        Allowed,
        65000,
    );
    decided(
        &only(deny(), &plain(), to(&["2603::1"], Protocol::Tcp, "443")),
        Denied,
        100,
    );
}

#[test]
fn r4_4_both_levels_must_allow_and_both_are_told() {
    let tags = plain();
    let level = |rules: Vec<SecurityRule>, level| {
        LevelRules::Known(SecurityRules::new(
            &nsg(rules),
            level,
            Direction::Outbound,
            &tags,
        ))
    };
    let open = || level(Vec::new(), Level::Nic);
    let shut = |at| level(vec![rule(100, Deny, "*", &["Internet"], &["*"])], at);
    let class = to(&["8.8.8.8"], Protocol::Tcp, "443");
    let outcome = |nic: &LevelRules, subnet: &LevelRules| {
        let parts = evaluate_levels(nic, subnet, &class);
        assert_eq!(parts.len(), 1);
        (
            parts[0].outcome(),
            parts[0].nic.outcome,
            parts[0].subnet.outcome,
        )
    };
    assert_eq!(outcome(&open(), &open()), (Allowed, Allowed, Allowed));
    assert_eq!(
        outcome(&shut(Level::Nic), &open()),
        (Denied, Denied, Allowed)
    );
    assert_eq!(
        outcome(&open(), &shut(Level::Subnet)),
        (Denied, Allowed, Denied)
    );
    assert_eq!(
        outcome(&shut(Level::Nic), &shut(Level::Subnet)),
        (Denied, Denied, Denied)
    );
    assert_eq!(
        outcome(&LevelRules::Absent, &LevelRules::Absent),
        (Allowed, Allowed, Allowed)
    );
    // Unreadable: undecidable, unless the other level drops anyway.
    assert_eq!(
        outcome(&LevelRules::Unreadable, &open()),
        (Undecidable, Undecidable, Allowed)
    );
    assert_eq!(
        outcome(&LevelRules::Unreadable, &shut(Level::Subnet)).0,
        Denied
    );
}

#[test]
fn r4_9_protocols_without_ports_ignore_them() {
    let rules = || vec![rule(100, Deny, "Icmp", &["*"], &["443"])];
    decided(
        &only(rules(), &plain(), to(&["8.8.8.8"], Protocol::Icmp, "0")),
        Denied,
        100,
    );
    decided(
        &only(rules(), &plain(), to(&["8.8.8.8"], Protocol::Tcp, "443")),
        Allowed,
        65001,
    );
}

#[test]
fn a_class_is_cut_where_rules_cut_it() {
    let rules = vec![
        rule(100, Allow, "Tcp", &["20.0.0.0/8"], &["443"]),
        rule(200, Deny, "*", &["Internet"], &["*"]),
    ];
    let class = to(&["20.0.0.0/8", "21.0.0.0/8"], Protocol::Tcp, "80-443");
    let parts = outbound(rules, &plain(), class);
    let allowed: Vec<&Part> = parts
        .iter()
        .filter(|p| p.decision.outcome == Allowed)
        .collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!(allowed[0].class.destinations, set(&["20.0.0.0/8"]));
    assert_eq!(allowed[0].class.ports, PortSet::one(443));
    assert!(
        parts
            .iter()
            .any(|p| p.decision.outcome == Denied && p.class.destinations.contains(ip("21.1.1.1")))
    );
}

#[test]
fn r4_31_the_terms_that_match_are_told() {
    let given = rule(
        100,
        Deny,
        "*",
        &["10.9.0.0/16", "Internet", "1.2.3.4"],
        &["80", "400-500"],
    );
    let terms = matched_terms(&given, &to(&["8.8.8.8"], Protocol::Tcp, "443"), &plain());
    assert_eq!(terms.destinations, strings(&["Internet"]));
    assert_eq!(terms.ports, strings(&["400-500"]));
    assert_eq!(terms.sources, strings(&["*"]));
}

#[test]
fn r4_19_unknown_groups_are_undecidable_and_known_ones_decide() {
    let group = Id::new("/asg/web");
    let mut given = rule(100, Deny, "*", &["Internet"], &["*"]);
    given.sources.clear();
    given.source_asgs = vec![group.clone()];
    let class = || to(&["8.8.8.8"], Protocol::Tcp, "443");
    let mut tags = plain();
    let unknown = only(vec![given.clone()], &tags, class());
    decided(&unknown, Undecidable, 65001);
    assert_eq!(
        unknown.open[0].doubts,
        vec![Doubt::UnresolvedApplicationGroup(group.clone())]
    );
    tags.application_groups
        .insert(group.clone(), set(&["10.0.0.0/24"]));
    decided(&only(vec![given.clone()], &tags, class()), Denied, 100);
    tags.application_groups.insert(group, set(&["10.0.9.0/24"]));
    decided(&only(vec![given], &tags, class()), Allowed, 65001);
}

#[test]
fn r4_8_families_do_not_meet() {
    let rules = || vec![rule(100, Deny, "*", &["0.0.0.0/0"], &["*"])];
    decided(
        &only(rules(), &plain(), to(&["2603::1"], Protocol::Tcp, "443")),
        Allowed,
        65001,
    );
    decided(
        &only(rules(), &plain(), to(&["8.8.8.8"], Protocol::Tcp, "443")),
        Denied,
        100,
    );
}

#[test]
fn bad_rules_are_undecidable_never_allowed() {
    let class = || to(&["8.8.8.8"], Protocol::Tcp, "443");
    let bad = |change: &dyn Fn(&mut SecurityRule)| {
        let mut given = rule(100, Deny, "*", &["Internet"], &["*"]);
        change(&mut given);
        let decision = only(vec![given], &plain(), class());
        assert_eq!(decision.outcome, Undecidable, "{decision:#?}");
        assert!(!decision.open[0].doubts.is_empty());
    };
    bad(&|r| r.destinations = Vec::new());
    bad(&|r| r.destinations = strings(&["8.8.8.8/99"]));
    bad(&|r| r.sources = strings(&[""]));
    bad(&|r| r.protocol = "Sctp".to_owned());
    bad(&|r| r.protocol = String::new());
    bad(&|r| r.destination_ports = strings(&["500-400"]));
    bad(&|r| r.destination_ports = Vec::new());
    bad(&|r| r.source_ports = strings(&["x"]));
    bad(&|r| r.access = None);
    bad(&|r| r.direction = None);
    // An allow that cannot be read does not turn a denial into an allow, nor the other way.
    let allow = rule(100, Allow, "Sctp", &["*"], &["*"]);
    decided(
        &only(vec![allow.clone()], &plain(), class()),
        Allowed,
        65001,
    );
    let deny = rule(200, Deny, "*", &["*"], &["*"]);
    decided(
        &only(vec![allow, deny], &plain(), class()),
        Undecidable,
        200,
    );
}

#[test]
fn r4_7_overlapping_prefixes_and_ports_of_one_rule_count_once() {
    let mut given = rule(
        100,
        Deny,
        "Tcp",
        &["8.0.0.0/8", "8.8.0.0/16", "8.8.8.8"],
        &["*"],
    );
    given.destination_ports = strings(&["400-450", "443", "440-500"]);
    let class = to(&["8.0.0.0/8"], Protocol::Tcp, "400-500");
    decided(&only(vec![given], &plain(), class), Denied, 100);
}

#[test]
fn r4_32_shadows() {
    let shadowed = |rules: Vec<SecurityRule>| -> Vec<(u32, bool)> {
        let shadows = ready(rules, &plain()).shadowed();
        assert!(shadows.complete);
        let found = shadows.rules.into_iter();
        found.map(|s| (s.rule.priority.unwrap(), s.sure)).collect()
    };
    let deny = |priority, to: &[&str]| rule(priority, Deny, "*", to, &["*"]);
    let allow = |priority, to: &[&str]| rule(priority, Allow, "Tcp", to, &["443"]);
    let none: Vec<(u32, bool)> = Vec::new();
    assert_eq!(
        shadowed(vec![deny(200, &["Internet"]), allow(300, &["AzureCloud"])]),
        [(300, true)]
    );
    assert_eq!(
        shadowed(vec![allow(100, &["AzureCloud"]), deny(200, &["Internet"])]),
        none
    );
    // Two halves deny the whole together; one alone does not.
    let halves = || vec![deny(100, &["20.0.0.0/9"]), deny(110, &["20.128.0.0/9"])];
    let mut both = halves();
    both.push(allow(300, &["20.0.0.0/8"]));
    assert_eq!(shadowed(both), [(300, true)]);
    let mut one = halves();
    one.truncate(1);
    one.push(allow(300, &["20.0.0.0/8"]));
    assert_eq!(shadowed(one), none);
    // R4.18: what the denial's tag holds decides.
    assert_eq!(
        shadowed(vec![deny(200, &["Storage"]), allow(300, &["20.1.2.3"])]),
        [(300, false)]
    );
    // A rule that an earlier allow repeats is not shadowed by a denial.
    assert_eq!(
        shadowed(vec![
            allow(100, &["20.0.0.0/8"]),
            allow(300, &["20.1.0.0/16"])
        ]),
        none
    );
}

#[test]
fn r4_32_a_group_that_cuts_traffic_into_too_many_parts_says_so() {
    // Each denial may hold any of the addresses, on a port of its own: every allow rule is cut by all of them.
    let denials = (0..40).map(|n| {
        let mut given = rule(100 + n, Deny, "*", &["Storage"], &["*"]);
        given.destination_ports = strings(&[&format!("{}", 1000 + n)]);
        given
    });
    let allows = (0..800).map(|n| rule(200 + n, Allow, "*", &["Internet"], &["*"]));
    let shadows = ready(denials.chain(allows).collect(), &plain()).shadowed();
    assert!(!shadows.complete);
    assert!(shadows.rules.iter().all(|shadow| !shadow.sure));
}

#[test]
fn two_rules_of_one_priority_that_contradict_are_undecidable() {
    let mut other = rule(100, Allow, "*", &["8.0.0.0/8"], &["*"]);
    other.name = "other".to_owned();
    let rules = vec![rule(100, Deny, "*", &["Internet"], &["*"]), other];
    let decision = only(rules, &plain(), to(&["8.8.8.8"], Protocol::Tcp, "443"));
    decided(&decision, Undecidable, 65001);
    assert!(decision.open[0].doubts.contains(&Doubt::SamePriority));
}

#[test]
fn an_incomplete_network_space_is_undecidable_where_it_matters() {
    let mut tags = plain();
    tags.space.incomplete = true;
    let deny = vec![rule(100, Deny, "*", &["VirtualNetwork"], &["*"])];
    let class = || to(&["8.8.8.8"], Protocol::Tcp, "443");
    assert_eq!(only(deny, &tags, class()).outcome, Undecidable);
    let everywhere = vec![rule(100, Deny, "*", &["*"], &["*"])];
    decided(&only(everywhere, &tags, class()), Denied, 100);
}

#[test]
fn r4_3_inbound_probes_are_allowed_by_default() {
    let rules = SecurityRules::new(
        &nsg(Vec::new()),
        Level::Subnet,
        Direction::Inbound,
        &plain(),
    );
    let class = FlowClass::new(
        set(&["168.63.129.16"]),
        set(&["10.0.0.4"]),
        Protocol::Tcp,
        PortSet::all(),
    );
    assert!(
        rules
            .evaluate(class)
            .iter()
            .all(|p| p.decision.outcome == Allowed)
    );
}
