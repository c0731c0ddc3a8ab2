//! Security groups against a packet-by-packet oracle.

use egress_diagnosis::facts::{Access, Direction, SecurityRule};
use egress_diagnosis::network::nsg::*;
use egress_diagnosis::network::*;
use proptest::prelude::*;

use super::build::{nsg, rule};
use super::nsg::context;
use super::random::{Random, Span, address, prefix, text};

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("Tcp", Protocol::Tcp),
    ("UDP", Protocol::Udp),
    ("icmp", Protocol::Icmp),
];

#[derive(Clone, Copy, PartialEq)]
enum Term {
    Any,
    In(Span),
    Network,
    Internet,
    /// A tag the engine knows: 20.0.0.0/9.
    Told,
    /// A tag the engine does not know.
    Hidden,
}

struct Known {
    priority: u32,
    allow: bool,
    /// Index into `PROTOCOLS`; `None` = any.
    protocol: Option<usize>,
    sources: Vec<Term>,
    destinations: Vec<Term>,
    ports: Vec<(u16, u16)>,
}

struct Packet {
    source: u32,
    destination: u32,
    protocol: usize,
    port: u16,
}

const VIPS: [u32; 2] = [0xa83f_8110, 0xa9fe_a9fe];

fn in_network(address: u32) -> bool {
    address >> 17 == 0x0a00_0000 >> 17
}

pub(crate) fn public(address: u32) -> bool {
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

fn term_has(term: Term, address: u32, hidden: bool) -> bool {
    match term {
        Term::Any => true,
        Term::In(span) => span.has(address),
        Term::Network => in_network(address) || address == VIPS[0],
        Term::Internet => public(address) && !in_network(address),
        Term::Told => address >> 23 == 0x1400_0000 >> 23,
        Term::Hidden => hidden && public(address),
    }
}

/// Whether the packet passes, when the hidden tag holds its source and destination or not.
fn oracle(rules: &[Known], packet: &Packet, hidden: (bool, bool)) -> bool {
    if VIPS.contains(&packet.destination) {
        return true;
    }
    let mut sorted: Vec<&Known> = rules.iter().collect();
    sorted.sort_by_key(|r| r.priority);
    for rule in sorted {
        let fits = rule.protocol.is_none_or(|p| p == packet.protocol)
            && rule
                .sources
                .iter()
                .any(|t| term_has(*t, packet.source, hidden.0))
            && rule
                .destinations
                .iter()
                .any(|t| term_has(*t, packet.destination, hidden.1))
            && (packet.protocol == 2
                || rule
                    .ports
                    .iter()
                    .any(|(a, b)| *a <= packet.port && packet.port <= *b));
        if fits {
            return rule.allow;
        }
    }
    let network = |a| term_has(Term::Network, a, false);
    network(packet.source) && network(packet.destination)
        || term_has(Term::Internet, packet.destination, false)
}

fn terms(random: &mut Random) -> (Vec<Term>, Vec<String>) {
    (0..=random.below(2))
        .map(|_| match random.below(12) {
            0 | 1 => (Term::Any, "*".to_owned()),
            2 => (Term::Network, "VirtualNetwork".to_owned()),
            3 => (Term::Internet, "Internet".to_owned()),
            4 => (Term::Told, "Told".to_owned()),
            5 => (Term::Hidden, "Hidden.westeurope".to_owned()),
            _ => {
                let (span, _, text) = prefix(random);
                (Term::In(span), text)
            }
        })
        .unzip()
}

fn group(random: &mut Random) -> (Vec<Known>, Vec<SecurityRule>) {
    let mut known = Vec::new();
    let mut rules = Vec::new();
    for n in 0..random.below(7) {
        // Written out of order.
        let priority = 1000 - (n as u32) * 10 + (random.below(9) as u32);
        let allow = random.chance(50);
        let protocol = random.chance(60).then(|| random.below(3) as usize);
        let (sources, source_texts) = terms(random);
        let (destinations, destination_texts) = terms(random);
        let ports = *random.pick(&[(0, 65535), (443, 443), (53, 80), (80, 443)]);
        let access = if allow { Access::Allow } else { Access::Deny };
        let word = protocol.map_or("*", |p| PROTOCOLS[p].0);
        let port_text = if ports == (0, 65535) {
            "*".to_owned()
        } else {
            format!("{}-{}", ports.0, ports.1)
        };
        let mut given = rule(priority, access, word, &[], &[&port_text]);
        given.sources = source_texts;
        given.destinations = destination_texts;
        rules.push(given);
        known.push(Known {
            priority,
            allow,
            protocol,
            sources,
            destinations,
            ports: vec![ports],
        });
    }
    (known, rules)
}

fn one_case(seed: u64, packets: usize) {
    let mut random = Random::new(seed);
    let tags = context(None, ServiceTags::new([("Told", ["20.0.0.0/9"])]));
    let (nic_known, nic) = group(&mut random);
    let (subnet_known, subnet) = group(&mut random);
    let level = |rules, level| {
        LevelRules::Known(SecurityRules::new(
            &nsg(rules),
            level,
            Direction::Outbound,
            &tags,
        ))
    };
    let (nic, subnet) = (level(nic, Level::Nic), level(subnet, Level::Subnet));
    let uses_hidden = |rules: &[Known]| {
        rules
            .iter()
            .any(|r| r.sources.contains(&Term::Hidden) || r.destinations.contains(&Term::Hidden))
    };
    // The first class is everything; the others are one port and some sources.
    for flow in 0..packets / 100 {
        let everything = flow == 0;
        let protocol = random.below(3) as usize;
        let port = *random.pick(&[0, 52, 53, 80, 81, 442, 443, 444, 65535]);
        let (mut span, _, _) = prefix(&mut random);
        let mut class = FlowClass::new(
            AddressSet::parse_all([format!("{}-{}", text(span.low), text(span.high)).as_str()])
                .unwrap(),
            AddressSet::all_of(Family::V4),
            PROTOCOLS[protocol].1,
            PortSet::one(port),
        );
        if everything {
            span = Span::prefix(0, 0);
            class.sources = AddressSet::all_of(Family::V4);
            class.protocols = ProtocolSet::ALL;
            class.ports = PortSet::all();
        }
        let parts = evaluate_levels(&nic, &subnet, &class);
        for _ in 0..100 {
            let near = address(&mut random);
            let packet = Packet {
                source: if span.has(near) {
                    near
                } else {
                    span.low + random.below(u64::from(span.high - span.low) + 1) as u32
                },
                destination: if random.chance(3) {
                    *random.pick(&VIPS)
                } else {
                    address(&mut random)
                },
                protocol: if everything {
                    random.below(3) as usize
                } else {
                    protocol
                },
                port: if everything {
                    *random.pick(&[0, 52, 53, 80, 443, 444])
                } else {
                    port
                },
            };
            let source = std::net::Ipv4Addr::from(packet.source).into();
            let destination = std::net::Ipv4Addr::from(packet.destination).into();
            let mut holding = parts.iter().filter(|part| {
                part.class.protocols.contains(PROTOCOLS[packet.protocol].1)
                    && part.class.ports.contains(packet.port)
                    && part.class.destinations.contains(destination)
                    && part.class.sources.contains(source)
            });
            let answer = holding.next().unwrap();
            assert!(holding.next().is_none(), "parts overlap");
            let worlds =
                [(false, false), (false, true), (true, false), (true, true)].map(|hidden| {
                    oracle(&nic_known, &packet, hidden) && oracle(&subnet_known, &packet, hidden)
                });
            match answer.outcome() {
                Outcome::Allowed => assert_eq!(worlds, [true; 4], "{answer:#?}"),
                Outcome::Denied => assert_eq!(worlds, [false; 4], "{answer:#?}"),
                Outcome::Undecidable => {
                    assert!(
                        uses_hidden(&nic_known) || uses_hidden(&subnet_known),
                        "{answer:#?}"
                    );
                    assert!(public(packet.source) || public(packet.destination));
                }
            }
        }
    }
}

/// Worlds per run, and packets in each.
const CASES: u32 = 250;
const PACKETS: usize = 1500;
/// Packets per run.
pub(crate) const ALL: usize = CASES as usize * PACKETS;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Pairs of groups × classes of 100 packets.
    #[test]
    fn r4_4_agrees_with_the_oracle(seed in any::<u64>()) {
        one_case(seed, PACKETS);
    }
}
