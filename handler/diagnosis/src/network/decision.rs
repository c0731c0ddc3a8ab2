//! The outcome of a first-match rule list, for rule lists with uncertain rules in them.

use super::Doubt;
use crate::facts::Access;

/// What happens to a class of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It passes.
    Allowed,
    /// It is dropped.
    Denied,
    /// The facts do not say.
    Undecidable,
}

impl From<Option<Access>> for Outcome {
    fn from(access: Option<Access>) -> Self {
        match access {
            Some(Access::Allow) => Self::Allowed,
            Some(Access::Deny) => Self::Denied,
            None => Self::Undecidable,
        }
    }
}

/// A rule that might match, and come before the one that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open<R> {
    /// The rule.
    pub rule: R,
    /// What it would do.
    pub outcome: Outcome,
    /// Why it is not known whether it matches.
    pub doubts: Vec<Doubt>,
}

/// What a rule list does with a class of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<R> {
    /// The outcome. [`Outcome::Undecidable`] only where the open rules could change it: when the certain rule and all
    /// open ones agree, it is decided.
    pub outcome: Outcome,
    /// The first rule that certainly matches.
    pub by: R,
    /// What `by` does: the outcome if none of the open rules matches.
    pub otherwise: Outcome,
    /// Rules before `by` that possibly match.
    pub open: Vec<Open<R>>,
}

impl<R> Decision<R> {
    /// The decision when `by` certainly matches after `open` possibly did.
    pub fn settle(by: R, otherwise: Outcome, open: Vec<Open<R>>) -> Self {
        let agreed = open.iter().all(|rule| rule.outcome == otherwise);
        Self {
            outcome: if agreed {
                otherwise
            } else {
                Outcome::Undecidable
            },
            by,
            otherwise,
            open,
        }
    }
}
