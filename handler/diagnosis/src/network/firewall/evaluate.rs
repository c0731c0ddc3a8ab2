//! What a firewall does with traffic to one target, for sets of sources.

use super::compile::{ApplicationReady, NetworkReady};
use super::hosts::{Cover, Pattern};
use super::{FirewallRules, FlowProtocol, Host, IMPLICIT, RuleName, Stage, Target};
use crate::network::{AddressBounds, AddressSet, Decision, Doubt, Open, Outcome};

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
        let mut candidates: Vec<Candidate<'_>> = self
            .gates
            .iter()
            .zip(&self.network)
            .filter(|(gate, _)| gate.lets(protocol, target.port))
            .filter_map(|(_, rule)| self.network_candidate(rule, target, addresses))
            .filter(|candidate| candidate.certain || heard.is_new(candidate))
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
            .filter_map(|text| Pattern::parse(text))
            .any(|pattern| pattern.covers(host) == Cover::All)
    }

    fn network_candidate<'r>(
        &'r self,
        rule: &'r NetworkReady,
        target: &Target,
        addresses: &AddressSet,
    ) -> Option<Candidate<'r>> {
        let protocol = target.protocol.transport();
        let ported = crate::network::ProtocolSet::WITH_PORTS.contains(protocol);
        let mut doubts = Vec::new();
        let (mut port_doubts, mut address_doubts): (&[Doubt], &[Doubt]) = (&[], &[]);
        let mut addresses_unknown = false;
        let mut certain = rule.placed && rule.certain_protocols.contains(protocol);
        if ported && !rule.ports.certain.contains(target.port) {
            if !rule.ports.possible.contains(target.port) {
                return None;
            }
            certain = false;
            port_doubts = &rule.ports.doubts;
        }
        let mut caveat = None;
        let by_host = self.host_fit(rule, target);
        let by_tag = rule.tags.iter().any(|tag| target.tags.contains(tag));
        if by_tag || rule.destinations.certain.contains_all(addresses) {
            // Matches whatever its FQDNs do.
        } else if matches!(by_host, Fit::Certain) {
            caveat = Some(Caveat::FirewallAsDns);
        } else {
            certain = false;
            let by_address = rule.destinations.possible.intersects(addresses);
            if by_address {
                addresses_unknown = true;
                address_doubts = &rule.destinations.doubts;
            }
            match by_host {
                Fit::Possible(doubt) => doubts.push(doubt),
                _ if by_address => {}
                _ => return None,
            }
        }
        Some(Candidate {
            name: &rule.name,
            outcome: rule.outcome,
            certain,
            field_doubts: [&rule.doubts, port_doubts, address_doubts],
            addresses_unknown,
            doubts,
            sources: &rule.sources,
            caveat,
        })
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
        for fqdn in &rule.fqdns {
            let cover = Pattern::parse(fqdn).map_or(Cover::Part, |pattern| pattern.covers(host));
            let doubt = match cover {
                Cover::None => continue,
                Cover::Part => Doubt::HostsPartlyCovered(fqdn.clone()),
                // Network rules take no wildcards.
                Cover::All if fqdn.contains('*') => Doubt::InvalidFqdn(fqdn.clone()),
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

/// The first candidates that possibly match, to leave out those that could change nothing: a policy may hold thousands
/// of rules about addresses for one port, and none is certain for a host.
#[derive(Default)]
struct Heard<'r>(Vec<(Outcome, &'r AddressSet)>);

impl<'r> Heard<'r> {
    /// Whether fewer than the reported number of earlier ones do the same for all of its sources.
    fn is_new(&mut self, candidate: &Candidate<'r>) -> bool {
        let sources = &candidate.sources.possible;
        let same = self
            .0
            .iter()
            .filter(|(outcome, reach)| *outcome == candidate.outcome && reach.contains_all(sources))
            .take(REPORTED_OPEN)
            .count();
        if same < REPORTED_OPEN && self.0.len() < 8 * REPORTED_OPEN {
            self.0.push((candidate.outcome, sources));
        }
        same < REPORTED_OPEN
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
