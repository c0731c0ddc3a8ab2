//! HTTP as the Functions host forwards it: original paths under `/api`, and `GET /` for its readiness probe.

mod alerts;
mod answers;
mod catalogue;
mod contract;
mod diagnoses;
mod fields;
mod finish;
mod fleet;
mod formats;
mod links;
mod observation;
mod parameters;
mod report;
#[cfg_attr(
    not(test),
    allow(
        dead_code,
        reason = "what the contract says of a route is read by the test that writes its files"
    )
)]
mod routes;
mod sections;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, header};
use serde::Serialize;
use tower::Layer;
use tower::util::MapRequestLayer;

use crate::fleet::rows::Rows;
use crate::jobs::{Delivery, Jobs, functions};
use crate::problem::{Code, Problem};
use crate::reports::Reports;

pub(crate) use self::contract::{schema, schema_names};
pub(crate) use self::fields::read_body;
pub(crate) use self::finish::{INVOCATION_ID, finish};
pub(crate) use self::formats::Format;
pub(crate) use self::parameters::{DEFAULT_WINDOW, Parameters, parse_window};
pub(crate) use self::report::write;
use self::routes::ROUTES;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the routes need.
#[derive(Clone)]
pub(crate) struct App {
    /// The reports, or which settings are wrong.
    pub(crate) reports: Result<Reports, Arc<str>>,
    /// Diagnoses that are made later.
    pub(crate) jobs: Jobs,
    /// What `/api/health` says.
    pub(crate) health: Health,
    /// Where the rows of the overview are kept.
    pub(crate) fleet: Arc<Rows>,
}

/// The answer of `/api/health`; nothing in it needs Azure.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Health {
    /// `ok` or `badConfiguration`.
    status: &'static str,
    /// This build.
    version: &'static str,
    /// Whether an identity of its own is configured; a developer's sign-in does not count.
    identity_configured: bool,
    /// Which one.
    identity: Option<&'static str>,
}

impl Health {
    /// All settings can be used; `identity` is the one they configure, if any.
    pub(crate) fn ok(identity: Option<&'static str>) -> Self {
        Self {
            status: "ok",
            version: VERSION,
            identity_configured: identity.is_some(),
            identity,
        }
    }

    /// Some setting is wrong.
    pub(crate) fn bad_configuration() -> Self {
        Self {
            status: "badConfiguration",
            version: VERSION,
            identity_configured: false,
            identity: None,
        }
    }
}

impl App {
    /// All routes.
    pub(crate) fn router(self) -> Router {
        let api = ROUTES.iter().fold(Router::new(), |router, route| {
            router.route(&format!("/api{}", route.path), (route.serve)())
        });
        let app = Arc::new(self);
        let mut api = api
            .route("/", get(async || "AKS Egress Diagnostics\n"))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(any(not_found))
            .with_state(app.clone());
        if matches!(app.jobs.delivery, Delivery::Host) {
            api = api.clone().merge(functions::router(&app, &api));
        }
        let api = MapRequestLayer::new(canonical_path).layer(api);
        Router::new().fallback_service(api).layer(from_fn(finish))
    }
}

impl App {
    /// The reports.
    ///
    /// # Errors
    /// 500 when settings are wrong.
    pub(crate) fn reports(&self) -> Result<&Reports, Problem> {
        self.reports
            .as_ref()
            .map_err(|wrong| Problem::new(Code::BadConfiguration, wrong.to_string()))
    }

    /// Diagnoses that are made later.
    ///
    /// # Errors
    /// 500 when settings are wrong.
    pub(crate) fn jobs(&self) -> Result<&Jobs, Problem> {
        self.reports().map(|_| &self.jobs)
    }
}

async fn health(axum::extract::State(app): axum::extract::State<Arc<App>>) -> Response {
    let mut response = Json(&app.health).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

async fn method_not_allowed(request: Request) -> Problem {
    let method = request.method();
    Problem::new(
        Code::MethodNotAllowed,
        format!("{method} is not allowed here; the Allow header lists what is"),
    )
}

async fn not_found(request: Request) -> Problem {
    let path = request.uri().path();
    let shown: String = path.chars().take(200).collect();
    Problem::new(Code::NotFound, format!("there is no route {shown}"))
}

/// The host matches literal segments in any case and with a slash at the end, and forwards the path as it came.
fn canonical_path(mut request: Request) -> Request {
    let path = request.uri().path();
    let lower = path.to_ascii_lowercase();
    let trimmed = match lower.trim_end_matches('/') {
        "" => "/",
        rest => rest,
    };
    if trimmed != path {
        let with_query = match request.uri().query() {
            Some(query) => format!("{trimmed}?{query}"),
            None => trimmed.to_owned(),
        };
        // A path that was valid stays valid in lower case; if not, the route is simply not found.
        if let Ok(path) = PathAndQuery::try_from(with_query) {
            *request.uri_mut() = Uri::from(path);
        }
    }
    request
}
