//! The functions that the host calls with more than plain HTTP, at the path that is the function's name. From outside
//! they cannot be reached: the host forwards only what is below `/api`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};
use tower::ServiceExt;

use crate::alerts::work as alerts;
use crate::fleet::sweep;
use crate::http::{App, INVOCATION_ID, finish, read_body};
use crate::problem::{Code, Problem};

use super::Posts;
use super::envelope::{Invocation, Outputs};
use super::notify;
use super::work::{self, Done, Given};

/// A call holds a stored result, encoded twice: some megabytes for the largest reports.
const MAX_CALL_BYTES: usize = 64 * 1024 * 1024;

/// Blobs that the host read for an HTTP function, by input binding.
pub(crate) type Blobs = BTreeMap<String, String>;

/// What the host, which describes a request by its unescaped address, leaves in a path although no address may have it.
const NOT_IN_URLS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// HTTP functions with further bindings.
const HTTP: [&str; 4] = ["alerts", "diagnoses", "diagnosis", "fleet-sweep"];

/// A router with all functions; `api` answers the HTTP ones.
pub(crate) fn router(app: &Arc<App>, api: &Router) -> Router {
    let mut router = Router::new();
    let api = api.clone().layer(from_fn(finish));
    for name in HTTP {
        let api = api.clone();
        let function = move |request: Request| http_function(api.clone(), request);
        router = router.route(&format!("/{name}"), post(function));
    }
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
    let give_up_alert = async |request: Request| {
        let call = call(request).await?;
        let message = call.json("job").unwrap_or_default();
        Ok::<_, Problem>(answer(alerts::give_up(
            &message,
            &name_of(&call, &message),
        )?))
    };
    let give_up = async |request: Request| {
        let body = read_body(request.into_body(), MAX_CALL_BYTES).await?;
        let call = Invocation::parse(&body)?;
        let message = call.json("job").unwrap_or_default();
        Ok::<_, Problem>(answer(work::give_up(&message, &name_of(&call, &message))?))
    };
    let notify = {
        let app = app.clone();
        async move |request: Request| {
            let call = call(request).await?;
            let given = Given {
                message: call.json("job").unwrap_or_default(),
                previous: call.text("result"),
                latest: None,
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

async fn call(request: Request) -> Result<Invocation, Problem> {
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

fn post_all(outputs: &mut Outputs, posts: Vec<super::messages::Post>) {
    let mut by_queue: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for post in posts {
        by_queue.entry(post.queue).or_default().push(post.text);
    }
    for (queue, messages) in by_queue {
        outputs.queue(queue.binding(), messages);
    }
}

fn json(outputs: Outputs) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], outputs.into_body()).into_response()
}

/// Unpacks the request, has the routes answer it as if it had been forwarded, and packs the answer.
async fn http_function(api: Router, request: Request) -> Result<Response, Problem> {
    let invocation = request.headers().get(INVOCATION_ID).cloned();
    let call = call(request).await?;
    let mut unpacked = unpack(&call)?;
    // The host's, in place of what the caller may have sent: answer and log name the same one.
    unpacked.headers_mut().remove(INVOCATION_ID);
    if let Some(id) = invocation {
        unpacked.headers_mut().insert(INVOCATION_ID, id);
    }
    let response = match api.oneshot(unpacked).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|e| unwritable(&e))?.to_bytes();
    let body = String::from_utf8(body.to_vec()).map_err(|e| unwritable(&e))?;
    let mut outputs = Outputs::default();
    let mut headers = Map::new();
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.into());
        }
    }
    outputs.http(parts.status, &headers, &body);
    if let Some(Posts(posts)) = parts.extensions.remove() {
        post_all(&mut outputs, posts);
    }
    Ok(json(outputs))
}

fn unwritable(error: &impl ToString) -> Problem {
    Problem::new(Code::InternalError, "the answer could not be written").log(error.to_string())
}

/// The caller's request, as the host describes it.
fn unpack(call: &Invocation) -> Result<Request, Problem> {
    let wrong = || {
        Problem::new(
            Code::InvalidRequest,
            "the host's description of the request cannot be read",
        )
    };
    let req = call.json("req").ok_or_else(wrong)?;
    let text = |name: &str| req.get(name).and_then(Value::as_str);
    let url: Uri = text("Url")
        .and_then(|url| {
            utf8_percent_encode(url, NOT_IN_URLS)
                .to_string()
                .parse()
                .ok()
        })
        .ok_or_else(wrong)?;
    let method = text("Method")
        .and_then(|m| Method::from_bytes(m.to_ascii_uppercase().as_bytes()).ok())
        .ok_or_else(wrong)?;
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let body = text("Body").unwrap_or_default().to_owned();
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(Body::from(body))
        .map_err(|_| wrong())?;
    let headers = request.headers_mut();
    for (name, values) in req
        .get("Headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let values = match values {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        for value in values.iter().filter_map(Value::as_str) {
            if let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value),
            ) {
                headers.append(name, value);
            }
        }
    }
    // The length of the body as it travelled; it is text now.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(scheme) = url.scheme_str()
        && let Ok(scheme) = HeaderValue::try_from(scheme)
    {
        headers.entry("x-forwarded-proto").or_insert(scheme);
    }
    let blobs: Blobs = call
        .text("result")
        .map(|text| ("result".to_owned(), text))
        .into_iter()
        .collect();
    request.extensions_mut().insert(blobs);
    Ok(request)
}
