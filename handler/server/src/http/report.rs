//! The report and its parts over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_diagnosis::report::Report;
use http::{HeaderValue, header};

use crate::engine::{self, DiagnosisError};
use crate::problem::{Code, Problem};

use super::App;
use super::fields;
use super::formats::{self, Format};
use super::parameters::Parameters;
use super::sections::Section;

/// Seconds after which a busy or throttled request is worth another try.
const RETRY_AFTER_SECONDS: u32 = 10;

/// The whole report.
pub(super) async fn whole(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let (report, format) = make(&app, request, &[Format::Json, Format::Text]).await?;
    Ok(answer(match format {
        Format::Json => Json(&*report).into_response(),
        Format::Text => {
            egress_render::text(&report, &egress_render::TextOptions::default()).into_response()
        }
    }))
}

/// One part of the report.
pub(super) async fn section(
    section: Section,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let (report, _) = make(&app, request, &[Format::Json]).await?;
    Ok(answer(Json(section.of(&report)).into_response()))
}

async fn make(
    app: &App,
    request: Request,
    offered: &[Format],
) -> Result<(Arc<Report>, Format), Problem> {
    let headers = request.headers().clone();
    let parameters = Parameters::from_fields(fields::read(request).await?)?;
    let format = formats::choose(parameters.format, &headers, offered)?;
    let reports = app
        .reports
        .as_ref()
        .map_err(|wrong| Problem::new(Code::BadConfiguration, wrong.to_string()))?;
    let report = reports
        .get(parameters.request, parameters.fresh, engine::silent())
        .await?;
    Ok((report, format))
}

fn answer(mut response: Response) -> Response {
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
