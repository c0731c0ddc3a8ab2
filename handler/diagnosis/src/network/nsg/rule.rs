//! Security rules made ready: fields turned into bounds, default rules appended, order settled.

use std::sync::LazyLock;

use super::{FlowClass, network_manager};
use crate::facts::{Access, Direction, Id, Nsg, SecurityRule};
use crate::network::tags::{HOST_VIP, METADATA_VIP, platform_tag};
use crate::network::{
    AddressBounds, AddressSet, AddressTerm, Doubt, Outcome, PortBounds, PortSet, Protocol,
    ProtocolSet, TagContext,
};
use crate::order::Order as _;

/// Where a security group is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// On the network interface, by the scale set's model.
    Nic,
    /// On the subnet.
    Subnet,
    /// On the whole virtual network, before both: security admin rules (R4.11).
    Network,
}

/// What kind of rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A rule somebody wrote.
    Custom,
    /// One of Azure's default rules (R4.3).
    Default,
    /// No rule: platform addresses are not filtered by ordinary rules (R4.10).
    Platform,
    /// No security group at this level (R4.4).
    NoSecurityGroup,
    /// The security group could not be read.
    Unreadable,
}

/// The rule that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    /// The security group, or the security admin rule itself; `None` when there is none or it could not be read.
    pub nsg: Option<Id>,
    /// The rule's name; empty when no rule decides.
    pub rule: String,
    /// The rule's priority.
    pub priority: Option<u32>,
    /// NIC, subnet or network.
    pub level: Level,
    /// Kind of rule.
    pub origin: Origin,
}

impl RuleName {
    /// `network security group nsg`, or whose security admin rule it is.
    pub(crate) fn holder(&self) -> String {
        let id = self.nsg.as_ref();
        if self.level == Level::Network {
            let manager = id.and_then(network_manager);
            let name = manager.as_ref().map_or("", Id::name);
            return format!("the security admin rules of network manager {name}");
        }
        format!("network security group {}", id.map_or("", Id::name))
    }
}

/// The texts of a rule's fields that meet a class of traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchedTerms {
    /// Source prefixes, tags and group names.
    pub sources: Vec<String>,
    /// Destination prefixes, tags and group names.
    pub destinations: Vec<String>,
    /// Destination ports.
    pub ports: Vec<String>,
}

/// One rule with its certain and possible reach.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) name: RuleName,
    pub(super) outcome: Outcome,
    pub(super) certain: FlowClass,
    pub(super) possible: FlowClass,
    /// Whether both are the same.
    pub(super) exact: bool,
    pub(super) doubts: Vec<Doubt>,
}

impl Ready {
    /// The reach for a class: protocols without ports ignore the rule's ports (R4.9).
    pub(super) fn reach(&self, class: &FlowClass, possible: bool) -> Option<FlowClass> {
        let reach = if possible {
            &self.possible
        } else {
            &self.certain
        };
        let with_ports = !class
            .protocols
            .intersection(ProtocolSet::WITH_PORTS)
            .is_empty();
        if with_ports {
            return class.intersection(reach);
        }
        if class.protocols.intersection(reach.protocols).is_empty() {
            return None;
        }
        class.intersection(&FlowClass {
            ports: PortSet::all(),
            source_ports: PortSet::all(),
            ..reach.clone()
        })
    }
}

/// The rules of one security group for one direction, in order.
#[derive(Debug, Clone)]
pub struct SecurityRules {
    pub(super) level: Level,
    pub(super) direction: Direction,
    pub(super) rules: Vec<Ready>,
}

impl SecurityRules {
    /// Makes a security group's rules ready. Missing default rules are appended (R4.3).
    pub fn new(nsg: &Nsg, level: Level, direction: Direction, tags: &TagContext) -> Self {
        let custom = nsg.rules.iter().map(|rule| (rule, Origin::Custom));
        let default = nsg.default_rules.iter().map(|rule| (rule, Origin::Default));
        let appended = default_rules(direction).iter().filter(|wanted| {
            let mut given = nsg.default_rules.iter();
            !given.any(|rule| rule.priority == wanted.priority && rule.direction == Some(direction))
        });
        let appended = appended.map(|rule| (rule, Origin::Default));
        let mut all: Vec<(&SecurityRule, Origin)> = custom
            .chain(default)
            .chain(appended)
            .filter(|(rule, _)| rule.direction.is_none_or(|d| d == direction))
            .collect();
        all.order_by_key(|(rule, _)| rule.priority);
        let rules = all
            .chunk_by(|a, b| a.0.priority == b.0.priority)
            .flat_map(|same| {
                let contradict = same.iter().any(|(rule, _)| {
                    same.first()
                        .is_some_and(|(first, _)| first.access != rule.access)
                });
                same.iter().map(move |(rule, origin)| {
                    let name = RuleName {
                        nsg: Some(nsg.id.clone()),
                        rule: rule.name.clone(),
                        priority: Some(rule.priority),
                        level,
                        origin: *origin,
                    };
                    ready(rule, name, direction, tags, contradict)
                })
            })
            .collect();
        Self {
            level,
            direction,
            rules,
        }
    }
}

pub(super) fn ready(
    rule: &SecurityRule,
    name: RuleName,
    direction: Direction,
    tags: &TagContext,
    contradicted: bool,
) -> Ready {
    let sources = side(&rule.sources, &rule.source_asgs, "source", tags);
    let mut destinations = side(
        &rule.destinations,
        &rule.destination_asgs,
        "destination",
        tags,
    );
    if direction == Direction::Outbound {
        spare_platform(rule, &mut destinations);
    }
    let source_ports = PortBounds::of_texts(&rule.source_ports, "sourcePortRange");
    let ports = PortBounds::of_texts(&rule.destination_ports, "destinationPortRange");
    let mut doubts = [
        sources.doubts,
        destinations.doubts,
        source_ports.doubts,
        ports.doubts,
    ]
    .concat();
    let star = matches!(
        rule.protocol.trim().to_ascii_lowercase().as_str(),
        "*" | "all" | "any"
    );
    let (certain_protocols, possible_protocols) = match Protocol::parse(&rule.protocol) {
        _ if star => (ProtocolSet::ALL, ProtocolSet::ALL),
        Some(protocol) => (protocol.into(), protocol.into()),
        None => {
            doubts.push(Doubt::UnknownProtocol(rule.protocol.clone()));
            (ProtocolSet::EMPTY, ProtocolSet::ALL)
        }
    };
    let mut certain = FlowClass {
        sources: sources.certain,
        destinations: destinations.certain,
        protocols: certain_protocols,
        source_ports: source_ports.certain,
        ports: ports.certain,
    };
    if rule.access.is_none() {
        doubts.push(Doubt::UnknownAction);
    }
    if rule.direction.is_none() {
        doubts.push(Doubt::UnknownDirection);
        certain.protocols = ProtocolSet::EMPTY;
    }
    if contradicted {
        doubts.push(Doubt::SamePriority);
        certain.protocols = ProtocolSet::EMPTY;
    }
    let possible = FlowClass {
        sources: sources.possible,
        destinations: destinations.possible,
        protocols: possible_protocols,
        source_ports: source_ports.possible,
        ports: ports.possible,
    };
    Ready {
        name,
        outcome: rule.access.into(),
        exact: certain == possible,
        certain,
        possible,
        doubts,
    }
}

fn side(texts: &[String], groups: &[Id], field: &'static str, tags: &TagContext) -> AddressBounds {
    if texts.is_empty() && groups.is_empty() {
        return AddressBounds::at_most(AddressSet::all(), Doubt::EmptyField(field));
    }
    let mut bounds = AddressBounds::of_terms(texts, |name| tags.tag(name));
    for group in groups {
        bounds.add(&tags.application_group(group));
    }
    bounds
}

/// Ordinary destinations do not reach the platform's addresses; only the platform tags do (R4.10).
fn spare_platform(rule: &SecurityRule, destinations: &mut AddressBounds) {
    let platform = platform_addresses();
    if destinations.possible.intersects(platform) {
        let exact = destinations.certain == destinations.possible;
        destinations.possible = destinations.possible.difference(platform);
        destinations.certain = if exact {
            destinations.possible.clone()
        } else {
            destinations.certain.difference(platform)
        };
    }
    let named = rule
        .destinations
        .iter()
        .filter_map(|text| platform_tag(text.trim()));
    for bounds in named {
        destinations.certain.insert_all(&bounds.certain);
        destinations.possible.insert_all(&bounds.possible);
    }
}

/// The addresses that ordinary outbound rules do not filter (R4.10).
pub(super) fn platform_addresses() -> &'static AddressSet {
    static ADDRESSES: LazyLock<AddressSet> =
        LazyLock::new(|| AddressSet::from(HOST_VIP).union(&METADATA_VIP.into()));
    &ADDRESSES
}

/// Which texts of a rule meet a class of traffic.
pub fn matched_terms(rule: &SecurityRule, class: &FlowClass, tags: &TagContext) -> MatchedTerms {
    let terms = |texts: &[String], groups: &[Id], wanted: &AddressSet| -> Vec<String> {
        let named = texts.iter().filter(|text| match AddressTerm::parse(text) {
            Ok(AddressTerm::Any) => true,
            Ok(AddressTerm::Set(set)) => set.intersects(wanted),
            Ok(AddressTerm::Name(name)) => tags.tag(&name).possible.intersects(wanted),
            Err(_) => false,
        });
        let grouped = groups
            .iter()
            .filter(|id| tags.application_group(id).possible.intersects(wanted));
        named
            .cloned()
            .chain(grouped.map(|id| id.name().to_owned()))
            .collect()
    };
    MatchedTerms {
        sources: terms(&rule.sources, &rule.source_asgs, &class.sources),
        destinations: terms(
            &rule.destinations,
            &rule.destination_asgs,
            &class.destinations,
        ),
        ports: rule
            .destination_ports
            .iter()
            .filter(|text| PortSet::parse(text).is_ok_and(|p| p.intersects(&class.ports)))
            .cloned()
            .collect(),
    }
}

/// Azure's default rules for a direction (R4.3).
fn default_rules(direction: Direction) -> &'static [SecurityRule; 3] {
    static OUTBOUND: LazyLock<[SecurityRule; 3]> =
        LazyLock::new(|| made_default_rules(Direction::Outbound));
    static INBOUND: LazyLock<[SecurityRule; 3]> =
        LazyLock::new(|| made_default_rules(Direction::Inbound));
    match direction {
        Direction::Outbound => &OUTBOUND,
        Direction::Inbound => &INBOUND,
    }
}

fn made_default_rules(direction: Direction) -> [SecurityRule; 3] {
    let rule = |name: &str, priority, access, source: &str, destination: &str| SecurityRule {
        name: name.to_owned(),
        priority,
        direction: Some(direction),
        access: Some(access),
        protocol: "*".to_owned(),
        sources: vec![source.to_owned()],
        source_asgs: Vec::new(),
        source_ports: vec!["*".to_owned()],
        destinations: vec![destination.to_owned()],
        destination_asgs: Vec::new(),
        destination_ports: vec!["*".to_owned()],
    };
    let vnet = "VirtualNetwork";
    match direction {
        Direction::Outbound => [
            rule("AllowVnetOutBound", 65000, Access::Allow, vnet, vnet),
            rule(
                "AllowInternetOutBound",
                65001,
                Access::Allow,
                "*",
                "Internet",
            ),
            rule("DenyAllOutBound", 65500, Access::Deny, "*", "*"),
        ],
        Direction::Inbound => [
            rule("AllowVnetInBound", 65000, Access::Allow, vnet, vnet),
            rule(
                "AllowAzureLoadBalancerInBound",
                65001,
                Access::Allow,
                "AzureLoadBalancer",
                "*",
            ),
            rule("DenyAllInBound", 65500, Access::Deny, "*", "*"),
        ],
    }
}
