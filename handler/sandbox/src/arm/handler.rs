//! One ARM request: log, latency, token, api-version, faults, then the read.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    activity,
    answer::Answer,
    batch,
    faults::Struck,
    path::{Extension, Target, known_type, target},
    read::Read,
};
use crate::{
    cloud::Cloud,
    expand::{SUBSCRIPTION, guid},
    identity::{Refusal, Service, Tokens},
    log::Log,
};

/// Everything an ARM request needs.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) cloud: Cloud,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) log: Arc<Log>,
    pub(crate) endpoint: String,
    pub(crate) latency: Duration,
    requests: AtomicU64,
    struck: Struck,
}

impl Arm {
    pub(crate) fn new(
        cloud: Cloud,
        tokens: Arc<Tokens>,
        log: Arc<Log>,
        endpoint: String,
        latency: Duration,
    ) -> Self {
        Self {
            cloud,
            tokens,
            log,
            endpoint,
            latency,
            requests: AtomicU64::new(0),
            struck: Struck::default(),
        }
    }

    /// Faults that strike a limited number of times start over.
    pub(crate) fn reset_faults(&self) {
        self.struck.reset();
    }
}

/// Logs a request and lets its answer leave when the latency is over. The answer is made, and compressed, in the second
/// half of it: what this simulation itself takes is not Azure's time, and requests sent together have all arrived by then.
pub(crate) async fn paced(State(arm): State<Arc<Arm>>, request: Request, next: Next) -> Response {
    let arrived = Instant::now();
    let (path, query) = asked(request.uri());
    let entry = arm.log.start(request.method().to_string(), path, query);
    tokio::time::sleep_until(arrived + arm.latency / 2).await;
    let (mut parts, body) = next.run(request).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_else(|_| {
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        Bytes::new()
    });
    tokio::time::sleep_until(arrived + arm.latency).await;
    entry.finish(parts.status.as_u16());
    Response::from_parts(parts, Body::from(body))
}

/// Path and query, decoded.
fn asked(uri: &Uri) -> (String, Vec<(String, String)>) {
    let path = percent_decode_str(uri.path())
        .decode_utf8_lossy()
        .into_owned();
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    (path, query)
}

/// Answers any request to the ARM endpoint.
pub(crate) async fn handle(State(arm): State<Arc<Arm>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = asked(&parts.uri);
    let query = query
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    // A body that breaks off is an empty one, which is a wrong query.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let reply = reply(&arm, &parts.method, &parts.headers, &path, &query, &body).await;
    response(&arm, &parts.headers, &reply)
}

struct Reply {
    answer: Answer,
    /// The body ends in its middle.
    truncate: bool,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            truncate: false,
        }
    }
}

async fn reply(
    arm: &Arm,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> Reply {
    if path.eq_ignore_ascii_case("/metadata/endpoints") {
        return Answer::ok(metadata(&arm.endpoint)).into();
    }
    let mut target = target(path);
    let service = match target {
        Target::MetricsBatch(_) => Service::Metrics,
        _ => Service::Arm,
    };
    if let Err(refusal) = arm.tokens.check(headers, service) {
        return unauthorized(refusal).into();
    }
    if !query.contains_key("api-version") {
        let message =
            "The api-version query parameter (?api-version=) is required for all requests.";
        return Answer::error(400, "MissingApiVersionParameter", message).into();
    }
    let by = match &target {
        Target::Graph | Target::MetricsBatch(_) => Method::POST,
        Target::Typed(typed) if typed.is_action() => Method::POST,
        _ => Method::GET,
    };
    if *method != by {
        let message =
            format!("The method '{method}' is not simulated; the sandbox can only be read.");
        return Answer::error(405, "MethodNotAllowed", message).into();
    }
    match &mut target {
        Target::ActivityLog(group) => *group = activity::group(query),
        Target::MetricsBatch(group) => *group = batch::group(body),
        _ => {}
    }
    let in_subscription = path
        .split('/')
        .nth(2)
        .is_none_or(|id| id.eq_ignore_ascii_case(SUBSCRIPTION));
    if !in_subscription && !matches!(target, Target::Subscription(_) | Target::Graph) {
        let id = path.split('/').nth(2).unwrap_or_default();
        let message = format!("The subscription '{id}' could not be found.");
        return Answer::error(404, "SubscriptionNotFound", message).into();
    }
    let mut truncate = false;
    if let Some(fault) = arm.struck.fault(&arm.cloud, &target, path, query) {
        if fault.deny {
            let (action, scope) = denied(&target);
            return Answer::forbidden(&Tokens::object_id(), &action, &scope).into();
        }
        if let Some(seconds) = fault.retry_after {
            return Answer::throttled(SUBSCRIPTION, seconds).into();
        }
        if let Some(status) = fault.status {
            let message = "The request failed because of a simulated fault.";
            return Answer::error(status, "InternalServerError", message).into();
        }
        if let Some(delay) = fault.delay_ms {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        truncate = fault.truncate;
    }
    let read = Read {
        cloud: &arm.cloud,
        endpoint: &arm.endpoint,
        path,
        query,
        body,
    };
    Reply {
        answer: read.answer(&target),
        truncate,
    }
}

/// Action and scope as ARM words them for a read.
fn denied(target: &Target) -> (String, String) {
    let subscription = Cloud::subscription_path();
    match target {
        Target::Group(group) => (
            "Microsoft.Resources/subscriptions/resourceGroups/read".into(),
            format!("{subscription}/resourceGroups/{group}"),
        ),
        Target::Graph => ("Microsoft.ResourceGraph/resources/read".into(), "/".into()),
        Target::ActivityLog(_) => (
            "Microsoft.Insights/eventtypes/values/Read".into(),
            subscription,
        ),
        Target::MetricsBatch(Some(group)) => (
            "Microsoft.Insights/metrics/read".into(),
            format!("{subscription}/resourceGroups/{group}"),
        ),
        Target::Resources { group: Some(group) } => (
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read".into(),
            format!("{subscription}/resourceGroups/{group}"),
        ),
        Target::Typed(typed) => {
            let action = match typed.extension {
                Some(Extension::Metrics) => "Microsoft.Insights/metrics/read".to_owned(),
                Some(Extension::Definitions) => {
                    "Microsoft.Insights/metricDefinitions/read".to_owned()
                }
                Some(Extension::Health) => {
                    "Microsoft.ResourceHealth/availabilityStatuses/read".to_owned()
                }
                None => {
                    let verb = if typed.is_action() { "action" } else { "read" };
                    let kind = known_type(&typed.kind).unwrap_or(&typed.kind);
                    format!("{kind}/{verb}")
                }
            };
            let scope = match (&typed.group, typed.is_list()) {
                (_, false) => typed.path.clone(),
                (Some(group), true) => typed.parent().map_or_else(
                    || format!("{subscription}/resourceGroups/{group}"),
                    str::to_owned,
                ),
                (None, true) => subscription,
            };
            (action, scope)
        }
        _ => (
            "Microsoft.Resources/subscriptions/read".into(),
            subscription,
        ),
    }
}

fn unauthorized(refusal: Refusal) -> Answer {
    let (code, message) = match refusal {
        Refusal::Missing => (
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ),
        Refusal::Invalid => ("InvalidAuthenticationToken", "The access token is invalid."),
        Refusal::Expired => (
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        ),
        Refusal::Audience => (
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource.",
        ),
    };
    Answer::error(401, code, message)
}

/// What a client may ask to learn the other endpoints of this cloud.
fn metadata(endpoint: &str) -> Value {
    json!({
        "galleryEndpoint": endpoint,
        "graphEndpoint": endpoint,
        "portalEndpoint": endpoint,
        "authentication": { "loginEndpoint": endpoint, "audiences": [endpoint], "tenant": "common" },
    })
}

fn response(arm: &Arm, request: &HeaderMap, reply: &Reply) -> Response {
    let number = arm.requests.fetch_add(1, Ordering::SeqCst);
    let id = guid(&format!("request {number}"));
    let mut body = reply.answer.body.to_string().into_bytes();
    if reply.truncate {
        body.truncate(body.len() / 2);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(reply.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-ms-request-id", &id);
    set(
        "x-ms-correlation-request-id",
        &guid(&format!("correlation {number}")),
    );
    set(
        "x-ms-routing-request-id",
        &format!("SANDBOX:20260101T000000Z:{id}"),
    );
    set("x-ms-ratelimit-remaining-subscription-reads", "249");
    set("x-ms-ratelimit-remaining-subscription-global-reads", "3749");
    if matches!(reply.answer.status, 401 | 403 | 404) {
        set("x-ms-failure-cause", "gateway");
    }
    if reply.answer.status == 401 {
        set(
            "www-authenticate",
            &format!(
                "Bearer authorization_uri=\"{}\", error=\"invalid_token\"",
                arm.endpoint
            ),
        );
    }
    if let Some(seconds) = reply.answer.retry_after {
        set("retry-after", &seconds.to_string());
    }
    if let Some(client) = request
        .get("x-ms-client-request-id")
        .and_then(|id| id.to_str().ok())
    {
        set("x-ms-client-request-id", client);
    }
    response
}
