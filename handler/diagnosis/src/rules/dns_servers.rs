//! The DNS servers that a virtual network hands to its nodes.

use std::net::IpAddr;

use crate::facts::VirtualNetwork;

/// Azure's own resolver (R4.10).
const AZURE_DNS: &str = "168.63.129.16";

/// The custom servers by text; empty = Azure DNS.
pub(super) fn custom(network: &VirtualNetwork) -> impl Iterator<Item = &str> {
    network
        .dns_servers
        .iter()
        .map(|server| server.trim())
        .filter(|server| *server != AZURE_DNS)
}

/// Whether nodes ask custom servers and never Azure DNS.
pub(super) fn custom_only(network: &VirtualNetwork) -> bool {
    !network.dns_servers.is_empty() && custom(network).count() == network.dns_servers.len()
}

/// The custom servers with a readable address.
pub(super) fn addresses(network: &VirtualNetwork) -> Vec<IpAddr> {
    custom(network)
        .filter_map(|server| server.parse().ok())
        .collect()
}

/// What is said about the custom servers that are no address.
pub(super) fn unreadable(network: &VirtualNetwork) -> Vec<String> {
    custom(network)
        .filter(|server| server.parse::<IpAddr>().is_err())
        .map(|server| {
            format!(
                "`{server}` of virtual network {} is no address",
                network.id.name()
            )
        })
        .collect()
}

/// Whether Azure DNS stands beside custom servers.
pub(super) fn also_azure(network: &VirtualNetwork) -> bool {
    custom(network).count() < network.dns_servers.len()
}
