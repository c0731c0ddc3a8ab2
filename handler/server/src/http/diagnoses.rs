//! Diagnoses that are made later: asked for, and fetched.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;

use crate::alerts::outcome::Outcome;
use crate::jobs::ids::JobId;
use crate::jobs::messages::{Job, Origin, Post};
use crate::jobs::stored::Stored;
use crate::jobs::{self};
use crate::problem::{Code, Problem};

use super::App;
use super::contract::is_plain_host;
use super::fields;
use super::formats::{self, Format};
use super::parameters::Known;
use super::report::{Asked, answer};

/// The formats of a result, best first.
pub(super) const FORMATS: [Format; 4] = Format::ALL;

/// Seconds after which a result is worth asking for: a report takes a few.
pub(super) const POLL_SECONDS: u32 = 5;

/// What is said of a diagnosis that is not there yet.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = DiagnosisAccepted))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted<'a> {
    /// Fetches the result.
    id: &'a str,
    /// `pending`.
    status: &'static str,
    /// Where the result will be, as in the `Location` header.
    location: &'a str,
}

/// Takes the order for a diagnosis.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    jobs::check_caller(app.jobs()?, request.extensions())?;
    let asked = Asked::read(request, &[]).await?;
    if asked.fields.value("format").is_some() {
        let text = "format is chosen when the result is fetched: GET /api/diagnoses/{id}?format=…";
        return Err(Problem::field("format", text));
    }
    let cluster = &asked.parameters.request.cluster;
    app.reports()?.check_scope(cluster)?;
    let now = Timestamp::now();
    let id = app.jobs()?.ids.issue(now);
    let job = Job::new(
        id.clone(),
        cluster,
        Origin::Caller,
        now,
        asked.fields.to_map(),
    );
    let mut response = pending(asked.headers(), &id);
    jobs::send(&app, vec![Post::diagnosis(&job)], &mut response)?;
    Ok(response)
}

/// Gives the result, once it is there.
pub(super) async fn fetch(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let jobs = app.jobs()?;
    let unknown = || Problem::new(Code::NotFound, "there is no diagnosis with this id");
    let (parts, body) = request.into_parts();
    let stored = match JobId::parse(&id) {
        None => return Err(unknown()),
        Some(id) => jobs::stored(jobs, &id, &parts.extensions).await?.ok_or(id),
    };
    let headers = parts.headers.clone();
    let fields = fields::read(Request::from_parts(parts, body)).await?;
    let named = Known::only_format(&fields)?;
    if let Ok(text) = &stored
        && let Some(outcome) = Outcome::read(text)
    {
        formats::choose(named, &headers, &[Format::Json])?;
        let told = outcome.told(|id| location(&headers, id));
        return Ok(answer(Json(told).into_response()));
    }
    let format = formats::choose(named, &headers, &FORMATS)?;
    let stored = match stored {
        Ok(text) => Stored::read(&text).ok_or_else(Problem::unreadable_result)?,
        Err(id) if jobs.ids.may_be_pending(&id, Timestamp::now()) => {
            return Ok(pending(&headers, &id));
        }
        Err(_) => return Err(unknown()),
    };
    let written = stored.outcome()?.get(format).to_owned();
    let kind = [(header::CONTENT_TYPE, format.content_type())];
    Ok(answer((kind, written).into_response()))
}

/// 202 with where and when to ask.
fn pending(headers: &HeaderMap, id: &JobId) -> Response {
    let location = location(headers, id);
    let body = Accepted {
        id: id.as_str(),
        status: "pending",
        location: &location,
    };
    let mut response = answer((StatusCode::ACCEPTED, Json(body)).into_response());
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(POLL_SECONDS));
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    response
}

/// Where the result with an id is, for who called with these headers.
pub(super) fn location(headers: &HeaderMap, id: &JobId) -> String {
    format!("{}/api/diagnoses/{id}", base(headers))
}

/// Scheme and host that the caller used; without a plain host nothing, which leaves a path.
pub(super) fn base(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text("host"));
    let Some(host) = host.filter(|host| is_plain_host(host)) else {
        return String::new();
    };
    let scheme = match text("x-forwarded-proto") {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    };
    format!("{scheme}://{host}")
}
