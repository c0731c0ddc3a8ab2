//! The interface as files: OpenAPI, and the JSON Schemas of the answers, which are parts of it.
//!
//! The files in `docs/contracts` are written from the routes and types by a test, and are, compressed, part of the binary:
//! the code that describes the types is not.

use std::collections::BTreeSet;
use std::io::{self, Read};

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use flate2::read::ZlibDecoder;
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use crate::problem::{Code, Problem};

/// A file that is part of the binary.
#[derive(Clone, Copy)]
pub(super) struct Packed(&'static [u8]);

impl Packed {
    /// # Errors
    /// None: what the build packed can be unpacked, of which there is a test.
    pub(super) fn text(self) -> io::Result<String> {
        let mut text = String::new();
        ZlibDecoder::new(self.0).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The interface in OpenAPI 3.1.
pub(super) const OPENAPI: Packed =
    Packed(include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.z")));
/// The interface in OpenAPI 2.0.
pub(super) const SWAGGER: Packed =
    Packed(include_bytes!(concat!(env!("OUT_DIR"), "/swagger.json.z")));
/// The host in [`SWAGGER`], which stands for the app's own.
pub(super) const ANY_HOST: &str = "your-app.azurewebsites.net";

/// Where OpenAPI keeps its schemas.
pub(super) const COMPONENTS: &str = "#/components/schemas/";

/// An answer with a JSON Schema of its own: its name, its part of [`OPENAPI`], its title.
pub(super) const SCHEMAS: [(&str, &str, &str); 5] = [
    ("report", "Report", "AKS egress report"),
    ("paths", "PathsAnswer", "AKS egress paths"),
    ("outcome", "OutcomeAnswer", "AKS egress outcome"),
    ("pressure", "PressureAnswer", "AKS node and disk pressure"),
    ("bypass-plan", "BypassAnswer", "AKS egress bypass plan"),
];

const JSON: &str = "application/json";

pub(super) async fn openapi() -> Result<Response, Problem> {
    let text = OPENAPI.text().map_err(not_unpacked)?;
    Ok(([(header::CONTENT_TYPE, JSON)], text).into_response())
}

/// With the host that the caller used: what imports the file takes the app's address from it.
pub(super) async fn swagger(headers: HeaderMap) -> Result<Response, Problem> {
    // The Functions host puts the caller's there, and its own address into Host.
    let host = ["x-forwarded-host", "host"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .filter(|host| is_plain_host(host));
    let mut text = SWAGGER.text().map_err(not_unpacked)?;
    if let Some(host) = host {
        text = text.replacen(ANY_HOST, host, 1);
    }
    Ok(([(header::CONTENT_TYPE, JSON)], text).into_response())
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn not_unpacked(error: io::Error) -> Problem {
    Problem::new(
        Code::InternalError,
        format!("the interface's file cannot be unpacked: {error}"),
    )
}

/// Whether it is a name or an address with or without a port, and nothing that could end a JSON string.
pub(super) fn is_plain_host(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:".contains(&b);
    (1..=255).contains(&host.len()) && host.bytes().all(plain)
}

pub(super) async fn schema_file(Path(file): Path<String>) -> Result<Response, Problem> {
    let Some(schema) = file.strip_suffix(".json").and_then(schema) else {
        let file: String = file.chars().take(60).collect();
        let names: Vec<String> = schema_names().map(|name| format!("{name}.json")).collect();
        let text = format!(
            "there is no schema {file:?}; there are {}",
            names.join(", ")
        );
        return Err(Problem::new(Code::NotFound, text));
    };
    let kind = [(header::CONTENT_TYPE, "application/schema+json")];
    Ok((kind, Json(schema)).into_response())
}

/// The names of the JSON Schemas.
pub(crate) fn schema_names() -> impl Iterator<Item = &'static str> {
    SCHEMAS.iter().map(|(name, ..)| *name)
}

/// The JSON Schema (2020-12) with this name, with its parts in `$defs`.
pub(crate) fn schema(name: &str) -> Option<Value> {
    let (_, part, title) = SCHEMAS.iter().find(|(known, ..)| *known == name)?;
    let document: Value = serde_json::from_str(&OPENAPI.text().ok()?).ok()?;
    let parts = document.pointer("/components/schemas")?.as_object()?;
    let mut schema = parts.get(*part)?.as_object()?.clone();
    let mut used = BTreeSet::new();
    for value in schema.values() {
        parts_used(value, parts, &mut used);
    }
    let defs: Map<String, Value> = used
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), parts.get(name)?.clone())))
        .collect();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!(title));
    schema.insert("$defs".to_owned(), Value::Object(defs));
    let mut schema = Value::Object(schema);
    repoint(&mut schema, "#/$defs/");
    Some(schema)
}

/// Adds the names of the parts that `value` refers to, and of those that these refer to.
fn parts_used<'a>(value: &'a Value, parts: &'a Map<String, Value>, used: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            let name = members
                .get("$ref")
                .and_then(|target| target.as_str()?.strip_prefix(COMPONENTS));
            if let Some(name) = name
                && used.insert(name)
                && let Some(part) = parts.get(name)
            {
                parts_used(part, parts, used);
            }
            members
                .values()
                .for_each(|member| parts_used(member, parts, used));
        }
        Value::Array(items) => items.iter().for_each(|item| parts_used(item, parts, used)),
        _ => {}
    }
}

/// Points references to OpenAPI's parts at another place.
pub(super) fn repoint(value: &mut Value, to: &str) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix(COMPONENTS)
            {
                *target = format!("{to}{name}");
            }
            members.values_mut().for_each(|member| repoint(member, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repoint(item, to)),
        _ => {}
    }
}
