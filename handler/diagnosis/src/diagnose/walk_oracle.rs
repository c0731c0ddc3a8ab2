//! The whole way of a packet, as the report tells it, against an oracle that follows packet by packet: security groups
//! at the NIC and at the subnet, the route, then the firewall's rules or the outbound method. Written on plain numbers; it
//! shares nothing with the engine but the facts it describes.

use crate::diagnose;
use crate::facts::*;
use crate::report::{CheckStatus, FinalState, Need, Report, TrafficVerdict};
use crate::testing::{
    firewall_id, firewall_rules, firewalled, load_balancer, nic_nsg, policy_id, route, route_table,
    split_pools, subnet_nsg,
};

#[expect(
    clippy::cast_possible_truncation,
    reason = "the oracles work on plain numbers that are known to fit"
)]
#[path = "../../tests/network/random.rs"]
mod random;

use random::{Random, Span, address, prefix};

const CASES: u64 = 300;
const PACKETS: usize = 40;
const POOLS: [(&str, u32); 2] = [("system", 0x0a00_0000), ("user", 0x0a00_3200)];
const HOSTS: [&str; 3] = ["a.contoso.com", "contoso.com", "other.example"];
const PATTERNS: [&str; 6] = [
    "*",
    "*.contoso.com",
    "*contoso.com",
    "contoso.com",
    "*.microsoft.com",
    "other.example",
];
const APPLIANCE: &str = "10.1.0.4";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Hop {
    Internet,
    None,
    Firewall,
}

#[derive(Clone, Copy)]
enum Term {
    Any,
    In(Span),
    Internet,
}

/// A rule of a security group: priority, whether it allows, protocol (`None`: any), destination, ports.
struct SecurityKnown(u32, bool, Option<bool>, Term, (u16, u16));

/// A rule of the firewall: stage and place, whether it allows, source, and what it is about.
struct FirewallKnown {
    order: (u8, u32, usize),
    allow: bool,
    source: Span,
    what: About,
}

enum About {
    Addresses(Span, (u16, u16), Option<bool>),
    Hosts(&'static str),
}

#[derive(Default)]
struct World {
    nic: [Vec<SecurityKnown>; 2],
    subnet: [Vec<SecurityKnown>; 2],
    routes: Vec<(Span, u32, Hop)>,
    firewall: Vec<FirewallKnown>,
    /// Whether the load balancer has an outbound rule.
    balanced: bool,
}

struct Packet<'h> {
    pool: usize,
    source: u32,
    destination: u32,
    host: &'h str,
    port: u16,
    udp: bool,
    /// `https`, `http` or nothing that an application rule would look at.
    spoken: &'h str,
}

fn public(address: u32) -> bool {
    let [a, b, c, _] = address.to_be_bytes();
    !(a == 0
        || a == 10
        || a == 127
        || a >= 224
        || (a, b) == (192, 168)
        || (a, b) == (169, 254)
        || (a, b, c) == (192, 0, 2)
        || a == 172 && (16..32).contains(&b)
        || a == 100 && (64..128).contains(&b)
        || a == 198 && (18..20).contains(&b))
}

impl World {
    /// The destination is public, so what no rule matches is for the default rule about the internet.
    fn admitted(rules: &[SecurityKnown], packet: &Packet<'_>) -> bool {
        let mut sorted: Vec<&SecurityKnown> = rules.iter().collect();
        sorted.sort_by_key(|rule| rule.0);
        let first = sorted.iter().find(|rule| {
            rule.2.is_none_or(|udp| udp == packet.udp)
                && match rule.3 {
                    Term::Any | Term::Internet => true,
                    Term::In(span) => span.has(packet.destination),
                }
                && (rule.4.0..=rule.4.1).contains(&packet.port)
        });
        first.is_none_or(|rule| rule.1)
    }

    /// The longest prefix, and its length.
    fn hop(&self, destination: u32) -> (Hop, u32) {
        let matching = self
            .routes
            .iter()
            .filter(|(span, ..)| span.has(destination));
        matching
            .max_by_key(|(_, length, _)| *length)
            .map_or((Hop::Internet, 0), |(_, length, hop)| (*hop, *length))
    }

    fn firewall_admits(&self, packet: &Packet<'_>) -> bool {
        let mut sorted: Vec<&FirewallKnown> = self.firewall.iter().collect();
        sorted.sort_by_key(|rule| rule.order);
        let first = sorted.iter().find(|rule| {
            rule.source.has(packet.source)
                && match &rule.what {
                    About::Addresses(span, ports, udp) => {
                        span.has(packet.destination)
                            && (ports.0..=ports.1).contains(&packet.port)
                            && udp.is_none_or(|udp| udp == packet.udp)
                    }
                    About::Hosts(pattern) => {
                        matches!((packet.spoken, packet.port), ("https", 443) | ("http", 80))
                            && match pattern.strip_prefix('*') {
                                Some(end) => packet.host.ends_with(end),
                                None => packet.host == *pattern,
                            }
                    }
                }
        });
        first.is_some_and(|rule| rule.allow)
    }

    fn security_admits(&self, packet: &Packet<'_>) -> bool {
        Self::admitted(&self.nic[packet.pool], packet)
            && Self::admitted(&self.subnet[packet.pool], packet)
    }

    /// Whether the packet gets out.
    fn passes(&self, packet: &Packet<'_>) -> bool {
        self.security_admits(packet)
            && match self.hop(packet.destination).0 {
                Hop::None => false,
                Hop::Internet => self.balanced,
                Hop::Firewall => self.firewall_admits(packet),
            }
    }
}

fn security(random: &mut Random) -> (Vec<SecurityKnown>, Vec<SecurityRule>) {
    let mut known = Vec::new();
    let mut rules = Vec::new();
    for n in 0..random.below(4) {
        let priority = 1000 - u32::try_from(n * 10 + random.below(9)).unwrap();
        let allow = random.chance(65);
        let udp = random.chance(50).then(|| random.chance(30));
        let (term, text) = match random.below(5) {
            0 => (Term::Any, "*".to_owned()),
            1 => (Term::Internet, "Internet".to_owned()),
            _ => {
                let (span, _, text) = prefix(random);
                (Term::In(span), text)
            }
        };
        let ports = *random.pick(&[(0, 65535), (443, 443), (100, 200), (1, 100)]);
        known.push(SecurityKnown(priority, allow, udp, term, ports));
        let access = if allow { Access::Allow } else { Access::Deny };
        let word = match udp {
            None => "*",
            Some(true) => "Udp",
            Some(false) => "Tcp",
        };
        let ports = format!("{}-{}", ports.0, ports.1);
        rules.push(crate::testing::security_rule(
            &format!("r{priority}"),
            priority,
            access,
            word,
            &text,
            &ports,
        ));
    }
    (known, rules)
}

fn routes(random: &mut Random, world: &mut World) -> Vec<Route> {
    let mut made = Vec::new();
    let mut used = Vec::new();
    let default = (Span::prefix(0, 0), 0, "0.0.0.0/0".to_owned());
    let others = (0..random.below(3))
        .map(|_| prefix(random))
        .collect::<Vec<_>>();
    let diverted = random.chance(30);
    for (span, length, text) in [default].into_iter().chain(others) {
        let first = made.is_empty();
        if used.contains(&text) || !first && (!diverted || !public(span.low)) {
            continue;
        }
        let hop = match random.below(10) {
            0 => Hop::None,
            1 | 2 => Hop::Internet,
            _ => Hop::Firewall,
        };
        let (kind, through) = match hop {
            Hop::None => (NextHopType::None, None),
            Hop::Internet => (NextHopType::Internet, None),
            Hop::Firewall => (NextHopType::VirtualAppliance, Some(APPLIANCE)),
        };
        made.push(route(&format!("to-{length}"), &text, kind, through));
        world.routes.push((span, length, hop));
        used.push(text);
    }
    made
}

fn firewall(random: &mut Random, world: &mut World) -> Vec<RuleCollection> {
    let mut collections = Vec::new();
    for c in 0..random.below(5) {
        let priority = 500 - u32::try_from(c * 10 + random.below(9)).unwrap();
        let allow = random.chance(75);
        let mut rules = RuleCollectionRules::default();
        for n in 0..=usize::try_from(random.below(3)).unwrap() {
            let (source, from) = if random.chance(60) {
                (Span::prefix(0, 0), "*".to_owned())
            } else {
                let (span, _, text) = prefix(random);
                (span, text)
            };
            let name = format!("{priority}/{n}");
            let (stage, what) = if random.chance(40) {
                let (span, to) = if random.chance(40) {
                    (Span::prefix(0, 0), "*".to_owned())
                } else {
                    let (span, _, text) = prefix(random);
                    (span, text)
                };
                let ports = *random.pick(&[(0, 65535), (443, 443), (100, 200)]);
                let udp = random.chance(60).then(|| random.chance(30));
                let protocol = match udp {
                    None => "Any",
                    Some(true) => "UDP",
                    Some(false) => "TCP",
                };
                rules.network.push(NetworkRule {
                    name,
                    protocols: vec![protocol.to_owned()],
                    sources: vec![from],
                    destinations: vec![to],
                    destination_ports: vec![format!("{}-{}", ports.0, ports.1)],
                    ..NetworkRule::default()
                });
                (0, About::Addresses(span, ports, udp))
            } else {
                let pattern = *random.pick(&PATTERNS);
                rules.application.push(ApplicationRule {
                    name,
                    protocols: vec![
                        ("Http".to_owned(), Some(80)),
                        ("Https".to_owned(), Some(443)),
                    ],
                    sources: vec![from],
                    targets: vec![ApplicationTarget::Fqdn(pattern.to_owned())],
                    ..ApplicationRule::default()
                });
                (1, About::Hosts(pattern))
            };
            world.firewall.push(FirewallKnown {
                order: (stage, priority, n),
                allow,
                source,
                what,
            });
        }
        collections.push(RuleCollection {
            name: format!("c{priority}"),
            priority: Some(priority),
            action: Some(if allow {
                RuleAction::Allow
            } else {
                RuleAction::Deny
            }),
            rules,
        });
    }
    collections
}

fn endpoint(host: &str, port: u16, protocol: &str) -> EgressEndpoint {
    EgressEndpoint {
        category: "images".to_owned(),
        domain_name: host.to_owned(),
        port: Some(port),
        protocol: Some(protocol.to_owned()),
        description: None,
    }
}

/// A cluster with two pools in subnets of their own, behind a firewall, a load balancer, or both.
fn cluster(random: &mut Random) -> (Facts, World) {
    let mut world = World::default();
    let mut facts = split_pools(firewalled());
    if random.chance(60) {
        let other = load_balancer();
        facts.load_balancer = other.load_balancer;
        facts.public_ips.extend(other.public_ips);
        world.balanced = true;
        if random.chance(50) {
            facts.cluster.network = other.cluster.network;
        }
    }
    for (n, (pool, _)) in POOLS.iter().enumerate() {
        let subnet = if n == 0 { "nodes" } else { "user" };
        if random.chance(60) {
            let (known, rules) = security(random);
            subnet_nsg(&mut facts, subnet, rules);
            world.subnet[n] = known;
        }
        if random.chance(60) {
            let (known, rules) = security(random);
            nic_nsg(&mut facts, pool, rules);
            world.nic[n] = known;
        }
    }
    let made = routes(random, &mut world);
    route_table(&mut facts, made);
    firewall_rules(
        &mut facts,
        RuleAction::Allow,
        RuleCollectionRules::default(),
    );
    let collections = firewall(random, &mut world);
    if let Some(Datum::Known(groups)) = facts.rule_collection_groups.get_mut(&policy_id()) {
        groups[0].collections = collections;
    }
    facts.egress_endpoints = Datum::Known(vec![
        endpoint(HOSTS[0], 443, "Https"),
        endpoint(HOSTS[1], 443, "Https"),
        endpoint(HOSTS[2], 80, "Http"),
        endpoint(HOSTS[2], 123, "UDP"),
    ]);
    (facts, world)
}

/// A packet of a pool to this endpoint, at any public address.
fn packet<'h>(
    random: &mut Random,
    pool: usize,
    (host, port, protocol): (&'h str, u16, &'h str),
) -> Packet<'h> {
    let destination = loop {
        let near = address(random);
        // The platform's own address is public in form only.
        if public(near) && near != 0xa83f_8110 {
            break near;
        }
    };
    let source = POOLS[pool].1 + u32::try_from(random.below(256)).unwrap();
    Packet {
        pool,
        source,
        destination,
        host,
        port,
        udp: protocol.eq_ignore_ascii_case("udp"),
        spoken: match protocol.to_ascii_lowercase().as_str() {
            "https" => "https",
            "http" => "http",
            _ => "",
        },
    }
}

#[derive(Default, Debug)]
struct Tally {
    allowed: usize,
    blocked: usize,
    delivered: usize,
    forwarded: usize,
    dropped: usize,
    firewall_passed: usize,
}

/// Every endpoint's verdict for every pool.
fn endpoints(random: &mut Random, report: &Report, world: &World, tally: &mut Tally, seed: u64) {
    for item in &report.egress_endpoints.items {
        let (Some(port), Some(protocol)) = (item.port, item.protocol.as_deref()) else {
            continue;
        };
        let host = item.domain_name.replace('*', "x");
        for verdict in &item.by_pool {
            let wanted = match verdict.verdict {
                TrafficVerdict::Allowed => true,
                TrafficVerdict::Blocked => false,
                TrafficVerdict::Partial | TrafficVerdict::Unknown => continue,
            };
            *(if wanted {
                &mut tally.allowed
            } else {
                &mut tally.blocked
            }) += 1;
            for name in &verdict.node_pools {
                let pool = POOLS.iter().position(|(pool, _)| pool == name).unwrap();
                for _ in 0..PACKETS {
                    let packet = packet(random, pool, (&host, port, protocol));
                    assert_eq!(
                        world.passes(&packet),
                        wanted,
                        "seed {seed}: {name} to {host}:{port} {protocol} at {}: {verdict:?}",
                        random::text(packet.destination)
                    );
                }
            }
        }
    }
}

/// Where each subnet's packets to the internet end, as far as they take the default route.
fn paths(random: &mut Random, report: &Report, world: &World, tally: &mut Tally, seed: u64) {
    for path in &report.outbound.paths {
        let (counter, wanted) = match path.final_state {
            FinalState::Delivered => (&mut tally.delivered, true),
            FinalState::Forwarded => (&mut tally.forwarded, true),
            FinalState::Dropped => (&mut tally.dropped, false),
            FinalState::Undetermined => continue,
        };
        *counter += 1;
        for name in &path.node_pools {
            let pool = POOLS.iter().position(|(pool, _)| pool == name).unwrap();
            for _ in 0..PACKETS {
                let packet = packet(random, pool, ("x.example", 443, "tcp"));
                let (hop, length) = world.hop(packet.destination);
                if length > 0 {
                    continue;
                }
                let leaves = world.security_admits(&packet)
                    && match hop {
                        Hop::None => false,
                        Hop::Internet => world.balanced,
                        // What the firewall does with it is not the path's to say.
                        Hop::Firewall => true,
                    };
                assert_eq!(
                    leaves,
                    wanted,
                    "seed {seed}: {name} to {}: {path:#?}",
                    random::text(packet.destination)
                );
            }
        }
    }
}

/// When nothing is left open about the firewall's rules, it admits everything that is needed.
fn firewall_check(
    random: &mut Random,
    report: &Report,
    world: &World,
    tally: &mut Tally,
    seed: u64,
) {
    let passed = report
        .checks
        .iter()
        .any(|check| check.id == "FWL108" && check.status == CheckStatus::Passed);
    if !passed {
        return;
    }
    tally.firewall_passed += 1;
    let needed = report.egress_endpoints.items.iter();
    for item in needed.filter(|item| item.need != Need::Optional) {
        let (Some(port), Some(protocol)) = (item.port, item.protocol.as_deref()) else {
            continue;
        };
        let host = item.domain_name.replace('*', "x");
        for pool in 0..POOLS.len() {
            for _ in 0..PACKETS {
                let packet = packet(random, pool, (&host, port, protocol));
                assert!(
                    world.firewall_admits(&packet),
                    "seed {seed}: the firewall drops {host}:{port} {protocol}"
                );
            }
        }
    }
}

#[test]
fn r0_2_the_report_agrees_with_the_packets() {
    let mut tally = Tally::default();
    for seed in 0..CASES {
        let mut random = Random::new(seed);
        let (facts, world) = cluster(&mut random);
        assert!(facts.firewalls.contains_key(&firewall_id()));
        let report = diagnose(&facts);
        endpoints(&mut random, &report, &world, &mut tally, seed);
        paths(&mut random, &report, &world, &mut tally, seed);
        firewall_check(&mut random, &report, &world, &mut tally, seed);
    }
    // The comparison is not empty.
    for count in [
        tally.allowed,
        tally.blocked,
        tally.delivered,
        tally.forwarded,
        tally.dropped,
        tally.firewall_passed,
    ] {
        assert!(count > 5, "{tally:?}");
    }
}
