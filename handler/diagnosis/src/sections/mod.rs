//! The report's sections, each from the facts and the shared views.

mod cluster;
mod endpoints;
mod nat_gateway;
mod outbound;
mod pressure;
mod snat;
mod snat_series;

pub(crate) use cluster::summary;
pub(crate) use endpoints::endpoints;
pub(crate) use nat_gateway::nat_gateway;
pub(crate) use outbound::{
    carrier_ips, device, diversions, firewall_ips, method_word, next_hop, outbound, public_ips,
    rule_name,
};
pub(crate) use pressure::{disks, nodes};
pub(crate) use snat::snat;
