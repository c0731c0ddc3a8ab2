//! What can be found.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use egress_diagnosis::report::Severity;
use egress_diagnosis::rules::{RULES, Rule, find, page as markdown};
use serde::Serialize;

use crate::problem::{Code, Problem};

/// One finding of the catalogue.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Entry {
    /// Permanent code, e.g. `NAT101`.
    code: &'static str,
    /// Permanent slug.
    slug: &'static str,
    /// The worst it can raise.
    severity: Severity,
    /// The troubleshooting guide's step.
    step: &'static str,
    /// The documentation page, in Markdown; only for one finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<String>,
}

impl Entry {
    fn of(rule: &Rule) -> Self {
        Self {
            code: rule.code,
            slug: rule.slug,
            severity: rule.severity,
            step: rule.step.as_str(),
            documentation: None,
        }
    }
}

/// Everything that can be found.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Catalogue {
    /// In the order of their codes.
    findings: Vec<Entry>,
}

pub(super) async fn list() -> Response {
    let findings = RULES.iter().map(Entry::of).collect();
    Json(Catalogue { findings }).into_response()
}

pub(super) async fn page(Path(code): Path<String>) -> Result<Response, Problem> {
    let rule = find(&code).ok_or_else(|| {
        let code: String = code.chars().take(60).collect();
        Problem::new(
            Code::NotFound,
            format!("there is no finding {code:?}; /api/findings lists all"),
        )
    })?;
    let entry = Entry {
        documentation: Some(markdown(rule)),
        ..Entry::of(rule)
    };
    Ok(Json(entry).into_response())
}
