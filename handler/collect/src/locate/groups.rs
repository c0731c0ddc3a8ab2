//! Resource groups that AKS made for a cluster.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::model::ResourceGroup;
use egress_arm::{ResourceId, operations};
use futures::future::join_all;

use super::ask::Ask;

pub(super) const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";

/// The groups read so far, each with the cluster it belongs to.
#[derive(Debug, Default)]
pub(super) struct Groups {
    owners: BTreeMap<ResourceId, Option<ResourceId>>,
    /// Groups of which nothing could be learned.
    pub(super) unread: BTreeSet<ResourceId>,
}

impl Groups {
    /// Adds the clusters that these resources' groups belong to, and gives the resources whose groups belong to none.
    pub(super) async fn without_owner(
        &mut self,
        ask: &Ask<'_>,
        resources: BTreeSet<ResourceId>,
        found: &mut BTreeSet<ResourceId>,
    ) -> BTreeSet<ResourceId> {
        let new: BTreeSet<ResourceId> = resources
            .iter()
            .filter_map(ResourceId::group)
            .filter(|group| !self.owners.contains_key(group))
            .collect();
        let read = join_all(new.into_iter().map(|group| async {
            let body: Option<ResourceGroup> =
                ask.get(&operations::RESOURCE_GROUP_GET, &group).await;
            let owner = match &body {
                Some(body) => owner(ask, &group, body).await,
                None => None,
            };
            (group, body.is_some(), owner)
        }));
        for (group, readable, owner) in read.await {
            if !readable {
                self.unread.insert(group.clone());
            }
            self.owners.insert(group, owner);
        }
        let mut rest = BTreeSet::new();
        for resource in resources {
            let group = resource.group();
            match group.and_then(|group| self.owners.get(&group)?.clone()) {
                Some(owner) => {
                    found.insert(owner);
                }
                None => {
                    rest.insert(resource);
                }
            }
        }
        rest
    }
}

/// `managedBy` when it is a cluster's id, else what the tags say.
async fn owner(ask: &Ask<'_>, group: &ResourceId, body: &ResourceGroup) -> Option<ResourceId> {
    let managed_by = body.managed_by.as_deref();
    if let Some(cluster) = managed_by.and_then(|id| ResourceId::parse_type(id, CLUSTER).ok()) {
        return Some(cluster);
    }
    let tagged = tagged(group, body.tags.as_ref()?)?;
    ask.exists(&tagged).await.then_some(tagged)
}

/// The cluster that AKS's tags name, in the subscription of what carries them.
pub(super) fn tagged(carrier: &ResourceId, tags: &BTreeMap<String, String>) -> Option<ResourceId> {
    let tag = |wanted: &str| {
        let mut tags = tags.iter();
        tags.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value.as_str()))
    };
    ResourceId::in_group(
        carrier.subscription(),
        tag("aks-managed-cluster-rg")?,
        CLUSTER,
        tag("aks-managed-cluster-name")?,
    )
    .ok()
}
