//! Cause before consequence: a consequence is not reported beside its cause. The only place where that is decided.

use std::collections::BTreeMap;

use super::Outcome;
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
