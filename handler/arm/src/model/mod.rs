//! ARM's resources as their JSON describes them, reduced to what concerns egress.
//!
//! The structs mirror the JSON: a field's name is the key in camelCase, every field may be missing. What a field means
//! and which values it takes is said where facts are made of it. Ids in bodies are kept as text: Azure writes them in
//! any case and now and then points at things that are no resource id.

mod activity_log;
mod cluster;
mod compute;
mod firewall;
mod graph;
mod load_balancer;
mod metrics;
mod network;
mod pressure;
mod resource;
mod service_tags;
#[cfg(test)]
mod tests;

pub use activity_log::LogEvent;
pub use cluster::{
    AddonProfile, AgentPool, AgentPoolProperties, ApiServerAccessProfile, BootstrapProfile,
    Defender, EgressEndpoint, EgressEndpointCategory, EgressEndpointDetail, ErrorDetail, Feature,
    HttpProxyConfig, LoadBalancerProfile, ManagedCluster, ManagedClusterProperties,
    ManagedOutboundIps, MetricsProfile, MonitorProfile, NatGatewayProfile, NetworkProfile,
    OutboundIpPrefixes, OutboundIps, PowerState, SecurityProfile, ServiceMeshProfile, Status,
    UpgradeSettings, VirtualMachineNodes, VirtualMachinesAutoscale, VirtualMachinesProfile,
    VirtualMachinesScale, WorkloadAutoScalerProfile,
};
pub use compute::{
    InstanceStatus, InstanceView, NetworkInterface, NetworkInterfaceProperties, NicConfiguration,
    NicConfigurationProperties, NicIpConfiguration, NicIpConfigurationProperties,
    PublicIpConfiguration, ScaleSet, ScaleSetNetworkProfile, ScaleSetNic, ScaleSetNicProperties,
    ScaleSetProperties, VirtualMachineProfile,
};
pub use firewall::{
    AzureFirewall, AzureFirewallProperties, ClassicCollection, ClassicCollectionProperties,
    CollectionAction, DnsSettings, FirewallIpConfiguration, FirewallIpConfigurationProperties,
    FirewallPolicy, FirewallPolicyProperties, FirewallRule, HubConnection, HubConnectionProperties,
    HubIpAddresses, HubPublicIp, HubPublicIps, IpGroup, IpGroupProperties, PolicySnat,
    RoutingIntent, RoutingIntentProperties, RoutingPolicy, RuleCollection, RuleCollectionGroup,
    RuleCollectionGroupProperties, RuleProtocol, ThreatIntelWhitelist, TransportSecurity,
    VirtualHub, VirtualHubProperties,
};
pub use graph::{GraphPage, GraphRow, SubscriptionItem};
pub use load_balancer::{
    BackendPool, BackendPoolProperties, FrontendIpConfiguration, FrontendProperties, LoadBalancer,
    LoadBalancerProperties, LoadBalancingRule, LoadBalancingRuleProperties, OutboundRule,
    OutboundRuleProperties,
};
pub use metrics::{
    DataPoint, Dimension, LocalizedName, MetricValue, Metrics, MetricsBatch, MetricsOfResource,
    TimeSeries,
};
pub use network::{
    AddressPrefixItem, AddressSpace, Delegation, DelegationProperties, DhcpOptions, NatGateway,
    NatGatewayProperties, NetworkSecurityGroup, NsgProperties, Peering, PeeringProperties,
    PublicIpAddress, PublicIpPrefix, PublicIpPrefixProperties, PublicIpProperties, Route,
    RouteProperties, RouteTable, RouteTableProperties, SecurityAdminRule,
    SecurityAdminRuleProperties, SecurityAdminRules, SecurityRule, SecurityRuleProperties,
    ServiceEndpoint, Subnet, SubnetProperties, VirtualNetwork, VirtualNetworkProperties,
};
pub use pressure::{
    AvailabilityStatus, AvailabilityStatusProperties, RecentlyResolved, Recommendation,
    RecommendationProperties, ResourceMetadata, ShortDescription, SkuCapability, SkuItem,
    VirtualMachine, VirtualMachineProperties, VmSizes,
};
pub use resource::{Reference, Resource, ResourceGroup, ResourceGroupProperties, Sku, Whole};
pub use service_tags::{ServiceTag, ServiceTags, TagProperties};
