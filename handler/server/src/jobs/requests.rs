//! HTTP functions with further bindings: the host describes the request in place of forwarding it, and makes the answer from
//! a description too.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{any, post};
use http::{HeaderName, HeaderValue, Method, Uri, header};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};
use tower::ServiceExt;

use crate::http::{INVOCATION_ID, finish};
use crate::problem::{Code, Problem};

use super::Posts;
use super::envelope::{Invocation, Outputs};
use super::functions::{call, json, post_all};

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

/// The functions and their routes here; one that ends with a slash takes the last segment of the caller's path.
const FUNCTIONS: [(&str, &str); 4] = [
    ("alerts", "/api/alerts"),
    ("diagnoses", "/api/diagnoses"),
    ("diagnosis", "/api/diagnoses/"),
    ("fleet-sweep", "/api/fleet"),
];

/// A router with these functions; `api` answers them.
pub(super) fn router(api: &Router) -> Router {
    let api = api.clone().layer(from_fn(finish));
    FUNCTIONS
        .into_iter()
        .fold(Router::new(), |router, (name, route)| {
            let api = api.clone();
            let function = move |request: Request| function(api.clone(), route, request);
            router.route(&format!("/{name}"), post(function))
        })
}

/// Unpacks the request, has the routes answer it as if it had been forwarded, and packs the answer. What cannot be unpacked is
/// answered too: an error of the call itself would be the host's own 500.
async fn function(api: Router, route: &str, request: Request) -> Result<Response, Problem> {
    let invocation = request.headers().get(INVOCATION_ID).cloned();
    let unpacked = call(request).await.and_then(|call| unpack(&call, route));
    let (api, mut unpacked) = match unpacked {
        Ok(unpacked) => (api, unpacked),
        Err(problem) => (refusing(problem), Request::default()),
    };
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

/// Answers everything with this error.
fn refusing(problem: Problem) -> Router {
    let refuse = move || async move { problem };
    Router::new().fallback(any(refuse)).layer(from_fn(finish))
}

/// The caller's request, as the host describes it. The host has chosen the function by its own reading of the path, which takes
/// literal segments in any case: only what a parameter matched counts.
fn unpack(call: &Invocation, route: &str) -> Result<Request, Problem> {
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
    let mut target = route.to_owned();
    if route.ends_with('/') {
        let path = url.path().trim_end_matches('/');
        target.push_str(path.rsplit('/').next().unwrap_or_default());
    }
    if let Some(query) = url.query() {
        target.push('?');
        target.push_str(query);
    }
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
