//! The seam between the outside (HTTP, command line) and the work: one request in, one diagnosis out.

use std::collections::BTreeSet;
use std::sync::Arc;

use egress_arm::ResourceId;
use egress_collect::Located;
use egress_diagnosis::facts::Facts;
use egress_diagnosis::report::Report;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::cluster_id::ClusterId;

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiagnosisRequest {
    /// The cluster.
    pub(crate) cluster: ClusterId,
    /// Length of the metrics window that ends now.
    pub(crate) window: SignedDuration,
    /// Whether the nodes are looked at closely whatever their metrics say.
    pub(crate) pressure: bool,
}

/// What one run gives. The facts stay with the report, so that a question about one destination needs no second
/// reading of Azure.
#[derive(Debug, Clone)]
pub(crate) struct Diagnosis {
    /// What was read.
    pub(crate) facts: Arc<Facts>,
    /// What it means.
    pub(crate) report: Arc<Report>,
}

/// The most clusters that one alert leads to.
pub(crate) const MOST_CLUSTERS: usize = 10;

/// What a cluster is searched by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sought {
    /// Resources that belong to the cluster or carry its traffic.
    pub(crate) resources: Vec<ResourceId>,
    /// Clusters of which only the name is known.
    pub(crate) names: Vec<Name>,
    /// Subscriptions in which it may be, beside those of the resources, in lower case.
    pub(crate) subscriptions: BTreeSet<String>,
}

/// A cluster's name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Name {
    /// The name.
    pub(crate) name: String,
    /// Its resource group, or its node resource group, where that is known too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
}

/// Called with one short line per step of the work.
pub(crate) type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// A progress callback for callers nobody watches.
pub(crate) fn silent() -> Progress {
    Arc::new(|_| {})
}

/// Makes diagnoses.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Reads the cluster and what belongs to it, and diagnoses it. Only a cluster that cannot be read is an error.
    fn diagnose(
        &self,
        request: DiagnosisRequest,
        progress: Progress,
    ) -> BoxFuture<'_, Result<Diagnosis, DiagnosisError>>;

    /// Lists the clusters that exist. What stands in the way is said in the list.
    fn list_clusters(&self, wanted: ClustersWanted) -> BoxFuture<'_, Located>;

    /// Finds the clusters that something may concern, [`MOST_CLUSTERS`] at most. What stands in the way is among the reasons.
    fn locate(&self, sought: Sought) -> BoxFuture<'_, Located>;
}

/// Which clusters are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClustersWanted {
    /// Those of these subscriptions, in lower case; empty = of all that may be asked.
    pub(crate) subscriptions: BTreeSet<String>,
    /// The only subscriptions that may be asked, in lower case; empty = all that the identity can read.
    pub(crate) allowed: BTreeSet<String>,
    /// The most clusters wanted.
    pub(crate) most: usize,
}

/// Why there is no report. Texts in here are for the log unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DiagnosisError {
    /// The subscription is not in `EGRESS_ALLOWED_SUBSCRIPTIONS`; Azure was not asked.
    #[error("subscription {0} is not in EGRESS_ALLOWED_SUBSCRIPTIONS")]
    ScopeNotAllowed(String),
    /// Azure says that the cluster does not exist.
    #[error("the cluster does not exist")]
    ClusterNotFound,
    /// Azure does not let the identity read the cluster.
    #[error("the identity lacks {action} on {scope}")]
    Forbidden {
        /// RBAC action.
        action: String,
        /// Scope it is missing on.
        scope: String,
    },
    /// No token could be had.
    #[error("no token: {0}")]
    IdentityFailed(String),
    /// The cluster's own read was throttled until the deadline.
    #[error("Azure throttled the read of the cluster: {0}")]
    Throttled(String),
    /// Azure could not be reached, did not answer in time, or answered nonsense on the cluster's own read.
    #[error("Azure could not be reached: {0}")]
    AzureUnreachable(String),
    /// As many reports as allowed are already being made.
    #[error("too many reports are being made")]
    Busy,
    /// A fault of this program.
    #[error("internal error: {0}")]
    Internal(String),
}
