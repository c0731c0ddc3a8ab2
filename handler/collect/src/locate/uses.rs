//! What a network resource says about who uses it.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::model::{
    AzureFirewall, FirewallPolicy, HubConnection, LoadBalancer, NatGateway, NetworkSecurityGroup,
    PublicIpAddress, PublicIpPrefix, Reference, Resource, RouteTable, VirtualNetwork,
};
use egress_arm::read::{Field, Tolerant};
use egress_arm::{Operation, ResourceId, operations};
use futures::future::join_all;

use super::ask::Ask;
use super::groups::tagged;
use crate::reader::keyed;

const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
const HUB: &str = "Microsoft.Network/virtualHubs";

/// What clusters are recognised by.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Subnets that a pool may be in.
    pub(super) subnets: BTreeSet<ResourceId>,
    /// Networks, whatever the subnet.
    pub(super) networks: BTreeSet<ResourceId>,
    /// Virtual hubs that networks take their default route from.
    hubs: BTreeSet<ResourceId>,
    /// Addresses that routes of the pools' subnets may lead to.
    hops: Vec<Hop>,
    /// Groups that may be a cluster's node resource group.
    pub(super) groups: BTreeSet<ResourceId>,
}

/// A private address of a firewall, and the virtual network or hub it is in.
#[derive(Debug)]
struct Hop {
    address: String,
    place: ResourceId,
}

/// Which networks the traffic of hops and hubs comes from.
#[derive(Debug)]
pub(super) struct Reach {
    /// Each hop with the networks that can route to it; `None` when they could not be read.
    hops: Vec<(String, Option<BTreeSet<ResourceId>>)>,
    /// Networks that take their default route from a hub.
    pub(super) behind_hubs: BTreeSet<ResourceId>,
}

/// What is around a virtual network or hub.
struct Around {
    /// Itself and the networks peered with it or connected to it.
    networks: BTreeSet<ResourceId>,
    /// Those that take their default route from it: only a hub gives one.
    defaults: BTreeSet<ResourceId>,
}

/// What one resource leads to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) uses: Uses,
    /// Resources that lead further.
    pub(super) next: BTreeSet<ResourceId>,
    /// The cluster that its tags name.
    pub(super) tagged: Option<ResourceId>,
}

impl Uses {
    pub(super) fn is_empty(&self) -> bool {
        self.hops.is_empty() && self.ids().is_empty()
    }

    pub(super) fn extend(&mut self, mut other: Self) {
        self.subnets.append(&mut other.subnets);
        self.networks.append(&mut other.networks);
        self.hubs.append(&mut other.hubs);
        self.hops.append(&mut other.hops);
        self.groups.append(&mut other.groups);
    }

    /// Every id in it.
    pub(super) fn ids(&self) -> BTreeSet<ResourceId> {
        [&self.subnets, &self.networks, &self.hubs, &self.groups]
            .into_iter()
            .flatten()
            .chain(self.hops.iter().map(|hop| &hop.place))
            .cloned()
            .collect()
    }

    /// Reads what is around hops and hubs. A next hop is in the subnet's own network or in one next to it: an equal address
    /// elsewhere is another firewall's.
    pub(super) async fn reach(&self, ask: &Ask<'_>) -> Reach {
        let places = self.hops.iter().map(|hop| &hop.place).chain(&self.hubs);
        let places: BTreeSet<&ResourceId> = places.collect();
        let read = places.into_iter().map(|place| async move {
            let around = if place.is_type(HUB) {
                around_hub(ask, place).await
            } else {
                around_network(ask, place).await
            };
            (place, around)
        });
        let around: BTreeMap<_, _> = keyed(join_all(read).await);
        let of = |place| around.get(place).and_then(Option::as_ref);
        let hops = self.hops.iter().map(|hop| {
            let networks = of(&hop.place).map(|around| around.networks.clone());
            (hop.address.clone(), networks)
        });
        let hubs = self.hubs.iter().filter_map(of);
        Reach {
            hops: hops.collect(),
            behind_hubs: hubs.flat_map(|hub| hub.defaults.clone()).collect(),
        }
    }
}

async fn around_network(ask: &Ask<'_>, network: &ResourceId) -> Option<Around> {
    let operation = &operations::VIRTUAL_NETWORK_GET;
    let body: VirtualNetwork = ask.get(operation, network).await?;
    let properties = body.properties.0?;
    let peerings = properties.virtual_network_peerings.iter();
    let remote =
        peerings.filter_map(|peering| id(&peering.properties.as_ref()?.remote_virtual_network.id));
    Some(Around {
        networks: remote.chain([network.clone()]).collect(),
        defaults: BTreeSet::new(),
    })
}

async fn around_hub(ask: &Ask<'_>, hub: &ResourceId) -> Option<Around> {
    let operation = &operations::HUB_CONNECTIONS_LIST;
    let connections: Vec<HubConnection> = ask.list(operation, hub).await?;
    let connected: Vec<(ResourceId, bool)> = connections
        .iter()
        .filter_map(|connection| {
            let connection = connection.properties.as_ref()?;
            let network = id(&connection.remote_virtual_network.id)?;
            // Not said is not excluded.
            Some((network, *connection.enable_internet_security != Some(false)))
        })
        .collect();
    let secured = connected.iter().filter(|(_, secured)| *secured);
    Some(Around {
        defaults: secured.map(|(network, _)| network.clone()).collect(),
        networks: connected.into_iter().map(|(network, _)| network).collect(),
    })
}

impl Reach {
    /// Whether there is no hop that a route could lead to.
    pub(super) fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// All networks in it.
    pub(super) fn networks(&self) -> BTreeSet<ResourceId> {
        let networks = self
            .hops
            .iter()
            .filter_map(|(_, networks)| networks.as_ref());
        networks
            .flatten()
            .chain(&self.behind_hubs)
            .cloned()
            .collect()
    }

    /// Whether a route of a subnet in `network` to `address` leads to one of the hops. Around what could not be read may be
    /// any network.
    pub(super) fn leads(&self, address: &str, network: Option<&ResourceId>) -> bool {
        self.hops.iter().any(|(hop, networks)| {
            let reachable = match (networks, network) {
                (Some(networks), Some(network)) => networks.contains(network),
                _ => true,
            };
            hop == address && reachable
        })
    }
}

/// The resource that an id below it is about: a route's table, a rule's firewall policy. A subnet stays one.
pub(super) fn subject(id: &ResourceId) -> ResourceId {
    let mut subject = id.clone();
    while !subject.is_type(SUBNET)
        && let Some(parent) = subject.parent()
    {
        subject = parent;
    }
    subject
}

/// Reads what a resource says about who uses it.
pub(super) async fn look(ask: &Ask<'_>, resource: &ResourceId) -> Looked {
    let kind = resource.resource_type().to_ascii_lowercase();
    match kind.as_str() {
        "microsoft.network/virtualnetworks/subnets" => Looked {
            uses: Uses {
                subnets: [resource.clone()].into(),
                ..Uses::default()
            },
            ..Looked::default()
        },
        "microsoft.network/virtualnetworks" => Looked {
            uses: Uses {
                networks: [resource.clone()].into(),
                ..Uses::default()
            },
            ..Looked::default()
        },
        "microsoft.network/natgateways" => {
            read(ask, &operations::NAT_GATEWAY_GET, resource, nat_gateway).await
        }
        "microsoft.network/routetables" => {
            read(ask, &operations::ROUTE_TABLE_GET, resource, route_table).await
        }
        "microsoft.network/networksecuritygroups" => {
            let operation = &operations::NETWORK_SECURITY_GROUP_GET;
            read(ask, operation, resource, security_group).await
        }
        "microsoft.network/publicipaddresses" => {
            read(ask, &operations::PUBLIC_IP_GET, resource, public_ip).await
        }
        "microsoft.network/publicipprefixes" => {
            let operation = &operations::PUBLIC_IP_PREFIX_GET;
            read(ask, operation, resource, public_ip_prefix).await
        }
        "microsoft.network/loadbalancers" => {
            // In a node resource group it has been recognised; elsewhere AKS tags what it makes.
            let operation = &operations::LOAD_BALANCER_GET;
            read(ask, operation, resource, |_: &LoadBalancer| {
                (Uses::default(), BTreeSet::new())
            })
            .await
        }
        "microsoft.network/azurefirewalls" => {
            read(ask, &operations::AZURE_FIREWALL_GET, resource, firewall).await
        }
        "microsoft.network/firewallpolicies" => {
            read(ask, &operations::FIREWALL_POLICY_GET, resource, policy).await
        }
        "microsoft.network/virtualhubs" => Looked {
            uses: Uses {
                hubs: [resource.clone()].into(),
                ..Uses::default()
            },
            ..Looked::default()
        },
        _ => Looked::default(),
    }
}

async fn read<P: Tolerant>(
    ask: &Ask<'_>,
    operation: &'static Operation,
    resource: &ResourceId,
    what: impl FnOnce(&Resource<P>) -> (Uses, BTreeSet<ResourceId>),
) -> Looked {
    let Some(body) = ask.get::<Resource<P>>(operation, resource).await else {
        return Looked::default();
    };
    let (uses, next) = what(&body);
    let tags = body.tags.as_ref();
    Looked {
        uses,
        next,
        tagged: tags.and_then(|tags| tagged(resource, tags)),
    }
}

fn in_subnets(list: &[Reference]) -> (Uses, BTreeSet<ResourceId>) {
    let uses = Uses {
        subnets: ids(list).collect(),
        ..Uses::default()
    };
    (uses, BTreeSet::new())
}

fn nat_gateway(body: &NatGateway) -> (Uses, BTreeSet<ResourceId>) {
    let properties = body.properties.as_ref();
    in_subnets(properties.map_or(&[], |p| &p.subnets))
}

fn route_table(body: &RouteTable) -> (Uses, BTreeSet<ResourceId>) {
    let properties = body.properties.as_ref();
    in_subnets(properties.map_or(&[], |p| &p.subnets))
}

/// Interfaces lead on by their resource group: that of scale sets is a node resource group.
fn security_group(body: &NetworkSecurityGroup) -> (Uses, BTreeSet<ResourceId>) {
    let Some(properties) = body.properties.as_ref() else {
        return Default::default();
    };
    let (uses, _) = in_subnets(&properties.subnets);
    let one_per_group = ids(&properties.network_interfaces)
        .filter_map(|nic| nic.group())
        .collect();
    (uses, one_per_group)
}

/// An address is a configuration's, of whatever resource, or a NAT gateway's.
fn public_ip(body: &PublicIpAddress) -> (Uses, BTreeSet<ResourceId>) {
    let properties = body.properties.as_ref();
    let next = properties
        .into_iter()
        .flat_map(|p| [&p.ip_configuration.id, &p.nat_gateway.id])
        .filter_map(id)
        .map(|id| subject(&id));
    (Uses::default(), next.collect())
}

fn public_ip_prefix(body: &PublicIpPrefix) -> (Uses, BTreeSet<ResourceId>) {
    let properties = body.properties.as_ref();
    let next = properties
        .into_iter()
        .flat_map(|p| {
            [
                &p.load_balancer_frontend_ip_configuration.id,
                &p.nat_gateway.id,
            ]
        })
        .filter_map(id)
        .map(|id| subject(&id));
    (Uses::default(), next.collect())
}

/// In a virtual network its first configuration says where it is, in a hub the firewall itself.
fn firewall(body: &AzureFirewall) -> (Uses, BTreeSet<ResourceId>) {
    let Some(properties) = body.properties.as_ref() else {
        return Default::default();
    };
    let in_network = properties.ip_configurations.iter().filter_map(|it| {
        let configuration = it.properties.as_ref()?;
        Some(Hop {
            address: configuration.private_ip_address.clone().0?,
            place: id(&configuration.subnet.id)?.parent()?,
        })
    });
    let hub = id(&properties.virtual_hub.id).filter(|hub| hub.is_type(HUB));
    let address = properties.hub_ip_addresses.private_ip_address.clone().0;
    let in_hub = hub.clone().zip(address);
    let in_hub = in_hub.map(|(place, address)| Hop { address, place });
    let uses = Uses {
        hops: in_network.chain(in_hub).collect(),
        hubs: hub.into_iter().collect(),
        ..Uses::default()
    };
    (uses, BTreeSet::new())
}

fn policy(body: &FirewallPolicy) -> (Uses, BTreeSet<ResourceId>) {
    let properties = body.properties.as_ref();
    let next = properties
        .into_iter()
        .flat_map(|p| ids(&p.firewalls).chain(ids(&p.child_policies)));
    (Uses::default(), next.collect())
}

fn ids(list: &[Reference]) -> impl Iterator<Item = ResourceId> + '_ {
    list.iter().filter_map(|reference| id(&reference.id))
}

pub(super) fn id(text: &Field<String>) -> Option<ResourceId> {
    ResourceId::parse(text.as_deref()?).ok()
}
