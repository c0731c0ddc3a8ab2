//! The overview: stored rows, filtered, worst first, one page of them.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use egress_arm::{ArmError, Failure};
use egress_diagnosis::report::{Gap, GapCause, Needs, Severity, Status};
use jiff::Timestamp;
use serde::Serialize;

use crate::jobs::ids::hex;

use super::row::Row;
use super::rows::Stored;

/// Names that a gap spells out.
const NAMES: usize = 5;

/// Which rows, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Subscriptions in lower case; empty = all.
    pub(crate) subscriptions: BTreeSet<String>,
    /// Statuses; empty = all.
    pub(crate) statuses: Vec<Status>,
    /// Rows of a page.
    pub(crate) top: usize,
    /// After which row the page begins.
    pub(crate) after: Option<Key>,
}

/// One page of the overview.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fleet {
    /// When this overview was made (RFC 3339, UTC).
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    pub(crate) generated_at: Timestamp,
    /// Clusters that match, on all pages.
    pub(crate) total: usize,
    /// How many of the subscriptions' clusters have which status, whatever status was asked for.
    pub(crate) counts: Counts,
    /// This page's clusters, worst first.
    pub(crate) clusters: Vec<FleetRow>,
    /// What could not be read, and what was left out.
    pub(crate) gaps: Vec<Gap>,
    /// What to ask the next page with; null on the last.
    pub(crate) continuation: Option<String>,
    /// The next page's address; null on the last.
    pub(crate) next_link: Option<String>,
}

/// Clusters by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = FleetCounts))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Egress is stopped for a pool or a required endpoint.
    pub(crate) blocked: usize,
    /// Something is wrong that does not stop egress.
    pub(crate) degraded: usize,
    /// Could not be judged, or not be diagnosed.
    pub(crate) unknown: usize,
    /// Medium or low findings only.
    pub(crate) at_risk: usize,
    /// Nothing wrong.
    pub(crate) healthy: usize,
}

/// A cluster's row and how old it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct FleetRow {
    /// The row as it was stored.
    #[serde(flatten)]
    pub(crate) row: Row,
    /// Age of the result in seconds.
    pub(crate) age_seconds: u64,
}

/// A row's place: worst first, then by SNAT utilisation, then by name; unique by the id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    status: u8,
    severity: Reverse<u8>,
    /// Bits of a number that is not negative, which are in the number's own order.
    utilization: Reverse<u64>,
    name: String,
    id: String,
}

impl Key {
    fn of(row: &Row) -> Self {
        let severity = row
            .worst_finding
            .as_ref()
            .map(|f| severity_rank(f.severity));
        let peak = row.snat_utilization_peak;
        Self {
            status: status_rank(row.status),
            severity: Reverse(severity.unwrap_or(0)),
            // Not known is below zero.
            utilization: Reverse(peak.map_or(0, |peak| peak.abs().to_bits() + 1)),
            name: row.name.to_ascii_lowercase(),
            id: row.cluster_id.to_ascii_lowercase(),
        }
    }

    /// The key in letters that can stand in a URL.
    fn write(&self) -> String {
        let (severity, utilization) = (self.severity.0, self.utilization.0);
        let id = hex(self.id.as_bytes());
        format!("{:x}{severity:x}{utilization:016x}{id}", self.status)
    }

    /// What [`Self::write`] wrote.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let status = u8::from_str_radix(text.get(..1)?, 16).ok()?;
        let severity = u8::from_str_radix(text.get(1..2)?, 16).ok()?;
        let utilization = u64::from_str_radix(text.get(2..18)?, 16).ok()?;
        let letters = text.get(18..)?;
        let bytes: Option<Vec<u8>> = (0..letters.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(letters.get(at..at + 2)?, 16).ok())
            .collect();
        let id = crate::cluster_id::parse(&String::from_utf8(bytes?).ok()?).ok()?;
        Some(Self {
            status,
            severity: Reverse(severity),
            utilization: Reverse(utilization),
            name: id.name().to_ascii_lowercase(),
            id: id.as_str().to_ascii_lowercase(),
        })
    }
}

/// What cannot be judged may be anything, and stands before what is known to be no more than a risk.
fn status_rank(status: Status) -> u8 {
    match status {
        Status::Blocked => 0,
        Status::Degraded => 1,
        Status::Unknown => 2,
        Status::AtRisk => 3,
        Status::Healthy => 4,
    }
}

fn severity_rank(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

impl Fleet {
    /// The page that is `wanted` of what is stored. Clusters of subscriptions that are not `allowed` (empty: all are) are
    /// not shown, not even as a number.
    pub(crate) fn of(
        stored: Stored,
        wanted: &Wanted,
        allowed: &BTreeSet<String>,
        now: Timestamp,
    ) -> Self {
        let gaps = gaps(&stored);
        let is_in = |set: &BTreeSet<String>, row: &Row| {
            set.is_empty() || set.contains(&row.subscription_id.to_ascii_lowercase())
        };
        let mut rows: Vec<(Key, Arc<Row>)> = stored
            .rows
            .into_iter()
            .filter(|row| is_in(allowed, row) && is_in(&wanted.subscriptions, row))
            .map(|row| (Key::of(&row), row))
            .collect();
        let counts = Counts::of(rows.iter().map(|(_, row)| row.status));
        rows.retain(|(_, row)| wanted.statuses.is_empty() || wanted.statuses.contains(&row.status));
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let total = rows.len();
        rows.retain(|(key, _)| wanted.after.as_ref().is_none_or(|after| key > after));
        let more = rows.len() > wanted.top;
        rows.truncate(wanted.top);
        let last = rows.last().map(|(key, _)| key.write());
        Self {
            generated_at: now,
            total,
            counts,
            clusters: rows.iter().map(|(_, row)| FleetRow::of(row, now)).collect(),
            gaps,
            continuation: last.filter(|_| more),
            next_link: None,
        }
    }
}

impl Counts {
    fn of(statuses: impl Iterator<Item = Status>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            *match status {
                Status::Blocked => &mut counts.blocked,
                Status::Degraded => &mut counts.degraded,
                Status::Unknown => &mut counts.unknown,
                Status::AtRisk => &mut counts.at_risk,
                Status::Healthy => &mut counts.healthy,
            } += 1;
        }
        counts
    }
}

impl FleetRow {
    fn of(row: &Row, now: Timestamp) -> Self {
        let age = now.duration_since(row.generated_at).as_secs();
        Self {
            row: row.clone(),
            // A clock that is ahead makes nothing younger than new.
            age_seconds: age.try_into().unwrap_or(0),
        }
    }
}

fn gaps(stored: &Stored) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if stored.never_written {
        gaps.push(gap(
            "no diagnosis has been stored yet".to_owned(),
            GapCause::NotFound,
        ));
    }
    if stored.without_storage {
        gaps.push(gap(
            "stored results cannot be read: neither AzureWebJobsStorage__accountName nor AzureWebJobsStorage__blobServiceUri is set"
                .to_owned(),
            GapCause::NotAsked,
        ));
    }
    if stored.more {
        let text = format!("only {} rows were read", stored.rows.len());
        gaps.push(gap(text, GapCause::NotAsked));
    }
    if !stored.malformed.is_empty() {
        let names = stored.malformed.iter().map(String::as_str);
        let text = format!("stored blobs that are no rows: {}", some(names));
        gaps.push(gap(text, GapCause::Malformed));
    }
    if let Some((_, error)) = stored.unread.first() {
        let names = stored.unread.iter().map(|(name, _)| name.as_str());
        gaps.push(Gap {
            http_status: error.http_status(),
            needs: needs(error),
            ..gap(
                format!("rows that could not be read: {}", some(names)),
                cause(error.failure()),
            )
        });
    }
    gaps
}

fn gap(what: String, cause: GapCause) -> Gap {
    Gap {
        what,
        cause,
        http_status: None,
        error_code: None,
        needs: None,
        checks: Vec::new(),
    }
}

/// How many there are, and the first names, as much of each as is readable.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let first: Vec<String> = names
        .take(NAMES)
        .map(|name| name.chars().take(80).collect::<String>())
        .map(|name| format!("{name:?}"))
        .collect();
    let more = if count > NAMES { ", …" } else { "" };
    format!("{count} ({}{more})", first.join(", "))
}

fn needs(error: &ArmError) -> Option<Needs> {
    let Failure::Forbidden { action, scope } = error.failure() else {
        return None;
    };
    Some(Needs {
        action: action.clone()?,
        scope: scope.clone(),
    })
}

fn cause(failure: &Failure) -> GapCause {
    match failure {
        Failure::Forbidden { .. } | Failure::IdentityFailed => GapCause::Forbidden,
        Failure::NotFound { .. } => GapCause::NotFound,
        Failure::Throttled { .. } => GapCause::Throttled,
        Failure::TimedOut => GapCause::TimedOut,
        Failure::BadRequest { .. } => GapCause::Unsupported,
        Failure::Unreachable => GapCause::Unreachable,
        _ => GapCause::Malformed,
    }
}
