//! Route selection against a packet-by-packet oracle.

use egress_diagnosis::facts::NextHopType;
use egress_diagnosis::network::routes::{Bgp, EffectiveRoutes, Hop, Inputs};
use egress_diagnosis::network::{AddressSet, Family, ServiceTags};
use proptest::prelude::*;

use super::build::{peering, route, table, vnet};
use super::random::{Random, Span, address, prefix, text};

/// Rank: 3 user, 2 BGP, 1 network and peering, 0 default and private ranges.
struct Known {
    span: Span,
    length: u32,
    rank: u32,
    hop: String,
}

fn word(hop: &Hop) -> String {
    match hop {
        Hop::VirtualAppliance(Some(ip)) => format!("appliance {ip}"),
        other => format!("{other:?}"),
    }
}

/// Longest prefix, then rank; BGP does not count where the network or a peering matches.
fn oracle(routes: &[Known], packet: u32) -> String {
    let matching: Vec<&Known> = routes.iter().filter(|r| r.span.has(packet)).collect();
    let local = matching.iter().any(|r| r.rank == 1);
    matching
        .into_iter()
        .filter(|r| !(local && r.rank == 2))
        .max_by_key(|r| (r.length, r.rank))
        .map_or("no route".to_owned(), |r| r.hop.clone())
}

fn one_case(seed: u64, packets: usize) {
    let mut random = Random::new(seed);
    let mut known = vec![
        Known {
            span: Span::prefix(0x0a00_0000, 16),
            length: 16,
            rank: 1,
            hop: "VirtualNetwork".into(),
        },
        Known {
            span: Span::prefix(0x0a01_0000, 16),
            length: 16,
            rank: 1,
            hop: "Peering(None)".into(),
        },
        Known {
            span: Span::prefix(0, 0),
            length: 0,
            rank: 0,
            hop: "Internet".into(),
        },
    ];
    let mut routes = Vec::new();
    let mut used = Vec::new();
    for n in 0..random.below(12) {
        let (span, length, cidr) = prefix(&mut random);
        if used.contains(&cidr) {
            continue;
        }
        let (hop, ip, name) = match random.below(4) {
            0 => (NextHopType::Internet, None, "Internet".to_owned()),
            1 => (NextHopType::None, None, "None".to_owned()),
            _ => {
                let ip = format!("10.0.0.{n}");
                let name = format!("appliance {ip}");
                (NextHopType::VirtualAppliance, Some(ip), name)
            }
        };
        routes.push(route(&cidr, hop, ip.as_deref()));
        known.push(Known {
            span,
            length,
            rank: 3,
            hop: name,
        });
        used.push(cidr);
    }
    if !used.contains(&"0.0.0.0/0".to_owned()) {
        for (base, length) in [
            (0x0a00_0000, 8),
            (0xac10_0000, 12),
            (0xc0a8_0000, 16),
            (0x6440_0000, 10),
        ] {
            known.push(Known {
                span: Span::prefix(base, length),
                length,
                rank: 0,
                hop: "None".into(),
            });
        }
    }
    let mut learned = Vec::new();
    for _ in 0..random.below(5) {
        let (span, length, cidr) = prefix(&mut random);
        learned.push(cidr.parse().unwrap());
        known.push(Known {
            span,
            length,
            rank: 2,
            hop: "VirtualNetworkGateway".into(),
        });
    }
    let mut network = vnet(&["10.0.0.0/16"]);
    network.peerings = vec![peering("p", Some("Connected"), &["10.1.0.0/16"])];
    let effective = EffectiveRoutes::compute(&Inputs {
        network: &network,
        table: Some(&table(routes)),
        service_endpoints: &[],
        bgp: &Bgp::Known(learned),
        tags: &ServiceTags::unknown(),
    });
    let parts = effective.decide(&AddressSet::all_of(Family::V4));
    for _ in 0..packets {
        let packet = address(&mut random);
        let ip = std::net::Ipv4Addr::from(packet).into();
        let expected = oracle(&known, packet);
        let selected = effective.select(ip);
        assert!(selected.open.is_empty());
        assert_eq!(
            word(&selected.route.unwrap().hop),
            expected,
            "{}",
            text(packet)
        );
        // The partition puts the packet into exactly one part, with the same route.
        let mut holding = parts.iter().filter(|part| part.destinations.contains(ip));
        assert_eq!(holding.next().unwrap().route, selected.route);
        assert!(holding.next().is_none());
    }
}

/// Worlds per run, and packets in each.
const CASES: u32 = 700;
const PACKETS: usize = 500;
/// Packets per run.
pub(crate) const ALL: usize = CASES as usize * PACKETS;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tables × packets.
    #[test]
    fn r3_1_agrees_with_the_oracle(seed in any::<u64>()) {
        one_case(seed, PACKETS);
    }
}
