//! Firewall policies against a packet-by-packet oracle.

use egress_diagnosis::facts::*;
use egress_diagnosis::network::firewall::*;
use egress_diagnosis::network::*;
use proptest::prelude::*;

use super::build::strings;
use super::firewall::{World, application, collection, group, network};
use super::random::{Random, Span, address, prefix};

const HOSTS: [&str; 6] = [
    "a.contoso.com",
    "b.a.contoso.com",
    "contoso.com",
    "mcr.microsoft.com",
    "other.example",
    "xcontoso.com",
];
const PATTERNS: [&str; 7] = [
    "*",
    "*.contoso.com",
    "*contoso.com",
    "a.contoso.com",
    "MCR.microsoft.com",
    "*.example",
    "other.example",
];

#[derive(Clone)]
enum Match {
    /// Destination (`None`: the hidden tag), port, protocol word.
    Network(Option<Span>, (u16, u16), &'static str),
    Application(&'static str),
}

/// In the order the firewall goes: stage, depth of policy, group, collection, rule.
struct Known {
    order: (u8, u8, u32, u32, usize),
    allow: bool,
    source: Span,
    what: Match,
}

struct Packet {
    source: u32,
    destination: u32,
    host: &'static str,
    port: u16,
    udp: bool,
    tls: bool,
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_lowercase();
    match pattern.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => pattern == host,
    }
}

fn oracle(rules: &[Known], packet: &Packet, hidden: bool) -> bool {
    let public = packet.destination >> 24 == 20 || packet.destination >> 24 == 8;
    let mut sorted: Vec<&Known> = rules.iter().collect();
    sorted.sort_by_key(|r| r.order);
    for rule in sorted {
        let fits = rule.source.has(packet.source)
            && match &rule.what {
                Match::Network(span, ports, protocol) => {
                    span.map_or(hidden && public, |span| span.has(packet.destination))
                        && ports.0 <= packet.port
                        && packet.port <= ports.1
                        && (*protocol == "Any" || (*protocol == "UDP") == packet.udp)
                }
                Match::Application(pattern) => {
                    packet.tls && packet.port == 443 && host_matches(pattern, packet.host)
                }
            };
        if fits {
            return rule.allow;
        }
    }
    false
}

fn policy(random: &mut Random, depth: u8, known: &mut Vec<Known>) -> Vec<RuleCollectionGroup> {
    let mut groups = Vec::new();
    for g in 0..=random.below(2) as u32 {
        let group_priority = 1000 - g * 10 + random.below(9) as u32;
        let mut collections = Vec::new();
        for c in 0..=random.below(2) as u32 {
            let priority = 500 - c * 10 + random.below(9) as u32;
            let allow = random.chance(50);
            let action = if allow {
                RuleAction::Allow
            } else {
                RuleAction::Deny
            };
            let mut rules = RuleCollectionRules::default();
            for n in 0..random.below(4) as usize {
                let (source, _, source_text) = prefix(random);
                let name = format!("{depth}/{group_priority}/{priority}/{n}");
                let (stage, what) = if random.chance(50) {
                    let protocol = *random.pick(&["Any", "TCP", "UDP"]);
                    let ports = *random.pick(&[(0, 65535), (443, 443), (50, 100)]);
                    let (span, text) = if random.chance(12) {
                        (None, "Storage".to_owned())
                    } else {
                        let (span, _, text) = prefix(random);
                        (Some(span), text)
                    };
                    let mut rule = network(
                        &name,
                        protocol,
                        &[&text],
                        &[&format!("{}-{}", ports.0, ports.1)],
                    );
                    rule.sources = strings(&[&source_text]);
                    rules.network.push(rule);
                    (0, Match::Network(span, ports, protocol))
                } else {
                    let pattern = *random.pick(&PATTERNS);
                    let mut rule = application(&name, &[pattern]);
                    rule.sources = strings(&[&source_text]);
                    rules.application.push(rule);
                    (1, Match::Application(pattern))
                };
                known.push(Known {
                    order: (stage, depth, group_priority, priority, n),
                    allow,
                    source,
                    what,
                });
            }
            collections.push(collection(priority, action, rules));
        }
        groups.push(group(&format!("/g{depth}{g}"), group_priority, collections));
    }
    groups
}

fn one_case(seed: u64, packets: usize) {
    let mut random = Random::new(seed);
    let mut known = Vec::new();
    let base = policy(&mut random, 0, &mut known);
    let child = policy(&mut random, 1, &mut known);
    let mut world = World::default();
    world.policy("/base", None, base);
    world.policy("/p", Some("/base"), child);
    let rules = world.rules();
    let uses_hidden = known
        .iter()
        .any(|r| matches!(r.what, Match::Network(None, ..)));
    let everyone = AddressSet::all_of(Family::V4);
    for _ in 0..packets / 25 {
        let udp = random.chance(30);
        let tls = !udp && random.chance(70);
        let port = *random.pick(&[443, 443, 80, 53]);
        let host = *random.pick(&HOSTS);
        let near = address(&mut random);
        let destination = *random.pick(&[0x1400_0001, 0x1428_0001, 0x0808_0808, near]);
        let destination = if matches!(destination >> 24, 8 | 20) {
            destination
        } else {
            0x0808_0404
        };
        let protocol = match (tls, udp) {
            (true, _) => FlowProtocol::Https,
            (_, true) => FlowProtocol::Plain(Protocol::Udp),
            _ => FlowProtocol::Plain(Protocol::Tcp),
        };
        let target = Target {
            host: Some(Host::parse(host)),
            addresses: std::net::IpAddr::from(std::net::Ipv4Addr::from(destination)).into(),
            tags: Vec::new(),
            port,
            protocol,
        };
        let answers = rules.evaluate(&everyone, &target);
        for _ in 0..25 {
            let packet = Packet {
                source: address(&mut random),
                destination,
                host,
                port,
                udp,
                tls,
            };
            let source = std::net::Ipv4Addr::from(packet.source).into();
            let mut holding = answers
                .iter()
                .filter(|answer| answer.sources.contains(source));
            let answer = holding.next().unwrap();
            assert!(holding.next().is_none(), "parts overlap");
            let worlds = [false, true].map(|hidden| oracle(&known, &packet, hidden));
            match answer.decision.outcome {
                Outcome::Allowed => assert_eq!(worlds, [true; 2], "{answer:#?}"),
                Outcome::Denied => assert_eq!(worlds, [false; 2], "{answer:#?}"),
                Outcome::Undecidable => assert!(uses_hidden, "{answer:#?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// 600 policies × 600 packets.
    #[test]
    fn r5_3_agrees_with_the_oracle(seed in any::<u64>()) {
        one_case(seed, 600);
    }
}
