//! Recorded effective routes and effective security groups against what the engine computes.
//!
//! Azure recorded the answers for one NIC, but not the network behind it. The network is put together from the answers
//! themselves: its address space from the `VnetLocal` routes, no route table and no gateway as every route's source is
//! `Default`, and a security group without rules of its own as all rules are default ones. Skipped aloud when the
//! recordings are not beside the checkout.

use std::collections::BTreeMap;
use std::net::IpAddr;

use egress_diagnosis::facts::{Direction, Id, Nsg, VirtualNetwork};
use egress_diagnosis::network::nsg::{FlowClass, Level, SecurityRules};
use egress_diagnosis::network::routes::{Bgp, EffectiveRoutes, Inputs};
use egress_diagnosis::network::{
    AddressSet, Family, OnPremises, Outcome, PortSet, Protocol, ServiceTags, TagContext,
    VirtualNetworkSpace,
};
use egress_tests::replay::{load_file, recordings};
use serde_json::Value;

/// The `value` of a recorded answer.
fn answer(file: &str) -> Option<Vec<Value>> {
    let path = recordings()?.join("network").join(file);
    if !path.is_file() {
        eprintln!("SKIPPED: no recorded answer at {}", path.display());
        return None;
    }
    let recorded = load_file(&path).expect("a recorded answer");
    recorded.body["value"].as_array().cloned()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn set(prefixes: &[&str]) -> AddressSet {
    AddressSet::parse_all(prefixes.iter().copied()).expect("prefixes")
}

fn network(prefixes: &[&str]) -> VirtualNetwork {
    VirtualNetwork {
        id: Id::new("/network"),
        location: None,
        address_prefixes: prefixes.iter().map(|&p| p.to_owned()).collect(),
        dns_servers: Vec::new(),
        peerings: Vec::new(),
        subnet_ids: vec![Id::new("/network/subnets/nodes")],
    }
}

#[test]
fn r3_11_recorded_effective_routes_are_what_is_computed() {
    let Some(recorded) = answer("effective-routes-02.json") else {
        return;
    };
    // Only active routes count, and a route may have several prefixes.
    let active: Vec<(&str, &str)> = recorded
        .iter()
        .filter(|route| text(route, "state") == "Active")
        .flat_map(|route| {
            assert_eq!(text(route, "source"), "Default", "no table, no gateway");
            texts(&route["addressPrefix"])
                .into_iter()
                .map(|prefix| (prefix, text(route, "nextHopType")))
        })
        .collect();
    let own: Vec<&str> = active
        .iter()
        .filter(|(_, hop)| *hop == "VnetLocal")
        .map(|(prefix, _)| *prefix)
        .collect();
    let computed = EffectiveRoutes::compute(&Inputs {
        network: &network(&own),
        table: None,
        service_endpoints: &[],
        bgp: &Bgp::None,
        tags: &ServiceTags::unknown(),
    });
    assert!(computed.open().is_empty());
    // Every computed route is a recorded one.
    for route in computed.routes() {
        let prefix = route.prefix.to_string();
        let hop = route.hop.next_hop_type().as_str().to_owned();
        assert!(
            active.contains(&(prefix.as_str(), hop.as_str())),
            "{prefix} to {hop} is not among {active:?}"
        );
    }
    // What Azure has beside them drops ranges that it keeps to itself; it is not documented which.
    let mut kept = AddressSet::empty();
    for (prefix, hop) in &active {
        if !computed
            .routes()
            .iter()
            .any(|route| route.prefix.to_string() == *prefix)
        {
            assert_eq!(*hop, "None", "{prefix}");
            kept.insert_all(&set(&[prefix]));
        }
    }
    // Everywhere else the choice is the same: by longest prefix, in the middle and at the edges of every prefix.
    for (prefix, _) in &active {
        for address in samples(prefix) {
            if kept.contains(address) {
                continue;
            }
            let expected = active
                .iter()
                .filter(|(prefix, _)| set(&[prefix]).contains(address))
                .max_by_key(|(prefix, _)| length(prefix))
                .map(|(_, hop)| *hop);
            let decided = computed.select(address).route;
            let hop = decided.map(|route| route.hop.next_hop_type().as_str().to_owned());
            assert_eq!(hop.as_deref(), expected, "{address}");
        }
    }
}

fn length(prefix: &str) -> u8 {
    let (_, length) = prefix.split_once('/').expect("a prefix");
    length.parse().expect("its length")
}

/// The first and last addresses of a prefix, and the ones before and after it.
fn samples(prefix: &str) -> Vec<IpAddr> {
    set(&[prefix])
        .v4_ranges()
        .flat_map(|range| {
            let (low, high) = (u32::from(*range.start()), u32::from(*range.end()));
            [low, high, low.wrapping_sub(1), high.wrapping_add(1)]
        })
        .map(|bits| IpAddr::from(std::net::Ipv4Addr::from(bits)))
        .collect()
}

#[test]
fn r4_21_recorded_effective_rules_are_what_is_computed() {
    let Some(recorded) = answer("effective-nsgs-01.json") else {
        return;
    };
    assert_eq!(recorded.len(), 1, "one security group, on the NIC");
    let tags = &recorded[0]["tagMap"];
    let internet = set(&texts(&tags["Internet"]));
    let space = set(&texts(&tags["VirtualNetwork"]));
    // The host's address is in every network's tag (R4.13).
    let own = space.difference(&set(&["168.63.129.16"]));
    let prefixes: Vec<String> = own.prefixes().map(|net| net.to_string()).collect();
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let context = TagContext {
        service_tags: ServiceTags::unknown(),
        space: VirtualNetworkSpace::of(
            &network(&prefixes),
            None,
            OnPremises::Known(AddressSet::empty()),
        ),
        application_groups: BTreeMap::new(),
    };
    for (tag, expected) in [("VirtualNetwork", &space), ("Internet", &internet)] {
        let computed = context.tag(tag);
        assert!(computed.doubts.is_empty(), "{tag}: {:?}", computed.doubts);
        let missing = expected.difference(&computed.certain);
        assert!(missing.is_empty(), "{tag} lacks {missing:?}");
    }
    assert_eq!(context.tag("VirtualNetwork").certain, space);
    let balancer = set(&texts(&tags["AzureLoadBalancer"]));
    assert_eq!(context.tag("AzureLoadBalancer").certain, balancer);
    // A group without rules of its own: Azure's default rules are appended by the engine (R4.3).
    let empty = Nsg {
        id: Id::new("/group"),
        rules: Vec::new(),
        default_rules: Vec::new(),
        aks_managed: false,
    };
    for direction in [Direction::Outbound, Direction::Inbound] {
        let rules = SecurityRules::new(&empty, Level::Nic, direction, &context);
        let word = format!("{direction:?}");
        for rule in recorded[0]["effectiveSecurityRules"]
            .as_array()
            .expect("rules")
        {
            if text(rule, "direction") != word {
                continue;
            }
            let (name, allow) = (
                text(rule, "name").trim_start_matches("defaultSecurityRules/"),
                text(rule, "access") == "Allow",
            );
            let side = |side: &str| {
                let expanded = texts(&rule[format!("expanded{side}AddressPrefix")]);
                if expanded.is_empty() {
                    set(&texts(&rule[format!("{}AddressPrefixes", lower(side))]))
                } else {
                    set(&expanded)
                }
            };
            if !allow {
                // The last rule denies everything; what reaches it is asked below.
                continue;
            }
            let (sources, destinations) = (side("Source"), side("Destination"));
            // The host's address is nobody's ordinary destination (R4.10).
            let destinations = destinations
                .of(Family::V4)
                .difference(&set(&["168.63.129.16", "169.254.169.254"]));
            let class = FlowClass::new(
                sources.of(Family::V4),
                destinations,
                Protocol::Tcp,
                PortSet::one(443),
            );
            for part in rules.evaluate(class) {
                assert_eq!(part.decision.outcome, Outcome::Allowed, "{name}: {part:?}");
            }
        }
    }
    // Neither in the network nor on the internet: the default denial.
    let rules = SecurityRules::new(&empty, Level::Nic, Direction::Outbound, &context);
    let private = set(&["192.168.0.0/16", "172.16.0.0/12"]);
    let class = FlowClass::new(space, private, Protocol::Tcp, PortSet::one(443));
    for part in rules.evaluate(class) {
        assert_eq!(part.decision.outcome, Outcome::Denied);
        assert_eq!(part.decision.by.priority, Some(65500));
    }
}

/// `source` of `Source`, where the prefixes may name a tag that the answer does not expand.
fn lower(side: &str) -> &'static str {
    if side == "Source" {
        "source"
    } else {
        "destination"
    }
}
