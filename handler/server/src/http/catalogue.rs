//! What can be found, and the report's schema.

use axum::Json;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

pub(super) async fn list() -> Response {
    Json(serde_json::json!({})).into_response()
}

pub(super) async fn page() -> Result<Response, Problem> {
    Ok(Json(serde_json::json!({})).into_response())
}

pub(super) async fn report_schema() -> Response {
    Json(serde_json::json!({})).into_response()
}
