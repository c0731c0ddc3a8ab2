//! The rules of the firewalls that own a hop, and the addresses they leave by.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    AzureFirewall, Datum, FirewallPolicy, Id, IpGroup, NatGateway, ResourceMetrics, RouteTable,
    RuleCollection, RuleCollectionGroup, Subnet,
};
use egress_diagnosis::network::tags_of_collection;
use futures::future::join_all;

use super::Search;
use super::space::{Space, listings, subscription};
use crate::addresses::{self, Addresses};
use crate::convert;
use crate::metrics::firewall_metrics;
use crate::networks::route_tables;
use crate::outcome::{converted, converted_list};
use crate::reader::{Reader, keyed};

/// Policies, their rules, and what these name.
#[derive(Debug, Default)]
pub(super) struct Rules {
    wanted: BTreeSet<Id>,
    classic: Vec<RuleCollection>,
    pub(super) policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    pub(super) groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    pub(super) ip_groups: BTreeMap<Id, Datum<IpGroup>>,
    /// IP groups that were listed before it was known which ones rules name.
    spare: BTreeMap<Id, Datum<IpGroup>>,
}

/// A policy as far as it was read, with its rules.
type Read = (Id, Datum<FirewallPolicy>, Datum<Vec<RuleCollectionGroup>>);

/// IP groups that rules name, and others.
#[derive(Debug, Default)]
pub(super) struct IpGroups {
    named: BTreeMap<Id, Datum<IpGroup>>,
    spare: BTreeMap<Id, Datum<IpGroup>>,
}

impl Rules {
    /// Nothing is read yet of what these firewalls go by.
    pub(super) fn of(firewalls: &[&AzureFirewall]) -> Self {
        let mut rules = Self::default();
        rules.want(firewalls);
        rules
    }

    /// Adds what these firewalls go by.
    pub(super) fn want(&mut self, firewalls: &[&AzureFirewall]) {
        for firewall in firewalls {
            self.wanted.extend(firewall.policy_id.clone());
            self.classic
                .extend_from_slice(&firewall.classic_collections);
        }
    }

    /// The policies that were or are to be read.
    pub(super) fn policy_ids(&self) -> impl Iterator<Item = &Id> {
        self.wanted.iter()
    }

    /// Whether the rules that are known name IP groups.
    pub(super) fn name_ip_groups(&self) -> bool {
        self.collections().flat_map(ip_groups).next().is_some()
    }

    /// Whether policies are still to be read.
    pub(super) fn is_unfinished(&self) -> bool {
        self.wanted.iter().any(|id| !self.groups.contains_key(id))
    }

    /// Reads the policies that are still to be read, with the parents that the lists tell of, so that both are read at once.
    pub(super) async fn round(&self, reader: Reader<'_>, space: &Space) -> Vec<Read> {
        let ids = with_listed_parents(space, &self.wanted, &self.groups);
        join_all(ids.into_iter().map(|id| policy(reader, space, id))).await
    }

    pub(super) fn add(&mut self, round: Vec<Read>) {
        for (id, policy, groups) in round {
            let parent = policy.as_known().and_then(|p| p.base_policy_id.clone());
            self.wanted.extend(parent);
            self.policies.insert(id.clone(), policy);
            self.groups.insert(id, groups);
        }
    }

    fn collections(&self) -> impl Iterator<Item = &RuleCollection> {
        let groups = self.groups.values().filter_map(Datum::as_known).flatten();
        groups
            .flat_map(|group| &group.collections)
            .chain(&self.classic)
    }

    /// The service tags that the rules name.
    pub(super) fn tags(&self) -> BTreeSet<String> {
        self.collections().flat_map(tags_of_collection).collect()
    }

    /// Reads the IP groups that the rules name. `ahead`: also all of the subscriptions of policies that are being read.
    pub(super) async fn read_ip_groups(&self, reader: Reader<'_>, ahead: bool) -> IpGroups {
        let named: BTreeSet<&Id> = self.collections().flat_map(ip_groups).collect();
        let new = named.into_iter();
        let new = new.filter(|id| !self.ip_groups.contains_key(id));
        let named = new.map(|id| async move {
            let answer = reader.get(&operations::IP_GROUP_GET, id, &[]).await;
            (id.clone(), converted(answer, convert::ip_group))
        });
        let reading = self.wanted.iter();
        let reading = reading.filter(|id| ahead && !self.groups.contains_key(id));
        let subscriptions = reading.filter_map(subscription).collect();
        let operation = &operations::IP_GROUPS_LIST;
        let (named, listed) = futures::join!(
            join_all(named),
            listings(reader, operation, &subscriptions, convert::ip_group)
        );
        let listed = listed.into_values().flat_map(|list| list.items);
        IpGroups {
            named: keyed(named),
            spare: keyed(listed),
        }
    }

    pub(super) fn add_ip_groups(&mut self, read: IpGroups) {
        self.ip_groups.extend(read.named);
        self.spare.extend(read.spare);
        let named: BTreeSet<Id> = self.collections().flat_map(ip_groups).cloned().collect();
        for id in named {
            if let Some(group) = self.spare.remove(&id) {
                self.ip_groups.entry(id).or_insert(group);
            }
        }
    }
}

/// The policies that are still to be read, with the parents that the lists tell of.
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

/// How packets leave firewalls: their metrics, the public addresses, the NAT gateways of their subnets with theirs, and those
/// subnets' routes.
#[derive(Debug, Default)]
pub(super) struct WaysOut {
    pub(super) route_tables: BTreeMap<Id, Datum<RouteTable>>,
    pub(super) nat_gateways: BTreeMap<Id, Datum<NatGateway>>,
    pub(super) addresses: Addresses,
    pub(super) metrics: ResourceMetrics,
}

impl WaysOut {
    pub(super) fn extend(&mut self, other: Self) {
        self.route_tables.extend(other.route_tables);
        self.nat_gateways.extend(other.nat_gateways);
        self.addresses.extend(other.addresses);
        self.metrics.extend(other.metrics);
    }
}

/// Reads how packets leave these firewalls.
pub(super) async fn of_firewalls(
    reader: Reader<'_>,
    search: Search<'_>,
    space: &Space,
    firewalls: &[&AzureFirewall],
) -> WaysOut {
    let ids = firewalls.iter().map(|firewall| &firewall.id);
    let ((nat_gateways, addresses), route_tables, metrics) = futures::join!(
        ways_out(reader, space, firewalls, search.node_group),
        own_routes(reader, search, space, firewalls),
        firewall_metrics(reader, search.cluster, ids)
    );
    WaysOut {
        route_tables,
        nat_gateways,
        addresses,
        metrics,
    }
}

/// What the subnets of these firewalls have attached.
fn attached(
    space: &Space,
    firewalls: &[&AzureFirewall],
    which: impl Fn(&Subnet) -> &Option<Id>,
) -> BTreeSet<Id> {
    let firewalls = firewalls.iter();
    let attached = firewalls.filter_map(|firewall| {
        let address = firewall.private_ips.first()?.parse().ok()?;
        which(&space.segment(address)?.subnet).clone()
    });
    attached.collect()
}

/// Whether a NAT gateway carries packets on behind one of these firewalls.
pub(super) fn leave_by_gateways(space: &Space, firewalls: &[&AzureFirewall]) -> bool {
    !attached(space, firewalls, |subnet| &subnet.nat_gateway_id).is_empty()
}

/// The route tables of the firewalls' subnets, but those that are read for a pool.
async fn own_routes(
    reader: Reader<'_>,
    search: Search<'_>,
    space: &Space,
    firewalls: &[&AzureFirewall],
) -> BTreeMap<Id, Datum<RouteTable>> {
    let of_pools = search.networks.attached(|subnet| &subnet.route_table_id);
    let own = attached(space, firewalls, |subnet| &subnet.route_table_id);
    route_tables(reader, &own - &of_pools).await
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
    let gateways = attached(space, firewalls, |subnet| &subnet.nat_gateway_id);
    let gateways = gateways.into_iter().map(|id| async move {
        let answer = reader.get(&operations::NAT_GATEWAY_GET, &id, &[]).await;
        (id, converted(answer, convert::nat_gateway))
    });
    let (mut addresses, gateways) =
        futures::join!(addresses::by_group(reader, &named), join_all(gateways));
    let gateways = keyed(gateways);
    let of_gateways = &addresses::named_by_gateways(gateways.values()) - &named;
    addresses.extend(addresses::by_id(reader.next_wave(), of_gateways).await);
    (gateways, addresses)
}
