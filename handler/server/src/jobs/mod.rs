//! Diagnoses that are made later: asked for now, worked on from a queue, fetched when they are there.
//!
//! Deployed, the Functions host owns queues and blobs; without it this process stands in for both. What is done is the same.

pub(crate) mod envelope;
pub(crate) mod functions;
pub(crate) mod ids;
pub(crate) mod local;
pub(crate) mod messages;
pub(crate) mod notify;
mod requests;
pub(crate) mod stored;
pub(crate) mod telling;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod work;

use std::sync::Arc;

use axum::response::Response;
use http::Extensions;

use crate::http::App;
use crate::problem::{Code, Problem};

use self::ids::{Ids, JobId};
use self::local::Local;
use self::messages::Post;
use self::notify::Notify;
use self::requests::Blobs;

/// What making diagnoses later needs.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    pub(crate) ids: Ids,
    /// For how long a cluster's last result is shared, as `EGRESS_CACHE_SECONDS` says.
    pub(crate) share_seconds: u64,
    pub(crate) delivery: Delivery,
    /// Who is told of results; `None` = nobody.
    pub(crate) notify: Option<Arc<Notify>>,
    /// Whether the timer orders diagnoses, as `EGRESS_SWEEP` says.
    pub(crate) sweep: bool,
}

/// Who carries messages and keeps results.
#[derive(Debug, Clone)]
pub(crate) enum Delivery {
    /// The Functions host, by the bindings of the function that it called.
    Host,
    /// This process.
    Local(Local),
}

/// Messages that an answer leaves to whoever called.
#[derive(Debug, Clone)]
pub(crate) struct Posts(pub(crate) Vec<Post>);

/// Sends messages with an answer: the host takes them from it, or this process works on them at once.
///
/// # Errors
/// 503 when more wait than this process keeps.
pub(crate) fn send(
    app: &Arc<App>,
    posts: Vec<Post>,
    response: &mut Response,
) -> Result<(), Problem> {
    match &app.jobs()?.delivery {
        Delivery::Host => {
            response.extensions_mut().insert(Posts(posts));
            Ok(())
        }
        Delivery::Local(local) => local.send(app, posts),
    }
}

/// The stored result with this id; `None` while there is none.
///
/// # Errors
/// 404 where the host forwards a request that should have come with the blob.
pub(crate) async fn stored(
    jobs: &Jobs,
    id: &JobId,
    given: &Extensions,
) -> Result<Option<String>, Problem> {
    match &jobs.delivery {
        Delivery::Host => Ok(called_by_host(given)?.get("result").cloned()),
        Delivery::Local(local) => Ok(local.result(id.as_str()).await),
    }
}

/// Refuses what did not come through the host's bindings: its messages would be lost.
pub(crate) fn check_caller(jobs: &Jobs, given: &Extensions) -> Result<(), Problem> {
    match jobs.delivery {
        Delivery::Host => called_by_host(given).map(|_| ()),
        Delivery::Local(_) => Ok(()),
    }
}

fn called_by_host(given: &Extensions) -> Result<&Blobs, Problem> {
    given.get::<Blobs>().ok_or_else(|| {
        Problem::new(Code::NotFound, "there is no such route").log(
            "a request that needs queue or blob bindings was forwarded without them; the function's folder lacks a binding",
        )
    })
}
