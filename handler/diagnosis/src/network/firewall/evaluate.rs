//! What a firewall does with traffic to one target, for sets of sources.

use super::compile::{ApplicationReady, NetworkReady};
use super::hosts::{Cover, Pattern};
use super::{FirewallRules, FlowProtocol, Host, IMPLICIT, RuleName, Stage, Target};
use crate::network::{AddressBounds, AddressSet, Decision, Doubt, Open, Outcome, ProtocolSet};

/// So many open rules are reported; more are left out when they would do what a reported one does.
const REPORTED_OPEN: usize = 4;

/// Something that is true of a decision and cannot be read from rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caveat {
    /// Threat intelligence drops what it knows as malicious before any rule (R5.1).
    ThreatIntelligence,
    /// It rests on the documented, not the actual, hosts of this FQDN tag (R5.14).
    FqdnTagContents(String),
    /// It holds only for clients that use the firewall as their DNS server (R5.13).
    FirewallAsDns,
}

/// A part of the sources and what happens to their traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallPart<'r> {
    /// The sources.
    pub sources: AddressSet,
    /// What happens.
    pub decision: Decision<&'r RuleName>,
    /// What it rests on.
    pub caveats: Vec<Caveat>,
}

/// A rule that certainly or possibly matches a target.
#[derive(Debug)]
struct Candidate<'r> {
    name: &'r RuleName,
    outcome: Outcome,
    /// Whether it matches the target for certain.
    certain: bool,
    /// Why not: doubts of the rule's fields, borrowed because most candidates are never reported.
    field_doubts: [&'r [Doubt]; 3],
    /// Why not: it is about addresses, and the target's are not known closely enough.
    addresses_unknown: bool,
    /// Why not: doubts of this target.
    doubts: Vec<Doubt>,
    sources: &'r AddressBounds,
    caveat: Option<Caveat>,
}

impl Candidate<'_> {
    fn all_doubts(&self) -> Vec<Doubt> {
        let mut doubts = self.doubts.clone();
        if self.addresses_unknown {
            doubts.push(Doubt::HostAddressesUnknown);
        }
        doubts.extend(self.field_doubts.concat());
        doubts.extend_from_slice(&self.sources.doubts);
        doubts
    }
}

/// How far one property of a rule fits a target.
enum Fit {
    Certain,
    Possible(Doubt),
    None,
}

/// A target with the rules that may match it: asked once, answered for any number of sources.
#[derive(Debug)]
pub struct Question<'r> {
    candidates: Vec<Candidate<'r>>,
    caveats: Vec<Caveat>,
    implicit_caveats: Vec<Caveat>,
}

impl FirewallRules {
    /// What happens to traffic from these sources to the target, as disjoint parts that together are the sources.
    pub fn evaluate(&self, sources: &AddressSet, target: &Target) -> Vec<FirewallPart<'_>> {
        self.ask(target).answer(sources)
    }

    /// Finds the rules that may match a target.
    pub fn ask(&self, target: &Target) -> Question<'_> {
        let protocol = target.protocol.transport();
        // A host without a known address may have any.
        let any = AddressSet::all();
        let addresses = if target.addresses.is_empty() {
            &any
        } else {
            &target.addresses
        };
        let mut heard = Heard::default();
        let places = if ProtocolSet::WITH_PORTS.contains(protocol) {
            self.ports.at(target.port)
        } else {
            (0..self.network.len()).collect()
        };
        let mut candidates: Vec<Candidate<'_>> = places
            .into_iter()
            .filter_map(|place| self.network.get(place))
            .filter(|rule| rule.possible_protocols.contains(protocol))
            .filter_map(|rule| self.network_candidate(rule, target, addresses, &mut heard))
            .collect();
        self.application_candidates(target, &mut candidates);
        candidates.extend(infrastructure(target));
        let denies = self.threat_intel_denies && !self.threat_intel_allows(target);
        Question {
            candidates,
            caveats: denies
                .then_some(Caveat::ThreatIntelligence)
                .into_iter()
                .collect(),
            implicit_caveats: if target.protocol.application_word().is_some() {
                self.index
                    .tags()
                    .map(|tag| Caveat::FqdnTagContents(tag.to_owned()))
                    .collect()
            } else {
                Vec::new()
            },
        }
    }

    fn threat_intel_allows(&self, target: &Target) -> bool {
        let Some(host) = &target.host else {
            return false;
        };
        self.threat_intel_allowed
            .iter()
            .any(|pattern| pattern.covers(host) == Cover::All)
    }

    /// The rule, if it matches the target or may, and was not heard often enough.
    fn network_candidate<'r>(
        &'r self,
        rule: &'r NetworkReady,
        target: &Target,
        addresses: &AddressSet,
        heard: &mut Heard<'r>,
    ) -> Option<Candidate<'r>> {
        let protocol = target.protocol.transport();
        let ported = ProtocolSet::WITH_PORTS.contains(protocol);
        let port_certain = !ported || rule.ports.certain.contains(target.port);
        // Where the addresses match, they match whatever the FQDNs do.
        let by_address = rule.tags.iter().any(|tag| target.tags.contains(tag))
            || rule.destinations.certain.contains_all(addresses);
        let by_host = if by_address {
            Fit::None
        } else {
            self.host_fit(rule, target)
        };
        let certain = rule.placed
            && rule.certain_protocols.contains(protocol)
            && port_certain
            && (by_address || matches!(by_host, Fit::Certain));
        if !certain && heard.enough(rule) {
            return None;
        }
        let mut candidate = Candidate {
            name: &rule.name,
            outcome: rule.outcome,
            certain,
            field_doubts: [&rule.doubts, &[], &[]],
            addresses_unknown: false,
            doubts: Vec::new(),
            sources: &rule.sources,
            caveat: None,
        };
        if !port_certain {
            if !rule.ports.possible.contains(target.port) {
                return None;
            }
            candidate.field_doubts[1] = &rule.ports.doubts;
        }
        if matches!(by_host, Fit::Certain) {
            candidate.caveat = Some(Caveat::FirewallAsDns);
        } else if !by_address {
            candidate.addresses_unknown = rule.destinations.possible.intersects(addresses);
            if candidate.addresses_unknown {
                candidate.field_doubts[2] = &rule.destinations.doubts;
            }
            match by_host {
                Fit::Possible(doubt) => candidate.doubts.push(doubt),
                _ if candidate.addresses_unknown => {}
                _ => return None,
            }
        }
        if !certain {
            heard.hear(rule);
        }
        Some(candidate)
    }

    /// How a network rule's FQDNs fit (R5.13).
    fn host_fit(&self, rule: &NetworkReady, target: &Target) -> Fit {
        if rule.fqdns.is_empty() {
            return Fit::None;
        }
        let Some(host) = &target.host else {
            return Fit::Possible(Doubt::HostAddressesUnknown);
        };
        let mut best = Fit::None;
        for (text, pattern) in rule.fqdns.iter().zip(&rule.patterns) {
            let cover = pattern
                .as_ref()
                .map_or(Cover::Part, |pattern| pattern.covers(host));
            let doubt = match cover {
                Cover::None => continue,
                Cover::Part => Doubt::HostsPartlyCovered(text.clone()),
                // Network rules take no wildcards.
                Cover::All if text.contains('*') => Doubt::InvalidFqdn(text.clone()),
                Cover::All if self.dns_proxy == Some(true) => return Fit::Certain,
                Cover::All => Doubt::DnsProxyNotEnabled,
            };
            best = Fit::Possible(doubt);
        }
        best
    }

    fn application_candidates<'r>(&'r self, target: &Target, into: &mut Vec<Candidate<'r>>) {
        let Some(word) = target.protocol.application_word() else {
            return;
        };
        // Without a host name in TLS no application rule matches (R5.10); what is not TLS may still match `*`.
        let nameless = Host::Name(String::new());
        let host = match &target.host {
            Some(host) => host,
            None if target.protocol == FlowProtocol::Https => return,
            None => &nameless,
        };
        let visible = |rule: usize| {
            target.protocol == FlowProtocol::Http
                || self.tls_inspection
                    && self
                        .application
                        .get(rule)
                        .is_some_and(|rule| rule.terminates_tls)
        };
        for hit in self.index.hits(host, visible) {
            let Some(rule) = self.application.get(hit.rule) else {
                continue;
            };
            let mut doubts = rule.doubts.clone();
            match protocol_fit(rule, word, target.port) {
                Fit::None => continue,
                Fit::Possible(doubt) => doubts.push(doubt),
                Fit::Certain => {}
            }
            doubts.extend(hit.doubt);
            if target.host.is_none() {
                doubts.push(Doubt::NoHostName);
            }
            into.push(Candidate {
                name: &rule.name,
                outcome: rule.outcome,
                certain: doubts.is_empty(),
                field_doubts: [&[]; 3],
                addresses_unknown: false,
                doubts,
                sources: &rule.sources,
                caveat: hit.tag.map(|tag| Caveat::FqdnTagContents(tag.to_owned())),
            });
        }
    }
}

/// Whether an application rule is for this protocol and port.
fn protocol_fit(rule: &ApplicationReady, word: &str, port: u16) -> Fit {
    if rule.protocols.is_empty() {
        return Fit::Possible(Doubt::EmptyField("protocols"));
    }
    let mut best = Fit::None;
    for (name, rule_port) in &rule.protocols {
        if rule_port.is_some_and(|rule_port| rule_port != port) {
            continue;
        }
        let known = matches!(name.as_str(), "http" | "https" | "mssql");
        if name == word {
            if rule_port.is_some() {
                return Fit::Certain;
            }
            best = Fit::Possible(Doubt::EmptyField("port"));
        } else if !known {
            best = Fit::Possible(Doubt::UnknownProtocol(name.clone()));
        }
    }
    best
}

/// The built-in collection of platform hosts comes after the application rules (R5.5). Its contents are not documented
/// host by host; the storage of managed disks is known to be in it (R1.7).
fn infrastructure(target: &Target) -> Option<Candidate<'static>> {
    static ANYONE: std::sync::LazyLock<AddressBounds> =
        std::sync::LazyLock::new(|| AddressBounds::exactly(AddressSet::all()));
    target.protocol.application_word()?;
    let platform = Pattern::Suffix(".blob.storage.azure.net".to_owned());
    let host = target.host.as_ref()?;
    (platform.covers(host) != Cover::None).then(|| Candidate {
        name: &IMPLICIT,
        outcome: Outcome::Allowed,
        certain: false,
        field_doubts: [&[]; 3],
        addresses_unknown: false,
        doubts: vec![Doubt::InfrastructureCollection],
        sources: &ANYONE,
        caveat: None,
    })
}

/// What rules that possibly match would do, to leave out those that could change nothing: a policy may hold thousands of
/// rules about addresses for one port, and none is certain for a host.
#[derive(Default)]
struct Heard<'r>(Vec<Said<'r>>);

/// The same outcome for the same sources.
struct Said<'r> {
    outcome: Outcome,
    sources: &'r AddressBounds,
    times: usize,
}

impl<'r> Heard<'r> {
    /// Whether as many as are reported do the same for all of the rule's sources.
    fn enough(&self, rule: &NetworkReady) -> bool {
        let mut times = 0;
        let sources: &AddressBounds = &rule.sources;
        self.0
            .iter()
            .filter(|said| said.outcome == rule.outcome)
            .filter(|said| {
                // Rules with the same texts share their sources.
                std::ptr::eq(said.sources, sources)
                    || said.sources.possible.contains_all(&sources.possible)
            })
            .any(|said| {
                times += said.times;
                times >= REPORTED_OPEN
            })
    }

    fn hear(&mut self, rule: &'r NetworkReady) {
        let sources: &AddressBounds = &rule.sources;
        let same = |said: &&mut Said<'_>| {
            said.outcome == rule.outcome && std::ptr::eq(said.sources, sources)
        };
        if let Some(said) = self.0.iter_mut().find(same) {
            said.times += 1;
        } else if self.0.len() < 8 * REPORTED_OPEN {
            self.0.push(Said {
                outcome: rule.outcome,
                sources,
                times: 1,
            });
        }
    }
}

/// Sources not decided yet, with the candidates that possibly matched them.
#[derive(Clone)]
struct Pending {
    sources: AddressSet,
    open: Vec<usize>,
    /// The outcomes of all open candidates, the unreported ones included.
    told: Vec<Outcome>,
}

impl Pending {
    fn hear(&mut self, index: usize, outcome: Outcome) {
        self.open.push(index);
        if !self.told.contains(&outcome) {
            self.told.push(outcome);
        }
    }

    /// Whether one more candidate that possibly matches would change nothing: enough are reported, and one of them
    /// does the same.
    fn has_heard(&self, candidate: &Candidate<'_>) -> bool {
        (!candidate.certain || candidate.sources.certain.is_empty())
            && self.open.len() >= REPORTED_OPEN
            && self.told.contains(&candidate.outcome)
    }
}

impl<'r> Question<'r> {
    /// What happens to traffic from these sources, as disjoint parts that together are the sources.
    pub fn answer(&self, sources: &AddressSet) -> Vec<FirewallPart<'r>> {
        let mut decided = Vec::new();
        let mut pending = vec![Pending {
            sources: sources.clone(),
            open: Vec::new(),
            told: Vec::new(),
        }];
        pending.retain(|part| !part.sources.is_empty());
        for (index, candidate) in self.candidates.iter().enumerate() {
            if pending.is_empty() {
                break;
            }
            if pending.iter().all(|part| part.has_heard(candidate)) {
                continue;
            }
            let before = std::mem::take(&mut pending);
            for part in before {
                self.step(index, candidate, part, &mut decided, &mut pending);
            }
        }
        decided.extend(pending.into_iter().map(|part| {
            self.settled(
                &part.open,
                part.sources,
                &IMPLICIT,
                Outcome::Denied,
                &self.implicit_caveats,
            )
        }));
        decided
    }

    fn step(
        &self,
        index: usize,
        candidate: &Candidate<'r>,
        mut part: Pending,
        decided: &mut Vec<FirewallPart<'r>>,
        pending: &mut Vec<Pending>,
    ) {
        let bounds = candidate.sources;
        if part.has_heard(candidate) || !bounds.possible.intersects(&part.sources) {
            pending.push(part);
            return;
        }
        // The usual cases need no new sets: the rule is for all of these sources.
        if !candidate.certain && bounds.possible.contains_all(&part.sources) {
            part.hear(index, candidate.outcome);
            pending.push(part);
            return;
        }
        if candidate.certain && bounds.certain.contains_all(&part.sources) {
            let caveats = candidate.caveat.as_slice();
            let (name, outcome) = (candidate.name, candidate.outcome);
            decided.push(self.settled(&part.open, part.sources, name, outcome, caveats));
            return;
        }
        let matched = if candidate.certain {
            part.sources.intersection(&bounds.certain)
        } else {
            AddressSet::empty()
        };
        let maybe = part
            .sources
            .intersection(&bounds.possible)
            .difference(&matched);
        let untouched = part.sources.difference(&bounds.possible);
        if !matched.is_empty() {
            decided.push(self.settled(
                &part.open,
                matched,
                candidate.name,
                candidate.outcome,
                candidate.caveat.as_slice(),
            ));
        }
        if !maybe.is_empty() {
            let mut opened = part.clone();
            opened.sources = maybe;
            opened.hear(index, candidate.outcome);
            pending.push(opened);
        }
        if !untouched.is_empty() {
            pending.push(Pending {
                sources: untouched,
                ..part
            });
        }
    }

    fn settled(
        &self,
        open: &[usize],
        sources: AddressSet,
        by: &'r RuleName,
        outcome: Outcome,
        caveats: &[Caveat],
    ) -> FirewallPart<'r> {
        let open = open
            .iter()
            .filter_map(|index| self.candidates.get(*index))
            .map(|candidate| Open {
                rule: candidate.name,
                outcome: candidate.outcome,
                doubts: candidate.all_doubts(),
            })
            .collect();
        FirewallPart {
            sources,
            decision: Decision::settle(by, outcome, open),
            caveats: [self.caveats.as_slice(), caveats].concat(),
        }
    }
}

impl RuleName {
    /// Whether no rule decides: the implicit denial.
    pub fn is_implicit(&self) -> bool {
        self.stage == Stage::Implicit
    }
}
