//! The functions that the host calls with more than plain HTTP, at the path that is the function's name. From outside
//! they cannot be reached: the host forwards only what is below `/api`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderValue, header};
use serde_json::Value;

use crate::alerts::work as alerts;
use crate::fleet::sweep;
use crate::http::{App, read_body};
use crate::problem::Problem;

use super::envelope::{Invocation, Outputs};
use super::notify;
use super::requests;
use super::work::{self, Done, Given};

/// A call holds a stored result, encoded twice: some megabytes for the largest reports.
const MAX_CALL_BYTES: usize = 64 * 1024 * 1024;

/// A router with all functions; `api` answers the HTTP ones.
pub(crate) fn router(app: &Arc<App>, api: &Router) -> Router {
    let router = requests::router(api);
    let diagnose = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            Ok::<_, Problem>(answer(work::diagnose(&app, &given(&call)).await?))
        }
    };
    let alert = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            Ok::<_, Problem>(answer(alerts::follow(&app, &given(&call)).await?))
        }
    };
    let give_up_alert = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            let given = given(&call);
            let name = name_of(&call, &given.message);
            Ok::<_, Problem>(answer(alerts::give_up(&app, &given, &name)?))
        }
    };
    let give_up = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            let given = given(&call);
            let name = name_of(&call, &given.message);
            Ok::<_, Problem>(answer(work::give_up(&app, &given, &name)?))
        }
    };
    let notify = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            let given = Given {
                message: call.json("job").unwrap_or_default(),
                previous: call.text("result"),
                latest: call.text("told"),
            };
            Ok::<_, Problem>(answer(notify::notify(&app, &given).await?))
        }
    };
    let sweep = {
        let app = app.clone();
        async move |request: Request| {
            let timer = call(request).await?.json("timer");
            Ok::<_, Problem>(answer(sweep::on_timer(&app, timer.as_ref()).await?))
        }
    };
    router
        .route("/notify", post(notify))
        .route("/sweep", post(sweep))
        .route("/alert", post(alert))
        .route("/alert-poison", post(give_up_alert))
        .route("/diagnose", post(diagnose))
        .route("/diagnose-poison", post(give_up))
}

pub(super) async fn call(request: Request) -> Result<Invocation, Problem> {
    Invocation::parse(&read_body(request.into_body(), MAX_CALL_BYTES).await?)
}

fn given(call: &Invocation) -> Given {
    Given {
        message: call.json("job").unwrap_or_default(),
        previous: call.text("previous"),
        latest: call.text("latest"),
    }
}

/// The name under which the host stores what a message leaves: its own id, else the one that the queue gave it.
///
/// With an `id` that cannot name a blob, such as one with a backslash, the host fails each call before it gets here, those for
/// the poison queue too: of such a message only the host's log tells. This app writes none.
fn name_of(call: &Invocation, message: &Value) -> String {
    let own = message.get("id").and_then(Value::as_str);
    own.map(str::to_owned)
        .or_else(|| call.metadata("Id"))
        .unwrap_or_default()
}

fn answer(done: Done) -> Response {
    let mut outputs = Outputs::default();
    for (binding, object) in done.blobs {
        outputs.blob(binding, object);
    }
    post_all(&mut outputs, done.posts);
    json(outputs)
}

pub(super) fn post_all(outputs: &mut Outputs, posts: Vec<super::messages::Post>) {
    let mut by_queue: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for post in posts {
        by_queue.entry(post.queue).or_default().push(post.text);
    }
    for (queue, messages) in by_queue {
        outputs.queue(queue.binding(), messages);
    }
}

pub(super) fn json(outputs: Outputs) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], outputs.into_body()).into_response()
}
