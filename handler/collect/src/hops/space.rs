//! Where a next hop is looked for: the pools' networks, those peered with them, and the firewalls of their subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use egress_arm::{Operation, model, operations};
use egress_diagnosis::facts::{
    AzureFirewall, Datum, FirewallPolicy, Id, Peering, Subnet, VirtualNetwork,
};
use futures::future::join_all;
use ipnet::IpNet;

use super::segment::{Segment, segments};
use crate::addresses::group_of;
use crate::convert;
use crate::networks::Networks;
use crate::outcome::{Listing, converted, unknown};
use crate::reader::Reader;

/// The name Azure prescribes for a firewall's subnet.
const FIREWALL_SUBNET: &str = "AzureFirewallSubnet";

/// A network peered with a pool's network.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    id: Id,
    prefixes: Vec<IpNet>,
}

impl Peer {
    /// Whether a hop lies in it, or might because its address space is not told.
    pub(super) fn may_hold(&self, hops: &BTreeSet<IpAddr>) -> bool {
        self.prefixes.is_empty() || hops.iter().any(|hop| self.holds(*hop))
    }

    fn holds(&self, hop: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&hop))
    }
}

/// The networks peered with the pools' networks that are not pools' networks themselves.
pub(super) fn peers(networks: &Networks) -> Vec<Peer> {
    let mut peers: BTreeMap<Id, Peer> = BTreeMap::new();
    let known = networks.vnets.values().filter_map(Datum::as_known);
    for peering in known.flat_map(|network| &network.peerings) {
        if let Some(id) = remote(peering)
            && !networks.vnets.contains_key(id)
        {
            let prefixes = peering.remote_address_prefixes.iter();
            let prefixes = prefixes.filter_map(|p| p.parse().ok()).collect();
            let id = id.clone();
            peers.insert(id.clone(), Peer { id, prefixes });
        }
    }
    peers.into_values().collect()
}

/// The other side of a peering that carries traffic.
fn remote(peering: &Peering) -> Option<&Id> {
    let connected = peering
        .state
        .as_deref()
        .is_none_or(|s| s.eq_ignore_ascii_case("Connected"));
    peering.remote.as_ref().filter(|_| connected)
}

/// What was read to look for hops in.
#[derive(Debug)]
pub(super) struct Space {
    /// The pools' networks.
    own: BTreeMap<Id, Datum<VirtualNetwork>>,
    /// Networks peered with them.
    pub(super) peered: BTreeMap<Id, Datum<VirtualNetwork>>,
    peers: Vec<Peer>,
    segments: Vec<Segment>,
    firewalls: BTreeMap<String, Listing<AzureFirewall>>,
    policies: BTreeMap<String, Listing<FirewallPolicy>>,
}

impl Space {
    /// Reads the peers, and the firewalls and policies of their and the own networks' subscriptions.
    pub(super) async fn read(reader: Reader<'_>, networks: &Networks, peers: Vec<Peer>) -> Self {
        let ids = networks
            .vnets
            .keys()
            .chain(peers.iter().map(|peer| &peer.id));
        let subscriptions: BTreeSet<String> = ids.filter_map(subscription).collect();
        let read = peers.iter().map(|peer| async move {
            let operation = &operations::VIRTUAL_NETWORK_GET;
            let answer: Datum<model::VirtualNetwork> = reader.get(operation, &peer.id, &[]).await;
            (peer.id.clone(), answer)
        });
        let (read, firewalls, policies) = futures::join!(
            join_all(read),
            listings(
                reader,
                &operations::AZURE_FIREWALLS_LIST,
                &subscriptions,
                convert::azure_firewall
            ),
            listings(
                reader,
                &operations::FIREWALL_POLICIES_LIST,
                &subscriptions,
                convert::firewall_policy
            ),
        );
        let mut all = networks.segments.clone();
        all.extend(read.iter().flat_map(|(_, answer)| segments(answer)));
        Self {
            own: networks.vnets.clone(),
            peered: read
                .into_iter()
                .map(|(id, answer)| (id, converted(answer, convert::virtual_network)))
                .collect(),
            peers,
            segments: all,
            firewalls,
            policies,
        }
    }

    /// The subnet that holds an address.
    pub(super) fn segment(&self, hop: IpAddr) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.holds(hop))
    }

    /// Why it cannot be said that no network holds the address; `None` when it can.
    pub(super) fn unread<T>(&self, hop: IpAddr) -> Option<Datum<T>> {
        let own = self
            .own
            .values()
            .find(|network| network.as_known().is_none());
        let near = self.peers.iter().filter(|peer| {
            // Without its address space a network could hold anything.
            peer.prefixes.is_empty() || peer.holds(hop)
        });
        let mut near = near.filter_map(|peer| self.peered.get(&peer.id));
        own.or_else(|| near.find(|network| network.as_known().is_none()))
            .map(unknown)
    }

    /// The listed firewall that has this private address, in a network that was read or in a hub that is peered.
    pub(super) fn firewall_at(&self, hop: IpAddr) -> Option<&AzureFirewall> {
        self.listed().find(|firewall| {
            let has = firewall.private_ips.iter().any(|ip| ip.parse() == Ok(hop));
            let near = match &firewall.subnet_id {
                Some(subnet) => self.is_near(subnet),
                None => {
                    firewall.virtual_hub_id.is_some()
                        && self.peers.iter().any(|peer| peer.holds(hop))
                }
            };
            has && near
        })
    }

    fn listed(&self) -> impl Iterator<Item = &AzureFirewall> {
        let items = self.firewalls.values().flat_map(|list| list.items.values());
        items.filter_map(Datum::as_known)
    }

    /// What the lists say about a firewall; `None` when they do not speak of it.
    pub(super) fn firewall(&self, id: &Id) -> Option<&Datum<AzureFirewall>> {
        self.firewalls.get(&subscription(id)?)?.items.get(id)
    }

    /// Whether the lists hold this firewall.
    pub(super) fn lists(&self, id: &Id) -> bool {
        self.firewall(id).is_some()
    }

    /// What the lists say about a policy; `None` when they do not speak of it.
    pub(super) fn policy(&self, id: &Id) -> Option<&Datum<FirewallPolicy>> {
        self.policies.get(&subscription(id)?)?.items.get(id)
    }

    /// Whether a subnet is one of a network that was read.
    fn is_near(&self, subnet: &Id) -> bool {
        let network = subnet.parent();
        network.is_some_and(|id| self.own.contains_key(&id) || self.peered.contains_key(&id))
    }

    /// Firewalls of the networks, and those without addresses in the resource groups of networks with a firewall subnet:
    /// a deallocated firewall no longer says where it belongs.
    pub(super) fn firewalls_nearby(&self) -> BTreeMap<Id, Datum<AzureFirewall>> {
        let groups: BTreeSet<Id> = self
            .segments
            .iter()
            .filter(|segment| is_firewall_subnet(&segment.subnet.id))
            .filter_map(|segment| group_of(&segment.subnet.id))
            .collect();
        self.listed()
            .filter(|firewall| {
                if let Some(subnet) = &firewall.subnet_id {
                    return self.is_near(subnet);
                }
                let mut addresses = firewall.private_ips.iter().filter_map(|ip| ip.parse().ok());
                if firewall.virtual_hub_id.is_some() {
                    addresses.any(|ip| self.peers.iter().any(|peer| peer.holds(ip)))
                } else {
                    group_of(&firewall.id).is_some_and(|group| groups.contains(&group))
                }
            })
            .map(|firewall| (firewall.id.clone(), Datum::Known(firewall.clone())))
            .collect()
    }

    /// The subnets in which hops and firewalls lie.
    pub(super) fn subnets(
        &self,
        hops: &BTreeSet<IpAddr>,
        firewalls: &BTreeMap<Id, Datum<AzureFirewall>>,
    ) -> BTreeMap<Id, Datum<Subnet>> {
        let of_firewalls: BTreeSet<&Id> = firewalls
            .values()
            .filter_map(|firewall| firewall.as_known()?.subnet_id.as_ref())
            .collect();
        self.segments
            .iter()
            .filter(|segment| {
                of_firewalls.contains(&segment.subnet.id)
                    || hops.iter().any(|hop| segment.holds(*hop))
            })
            .map(|segment| {
                let subnet = segment.subnet.clone();
                (subnet.id.clone(), Datum::Known(subnet))
            })
            .collect()
    }
}

/// Whether the subnet is one that Azure reserves for a firewall.
fn is_firewall_subnet(id: &Id) -> bool {
    id.name().eq_ignore_ascii_case(FIREWALL_SUBNET)
}

fn subscription(id: &Id) -> Option<String> {
    id.subscription().map(str::to_ascii_lowercase)
}

async fn listings<P, T: Clone>(
    reader: Reader<'_>,
    operation: &'static Operation,
    subscriptions: &BTreeSet<String>,
    convert: fn(&model::Resource<P>) -> Option<T>,
) -> BTreeMap<String, Listing<T>>
where
    model::Resource<P>: egress_arm::read::Tolerant,
{
    let each = subscriptions.iter().map(|subscription| async move {
        let scope = Id::new(format!("/subscriptions/{subscription}"));
        let answer = reader.list(operation, &scope).await;
        (subscription.clone(), Listing::new(answer, convert))
    });
    join_all(each).await.into_iter().collect()
}
