//! Short ways to write facts.

use std::net::IpAddr;

use egress_diagnosis::facts::*;
use egress_diagnosis::network::*;

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn set(texts: &[&str]) -> AddressSet {
    AddressSet::parse_all(texts.iter().copied()).unwrap()
}

pub(crate) fn vnet(prefixes: &[&str]) -> VirtualNetwork {
    VirtualNetwork {
        id: Id::new("/v"),
        location: None,
        address_prefixes: strings(prefixes),
        dns_servers: Vec::new(),
        peerings: Vec::new(),
        subnet_ids: vec![Id::new("/v/subnets/nodes")],
    }
}

pub(crate) fn peering(name: &str, state: Option<&str>, prefixes: &[&str]) -> Peering {
    Peering {
        name: name.to_owned(),
        state: state.map(str::to_owned),
        remote: None,
        remote_address_prefixes: strings(prefixes),
        allow_forwarded_traffic: None,
        allow_gateway_transit: None,
        use_remote_gateways: Some(false),
    }
}

/// A route: prefix, hop word, hop address.
pub(crate) fn route(prefix: &str, hop: NextHopType, hop_ip: Option<&str>) -> Route {
    Route {
        name: format!("to {prefix}"),
        address_prefix: prefix.to_owned(),
        next_hop_type: hop,
        next_hop_ip: hop_ip.map(str::to_owned),
    }
}

pub(crate) fn table(routes: Vec<Route>) -> RouteTable {
    RouteTable {
        id: Id::new("/rt"),
        routes,
        subnet_ids: Vec::new(),
        disable_bgp_route_propagation: Some(false),
        aks_managed: false,
    }
}

/// An outbound rule from anywhere, any source port.
pub(crate) fn rule(
    priority: u32,
    access: Access,
    protocol: &str,
    destinations: &[&str],
    ports: &[&str],
) -> SecurityRule {
    SecurityRule {
        name: format!("r{priority}"),
        priority,
        direction: Some(Direction::Outbound),
        access: Some(access),
        protocol: protocol.to_owned(),
        sources: strings(&["*"]),
        source_asgs: Vec::new(),
        source_ports: strings(&["*"]),
        destinations: strings(destinations),
        destination_asgs: Vec::new(),
        destination_ports: strings(ports),
    }
}

pub(crate) fn nsg(rules: Vec<SecurityRule>) -> Nsg {
    Nsg {
        id: Id::new("/nsg"),
        rules,
        default_rules: Vec::new(),
        aks_managed: false,
    }
}
