//! The rules of the firewalls that own a hop, and the addresses they leave by.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    AzureFirewall, Datum, FirewallPolicy, Id, IpGroup, NatGateway, RuleCollection,
    RuleCollectionGroup,
};
use egress_diagnosis::network::tags_of_collection;
use futures::future::join_all;
use tokio::sync::oneshot;

use super::space::Space;
use crate::addresses::{self, Addresses};
use crate::convert;
use crate::outcome::{converted, converted_list};
use crate::reader::Reader;

/// Azure knows policies with one parent; more than this is no chain but a mistake.
const DEEPEST: usize = 4;

/// What was read about the firewalls.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    pub(super) groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    pub(super) ip_groups: BTreeMap<Id, Datum<IpGroup>>,
    pub(super) nat_gateways: BTreeMap<Id, Datum<NatGateway>>,
    pub(super) addresses: Addresses,
}

/// Reads them.
pub(super) async fn read(
    reader: Reader<'_>,
    space: &Space,
    firewalls: &[&AzureFirewall],
    node_group: Option<&Id>,
    announce: oneshot::Sender<BTreeSet<String>>,
) -> Rules {
    let (mut rules, (nat_gateways, addresses)) = futures::join!(
        policies(reader, space, firewalls, announce),
        ways_out(reader, space, firewalls, node_group)
    );
    rules.nat_gateways = nat_gateways;
    rules.addresses = addresses;
    rules
}

/// Policies with their parents, their rules, and the IP groups that these and classic rules name.
async fn policies(
    reader: Reader<'_>,
    space: &Space,
    firewalls: &[&AzureFirewall],
    announce: oneshot::Sender<BTreeSet<String>>,
) -> Rules {
    let mut rules = Rules::default();
    let mut reader = reader;
    let mut wanted: BTreeSet<Id> = firewalls
        .iter()
        .filter_map(|firewall| firewall.policy_id.clone())
        .collect();
    for _ in 0..DEEPEST {
        let ids = with_listed_parents(space, &wanted, &rules.groups);
        if ids.is_empty() {
            break;
        }
        for (id, policy, groups) in
            join_all(ids.into_iter().map(|id| policy(reader, space, id))).await
        {
            wanted.extend(policy.as_known().and_then(|p| p.base_policy_id.clone()));
            rules.policies.insert(id.clone(), policy);
            rules.groups.insert(id, groups);
        }
        reader = reader.next_wave();
    }
    let groups = rules.groups.values().filter_map(Datum::as_known).flatten();
    let collections = groups.flat_map(|group| &group.collections).chain(
        firewalls
            .iter()
            .flat_map(|firewall| &firewall.classic_collections),
    );
    let collections: Vec<&RuleCollection> = collections.collect();
    let tags = collections.iter().copied().flat_map(tags_of_collection);
    // Nobody listens any more when the report has ended.
    let _ = announce.send(tags.collect());
    let named: BTreeSet<Id> = collections
        .iter()
        .copied()
        .flat_map(ip_groups)
        .cloned()
        .collect();
    let each = named.into_iter().map(|id| async move {
        let answer = reader.get(&operations::IP_GROUP_GET, &id, &[]).await;
        (id, converted(answer, convert::ip_group))
    });
    rules.ip_groups = join_all(each).await.into_iter().collect();
    rules
}

/// The policies that are still to be read, with the parents that the lists tell of, so that both are read at once.
fn with_listed_parents<T>(space: &Space, wanted: &BTreeSet<Id>, done: &BTreeMap<Id, T>) -> Vec<Id> {
    let mut ids: Vec<Id> = Vec::new();
    for id in wanted {
        let mut next = Some(id);
        while let Some(id) = next.filter(|id| !ids.contains(id) && !done.contains_key(id)) {
            ids.push(id.clone());
            next = space
                .policy(id)
                .and_then(|policy| policy.as_known()?.base_policy_id.as_ref());
        }
    }
    ids
}

async fn policy(
    reader: Reader<'_>,
    space: &Space,
    id: Id,
) -> (Id, Datum<FirewallPolicy>, Datum<Vec<RuleCollectionGroup>>) {
    let body = async {
        if let Some(listed) = space.policy(&id) {
            return listed.clone();
        }
        let answer: Datum<model::FirewallPolicy> =
            reader.get(&operations::FIREWALL_POLICY_GET, &id, &[]).await;
        converted(answer, convert::firewall_policy)
    };
    let groups = reader.list(&operations::RULE_COLLECTION_GROUPS_LIST, &id);
    let (body, groups) = futures::join!(body, groups);
    let groups = converted_list(groups, convert::rule_collection_group);
    (id, body, groups)
}

fn ip_groups(collection: &RuleCollection) -> impl Iterator<Item = &Id> {
    let network = collection.rules.network.iter();
    let application = collection.rules.application.iter();
    network
        .flat_map(|rule| {
            rule.source_ip_groups
                .iter()
                .chain(&rule.destination_ip_groups)
        })
        .chain(application.flat_map(|rule| &rule.source_ip_groups))
}

/// The firewalls' public addresses, and the NAT gateways of their subnets with theirs.
async fn ways_out(
    reader: Reader<'_>,
    space: &Space,
    firewalls: &[&AzureFirewall],
    node_group: Option<&Id>,
) -> (BTreeMap<Id, Datum<NatGateway>>, Addresses) {
    let named: BTreeSet<Id> = firewalls
        .iter()
        .flat_map(|firewall| &firewall.public_ip_ids)
        .filter(|id| !addresses::is_listed_in(id, node_group))
        .cloned()
        .collect();
    let gateways: BTreeSet<Id> = firewalls
        .iter()
        .filter_map(|firewall| {
            let address = firewall.private_ips.first()?.parse().ok()?;
            space.segment(address)?.subnet.nat_gateway_id.clone()
        })
        .collect();
    let gateways = gateways.into_iter().map(|id| async move {
        let answer = reader.get(&operations::NAT_GATEWAY_GET, &id, &[]).await;
        (id, converted(answer, convert::nat_gateway))
    });
    let (mut addresses, gateways) =
        futures::join!(addresses::by_group(reader, &named), join_all(gateways));
    let gateways: BTreeMap<Id, Datum<NatGateway>> = gateways.into_iter().collect();
    let of_gateways = &addresses::named_by_gateways(gateways.values()) - &named;
    addresses.extend(addresses::by_id(reader.next_wave(), of_gateways).await);
    (gateways, addresses)
}
