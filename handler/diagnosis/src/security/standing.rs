//! How a service or a set of addresses stands with the rules of a security group.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use super::Service;
use super::guard::Guard;
use super::service::Holds;
use crate::facts::Direction;
use crate::network::nsg::{FlowClass, Origin, Part, RuleName};
use crate::network::{AddressSet, Decision, Doubt, Family, Open, Outcome, PortSet, Protocol};

/// A rule that denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The rule.
    pub(crate) rule: RuleName,
    /// Whether it certainly hits; false when the service may sit in one of the addresses that other rules admit.
    pub(crate) sure: bool,
}

/// How one service stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Every level lets it pass.
    Allowed,
    /// These rules drop it, at most one per level.
    Denied(Vec<Block>),
    /// Not decided, and why; empty when a group could not be read, which is noted elsewhere.
    Unknown(Vec<String>),
}

impl Guard<'_, '_> {
    /// How a service stands on a port.
    pub(crate) fn standing(
        &self,
        service: Service,
        flow: (Protocol, u16),
        location: Option<&str>,
    ) -> Standing {
        let mut blocks = Vec::new();
        let mut open = Vec::new();
        let mut known = true;
        for at_level in self.at_levels(service, flow, location) {
            match at_level {
                AtLevel::Allowed => {}
                AtLevel::Denied(block) => blocks.push(block),
                AtLevel::Unknown(why) => {
                    known = false;
                    open.extend(why);
                }
            }
        }
        match (blocks.is_empty(), known) {
            (false, _) => Standing::Denied(blocks),
            (true, true) => Standing::Allowed,
            (true, false) => Standing::Unknown(open),
        }
    }

    /// The same level by level, in the order of [`Guard::levels`].
    pub(crate) fn standing_by_level(
        &self,
        service: Service,
        flow: (Protocol, u16),
        location: Option<&str>,
    ) -> Vec<Standing> {
        self.at_levels(service, flow, location)
            .into_iter()
            .map(|at_level| match at_level {
                AtLevel::Allowed => Standing::Allowed,
                AtLevel::Denied(block) => Standing::Denied(vec![block]),
                AtLevel::Unknown(why) => Standing::Unknown(why),
            })
            .collect()
    }

    fn at_levels(
        &self,
        service: Service,
        (protocol, port): (Protocol, u16),
        location: Option<&str>,
    ) -> Vec<AtLevel> {
        let class = FlowClass::new(self.sources(), public(), protocol, PortSet::one(port));
        self.by_name_and_address(&class)
            .map(|(parts, by_address)| {
                let by_name = at_level(&parts, service, location);
                // By name it stays open, or no more than likely: then the addresses of the service's own tag decide.
                match self.addresses_of(service, location) {
                    Some(destinations) if !by_name.is_sure() => {
                        let parts = by_address.evaluate(&FlowClass {
                            destinations,
                            ..class.clone()
                        });
                        by_addresses(&parts, service, location)
                    }
                    _ => by_name,
                }
            })
            .collect()
    }

    /// What the rules do with a set of addresses.
    pub(crate) fn addressed(&self, direction: Direction, class: &FlowClass) -> Addressed {
        let mut result = Addressed::default();
        let levels: Vec<_> = self.evaluate(direction, class).collect();
        for part in levels.iter().flat_map(|parts| parts.iter()) {
            match part.decision.outcome {
                Outcome::Allowed => {}
                Outcome::Denied => result.denied.push(part.clone()),
                Outcome::Undecidable => {
                    let words = open_words(&part.decision.open);
                    if custom_may_deny(&part.decision) {
                        result.open_to_custom.extend(words.iter().cloned());
                    }
                    result.open.extend(words);
                }
            }
        }
        result
    }
}

/// What the rules do with a set of addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addressed {
    /// The parts that a level drops.
    pub(crate) denied: Vec<Part>,
    /// Why parts are not decided; nothing for a group that could not be read, which is noted elsewhere.
    pub(crate) open: Vec<String>,
    /// Those of them that a rule somebody wrote may turn out to drop.
    pub(crate) open_to_custom: Vec<String>,
}

/// Whether one of the rules that may decide is a denial somebody wrote.
fn custom_may_deny(decision: &Decision<RuleName>) -> bool {
    let denies =
        |rule: &RuleName, outcome| rule.origin == Origin::Custom && outcome != Outcome::Allowed;
    denies(&decision.by, decision.otherwise)
        || decision.open.iter().any(|o| denies(&o.rule, o.outcome))
}

impl Addressed {
    /// The rules that somebody wrote and that drop some of it, each once, with all that they drop.
    pub(crate) fn by_custom_rule(&self) -> Vec<(RuleName, Vec<&FlowClass>)> {
        let mut rules: Vec<(RuleName, Vec<&FlowClass>)> = Vec::new();
        for part in &self.denied {
            let by = &part.decision.by;
            if by.origin != Origin::Custom {
                continue;
            }
            match rules.iter_mut().find(|(rule, _)| rule == by) {
                Some((_, classes)) => classes.push(&part.class),
                None => rules.push((by.clone(), vec![&part.class])),
            }
        }
        rules
    }
}

enum AtLevel {
    Allowed,
    Denied(Block),
    Unknown(Vec<String>),
}

impl AtLevel {
    fn is_sure(&self) -> bool {
        matches!(self, Self::Allowed | Self::Denied(Block { sure: true, .. }))
    }
}

/// One level's answer over the addresses that a service may have: sure only when all of them share it.
fn by_addresses(parts: &[Part], service: Service, location: Option<&str>) -> AtLevel {
    let of = |outcome| parts.iter().filter(move |p| p.decision.outcome == outcome);
    let first = of(Outcome::Denied).min_by_key(|part| part.decision.by.priority);
    let undecided: Vec<String> = of(Outcome::Undecidable)
        .flat_map(|part| open_words(&part.decision.open))
        .collect();
    match first {
        _ if of(Outcome::Undecidable).next().is_some() => AtLevel::Unknown(undecided),
        None => AtLevel::Allowed,
        Some(part) if of(Outcome::Allowed).next().is_none() => AtLevel::Denied(Block {
            rule: part.decision.by.clone(),
            sure: true,
        }),
        Some(part) => AtLevel::Unknown(vec![format!(
            "rule {} denies part of service tag {}; which of its addresses {} has is not known",
            named(&part.decision.by),
            service.tag(location),
            service.label()
        )]),
    }
}

/// One level's answer over all parts of the public space. Where a service sits among the addresses is not known: rules
/// that name addresses decide only together.
fn at_level(parts: &[Part], service: Service, location: Option<&str>) -> AtLevel {
    let mut allowed = 0_u64;
    let mut denied = 0_u64;
    let mut first: Option<RuleName> = None;
    let mut open = Vec::new();
    let mut undecided = false;
    for part in parts {
        match in_part(part, service, location) {
            Ok((Outcome::Allowed, _)) => allowed += size(&part.class.destinations),
            Ok((Outcome::Denied, rule)) => {
                denied += size(&part.class.destinations);
                let earlier = first.as_ref().and_then(|f| f.priority) <= rule.priority;
                if first.is_none() || !earlier {
                    first = Some(rule.clone());
                }
            }
            Ok((Outcome::Undecidable, _)) => undecided = true,
            Err(why) => {
                undecided = true;
                open.extend(why);
            }
        }
    }
    match first {
        _ if undecided => AtLevel::Unknown(open),
        None => AtLevel::Allowed,
        Some(rule) if allowed == 0 => AtLevel::Denied(Block { rule, sure: true }),
        // Pinned addresses among a denied internet: no list of addresses stands for a service (R1.1, R1.12).
        Some(rule) if denied > allowed => AtLevel::Denied(Block { rule, sure: false }),
        Some(rule) => AtLevel::Unknown(vec![format!(
            "rule {} denies part of the internet; whether {} sits in it is not known",
            named(&rule),
            service.label()
        )]),
    }
}

/// The first rule of a part that holds the service by the name of its tag.
fn in_part<'p>(
    part: &'p Part,
    service: Service,
    location: Option<&str>,
) -> Result<(Outcome, &'p RuleName), Vec<String>> {
    let mut maybe: Vec<&Open<RuleName>> = Vec::new();
    let mut last = (part.decision.otherwise, &part.decision.by);
    let (defaults, custom): (Vec<_>, Vec<_>) = part
        .decision
        .open
        .iter()
        .partition(|open| open.rule.origin == Origin::Default);
    // Azure's own rules let every public address through: what VirtualNetwork does not hold, Internet does (R4.3, R4.12).
    let admits = |open: &&&Open<RuleName>| open.outcome == Outcome::Allowed;
    if last.1.origin == Origin::Default
        && let Some(open) = defaults.iter().find(admits)
    {
        last = (Outcome::Allowed, &open.rule);
    }
    for open in custom {
        match holds(&open.doubts, service, location) {
            Holds::Yes => {
                last = (open.outcome, &open.rule);
                break;
            }
            Holds::Maybe => maybe.push(open),
            Holds::No => {}
        }
    }
    if maybe.iter().all(|open| open.outcome == last.0) && last.0 != Outcome::Undecidable {
        return Ok(last);
    }
    Err(open_words(maybe))
}

/// Whether a rule with these doubts holds the service. Any doubt but a tag's contents leaves it open.
fn holds(doubts: &[Doubt], service: Service, location: Option<&str>) -> Holds {
    let mut best = Holds::No;
    for doubt in doubts {
        let Doubt::UnresolvedTag(tag) = doubt else {
            return Holds::Maybe;
        };
        match service.held_by(tag, location) {
            Holds::Yes => best = Holds::Yes,
            Holds::Maybe if best == Holds::No => best = Holds::Maybe,
            Holds::Maybe | Holds::No => {}
        }
    }
    best
}

/// Every public IPv4 address but the host's own, which no ordinary rule filters (R4.10).
pub(crate) fn public() -> AddressSet {
    static PUBLIC: LazyLock<AddressSet> = LazyLock::new(|| {
        let host = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));
        AddressSet::public().of(Family::V4).difference(&host.into())
    });
    PUBLIC.clone()
}

/// How many IPv4 addresses.
fn size(set: &AddressSet) -> u64 {
    set.v4_ranges()
        .map(|r| u64::from(r.end().to_bits()) - u64::from(r.start().to_bits()) + 1)
        .sum()
}

/// `deny-all (priority 200) of network security group nsg`
pub(crate) fn named(rule: &RuleName) -> String {
    let priority = rule
        .priority
        .map_or(String::new(), |p| format!(" (priority {p})"));
    format!("{}{priority} of {}", rule.rule, rule.holder())
}

/// Whether these words of [`open_words`] are about what tag `VirtualNetwork` holds.
pub(crate) fn about_space(words: &str) -> bool {
    [Doubt::OnPremisesUnknown, Doubt::VirtualNetworkUnknown]
        .iter()
        .any(|doubt| words.ends_with(&doubt.words()))
}

/// Why open rules are open. Groups that could not be read are noted as missing elsewhere.
pub(crate) fn open_words<'o>(open: impl IntoIterator<Item = &'o Open<RuleName>>) -> Vec<String> {
    let mut words = Vec::new();
    for rule in open {
        for doubt in &rule.doubts {
            if *doubt == Doubt::UnreadableSecurityGroup {
                continue;
            }
            let text = format!("rule {}: {}", named(&rule.rule), doubt.words());
            if !words.contains(&text) {
                words.push(text);
            }
        }
    }
    words
}
