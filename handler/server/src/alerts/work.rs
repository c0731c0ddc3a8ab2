//! What the queue functions for alerts do, whoever delivers the message.

use jiff::Timestamp;
use serde_json::Value;

use super::outcome::Outcome;
use crate::cluster_id::ClusterId;
use crate::engine::MOST_CLUSTERS;
use crate::http::App;
use crate::jobs::ids::{Ids, JobId};
use crate::jobs::messages::{self, AlertJob};
use crate::jobs::stored::Stored;
use crate::jobs::work::{Done, Given};
use crate::problem::{Code, Problem};

/// What a message of this queue is.
const WANTED: &str = "an alert to follow up";

/// Finds the clusters that an alert is about, and orders one diagnosis for each.
///
/// # Errors
/// What another try may mend: Azure could not be asked, and nothing was found.
pub(crate) async fn follow(app: &App, given: &Given) -> Result<Done, Problem> {
    let job: AlertJob = messages::read(&given.message, WANTED)?;
    if let Some(previous) = &given.previous {
        // What was stored may have been all that got out of here before. Who gets an order twice does nothing.
        let posts = Outcome::read(previous).map(|previous| previous.posts());
        tracing::info!(id = %job.id, "delivered again; the same diagnoses are ordered");
        return Ok(Done {
            blobs: Vec::new(),
            posts: posts.unwrap_or_default(),
        });
    }
    let ids = &app.jobs()?.ids;
    let candidates = &job.candidates;
    let mut reasons = candidates.notes.clone();
    let (clusters, left_out) = if candidates.clusters.is_empty() {
        let found = app.reports()?.locate(candidates.sought()).await;
        if found.clusters.is_empty() && found.passing {
            let text = "Azure could not be asked which cluster the alert is about";
            return Err(Problem::new(Code::AzureUnreachable, text).log(found.reasons.join("; ")));
        }
        reasons.extend(found.reasons);
        (found.clusters, found.left_out)
    } else {
        let named = candidates.clusters.iter().take(MOST_CLUSTERS);
        (named.cloned().collect(), candidates.left_out)
    };
    if left_out > 0 {
        reasons.push(format!(
            "{left_out} more clusters are concerned; one alert leads to {MOST_CLUSTERS} diagnoses at most"
        ));
    }
    let outcome = Outcome::new(&job, Timestamp::now(), &clusters, |cluster| {
        child(ids, &job.id, cluster)
    });
    let outcome = outcome.because(left_out, reasons);
    outcome.write_log();
    let text = outcome.write().map_err(|error| {
        Problem::new(Code::InternalError, "the outcome could not be written").log(error.to_string())
    })?;
    Ok(Done {
        blobs: vec![("result", text)],
        posts: outcome.posts(),
    })
}

/// Stores that an alert was given up, whatever the message was. `id` is the name under which it is stored.
///
/// # Errors
/// None but a fault of this program.
pub(crate) fn give_up(message: &Value, id: &str) -> Result<Done, Problem> {
    let problem = match messages::read::<AlertJob>(message, WANTED) {
        Ok(_) => Problem::new(
            Code::DiagnosisFailed,
            "which cluster the alert is about was looked for several times and could not be read each time; the app's log says why under this id",
        ),
        Err(problem) => problem,
    };
    tracing::error!(id, "alert given up");
    let stored = Stored::given_up(id, None, Timestamp::now(), &problem);
    let text = stored.write().map_err(|error| {
        Problem::new(Code::InternalError, "the failure could not be written").log(error.to_string())
    })?;
    Ok(Done {
        blobs: vec![("result", text)],
        posts: Vec::new(),
    })
}

/// The id of the diagnosis that an alert asks for of a cluster.
fn child(ids: &Ids, alert: &JobId, cluster: &ClusterId) -> JobId {
    let since = alert.issued().unwrap_or(Timestamp::UNIX_EPOCH);
    let cluster = cluster.as_str().to_ascii_lowercase();
    ids.derived(since, &["cluster", alert.as_str(), &cluster])
}
