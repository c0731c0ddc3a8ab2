//! What can be found, and the schemas of the answers.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use egress_diagnosis::answers;
use egress_diagnosis::report::{self, Severity};
use egress_diagnosis::rules::{RULES, Rule, find, page as markdown};
use http::header;
use serde::Serialize;
use serde_json::Value;

use crate::problem::{Code, Problem};

/// One finding of the catalogue.
#[derive(Serialize)]
struct Entry {
    code: &'static str,
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

#[derive(Serialize)]
struct Catalogue {
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

/// A JSON Schema by its name.
type NamedSchema = (&'static str, fn() -> Value);

/// The JSON Schemas of the answers.
pub(crate) const SCHEMAS: [NamedSchema; 5] = [
    ("report", report::schema),
    ("paths", answers::paths_schema),
    ("outcome", answers::outcome_schema),
    ("bypass-plan", answers::bypass_schema),
    ("pressure", answers::pressure_schema),
];

pub(super) async fn schema(Path(file): Path<String>) -> Result<Response, Problem> {
    let wanted = SCHEMAS
        .iter()
        .find(|(name, _)| file.strip_suffix(".json") == Some(name));
    let Some((_, schema)) = wanted else {
        let file: String = file.chars().take(60).collect();
        let names: Vec<String> = SCHEMAS
            .iter()
            .map(|(name, _)| format!("{name}.json"))
            .collect();
        let text = format!(
            "there is no schema {file:?}; there are {}",
            names.join(", ")
        );
        return Err(Problem::new(Code::NotFound, text));
    };
    let kind = [(header::CONTENT_TYPE, "application/schema+json")];
    Ok((kind, Json(schema())).into_response())
}
