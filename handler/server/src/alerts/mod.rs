//! Alerts of Azure Monitor: what a webhook's body says, and which clusters it may be about. Reading it asks Azure nothing.
//!
//! | shape | where the resource is named |
//! |---|---|
//! | common schema, any kind | `alertTargetIDs`, custom properties |
//! | metric, log search | dimensions of the condition; rows of older log searches |
//! | activity log | the scope that was written to |
//! | Prometheus | labels: the cluster's name, or ids |
//! | older metric, activity log and log search bodies | `resourceId`, and the same as above |
//!
//! Every field may be missing, null, of another type or another case. Nothing of a body gets anywhere before it was parsed:
//! ids as ARM ids, times as times, and what is only shown without control characters and short.

mod body;
mod candidates;
mod common;
mod context;
mod older;
pub(crate) mod outcome;
mod shape;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod work;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::jobs::ids::{Ids, JobId, hex};

pub(crate) use self::candidates::Candidates;

/// Azure Monitor sends no larger body.
pub(crate) const MAX_ALERT_BYTES: usize = 256 * 1024;

/// What is kept of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    /// What raised it.
    pub(crate) kind: Kind,
    /// Whether it fired or was resolved.
    pub(crate) condition: Condition,
    /// Azure's id of it; of an activity log alert or an older one, that of its rule.
    #[serde(rename = "alertId")]
    pub(crate) id: Option<String>,
    /// Name of the rule.
    pub(crate) rule: Option<String>,
    /// `Sev0` (critical) to `Sev4` (verbose).
    pub(crate) severity: Option<String>,
    /// When it fired.
    #[cfg_attr(test, schema(value_type = Option<String>, format = DateTime))]
    pub(crate) fired_at: Option<Timestamp>,
}

/// What raised an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AlertKind))]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Metric,
    Log,
    ActivityLog,
    ResourceHealth,
    ServiceHealth,
    Prometheus,
    SmartDetector,
    Budget,
    Other,
}

/// Whether an alert's condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AlertCondition))]
#[serde(rename_all = "camelCase")]
pub(crate) enum Condition {
    /// It holds; also where the body does not say.
    Fired,
    /// It holds no more.
    Resolved,
}

/// What a body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Understood {
    pub(crate) alert: Alert,
    /// What makes it the same alert when it comes again, beside its condition.
    identity: Vec<String>,
    pub(crate) candidates: Candidates,
}

impl Understood {
    /// The id that this alert always gets. The day it fired is part of it, where it says so and the clocks agree.
    pub(crate) fn id(&self, ids: &Ids, now: Timestamp) -> JobId {
        let day = SignedDuration::from_hours(24);
        let fired = self.alert.fired_at;
        let fired = fired.filter(|at| now.duration_since(*at).abs() < day);
        let condition = match self.alert.condition {
            Condition::Fired => "fired",
            Condition::Resolved => "resolved",
        };
        let mut words = vec!["alert", condition];
        words.extend(self.identity.iter().map(String::as_str));
        ids.derived(fired.unwrap_or(Timestamp::UNIX_EPOCH), &words)
    }
}

/// Reads the body of a webhook. `fixed` is the cluster that the address of the webhook names.
///
/// # Errors
/// Why it is not an alert, for whoever set up the webhook.
pub(crate) fn read(body: &[u8], fixed: Option<&str>) -> Result<Understood, &'static str> {
    let root = body::parse(body)?;
    let mut understood = match shape::of(&root)? {
        shape::Shape::Common => common::read(&root, fixed),
        shape::Shape::OlderMetric => older::metric(&root, fixed),
        shape::Shape::OlderActivity => older::activity(&root, fixed),
        shape::Shape::OlderLog => older::log(&root, fixed),
    };
    if understood.identity.is_empty() {
        // What is sent again is sent to the letter.
        let digest = digest(&SHA256, body);
        understood.identity.push(hex(digest.as_ref()));
    }
    Ok(understood)
}
