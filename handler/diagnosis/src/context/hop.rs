//! Where the default route of a subnet leads, as far as that follows from the absence of user routes.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::{Facts, Id, Missing, NextHopType, Route, Subnet, lookup};

/// The default route of a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DefaultHop {
    /// Azure's own `0.0.0.0/0 → Internet`.
    System,
    /// The route table has routes beside kubenet's pod routes.
    UserRoutes(Id),
    /// A gateway may announce a default route, which cannot be read here; the reason.
    GatewayPossible(String),
    /// Something on the way could not be read.
    Unread(Missing),
}

impl DefaultHop {
    pub(crate) fn of(facts: &Facts, subnet: &Subnet) -> Self {
        Self::read(facts, subnet).unwrap_or_else(Self::Unread)
    }

    fn read(facts: &Facts, subnet: &Subnet) -> Result<Self, Missing> {
        if let Some(id) = &subnet.route_table_id {
            let table =
                lookup(&facts.route_tables, id).known(|| format!("route table {}", id.name()))?;
            if !table.routes.iter().all(|route| is_pod_route(facts, route)) {
                return Ok(Self::UserRoutes(id.clone()));
            }
            if table.disable_bgp_route_propagation == Some(true) {
                return Ok(Self::System);
            }
        }
        Ok(gateway(facts, subnet)?.map_or(Self::System, Self::GatewayPossible))
    }
}

/// Why a gateway may announce routes to this subnet's network.
fn gateway(facts: &Facts, subnet: &Subnet) -> Result<Option<String>, Missing> {
    let Some(id) = subnet.id.parent() else {
        return Ok(Some(format!("{} names no virtual network", subnet.id)));
    };
    let network =
        lookup(&facts.virtual_networks, &id).known(|| format!("virtual network {}", id.name()))?;
    let own = network
        .subnet_ids
        .iter()
        .any(|s| s.name().eq_ignore_ascii_case("GatewaySubnet"));
    let remote = network
        .peerings
        .iter()
        .find(|p| p.use_remote_gateways == Some(true));
    Ok(match (own, remote) {
        (true, _) => Some(format!("virtual network {} has a GatewaySubnet", id.name())),
        (false, Some(peering)) => Some(format!(
            "peering {} of virtual network {} uses the remote network's gateway",
            peering.name,
            id.name()
        )),
        (false, None) => None,
    })
}

/// Whether a route is one of those that AKS writes per kubenet node: a part of the pod range to a node's address (R1.80).
pub(crate) fn is_pod_route(facts: &Facts, route: &Route) -> bool {
    let (Ok(prefix), Some(Ok(hop))) = (
        route.address_prefix.parse::<IpNet>(),
        route.next_hop_ip.as_deref().map(str::parse::<IpAddr>),
    ) else {
        return false;
    };
    let network = facts.cluster.network.as_ref();
    let in_pod_range = network.is_some_and(|n| {
        n.pod_cidrs
            .iter()
            .filter_map(|cidr| cidr.parse::<IpNet>().ok())
            .any(|range| range.contains(&prefix))
    });
    route.next_hop_type == NextHopType::VirtualAppliance && in_pod_range && is_node(facts, hop)
}

/// Whether an address is a node's: known from the NICs, else from lying in a node subnet.
fn is_node(facts: &Facts, address: IpAddr) -> bool {
    let mut nics = facts
        .scale_set_nics
        .values()
        .filter_map(|d| d.as_known())
        .flatten()
        .peekable();
    if nics.peek().is_some() {
        return nics.any(|nic| nic.private_ips.iter().any(|ip| ip.parse() == Ok(address)));
    }
    facts
        .pool_subnets
        .values()
        .filter_map(|subnets| subnets.node.as_known())
        .filter_map(|id| lookup(&facts.subnets, id).as_known())
        .flat_map(|subnet| &subnet.address_prefixes)
        .filter_map(|prefix| prefix.parse::<IpNet>().ok())
        .any(|prefix| prefix.contains(&address))
}
