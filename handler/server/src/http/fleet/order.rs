//! Orders for diagnoses of many clusters.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use egress_collect::Located;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::cluster_id::{self, ClusterId};
use crate::fleet::sweep;
use crate::http::App;
use crate::http::diagnoses::base;
use crate::http::fields;
use crate::http::parameters::{Known, shown};
use crate::http::report::answer;
use crate::jobs;
use crate::jobs::messages::Post;
use crate::problem::{Code, Problem};

use super::{MOST_SUBSCRIPTIONS, check_allowed, subscription};

/// The fields of an order for many diagnoses; exactly one of them.
pub(in crate::http) const ORDER_FIELDS: [&str; 2] = ["subscriptionIds", "clusterIds"];
/// Clusters that one order may name, or that its subscriptions may have.
pub(in crate::http) const MOST_ORDERED: usize = 500;

/// What is said of an order for many diagnoses.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct SweepAccepted {
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
pub(in crate::http) struct Ordered {
    /// Fetches the result.
    id: String,
    /// ARM id of the cluster.
    cluster_id: String,
    /// Where the result will be.
    location: String,
}

/// Takes the order for diagnoses of the clusters of subscriptions, or of named clusters.
pub(in crate::http) async fn order(
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
