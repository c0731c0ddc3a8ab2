//! The report and its parts over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_diagnosis::rank_for;
use egress_diagnosis::report::Report;
use egress_diagnosis::trace::{Trace, trace};
use egress_render::TextOptions;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;

use crate::engine::{self, Diagnosis, DiagnosisError};
use crate::problem::{Code, Problem};

use super::App;
use super::fields;
use super::formats::{self, Format};
use super::parameters::{Known, Parameters};
use super::sections::Section;

/// Seconds after which a busy or throttled request is worth another try.
const RETRY_AFTER_SECONDS: u32 = 10;

/// The formats of the whole report, best first.
pub(super) const FORMATS: [Format; 4] = Format::ALL;
/// The formats of its parts.
pub(super) const SECTION_FORMATS: [Format; 1] = [Format::Json];

/// The whole report; with a destination also its trace.
pub(super) async fn whole(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(request, &[]).await?;
    let format = asked.format(&FORMATS)?;
    let made = asked.diagnosis(&app).await?;
    let traces = asked.traces(&made);
    let written = write(format, &made.report, traces.as_deref());
    let kind = [(header::CONTENT_TYPE, format.content_type())];
    Ok(answer((kind, written).into_response()))
}

/// The report in a format, with the traces that were asked for.
pub(crate) fn write(format: Format, report: &Report, traces: Option<&[Trace]>) -> String {
    match (format, traces) {
        // Nothing in them cannot be written: their maps have strings for keys.
        (Format::Json, None) => serde_json::to_string(report).unwrap_or_default(),
        (Format::Json, Some(traces)) => {
            serde_json::to_string(&WithTraces { report, traces }).unwrap_or_default()
        }
        (Format::Text, traces) => {
            let options = TextOptions::default();
            let mut text = egress_render::text(report, &options);
            if let Some(traces) = traces {
                text.push_str(&egress_render::traces(traces, &options));
            }
            text
        }
        (Format::Markdown, traces) => egress_render::markdown(report, traces.unwrap_or_default()),
        (Format::AdaptiveCard, traces) => {
            egress_render::adaptive_card(report, traces.unwrap_or_default()).to_string()
        }
    }
}

/// One part of the report; with a destination also its trace.
pub(super) async fn section(
    section: Section,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(request, &[]).await?;
    asked.format(&SECTION_FORMATS)?;
    let made = asked.diagnosis(&app).await?;
    let traces = asked.traces(&made);
    let body = section.of(&made.report, traces.as_deref());
    Ok(answer(Json(body).into_response()))
}

/// A report and the trace of the destination that was asked for.
#[derive(Serialize)]
struct WithTraces<'a> {
    #[serde(flatten)]
    report: &'a Report,
    traces: &'a [Trace],
}

/// A request about a cluster, checked and not yet answered.
pub(super) struct Asked {
    pub(super) parameters: Parameters,
    pub(super) fields: Known,
    headers: HeaderMap,
}

impl Asked {
    /// Checks the request's fields; `more` are those of this route alone.
    pub(super) async fn read(request: Request, more: &[&'static str]) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let fields = Known::check(fields::read(request).await?, more)?;
        Ok(Self {
            parameters: Parameters::from_fields(&fields)?,
            fields,
            headers,
        })
    }

    /// The request's headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The format of the answer.
    pub(super) fn format(&self, offered: &[Format]) -> Result<Format, Problem> {
        formats::choose(self.parameters.format, &self.headers, offered)
    }

    /// Reads the cluster, or shares an earlier reading: the key is the cluster and the window, whatever else was asked.
    pub(super) async fn diagnosis(&self, app: &App) -> Result<Diagnosis, Problem> {
        let reports = app.reports()?;
        let parameters = &self.parameters;
        let mut made = reports
            .get(
                parameters.request.clone(),
                parameters.fresh,
                engine::silent(),
            )
            .await?;
        if let Some(pattern) = parameters.pattern {
            rank_for(Arc::make_mut(&mut made.report), pattern);
        }
        Ok(made)
    }

    /// The trace of the destination; `None` when none was asked for.
    fn traces(&self, made: &Diagnosis) -> Option<Vec<Trace>> {
        let destination = self.parameters.destination.as_ref()?;
        Some(vec![trace(&made.facts, &made.report, destination)])
    }
}

pub(super) fn answer(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

impl From<DiagnosisError> for Problem {
    fn from(error: DiagnosisError) -> Self {
        let log = error.to_string();
        match error {
            DiagnosisError::ScopeNotAllowed(subscription) => Self::new(
                Code::ScopeNotAllowed,
                format!("subscription {subscription} is not one this app may look into; Azure was not asked"),
            ),
            DiagnosisError::ClusterNotFound => {
                Self::new(Code::ClusterNotFound, "Azure knows no cluster with this id")
            }
            DiagnosisError::Forbidden { action, scope } => Self::new(
                Code::AzureForbidden,
                format!("the app's identity lacks {action} on {scope}"),
            )
            .needs(action, scope),
            DiagnosisError::IdentityFailed(_) => Self::new(
                Code::IdentityFailed,
                "the app's identity could not get a token for Azure; the app's log says why",
            ),
            DiagnosisError::Throttled(_) => Self::new(
                Code::AzureUnreachable,
                "Azure throttles the app's reads, so the cluster could not be read",
            )
            .retry_after(RETRY_AFTER_SECONDS),
            DiagnosisError::AzureUnreachable(_) => Self::new(
                Code::AzureUnreachable,
                "the cluster could not be read: Azure Resource Manager did not give a usable answer in time",
            ),
            DiagnosisError::Busy => Self::new(
                Code::Busy,
                "as many reports as this instance allows are already being made",
            )
            .retry_after(RETRY_AFTER_SECONDS),
            DiagnosisError::Internal(_) => Self::new(
                Code::InternalError,
                "the report could not be made; the app's log has the request id",
            ),
        }
        .log(log)
    }
}
