//! What the queue functions for alerts do, whoever delivers the message.

use jiff::Timestamp;

use super::outcome::Outcome;
use crate::cluster_id::ClusterId;
use crate::engine::MOST_CLUSTERS;
use crate::http::App;
use crate::jobs::ids::{Ids, JobId};
use crate::jobs::messages::{self, AlertJob, Post};
use crate::jobs::stored::Stored;
use crate::jobs::telling;
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
        tracing::info!(id = %job.id, "delivered again; the same diagnoses are ordered");
        return Ok(again(app, &job.id, previous));
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
        posts: posts(app, &job.id, &outcome),
    })
}

/// The orders for its diagnoses; where there is none, the message for who should know that.
fn posts(app: &App, id: &JobId, outcome: &Outcome) -> Vec<Post> {
    let mut posts = outcome.posts();
    if outcome.is_nothing() {
        posts.extend(telling::of_alert(app, id));
    }
    posts
}

/// What was stored may have been all that got out of here before. Who gets an order twice does nothing.
fn again(app: &App, id: &JobId, previous: &str) -> Done {
    let outcome = Outcome::read(previous);
    Done {
        blobs: Vec::new(),
        posts: outcome.map_or_else(Vec::new, |outcome| posts(app, id, &outcome)),
    }
}

/// Stores that an alert was given up, whatever the message was; what is stored already stays. `id` is the name under which it
/// is stored.
///
/// # Errors
/// None but a fault of this program.
pub(crate) fn give_up(app: &App, given: &Given, id: &str) -> Result<Done, Problem> {
    let job = messages::read::<AlertJob>(&given.message, WANTED);
    if let Some(previous) = &given.previous {
        tracing::warn!(id, "alert given up, but what it led to is stored already");
        let done = job.map(|job| again(app, &job.id, previous));
        return Ok(done.unwrap_or_default());
    }
    let post = job.as_ref().ok();
    let post = post.and_then(|job| telling::of_alert(app, &job.id));
    let problem = match job {
        Ok(job) => {
            let rule = job.alert.rule.unwrap_or_default();
            let text = format!(
                "which cluster the alert {rule:?} is about was looked for several times and could not be read each time; the app's log says why under this id"
            );
            Problem::new(Code::DiagnosisFailed, text)
        }
        Err(problem) => problem,
    };
    tracing::error!(id, "alert given up");
    let stored = Stored::given_up(id, None, Timestamp::now(), &problem);
    let text = stored.write().map_err(|error| {
        Problem::new(Code::InternalError, "the failure could not be written").log(error.to_string())
    })?;
    Ok(Done {
        blobs: vec![("result", text)],
        posts: post.into_iter().collect(),
    })
}

/// The id of the diagnosis that an alert asks for of a cluster.
fn child(ids: &Ids, alert: &JobId, cluster: &ClusterId) -> JobId {
    let since = alert.issued().unwrap_or(Timestamp::UNIX_EPOCH);
    let cluster = cluster.as_str().to_ascii_lowercase();
    ids.derived(since, &["cluster", alert.as_str(), &cluster])
}
