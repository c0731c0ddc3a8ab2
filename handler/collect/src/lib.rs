//! Decides what to read for a cluster, in which waves, and turns Azure's answers into facts.
//!
//! Reading is a fixed plan: see the table in `plan`. A datum that could not be read says how; only the
//! cluster itself is indispensable.

mod addresses;
mod admin_rules;
mod batch;
mod changes;
mod convert;
mod hops;
mod locate;
mod metrics;
mod networks;
mod outcome;
mod plan;
mod pressure;
mod reader;
mod tags;

use std::fmt;
use std::sync::Arc;

use egress_arm::{ArmError, Client, ResourceId, Stats};
use egress_diagnosis::facts::{Facts, Window};
use jiff::Timestamp;
use tokio::time::Instant;

pub use locate::{ClusterName, Listing, Located, Search, list_clusters, locate};

/// What to collect.
#[derive(Clone)]
pub struct Request {
    /// The managed cluster.
    pub cluster: ResourceId,
    /// The metrics window.
    pub window: Window,
    /// The time of asking, for the facts; metric points after it are left out.
    pub asked_at: Timestamp,
    /// Whether the nodes are to be looked at closely whatever their metrics say.
    pub pressure: bool,
    /// When collecting ends: what is not there by then has timed out.
    pub deadline: Instant,
    /// Told before and after every call.
    pub progress: Option<Arc<OnProgress>>,
}

/// A listener to progress. It is called on the collecting task and should return at once.
pub type OnProgress = dyn Fn(Progress) + Send + Sync;

/// How far collecting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The wave that the call belongs to, from 1.
    pub wave: usize,
    /// How many waves are expected; may grow.
    pub waves: usize,
    /// The operation's name, e.g. `LOAD_BALANCERS_LIST`.
    pub what: &'static str,
    /// Calls that have ended.
    pub done: usize,
    /// Calls that have begun; grows from wave to wave.
    pub total: usize,
}

/// What was collected.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// The facts.
    pub facts: Facts,
    /// What they cost.
    pub stats: Stats,
}

/// Reads everything a report on `request.cluster` needs. Returns at `request.deadline` at the latest.
///
/// # Errors
/// [`ArmError`] when the cluster itself could not be read. Whatever else is missing is said in the facts.
pub async fn collect(client: &Client, request: &Request) -> Result<Collected, ArmError> {
    let session = client.session(request.deadline);
    let shared = reader::Shared::new(&session, request, client.endpoints().cloud());
    let mut facts = plan::facts(shared.first_wave(), request).await?;
    facts.activity_logs = changes::read(shared.after_all(), &facts).await;
    Ok(Collected {
        facts,
        stats: session.stats(),
    })
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("cluster", &self.cluster)
            .field("window", &self.window)
            .field("asked_at", &self.asked_at)
            .field("pressure", &self.pressure)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
