//! What travels through the queues.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::alerts::{Alert, Candidates};
use crate::cluster_id::ClusterId;
use crate::problem::{Code, Problem};

use super::ids::{JobId, cluster_key};

/// A queue takes 64 kB of base64.
pub(crate) const MAX_MESSAGE_BYTES: usize = 40 * 1024;

/// A queue that functions write to: its name is `egress-` and the binding's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Queue {
    /// Alerts to follow up.
    Alerts,
    /// Diagnoses to make.
    Diagnoses,
    /// Results to tell the configured webhook.
    Notifications,
}

impl Queue {
    /// Name of the output binding.
    pub(crate) const fn binding(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Diagnoses => "diagnoses",
            Self::Notifications => "notifications",
        }
    }
}

/// A message and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) queue: Queue,
    pub(crate) text: String,
}

impl Post {
    /// A diagnosis to make.
    pub(crate) fn diagnosis(job: &Job) -> Self {
        Self::new(Queue::Diagnoses, job)
    }

    /// An alert to follow up.
    pub(crate) fn alert(job: &AlertJob) -> Self {
        Self::new(Queue::Alerts, job)
    }

    /// A stored result to tell of.
    pub(crate) fn notification(notification: &Notification) -> Self {
        Self::new(Queue::Notifications, notification)
    }

    fn new(queue: Queue, message: &impl Serialize) -> Self {
        Self {
            queue,
            // Strings, times and maps with string keys: there is nothing in it that cannot be written.
            text: serde_json::to_string(message).unwrap_or_default(),
        }
    }
}

/// Reads a message; `what` says what it should be.
///
/// # Errors
/// A 400 for what is none of ours.
pub(crate) fn read<T: DeserializeOwned>(message: &Value, what: &str) -> Result<T, Problem> {
    let not_ours = |why: &str| {
        Problem::new(
            Code::InvalidRequest,
            format!("a message in the queue was not {what}"),
        )
        .log(format!("not a message of this app: {why}"))
    };
    if message.to_string().len() > MAX_MESSAGE_BYTES {
        return Err(not_ours("too large"));
    }
    // What serde says quotes values of a stranger's.
    T::deserialize(message).map_err(|_| not_ours("other fields"))
}

/// A diagnosis to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    /// Under which the result is stored; also a name in the paths of the function's blobs.
    pub(crate) id: JobId,
    /// Under which the cluster's last result is stored; the other name in those paths.
    pub(crate) cluster: String,
    /// Who asked.
    pub(crate) origin: Origin,
    /// When.
    pub(crate) asked_at: Timestamp,
    /// The request's fields, as the report's route takes them.
    pub(crate) request: Map<String, Value>,
}

impl Job {
    pub(crate) fn new(
        id: JobId,
        cluster: &ClusterId,
        origin: Origin,
        asked_at: Timestamp,
        mut request: Map<String, Value>,
    ) -> Self {
        // Each answer chooses its format.
        request.remove("format");
        request.insert("clusterId".to_owned(), cluster.as_str().into());
        Self {
            id,
            cluster: cluster_key(cluster),
            origin,
            asked_at,
            request,
        }
    }
}

/// An alert to follow up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertJob {
    /// Under which it is stored what the alert led to; also a name in the paths of the function's blobs.
    pub(crate) id: JobId,
    /// When it came.
    pub(crate) received_at: Timestamp,
    pub(crate) alert: Alert,
    pub(crate) candidates: Candidates,
}

/// Who asked for a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Origin {
    /// `POST /api/diagnoses`: whoever asked comes back for it.
    Caller,
    /// An alert.
    Alert,
    /// The sweep over all clusters.
    Sweep,
}

/// A stored result to tell of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// Under which it is stored.
    pub(crate) id: JobId,
    /// Under which it is kept what was told last: the cluster's name, or the alert's id; also a name in the paths of the
    /// function's blobs.
    pub(crate) about: String,
    /// What is told. The same about the same is told once, under whichever id it is stored.
    pub(crate) what: String,
}
