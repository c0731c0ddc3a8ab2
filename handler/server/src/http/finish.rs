//! The outermost layer: gives each request its id and span, catches panics, renders errors, writes the access log.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::Instrument;

use crate::problem::{Code, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const INVOCATION_ID: HeaderName =
    HeaderName::from_static("x-azure-functions-invocationid");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // The query is left out: it carries the function key.
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        method = %request.method(),
        path = request.uri().path(),
        traceparent = traceparent(request.headers()),
    );
    let is_probe = request.uri().path() == "/";
    async move {
        let started = Instant::now();
        let mut response = AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                Problem::new(Code::InternalError, "the request could not be answered")
                    .log("a request handler panicked")
                    .into_response()
            });
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            problem.write_log();
            problem.render(&mut response, &id);
        }
        if let Ok(id) = HeaderValue::try_from(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let nosniff = HeaderValue::from_static("nosniff");
        response
            .headers_mut()
            .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        if !is_probe {
            let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let status = response.status().as_u16();
            tracing::info!(status, duration_ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The host's invocation id, else a new one. A client may send the header too: the host's value is then the last one.
fn request_id(headers: &HeaderMap) -> String {
    let last_line = headers.get_all(INVOCATION_ID).iter().next_back();
    last_line
        .and_then(|line| line.to_str().ok())
        .and_then(|line| line.rsplit(',').next())
        .map(str::trim)
        .filter(|id| is_plain(id))
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Short, and of characters that can stand in any log, header or JSON.
fn is_plain(id: &str) -> bool {
    (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The W3C trace context, when it is one.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(TRACEPARENT)?.to_str().ok()?;
    let valid = value.len() == 55 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    valid.then_some(value)
}
