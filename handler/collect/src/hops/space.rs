//! Where a next hop is looked for: the pools' networks, those peered with them, and the firewalls of their subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use egress_arm::{Operation, model, operations};
use egress_diagnosis::facts::{
    AzureFirewall, Datum, FirewallPolicy, Id, Peering, Subnet, VirtualNetwork,
};
use futures::future::join_all;
use ipnet::IpNet;

use super::hubs::is_hub;
use super::segment::{Segment, segments};
use crate::convert;
use crate::networks::Networks;
use crate::outcome::{Listing, converted, unknown};
use crate::reader::{Reader, keyed};

/// The name Azure prescribes for a firewall's subnet.
const FIREWALL_SUBNET: &str = "AzureFirewallSubnet";

/// So many peered networks are read before it is known which of them a hop lies in.
const READ_AHEAD: usize = 8;
/// So many subscriptions are asked for their firewalls and policies.
const SUBSCRIPTIONS: usize = 8;

/// A network peered with a pool's network.
#[derive(Debug, Clone)]
struct Peer {
    id: Id,
    prefixes: Vec<IpNet>,
    /// A virtual hub's, which belongs to Azure: it is not read.
    hub: bool,
}

impl Peer {
    /// Whether a hop lies in it, or might because its address space is not told.
    fn may_hold(&self, hop: IpAddr) -> bool {
        self.prefixes.is_empty() || self.holds(hop)
    }

    fn holds(&self, hop: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&hop))
    }
}

/// The networks peered with the pools' networks that are not pools' networks themselves. Those whose packets the pools'
/// networks take although somebody else sent them come first: so it has to be where an appliance is.
fn peers(networks: &Networks) -> Vec<Peer> {
    let mut peers: BTreeMap<Id, (bool, Peer)> = BTreeMap::new();
    let known = networks.vnets.values().filter_map(Datum::as_known);
    for peering in known.flat_map(|network| &network.peerings) {
        if let Some(id) = peering.remote.as_ref().filter(|_| connected(peering))
            && !networks.vnets.contains_key(id)
        {
            let prefixes = peering.remote_address_prefixes.iter();
            let peer = Peer {
                id: id.clone(),
                prefixes: prefixes.filter_map(|p| p.parse().ok()).collect(),
                hub: is_hub(peering),
            };
            let last = peering.allow_forwarded_traffic == Some(false);
            peers.insert(id.clone(), (last, peer));
        }
    }
    let mut peers: Vec<(bool, Peer)> = peers.into_values().collect();
    peers.sort_by_key(|(last, _)| *last);
    peers.into_iter().map(|(_, peer)| peer).collect()
}

/// Whether a peering carries traffic; one whose state is not told may.
pub(super) fn connected(peering: &Peering) -> bool {
    let state = peering.state.as_deref();
    state.is_none_or(|state| state.eq_ignore_ascii_case("Connected"))
}

/// Resources by the subscription whose list holds them.
pub(super) type Listings<T> = BTreeMap<String, Listing<T>>;

/// Networks as they answered.
type Answers = Vec<(Id, Datum<model::VirtualNetwork>)>;

/// What was read to look for hops in.
#[derive(Debug, Clone)]
pub(super) struct Space {
    /// The pools' networks.
    own: BTreeMap<Id, Datum<VirtualNetwork>>,
    /// Networks peered with them.
    pub(super) peered: BTreeMap<Id, Datum<VirtualNetwork>>,
    peers: Vec<Peer>,
    segments: Vec<Segment>,
    firewalls: Listings<AzureFirewall>,
    policies: Listings<FirewallPolicy>,
}

impl Space {
    /// Reads the first peers, and the firewalls and policies of the own and the peers' subscriptions.
    pub(super) async fn read(reader: Reader<'_>, networks: &Networks) -> Self {
        let peers = peers(networks);
        let readable: Vec<&Id> = peers
            .iter()
            .filter(|peer| !peer.hub)
            .map(|peer| &peer.id)
            .collect();
        let mut subscriptions = BTreeSet::new();
        let all = networks.vnets.keys().chain(readable.iter().copied());
        for subscription in all.filter_map(subscription) {
            if subscriptions.len() < SUBSCRIPTIONS {
                subscriptions.insert(subscription);
            }
        }
        let (answers, firewalls, policies) = futures::join!(
            read_networks(reader, readable.iter().copied().take(READ_AHEAD)),
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
        let space = Self {
            own: networks.vnets.clone(),
            peered: BTreeMap::new(),
            peers,
            segments: networks.segments.clone(),
            firewalls,
            policies,
        };
        space.with(answers)
    }

    /// Whether a hop may lie in a network that was not read ahead, and in no other.
    pub(super) fn is_later(&self, hop: IpAddr) -> bool {
        self.firewall_at(hop).is_none()
            && self.segment(hop).is_none()
            && self.later().any(|peer| peer.may_hold(hop))
    }

    /// Reads the networks that hops may lie in and that were not read ahead.
    pub(super) async fn read_later(&self, reader: Reader<'_>, hops: &[IpAddr]) -> Answers {
        let near = self
            .later()
            .filter(|peer| hops.iter().any(|hop| peer.may_hold(*hop)));
        read_networks(reader, near.map(|peer| &peer.id)).await
    }

    fn later(&self) -> impl Iterator<Item = &Peer> {
        let peers = self.peers.iter();
        peers.filter(|peer| !peer.hub && !self.peered.contains_key(&peer.id))
    }

    /// With these networks.
    pub(super) fn with(mut self, answers: Answers) -> Self {
        for (id, answer) in answers {
            self.segments.extend(segments(&answer));
            let network = converted(answer, convert::virtual_network);
            self.peered.insert(id, network);
        }
        self
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
        let near = self.peers.iter().filter(|peer| peer.may_hold(hop));
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

    /// Whether a subnet is one of a pool's network or of a peered one.
    fn is_near(&self, subnet: &Id) -> bool {
        let network = subnet.parent();
        let is_peer = |id: &Id| self.peers.iter().any(|peer| peer.id == *id);
        network.is_some_and(|id| self.own.contains_key(&id) || is_peer(&id))
    }

    /// Firewalls of the networks, and those without addresses in the resource groups of networks with a firewall subnet:
    /// a deallocated firewall no longer says where it belongs.
    pub(super) fn firewalls_nearby(&self) -> BTreeMap<Id, Datum<AzureFirewall>> {
        let groups: BTreeSet<Id> = self
            .segments
            .iter()
            .filter(|segment| is_firewall_subnet(&segment.subnet.id))
            .filter_map(|segment| segment.subnet.id.resource_group_id())
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
                    firewall
                        .id
                        .resource_group_id()
                        .is_some_and(|group| groups.contains(&group))
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

async fn read_networks(reader: Reader<'_>, ids: impl Iterator<Item = &Id>) -> Answers {
    let each = ids.map(|id| async move {
        let operation = &operations::VIRTUAL_NETWORK_GET;
        let answer = reader.get(operation, id, &[]).await;
        (id.clone(), answer)
    });
    join_all(each).await
}

/// The subscription of an id, in lower case.
pub(super) fn subscription(id: &Id) -> Option<String> {
    id.subscription().map(str::to_ascii_lowercase)
}

/// Lists resources of these subscriptions.
pub(super) async fn listings<P, T: Clone>(
    reader: Reader<'_>,
    operation: &'static Operation,
    subscriptions: &BTreeSet<String>,
    convert: fn(&model::Resource<P>) -> Option<T>,
) -> Listings<T>
where
    model::Resource<P>: egress_arm::read::Tolerant,
{
    let each = subscriptions.iter().map(|subscription| async move {
        let scope = Id::new(format!("/subscriptions/{subscription}"));
        let answer = reader.list(operation, &scope).await;
        (subscription.clone(), Listing::new(answer, convert))
    });
    keyed(join_all(each).await)
}
