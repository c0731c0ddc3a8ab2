//! Denying rules with what they hit, each once.

use super::Outcome;
use crate::context::Context;
use crate::facts::Missing;
use crate::network::nsg::RuleName;
use crate::order::Order as _;
use crate::report::Severity;
use crate::security::{self, Guard};

/// A denying rule with what it hits.
pub(super) struct Hit {
    pub(super) rule: RuleName,
    /// The worst on any way.
    pub(super) severity: Severity,
    /// Whether it certainly hits everything named.
    pub(super) sure: bool,
    /// What it hits, in words.
    pub(super) what: Vec<String>,
    pub(super) pools: Vec<String>,
}

impl Hit {
    /// The pools' names.
    pub(super) fn pools(&self) -> Vec<&str> {
        self.pools.iter().map(String::as_str).collect()
    }
}

/// All of them, in the order found.
#[derive(Default)]
pub(super) struct Hits(pub(super) Vec<Hit>);

impl Hits {
    /// Adds what a rule hits on one way.
    pub(super) fn add(
        &mut self,
        guard: &Guard<'_, '_>,
        rule: RuleName,
        severity: Severity,
        sure: bool,
        what: impl Into<String>,
    ) {
        let what = what.into();
        let pools: Vec<String> = guard.pools().map(str::to_owned).collect();
        let Some(hit) = self.0.iter_mut().find(|hit| hit.rule == rule) else {
            self.0.push(Hit {
                rule,
                severity,
                sure,
                what: vec![what],
                pools,
            });
            return;
        };
        hit.severity = hit.severity.max(severity);
        hit.sure &= sure;
        if !hit.what.contains(&what) {
            hit.what.push(what);
        }
        hit.pools.extend(pools);
        hit.pools.order();
        hit.pools.dedup();
    }
}

/// Adds texts that are not there yet.
pub(super) fn note(into: &mut Vec<String>, why: impl IntoIterator<Item = String>) {
    for text in why {
        if !into.contains(&text) {
            into.push(text);
        }
    }
}

/// What stayed open about tag `VirtualNetwork` becomes the network or route table that was not read, which a gap names.
/// A check that got by without them does not miss them.
pub(super) fn unread_space(ctx: &Context<'_>, outcome: &mut Outcome) {
    let unread = security::missing_space(ctx);
    let all = outcome.undecided.len();
    if !unread.is_empty() {
        outcome.undecided.retain(|why| !security::about_space(why));
    }
    if outcome.undecided.len() < all {
        miss(outcome, unread);
    }
}

/// Adds data that a check lacks, each once.
pub(super) fn miss(outcome: &mut Outcome, data: impl IntoIterator<Item = Missing>) {
    for missing in data {
        if !outcome.missing.contains(&missing) {
            outcome.missing.push(missing);
        }
    }
}
