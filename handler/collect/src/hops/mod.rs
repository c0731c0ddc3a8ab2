//! Who owns the address that a default route hands packets to, and the rules of the Azure Firewall that does.
//!
//! Nothing of this is read unless a subnet has a route table, which may lead to a virtual appliance, or the outbound type
//! says that one should. Looking starts before the routes are known: else it would take a wave more.
//!
//! | wave | needs | reads |
//! |---|---|---|
//! | a | the pools' networks | peered networks; firewalls and policies of their subscriptions |
//! | b | route tables and these | what has addresses in the hop's subnet; rules, addresses, NAT gateway and metrics of the firewall |
//! | c | these | power state of the machine; health behind the load balancer; IP groups |

mod hubs;
mod owner;
mod rules;
pub(crate) mod segment;
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use egress_diagnosis::facts::{
    AzureFirewall, Cluster, Datum, FirewallPolicy, HopOwner, Id, IpGroup, NatGateway, NextHopType,
    ResourceMetrics, RouteTable, RuleCollectionGroup, Subnet, VirtualNetwork,
};
use futures::future::join_all;
use ipnet::IpNet;
use tokio::sync::oneshot;

use crate::addresses::Addresses;
use crate::metrics::firewall_metrics;
use crate::networks::Networks;
use crate::plan::Once;
use crate::reader::Reader;
use space::Space;

/// So many peered networks are read before it is known which of them a hop lies in.
const READ_AHEAD: usize = 8;

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
    pub(crate) nat_gateways: BTreeMap<Id, Datum<NatGateway>>,
    pub(crate) addresses: Addresses,
    /// Of the firewalls and internal load balancers that own a hop.
    pub(crate) metrics: ResourceMetrics,
}

/// Finds the owners of the route tables' appliance hops. `expected`: there may be such a hop, so that looking
/// starts beside the route tables. `announce` is told the service tags that firewall rules name as soon as these
/// have been read, and dropped when there are none.
pub(crate) async fn read(
    reader: Reader<'_>,
    cluster: &Cluster,
    networks: &Networks,
    tables: Once<'_, BTreeMap<Id, Datum<RouteTable>>>,
    expected: bool,
    node_group: Option<&Id>,
    announce: oneshot::Sender<BTreeSet<String>>,
) -> Hops {
    let peers = space::peers(networks);
    let ahead = expected && peers.len() <= READ_AHEAD;
    let (hops, space, next) = if ahead {
        let space = Space::read(reader, networks, peers);
        let (tables, space) = futures::join!(tables, space);
        (appliances(&tables), space, reader.next_wave())
    } else {
        let hops = appliances(&*tables.await);
        if hops.is_empty() {
            return Hops::default();
        }
        let reader = reader.next_wave();
        let near = peers.into_iter().filter(|peer| peer.may_hold(&hops));
        let space = Space::read(reader, networks, near.collect()).await;
        (hops, space, reader.next_wave())
    };
    let found = join_all(hops.iter().map(|hop| owner::find(next, &space, *hop))).await;
    let mut firewalls = space.firewalls_nearby();
    let mut owners = BTreeMap::new();
    let mut metrics = ResourceMetrics::new();
    for (hop, found) in hops.iter().zip(found) {
        firewalls.extend(found.firewalls);
        metrics.extend(found.metrics);
        owners.insert(*hop, found.owner);
    }
    let own: BTreeSet<Id> = owners
        .values()
        .filter_map(|owner| match owner.as_known()? {
            HopOwner::AzureFirewall(id) => Some(id.clone()),
            _ => None,
        })
        .collect();
    // A firewall that only the subnet named took a wave of its own.
    let next = if own.iter().all(|id| space.lists(id)) {
        next
    } else {
        next.next_wave()
    };
    let serving = firewalls.iter().filter(|(id, _)| own.contains(id));
    let bodies: Vec<&AzureFirewall> = serving.filter_map(|(_, body)| body.as_known()).collect();
    let (read, of_firewalls, connections) = futures::join!(
        rules::read(next, &space, &bodies, node_group, announce),
        firewall_metrics(next, cluster, &own),
        hubs::connections(next, &bodies)
    );
    metrics.extend(of_firewalls);
    let pools = |id: &Id| networks.vnets.contains_key(id);
    let owners = owners
        .into_iter()
        .map(|(hop, owner)| (hop, hubs::confirmed(owner, &bodies, &connections, pools)))
        .collect();
    Hops {
        subnets: space.subnets(&hops, &firewalls),
        vnets: space.peered,
        owners,
        policies: read.policies,
        groups: read.groups,
        ip_groups: read.ip_groups,
        nat_gateways: read.nat_gateways,
        addresses: read.addresses,
        metrics,
        firewalls,
    }
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
