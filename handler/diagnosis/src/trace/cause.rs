//! Which finding explains a drop: only one that names what dropped.

use crate::facts::Id;
use crate::report::{Finding, Severity};

/// What dropped a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nothing that a finding could be about.
    Nothing,
    /// A named part of a resource: a rule, a route, an endpoint that a firewall denies.
    Part {
        /// What the code of a finding about it begins with.
        families: &'static [&'static str],
        resource: Option<Id>,
        name: String,
    },
    /// Something that these findings alone are about.
    Codes(&'static [&'static str]),
    /// This finding.
    Finding(String),
}

/// The code of the finding that explains a drop for these pools.
pub(super) fn cause(findings: &[Finding], pools: &[String], blame: &Blame) -> Option<String> {
    let explains = |finding: &&Finding| match blame {
        Blame::Nothing => false,
        Blame::Part {
            families,
            resource,
            name,
        } => {
            finding.severity > Severity::Info
                && families.iter().any(|f| finding.code.starts_with(f))
                && resource.as_ref().is_none_or(|id| is_about(finding, id))
                && mentions(finding, name)
        }
        Blame::Codes(codes) => finding.blocks_egress && codes.contains(&finding.code.as_str()),
        Blame::Finding(code) => finding.code == *code,
    };
    findings
        .iter()
        .filter(|finding| concerns(finding, pools))
        .find(explains)
        .map(|finding| finding.code.clone())
}

/// Whether a finding concerns one of these pools; one that names no pool concerns all.
pub(super) fn concerns(finding: &Finding, pools: &[String]) -> bool {
    let named = &finding.affected.node_pools;
    named.is_empty() || named.iter().any(|pool| pools.contains(pool))
}

fn is_about(finding: &Finding, id: &Id) -> bool {
    finding.affected.resource_ids.contains(id)
        || finding
            .evidence
            .iter()
            .any(|evidence| evidence.resource_id.as_ref() == Some(id))
}

/// Whether a finding's title or evidence has this name as a word.
pub(super) fn mentions(finding: &Finding, name: &str) -> bool {
    let texts = finding.evidence.iter().flat_map(|e| {
        let value = e.value.as_deref().unwrap_or_default();
        [e.text.as_str(), value]
    });
    !name.is_empty()
        && texts
            .chain([finding.title.as_str()])
            .any(|text| has_word(text, name))
}

fn has_word(text: &str, name: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || "-_.:*".contains(c)))
        .map(|word| word.trim_end_matches(['.', ':']))
        .any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        assert!(has_word("rule deny (priority 200) denies", "deny"));
        assert!(has_word("via 10.1.0.4.", "10.1.0.4"));
        assert!(!has_word("rule deny-all denies", "deny"));
        assert!(!has_word("10.1.0.40", "10.1.0.4"));
        assert!(has_word("mcr.microsoft.com:443", "mcr.microsoft.com:443"));
    }
}
