//! The clusters of subscriptions, and which of them are meant.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::model::{ManagedCluster, ManagedClusterProperties, RouteTable};
use egress_arm::{ResourceId, operations};
use futures::future::join_all;

use super::ClusterName;
use super::ask::Ask;
use super::groups::CLUSTER;
use super::uses::{Reach, Uses, id};

/// Subscriptions listed at most.
const MOST_SUBSCRIPTIONS: usize = 100;

/// The clusters listed so far, by subscription.
#[derive(Debug, Default)]
pub(super) struct Clusters(BTreeMap<String, Vec<Listed>>);

/// A cluster, as far as it is recognised by it.
#[derive(Debug)]
struct Listed {
    id: ResourceId,
    node_group: Option<ResourceId>,
    /// Of its pools and its API server.
    subnets: BTreeSet<ResourceId>,
}

impl Clusters {
    /// The clusters of these names. Where some of them are in the group that goes with the name, only those.
    pub(super) async fn named(
        &mut self,
        ask: &Ask<'_>,
        names: &[ClusterName],
        subscriptions: &BTreeSet<String>,
    ) -> BTreeSet<ResourceId> {
        self.list(ask, subscriptions).await;
        let mut found = BTreeSet::new();
        for wanted in names {
            let alike: Vec<&Listed> = self
                .all()
                .filter(|cluster| cluster.id.name().eq_ignore_ascii_case(&wanted.name))
                .collect();
            let in_group: Vec<&Listed> = alike
                .iter()
                .copied()
                .filter(|cluster| cluster.is_in(wanted.group.as_deref()))
                .collect();
            let meant = if in_group.is_empty() { alike } else { in_group };
            if meant.is_empty() {
                ask.note(format!(
                    "no cluster {} in the subscriptions that were listed",
                    wanted.name
                ));
            }
            found.extend(meant.into_iter().map(|cluster| cluster.id.clone()));
        }
        found
    }

    /// The clusters that use one of these.
    pub(super) async fn using(
        &mut self,
        ask: &Ask<'_>,
        mut uses: Uses,
        reach: &Reach,
        subscriptions: &BTreeSet<String>,
    ) -> BTreeSet<ResourceId> {
        let routed = async {
            if reach.is_empty() {
                return BTreeSet::new();
            }
            routed(ask, reach, subscriptions).await
        };
        let ((), mut routed) = futures::join!(self.list(ask, subscriptions), routed);
        uses.subnets.append(&mut routed);
        uses.networks.extend(reach.behind_hubs.iter().cloned());
        self.all()
            .filter(|cluster| cluster.uses(&uses))
            .map(|cluster| cluster.id.clone())
            .collect()
    }

    async fn list(&mut self, ask: &Ask<'_>, subscriptions: &BTreeSet<String>) {
        let new = wanted(ask, subscriptions).filter(|(name, _)| !self.0.contains_key(*name));
        let read = join_all(new.map(|(name, id)| async move {
            let clusters: Option<Vec<ManagedCluster>> =
                ask.list(&operations::CLUSTERS_LIST, &id).await;
            let each = clusters.iter().flatten();
            let listed = each.filter_map(|body| listed(ask, body)).collect();
            (name.to_owned(), listed)
        }));
        let read = read.await;
        self.0.extend(read);
    }

    fn all(&self) -> impl Iterator<Item = &Listed> {
        self.0.values().flatten()
    }
}

impl Listed {
    fn is_in(&self, group: Option<&str>) -> bool {
        let Some(group) = group else { return false };
        let own = self.id.resource_group();
        let node = self.node_group.as_ref().map(ResourceId::name);
        [own, node]
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(group))
    }

    fn uses(&self, uses: &Uses) -> bool {
        let in_network = |subnet: &ResourceId| {
            let network = subnet.parent();
            network.is_some_and(|network| uses.networks.contains(&network))
        };
        !self.subnets.is_disjoint(&uses.subnets)
            || self.subnets.iter().any(in_network)
            || self
                .node_group
                .as_ref()
                .is_some_and(|group| uses.groups.contains(group))
    }
}

/// A cluster of a list. What is not said of it may be what it would have been recognised by, so that is noted.
fn listed(ask: &Ask<'_>, body: &ManagedCluster) -> Option<Listed> {
    let id_of_cluster = body.id.as_deref();
    let id_of_cluster = id_of_cluster.and_then(|id| ResourceId::parse_type(id, CLUSTER).ok());
    let whole = |p: &ManagedClusterProperties| !p.agent_pool_profiles.is_damaged();
    if id_of_cluster.is_none() || !body.properties.as_ref().is_some_and(whole) {
        let name = id_of_cluster
            .as_ref()
            .map_or("without an id", |id| id.name());
        ask.note(format!("cluster {name} could not be read as a whole"));
    }
    let id_of_cluster = id_of_cluster?;
    let properties = body.properties.as_ref()?;
    let node_group = properties.node_resource_group.as_deref();
    let node_group =
        node_group.and_then(|group| ResourceId::of_group(id_of_cluster.subscription(), group).ok());
    let pools = properties.agent_pool_profiles.iter();
    let subnets = pools
        .flat_map(|pool| [&pool.vnet_subnet_id, &pool.pod_subnet_id])
        .chain([&properties.api_server_access_profile.subnet_id])
        .filter_map(id);
    Some(Listed {
        subnets: subnets.collect(),
        node_group,
        id: id_of_cluster,
    })
}

/// The subnets whose route tables lead to one of the hops.
async fn routed(
    ask: &Ask<'_>,
    reach: &Reach,
    subscriptions: &BTreeSet<String>,
) -> BTreeSet<ResourceId> {
    let tables = wanted(ask, subscriptions).map(|(_, id)| async move {
        let tables: Option<Vec<RouteTable>> = ask.list(&operations::ROUTE_TABLES_LIST, &id).await;
        tables
    });
    // A list that could not be read is among the reasons that `ask` keeps.
    let tables = join_all(tables).await;
    let mut subnets = BTreeSet::new();
    for table in tables.iter().flatten().flatten() {
        let Some(properties) = table.properties.as_ref() else {
            continue;
        };
        for subnet in properties.subnets.iter().filter_map(|it| id(&it.id)) {
            let network = subnet.parent();
            let leads = properties.routes.iter().any(|route| {
                let address = route.properties.as_ref();
                let address = address.and_then(|route| route.next_hop_ip_address.as_deref());
                address.is_some_and(|address| reach.leads(address, network.as_ref()))
            });
            if leads {
                subnets.insert(subnet);
            }
        }
    }
    subnets
}

/// The subscriptions to list, with their ids.
pub(super) fn wanted<'a>(
    ask: &Ask<'_>,
    subscriptions: &'a BTreeSet<String>,
) -> impl Iterator<Item = (&'a str, ResourceId)> {
    if subscriptions.len() > MOST_SUBSCRIPTIONS {
        ask.note(format!(
            "only {MOST_SUBSCRIPTIONS} of {} subscriptions were searched",
            subscriptions.len()
        ));
    }
    subscriptions
        .iter()
        .take(MOST_SUBSCRIPTIONS)
        .filter_map(|name| Some((name.as_str(), ResourceId::of_subscription(name).ok()?)))
}
