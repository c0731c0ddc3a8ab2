//! What the queue functions do, whoever delivers the message: the Functions host or this process.

use std::sync::Arc;

use egress_diagnosis::rank_for;
use egress_diagnosis::report::Report;
use egress_diagnosis::trace::{Trace, trace};
use jiff::Timestamp;
use serde_json::Value;

use crate::engine::{self, Diagnosis, DiagnosisError};
use crate::fleet::row::{Failure, Row};
use crate::http::{App, Parameters, write};
use crate::problem::{Code, Problem};

use super::messages::{self, Job, Post};
use super::stored::{Stored, Written};
use super::telling::notification;

/// What a message of this queue is.
const WANTED: &str = "a diagnosis to make";

/// A message and what is stored already.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) message: Value,
    /// The result under the message's id.
    pub(crate) previous: Option<String>,
    /// What was stored last under the message's other name: the cluster's last result, or of what was told last.
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
    if let Some(previous) = &given.previous {
        tracing::info!(id = %job.id, "delivered again; its result is stored already");
        return Ok(again(app, previous));
    }
    let now = Timestamp::now();
    let parameters = match Parameters::of_map(&job.request) {
        Ok(parameters) => parameters,
        Err(problem) => return failed(app, &job, now, None, &problem),
    };
    if !parameters.fresh
        && let Some(latest) = given.latest.as_deref().and_then(Stored::read)
        && let Some(written) = latest.answers(&parameters, now, app.jobs()?.share_seconds)
    {
        tracing::info!(id = %job.id, "shares the cluster's last result");
        let result = Stored::of(&job, now, Ok(written.clone()));
        return done(app, &result, Vec::new());
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

/// What the message left may have been lost when its result was stored. Who is told twice is told once.
fn again(app: &App, previous: &str) -> Done {
    let post = Stored::read(previous).and_then(|stored| notification(app, &stored));
    Done {
        blobs: Vec::new(),
        posts: post.into_iter().collect(),
    }
}

/// Stores that a diagnosis was given up, whatever the message was; a result that is there already stays. `id` is the name under
/// which it is stored.
///
/// # Errors
/// None but a fault of this program.
pub(crate) fn give_up(app: &App, given: &Given, id: &str) -> Result<Done, Problem> {
    if let Some(previous) = &given.previous {
        tracing::warn!(id, "given up, but its result is stored already");
        return Ok(again(app, previous));
    }
    let (job, problem) = match messages::read::<Job>(&given.message, WANTED) {
        Ok(job) => {
            let text = "the diagnosis was tried several times and failed each time; the app's log says why under this id";
            (Some(job), Problem::new(Code::DiagnosisFailed, text))
        }
        Err(not_ours) => (None, not_ours),
    };
    tracing::error!(id, "given up");
    let stored = Stored::given_up(id, job.as_ref(), Timestamp::now(), &problem);
    done(app, &stored, Vec::new())
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
    let written = |report: &Report| {
        Written::by(|format| write(format, report, traces.as_deref()))
            .map_err(|error| internal(&error))
    };
    let now = Timestamp::now();
    let result = Stored::of(job, now, Ok(written(&made.report)?));
    let row = Row::of_report(&made.report, job.id.as_str());
    let mut blobs = vec![("row", text_of(&row)?)];
    // A copy is not younger than what it is a copy of.
    if !made.report.stats.cached {
        let mut shared = Report::clone(&made.report);
        shared.stats.cached = true;
        let newest = Stored::of(job, now, Ok(written(&shared)?));
        blobs.push(("newest", text(&newest)?));
    }
    done(app, &result, blobs)
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
    let result = Stored::of(job, now, Err(problem));
    let mut blobs = Vec::new();
    if let Some(parameters) = parameters {
        let failure = Failure {
            code: problem.code().name().to_owned(),
            detail: problem.detail().to_owned(),
        };
        let row = Row::of_failure(&parameters.request.cluster, failure, now, job.id.as_str());
        blobs.push(("row", text_of(&row)?));
    }
    done(app, &result, blobs)
}

fn done(
    app: &App,
    result: &Stored,
    mut blobs: Vec<(&'static str, String)>,
) -> Result<Done, Problem> {
    blobs.push(("result", text(result)?));
    Ok(Done {
        blobs,
        posts: notification(app, result).into_iter().collect(),
    })
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
