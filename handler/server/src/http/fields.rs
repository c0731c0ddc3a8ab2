//! A request's fields as they came: from the query, and from the JSON body of a POST.

use std::error::Error;
use std::fmt;

use axum::body::Body;
use axum::extract::{Query, Request};
use futures::StreamExt;
use http::{HeaderMap, Method, header};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::problem::{Code, Problem};

/// Largest body that is read.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How much of a larger one is taken and thrown away, so that the sender gets to see the answer.
const MAX_DISCARDED_BYTES: usize = 128 * 1024 * 1024;

/// One field: name and value, not yet looked at. A name may occur more than once.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Value,
}

/// All fields of a request.
pub(super) async fn read(request: Request) -> Result<Vec<Field>, Problem> {
    let mut fields = from_query(&request)?;
    if request.method() == Method::POST {
        fields.append(&mut from_body(request).await?);
    }
    Ok(fields)
}

fn from_query(request: &Request) -> Result<Vec<Field>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
        .map_err(|_| Problem::new(Code::InvalidRequest, "the query cannot be read"))?
        .0;
    Ok(pairs
        .into_iter()
        // The Functions host takes the function key from `code` and passes it on.
        .filter(|(name, _)| !name.eq_ignore_ascii_case("code"))
        .map(|(name, value)| Field {
            name,
            value: Value::String(value),
        })
        .collect())
}

async fn from_body(request: Request) -> Result<Vec<Field>, Problem> {
    let is_json = is_json(request.headers());
    let bytes = read_body(request.into_body(), MAX_BODY_BYTES).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    if !is_json {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "the body must be JSON, sent with Content-Type: application/json",
        ));
    }
    serde_json::from_slice::<Object>(&bytes)
        .map(|object| object.0)
        .map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = format!("the body is not a JSON object (line {line}, column {column})");
            Problem::new(Code::InvalidRequest, text)
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = value.and_then(|v| v.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| {
        let essence = essence.to_ascii_lowercase();
        let is_suffixed = essence.starts_with("application/") && essence.ends_with("+json");
        essence == "application/json" || is_suffixed
    })
}

/// A body to its end.
///
/// # Errors
/// 413 for one of more than `limit` bytes.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::new(
            Code::PayloadTooLarge,
            format!("the body is larger than {limit} bytes"),
        )
    };
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length: usize = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(
                Code::InvalidRequest,
                "the body ended before it was complete",
            )
            .log(format!("reading the body failed: {}", root_cause(&error)))
        })?;
        length = length.saturating_add(chunk.len());
        if length <= limit {
            bytes.extend_from_slice(&chunk);
        } else if length > MAX_DISCARDED_BYTES {
            return Err(too_large());
        }
    }
    if length > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A JSON object that keeps a name given twice, where a map would silently keep the last.
struct Object(Vec<Field>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    fields.push(Field { name, value });
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
