//! Effective routes of a subnet, computed (R3.1–R3.14), and the choice among them.

mod build;
mod select;

use std::net::IpAddr;

use ipnet::IpNet;

use super::{AddressSet, Doubt};
use crate::facts::{Id, NextHopType, Route, RouteTable, VirtualNetwork};

pub use build::Inputs;
pub use select::{Decided, DefaultHop, EffectiveRoutes};

/// Where an effective route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteSource {
    /// The subnet's route table.
    User,
    /// Learned by a gateway.
    Bgp,
    /// Azure's own.
    System(SystemRoute),
}

/// The kinds of system routes (R3.3, R3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemRoute {
    /// The network's address space.
    VirtualNetwork,
    /// A peered network's address space.
    Peering,
    /// A service endpoint.
    ServiceEndpoint,
    /// The default to the internet.
    Default,
    /// A private range that the network does not use: dropped.
    PrivateRange,
}

/// Where a route sends a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// An appliance; `None` when the route has no readable address for it.
    VirtualAppliance(Option<IpAddr>),
    /// A virtual network gateway.
    VirtualNetworkGateway,
    /// Inside the virtual network.
    VirtualNetwork,
    /// A peered network.
    Peering(Option<Id>),
    /// A service endpoint of this service.
    ServiceEndpoint(String),
    /// The internet.
    Internet,
    /// Nowhere: dropped.
    None,
    /// A word this version does not know.
    Other(String),
}

impl Hop {
    /// Where a user-defined route sends a packet.
    pub fn of(route: &Route) -> Self {
        match &route.next_hop_type {
            NextHopType::VirtualAppliance => Self::VirtualAppliance(
                route
                    .next_hop_ip
                    .as_deref()
                    .and_then(|ip| ip.trim().parse().ok()),
            ),
            NextHopType::VirtualNetworkGateway => Self::VirtualNetworkGateway,
            NextHopType::VnetLocal => Self::VirtualNetwork,
            NextHopType::Internet => Self::Internet,
            NextHopType::None => Self::None,
            NextHopType::Other(word) => Self::Other(word.clone()),
        }
    }

    /// Azure's word, as the precedence table takes it. Peerings and service endpoints have no user-defined equal and
    /// keep their own word (R3.13).
    pub fn next_hop_type(&self) -> NextHopType {
        match self {
            Self::VirtualAppliance(_) => NextHopType::VirtualAppliance,
            Self::VirtualNetworkGateway => NextHopType::VirtualNetworkGateway,
            Self::VirtualNetwork => NextHopType::VnetLocal,
            Self::Peering(_) => NextHopType::Other("VirtualNetworkPeering".to_owned()),
            Self::ServiceEndpoint(_) => {
                NextHopType::Other("VirtualNetworkServiceEndpoint".to_owned())
            }
            Self::Internet => NextHopType::Internet,
            Self::None => NextHopType::None,
            Self::Other(word) => NextHopType::Other(word.clone()),
        }
    }
}

/// An effective route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRoute {
    /// The route's name in the table, the peering's, the service's or the virtual hub's name; empty for other routes.
    pub name: String,
    /// The prefix that was compared. A service tag route has one entry per prefix.
    pub prefix: IpNet,
    /// The service tag it came from, for a tag route (R3.7).
    pub tag: Option<String>,
    /// Where it comes from.
    pub source: RouteSource,
    /// Where it leads.
    pub hop: Hop,
}

/// A route that may exist, and win, within some addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRoute {
    /// The route's name in the table, the peering's or the service's name; empty for BGP.
    pub name: String,
    /// Where it would come from.
    pub source: RouteSource,
    /// Where it would lead; `None`: not known.
    pub hop: Option<Hop>,
    /// Where it could win.
    pub within: AddressSet,
    /// Why it is not known; `None` for routes a gateway may have learned.
    pub doubt: Option<Doubt>,
}

/// What gateways have taught the subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bgp {
    /// Nothing can have been learned.
    None,
    /// Exactly these prefixes, to the gateway.
    Known(Vec<IpNet>),
    /// A virtual hub's default route, and whatever else the hub announces (R3.14).
    Hub {
        /// The hub's name.
        hub: String,
        /// Where the default route leads.
        default: Hop,
    },
    /// It cannot be read.
    Unknown,
}

impl Bgp {
    /// What can be said without reading a gateway: propagation is off (R3.9), or the network has no gateway, no route
    /// server and no peering that uses a remote one; else it is unknown.
    pub fn of(network: &VirtualNetwork, table: Option<&RouteTable>) -> Self {
        if table.is_some_and(|t| t.disable_bgp_route_propagation == Some(true)) {
            return Self::None;
        }
        let own = network.subnet_ids.is_empty()
            || network.subnet_ids.iter().any(|id| {
                ["GatewaySubnet", "RouteServerSubnet"]
                    .iter()
                    .any(|name| id.name().eq_ignore_ascii_case(name))
            });
        let remote = network
            .peerings
            .iter()
            .any(|peering| peering.use_remote_gateways != Some(false));
        if own || remote {
            Self::Unknown
        } else {
            Self::None
        }
    }
}

/// Whether a route is one that kubenet's cloud provider writes for a node: a prefix of the pod CIDR to that node's own
/// address (R1.80). Never an appliance.
pub fn is_kubenet_node_route(route: &Route, pod_cidrs: &AddressSet, nodes: &AddressSet) -> bool {
    let prefix = route.address_prefix.parse::<IpNet>();
    let hop = route
        .next_hop_ip
        .as_deref()
        .and_then(|ip| ip.trim().parse::<IpAddr>().ok());
    route.next_hop_type == NextHopType::VirtualAppliance
        && prefix.is_ok_and(|prefix| pod_cidrs.contains_all(&prefix.into()))
        && hop.is_some_and(|ip| nodes.contains(ip))
}
