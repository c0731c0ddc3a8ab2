//! What a trace is on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use super::Destination;
use crate::endpoints::{RequiredEndpoint, Transport};
use crate::facts::Id;
use crate::report::{DecidedBy, Device, FinalState, Method, Need, NextHop, Scope};

/// What becomes of the packets to some destinations, from every pool.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Destinations whose packets all take the same steps.
    pub destinations: Vec<TracedDestination>,
    /// One entry per subnet and per security group on the nodes' NICs.
    pub paths: Vec<TracedPath>,
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedDestination {
    /// The host, for a required endpoint possibly with a leading wildcard; null when it is called by address.
    pub host: Option<String>,
    /// The address; null when it is called by name.
    pub ip_address: Option<String>,
    /// Destination port; null when not known.
    pub port: Option<u16>,
    /// `tcp` or `udp`; null when not known.
    pub protocol: Option<String>,
    /// Category of a required endpoint.
    pub category: Option<String>,
    /// Who needs it; null for a destination that was asked for.
    pub need: Option<Need>,
}

/// The way of the packets from some pools.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedPath {
    /// Agent pools.
    pub node_pools: Vec<String>,
    /// Whose packets.
    pub scope: Scope,
    /// The subnet.
    pub subnet_id: Id,
    /// Where the route for the destination leads.
    pub next_hop: NextHop,
    /// What carries the packets.
    pub method: Method,
    /// The device that does.
    pub device: Option<Device>,
    /// Addresses that the destination sees; null when not known.
    pub public_ips: Option<Vec<String>>,
    /// How the engine came to it, in packet order. A packet that an early step drops does not reach the later ones,
    /// which are shown all the same: they may drop it as well.
    pub steps: Vec<TraceStep>,
    /// What becomes of the packets.
    #[serde(rename = "final")]
    pub final_state: FinalState,
    /// Code of the finding that explains a drop; null when none does.
    pub cause: Option<String>,
    /// What decided; null when nothing or more than one thing did.
    pub decided_by: Option<DecidedBy>,
    /// What the answer rests on beside the steps.
    pub notes: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceStep {
    /// What kind of step.
    pub kind: TraceStepKind,
    /// The resource that decided.
    pub resource_id: Option<Id>,
    /// What it decided.
    pub decision: String,
    /// Why.
    pub why: String,
}

/// Kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum TraceStepKind {
    /// Where the packet starts.
    Start,
    /// A network security group: the NIC's, then the subnet's.
    Nsg,
    /// Route selection.
    Route,
    /// A next hop.
    Hop,
    /// The rules of an Azure Firewall.
    Firewall,
    /// Source address translation.
    Snat,
    /// The end.
    Final,
}

impl TracedDestination {
    pub(crate) fn asked(destination: &Destination) -> Self {
        Self {
            host: destination.host().map(str::to_owned),
            ip_address: destination.address().map(|ip| ip.to_string()),
            port: Some(destination.port),
            protocol: Some(word(destination.transport)),
            category: None,
            need: None,
        }
    }

    pub(super) fn required(endpoint: &RequiredEndpoint) -> Self {
        Self {
            host: Some(endpoint.domain_name.clone()),
            ip_address: None,
            port: endpoint.port,
            protocol: endpoint.protocol.map(|p| word(p.transport())),
            category: Some(endpoint.category.clone()),
            need: Some(endpoint.need),
        }
    }

    /// `host:443/tcp`, with `?` for what is not known.
    pub fn label(&self) -> String {
        let place = match (&self.host, &self.ip_address) {
            (Some(host), _) => host.clone(),
            (None, Some(ip)) if ip.contains(':') => format!("[{ip}]"),
            (None, ip) => ip.clone().unwrap_or_default(),
        };
        let port = self.port.map_or("?".to_owned(), |port| port.to_string());
        format!("{place}:{port}/{}", self.protocol.as_deref().unwrap_or("?"))
    }
}

fn word(transport: Transport) -> String {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
    .to_owned()
}
