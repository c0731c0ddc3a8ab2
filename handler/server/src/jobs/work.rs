//! What the queue functions do, whoever delivers the message: the Functions host or this process.

use std::sync::Arc;

use egress_diagnosis::rank_for;
use egress_diagnosis::report::Status;
use egress_diagnosis::trace::{Trace, trace};
use jiff::Timestamp;
use serde_json::Value;

use crate::engine::{self, Diagnosis, DiagnosisError};
use crate::fleet::row::{Failure, Row};
use crate::http::{App, Parameters, write};
use crate::problem::{Code, Problem};

use super::messages::{self, Job, Origin, Post};
use super::stored::{Stored, Written};

/// What a message of this queue is.
const WANTED: &str = "a diagnosis to make";

/// A message and what is stored already.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) message: Value,
    /// The result under the message's id.
    pub(crate) previous: Option<String>,
    /// The cluster's last result.
    pub(crate) latest: Option<String>,
}

/// What a function leaves: blobs by output binding, and messages.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) blobs: Vec<(&'static str, String)>,
    pub(crate) posts: Vec<Post>,
}

/// Makes one diagnosis, once however often its message comes.
///
/// # Errors
/// What another try may mend; all else becomes a stored failure.
pub(crate) async fn diagnose(app: &App, given: &Given) -> Result<Done, Problem> {
    let job: Job = messages::read(&given.message, WANTED)?;
    if given.previous.is_some() {
        tracing::info!(id = %job.id, "delivered again; its result is stored already");
        return Ok(Done::default());
    }
    let now = Timestamp::now();
    let parameters = match Parameters::of_map(&job.request) {
        Ok(parameters) => parameters,
        Err(problem) => return failed(app, &job, now, None, &problem),
    };
    if !parameters.fresh
        && let Some(latest) = given.latest.as_deref().and_then(Stored::read)
        && let Some(written) = latest.answers(&job, now, app.jobs()?.share_seconds)
    {
        tracing::info!(id = %job.id, "shares the cluster's last result");
        let result = Stored::of(&job, now, Ok(written.clone()));
        let notify = notification(app, &job, written.status());
        return Ok(done(vec![("result", text(&result)?)], notify));
    }
    let made = app
        .reports()?
        .get(
            parameters.request.clone(),
            parameters.fresh,
            engine::silent(),
        )
        .await;
    match made {
        Ok(made) => succeeded(app, &job, &parameters, made),
        Err(error) if may_pass(&error) => Err(error.into()),
        Err(error) => failed(app, &job, now, Some(&parameters), &error.into()),
    }
}

/// Stores that a diagnosis was given up, whatever the message was. `id` is the name under which it is stored.
///
/// # Errors
/// None but a fault of this program.
pub(crate) fn give_up(message: &Value, id: &str) -> Result<Done, Problem> {
    let (job, problem) = match messages::read::<Job>(message, WANTED) {
        Ok(job) => {
            let text = "the diagnosis was tried several times and failed each time; the app's log says why under this id";
            (Some(job), Problem::new(Code::DiagnosisFailed, text))
        }
        Err(not_ours) => (None, not_ours),
    };
    tracing::error!(id, "given up");
    let stored = Stored::given_up(id, job.as_ref(), Timestamp::now(), &problem);
    Ok(done(vec![("result", text(&stored)?)], None))
}

/// Whether another try may end otherwise.
fn may_pass(error: &DiagnosisError) -> bool {
    !matches!(
        error,
        DiagnosisError::ScopeNotAllowed(_)
            | DiagnosisError::ClusterNotFound
            | DiagnosisError::Forbidden { .. }
    )
}

fn succeeded(
    app: &App,
    job: &Job,
    parameters: &Parameters,
    mut made: Diagnosis,
) -> Result<Done, Problem> {
    if let Some(pattern) = parameters.pattern {
        rank_for(Arc::make_mut(&mut made.report), pattern);
    }
    let destination = parameters.destination.as_ref();
    let traces: Option<Vec<Trace>> =
        destination.map(|destination| vec![trace(&made.facts, &made.report, destination)]);
    let written = Written::by(|format| write(format, &made.report, traces.as_deref()))
        .map_err(|error| internal(&error))?;
    let result = text(&Stored::of(job, Timestamp::now(), Ok(written)))?;
    let row = Row::of_report(&made.report, job.id.as_str());
    let blobs = vec![
        ("newest", result.clone()),
        ("result", result),
        ("row", text_of(&row)?),
    ];
    let notify = notification(app, job, Some(row.status));
    Ok(done(blobs, notify))
}

/// A failure that no other try mends.
fn failed(
    app: &App,
    job: &Job,
    now: Timestamp,
    parameters: Option<&Parameters>,
    problem: &Problem,
) -> Result<Done, Problem> {
    problem.write_log();
    let result = text(&Stored::of(job, now, Err(problem)))?;
    let mut blobs = vec![("result", result)];
    if let Some(parameters) = parameters {
        let failure = Failure {
            code: problem.code().name().to_owned(),
            detail: problem.detail().to_owned(),
        };
        let row = Row::of_failure(&parameters.request.cluster, failure, now, job.id.as_str());
        blobs.push(("row", text_of(&row)?));
    }
    Ok(done(blobs, notification(app, job, None)))
}

/// Who asked comes back for the result; an alert's is always told, a sweep's where somebody should look.
fn notification(app: &App, job: &Job, status: Option<Status>) -> Option<Post> {
    let tell = match job.origin {
        Origin::Caller => false,
        Origin::Alert => true,
        Origin::Sweep => matches!(status, Some(Status::Blocked | Status::Degraded)),
    };
    let somebody = app.jobs.notify.is_some();
    (tell && somebody).then(|| Post::notification(&job.id))
}

fn done(blobs: Vec<(&'static str, String)>, post: Option<Post>) -> Done {
    Done {
        blobs,
        posts: post.into_iter().collect(),
    }
}

fn text(stored: &Stored) -> Result<String, Problem> {
    stored.write().map_err(|error| internal(&error))
}

fn text_of(row: &Row) -> Result<String, Problem> {
    serde_json::to_string(row).map_err(|error| internal(&error))
}

fn internal(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InternalError, "the result could not be written").log(error.to_string())
}
