//! The fields of a report request, checked strictly: what is not understood is refused, never ignored.

use egress_diagnosis::report::Pattern;
use egress_diagnosis::trace::Destination;
use jiff::{SignedDuration, SpanRelativeTo, fmt::temporal::SpanParser};
use serde_json::{Map, Value};

use crate::cluster_id::{self, ClusterId};
use crate::engine::DiagnosisRequest;
use crate::problem::Problem;

use super::fields::Field;
use super::formats::Format;

/// Fields of every request about a cluster.
pub(super) const KNOWN: [&str; 6] = [
    "clusterId",
    "window",
    "destination",
    "pattern",
    "fresh",
    "format",
];

/// Default length of the metrics window.
pub(crate) const DEFAULT_WINDOW: SignedDuration = SignedDuration::from_hours(6);
const SHORTEST_WINDOW: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a caller asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) request: DiagnosisRequest,
    pub(crate) fresh: bool,
    /// The format named in the request; the `Accept` header decides when there is none.
    pub(super) format: Option<Format>,
    /// Whose path is wanted.
    pub(crate) destination: Option<Destination>,
    /// What the caller has seen.
    pub(crate) pattern: Option<Pattern>,
}

/// The fields of a request, each known and given once.
pub(super) struct Known(Vec<Field>);

impl Known {
    /// Refuses fields that are neither every request's nor among `more`, and those given more than once.
    pub(super) fn check(fields: Vec<Field>, more: &[&'static str]) -> Result<Self, Problem> {
        Self::among(fields, &[KNOWN.as_slice(), more].concat(), &[])
    }

    /// Refuses fields that are not among `known`, and those given more than once that are not `lists`.
    pub(super) fn among(
        mut fields: Vec<Field>,
        known: &[&'static str],
        lists: &[&'static str],
    ) -> Result<Self, Problem> {
        // A null is how some callers leave a field out.
        fields.retain(|field| !field.value.is_null() || !known.contains(&field.name.as_str()));
        refuse_unknown(&fields, known)?;
        let single: Vec<&'static str> = known
            .iter()
            .copied()
            .filter(|name| !lists.contains(name))
            .collect();
        refuse_doubled(&fields, &single)?;
        Ok(Self(fields))
    }

    /// All fields as they came.
    pub(super) fn all(&self) -> &[Field] {
        &self.0
    }

    /// The value of a field; `None` when it was left out.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|f| f.name == name).map(|f| &f.value)
    }
}

impl Known {
    /// The fields as a JSON object, from which [`Parameters::of_map`] reads the same again.
    pub(super) fn to_map(&self) -> Map<String, Value> {
        let fields = self.0.iter();
        fields.map(|f| (f.name.clone(), f.value.clone())).collect()
    }

    /// The one field of a route that takes no other.
    pub(super) fn only_format(fields: &[Field]) -> Result<Option<Format>, Problem> {
        const FORMAT: &[&str] = &["format"];
        refuse_unknown(fields, FORMAT)?;
        refuse_doubled(fields, FORMAT)?;
        fields.first().map(|f| format(&f.value)).transpose()
    }
}

impl Parameters {
    /// Reads fields that were checked before, at another time.
    pub(crate) fn of_map(fields: &Map<String, Value>) -> Result<Self, Problem> {
        let fields = fields.iter().map(|(name, value)| Field {
            name: name.clone(),
            value: value.clone(),
        });
        Self::from_fields(&Known::check(fields.collect(), &[])?)
    }

    /// Whether one report answers both: all that it depends on is the same, whether said or left to the default.
    pub(crate) fn asks_the_same(&self, other: &Self) -> bool {
        let question = |asked: &Self| {
            (
                asked.request.clone(),
                asked.destination.clone(),
                asked.pattern,
            )
        };
        question(self) == question(other)
    }

    /// Checks the fields.
    pub(super) fn from_fields(fields: &Known) -> Result<Self, Problem> {
        let value = |name: &str| fields.value(name);
        Ok(Self {
            request: DiagnosisRequest {
                cluster: cluster(value("clusterId"))?,
                window: value("window").map_or(Ok(DEFAULT_WINDOW), window)?,
                pressure: false,
            },
            fresh: value("fresh").map_or(Ok(false), fresh)?,
            format: value("format").map(format).transpose()?,
            destination: value("destination").map(destination).transpose()?,
            pattern: value("pattern").map(pattern).transpose()?,
        })
    }
}

fn refuse_unknown(fields: &[Field], known: &[&'static str]) -> Result<(), Problem> {
    let mut unknown: Vec<String> = fields
        .iter()
        .filter(|f| !known.contains(&f.name.as_str()))
        .map(|f| shown(&f.name))
        .collect();
    unknown.dedup();
    let Some(first) = fields.iter().find(|f| !known.contains(&f.name.as_str())) else {
        return Ok(());
    };
    let text = format!(
        "unknown field {}; known are {}",
        unknown.join(", "),
        known.join(", ")
    );
    Err(Problem::field(
        &first.name.chars().take(60).collect::<String>(),
        text,
    ))
}

fn refuse_doubled(fields: &[Field], known: &[&'static str]) -> Result<(), Problem> {
    let doubled = known
        .iter()
        .find(|name| fields.iter().filter(|f| f.name == **name).count() > 1);
    doubled.map_or(Ok(()), |name| {
        let text = format!(
            "{name} was given more than once, in the query, the body or both; give it once"
        );
        Err(Problem::field(name, text))
    })
}

fn cluster(value: Option<&Value>) -> Result<ClusterId, Problem> {
    let problem = |text: String| Problem::field("clusterId", text);
    match value {
        None => Err(problem(cluster_id::missing())),
        Some(Value::String(text)) => cluster_id::parse(text).map_err(problem),
        Some(_) => Err(problem("clusterId must be a string".to_owned())),
    }
}

fn window(value: &Value) -> Result<SignedDuration, Problem> {
    value
        .as_str()
        .ok_or_else(|| "window must be a string".to_owned())
        .and_then(parse_window)
        .map_err(|text| Problem::field("window", text))
}

/// Parses a window: an ISO 8601 duration from PT5M to P7D. The error is for the caller.
pub(crate) fn parse_window(text: &str) -> Result<SignedDuration, String> {
    let wrong = |why: &str| {
        let shown = shown(text);
        format!("window {shown} {why}; use an ISO 8601 duration from PT5M to P7D, such as PT6H")
    };
    let span = SpanParser::new()
        .parse_span(text)
        .map_err(|_| wrong("is not an ISO 8601 duration"))?;
    let window = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong("has no fixed length"))?;
    if window < SHORTEST_WINDOW {
        return Err(wrong("is too short"));
    }
    if window > LONGEST_WINDOW {
        return Err(wrong("is too long"));
    }
    Ok(window)
}

fn fresh(value: &Value) -> Result<bool, Problem> {
    match value {
        Value::Bool(fresh) => Ok(*fresh),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Problem::field("fresh", "fresh must be true or false")),
    }
}

pub(super) fn format(value: &Value) -> Result<Format, Problem> {
    let text = value.as_str().unwrap_or_default();
    text.parse()
        .map_err(|why: String| Problem::field("format", why))
}

fn destination(value: &Value) -> Result<Destination, Problem> {
    value
        .as_str()
        .ok_or_else(|| "destination must be a string".to_owned())
        .and_then(|text| {
            text.parse()
                .map_err(|error: egress_diagnosis::trace::DestinationError| error.to_string())
        })
        .map_err(|text| Problem::field("destination", text))
}

fn pattern(value: &Value) -> Result<Pattern, Problem> {
    match value.as_str() {
        Some("persistent") => Ok(Pattern::Persistent),
        Some("intermittent") => Ok(Pattern::Intermittent),
        _ => Err(Problem::field(
            "pattern",
            "pattern must be persistent or intermittent",
        )),
    }
}

/// As much of a caller's word as an answer repeats, quoted.
pub(super) fn shown(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    format!("{start:?}")
}
