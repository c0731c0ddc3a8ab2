//! The routes beside the report: paths of a destination, the reading of an outcome, the plan to go past an appliance, the
//! pressure on nodes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_diagnosis::answers::{BypassAnswer, OutcomeAnswer, PathsAnswer, PressureAnswer};
use egress_diagnosis::facts::Facts;
use egress_diagnosis::report::Report;
use egress_diagnosis::trace::Destination;
use egress_render::TextOptions;
use serde::Serialize;

use crate::problem::Problem;

use super::App;
use super::formats::Format;
use super::observation;
use super::report::{Asked, answer};

/// The formats of these answers, best first.
pub(super) const FORMATS: [Format; 2] = [Format::Json, Format::Text];

/// The traces of the required endpoints, or of one destination.
pub(super) async fn paths(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(request, &[]).await?;
    plain(&app, &asked, PathsAnswer::of, egress_render::paths).await
}

/// A curl exit code or HTTP status, read in the light of the analysis.
pub(super) async fn outcome(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(request, &observation::FIELDS).await?;
    let format = asked.format(&FORMATS)?;
    // Before Azure is asked for anything.
    let seen = observation::read(&asked.fields, asked.parameters.pattern)?;
    let made = asked.diagnosis(&app).await?;
    let destination = asked.parameters.destination.as_ref();
    let outcome = OutcomeAnswer::of(&made.facts, &made.report, seen, destination)
        .map_err(observation::refused)?;
    Ok(written(format, &outcome, egress_render::outcome))
}

/// How to go past the appliances for a moment; nothing is executed.
pub(super) async fn bypass_plan(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let asked = Asked::read(request, &[]).await?;
    plain(&app, &asked, BypassAnswer::of, egress_render::bypass_plan).await
}

/// How much the nodes and their disks have to do.
pub(super) async fn pressure(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let mut asked = Asked::read(request, &[]).await?;
    asked.parameters.request.pressure = true;
    plain(&app, &asked, PressureAnswer::of, egress_render::pressure).await
}

/// An answer that needs nothing but the diagnosis and a destination.
async fn plain<T: Serialize>(
    app: &App,
    asked: &Asked,
    of: fn(&Facts, &Report, Option<&Destination>) -> T,
    text: fn(&T, &TextOptions) -> String,
) -> Result<Response, Problem> {
    let format = asked.format(&FORMATS)?;
    let made = asked.diagnosis(app).await?;
    let body = of(
        &made.facts,
        &made.report,
        asked.parameters.destination.as_ref(),
    );
    Ok(written(format, &body, text))
}

fn written<T: Serialize>(
    format: Format,
    body: &T,
    text: fn(&T, &TextOptions) -> String,
) -> Response {
    if format == Format::Json {
        return answer(Json(body).into_response());
    }
    answer(text(body, &TextOptions::default()).into_response())
}
