//! The stored rows, read from the storage account that the Functions host keeps its own state in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use egress_arm::{ArmError, BlobItem, Blobs, Failure};
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::cluster_id;
use crate::jobs::ids::cluster_key;
use crate::problem::{Code, Problem};

use super::row::Row;

/// Where the `diagnose` function puts one blob per cluster.
const CONTAINER: &str = "egress-fleet";
/// Rows that are read; more clusters than any overview has.
const MOST_ROWS: usize = 5000;
/// Largest row that is read.
const MOST_BYTES: usize = 16 * 1024;
/// Blobs read at the same time.
const CONCURRENT: usize = 32;

/// Where the rows are.
#[derive(Debug)]
pub(crate) enum Rows {
    /// In the storage account of the Functions host.
    Blobs(BlobRows),
    /// Not to be read: no storage account is configured with an identity.
    Nowhere,
}

impl Rows {
    /// Reads all rows.
    ///
    /// # Errors
    /// [`ArmError`] when the rows cannot be listed.
    pub(crate) async fn read(&self, deadline: Instant) -> Result<Stored, ArmError> {
        match self {
            Self::Blobs(blobs) => blobs.read(deadline).await,
            Self::Nowhere => Ok(Stored {
                without_storage: true,
                ..Stored::default()
            }),
        }
    }
}

impl Stored {
    /// Rows that this process keeps itself.
    pub(crate) fn of_texts(texts: &[Arc<str>]) -> Self {
        let rows = texts.iter().filter_map(|text| row(text.as_bytes()));
        Self {
            rows: rows.map(Arc::new).collect(),
            never_written: texts.is_empty(),
            ..Self::default()
        }
    }
}

/// What is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// The rows, in no order.
    pub(crate) rows: Vec<Arc<Row>>,
    /// Names of blobs that are no rows of ours.
    pub(crate) malformed: Vec<String>,
    /// Rows that could not be read: the name and why.
    pub(crate) unread: Vec<(String, ArmError)>,
    /// Whether there are more rows than are read.
    pub(crate) more: bool,
    /// Whether nothing was ever stored.
    pub(crate) never_written: bool,
    /// Whether there is no storage account that could be read.
    pub(crate) without_storage: bool,
}

/// Reads the rows, and keeps those that have not changed since.
#[derive(Debug)]
pub(crate) struct BlobRows {
    blobs: Blobs,
    known: Mutex<HashMap<String, Kept>>,
}

/// A blob as it was read; without a row it is none of ours.
#[derive(Debug, Clone)]
struct Kept {
    etag: String,
    row: Option<Arc<Row>>,
}

impl BlobRows {
    pub(crate) fn new(blobs: Blobs) -> Self {
        Self {
            blobs,
            known: Mutex::default(),
        }
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// [`ArmError`] when the rows cannot be listed. A container that does not exist has no rows.
    pub(crate) async fn read(&self, deadline: Instant) -> Result<Stored, ArmError> {
        let listed = match self.blobs.list(CONTAINER, MOST_ROWS, deadline).await {
            Ok(listed) => listed,
            Err(error) if matches!(error.failure(), Failure::NotFound { .. }) => {
                return Ok(Stored {
                    never_written: true,
                    ..Stored::default()
                });
            }
            Err(error) => return Err(error),
        };
        let mut stored = Stored {
            more: listed.more,
            ..Stored::default()
        };
        let before = std::mem::take(&mut *self.lock());
        let reads = listed.blobs.into_iter().map(|blob| {
            let kept = before
                .get(&blob.name)
                .filter(|kept| kept.is(&blob))
                .cloned();
            self.one(blob, kept, deadline)
        });
        let mut reads = stream::iter(reads).buffer_unordered(CONCURRENT);
        let mut known = HashMap::new();
        while let Some((name, read)) = reads.next().await {
            match read {
                Ok(kept) => {
                    match &kept.row {
                        Some(row) => stored.rows.push(Arc::clone(row)),
                        None => stored.malformed.push(name.clone()),
                    }
                    known.insert(name, kept);
                }
                // Deleted since it was listed.
                Err(error) if matches!(error.failure(), Failure::NotFound { .. }) => {}
                Err(error) => stored.unread.push((name, error)),
            }
        }
        *self.lock() = known;
        stored.malformed.sort();
        Ok(stored)
    }

    async fn one(
        &self,
        blob: BlobItem,
        kept: Option<Kept>,
        deadline: Instant,
    ) -> (String, Result<Kept, ArmError>) {
        if let Some(kept) = kept {
            return (blob.name, Ok(kept));
        }
        if !is_a_rows_name(&blob.name) {
            let none = Kept {
                etag: blob.etag,
                row: None,
            };
            return (blob.name, Ok(none));
        }
        let body = self.blobs.get(CONTAINER, &blob.name, MOST_BYTES, deadline);
        let read = body.await.map(|body| Kept {
            etag: blob.etag,
            row: row_named(&blob.name, &body).map(Arc::new),
        });
        (blob.name, read)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is(&self, blob: &BlobItem) -> bool {
        !blob.etag.is_empty() && self.etag == blob.etag
    }
}

/// Why the stored rows could not be read, for a caller.
pub(crate) fn unreadable(error: &ArmError) -> Problem {
    let problem = match error.failure() {
        Failure::Forbidden { action, .. } => {
            let action = action.clone().unwrap_or_default();
            Problem::new(
                Code::AzureForbidden,
                "the app's identity may not read the stored results",
            )
            .needs(action, "the app's storage account".to_owned())
        }
        Failure::IdentityFailed => Problem::new(
            Code::IdentityFailed,
            "the app's identity could not get a token for its storage; the app's log says why",
        ),
        _ => Problem::new(
            Code::AzureUnreachable,
            "the stored results could not be read from the app's storage",
        ),
    };
    problem.log(error.detail())
}

/// `{hash}.json`, as rows are called.
fn is_a_rows_name(name: &str) -> bool {
    let stem = name.strip_suffix(".json").unwrap_or_default();
    (1..=128).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The row in a blob of this name, which says which cluster it is about.
fn row_named(name: &str, body: &[u8]) -> Option<Row> {
    let row = row(body)?;
    let cluster = cluster_id::parse(&row.cluster_id).ok()?;
    (name.strip_suffix(".json")? == cluster_key(&cluster)).then_some(row)
}

/// The row in a blob; `None` for what is none. What a row says of the cluster's subscription, name and group must be what
/// its id says.
fn row(body: &[u8]) -> Option<Row> {
    let mut row: Row = serde_json::from_slice(body).ok()?;
    let id = cluster_id::parse(&row.cluster_id).ok()?;
    let share = |share: &f64| share.is_finite() && *share >= 0.0;
    if !row.snat_utilization_peak.as_ref().is_none_or(share) {
        return None;
    }
    id.subscription().clone_into(&mut row.subscription_id);
    id.resource_group()?.clone_into(&mut row.resource_group);
    id.name().clone_into(&mut row.name);
    Some(row)
}
