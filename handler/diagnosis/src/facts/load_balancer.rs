//! The AKS load balancer `kubernetes` (R1.28).

use super::Id;

/// A load balancer.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBalancer {
    /// ARM id.
    pub id: Id,
    /// `sku.name`, as Azure spells it.
    pub sku: Option<String>,
    /// `provisioningState`.
    pub provisioning_state: Option<String>,
    /// Frontends.
    pub frontends: Vec<Frontend>,
    /// Outbound rules.
    pub outbound_rules: Vec<OutboundRule>,
    /// Backend pools.
    pub backend_pools: Vec<BackendPool>,
    /// Load balancing rules.
    pub rules: Vec<LoadBalancingRule>,
}

/// A frontend IP configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontend {
    /// ARM id.
    pub id: Id,
    /// `publicIPAddress.id`.
    pub public_ip: Option<Id>,
    /// `publicIPPrefix.id`.
    pub public_ip_prefix: Option<Id>,
    /// `privateIPAddress`.
    pub private_ip: Option<String>,
}

/// An outbound rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRule {
    /// Name; AKS's own is `aksOutboundRule`.
    pub name: String,
    /// `allocatedOutboundPorts`; 0 = by band (R1.23).
    pub allocated_outbound_ports: Option<u32>,
    /// `idleTimeoutInMinutes`.
    pub idle_timeout_minutes: Option<u32>,
    /// `enableTcpReset`.
    pub tcp_reset: Option<bool>,
    /// `protocol`: `All`, `Tcp` or `Udp`.
    pub protocol: Option<String>,
    /// `frontendIPConfigurations`.
    pub frontends: Vec<Id>,
    /// `backendAddressPool.id`.
    pub backend_pool: Option<Id>,
}

/// A backend pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendPool {
    /// ARM id.
    pub id: Id,
    /// How many NIC configurations or addresses are in it.
    pub members: usize,
}

/// A load balancing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancingRule {
    /// Name.
    pub name: String,
    /// `frontendIPConfiguration.id`.
    pub frontend: Option<Id>,
    /// `backendAddressPool.id`.
    pub backend_pool: Option<Id>,
    /// `protocol`.
    pub protocol: Option<String>,
    /// `frontendPort`; 0 with protocol `All` is an HA-ports rule.
    pub frontend_port: Option<u32>,
    /// `disableOutboundSnat` (R1.35).
    pub disable_outbound_snat: Option<bool>,
}
