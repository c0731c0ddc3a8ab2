//! The rows of what is stored, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_diagnosis::report::Status;
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::fleet::overview::{Fleet, Key, Wanted};
use crate::fleet::rows::{Stored, unreadable};
use crate::fleet::text;
use crate::http::App;
use crate::http::fields::{self, Field};
use crate::http::formats::{self, Format};
use crate::http::links;
use crate::http::parameters::{Known, format, shown};
use crate::http::report::answer;
use crate::jobs::Delivery;
use crate::problem::Problem;

use super::{MOST_SUBSCRIPTIONS, check_allowed, subscription};

/// The fields of the overview.
pub(in crate::http) const FIELDS: [&str; 5] =
    ["subscriptionId", "status", "top", "continuation", "format"];
/// Those that may be given more than once, or as a list with commas.
const LISTS: [&str; 2] = ["subscriptionId", "status"];
/// The formats of the overview, best first.
pub(in crate::http) const FORMATS: [Format; 2] = [Format::Json, Format::Text];

/// Rows of a page unless the caller says otherwise.
pub(in crate::http) const DEFAULT_TOP: usize = 100;
/// Most rows of a page.
pub(in crate::http) const MOST_TOP: usize = 1000;
/// How long the stored rows may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One page of the stored rows, worst first.
pub(in crate::http) async fn overview(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let fields = Known::among(fields::read(request).await?, &FIELDS, &LISTS)?;
    let named = fields.value("format").map(format).transpose()?;
    let format = formats::choose(named, &headers, &FORMATS)?;
    let wanted = wanted(&fields)?;
    let allowed = app.reports()?.allowed_subscriptions();
    for subscription in &wanted.subscriptions {
        check_allowed(allowed, subscription)?;
    }
    let stored = match &app.jobs()?.delivery {
        Delivery::Host => {
            let read = app.fleet.read(Instant::now() + PATIENCE).await;
            read.map_err(|error| unreadable(&error))?
        }
        Delivery::Local(local) => Stored::of_texts(&local.rows()),
    };
    let mut fleet = Fleet::of(stored, &wanted, allowed, Timestamp::now());
    if format == Format::Text {
        let kind = [(header::CONTENT_TYPE, format.content_type())];
        return Ok(answer((kind, text::text(&fleet)).into_response()));
    }
    fleet.next_link = next_link(&headers, &fields, fleet.continuation.as_deref());
    Ok(answer(Json(fleet).into_response()))
}

/// The same question from the next row on.
fn next_link(headers: &HeaderMap, fields: &Known, continuation: Option<&str>) -> Option<String> {
    let same = fields.all().iter().filter(|f| f.name != "continuation");
    let mut pairs: Vec<(&str, &str)> = same
        .filter_map(|field| Some((field.name.as_str(), field.value.as_str()?)))
        .collect();
    pairs.push(("continuation", continuation?));
    links::absolute(headers, "/api/fleet", &pairs)
}

fn wanted(fields: &Known) -> Result<Wanted, Problem> {
    let continuation = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        Key::read(text).ok_or_else(|| {
            Problem::field("continuation", "continuation is not one that this app gave")
        })
    };
    Ok(Wanted {
        subscriptions: subscriptions(fields.all())?,
        statuses: statuses(fields.all())?,
        top: fields.value("top").map_or(Ok(DEFAULT_TOP), top)?,
        after: fields.value("continuation").map(continuation).transpose()?,
    })
}

/// The values of a field that may be a list, blank ones left out.
fn listed<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = fields.iter().filter(move |field| field.name == name);
    named
        .filter_map(|field| field.value.as_str())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn subscriptions(fields: &[Field]) -> Result<BTreeSet<String>, Problem> {
    let name = "subscriptionId";
    let mut subscriptions = BTreeSet::new();
    for text in listed(fields, name) {
        subscriptions.insert(subscription(name, text)?);
    }
    if subscriptions.len() > MOST_SUBSCRIPTIONS {
        let text =
            format!("more than {MOST_SUBSCRIPTIONS} subscriptions; leave the field out for all");
        return Err(Problem::field(name, text));
    }
    Ok(subscriptions)
}

fn statuses(fields: &[Field]) -> Result<Vec<Status>, Problem> {
    listed(fields, "status")
        .map(|text| {
            serde_json::from_value(Value::from(text)).map_err(|_| {
                let text = format!(
                    "status {} is none of blocked, degraded, unknown, atRisk and healthy",
                    shown(text)
                );
                Problem::field("status", text)
            })
        })
        .collect()
}

fn top(value: &Value) -> Result<usize, Problem> {
    let number = value.as_str().and_then(|text| text.parse().ok());
    number
        .filter(|top| (1..=MOST_TOP).contains(top))
        .ok_or_else(|| {
            Problem::field(
                "top",
                format!("top must be a whole number from 1 to {MOST_TOP}"),
            )
        })
}
