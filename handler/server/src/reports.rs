//! Who gets a diagnosis, and who shares one: the allow-list, the short cache, single flight and the limit on runs.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egress_collect::Located;
use egress_diagnosis::report::Report;
use futures::FutureExt;
use jiff::SignedDuration;
use moka::Expiry;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::cluster_id::ClusterId;
use crate::engine::{
    ClustersWanted, Diagnosis, DiagnosisError, DiagnosisRequest, Engine, Progress, Sought,
};

/// Diagnoses kept at most; with its facts each is some hundreds of kilobytes, more only with thousands of firewall rules.
const CACHED_REPORTS: u64 = 64;
/// Searches for clusters kept at most; each is a few kilobytes.
const CACHED_SEARCHES: u64 = 256;

/// Limits and scope for one [`Reports`].
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// How long a report may be shared with later callers; zero = not at all.
    pub(crate) cache: Duration,
    /// Runs at the same time.
    pub(crate) concurrent_runs: usize,
    /// Subscriptions that may be asked about, in lower case; empty = all.
    pub(crate) allowed_subscriptions: BTreeSet<String>,
}

/// Two requests with equal keys may share one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    cluster: String,
    window: SignedDuration,
    pressure: bool,
}

type Outcome = Result<Diagnosis, DiagnosisError>;

/// Hands out diagnoses.
#[derive(Clone)]
pub(crate) struct Reports {
    engine: Arc<dyn Engine>,
    cache: Cache<Key, Outcome>,
    searches: Cache<Sought, Located>,
    runs: Arc<Semaphore>,
    allowed_subscriptions: Arc<BTreeSet<String>>,
}

impl Reports {
    pub(crate) fn new(engine: Arc<dyn Engine>, policy: Policy) -> Self {
        Self {
            engine,
            cache: Cache::builder()
                .max_capacity(CACHED_REPORTS)
                .expire_after(SuccessOnly(policy.cache))
                .build(),
            searches: Cache::builder()
                .max_capacity(CACHED_SEARCHES)
                .expire_after(SettledOnly(policy.cache))
                .build(),
            runs: Arc::new(Semaphore::new(policy.concurrent_runs)),
            allowed_subscriptions: Arc::new(policy.allowed_subscriptions),
        }
    }

    /// The diagnosis for `request`. Equal requests that overlap share one run; a later one within the cache's time gets
    /// the same one unless it wants a `fresh` one. Errors are shared by those who wait, and never kept.
    pub(crate) async fn get(
        &self,
        request: DiagnosisRequest,
        fresh: bool,
        progress: Progress,
    ) -> Outcome {
        self.check_scope(&request.cluster)?;
        let reports = self.clone();
        // In a task of its own: a caller that hangs up must not take the run away from the others.
        let run = async move { reports.run_or_share(request, fresh, progress).await };
        tokio::spawn(run.in_current_span())
            .await
            .unwrap_or_else(|stopped| Err(DiagnosisError::Internal(stopped.to_string())))
    }

    /// The only subscriptions that may be looked into, in lower case; empty = all.
    pub(crate) fn allowed_subscriptions(&self) -> &BTreeSet<String> {
        &self.allowed_subscriptions
    }

    /// Lists the clusters of these subscriptions, or of all; only of those that may be looked into.
    pub(crate) async fn list_clusters(
        &self,
        subscriptions: BTreeSet<String>,
        most: usize,
    ) -> Located {
        let wanted = ClustersWanted {
            subscriptions,
            allowed: BTreeSet::clone(&self.allowed_subscriptions),
            most,
        };
        self.engine.list_clusters(wanted).await
    }

    /// Whether the cluster may be asked about; Azure is not asked.
    pub(crate) fn check_scope(&self, cluster: &ClusterId) -> Result<(), DiagnosisError> {
        let subscription = cluster.subscription().to_ascii_lowercase();
        if self.is_allowed(&subscription) {
            return Ok(());
        }
        Err(DiagnosisError::ScopeNotAllowed(subscription))
    }

    /// Whether a subscription, in lower case, may be asked about.
    pub(crate) fn is_allowed(&self, subscription: &str) -> bool {
        self.allowed_subscriptions.is_empty() || self.allowed_subscriptions.contains(subscription)
    }

    /// The clusters that something may concern. Equal searches share one within the cache's time: alerts come in bursts.
    pub(crate) async fn locate(&self, sought: Sought) -> Located {
        let engine = self.engine.clone();
        let search = engine.locate(sought.clone());
        self.searches
            .entry(sought)
            .or_insert_with(search)
            .await
            .into_value()
    }

    async fn run_or_share(
        &self,
        request: DiagnosisRequest,
        fresh: bool,
        progress: Progress,
    ) -> Outcome {
        let key = Key {
            cluster: request.cluster.as_str().to_ascii_lowercase(),
            window: request.window,
            pressure: request.pressure,
        };
        let entry = self
            .cache
            .entry(key)
            .or_insert_with_if(self.run(request, progress), |_| fresh)
            .await;
        let is_ours = entry.is_fresh();
        let made = entry.into_value()?;
        if is_ours {
            return Ok(made);
        }
        let mut report = Report::clone(&made.report);
        report.stats.cached = true;
        Ok(Diagnosis {
            report: Arc::new(report),
            ..made
        })
    }

    async fn run(&self, request: DiagnosisRequest, progress: Progress) -> Outcome {
        let Ok(_permit) = self.runs.try_acquire() else {
            return Err(DiagnosisError::Busy);
        };
        let run = async { self.engine.diagnose(request, progress).await };
        AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(DiagnosisError::Internal("the run panicked".to_owned())))
    }
}

/// Keeps searches for the cache's time, and those that something passing stood in the way of not at all.
struct SettledOnly(Duration);

impl Expiry<Sought, Located> for SettledOnly {
    fn expire_after_create(&self, _: &Sought, found: &Located, _: Instant) -> Option<Duration> {
        Some(if found.passing {
            Duration::ZERO
        } else {
            self.0
        })
    }
}

/// Keeps diagnoses for the cache's time and errors not at all.
struct SuccessOnly(Duration);

impl SuccessOnly {
    fn keep(&self, outcome: &Outcome) -> Duration {
        if outcome.is_ok() {
            self.0
        } else {
            Duration::ZERO
        }
    }
}

impl Expiry<Key, Outcome> for SuccessOnly {
    fn expire_after_create(&self, _: &Key, outcome: &Outcome, _: Instant) -> Option<Duration> {
        Some(self.keep(outcome))
    }

    fn expire_after_update(
        &self,
        _: &Key,
        outcome: &Outcome,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.keep(outcome))
    }
}
