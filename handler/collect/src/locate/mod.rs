//! Which clusters something that Azure speaks of may concern: from resources and names to cluster ids.
//!
//! | tried in this order | what leads to the cluster |
//! |---|---|
//! | the resource group | `managedBy`, which AKS sets on the node resource group and nobody can change; else its tags |
//! | names | the clusters of that name |
//! | the resource itself | its tags |
//! | NAT gateway, route table, network security group, subnet, virtual network | clusters with a pool in one of its subnets |
//! | public IP address or prefix | what has the address, in this table again |
//! | firewall, firewall policy, virtual hub | clusters in subnets whose routes lead to the firewall, or in networks that take their default route from the hub |
//!
//! A resource group that may not be read is found again as the node resource group of a listed cluster. What cannot be
//! read is a reason in the answer, never an error.

mod ask;
mod clusters;
mod groups;
mod listing;
mod uses;

use std::collections::BTreeSet;

use egress_arm::{Client, ResourceId};
use futures::future::join_all;
use tokio::time::Instant;

use ask::Ask;
use clusters::Clusters;
use groups::Groups;
use uses::Uses;

pub use listing::{Listing, list_clusters};

/// Requests of one search at the same time: alerts come in bursts, and Azure counts.
const CONCURRENT: usize = 8;
/// How often one thing may lead to the next: policy, firewall, address.
const DEEPEST: usize = 4;
/// Resources looked at on one level.
const WIDEST: usize = 20;
/// Reasons kept.
const MOST_REASONS: usize = 20;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Resources that belong to the cluster or carry its traffic.
    pub resources: Vec<ResourceId>,
    /// Names of clusters.
    pub names: Vec<ClusterName>,
    /// Subscriptions named beside these, in lower case.
    pub mentioned: BTreeSet<String>,
    /// The only subscriptions that may be asked, in lower case. Empty: those of the ids that come up.
    pub allowed: BTreeSet<String>,
    /// The most clusters wanted.
    pub most: usize,
    /// When the search ends.
    pub deadline: Instant,
}

/// A cluster that only its name is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName {
    /// The name, in any case.
    pub name: String,
    /// Its resource group, or its node resource group, where that is known too.
    pub group: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// The clusters, in the order of their ids.
    pub clusters: Vec<ResourceId>,
    /// How many more there are than were wanted.
    pub left_out: usize,
    /// What stood in the way, in sentences that any caller may read.
    pub reasons: Vec<String>,
    /// Whether some of it may be over soon: throttling, an outage, a deadline.
    pub passing: bool,
}

/// Searches, until the deadline at the latest.
pub async fn locate(client: &Client, search: &Search) -> Located {
    let session = client.session(search.deadline).with_concurrency(CONCURRENT);
    let ask = Ask::new(&session, &search.allowed);
    let mut found = find(&ask, search).await;
    found.retain(|cluster| ask.may_ask(cluster));
    let (mut reasons, passing) = ask.noted();
    if found.is_empty() && reasons.is_empty() {
        reasons
            .push("nothing that is named belongs to an AKS cluster or is used by one".to_owned());
    }
    Located::of(found, search.most, reasons, passing)
}

impl Located {
    fn of(
        found: BTreeSet<ResourceId>,
        most: usize,
        mut reasons: Vec<String>,
        passing: bool,
    ) -> Self {
        reasons.truncate(MOST_REASONS);
        let left_out = found.len().saturating_sub(most);
        Self {
            clusters: found.into_iter().take(most).collect(),
            left_out,
            reasons,
            passing,
        }
    }
}

async fn find(ask: &Ask<'_>, search: &Search) -> BTreeSet<ResourceId> {
    let mut groups = Groups::default();
    let mut clusters = Clusters::default();
    let mut found = BTreeSet::new();
    let wanted = search.resources.iter().map(uses::subject).collect();
    let mut wave = groups.without_owner(ask, wanted, &mut found).await;
    if found.is_empty() && !search.names.is_empty() {
        let subscriptions = subscriptions(search, &[]);
        found = clusters.named(ask, &search.names, &subscriptions).await;
        if !found.is_empty() {
            return found;
        }
    }
    let mut uses = Uses::default();
    let mut seen: BTreeSet<ResourceId> = wave.clone();
    for _ in 0..DEEPEST {
        if wave.is_empty() {
            break;
        }
        note_left_out(ask, wave.len().saturating_sub(WIDEST));
        let looked = join_all(wave.iter().take(WIDEST).map(|it| uses::look(ask, it))).await;
        let mut next = BTreeSet::new();
        for one in looked {
            uses.extend(one.uses);
            next.extend(one.next);
            if let Some(tagged) = one.tagged
                && ask.exists(&tagged).await
            {
                found.insert(tagged);
            }
        }
        let new = next.difference(&seen).cloned().collect();
        seen.extend(next);
        wave = groups.without_owner(ask, new, &mut found).await;
    }
    // What the last step led to.
    note_left_out(ask, wave.len());
    uses.groups.append(&mut groups.unread);
    if !uses.is_empty() {
        let reach = uses.reach(ask).await;
        let subscriptions = subscriptions(search, &[&uses.ids(), &reach.networks()]);
        found.append(&mut clusters.using(ask, uses, &reach, &subscriptions).await);
    }
    found
}

fn note_left_out(ask: &Ask<'_>, count: usize) {
    if count > 0 {
        ask.note(format!(
            "{count} more resources that lead on from what is named were not looked at"
        ));
    }
}

/// The subscriptions whose clusters are listed.
fn subscriptions(search: &Search, more: &[&BTreeSet<ResourceId>]) -> BTreeSet<String> {
    if !search.allowed.is_empty() {
        return search.allowed.clone();
    }
    let ids = search.resources.iter();
    ids.chain(more.iter().copied().flatten())
        .map(|id| id.subscription().to_ascii_lowercase())
        .chain(search.mentioned.iter().cloned())
        .collect()
}
