//! Allow rules that never fire, because earlier rules decide about all that they match (R4.32).

use super::evaluate::MAX_PARTS;
use super::rule::{Origin, Ready, RuleName, SecurityRules};
use crate::network::Outcome;
use crate::order::Order as _;

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

/// What was found in one security group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadows {
    /// The rules, in order.
    pub rules: Vec<Shadowed>,
    /// False when the rules cut the traffic into more parts than are followed, and later rules were not looked at.
    pub complete: bool,
}

impl SecurityRules {
    /// Allow rules that somebody wrote and that never fire, since the rules before them decide about every packet they
    /// match and deny some of it. A rule that only repeats what others allow is none.
    pub fn shadowed(&self) -> Shadows {
        let mut shadows = Shadows {
            rules: Vec::new(),
            complete: true,
        };
        let mut parts = 0;
        for index in 0..self.rules.len() {
            shadows.rules.extend(self.shadow(index, &mut parts));
            if parts > MAX_PARTS {
                shadows.complete = false;
                break;
            }
        }
        shadows
    }

    /// Allow rules that somebody wrote.
    pub fn custom_allows(&self) -> impl Iterator<Item = &RuleName> {
        self.rules
            .iter()
            .filter(|rule| rule.name.origin == Origin::Custom && rule.outcome == Outcome::Allowed)
            .map(|rule| &rule.name)
    }

    fn shadow(&self, index: usize, parts: &mut usize) -> Option<Shadowed> {
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
        *parts += decided.len() + pending.len();
        if *parts > MAX_PARTS {
            return None;
        }
        let mut by: Vec<RuleName> = Vec::new();
        let mut note = |name: &RuleName| {
            if !by.contains(name) {
                by.push(name.clone());
            }
        };
        let dropped = decided.iter().filter(|part| {
            part.decision.outcome == Outcome::Denied && part.decision.by.origin == Origin::Custom
        });
        for part in dropped {
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
        by.order_by_key(|name| name.priority);
        (!by.is_empty()).then(|| Shadowed {
            rule: rule.name.clone(),
            by,
            sure,
        })
    }
}
