//! One file per finding: its documentation, its metadata, its check, its tests.

mod bearing;
mod consequence;
mod finding;
mod outcome;
mod page;
mod registry;

pub(crate) mod interim;

mod api101;
mod api102;
mod api_server;
pub(crate) mod appliance;
mod cls101;
mod cls102;
mod cls103;
mod cls104;
mod dns101;
mod dns102;
mod dns_servers;
mod firewall_fix;
mod fwl101;
mod fwl102;
mod fwl103;
mod fwl104;
mod fwl105;
mod fwl106;
mod fwl107;
mod fwl108;
mod fwl109;
mod fwl110;
mod fwl111;
mod fwl112;
mod fwl113;
mod fwl114;
pub(crate) mod fwl115;
pub(crate) mod fwl116;
mod fwl117;
pub(crate) mod fwl_metrics;
pub(crate) mod inspection;
mod migration;
mod nat101;
mod nat102;
mod nat103;
mod nat104;
mod nat105;
mod nat106;
mod nat107;
mod nat108;
mod nat109;
mod nat110;
mod nat_gateways;
pub(crate) mod nat_pressure;
mod nod101;
mod nod102;
mod nod103;
mod nod104;
mod nod105;
mod nod106;
mod nod107;
mod nod108;
pub(crate) mod nod_fix;
mod nod_nodes;
mod nsg101;
mod nsg102;
mod nsg103;
mod nsg104;
mod nsg105;
mod nsg106;
mod nsg107;
mod nsg108;
mod nsg109;
mod nsg110;
mod nsg111;
mod nsg_fix;
mod nsg_hits;
mod nsg_platform;
mod out101;
mod out102;
mod out103;
mod out104;
mod out105;
mod out106;
mod out107;
mod out108;
mod out109;
mod out110;
mod out111;
mod out112;
mod out113;
mod out114;
mod out115;
mod out116;
mod out117;
pub(crate) mod routing;
mod snt101;
mod snt102;
mod snt103;
mod snt104;
mod snt105;
mod snt106;
mod snt107;
mod snt108;
mod snt109;
mod snt110;
mod snt_addresses;
mod snt_capacity;
pub(crate) mod snt_change;
pub(crate) mod snt_fix;
pub(crate) mod snt_gateway;
mod snt_hot;
mod snt_ports;
mod udr101;
mod udr102;
mod udr103;
mod udr104;
mod udr105;
mod udr106;
mod udr107;
mod udr108;
mod udr109;
mod udr110;
mod udr111;
mod udr112;
mod udr113;

pub(crate) use bearing::{Bearing, place};
pub(crate) use consequence::{DEAD_HOPS, dead_hop, suppress};
pub use outcome::Outcome;
pub use page::{index, page};
pub use registry::{RULES, find};

use crate::context::Context;
use crate::report::Severity;

/// The troubleshooting guide's step that a check belongs to, in the order in which a packet meets what is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The cluster runs and Azure has settled it.
    ClusterState,
    /// Names are resolved.
    Dns,
    /// Network security groups at the NIC and the subnet.
    NetworkSecurityGroups,
    /// Route tables and what else decides the next hop.
    Routes,
    /// The firewall or appliance at the next hop.
    Appliance,
    /// The method that the outbound type promises: load balancer, NAT gateway, node address.
    OutboundMethod,
    /// SNAT ports, used against allocated.
    SnatPorts,
    /// CPU, memory, disks and conditions of the nodes.
    NodePressure,
    /// The API server's own access list.
    ApiServer,
}

impl Step {
    /// The step in words, as reports show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterState => "cluster state",
            Self::Dns => "DNS",
            Self::NetworkSecurityGroups => "network security groups",
            Self::Routes => "routes",
            Self::Appliance => "egress appliance",
            Self::OutboundMethod => "outbound method",
            Self::SnatPorts => "SNAT ports",
            Self::NodePressure => "node pressure",
            Self::ApiServer => "API server access",
        }
    }
}

/// A finding's documentation, in Markdown.
#[derive(Debug, Clone, Copy)]
pub struct Docs {
    /// What it checks.
    pub what: &'static str,
    /// Why it matters for egress.
    pub why: &'static str,
    /// Evidence that a finding carries.
    pub evidence: &'static str,
    /// How to mend it.
    pub fix: &'static str,
    /// How sure a finding is and what it does not see.
    pub how_sure: &'static str,
    /// Pages of Azure's documentation.
    pub references: &'static [&'static str],
}

/// One finding: what it is and how it is found.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Permanent code, e.g. `NAT101`.
    pub code: &'static str,
    /// Permanent slug, e.g. `subnet-not-associated`.
    pub slug: &'static str,
    /// The worst severity it can raise, and its severity unless the check says otherwise.
    pub severity: Severity,
    /// The guide's step.
    pub step: Step,
    /// Documentation.
    pub docs: Docs,
    /// The check.
    pub check: fn(&Context<'_>) -> Outcome,
}

/// Critical findings that degrade egress without stopping it.
const DEGRADES_ONLY: [&str; 4] = ["SNT101", "FWL115", "FWL118", "OUT109"];

/// Whether a finding stops egress for a node pool or a required endpoint.
pub(crate) fn blocks_egress(code: &str, severity: Severity) -> bool {
    severity == Severity::Critical && !DEGRADES_ONLY.contains(&code)
}

#[cfg(test)]
mod meta_tests;
#[cfg(test)]
mod remedy_tests;
#[cfg(test)]
mod semantics_tests;
