//! Of which results the webhook is told. Of one diagnosis once, however many alerts lead to it: what is the same has the same
//! [`Notification::what`], and [`super::notify`] knows it again.

use egress_diagnosis::report::Status;

use crate::cluster_id;
use crate::http::App;

use super::ids::{JobId, cluster_key};
use super::messages::{Notification, Origin, Post};
use super::stored::Stored;

/// The message for a result: an alert's is always told, a sweep's where somebody should look; who asked comes back for it.
pub(crate) fn notification(app: &App, stored: &Stored) -> Option<Post> {
    app.jobs.notify.as_ref()?;
    let (what, status) = match stored.outcome() {
        Ok(written) => {
            let (status, made) = written.verdict()?;
            (made.to_string(), Some(status))
        }
        // The same failure is told again in another hour.
        Err(problem) => {
            let hour = stored.finished_at().strftime("%Y-%m-%dT%HZ");
            (format!("{} {hour}", problem.code().name()), None)
        }
    };
    let tell = match stored.origin()? {
        Origin::Caller => false,
        Origin::Alert => true,
        Origin::Sweep => matches!(status, Some(Status::Blocked | Status::Degraded)),
    };
    let cluster = cluster_id::parse(stored.cluster_id()).ok()?;
    let notification = Notification {
        id: JobId::parse(stored.id())?,
        about: cluster_key(&cluster),
        what,
    };
    tell.then(|| Post::notification(&notification))
}

/// The message for an alert that led to no diagnosis.
pub(crate) fn of_alert(app: &App, id: &JobId) -> Option<Post> {
    app.jobs.notify.as_ref()?;
    Some(Post::notification(&Notification {
        id: id.clone(),
        about: id.to_string(),
        what: "no diagnosis".to_owned(),
    }))
}
