//! Alerts: taken at once, followed up later.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use jiff::Timestamp;
use serde::Serialize;

use crate::alerts::{self, Alert, Condition, Kind, MAX_ALERT_BYTES, Understood};
use crate::jobs;
use crate::jobs::ids::JobId;
use crate::jobs::messages::{AlertJob, Post};
use crate::problem::{Code, Problem};

use super::App;
use super::diagnoses::{POLL_SECONDS, location};
use super::fields::read_body;
use super::report::answer;

/// What is said of an alert that came.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = AlertTaken))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken<'a> {
    /// `accepted`, or `ignored`: then `reason` says why.
    status: &'static str,
    /// Fetches what the alert led to; not there when it was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// Where that will be, as in the `Location` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    /// Why nothing is going to be diagnosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Takes an alert. Its sender stops calling for a quarter of an hour after a few answers it does not like, so that whatever
/// is in a body is answered with 202.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    jobs::check_caller(app.jobs()?, request.extensions())?;
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_ALERT_BYTES).await.map_err(too_large)?;
    let fixed = fixed_cluster(&parts.uri);
    let mut understood = match alerts::read(&body, fixed.as_deref()) {
        Ok(understood) => understood,
        Err(reason) => return Ok(ignored(None, reason)),
    };
    if let Some(reason) = reason_to_ignore(&app, &mut understood)? {
        return Ok(ignored(Some(&understood.alert), &reason));
    }
    let now = Timestamp::now();
    let id = understood.id(&app.jobs()?.ids, now);
    let job = AlertJob {
        id: id.clone(),
        received_at: now,
        alert: understood.alert,
        candidates: understood.candidates,
    };
    let mut response = accepted(&parts.headers, &id);
    jobs::send(&app, vec![Post::alert(&job)], &mut response)?;
    log(Some(&job.alert), Some(&id), "accepted");
    Ok(response)
}

fn too_large(problem: Problem) -> Problem {
    if problem.code() != Code::PayloadTooLarge {
        return problem;
    }
    let text = "the body is larger than 256 kB, which no alert of Azure Monitor is";
    Problem::new(Code::PayloadTooLarge, text)
}

/// The cluster that the address of the webhook names. Other parameters are somebody else's.
fn fixed_cluster(uri: &Uri) -> Option<String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?.0;
    let mut pairs = pairs.into_iter();
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("clusterId"))?;
    Some(value)
}

/// Why nothing is going to be diagnosed, as far as that is plain without asking Azure.
fn reason_to_ignore(app: &App, understood: &mut Understood) -> Result<Option<String>, Problem> {
    if understood.alert.condition == Condition::Resolved {
        return Ok(Some("the alert is resolved".to_owned()));
    }
    let reports = app.reports()?;
    let candidates = &mut understood.candidates;
    let named_some = !candidates.is_empty();
    candidates.keep_allowed(|subscription| reports.is_allowed(subscription));
    if !candidates.is_empty() {
        return Ok(None);
    }
    let mut reasons = candidates.notes.clone();
    if !named_some {
        let reason = match understood.alert.kind {
            Kind::Budget => "an alert about costs names no resource",
            Kind::ServiceHealth => "an alert about an Azure service names no resource",
            _ => "the alert names no cluster and no Azure resource",
        };
        reasons.insert(0, reason.to_owned());
    }
    Ok(Some(reasons.join("; ")))
}

fn accepted(headers: &HeaderMap, id: &JobId) -> Response {
    let location = location(headers, id);
    let mut response = taken(&Taken {
        status: "accepted",
        id: Some(id.as_str()),
        location: Some(&location),
        reason: None,
    });
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(POLL_SECONDS));
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    response
}

fn ignored(alert: Option<&Alert>, reason: &str) -> Response {
    log(alert, None, reason);
    taken(&Taken {
        status: "ignored",
        id: None,
        location: None,
        reason: Some(reason),
    })
}

fn taken(body: &Taken<'_>) -> Response {
    answer((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// One line for each alert.
fn log(alert: Option<&Alert>, id: Option<&JobId>, outcome: &str) {
    tracing::info!(
        id = id.map(JobId::as_str),
        alert_id = alert.and_then(|alert| alert.id.as_deref()),
        rule = alert.and_then(|alert| alert.rule.as_deref()),
        kind = alert.map(|alert| format!("{:?}", alert.kind)),
        "alert: {outcome}"
    );
}
