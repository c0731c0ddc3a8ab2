//! Allow rules that never fire, because earlier rules decide about all that they match (R4.32).

use super::evaluate::too_many;
use super::rule::{Origin, Ready, RuleName, SecurityRules};
use crate::network::Outcome;

/// An allow rule in the shadow of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The rule.
    pub rule: RuleName,
    /// Denying rules before it, in order.
    pub by: Vec<RuleName>,
    /// Whether it certainly never fires. False when that depends on what the denying rules match.
    pub sure: bool,
}

impl SecurityRules {
    /// Allow rules that somebody wrote and that never fire, since the rules before them decide about every packet they
    /// match and deny some of it. A rule that only repeats what others allow is none.
    pub fn shadowed(&self) -> Vec<Shadowed> {
        (0..self.rules.len())
            .filter_map(|index| self.shadow(index))
            .collect()
    }

    /// Allow rules that somebody wrote.
    pub fn custom_allows(&self) -> impl Iterator<Item = &RuleName> {
        self.rules
            .iter()
            .filter(|rule| rule.name.origin == Origin::Custom && rule.outcome == Outcome::Allowed)
            .map(|rule| &rule.name)
    }

    fn shadow(&self, index: usize) -> Option<Shadowed> {
        let rule = self.rules.get(index)?;
        if rule.name.origin != Origin::Custom || rule.outcome != Outcome::Allowed {
            return None;
        }
        let denies = |other: &Ready| {
            other.name.origin == Origin::Custom && other.outcome != Outcome::Allowed
        };
        // Most allow rules come before every denial that touches them.
        let before = self.rules.get(..index)?;
        let meets = |other: &&Ready| denies(other) && other.possible.intersects(&rule.possible);
        before.iter().find(meets)?;
        let (decided, pending) = self.walk(rule.possible.clone(), index);
        if too_many(&decided, &pending) {
            return None;
        }
        let mut by: Vec<RuleName> = Vec::new();
        let mut note = |name: &RuleName| {
            if !by.contains(name) {
                by.push(name.clone());
            }
        };
        let denied = decided.iter().filter(|part| {
            part.decision.outcome == Outcome::Denied && part.decision.by.origin == Origin::Custom
        });
        for part in denied {
            note(&part.decision.by);
        }
        let sure = pending.is_empty();
        for part in &pending {
            // One packet that nothing may deny: the rule fires.
            let open = part.open.iter().filter_map(|index| self.rules.get(*index));
            let denying: Vec<&Ready> = open.filter(|other| denies(other)).collect();
            if denying.is_empty() {
                return None;
            }
            for other in denying {
                note(&other.name);
            }
        }
        by.sort_by_key(|name| name.priority);
        (!by.is_empty()).then(|| Shadowed {
            rule: rule.name.clone(),
            by,
            sure,
        })
    }
}
