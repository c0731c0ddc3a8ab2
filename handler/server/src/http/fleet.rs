//! The overview of many clusters over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_arm::{ArmError, Failure, ResourceId};
use egress_collect::Located;
use egress_diagnosis::report::Status;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::cluster_id::{self, ClusterId};
use crate::fleet::overview::{Fleet, Key, Wanted};
use crate::fleet::rows::Stored;
use crate::fleet::{sweep, text};
use crate::jobs::messages::Post;
use crate::jobs::{self, Delivery};
use crate::problem::{Code, Problem};

use super::App;
use super::diagnoses::base;
use super::fields::{self, Field};
use super::formats::{self, Format};
use super::links;
use super::parameters::{Known, format, shown};
use super::report::answer;

/// The fields of the overview.
pub(super) const FIELDS: [&str; 5] = ["subscriptionId", "status", "top", "continuation", "format"];
/// Those that may be given more than once, or as a list with commas.
const LISTS: [&str; 2] = ["subscriptionId", "status"];
/// The formats of the overview, best first.
pub(super) const FORMATS: [Format; 2] = [Format::Json, Format::Text];

/// Rows of a page unless the caller says otherwise.
pub(super) const DEFAULT_TOP: usize = 100;
/// Most rows of a page.
pub(super) const MOST_TOP: usize = 1000;
/// Subscriptions that one request may name.
const MOST_SUBSCRIPTIONS: usize = 200;
/// How long the stored rows may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One page of the stored rows, worst first.
pub(super) async fn overview(
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
        Delivery::Host => app.fleet.read(Instant::now() + PATIENCE).await?,
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

/// The fields of an order for many diagnoses; exactly one of them.
pub(super) const ORDER_FIELDS: [&str; 2] = ["subscriptionIds", "clusterIds"];
/// Clusters that one order may name, or that its subscriptions may have.
pub(super) const MOST_ORDERED: usize = 500;

/// What is said of an order for many diagnoses.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(super) struct SweepAccepted {
    /// Diagnoses that were ordered.
    enqueued: usize,
    /// Each of them.
    diagnoses: Vec<Ordered>,
    /// Clusters that there are beyond the limit of one order.
    left_out: usize,
    /// What stood in the way of listing the clusters.
    reasons: Vec<String>,
}

/// A diagnosis that was ordered.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = OrderedDiagnosis))]
#[serde(rename_all = "camelCase")]
pub(super) struct Ordered {
    /// Fetches the result.
    id: String,
    /// ARM id of the cluster.
    cluster_id: String,
    /// Where the result will be.
    location: String,
}

/// Takes the order for diagnoses of the clusters of subscriptions, or of named clusters.
pub(super) async fn order(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    jobs::check_caller(app.jobs()?, request.extensions())?;
    let headers = request.headers().clone();
    let fields = Known::among(fields::read(request).await?, &ORDER_FIELDS, &[])?;
    let located = match (fields.value("subscriptionIds"), fields.value("clusterIds")) {
        (Some(subscriptions), None) => {
            let subscriptions = named_subscriptions(&app, subscriptions)?;
            let reports = app.reports()?;
            reports.list_clusters(subscriptions, MOST_ORDERED).await
        }
        (None, Some(clusters)) => Located {
            clusters: named_clusters(&app, clusters)?,
            ..Located::default()
        },
        (both, _) => {
            let text = "give either subscriptionIds or clusterIds, a list of ids";
            let field = if both.is_some() {
                "clusterIds"
            } else {
                "subscriptionIds"
            };
            return Err(Problem::new(Code::InvalidRequest, text).about(field));
        }
    };
    sweep::check(&located)?;
    let jobs = sweep::ordered(&app, &located.clusters)?;
    let base = base(&headers);
    let diagnoses = jobs
        .iter()
        .zip(&located.clusters)
        .map(|(job, cluster)| Ordered {
            id: job.id.to_string(),
            cluster_id: cluster.to_string(),
            location: format!("{base}/api/diagnoses/{}", job.id),
        });
    let accepted = SweepAccepted {
        enqueued: jobs.len(),
        diagnoses: diagnoses.collect(),
        left_out: located.left_out,
        reasons: located.reasons,
    };
    let mut response = answer((StatusCode::ACCEPTED, Json(accepted)).into_response());
    jobs::send(
        &app,
        jobs.iter().map(Post::diagnosis).collect(),
        &mut response,
    )?;
    Ok(response)
}

/// The texts of a list of 1 to `most`.
fn texts<'a>(name: &str, value: &'a Value, most: usize) -> Result<Vec<&'a str>, Problem> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    texts
        .filter(|texts| (1..=most).contains(&texts.len()))
        .ok_or_else(|| {
            let text = format!("{name} must be a list of 1 to {most} ids");
            Problem::new(Code::InvalidRequest, text).about(name)
        })
}

fn named_subscriptions(app: &App, value: &Value) -> Result<BTreeSet<String>, Problem> {
    let name = "subscriptionIds";
    let allowed = app.reports()?.allowed_subscriptions();
    let mut subscriptions = BTreeSet::new();
    for text in texts(name, value, MOST_SUBSCRIPTIONS)? {
        let subscription = subscription(name, text)?;
        check_allowed(allowed, &subscription)?;
        subscriptions.insert(subscription);
    }
    Ok(subscriptions)
}

fn named_clusters(app: &App, value: &Value) -> Result<Vec<ClusterId>, Problem> {
    let name = "clusterIds";
    let mut clusters = BTreeSet::new();
    for text in texts(name, value, MOST_ORDERED)? {
        let cluster = cluster_id::parse(text).map_err(|why| {
            let why = format!("{}: {why}", shown(text));
            Problem::new(Code::InvalidClusterId, why).about(name)
        })?;
        app.reports()?.check_scope(&cluster)?;
        clusters.insert(cluster);
    }
    Ok(clusters.into_iter().collect())
}

fn subscription(field: &str, text: &str) -> Result<String, Problem> {
    if ResourceId::of_subscription(text).is_err() {
        let text = format!("{} is not a subscription id, which is a GUID", shown(text));
        return Err(Problem::field(field, text));
    }
    Ok(text.to_ascii_lowercase())
}

fn check_allowed(allowed: &BTreeSet<String>, subscription: &str) -> Result<(), Problem> {
    if allowed.is_empty() || allowed.contains(subscription) {
        return Ok(());
    }
    let text = format!("subscription {subscription} is not one this app may look into");
    Err(Problem::new(Code::ScopeNotAllowed, text))
}

impl From<ArmError> for Problem {
    /// The stored rows could not be read.
    fn from(error: ArmError) -> Self {
        let problem = match error.failure() {
            Failure::Forbidden { action, .. } => {
                let action = action.clone().unwrap_or_default();
                Self::new(
                    Code::AzureForbidden,
                    "the app's identity may not read the stored results",
                )
                .needs(action, "the app's storage account".to_owned())
            }
            Failure::IdentityFailed => Self::new(
                Code::IdentityFailed,
                "the app's identity could not get a token for its storage; the app's log says why",
            ),
            _ => Self::new(
                Code::AzureUnreachable,
                "the stored results could not be read from the app's storage",
            ),
        };
        problem.log(error.detail())
    }
}
