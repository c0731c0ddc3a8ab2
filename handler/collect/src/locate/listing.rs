//! All clusters of subscriptions: Resource Graph for all of them at once, else each subscription's own list.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_arm::model::{GraphPage, ManagedCluster, SubscriptionItem};
use egress_arm::{ArmError, Client, ResourceId, Session, operations};
use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::ask::Ask;
use super::clusters::wanted;
use super::groups::CLUSTER;
use super::{CONCURRENT, Located};

/// The question to Resource Graph. It gives further pages only of what has an id, in an order.
const QUERY: &str = "resources | where type =~ 'Microsoft.ContainerService/managedClusters' | project id | order by id asc";
/// Rows of one page; Azure gives no more.
const PAGE_ROWS: u32 = 1000;
/// Pages of one question.
const MOST_PAGES: usize = 100;
/// How long the graph is waited for.
const GRAPH_PATIENCE: Duration = Duration::from_secs(15);
/// Subscriptions that one question may name.
const SUBSCRIPTIONS_ASKED: usize = 1000;

/// Which clusters are listed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Those of these subscriptions, in lower case. Empty: of all that may be asked.
    pub subscriptions: BTreeSet<String>,
    /// The only subscriptions that may be asked, in lower case. Empty: all that the identity can read.
    pub allowed: BTreeSet<String>,
    /// The most clusters wanted.
    pub most: usize,
    /// When listing ends.
    pub deadline: Instant,
}

/// Lists the clusters, until the deadline at the latest. Resource Graph lags, and leaves out what may not be read without
/// a word: a subscription that was named and of which it shows nothing is listed itself.
pub async fn list_clusters(client: &Client, listing: &Listing) -> Located {
    let session = client
        .session(listing.deadline)
        .with_concurrency(CONCURRENT);
    let ask = Ask::new(&session, &listing.allowed);
    let named = if listing.subscriptions.is_empty() {
        &listing.allowed
    } else {
        &listing.subscriptions
    };
    let mut subscriptions = named.clone();
    if named.is_empty() {
        subscriptions = readable(&ask).await;
    }
    subscriptions.retain(|subscription| {
        ResourceId::of_subscription(subscription).is_ok_and(|id| ask.may_ask(&id))
    });
    // One that hangs leaves the time for the lists.
    let patience = listing.deadline.min(Instant::now() + GRAPH_PATIENCE);
    let asked = client.session(patience);
    let (mut found, unseen) = match graph(&asked, &ask, &subscriptions).await {
        Ok(found) if named.is_empty() => (found, BTreeSet::new()),
        Ok(found) => {
            let seen: BTreeSet<String> = found.iter().map(subscription).collect();
            let unseen = subscriptions.difference(&seen).cloned().collect();
            (found, unseen)
        }
        Err(error) => {
            tracing::info!(request_id = error.request_id(), "{}", error.detail());
            ask.note(format!(
                "Resource Graph: {error}; each subscription was listed instead"
            ));
            (BTreeSet::new(), subscriptions)
        }
    };
    found.append(&mut one_by_one(&ask, &unseen).await);
    let (reasons, passing) = ask.noted();
    Located::of(found, listing.most, reasons, passing)
}

fn subscription(id: &ResourceId) -> String {
    id.subscription().to_ascii_lowercase()
}

/// The subscriptions that the identity can read.
async fn readable(ask: &Ask<'_>) -> BTreeSet<String> {
    let items: Option<Vec<SubscriptionItem>> = ask
        .list(&operations::SUBSCRIPTIONS_LIST, &ResourceId::tenant())
        .await;
    let ids = items.into_iter().flatten();
    ids.filter_map(|item| item.subscription_id.0)
        .map(|id| id.to_ascii_lowercase())
        .collect()
}

/// The clusters that Resource Graph knows in these subscriptions, all of them.
async fn graph(
    session: &Session,
    ask: &Ask<'_>,
    subscriptions: &BTreeSet<String>,
) -> Result<BTreeSet<ResourceId>, ArmError> {
    let operation = &operations::RESOURCE_GRAPH_QUERY;
    let incomplete = |what: &str| ArmError::incomplete(operation, what);
    let all: Vec<&String> = subscriptions.iter().collect();
    let mut found = BTreeSet::new();
    for asked in all.chunks(SUBSCRIPTIONS_ASKED) {
        let mut rows: u32 = 0;
        let mut token: Option<String> = None;
        for turn in 0.. {
            let mut options = json!({ "resultFormat": "objectArray", "$top": PAGE_ROWS });
            if let (Some(token), Some(options)) = (&token, options.as_object_mut()) {
                options.insert("$skipToken".to_owned(), json!(token));
            }
            let body = json!({ "subscriptions": asked, "query": QUERY, "options": options });
            let page: GraphPage = session
                .query(operation, &ResourceId::tenant(), &body)
                .await?;
            let Some(data) = page.data.as_ref().and_then(|data| data.whole()) else {
                return Err(incomplete("no list of objects"));
            };
            for row in data {
                rows = rows.saturating_add(1);
                let id = row.id.as_deref();
                match id.and_then(|id| ResourceId::parse_type(id, CLUSTER).ok()) {
                    Some(id) if subscriptions.contains(&subscription(&id)) => {
                        found.insert(id);
                    }
                    _ => ask.note(
                        "Resource Graph: some rows are no clusters of these subscriptions"
                            .to_owned(),
                    ),
                }
            }
            let next = page.skip_token.0;
            if next.is_none() {
                // Without a way to the next page, rows may be missing all the same.
                if page.total_records.is_none_or(|total| rows < total) {
                    return Err(incomplete("fewer rows than it counts"));
                }
                break;
            }
            if data.is_empty() || next == token || turn >= MOST_PAGES {
                return Err(incomplete("the pages do not end"));
            }
            token = next;
        }
    }
    Ok(found)
}

async fn one_by_one(ask: &Ask<'_>, subscriptions: &BTreeSet<String>) -> BTreeSet<ResourceId> {
    let lists = wanted(ask, subscriptions).map(|(_, id)| async move {
        let clusters: Option<Vec<ManagedCluster>> = ask.list(&operations::CLUSTERS_LIST, &id).await;
        clusters
    });
    // A list that could not be read is among the reasons that `ask` keeps.
    let lists = join_all(lists).await;
    let bodies = lists.iter().flatten().flatten();
    let ids = bodies.filter_map(|body| body.id.as_deref());
    ids.filter_map(|id| ResourceId::parse_type(id, CLUSTER).ok())
        .filter(|id| subscriptions.contains(&subscription(id)))
        .collect()
}
