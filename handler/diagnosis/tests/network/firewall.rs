use std::collections::BTreeMap;

use egress_diagnosis::facts::*;
use egress_diagnosis::network::firewall::*;
use egress_diagnosis::network::*;

use super::build::*;

use Outcome::{Allowed, Denied, Undecidable};

/// A firewall with policies, and everything it refers to.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    pub(crate) groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    pub(crate) ip_groups: BTreeMap<Id, Datum<IpGroup>>,
    pub(crate) tags: ServiceTags,
    pub(crate) fqdn_tags: BTreeMap<String, Vec<String>>,
    pub(crate) classic: Option<Vec<RuleCollection>>,
}

impl World {
    /// One policy with these groups.
    pub(crate) fn of(groups: Vec<RuleCollectionGroup>) -> Self {
        let mut world = Self::default();
        world.policy("/p", None, groups);
        world
    }

    pub(crate) fn policy(
        &mut self,
        id: &str,
        base: Option<&str>,
        groups: Vec<RuleCollectionGroup>,
    ) {
        let policy = FirewallPolicy {
            id: Id::new(id),
            base_policy_id: base.map(Id::new),
            threat_intel: Some(ThreatIntelMode::Alert),
            threat_intel_allowed_fqdns: Vec::new(),
            dns_proxy: Some(true),
            private_ranges: Vec::new(),
            tls_inspection: false,
        };
        self.policies.insert(Id::new(id), Datum::Known(policy));
        self.groups.insert(Id::new(id), Datum::Known(groups));
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut FirewallPolicy)) {
        if let Some(Datum::Known(policy)) = self.policies.get_mut(&Id::new("/p")) {
            change(policy);
        }
    }

    pub(crate) fn rules(&self) -> FirewallRules {
        let firewall = AzureFirewall {
            id: Id::new("/fw"),
            sku: None,
            tier: None,
            provisioning_state: None,
            private_ips: Vec::new(),
            public_ip_ids: Vec::new(),
            hub_public_ips: Vec::new(),
            subnet_id: None,
            virtual_hub_id: None,
            policy_id: self.classic.is_none().then(|| Id::new("/p")),
            classic_collections: self.classic.clone().unwrap_or_default(),
            threat_intel: None,
            private_ranges: Vec::new(),
            dns_proxy: None,
        };
        FirewallRules::new(&FirewallView {
            firewall: &firewall,
            policies: &self.policies,
            groups: &self.groups,
            ip_groups: &self.ip_groups,
            tags: &self.tags,
            fqdn_tags: &self.fqdn_tags,
        })
    }

    /// Outcome and rule for 10.0.0.0/24, which must not be cut.
    fn ask(&self, target: &Target) -> (Outcome, String) {
        let rules = self.rules();
        let parts = rules.evaluate(&set(&["10.0.0.0/24"]), target);
        assert_eq!(parts.len(), 1, "{parts:#?}");
        (parts[0].decision.outcome, parts[0].decision.by.rule.clone())
    }
}

pub(crate) fn group(
    name: &str,
    priority: u32,
    collections: Vec<RuleCollection>,
) -> RuleCollectionGroup {
    RuleCollectionGroup {
        id: Id::new(name),
        priority: Some(priority),
        collections,
    }
}

pub(crate) fn collection(
    priority: u32,
    action: RuleAction,
    rules: RuleCollectionRules,
) -> RuleCollection {
    RuleCollection {
        name: format!("c{priority}"),
        priority: Some(priority),
        action: Some(action),
        rules,
    }
}

pub(crate) fn network(
    name: &str,
    protocol: &str,
    destinations: &[&str],
    ports: &[&str],
) -> NetworkRule {
    NetworkRule {
        name: name.to_owned(),
        protocols: strings(&[protocol]),
        sources: strings(&["*"]),
        destinations: strings(destinations),
        destination_ports: strings(ports),
        ..NetworkRule::default()
    }
}

pub(crate) fn application(name: &str, fqdns: &[&str]) -> ApplicationRule {
    ApplicationRule {
        name: name.to_owned(),
        protocols: vec![
            ("Https".to_owned(), Some(443)),
            ("Http".to_owned(), Some(80)),
        ],
        sources: strings(&["*"]),
        targets: fqdns
            .iter()
            .map(|f| ApplicationTarget::Fqdn((*f).to_owned()))
            .collect(),
        ..ApplicationRule::default()
    }
}

pub(crate) fn networks(rules: Vec<NetworkRule>) -> RuleCollectionRules {
    RuleCollectionRules {
        network: rules,
        ..RuleCollectionRules::default()
    }
}

pub(crate) fn applications(rules: Vec<ApplicationRule>) -> RuleCollectionRules {
    RuleCollectionRules {
        application: rules,
        ..RuleCollectionRules::default()
    }
}

fn allow(rules: RuleCollectionRules) -> World {
    World::of(vec![group(
        "/g",
        100,
        vec![collection(100, RuleAction::Allow, rules)],
    )])
}

fn https(host: &str) -> Target {
    Target::host(host, 443, FlowProtocol::Https)
}

fn is(outcome: Outcome, rule: &str) -> (Outcome, String) {
    (outcome, rule.to_owned())
}

#[test]
fn r5_2_network_rules_come_before_application_rules_whatever_the_priority() {
    let world = World::of(vec![
        group(
            "/a",
            100,
            vec![collection(
                100,
                RuleAction::Allow,
                applications(vec![application("app", &["*"])]),
            )],
        ),
        group(
            "/n",
            60000,
            vec![collection(
                60000,
                RuleAction::Deny,
                networks(vec![network("net", "TCP", &["*"], &["443"])]),
            )],
        ),
    ]);
    assert_eq!(world.ask(&https("mcr.microsoft.com")), is(Denied, "net"));
    assert_eq!(
        world.ask(&Target::host("x.y", 80, FlowProtocol::Http)),
        is(Allowed, "app")
    );
}

#[test]
fn r5_3_parent_before_child_then_group_then_collection_then_rule() {
    let deny = |p, name: &str| {
        collection(
            p,
            RuleAction::Deny,
            applications(vec![application(name, &["*"])]),
        )
    };
    let allow = |p, name: &str| {
        collection(
            p,
            RuleAction::Allow,
            applications(vec![application(name, &["*"])]),
        )
    };
    let mut world = World::of(vec![
        group("/late", 300, vec![deny(100, "late")]),
        group(
            "/early",
            200,
            vec![deny(300, "second"), allow(200, "first")],
        ),
    ]);
    assert_eq!(world.ask(&https("a.b")), is(Allowed, "first"));
    world.policy(
        "/base",
        None,
        vec![group("/bg", 65000, vec![deny(65000, "parent")])],
    );
    world.change(|p| p.base_policy_id = Some(Id::new("/BASE")));
    assert_eq!(world.ask(&https("a.b")), is(Denied, "parent"));
    let rules = world.rules();
    let parts = rules.evaluate(&set(&["10.0.0.1"]), &https("a.b"));
    let by = parts[0].decision.by;
    assert_eq!(
        (by.stage, by.policy.clone(), by.group_priority),
        (Stage::Application, Some(Id::new("/base")), Some(65000))
    );
    let two = applications(vec![
        application("top", &["a.b"]),
        application("below", &["a.b"]),
    ]);
    assert_eq!(self::allow(two).ask(&https("a.b")), is(Allowed, "top"));
}

#[test]
fn r5_4_plain_tcp_never_meets_application_rules() {
    let world = allow(applications(vec![application("app", &["*"])]));
    let plain = Target::host("x.y", 443, FlowProtocol::Plain(Protocol::Tcp));
    assert_eq!(world.ask(&plain), is(Denied, ""));
}

#[test]
fn r5_5_nothing_matches_is_an_implicit_denial() {
    let rules = World::of(Vec::new()).rules();
    let parts = rules.evaluate(&set(&["10.0.0.0/8"]), &https("a.b"));
    assert_eq!(parts[0].decision.outcome, Denied);
    assert!(parts[0].decision.by.is_implicit());
    assert_eq!(
        World::of(Vec::new())
            .ask(&https("md-1.z1.blob.storage.azure.net"))
            .0,
        Undecidable
    );
}

#[test]
fn r5_6_dnat_allows_what_it_translates() {
    let nat = NatRule {
        name: "dnat".to_owned(),
        protocols: strings(&["TCP"]),
        sources: strings(&["*"]),
        destinations: strings(&["20.1.1.1"]),
        destination_ports: strings(&["8443"]),
        translated: Some("10.9.9.9".to_owned()),
    };
    let nats = RuleCollectionRules {
        nat: vec![nat],
        ..RuleCollectionRules::default()
    };
    let world = World::of(vec![
        group(
            "/n",
            100,
            vec![collection(
                100,
                RuleAction::Deny,
                networks(vec![network("net", "Any", &["*"], &["*"])]),
            )],
        ),
        group("/d", 200, vec![collection(100, RuleAction::Dnat, nats)]),
    ]);
    let plain = FlowProtocol::Plain(Protocol::Tcp);
    assert_eq!(
        world.ask(&Target::address(ip("20.1.1.1"), 8443, plain)),
        is(Allowed, "dnat")
    );
    assert_eq!(
        world.ask(&Target::address(ip("20.1.1.2"), 8443, plain)),
        is(Denied, "net")
    );
}

#[test]
fn r5_7_classic_rules() {
    let mut world = World {
        classic: Some(Vec::new()),
        ..World::default()
    };
    assert_eq!(world.ask(&https("a.b")), is(Denied, ""));
    world.classic = Some(vec![
        collection(
            300,
            RuleAction::Deny,
            applications(vec![application("deny", &["*"])]),
        ),
        collection(
            200,
            RuleAction::Allow,
            applications(vec![application("allow", &["a.b"])]),
        ),
    ]);
    assert_eq!(world.ask(&https("a.b")), is(Allowed, "allow"));
    assert_eq!(world.ask(&https("c.d")), is(Denied, "deny"));
}

#[test]
fn r5_1_threat_intelligence_is_a_caveat_of_deny_mode() {
    let mut world = allow(applications(vec![application("app", &["*"])]));
    let caveats = |world: &World| {
        world.rules().evaluate(&set(&["10.0.0.1"]), &https("a.b"))[0]
            .caveats
            .clone()
    };
    assert_eq!(caveats(&world), Vec::new());
    world.policy("/base", None, Vec::new());
    world.change(|p| p.base_policy_id = Some(Id::new("/base")));
    let Some(Datum::Known(base)) = world.policies.get_mut(&Id::new("/base")) else {
        panic!()
    };
    base.threat_intel = Some(ThreatIntelMode::Deny);
    assert_eq!(caveats(&world), vec![Caveat::ThreatIntelligence]);
    world.change(|p| p.threat_intel_allowed_fqdns = strings(&["*.b"]));
    assert_eq!(caveats(&world), Vec::new());
}

#[test]
fn r5_10_a_call_by_address_has_no_host_name() {
    let world = allow(applications(vec![application("app", &["*"])]));
    assert_eq!(
        world.ask(&Target::address(ip("8.8.8.8"), 443, FlowProtocol::Https)),
        is(Denied, "")
    );
    assert_eq!(
        world
            .ask(&Target::address(ip("8.8.8.8"), 80, FlowProtocol::Http))
            .0,
        Undecidable
    );
}

#[test]
fn r5_10_protocol_and_port_must_both_fit() {
    let world = allow(applications(vec![application("app", &["a.b"])]));
    assert_eq!(world.ask(&https("a.b")), is(Allowed, "app"));
    assert_eq!(
        world.ask(&Target::host("a.b", 8443, FlowProtocol::Https)),
        is(Denied, "")
    );
    assert_eq!(
        world.ask(&Target::host("a.b", 443, FlowProtocol::Http)),
        is(Denied, "")
    );
}

#[test]
fn r5_11_wildcards_decide_and_bad_ones_are_undecidable() {
    let world = allow(applications(vec![application("app", &["*.contoso.com"])]));
    assert_eq!(world.ask(&https("a.B.contoso.COM")), is(Allowed, "app"));
    assert_eq!(world.ask(&https("contoso.com")), is(Denied, ""));
    assert_eq!(world.ask(&https("*.contoso.com")), is(Allowed, "app"));
    let narrow = allow(applications(vec![application("app", &["x.contoso.com"])]));
    assert_eq!(narrow.ask(&https("*.contoso.com")), is(Undecidable, ""));
    let bad = allow(applications(vec![application("app", &["www.contoso.*"])]));
    assert_eq!(bad.ask(&https("www.contoso.com")).0, Undecidable);
}

#[test]
fn r5_12_urls_need_the_path_to_be_seen() {
    let url = |text: &str| {
        let mut rule = application("url", &[]);
        rule.targets = vec![ApplicationTarget::Url(text.to_owned())];
        rule.terminate_tls = true;
        allow(applications(vec![rule]))
    };
    assert_eq!(url("a.b/test/*").ask(&https("a.b")).0, Undecidable);
    assert_eq!(url("a.b/*").ask(&https("a.b")).0, Undecidable);
    assert_eq!(
        url("a.b/*").ask(&Target::host("a.b", 80, FlowProtocol::Http)),
        is(Allowed, "url")
    );
    assert_eq!(url("a.b/*").ask(&https("c.d")), is(Denied, ""));
    let mut inspecting = url("a.b/*");
    inspecting.change(|p| p.tls_inspection = true);
    assert_eq!(inspecting.ask(&https("a.b")), is(Allowed, "url"));
}

#[test]
fn r5_13_fqdns_in_network_rules_need_dns_proxy() {
    let mut rule = network("ntp", "UDP", &[], &["123"]);
    rule.destination_fqdns = strings(&["NTP.ubuntu.com"]);
    let mut world = allow(networks(vec![rule]));
    let ntp = Target::host("ntp.ubuntu.com", 123, FlowProtocol::Plain(Protocol::Udp));
    assert_eq!(world.ask(&ntp), is(Allowed, "ntp"));
    assert_eq!(
        world.rules().evaluate(&set(&["10.0.0.1"]), &ntp)[0].caveats,
        vec![Caveat::FirewallAsDns]
    );
    for proxy in [None, Some(false)] {
        world.change(|p| p.dns_proxy = proxy);
        assert_eq!(world.ask(&ntp).0, Undecidable);
    }
}

#[test]
fn r5_14_the_aks_tag_covers_listed_hosts_with_a_caveat() {
    let mut rule = application("tag", &[]);
    rule.targets = vec![ApplicationTarget::FqdnTag(
        "AzureKubernetesService".to_owned(),
    )];
    let mut world = allow(applications(vec![rule]));
    assert_eq!(world.ask(&https("mcr.microsoft.com")).0, Undecidable);
    world.fqdn_tags.insert(
        "azurekubernetesservice".to_owned(),
        strings(&["mcr.microsoft.com", "*.data.mcr.microsoft.com"]),
    );
    assert_eq!(world.ask(&https("mcr.microsoft.com")), is(Allowed, "tag"));
    assert_eq!(
        world.ask(&https("*.data.mcr.microsoft.com")),
        is(Allowed, "tag")
    );
    assert_eq!(world.ask(&https("github.com")), is(Denied, ""));
    assert_eq!(
        world.ask(&Target::host(
            "mcr.microsoft.com",
            9000,
            FlowProtocol::Plain(Protocol::Tcp)
        )),
        is(Denied, "")
    );
    let caveat = vec![Caveat::FqdnTagContents("AzureKubernetesService".to_owned())];
    for host in ["mcr.microsoft.com", "github.com"] {
        assert_eq!(
            world.rules().evaluate(&set(&["10.0.0.1"]), &https(host))[0].caveats,
            caveat
        );
    }
}

#[test]
fn r5_15_ip_groups() {
    let id = Id::new("/ipg");
    let mut rule = application("app", &["*"]);
    rule.sources.clear();
    rule.source_ip_groups = vec![id.clone()];
    let mut world = allow(applications(vec![rule]));
    assert_eq!(world.ask(&https("a.b")), is(Undecidable, ""));
    let known = |addresses: &[&str]| {
        Datum::Known(IpGroup {
            id: Id::new("/ipg"),
            addresses: strings(addresses),
        })
    };
    world
        .ip_groups
        .insert(id.clone(), known(&["10.0.0.0/25", "10.0.0.128-10.0.0.255"]));
    assert_eq!(world.ask(&https("a.b")), is(Allowed, "app"));
    world.ip_groups.insert(id.clone(), known(&["10.7.0.0/16"]));
    assert_eq!(world.ask(&https("a.b")), is(Denied, ""));
    world.ip_groups.insert(id, known(&["nonsense"]));
    assert_eq!(world.ask(&https("a.b")).0, Undecidable);
}

#[test]
fn r5_16_partial_sources_are_told_apart() {
    let mut rule = application("app", &["*"]);
    rule.sources = strings(&["10.0.0.0/25"]);
    let rules = allow(applications(vec![rule])).rules();
    let parts = rules.evaluate(&set(&["10.0.0.0/24"]), &https("a.b"));
    let of = |outcome| {
        parts
            .iter()
            .find(|p| p.decision.outcome == outcome)
            .unwrap()
            .sources
            .clone()
    };
    assert_eq!(of(Allowed), set(&["10.0.0.0/25"]));
    assert_eq!(of(Denied), set(&["10.0.0.128/25"]));
}

#[test]
fn r5_19_private_ranges_that_hold_everything_stop_snat() {
    let mut world = World::of(Vec::new());
    assert_eq!(world.rules().never_snats(), Some(false));
    for (ranges, expected) in [
        (&["0.0.0.0/0"][..], Some(true)),
        (&["0.0.0.0/1", "128.0.0.0/1"], Some(true)),
        (&["IANAPrivateRanges", "20.0.0.0/8"], Some(false)),
        (&["255.255.255.255/32"], Some(false)),
        (&["what"], None),
    ] {
        world.change(|p| p.private_ranges = strings(ranges));
        assert_eq!(world.rules().never_snats(), expected, "{ranges:?}");
    }
    world.policies.clear();
    assert_eq!(world.rules().never_snats(), None);
}

#[test]
fn a_network_rule_about_addresses_leaves_a_host_undecidable_only_if_it_would_change_it() {
    let api = network("api", "TCP", &["20.1.2.3"], &["443"]);
    let world = |action| {
        World::of(vec![
            group(
                "/n",
                100,
                vec![collection(100, action, networks(vec![api.clone()]))],
            ),
            group(
                "/a",
                200,
                vec![collection(
                    100,
                    RuleAction::Allow,
                    applications(vec![application("app", &["a.b"])]),
                )],
            ),
        ])
    };
    assert_eq!(
        world(RuleAction::Allow).ask(&https("a.b")),
        is(Allowed, "app")
    );
    assert_eq!(
        world(RuleAction::Deny).ask(&https("a.b")),
        is(Undecidable, "app")
    );
    let mut resolved = https("a.b");
    resolved.addresses = set(&["20.9.9.9"]);
    assert_eq!(world(RuleAction::Deny).ask(&resolved), is(Allowed, "app"));
    resolved.addresses = set(&["20.1.2.3"]);
    assert_eq!(world(RuleAction::Deny).ask(&resolved), is(Denied, "api"));
    let all = allow(networks(vec![network(
        "all",
        "Any",
        &["0.0.0.0/0"],
        &["*"],
    )]));
    assert_eq!(all.ask(&https("a.b")), is(Allowed, "all"));
}

#[test]
fn unreadable_policies_parents_and_cycles_are_undecidable() {
    let app = || applications(vec![application("app", &["*"])]);
    let mut world = allow(app());
    world.change(|p| p.base_policy_id = Some(Id::new("/gone")));
    assert_eq!(world.ask(&https("a.b")), is(Undecidable, "app"));
    world.change(|p| p.base_policy_id = Some(Id::new("/P")));
    assert_eq!(world.ask(&https("a.b")), is(Undecidable, "app"));
    let mut unread = allow(app());
    unread.groups.clear();
    assert_eq!(unread.ask(&https("a.b")).0, Undecidable);
    unread.policies.clear();
    assert_eq!(unread.ask(&https("a.b")).0, Undecidable);
}

#[test]
fn unknown_priorities_actions_and_words_are_undecidable() {
    let deny = |rules| collection(200, RuleAction::Deny, rules);
    let app = || applications(vec![application("app", &["*"])]);
    let with = |change: &dyn Fn(&mut RuleCollection)| {
        let mut changed = collection(100, RuleAction::Allow, app());
        change(&mut changed);
        World::of(vec![group("/g", 100, vec![changed, deny(app())])])
            .ask(&https("a.b"))
            .0
    };
    assert_eq!(with(&|_| {}), Allowed);
    assert_eq!(with(&|c| c.priority = None), Undecidable);
    assert_eq!(with(&|c| c.priority = Some(200)), Undecidable);
    assert_eq!(with(&|c| c.action = None), Undecidable);
    assert_eq!(
        with(&|c| c.rules = RuleCollectionRules {
            unreadable: 1,
            ..RuleCollectionRules::default()
        }),
        Undecidable
    );
    assert_eq!(
        with(&|c| c.rules.application[0].sources.clear()),
        Undecidable
    );
    assert_eq!(
        with(&|c| c.rules.application[0].targets.clear()),
        Undecidable
    );
    assert_eq!(
        with(&|c| c.rules.application[0].protocols = vec![("Quic".to_owned(), Some(443))]),
        Undecidable
    );
    assert_eq!(
        with(&|c| c.rules.application[0].targets =
            vec![ApplicationTarget::WebCategory("News".to_owned())]),
        Undecidable
    );
    let plain = Target::address(ip("8.8.8.8"), 53, FlowProtocol::Plain(Protocol::Udp));
    let bad = |change: &dyn Fn(&mut NetworkRule)| {
        let mut rule = network("net", "UDP", &["8.8.8.8"], &["53"]);
        change(&mut rule);
        allow(networks(vec![rule])).ask(&plain).0
    };
    assert_eq!(bad(&|_| {}), Allowed);
    assert_eq!(bad(&|r| r.protocols = strings(&["SCTP"])), Undecidable);
    assert_eq!(bad(&|r| r.protocols.clear()), Undecidable);
    assert_eq!(
        bad(&|r| r.destinations = strings(&["8.8.8.8/40"])),
        Undecidable
    );
    assert_eq!(
        bad(&|r| r.destinations = strings(&["Storage"])),
        Undecidable
    );
    assert_eq!(bad(&|r| r.destinations.clear()), Undecidable);
    assert_eq!(
        bad(&|r| r.destination_ports = strings(&["60-50"])),
        Undecidable
    );
    assert_eq!(bad(&|r| r.destination_ports.clear()), Undecidable);
}

#[test]
fn five_thousand_rules_keep_their_order() {
    let rules = (0..5000)
        .map(|n| {
            application(
                &format!("r{n}"),
                &[&format!("h{n}.example"), "*.shared.example"],
            )
        })
        .collect();
    let world = allow(applications(rules));
    assert_eq!(world.ask(&https("h4321.example")), is(Allowed, "r4321"));
    assert_eq!(world.ask(&https("x.shared.example")), is(Allowed, "r0"));
    assert_eq!(world.ask(&https("h5000.example")), is(Denied, ""));
}
