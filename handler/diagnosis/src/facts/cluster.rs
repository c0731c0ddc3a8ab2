//! The managed cluster and its agent pools, as `Microsoft.ContainerService/managedClusters` describes them
//! (`Microsoft.ContainerService`).

use super::Id;

/// `networkProfile.outboundType` (R1.60).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundType {
    /// `loadBalancer`
    LoadBalancer,
    /// `managedNATGateway`
    ManagedNatGateway,
    /// `managedNATGatewayV2`: the preview spelling of a StandardV2 managed NAT gateway (R1.49).
    ManagedNatGatewayV2,
    /// `userAssignedNATGateway`
    UserAssignedNatGateway,
    /// `userDefinedRouting`
    UserDefinedRouting,
    /// `none`
    None,
    /// `block`: returned live although no specification lists it.
    Block,
    /// A value this version does not know, as Azure spelled it.
    Other(String),
}

impl OutboundType {
    /// Reads Azure's spelling in any case; what is not known is kept as it came.
    pub fn parse(value: &str) -> Self {
        match value.to_ascii_lowercase().as_str() {
            "loadbalancer" => Self::LoadBalancer,
            "managednatgateway" => Self::ManagedNatGateway,
            "managednatgatewayv2" => Self::ManagedNatGatewayV2,
            "userassignednatgateway" => Self::UserAssignedNatGateway,
            "userdefinedrouting" => Self::UserDefinedRouting,
            "none" => Self::None,
            "block" => Self::Block,
            _ => Self::Other(value.to_owned()),
        }
    }

    /// Azure's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::LoadBalancer => "loadBalancer",
            Self::ManagedNatGateway => "managedNATGateway",
            Self::ManagedNatGatewayV2 => "managedNATGatewayV2",
            Self::UserAssignedNatGateway => "userAssignedNATGateway",
            Self::UserDefinedRouting => "userDefinedRouting",
            Self::None => "none",
            Self::Block => "block",
            Self::Other(value) => value,
        }
    }

    /// Whether the type promises a NAT gateway on every pool subnet.
    pub fn is_nat_gateway(&self) -> bool {
        matches!(
            self,
            Self::ManagedNatGateway | Self::ManagedNatGatewayV2 | Self::UserAssignedNatGateway
        )
    }
}

/// `powerState.code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PowerState {
    /// `Running`
    Running,
    /// `Stopped`
    Stopped,
    /// Any other word, as Azure spelled it.
    Other(String),
}

/// `networkProfile.networkPlugin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkPlugin {
    /// `azure`
    Azure,
    /// `kubenet`
    Kubenet,
    /// `none`: bring your own CNI.
    None,
    /// Any other word, as Azure spelled it.
    Other(String),
}

impl NetworkPlugin {
    /// Azure's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Azure => "azure",
            Self::Kubenet => "kubenet",
            Self::None => "none",
            Self::Other(value) => value,
        }
    }
}

/// The managed cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// ARM id, ARM's casing.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Resource group of the cluster resource.
    pub resource_group: String,
    /// Subscription id.
    pub subscription_id: String,
    /// Azure region, e.g. `westeurope`.
    pub location: Option<String>,
    /// `currentKubernetesVersion`, else `kubernetesVersion`.
    pub kubernetes_version: Option<String>,
    /// Name of the node resource group.
    pub node_resource_group: Option<String>,
    /// `provisioningState` as Azure spells it.
    pub provisioning_state: Option<String>,
    /// Code and message of `status.provisioningError`, without personal data.
    pub provisioning_error: Option<String>,
    /// `powerState.code`; `None` when the body has none.
    pub power_state: Option<PowerState>,
    /// `networkProfile`; `None` when the body has none.
    pub network: Option<NetworkProfile>,
    /// `apiServerAccessProfile` with the cluster's FQDNs.
    pub api_server: ApiServerAccess,
    /// `bootstrapProfile.artifactSource` (`Direct` or `Cache`, R1.67).
    pub artifact_source: Option<String>,
    /// Whether `httpProxyConfig` is set and enabled (R1.86).
    pub http_proxy: bool,
    /// Names of the add-ons and features that are on, as ARM spells them.
    pub enabled_addons: Vec<String>,
}

/// `networkProfile`.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkProfile {
    /// `outboundType`; `None` when the body has none.
    pub outbound_type: Option<OutboundType>,
    /// `networkPlugin`.
    pub plugin: Option<NetworkPlugin>,
    /// `networkPluginMode`, e.g. `overlay`.
    pub plugin_mode: Option<String>,
    /// `networkDataplane`: `azure` or `cilium`.
    pub dataplane: Option<String>,
    /// `networkPolicy`.
    pub policy: Option<String>,
    /// `podCidrs`, else `podCidr`, as Azure spells them.
    pub pod_cidrs: Vec<String>,
    /// `serviceCidrs`, else `serviceCidr`.
    pub service_cidrs: Vec<String>,
    /// `ipFamilies`: `IPv4`, `IPv6`.
    pub ip_families: Vec<String>,
    /// `loadBalancerSku` in lower case: `standard` or `basic`.
    pub load_balancer_sku: Option<String>,
    /// `loadBalancerProfile`.
    pub load_balancer_profile: Option<LoadBalancerProfile>,
    /// `natGatewayProfile`.
    pub nat_gateway_profile: Option<NatGatewayProfile>,
}

/// `networkProfile.loadBalancerProfile` (R1.20, R1.22).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadBalancerProfile {
    /// `managedOutboundIPs.count`.
    pub managed_outbound_ip_count: Option<u32>,
    /// `managedOutboundIPs.countIPv6`.
    pub managed_outbound_ipv6_count: Option<u32>,
    /// `outboundIPs.publicIPs`: the caller's own addresses.
    pub outbound_ips: Vec<Id>,
    /// `outboundIPPrefixes.publicIPPrefixes`: the caller's own prefixes.
    pub outbound_ip_prefixes: Vec<Id>,
    /// `effectiveOutboundIPs`: what AKS says is in use.
    pub effective_outbound_ips: Vec<Id>,
    /// `allocatedOutboundPorts` per node; 0 = by band (R1.23). `None` when the body has none.
    pub allocated_outbound_ports: Option<u32>,
    /// `idleTimeoutInMinutes`.
    pub idle_timeout_minutes: Option<u32>,
    /// `backendPoolType`, as Azure spells it.
    pub backend_pool_type: Option<String>,
}

/// `networkProfile.natGatewayProfile`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatGatewayProfile {
    /// `sku`: `Standard` or `StandardV2`.
    pub sku: Option<String>,
    /// `managedOutboundIPProfile.count`.
    pub managed_outbound_ip_count: Option<u32>,
    /// `effectiveOutboundIPs`: addresses, or prefixes with StandardV2 (R1.49).
    pub effective_outbound_ips: Vec<Id>,
    /// `idleTimeoutInMinutes`.
    pub idle_timeout_minutes: Option<u32>,
}

/// `apiServerAccessProfile` and the names of the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiServerAccess {
    /// `enablePrivateCluster`.
    pub private_cluster: Option<bool>,
    /// `enableVnetIntegration`.
    pub vnet_integration: Option<bool>,
    /// `authorizedIPRanges`, as Azure spells them.
    pub authorized_ip_ranges: Vec<String>,
    /// `subnetId` of an API server with VNet integration.
    pub subnet_id: Option<Id>,
    /// `fqdn`.
    pub fqdn: Option<String>,
    /// `privateFQDN`.
    pub private_fqdn: Option<String>,
}

/// `mode` of an agent pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolMode {
    /// `System`
    System,
    /// `User`
    User,
    /// `Gateway`: a static egress gateway (R1.87).
    Gateway,
    /// Any other word, as Azure spelled it.
    Other(String),
}

impl PoolMode {
    /// Azure's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Gateway => "Gateway",
            Self::Other(value) => value,
        }
    }
}

/// `upgradeSettings.maxSurge`: a number of nodes or a percentage of the pool, e.g. `1`, `"33%"`.
#[derive(Debug, Clone, PartialEq)]
pub enum MaxSurge {
    /// Whole nodes.
    Nodes(u32),
    /// Percent of the pool size, fractions of a node round up.
    Percent(u32),
    /// A form this version cannot read, as it came.
    Unreadable(String),
}

/// A node count that Azure gave.
pub type Count = u32;

/// One agent pool.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentPool {
    /// Name.
    pub name: String,
    /// `mode`.
    pub mode: Option<PoolMode>,
    /// `count`: nodes now.
    pub count: Option<Count>,
    /// `enableAutoScaling`.
    pub auto_scaling: Option<bool>,
    /// `minCount`.
    pub min_count: Option<Count>,
    /// `maxCount`.
    pub max_count: Option<Count>,
    /// `upgradeSettings.maxSurge`.
    pub max_surge: Option<MaxSurge>,
    /// `vmSize`.
    pub vm_size: Option<String>,
    /// `osType`: `Linux` or `Windows`.
    pub os_type: Option<String>,
    /// `type`: `VirtualMachineScaleSets`, `AvailabilitySet` or `VirtualMachines`.
    pub pool_type: Option<String>,
    /// `vnetSubnetID`; `None` means an AKS-managed network.
    pub vnet_subnet_id: Option<Id>,
    /// `podSubnetID` (R1.82).
    pub pod_subnet_id: Option<Id>,
    /// `enableNodePublicIP`.
    pub node_public_ip: Option<bool>,
    /// `availabilityZones`.
    pub zones: Vec<String>,
    /// `osDiskType`: `Managed` or `Ephemeral`.
    pub os_disk_type: Option<String>,
    /// `osDiskSizeGB`.
    pub os_disk_size_gb: Option<u32>,
    /// `provisioningState` as Azure spells it.
    pub provisioning_state: Option<String>,
    /// Code and message of `status.provisioningError`.
    pub provisioning_error: Option<String>,
    /// `powerState.code`.
    pub power_state: Option<PowerState>,
}

impl AgentPool {
    /// Whether its nodes are virtual machines of their own, without a scale set.
    pub fn is_machines(&self) -> bool {
        let kind = self.pool_type.as_deref();
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("VirtualMachines"))
    }
}
