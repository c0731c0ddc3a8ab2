//! Puts the rules in order of processing (R5.2, R5.3, R5.7) and turns their fields into bounds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::fqdn::{FqdnIndex, Kind};
use super::hosts::{Pattern, url_host};
use super::{FirewallRules, FirewallView, IMPLICIT, RuleName, Stage};
use crate::facts::{
    ApplicationRule, ApplicationTarget, Datum, FirewallPolicy, Id, NatRule, NetworkRule,
    RuleAction, RuleCollection, RuleCollectionGroup, ThreatIntelMode, lookup,
};
use crate::network::{
    AddressBounds, AddressSet, AddressTerm, Doubt, Outcome, PortBounds, PortSet, Protocol,
    ProtocolSet,
};
use crate::order::Order as _;

/// A NAT or network rule.
#[derive(Debug, Clone)]
pub(super) struct NetworkReady {
    pub(super) name: RuleName,
    pub(super) outcome: Outcome,
    pub(super) certain_protocols: ProtocolSet,
    pub(super) possible_protocols: ProtocolSet,
    /// One and the same for all rules with the same texts.
    pub(super) sources: Arc<AddressBounds>,
    pub(super) destinations: Arc<AddressBounds>,
    /// In lower case.
    pub(super) fqdns: Vec<String>,
    /// Service tags of its destinations, in lower case.
    pub(super) tags: Vec<String>,
    /// What each of them covers; `None`: not valid even where wildcards are.
    pub(super) patterns: Vec<Option<Pattern>>,
    pub(super) ports: PortBounds,
    /// Whether its place and action are known.
    pub(super) placed: bool,
    /// Why they are not, why it could not be read, or which protocol is not known.
    pub(super) doubts: Vec<Doubt>,
}

/// An application rule.
#[derive(Debug, Clone)]
pub(super) struct ApplicationReady {
    pub(super) name: RuleName,
    pub(super) outcome: Outcome,
    /// Protocol in lower case, and port.
    pub(super) protocols: Vec<(String, Option<u16>)>,
    /// One and the same for all rules with the same texts.
    pub(super) sources: Arc<AddressBounds>,
    pub(super) terminates_tls: bool,
    pub(super) doubts: Vec<Doubt>,
}

/// Finds network rules by port without looking at each.
#[derive(Debug, Clone, Default)]
pub(super) struct PortIndex {
    /// Places of rules for a few single ports, ascending.
    few: BTreeMap<u16, Vec<usize>>,
    /// Places of all other rules, ascending.
    wide: Vec<usize>,
}

impl PortIndex {
    /// More ports than this are wide.
    const FEW: usize = 8;

    fn of(rules: &[NetworkReady]) -> Self {
        let mut index = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let ports = &rule.ports.possible;
            let few = ports.ranges().all(|range| range.start() == range.end())
                && ports.ranges().count() <= Self::FEW;
            if few {
                for port in ports.ranges() {
                    index.few.entry(*port.start()).or_default().push(place);
                }
            } else {
                index.wide.push(place);
            }
        }
        index
    }

    /// Places of the rules that may be for the port, ascending.
    pub(super) fn at(&self, port: u16) -> Vec<usize> {
        let few = self.few.get(&port).map_or(&[][..], Vec::as_slice);
        let mut places = [few, &self.wide].concat();
        places.sort_unstable();
        places
    }
}

/// Where a collection's rules come from.
struct Origin<'a> {
    policy: Option<&'a Id>,
    group: Option<&'a RuleCollectionGroup>,
    collection: &'a RuleCollection,
    /// Why the collection's place is not known.
    misplaced: Option<Doubt>,
}

impl Origin<'_> {
    fn name(&self, stage: Stage, rule: &str) -> RuleName {
        RuleName {
            stage,
            policy: self.policy.cloned(),
            group: self.group.map(|group| group.id.clone()),
            group_priority: self.group.and_then(|group| group.priority),
            collection: self.collection.name.clone(),
            collection_priority: self.collection.priority,
            rule: rule.to_owned(),
        }
    }

    fn outcome(&self) -> (Outcome, Vec<Doubt>) {
        let mut doubts: Vec<Doubt> = self.misplaced.iter().cloned().collect();
        let outcome = match self.collection.action {
            Some(RuleAction::Allow | RuleAction::Dnat) => Outcome::Allowed,
            Some(RuleAction::Deny) => Outcome::Denied,
            None => {
                doubts.push(Doubt::UnknownAction);
                Outcome::Undecidable
            }
        };
        (outcome, doubts)
    }
}

/// Texts and IP groups of a source or destination.
type AddressKey<'a> = (&'a [String], &'a [Id]);

struct Compiler<'a> {
    view: FirewallView<'a>,
    /// What has been read already: many rules share their sources.
    known: HashMap<AddressKey<'a>, Arc<AddressBounds>>,
    nat: Vec<NetworkReady>,
    network: Vec<NetworkReady>,
    application: Vec<ApplicationReady>,
    index: FqdnIndex,
}

impl FirewallRules {
    /// Makes a firewall's rules ready. What cannot be read becomes a rule that may match everything.
    pub fn new(view: &FirewallView<'_>) -> Self {
        let mut compiler = Compiler {
            view: *view,
            known: HashMap::new(),
            nat: Vec::new(),
            network: Vec::new(),
            application: Vec::new(),
            index: FqdnIndex::default(),
        };
        let mut policies = Vec::new();
        if let Some(id) = &view.firewall.policy_id {
            policies = compiler.policies(id);
        } else {
            compiler.collections(None, None, &view.firewall.classic_collections, None);
        }
        let classic = view.firewall.policy_id.is_none();
        let own = policies.last().copied();
        let modes = policies
            .iter()
            .map(|policy| policy.threat_intel.as_ref())
            .chain([view.firewall.threat_intel.as_ref()]);
        let mut network = compiler.nat;
        network.append(&mut compiler.network);
        Self {
            ports: PortIndex::of(&network),
            network,
            application: compiler.application,
            index: compiler.index,
            // A child inherits what it does not set.
            dns_proxy: if classic {
                view.firewall.dns_proxy
            } else {
                policies.iter().rev().find_map(|policy| policy.dns_proxy)
            },
            tls_inspection: own.is_some_and(|policy| policy.tls_inspection),
            // A child may only be stricter than its parent (R5.1).
            threat_intel_denies: modes.flatten().any(|mode| *mode == ThreatIntelMode::Deny),
            threat_intel_allowed: policies
                .iter()
                .flat_map(|policy| &policy.threat_intel_allowed_fqdns)
                .filter_map(|fqdn| Pattern::parse(fqdn))
                .collect(),
            private_ranges: if classic {
                Some(view.firewall.private_ranges.clone())
            } else {
                own.map(|policy| policy.private_ranges.clone())
            },
        }
    }
}

impl<'a> Compiler<'a> {
    /// Reads the policy and its parents, the furthest parent's rules first (R5.3). Returns the policies that could be
    /// read, the firewall's own last; none when that one could not be.
    fn policies(&mut self, id: &'a Id) -> Vec<&'a FirewallPolicy> {
        let mut chain: Vec<&FirewallPolicy> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let repeated = chain.iter().any(|policy| policy.id == *id);
            match lookup(self.view.policies, id) {
                Datum::Known(_) if repeated => {
                    self.unreadable(Some(id), Doubt::PolicyCycle(id.clone()));
                    break;
                }
                Datum::Known(policy) => {
                    chain.push(policy);
                    next = policy.base_policy_id.as_ref();
                }
                _ => {
                    self.unreadable(Some(id), Doubt::UnreadablePolicy(id.clone()));
                    break;
                }
            }
        }
        chain.reverse();
        for policy in &chain {
            match lookup(self.view.groups, &policy.id) {
                Datum::Known(groups) => self.groups(&policy.id, groups),
                _ => self.unreadable(Some(&policy.id), Doubt::UnreadablePolicy(policy.id.clone())),
            }
        }
        chain
    }

    fn groups(&mut self, policy: &'a Id, groups: &'a [RuleCollectionGroup]) {
        let mut sorted: Vec<&RuleCollectionGroup> = groups.iter().collect();
        sorted.order_by_key(|group| group.priority);
        for same in sorted.chunk_by(|a, b| a.priority == b.priority) {
            let actions = same.iter().flat_map(|group| &group.collections);
            let misplaced = misplaced(same.len(), actions);
            for group in same {
                let doubt = if group.priority.is_none() {
                    Some(Doubt::UnknownPriority)
                } else {
                    misplaced.clone()
                };
                self.collections(
                    Some(policy),
                    Some(group),
                    &group.collections,
                    doubt.as_ref(),
                );
            }
        }
    }

    fn collections(
        &mut self,
        policy: Option<&'a Id>,
        group: Option<&'a RuleCollectionGroup>,
        collections: &'a [RuleCollection],
        group_misplaced: Option<&Doubt>,
    ) {
        let mut sorted: Vec<&RuleCollection> = collections.iter().collect();
        sorted.order_by_key(|collection| collection.priority);
        for same in sorted.chunk_by(|a, b| a.priority == b.priority) {
            let tied = misplaced(same.len(), same.iter().copied());
            for collection in same {
                let own = if collection.priority.is_none() {
                    Some(Doubt::UnknownPriority)
                } else {
                    tied.clone()
                };
                self.collection(&Origin {
                    policy,
                    group,
                    collection,
                    misplaced: group_misplaced.cloned().or(own),
                });
            }
        }
    }

    fn collection(&mut self, origin: &Origin<'a>) {
        let rules = &origin.collection.rules;
        for rule in &rules.nat {
            let ready = self.nat_rule(origin, rule);
            self.nat.push(ready);
        }
        for rule in &rules.network {
            let ready = self.network_rule(origin, rule);
            self.network.push(ready);
        }
        for rule in &rules.application {
            self.application_rule(origin, rule);
        }
        if rules.unreadable > 0 {
            let (outcome, mut doubts) = origin.outcome();
            doubts.push(Doubt::UnreadableRules);
            self.anything(&origin.name(Stage::Network, ""), outcome, &doubts);
        }
    }

    /// Rules nobody could read: they may match anything and do anything.
    fn unreadable(&mut self, policy: Option<&Id>, doubt: Doubt) {
        let name = RuleName {
            stage: Stage::Network,
            policy: policy.cloned(),
            ..IMPLICIT.clone()
        };
        self.anything(&name, Outcome::Undecidable, &[doubt]);
    }

    /// A rule that may match everything, as a network and as an application rule.
    fn anything(&mut self, name: &RuleName, outcome: Outcome, doubts: &[Doubt]) {
        let everywhere = Arc::new(AddressBounds {
            possible: AddressSet::all(),
            ..AddressBounds::default()
        });
        self.network.push(NetworkReady {
            name: name.clone(),
            outcome,
            certain_protocols: ProtocolSet::EMPTY,
            possible_protocols: ProtocolSet::ALL,
            sources: everywhere.clone(),
            destinations: everywhere.clone(),
            fqdns: Vec::new(),
            tags: Vec::new(),
            patterns: Vec::new(),
            ports: PortBounds {
                possible: PortSet::all(),
                ..PortBounds::default()
            },
            placed: false,
            doubts: doubts.to_vec(),
        });
        if let Some(doubt) = doubts.first() {
            self.index
                .add_anywhere(self.application.len(), doubt.clone());
        }
        self.application.push(ApplicationReady {
            name: RuleName {
                stage: Stage::Application,
                ..name.clone()
            },
            outcome,
            protocols: Vec::new(),
            sources: everywhere,
            terminates_tls: false,
            doubts: doubts.to_vec(),
        });
    }

    fn nat_rule(&mut self, origin: &Origin<'_>, rule: &'a NatRule) -> NetworkReady {
        let fields = Fields {
            stage: Stage::Nat,
            name: &rule.name,
            protocols: &rule.protocols,
            // Source IP groups of NAT rules are not among what is read.
            sources: self.addresses(&rule.sources, &[], "source"),
            destinations: self.addresses(&rule.destinations, &[], "destination"),
            fqdns: &[],
            tags: Vec::new(),
            ports: &rule.destination_ports,
        };
        fields.ready(origin)
    }

    fn network_rule(&mut self, origin: &Origin<'_>, rule: &'a NetworkRule) -> NetworkReady {
        let (texts, groups) = (&rule.destinations, &rule.destination_ip_groups);
        let only_fqdns =
            texts.is_empty() && groups.is_empty() && !rule.destination_fqdns.is_empty();
        let fields = Fields {
            stage: Stage::Network,
            name: &rule.name,
            protocols: &rule.protocols,
            sources: self.addresses(&rule.sources, &rule.source_ip_groups, "source"),
            destinations: if only_fqdns {
                Arc::default()
            } else {
                self.addresses(texts, groups, "destination")
            },
            fqdns: &rule.destination_fqdns,
            tags: texts
                .iter()
                .filter_map(|text| match AddressTerm::parse(text) {
                    Ok(AddressTerm::Name(tag)) => Some(tag.to_ascii_lowercase()),
                    _ => None,
                })
                .collect(),
            ports: &rule.destination_ports,
        };
        fields.ready(origin)
    }

    fn application_rule(&mut self, origin: &Origin<'_>, rule: &'a ApplicationRule) {
        let (outcome, doubts) = origin.outcome();
        let place = self.application.len();
        let sources = self.addresses(&rule.sources, &rule.source_ip_groups, "source");
        self.application.push(ApplicationReady {
            name: origin.name(Stage::Application, &rule.name),
            outcome,
            protocols: rule
                .protocols
                .iter()
                .map(|(word, port)| (word.trim().to_ascii_lowercase(), *port))
                .collect(),
            sources,
            terminates_tls: rule.terminate_tls,
            doubts,
        });
        if rule.targets.is_empty() {
            self.index
                .add_anywhere(place, Doubt::EmptyField("targetFqdns"));
        }
        for target in &rule.targets {
            self.application_target(place, target);
        }
    }

    fn application_target(&mut self, place: usize, target: &ApplicationTarget) {
        match target {
            ApplicationTarget::Fqdn(text) => match Pattern::parse(text) {
                Some(pattern) => self.index.add(place, pattern, Kind::Fqdn),
                None => self
                    .index
                    .add_anywhere(place, Doubt::InvalidFqdn(text.clone())),
            },
            ApplicationTarget::FqdnTag(tag) => {
                let Some(hosts) = self.view.fqdn_tags.get(&tag.trim().to_ascii_lowercase()) else {
                    self.index.add_anywhere(place, Doubt::FqdnTag(tag.clone()));
                    return;
                };
                for pattern in hosts.iter().filter_map(|host| Pattern::parse(host)) {
                    self.index.add(place, pattern, Kind::FqdnTag(tag.clone()));
                }
            }
            ApplicationTarget::Url(url) => match url_host(url) {
                Some((pattern, whole)) => self.index.add(
                    place,
                    pattern,
                    Kind::Url {
                        whole,
                        text: url.clone(),
                    },
                ),
                None => self.index.add_anywhere(place, Doubt::Url(url.clone())),
            },
            ApplicationTarget::WebCategory(category) => self
                .index
                .add_anywhere(place, Doubt::WebCategory(category.clone())),
        }
    }

    /// The bounds of a field. An empty one is possibly everything.
    fn addresses(
        &mut self,
        texts: &'a [String],
        groups: &'a [Id],
        field: &'static str,
    ) -> Arc<AddressBounds> {
        if texts.is_empty() && groups.is_empty() {
            let doubt = Doubt::EmptyField(field);
            return Arc::new(AddressBounds::at_most(AddressSet::all(), doubt));
        }
        let view = self.view;
        let known = self.known.entry((texts, groups));
        Arc::clone(known.or_insert_with(|| Arc::new(read(&view, texts, groups))))
    }
}

fn read(view: &FirewallView<'_>, texts: &[String], groups: &[Id]) -> AddressBounds {
    let mut bounds = AddressBounds::of_terms(texts, |name| view.tags.bounds(name));
    for id in groups {
        match lookup(view.ip_groups, id) {
            Datum::Known(group) => {
                bounds.add(&AddressBounds::of_terms(&group.addresses, |name| {
                    AddressBounds::at_most(
                        AddressSet::all(),
                        Doubt::InvalidAddress(name.to_owned()),
                    )
                }));
            }
            _ => bounds.add(&AddressBounds::at_most(
                AddressSet::all(),
                Doubt::UnreadableIpGroup(id.clone()),
            )),
        }
    }
    bounds
}

/// What NAT and network rules have in common.
struct Fields<'r> {
    stage: Stage,
    name: &'r str,
    protocols: &'r [String],
    sources: Arc<AddressBounds>,
    destinations: Arc<AddressBounds>,
    fqdns: &'r [String],
    tags: Vec<String>,
    ports: &'r [String],
}

impl Fields<'_> {
    fn ready(self, origin: &Origin<'_>) -> NetworkReady {
        let (outcome, mut doubts) = origin.outcome();
        let placed = doubts.is_empty();
        let mut certain = ProtocolSet::EMPTY;
        let mut possible = ProtocolSet::EMPTY;
        if self.protocols.is_empty() {
            possible = ProtocolSet::ALL;
            doubts.push(Doubt::EmptyField("ipProtocols"));
        }
        for word in self.protocols {
            let any = word.trim().eq_ignore_ascii_case("any") || word.trim() == "*";
            match Protocol::parse(word) {
                _ if any => {
                    certain = ProtocolSet::ALL;
                    possible = ProtocolSet::ALL;
                }
                Some(protocol) => {
                    certain = certain.union(protocol.into());
                    possible = possible.union(protocol.into());
                }
                None => {
                    possible = ProtocolSet::ALL;
                    doubts.push(Doubt::UnknownProtocol(word.clone()));
                }
            }
        }
        let fqdns: Vec<String> = self
            .fqdns
            .iter()
            .map(|fqdn| fqdn.trim().trim_end_matches('.').to_ascii_lowercase())
            .collect();
        NetworkReady {
            name: origin.name(self.stage, self.name),
            outcome,
            certain_protocols: certain,
            possible_protocols: possible,
            sources: self.sources,
            destinations: self.destinations,
            patterns: fqdns.iter().map(|fqdn| Pattern::parse(fqdn)).collect(),
            fqdns,
            tags: self.tags,
            ports: PortBounds::of_texts(self.ports, "destinationPorts"),
            placed,
            doubts,
        }
    }
}

/// Whether the order among siblings of one priority matters: they do not all do the same.
fn misplaced<'c>(
    siblings: usize,
    collections: impl Iterator<Item = &'c RuleCollection>,
) -> Option<Doubt> {
    let mut actions = collections.map(|collection| collection.action);
    let first = actions.next()?;
    (siblings > 1 && actions.any(|action| action != first)).then_some(Doubt::SamePriority)
}
