//! Cause before consequence: a consequence is not reported beside its cause. The only place where that is decided.

use std::collections::{BTreeMap, BTreeSet};

use super::Outcome;
use crate::facts::Id;
use crate::path::Path;
use crate::report::{Confidence, Finding};

/// Consequence → the findings that explain it away.
const EXPLAINED_BY: &[(&str, &[&str])] = &[
    // A basic load balancer has no outbound rules; it translates implicitly.
    ("OUT106", &["CLS104"]),
    // The rule that differs is the rule that is not usable.
    ("OUT107", &["CLS104", "OUT106"]),
    // A load balancer without outbound rule is why its subnets have no method, or only the default one.
    ("OUT111", &["CLS104", "OUT106"]),
    ("OUT112", &["CLS104", "OUT106"]),
    // An address that no network reaches has no owner anybody could find.
    ("FWL105", &["UDR104"]),
    (
        "SNT108",
        // Without a working method, or without nodes, no data points are what one expects.
        &[
            "CLS101", "OUT101", "OUT106", "OUT112", "NAT101", "NAT102", "NAT103", "NAT104",
        ],
    ),
];

/// What leaves a subnet without any method: told by its own finding, not a second time by OUT112.
const TAKES_THE_METHOD: [&str; 4] = ["UDR101", "UDR102", "UDR109", "NAT101"];

/// Drops the findings of consequences whose cause was found; their checks then do not apply, with the cause as reason.
pub(crate) fn suppress(outcomes: &mut BTreeMap<&'static str, Outcome>) {
    for (consequence, causes) in EXPLAINED_BY {
        let cause = causes
            .iter()
            .find(|cause| outcomes.get(*cause).is_some_and(|o| !o.findings.is_empty()));
        if let (Some(cause), Some(outcome)) = (cause, outcomes.get_mut(consequence))
            && !outcome.findings.is_empty()
        {
            outcome.findings.clear();
            outcome.not_applicable = Some(format!("explained by {cause}"));
        }
    }
    without_method(outcomes);
}

/// Subnet by subnet: OUT112 stays where one of its subnets lacks a method for another reason.
fn without_method(outcomes: &mut BTreeMap<&'static str, Outcome>) {
    let causes = TAKES_THE_METHOD.map(|code| {
        let findings = outcomes.get(code).map_or(&[][..], |o| &o.findings);
        let blocking = findings.iter().filter(|finding| finding.blocks_egress);
        let about = blocking.flat_map(|finding| finding.affected.resource_ids.clone());
        (code, about.collect::<BTreeSet<Id>>())
    });
    let Some(outcome) = outcomes.get_mut("OUT112") else {
        return;
    };
    let subnets = outcome
        .findings
        .iter()
        .flat_map(|f| &f.affected.resource_ids);
    let mut explained = None;
    for subnet in subnets {
        let mut causes = causes.iter();
        let Some((code, _)) = causes.find(|(_, about)| about.contains(subnet)) else {
            return;
        };
        explained.get_or_insert(*code);
    }
    if let Some(code) = explained {
        outcome.findings.clear();
        outcome.not_applicable = Some(format!("explained by {code}"));
    }
}

/// Findings about a next hop that nothing passes.
pub(crate) const DEAD_HOPS: [&str; 6] =
    ["UDR104", "FWL101", "FWL102", "FWL103", "FWL104", "FWL106"];

/// The finding by which nothing passes the next hop of this subnet's default route. FWL103 is less than certain only about
/// which firewall is missing there; that nothing takes the packets is certain.
pub(crate) fn dead_hop<'f>(path: &Path<'_>, findings: &'f [Finding]) -> Option<&'f Finding> {
    findings.iter().find(|finding| {
        DEAD_HOPS.contains(&finding.code.as_str())
            && finding.blocks_egress
            && (finding.confidence == Confidence::Certain || finding.code == "FWL103")
            && finding.affected.resource_ids.contains(path.used.id)
    })
}
