//! Virtual networks and what is attached to their subnets (`Microsoft.Network`).

use super::Id;

/// A virtual network.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualNetwork {
    /// ARM id.
    pub id: Id,
    /// Region.
    pub location: Option<String>,
    /// `addressSpace.addressPrefixes`, as Azure spells them.
    pub address_prefixes: Vec<String>,
    /// `dhcpOptions.dnsServers`; empty = Azure DNS.
    pub dns_servers: Vec<String>,
    /// Peerings.
    pub peerings: Vec<Peering>,
    /// Ids of its subnets.
    pub subnet_ids: Vec<Id>,
}

/// A peering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peering {
    /// Name.
    pub name: String,
    /// `peeringState`: `Connected` carries traffic.
    pub state: Option<String>,
    /// `remoteVirtualNetwork.id`.
    pub remote: Option<Id>,
    /// `remoteAddressSpace` (or `remoteVirtualNetworkAddressSpace`) prefixes.
    pub remote_address_prefixes: Vec<String>,
    /// `allowForwardedTraffic`.
    pub allow_forwarded_traffic: Option<bool>,
    /// `allowGatewayTransit`.
    pub allow_gateway_transit: Option<bool>,
    /// `useRemoteGateways`.
    pub use_remote_gateways: Option<bool>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Subnet {
    /// ARM id.
    pub id: Id,
    /// `addressPrefixes`, else `addressPrefix`.
    pub address_prefixes: Vec<String>,
    /// `networkSecurityGroup.id`.
    pub nsg_id: Option<Id>,
    /// `routeTable.id`.
    pub route_table_id: Option<Id>,
    /// `natGateway.id`.
    pub nat_gateway_id: Option<Id>,
    /// `serviceEndpoints`.
    pub service_endpoints: Vec<ServiceEndpoint>,
    /// `defaultOutboundAccess`; `Some(false)` = private subnet (R2.5).
    pub default_outbound_access: Option<bool>,
    /// Names of the services it is delegated to.
    pub delegations: Vec<String>,
}

/// A service endpoint of a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// `service`, e.g. `Microsoft.Storage`.
    pub service: String,
    /// `locations`.
    pub locations: Vec<String>,
}

/// A route table.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTable {
    /// ARM id.
    pub id: Id,
    /// Routes.
    pub routes: Vec<Route>,
    /// `subnets`: every subnet that uses it.
    pub subnet_ids: Vec<Id>,
    /// `disableBgpRoutePropagation`.
    pub disable_bgp_route_propagation: Option<bool>,
    /// Tags; AKS writes `aks-managed-…` on its own.
    pub aks_managed: bool,
}

/// `nextHopType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHopType {
    /// `VirtualAppliance`
    VirtualAppliance,
    /// `VirtualNetworkGateway`
    VirtualNetworkGateway,
    /// `VnetLocal`
    VnetLocal,
    /// `Internet`
    Internet,
    /// `None`: traffic is dropped.
    None,
    /// Any other word, as Azure spelled it, e.g. `VirtualApplianceEcmp`.
    Other(String),
}

impl NextHopType {
    /// Azure's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::VirtualAppliance => "VirtualAppliance",
            Self::VirtualNetworkGateway => "VirtualNetworkGateway",
            Self::VnetLocal => "VnetLocal",
            Self::Internet => "Internet",
            Self::None => "None",
            Self::Other(value) => value,
        }
    }
}

/// A user-defined route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name.
    pub name: String,
    /// `addressPrefix`: a CIDR or a service tag (R3.7).
    pub address_prefix: String,
    /// `nextHopType`.
    pub next_hop_type: NextHopType,
    /// `nextHopIpAddress`.
    pub next_hop_ip: Option<String>,
}

/// A network security group.
#[derive(Debug, Clone, PartialEq)]
pub struct Nsg {
    /// ARM id.
    pub id: Id,
    /// `securityRules`: custom rules, both directions.
    pub rules: Vec<SecurityRule>,
    /// `defaultSecurityRules`; empty when the body has none (R4.3 appends them).
    pub default_rules: Vec<SecurityRule>,
    /// Whether AKS made it (name `aks-agentpool-…` in the node resource group or `aks-managed-…` tags).
    pub aks_managed: bool,
}

/// `direction` of a security rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `Inbound`
    Inbound,
    /// `Outbound`
    Outbound,
}

/// `access` of a security rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
}

/// A security rule. Singular and plural forms of Azure's fields are united here (R4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityRule {
    /// Name.
    pub name: String,
    /// `priority`; lower wins.
    pub priority: u32,
    /// `direction`; `None` when Azure's word was not understood.
    pub direction: Option<Direction>,
    /// `access`; `None` when Azure's word was not understood.
    pub access: Option<Access>,
    /// `protocol` as Azure spells it: `*`, `Tcp`, `Udp`, `Icmp`, `Esp`, `Ah`.
    pub protocol: String,
    /// Prefixes or service tags.
    pub sources: Vec<String>,
    /// `sourceApplicationSecurityGroups`.
    pub source_asgs: Vec<Id>,
    /// Port ranges: `*`, `n` or `a-b`.
    pub source_ports: Vec<String>,
    /// Prefixes or service tags.
    pub destinations: Vec<String>,
    /// `destinationApplicationSecurityGroups`.
    pub destination_asgs: Vec<Id>,
    /// Port ranges: `*`, `n` or `a-b`.
    pub destination_ports: Vec<String>,
}

/// A security admin rule of Azure Virtual Network Manager that applies to a virtual network (R4.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityAdminRule {
    /// ARM id: the rule's, in a rule collection of a network manager's configuration.
    pub id: Id,
    /// What it matches, and whether it denies.
    pub rule: SecurityRule,
    /// `access` is `AlwaysAllow`: no security group can deny what it matches.
    pub always: bool,
}

/// A NAT gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct NatGateway {
    /// ARM id.
    pub id: Id,
    /// `sku.name`: `Standard` or `StandardV2`.
    pub sku: Option<String>,
    /// `provisioningState`.
    pub provisioning_state: Option<String>,
    /// `zones`.
    pub zones: Vec<String>,
    /// `idleTimeoutInMinutes`.
    pub idle_timeout_minutes: Option<u32>,
    /// `publicIpAddresses` and `publicIpAddressesV6`.
    pub public_ips: Vec<Id>,
    /// `publicIpPrefixes` and `publicIpPrefixesV6`.
    pub public_ip_prefixes: Vec<Id>,
    /// `subnets`.
    pub subnet_ids: Vec<Id>,
}

/// A public IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIp {
    /// ARM id.
    pub id: Id,
    /// `ipAddress`; `None` while none is assigned.
    pub address: Option<String>,
    /// `publicIPAddressVersion`: `IPv4` or `IPv6`.
    pub version: Option<String>,
    /// `sku.name`.
    pub sku: Option<String>,
    /// `zones`.
    pub zones: Vec<String>,
}

/// A public IP prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIpPrefix {
    /// ARM id.
    pub id: Id,
    /// `ipPrefix`, a CIDR.
    pub prefix: Option<String>,
    /// `prefixLength`.
    pub length: Option<u8>,
}
