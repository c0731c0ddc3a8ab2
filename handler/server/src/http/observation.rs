//! What a client inside the cluster saw, as fields of a request.

use egress_diagnosis::outcome::{Observation, ObservationError};
use egress_diagnosis::report::Pattern;
use serde_json::Value;

use crate::problem::Problem;

use super::parameters::{Known, shown};

/// The fields of an observation.
pub(super) const FIELDS: [&str; 5] = [
    "curlExitCode",
    "httpStatus",
    "nodePool",
    "text",
    "tcpConnects",
];

/// Longest text of a client that is read.
const LONGEST_TEXT: usize = 16 * 1024;
/// Longest name of a node pool.
const LONGEST_POOL: usize = 12;

/// Reads the fields; checked so far that only the analysis is missing.
pub(super) fn read(fields: &Known, pattern: Option<Pattern>) -> Result<Observation, Problem> {
    let observation = Observation {
        curl_exit: number(fields, "curlExitCode", 255)?.and_then(|n| n.try_into().ok()),
        http_status: number(fields, "httpStatus", 999)?,
        // Taken from the request's destination.
        destination: None,
        port: None,
        text: fields.value("text").map(text).transpose()?,
        pattern: pattern.unwrap_or(Pattern::Unknown),
        node_pool: fields.value("nodePool").map(pool).transpose()?,
        tcp_connects: fields.value("tcpConnects").map(flag).transpose()?,
    };
    observation.check().map_err(refused)?;
    Ok(observation)
}

/// The 400 for an observation that cannot be read.
pub(super) fn refused(error: ObservationError) -> Problem {
    let field = match error {
        ObservationError::Nothing | ObservationError::Contradictory { .. } => "curlExitCode",
        ObservationError::NotAStatus(_) => "httpStatus",
    };
    let hint = match error {
        ObservationError::Nothing => {
            ": curlExitCode (0 to 255) is what `echo $?` shows after curl, httpStatus (100 to 999) what \
             `curl -w '%{http_code}'` shows"
        }
        _ => "",
    };
    Problem::field(field, format!("{error}{hint}"))
}

/// A number, as JSON number or as text of digits.
fn number(fields: &Known, name: &str, most: u16) -> Result<Option<u16>, Problem> {
    let Some(value) = fields.value(name) else {
        return Ok(None);
    };
    let read = match value {
        Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
        Value::String(text) if text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    };
    read.filter(|n| *n <= most).map(Some).ok_or_else(|| {
        Problem::field(
            name,
            format!("{name} must be a whole number from 0 to {most}"),
        )
    })
}

fn text(value: &Value) -> Result<String, Problem> {
    let problem = |what: String| Problem::field("text", what);
    let text = value
        .as_str()
        .ok_or_else(|| problem("text must be a string: what the client printed".to_owned()))?;
    if text.len() > LONGEST_TEXT {
        return Err(problem(format!(
            "text is longer than {LONGEST_TEXT} bytes; give the client's error message and the response headers only"
        )));
    }
    Ok(text.to_owned())
}

/// Node pool names are lower-case letters and digits.
fn pool(value: &Value) -> Result<String, Problem> {
    let name = value.as_str().unwrap_or_default();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plain || !(1..=LONGEST_POOL).contains(&name.len()) {
        return Err(Problem::field(
            "nodePool",
            format!(
                "nodePool {} is no name of a node pool: one to {LONGEST_POOL} letters and digits; `az aks nodepool list` shows them",
                shown(name)
            ),
        ));
    }
    Ok(name.to_ascii_lowercase())
}

fn flag(value: &Value) -> Result<bool, Problem> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Problem::field(
            "tcpConnects",
            "tcpConnects must be true or false: whether `nc -z` to the same port works",
        )),
    }
}
