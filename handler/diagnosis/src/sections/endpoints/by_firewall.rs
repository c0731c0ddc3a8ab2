//! What the Azure Firewall at the next hop decides about an endpoint (R5.21).

use super::Decided;
use crate::facts::AzureFirewall;
use crate::network::Outcome as Fate;
use crate::network::firewall::RuleName;
use crate::report::{DecidedBy, TrafficVerdict};
use crate::rules::inspection::{Inspection, Part, holder, rule_label};

/// The firewall that the packets of one way meet.
pub(super) struct Gate<'w> {
    inspection: &'w Inspection<'w>,
    /// The way's path among those of the appliance.
    path: usize,
    /// Whether it certainly translates: a private source address does not come back from the internet (R5.19).
    translates: bool,
}

impl<'w> Gate<'w> {
    pub(super) fn new(inspection: &'w Inspection<'w>, path: usize) -> Self {
        Self {
            inspection,
            path,
            translates: inspection.rules.never_snats() == Some(false),
        }
    }

    /// What it does with the endpoint at this place of the list; `None`: it could not be asked about it.
    pub(super) fn parts(&self, endpoint: usize) -> Option<impl Iterator<Item = &'w Part>> {
        let judged = self.inspection.endpoints.get(endpoint)?;
        let parts = judged.parts.as_ref()?.iter();
        let path = self.path;
        Some(parts.filter(move |part| part.path == path))
    }
}

/// A decision that is not put in words yet, since most ways share it.
pub(super) struct ByFirewall<'w> {
    firewall: &'w AzureFirewall,
    verdict: TrafficVerdict,
    by: Option<&'w RuleName>,
    why: Why<'w>,
}

/// `whether rule a of collection b of Azure Firewall fw matches it is not known`: the words before and after the
/// firewall, and the rule between the first words and the firewall.
struct Why<'w>(&'static str, Option<&'w RuleName>, &'static str);

impl PartialEq for ByFirewall<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: Option<&RuleName>, other: Option<&RuleName>| match (one, other) {
            (Some(one), Some(other)) => std::ptr::eq(one, other) || one == other,
            (None, None) => true,
            _ => false,
        };
        self.verdict == other.verdict
            && (self.why.0, self.why.2) == (other.why.0, other.why.2)
            && std::ptr::eq(self.firewall, other.firewall)
            && same(self.by, other.by)
            && same(self.why.1, other.why.1)
    }
}

impl<'w> ByFirewall<'w> {
    /// The decision for these senders; `None` when their addresses are not known.
    pub(super) fn of(gate: &Gate<'w>, parts: impl Iterator<Item = &'w Part>) -> Option<Self> {
        let (mut open, mut denied, mut allowed) = (None, None, None);
        for part in parts {
            let first = match part.fate {
                Fate::Undecidable => &mut open,
                Fate::Denied => &mut denied,
                Fate::Allowed => &mut allowed,
            };
            first.get_or_insert(&*part.answer);
        }
        let (verdict, by, why) = match (open, denied, allowed) {
            (None, None, None) => return None,
            (Some(open), _, _) => {
                let rule = open.maybe.first().unwrap_or(&open.by);
                let why = if rule.is_implicit() {
                    Why("what ", None, " does with it is not known")
                } else if rule.rule.is_empty() {
                    Why("not all rules of ", None, " are known")
                } else {
                    Why("whether ", Some(rule), " matches it is not known")
                };
                (TrafficVerdict::Unknown, None, why)
            }
            (None, Some(denied), Some(_)) => {
                let why = Why("", None, " lets only a part of these senders reach it");
                (TrafficVerdict::Partial, Some(&denied.by), why)
            }
            (None, Some(denied), None) => {
                let why = if denied.by.is_implicit() {
                    Why("no rule of ", None, " allows it")
                } else {
                    Why("", Some(&denied.by), " denies it")
                };
                (TrafficVerdict::Blocked, Some(&denied.by), why)
            }
            // Allowed is not delivered.
            (None, None, Some(_)) if !gate.translates => {
                let why = Why(
                    "",
                    None,
                    " allows it, but its private ranges hold every address, and whether it translates this one's is not certain",
                );
                (TrafficVerdict::Unknown, None, why)
            }
            (None, None, Some(allowed)) => {
                let rule = (!allowed.by.is_implicit()).then_some(&allowed.by);
                let why = Why("", rule, " allows it");
                (TrafficVerdict::Allowed, Some(&allowed.by), why)
            }
        };
        Some(Self {
            firewall: gate.inspection.firewall,
            verdict,
            by,
            why,
        })
    }

    /// In words.
    pub(super) fn decided(&self) -> Decided {
        let Why(before, rule, after) = &self.why;
        let rule = rule.map_or(String::new(), |rule| format!("{} of ", rule_label(rule)));
        let name = self.firewall.id.name();
        Decided {
            verdict: self.verdict,
            by: self.by.map(|by| DecidedBy {
                resource_id: Some(holder(by, self.firewall).clone()),
                rule: (!by.is_implicit()).then(|| by.rule.clone()),
                priority: by.collection_priority,
            }),
            why: format!("{before}{rule}Azure Firewall {name}{after}"),
        }
    }
}
