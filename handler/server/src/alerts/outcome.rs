//! What an alert led to: stored under the alert's id, and given to who asks for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Alert;
use crate::cluster_id::{self, ClusterId};
use crate::jobs::ids::JobId;
use crate::jobs::messages::{AlertJob, Job, Origin, Post};

/// What an alert led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    id: JobId,
    alert: Alert,
    received_at: Timestamp,
    finished_at: Timestamp,
    /// One for each cluster.
    diagnoses: Vec<Child>,
    left_out: usize,
    reasons: Vec<String>,
}

/// A diagnosis that an alert led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Child {
    id: JobId,
    cluster_id: String,
}

/// The answer about an alert.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AlertOutcome))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told<'a> {
    /// The alert's, here.
    id: &'a str,
    /// `located`, or `noCluster`: then the reasons say why.
    status: &'static str,
    /// What the alert said.
    alert: &'a Alert,
    /// When it came.
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    received_at: Timestamp,
    /// When its clusters were known.
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    finished_at: Timestamp,
    /// One for each cluster.
    diagnoses: Vec<ToldChild<'a>>,
    /// How many clusters more it may concern: they are too many to diagnose for one alert.
    left_out: usize,
    /// What stood in the way of finding clusters.
    reasons: &'a [String],
}

/// A diagnosis that an alert led to.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AlertDiagnosis))]
#[serde(rename_all = "camelCase")]
struct ToldChild<'a> {
    /// Fetches the result.
    id: &'a str,
    /// The cluster.
    cluster_id: &'a str,
    /// Where the result is, or will be.
    location: String,
}

impl Outcome {
    /// Of these clusters. The ids of their diagnoses follow from the alert's, so that the same alert never asks for another.
    pub(super) fn new(
        job: &AlertJob,
        finished_at: Timestamp,
        clusters: &[ClusterId],
        child: impl Fn(&ClusterId) -> JobId,
    ) -> Self {
        let diagnoses = clusters.iter().map(|cluster| Child {
            id: child(cluster),
            cluster_id: cluster.as_str().to_owned(),
        });
        Self {
            id: job.id.clone(),
            alert: job.alert.clone(),
            received_at: job.received_at,
            finished_at,
            diagnoses: diagnoses.collect(),
            left_out: 0,
            reasons: Vec::new(),
        }
    }

    pub(super) fn because(mut self, left_out: usize, reasons: Vec<String>) -> Self {
        self.left_out = left_out;
        self.reasons = reasons;
        self
    }

    /// What was stored; `None` for anything else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is stored: a JSON object.
    pub(super) fn write(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The orders for its diagnoses.
    pub(super) fn posts(&self) -> Vec<Post> {
        let orders = self.diagnoses.iter().filter_map(|child| {
            let cluster = cluster_id::parse(&child.cluster_id).ok()?;
            let request = serde_json::Map::new();
            let (id, at) = (child.id.clone(), self.received_at);
            Some(Post::diagnosis(&Job::new(
                id,
                &cluster,
                Origin::Alert,
                at,
                request,
            )))
        });
        orders.collect()
    }

    /// Whether it led to no diagnosis.
    pub(super) fn is_nothing(&self) -> bool {
        self.diagnoses.is_empty()
    }

    /// Name of the alert's rule.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.alert.rule.as_deref()
    }

    /// What stood in the way of finding clusters.
    pub(crate) fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// For the log.
    pub(super) fn write_log(&self) {
        tracing::info!(
            id = %self.id,
            alert_id = self.alert.id,
            rule = self.alert.rule,
            diagnoses = self.diagnoses.len(),
            left_out = self.left_out,
            "alert followed up: {}",
            if self.reasons.is_empty() { "all read".to_owned() } else { self.reasons.join("; ") },
        );
    }

    /// For who asks; `location` says where the result with an id is.
    pub(crate) fn told(&self, location: impl Fn(&JobId) -> String) -> Told<'_> {
        let diagnoses = self.diagnoses.iter().map(|child| ToldChild {
            id: child.id.as_str(),
            cluster_id: &child.cluster_id,
            location: location(&child.id),
        });
        Told {
            id: self.id.as_str(),
            status: if self.diagnoses.is_empty() {
                "noCluster"
            } else {
                "located"
            },
            alert: &self.alert,
            received_at: self.received_at,
            finished_at: self.finished_at,
            diagnoses: diagnoses.collect(),
            left_out: self.left_out,
            reasons: &self.reasons,
        }
    }
}
