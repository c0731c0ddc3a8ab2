//! Who owns the address that a default route hands packets to, and the rules of the Azure Firewall that does.
//!
//! Nothing of this is read unless a subnet has a route table, which may lead to a virtual appliance, or the outbound type
//! says that one should, or a pool's network is connected to a virtual hub, which may give a default route. Looking starts
//! before the routes are known: else it would take a wave more.
//!
//! | wave | needs | reads |
//! |---|---|---|
//! | a | the pools' networks | peered networks; firewalls and policies of their subscriptions; virtual hubs |
//! | b | route tables and these | what has addresses in the hop's subnet; rules, addresses, routes, NAT gateway and metrics of the firewall; routing intent and connections of the hub; peered networks that were not read ahead and hold a hop |
//! | c | these | power state of the machine; health behind the load balancer; IP groups; service tags |
//!
//! There is no further wave. What becomes known only in b (a firewall that no list holds, a policy's parent) is read in c,
//! and beside it whatever its rules may name: all service tags, the IP groups of its subscription. What would have to wait
//! for c is *not asked*. Where c is needed, the activity logs of the resource groups along the path are read in it, too.

mod hubs;
mod owner;
mod rules;
pub(crate) mod segment;
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use egress_diagnosis::facts::{
    ActivityLog, AzureFirewall, Cluster, Datum, FirewallPolicy, HopOwner, HubRouting, Id, IpGroup,
    NatGateway, NextHopType, ResourceMetrics, RouteTable, RuleCollectionGroup, Subnet,
    VirtualNetwork,
};
use futures::FutureExt;
use futures::future::join_all;
use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::addresses::Addresses;
use crate::changes;
use crate::networks::Networks;
use crate::plan::Once;
use crate::reader::{Reader, keyed};
use crate::tags::{Announced, Wanted};
use hubs::{Hubs, Routing, Spoke};
use owner::Found;
use rules::{Rules, WaysOut};
use space::Space;

/// Waves after the first one in which hops are looked for.
const FURTHER_WAVES: usize = 2;

/// What was found out about next hops.
#[derive(Debug, Default)]
pub(crate) struct Hops {
    pub(crate) owners: BTreeMap<IpAddr, Datum<HopOwner>>,
    pub(crate) firewalls: BTreeMap<Id, Datum<AzureFirewall>>,
    pub(crate) policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    pub(crate) groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    pub(crate) ip_groups: BTreeMap<Id, Datum<IpGroup>>,
    /// Peered networks, and the subnets of all networks that firewalls or hops lie in.
    pub(crate) vnets: BTreeMap<Id, Datum<VirtualNetwork>>,
    pub(crate) subnets: BTreeMap<Id, Datum<Subnet>>,
    /// Of the subnets of firewalls.
    pub(crate) route_tables: BTreeMap<Id, Datum<RouteTable>>,
    pub(crate) nat_gateways: BTreeMap<Id, Datum<NatGateway>>,
    pub(crate) addresses: Addresses,
    /// Of the firewalls and internal load balancers that own a hop.
    pub(crate) metrics: ResourceMetrics,
    /// What virtual hubs do with internet traffic, by the network that is connected to one and whose pools depend on it.
    pub(crate) hub_routing: BTreeMap<Id, Datum<HubRouting>>,
    /// The service tags that the firewalls' rules name.
    pub(crate) tags: BTreeSet<String>,
    /// Of the resource groups along the path, where no wave is left to read them once it is known what was found.
    pub(crate) activity_logs: BTreeMap<Id, Datum<ActivityLog>>,
}

/// What is looked for, and in what.
#[derive(Clone, Copy)]
pub(crate) struct Search<'s> {
    pub(crate) cluster: &'s Cluster,
    pub(crate) networks: &'s Networks,
    /// A route table may lead to an appliance.
    pub(crate) expected: bool,
    pub(crate) node_group: Option<&'s Id>,
}

/// Finds the owners of the default routes' appliance hops. `announce` is told which service tags to ask for as soon as
/// that can be said, and dropped when firewalls want none.
pub(crate) async fn read<'a>(
    reader: Reader<'a>,
    search: Search<'_>,
    tables: Once<'_, BTreeMap<Id, Datum<RouteTable>>>,
    announce: oneshot::Sender<Announced<'a>>,
) -> Hops {
    let networks = search.networks;
    let spokes = hubs::spokes(networks);
    if !search.expected && spokes.is_empty() {
        return Hops::default();
    }
    let reader = reader.until(FURTHER_WAVES);
    let (tables, space, hubs) = futures::join!(
        tables,
        Space::read(reader, networks),
        Hubs::list(reader, &spokes)
    );
    let hops = appliances(&tables);
    let dependent = spokes.iter();
    let dependent = dependent.filter(|spoke| spoke.depends(networks, &tables));
    let known = Known {
        dependent: dependent.cloned().collect(),
        hops,
        space,
        hubs,
        spokes,
    };
    known
        .second_wave(reader.next_wave(), search, announce)
        .await
}

/// What the first wave told.
struct Known {
    hops: BTreeSet<IpAddr>,
    space: Space,
    hubs: Hubs,
    spokes: Vec<Spoke>,
    /// Those of the spokes whose pools take the hub's default route if it gives one.
    dependent: Vec<Spoke>,
}

impl Known {
    async fn second_wave<'a>(
        self,
        reader: Reader<'a>,
        search: Search<'_>,
        announce: oneshot::Sender<Announced<'a>>,
    ) -> Hops {
        let space = &self.space;
        let wanted = self.hubs.wanted(&self.spokes, &self.dependent, &self.hops);
        let of_hops = self.hops.iter().filter_map(|hop| space.firewall_at(*hop));
        let of_hubs = wanted.firewalls.iter();
        let of_hubs = of_hubs.filter_map(|id| space.firewall(id)?.as_known());
        let mut listed: Vec<&AzureFirewall> = of_hops.chain(of_hubs).collect();
        listed.sort_by_key(|firewall| &firewall.id);
        listed.dedup_by_key(|firewall| &firewall.id);

        let ids: BTreeSet<Id> = listed.iter().map(|body| body.id.clone()).collect();

        let is_hubs = |hop: IpAddr| {
            hubs::holds(&self.spokes, hop)
                && space.firewall_at(hop).is_none()
                && space.segment(hop).is_none()
        };
        let elsewhere = self.hops.iter().copied().filter(|hop| !is_hubs(*hop));
        let (later, here): (Vec<IpAddr>, Vec<IpAddr>) =
            elsewhere.partition(|hop| space.is_later(*hop));
        let mut rules = Rules::of(&listed);
        let of_listed = rules::of_firewalls(reader, search, space, &listed);
        let rest = async {
            let (round, found, near, routing, unlisted) = futures::join!(
                rules.round(reader, space),
                join_all(here.iter().map(|hop| owner::find(reader, space, *hop))),
                space.read_later(reader, &later),
                Routing::read(reader, &wanted, &listed),
                hubs::unlisted(reader, space, &wanted.firewalls)
            );
            rules.add(round);
            let second = Second {
                rules,
                listed: ids.clone(),
                leave_by_gateways: rules::leave_by_gateways(space, &listed),
                found: here.into_iter().zip(found).collect(),
                later,
                unlisted,
                space: space.clone().with(near),
            };
            let last = reader.next_wave();
            (second.last_wave(last, search, announce).await, routing)
        };
        let (of_listed, (mut third, routing)) = futures::join!(of_listed, rest.boxed());
        third.ways_out.extend(of_listed);
        self.put_together(&routing, third, &ids, search.networks)
    }

    fn put_together(
        &self,
        routing: &Routing,
        third: Third,
        listed: &BTreeSet<Id>,
        networks: &Networks,
    ) -> Hops {
        let space = &third.space;
        let mut firewalls = space.firewalls_nearby();
        for id in listed {
            firewalls.extend(space.firewall(id).map(|body| (id.clone(), body.clone())));
        }
        firewalls.extend(third.firewalls);
        let mut owners = third.owners;
        for hop in &self.hops {
            owners
                .entry(*hop)
                .or_insert_with(|| self.hubs.owner(&self.spokes, &firewalls, *hop));
        }
        let pools = |id: &Id| networks.vnets.contains_key(id);
        let owners = owners.into_iter();
        let mut owners =
            keyed(owners.map(|(hop, owner)| (hop, routing.confirmed(owner, &firewalls, pools))));
        let dependent = self.dependent.iter();
        let hub_routing =
            keyed(dependent.map(|spoke| (spoke.network.clone(), routing.of(&self.hubs, spoke))));
        for id in hub_routing.values().filter_map(next_hop) {
            let body = firewalls.get(id).and_then(Datum::as_known);
            let addresses = body.into_iter().flat_map(|body| &body.private_ips);
            for address in addresses.filter_map(|text| text.parse().ok()) {
                owners.insert(address, Datum::Known(HopOwner::AzureFirewall(id.clone())));
            }
        }
        let mut metrics = third.ways_out.metrics;
        metrics.extend(third.metrics);
        Hops {
            tags: third.rules.tags(),
            subnets: space.subnets(&self.hops, &firewalls),
            vnets: third.space.peered.clone(),
            owners,
            hub_routing,
            policies: third.rules.policies,
            groups: third.rules.groups,
            ip_groups: third.rules.ip_groups,
            route_tables: third.ways_out.route_tables,
            nat_gateways: third.ways_out.nat_gateways,
            addresses: third.ways_out.addresses,
            metrics,
            firewalls,
            activity_logs: third.activity_logs,
        }
    }
}

/// What a hub's routing intent sends internet traffic to.
fn next_hop(routing: &Datum<HubRouting>) -> Option<&Id> {
    routing.as_known()?.internet.as_ref()
}

/// The pools' route tables, security groups and networks, and the cluster.
fn path_of_pools(search: Search<'_>) -> impl Iterator<Item = Id> {
    let networks = search.networks;
    let tables = networks.attached(|subnet| &subnet.route_table_id);
    let nsgs = networks.attached(|subnet| &subnet.nsg_id);
    tables
        .into_iter()
        .chain(nsgs)
        .chain(networks.vnets.keys().cloned())
        .chain([search.cluster.id.clone()])
}

/// What the second wave told.
struct Second {
    rules: Rules,
    /// The firewalls that lists hold.
    listed: BTreeSet<Id>,
    /// Some of them leave by a NAT gateway, whose addresses are read last.
    leave_by_gateways: bool,
    found: Vec<(IpAddr, Found)>,
    /// Hops in networks that were read in this wave only.
    later: Vec<IpAddr>,
    /// Firewalls of hubs that no list holds.
    unlisted: BTreeMap<Id, Datum<AzureFirewall>>,
    space: Space,
}

/// What the last wave told.
struct Third {
    space: Space,
    rules: Rules,
    ways_out: WaysOut,
    owners: BTreeMap<IpAddr, Datum<HopOwner>>,
    firewalls: BTreeMap<Id, Datum<AzureFirewall>>,
    metrics: ResourceMetrics,
    activity_logs: BTreeMap<Id, Datum<ActivityLog>>,
}

impl Second {
    /// Whether something is to be read in the last wave but for late firewalls.
    fn asks_more(&self) -> bool {
        self.leave_by_gateways
            || self.rules.is_unfinished()
            || self.rules.name_ip_groups()
            || !self.rules.tags().is_empty()
            || !self.later.is_empty()
            || self.found.iter().any(|(_, found)| found.leads_on())
    }

    async fn last_wave<'a>(
        mut self,
        reader: Reader<'a>,
        search: Search<'_>,
        announce: oneshot::Sender<Announced<'a>>,
    ) -> Third {
        let space = &self.space;
        let mut firewalls = std::mem::take(&mut self.unlisted);
        for (_, found) in &self.found {
            firewalls.extend(found.firewalls.clone());
        }
        let late = serving(&self.found, &firewalls, space);
        self.rules.want(&late);
        // What these rules name becomes known when it is too late to ask for it.
        let ahead = self.rules.is_unfinished();
        let wanted = if ahead {
            Wanted::Everything
        } else {
            Wanted::Named(self.rules.tags())
        };
        let asks = self.asks_more() || !late.is_empty();
        let firewalls_found = self.listed.iter().chain(late.iter().map(|body| &body.id));
        let along: Vec<Id> = firewalls_found
            .chain(self.rules.policy_ids())
            .cloned()
            .chain(path_of_pools(search))
            .collect();
        // Nobody listens any more when the report has ended.
        let _ = announce.send(Announced { reader, wanted });
        let logs = async {
            if asks {
                changes::ahead(reader, &along).await
            } else {
                BTreeMap::new()
            }
        };
        let (round, ip_groups, of_late, mut all, found, activity_logs) = futures::join!(
            self.rules.round(reader, space),
            self.rules.read_ip_groups(reader, ahead),
            rules::of_firewalls(reader, search, space, &late),
            join_all(
                self.found
                    .into_iter()
                    .map(|(hop, found)| async move { (hop, found.followed(reader).await) })
            ),
            join_all(
                self.later
                    .iter()
                    .map(|hop| owner::find(reader, space, *hop))
            ),
            logs,
        );
        self.rules.add(round);
        self.rules.add_ip_groups(ip_groups);
        // From here on nothing is asked any more, and what would have to be says so.
        let beyond = reader.next_wave();
        for (hop, found) in self.later.iter().zip(found) {
            firewalls.extend(found.firewalls.clone());
            all.push((*hop, found.followed(beyond).await));
        }
        self.rules.want(&serving(&all, &firewalls, space));
        while self.rules.is_unfinished() {
            let round = self.rules.round(beyond, space).await;
            self.rules.add(round);
        }
        let ip_groups = self.rules.read_ip_groups(beyond, false).await;
        self.rules.add_ip_groups(ip_groups);
        let mut owners = BTreeMap::new();
        let mut metrics = ResourceMetrics::new();
        for (hop, found) in all {
            metrics.extend(found.metrics);
            owners.insert(hop, found.owner);
        }
        Third {
            space: self.space,
            rules: self.rules,
            ways_out: of_late,
            owners,
            firewalls,
            metrics,
            activity_logs,
        }
    }
}

/// The firewalls that own one of these hops, or were read for their hub, and that no list holds.
fn serving<'f>(
    found: &[(IpAddr, Found)],
    firewalls: &'f BTreeMap<Id, Datum<AzureFirewall>>,
    space: &Space,
) -> Vec<&'f AzureFirewall> {
    let owns = |id: &Id| {
        let mut owners = found.iter().map(|(_, found)| &found.owner);
        owners.any(|owner| *owner == Datum::Known(HopOwner::AzureFirewall(id.clone())))
    };
    let bodies = firewalls.values().filter_map(Datum::as_known);
    bodies
        .filter(|body| !space.lists(&body.id))
        .filter(|body| body.virtual_hub_id.is_some() || owns(&body.id))
        .collect()
}

/// The addresses that default routes, whole or in halves, hand packets to.
fn appliances(tables: &BTreeMap<Id, Datum<RouteTable>>) -> BTreeSet<IpAddr> {
    tables
        .values()
        .filter_map(Datum::as_known)
        .flat_map(|table| &table.routes)
        .filter(|route| route.next_hop_type == NextHopType::VirtualAppliance)
        .filter(|route| {
            let prefix = route.address_prefix.parse::<IpNet>();
            prefix.is_ok_and(|prefix| prefix.prefix_len() <= 1)
        })
        .filter_map(|route| route.next_hop_ip.as_deref()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use egress_diagnosis::facts::Route;

    use super::*;

    #[test]
    fn r2_52_only_default_routes_and_their_halves_to_appliances_count() {
        let route = |prefix: &str, hop: NextHopType, ip: &str| Route {
            name: "r".to_owned(),
            address_prefix: prefix.to_owned(),
            next_hop_type: hop,
            next_hop_ip: Some(ip.to_owned()),
        };
        let appliance = NextHopType::VirtualAppliance;
        let table = RouteTable {
            id: Id::new("/t"),
            routes: vec![
                route("0.0.0.0/1", appliance.clone(), "10.1.0.4"),
                route("128.0.0.0/1", appliance.clone(), "10.1.0.4"),
                route("10.0.0.0/8", appliance.clone(), "10.1.0.5"),
                route("0.0.0.0/0", NextHopType::Internet, "10.1.0.6"),
                route("0.0.0.0/0", appliance.clone(), "nonsense"),
                route("AzureCloud", appliance, "10.1.0.7"),
            ],
            subnet_ids: Vec::new(),
            disable_bgp_route_propagation: None,
            aks_managed: false,
        };
        let tables = BTreeMap::from([(Id::new("/t"), Datum::Known(table))]);
        let hops: Vec<String> = appliances(&tables).iter().map(IpAddr::to_string).collect();
        assert_eq!(hops, ["10.1.0.4"]);
    }
}
