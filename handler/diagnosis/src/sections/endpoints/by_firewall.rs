//! What the Azure Firewall at the next hop decides about an endpoint (R5.21).

use super::Decided;
use crate::context::Context;
use crate::facts::{AzureFirewall, Id, Missing};
use crate::network::Outcome as Fate;
use crate::network::firewall::{RuleName, Stage};
use crate::report::{DecidedBy, Finding, TrafficVerdict};
use crate::rules::appliance::own_routes;
use crate::rules::inspection::{Inspection, Part, holder, rule_label};

/// The firewall that the packets of one way meet.
pub(super) struct Gate<'w> {
    inspection: &'w Inspection<'w>,
    /// The way's path among those of the appliance.
    path: usize,
    /// Whether it certainly translates what network rules allow: a private source address does not come back from the
    /// internet (R5.19).
    translates: bool,
    /// Whether FWL111 says that it does not, and nothing behind it does.
    never_answered: bool,
    /// The route table of its own subnet that leads elsewhere than out; an error where that is not known.
    own_routes: Result<Option<&'w Id>, Missing>,
}

impl<'w> Gate<'w> {
    pub(super) fn new(
        ctx: &Context<'w>,
        findings: &[Finding],
        inspection: &'w Inspection<'w>,
        path: usize,
    ) -> Self {
        let firewall = inspection.firewall;
        Self {
            inspection,
            path,
            translates: inspection.rules.never_snats() == Some(false),
            never_answered: findings.iter().any(|finding| {
                finding.code == "FWL111" && finding.affected.resource_ids.contains(&firewall.id)
            }),
            own_routes: own_routes(ctx, firewall),
        }
    }

    /// What it does with the endpoint at this place of the list; `None`: it could not be asked about it.
    pub(super) fn parts(&self, endpoint: usize) -> Option<impl Iterator<Item = &'w Part>> {
        let judged = self.inspection.endpoints.get(endpoint)?;
        let parts = judged.parts.as_ref()?.iter();
        let path = self.path;
        Some(parts.filter(move |part| part.path == path))
    }

    fn firewall(&self) -> &'w AzureFirewall {
        self.inspection.firewall
    }
}

/// A decision that is not put in words yet, since most ways share it.
pub(super) struct ByFirewall<'w> {
    gate: &'w Gate<'w>,
    verdict: TrafficVerdict,
    by: Option<&'w RuleName>,
    why: Why<'w>,
}

/// Why it is decided so.
enum Why<'w> {
    NotKnown,
    RulesNotKnown,
    MayMatch(&'w RuleName),
    Partly,
    NoRule,
    Denied(&'w RuleName),
    /// Allowed by a network rule, which perhaps translates nothing.
    PerhapsPlain,
    /// Allowed by a network rule, which translates nothing.
    Plain,
    /// The same of a part; an application rule, which translates, allows another.
    PartlyPlain,
    /// Allowed and translated, but led elsewhere by this route table.
    LedAside(&'w Id),
    /// The same, perhaps: the routes of the firewall's own subnet are not known.
    PerhapsAside,
    Allowed(Option<&'w RuleName>),
}

impl PartialEq for Why<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &RuleName, other: &RuleName| std::ptr::eq(one, other) || one == other;
        match (self, other) {
            (Self::MayMatch(one), Self::MayMatch(other))
            | (Self::Denied(one), Self::Denied(other))
            | (Self::Allowed(Some(one)), Self::Allowed(Some(other))) => same(one, other),
            (Self::Allowed(one), Self::Allowed(other)) => one.is_none() && other.is_none(),
            (Self::LedAside(one), Self::LedAside(other)) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl PartialEq for ByFirewall<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (self.by, other.by) {
            (Some(one), Some(other)) => std::ptr::eq(one, other) || one == other,
            (None, None) => true,
            _ => false,
        };
        same && self.verdict == other.verdict
            && self.why == other.why
            && std::ptr::eq(self.gate.firewall(), other.gate.firewall())
    }
}

/// The first of the parts that share a fate.
#[derive(Default)]
struct Firsts<'w> {
    open: Option<&'w Part>,
    denied: Option<&'w Part>,
    allowed: Option<&'w Part>,
    /// Allowed by an application rule, which always translates (R5.19).
    proxied: Option<&'w Part>,
    /// Allowed by another rule.
    plain: Option<&'w Part>,
}

impl<'w> Firsts<'w> {
    fn of(parts: impl Iterator<Item = &'w Part>) -> Self {
        let mut firsts = Self::default();
        for part in parts {
            match part.fate {
                Fate::Undecidable => firsts.open.get_or_insert(part),
                Fate::Denied => firsts.denied.get_or_insert(part),
                Fate::Allowed => {
                    let translated = part.answer.by.stage == Stage::Application;
                    let place = if translated {
                        &mut firsts.proxied
                    } else {
                        &mut firsts.plain
                    };
                    place.get_or_insert(part);
                    firsts.allowed.get_or_insert(part)
                }
            };
        }
        firsts
    }
}

impl<'w> ByFirewall<'w> {
    /// The decision for these senders; `None` when their addresses are not known.
    pub(super) fn of(gate: &'w Gate<'w>, parts: impl Iterator<Item = &'w Part>) -> Option<Self> {
        let firsts = Firsts::of(parts);
        let (verdict, by, why) = match (firsts.open, firsts.denied, firsts.allowed) {
            (None, None, None) => return None,
            (Some(open), _, _) => {
                let rule = open.answer.maybe.first().unwrap_or(&open.answer.by);
                let why = if rule.is_implicit() {
                    Why::NotKnown
                } else if rule.rule.is_empty() {
                    Why::RulesNotKnown
                } else {
                    Why::MayMatch(rule)
                };
                (TrafficVerdict::Unknown, None, why)
            }
            (None, Some(denied), Some(_)) => {
                let by = &denied.answer.by;
                (TrafficVerdict::Partial, Some(by), Why::Partly)
            }
            (None, Some(denied), None) => {
                let by = &denied.answer.by;
                let why = if by.is_implicit() {
                    Why::NoRule
                } else {
                    Why::Denied(by)
                };
                (TrafficVerdict::Blocked, Some(by), why)
            }
            // Allowed is not delivered.
            (None, None, Some(allowed)) => match firsts.plain {
                Some(plain) if !gate.translates => gate.plain(plain, firsts.proxied.is_some()),
                _ => gate.allowed(allowed),
            },
        };
        Some(Self {
            gate,
            verdict,
            by,
            why,
        })
    }

    /// In words.
    pub(super) fn decided(&self) -> Decided {
        let firewall = self.gate.firewall();
        Decided {
            verdict: self.verdict,
            by: self.by.map(|by| DecidedBy {
                resource_id: Some(holder(by, firewall).clone()),
                rule: (!by.is_implicit()).then(|| by.rule.clone()),
                priority: by.collection_priority,
            }),
            why: self.words(firewall.id.name()),
        }
    }

    fn words(&self, name: &str) -> String {
        let plain = |what: &str| {
            format!(
                "Azure Firewall {name} allows {what} by a network rule, but hands it on with its private source address, to which no answer comes back (FWL111)"
            )
        };
        match &self.why {
            Why::NotKnown => format!("what Azure Firewall {name} does with it is not known"),
            Why::RulesNotKnown => format!(
                "not all rules of Azure Firewall {name} are known{}",
                self.gate.inspection.because()
            ),
            Why::MayMatch(rule) => format!(
                "whether {} of Azure Firewall {name} matches it is not known",
                rule_label(rule)
            ),
            Why::Partly => {
                format!("Azure Firewall {name} lets only a part of these senders reach it")
            }
            Why::NoRule => format!("no rule of Azure Firewall {name} allows it"),
            Why::Denied(rule) => {
                format!("{} of Azure Firewall {name} denies it", rule_label(rule))
            }
            Why::PerhapsPlain => format!(
                "Azure Firewall {name} allows it by a network rule, and whether anything translates its private source address is not known"
            ),
            Why::Plain => plain("it"),
            Why::PartlyPlain => plain("a part of it"),
            Why::LedAside(table) => format!(
                "Azure Firewall {name} allows it; route table {} of the firewall's own subnet leads elsewhere than to Internet, and what is there is not known",
                table.name()
            ),
            Why::PerhapsAside => format!(
                "Azure Firewall {name} allows it; whether routes of the firewall's own subnet lead it elsewhere is not known"
            ),
            Why::Allowed(None) => format!("Azure Firewall {name} allows it"),
            Why::Allowed(Some(rule)) => {
                format!("{} of Azure Firewall {name} allows it", rule_label(rule))
            }
        }
    }
}

type Verdict<'w> = (TrafficVerdict, Option<&'w RuleName>, Why<'w>);

impl<'w> Gate<'w> {
    /// What a network rule allows and the firewall perhaps hands on with its private source address: it gets no answer, as
    /// FWL111 says, unless something behind the firewall translates.
    fn plain(&self, plain: &'w Part, proxied: bool) -> Verdict<'w> {
        if !self.never_answered {
            return (TrafficVerdict::Unknown, None, Why::PerhapsPlain);
        }
        let (verdict, why) = if proxied {
            (TrafficVerdict::Partial, Why::PartlyPlain)
        } else {
            (TrafficVerdict::Blocked, Why::Plain)
        };
        (verdict, Some(&plain.answer.by), why)
    }

    /// What it allows and translates. A tunnel behind the firewall does not deliver it.
    fn allowed(&self, allowed: &'w Part) -> Verdict<'w> {
        match self.own_routes {
            Ok(None) => {}
            Ok(Some(table)) => return (TrafficVerdict::Unknown, None, Why::LedAside(table)),
            Err(_) => return (TrafficVerdict::Unknown, None, Why::PerhapsAside),
        }
        let by = &allowed.answer.by;
        let rule = (!by.is_implicit()).then_some(by);
        (TrafficVerdict::Allowed, Some(by), Why::Allowed(rule))
    }
}
