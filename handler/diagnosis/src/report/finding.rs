//! A finding: what is wrong, how that is known, and the exact way to mend it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::facts::Id;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing, no fault.
    Info,
    /// Hygiene.
    Low,
    /// Risk.
    Medium,
    /// Wrong, or about to break.
    High,
    /// Egress cannot work for at least one node pool or required endpoint.
    Critical,
}

/// How sure the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Confidence {
    /// Follows from what was read and documented behaviour.
    Certain,
    /// Azure's documentation leaves some room.
    Likely,
    /// One of several explanations.
    Possible,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Permanent code, e.g. `NAT101`.
    pub code: String,
    /// Permanent slug, e.g. `subnet-not-associated`.
    pub slug: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure the engine is.
    pub confidence: Confidence,
    /// One line with the real names.
    pub title: String,
    /// What happens and why.
    pub explanation: String,
    /// When it showed: the first failure, else the moment at which it was worst; null for what is so at any time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// What it was read from.
    pub evidence: Vec<Evidence>,
    /// Who suffers.
    pub affected: Affected,
    /// How to mend it, best first.
    pub remediation: Vec<Remediation>,
    /// Documentation pages.
    pub docs: Vec<String>,
    /// Whether it stops egress for a pool or a required endpoint.
    pub blocks_egress: bool,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was seen.
    pub text: String,
    /// Where it was seen.
    pub resource_id: Option<Id>,
    /// The value seen.
    pub value: Option<String>,
}

/// Who suffers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Affected {
    /// Agent pools by name.
    pub node_pools: Vec<String>,
    /// Resources.
    pub resource_ids: Vec<Id>,
}

/// One way to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// What it does.
    pub summary: String,
    /// Commands with the real names filled in.
    pub commands: Vec<String>,
    /// What else it changes.
    pub side_effects: Vec<String>,
    /// How to take it back.
    pub undo: Vec<String>,
}
