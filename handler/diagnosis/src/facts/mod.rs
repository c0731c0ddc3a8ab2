//! What was read about one cluster. Filled by `egress-collect`, read by the rules, never changed after.
//!
//! A field of type [`Datum`] says how it was obtained; an `Option` inside a known value means that Azure's answer did
//! not carry the field. Neither is ever replaced by a default here: rules decide what absence means.

mod activity;
mod cluster;
mod compute;
mod datum;
mod features;
mod firewall;
mod hop;
mod hub;
mod id;
mod load_balancer;
mod metrics;
mod network;
mod pressure;
mod tags;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;

pub use activity::{ActivityLog, ResourceWrite};
pub use cluster::{
    AgentPool, ApiServerAccess, Cluster, Count, LoadBalancerProfile, MaxSurge, NatGatewayProfile,
    NetworkPlugin, NetworkProfile, OutboundType, PoolMode, PowerState,
};
pub use compute::{MachineNic, ScaleSet, ScaleSetNic};
pub use datum::{Cause, Datum, Missing};
pub use features::{Cloud, Features};
pub use firewall::{
    ApplicationRule, ApplicationTarget, AzureFirewall, FirewallPolicy, IpGroup, NatRule,
    NetworkRule, RuleAction, RuleCollection, RuleCollectionGroup, RuleCollectionRules,
    ThreatIntelMode,
};
pub use hop::{HopNic, HopOwner};
pub use hub::HubRouting;
pub use id::Id;
pub use load_balancer::{BackendPool, Frontend, LoadBalancer, LoadBalancingRule, OutboundRule};
pub use metrics::{Metric, MetricAggregation, Point, ResourceMetrics, Series, Window};
pub use network::{
    Access, Direction, NatGateway, NextHopType, Nsg, Peering, PublicIp, PublicIpPrefix, Route,
    RouteTable, SecurityAdminRule, SecurityRule, ServiceEndpoint, Subnet, VirtualNetwork,
};
pub use pressure::{CloserLook, Health, Machine, NO_CLOSER_LOOK, Pressure, Recommendation, VmSize};
pub use tags::ServiceTagList;

/// A required outbound endpoint as ARM lists it (`outboundNetworkDependenciesEndpoints`, R1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressEndpoint {
    /// ARM's category, e.g. `images`, `apiserver`, `ubuntu-optional`.
    pub category: String,
    /// Host name, possibly with a leading wildcard.
    pub domain_name: String,
    /// Destination port; `None` when ARM gave none.
    pub port: Option<u16>,
    /// `Https`, `Http`, `TCP` or `UDP`, as ARM spells it.
    pub protocol: Option<String>,
    /// ARM's own description of the endpoint.
    pub description: Option<String>,
}

/// Everything that was read for one report.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The time of asking; the only clock the diagnosis knows.
    pub asked_at: Timestamp,
    /// The metrics window.
    pub window: Window,
    /// The cluster itself: without it there is no report.
    pub cluster: Cluster,
    /// The agent pools, from the cluster's body, else from the agent pool list.
    pub agent_pools: Datum<Vec<AgentPool>>,
    /// ARM's list of required endpoints for this cluster.
    pub egress_endpoints: Datum<Vec<EgressEndpoint>>,
    /// Subnet ids of each pool after AKS-managed networks were resolved: pool name → (node subnet, pod subnet).
    pub pool_subnets: BTreeMap<String, PoolSubnets>,
    /// Virtual networks by id: the pools', and peered ones where a next hop was looked for.
    pub virtual_networks: BTreeMap<Id, Datum<VirtualNetwork>>,
    /// Node and pod subnets (and others that were needed) by id.
    pub subnets: BTreeMap<Id, Datum<Subnet>>,
    /// Route tables by id.
    pub route_tables: BTreeMap<Id, Datum<RouteTable>>,
    /// Network security groups by id.
    pub nsgs: BTreeMap<Id, Datum<Nsg>>,
    /// Security admin rules of Azure Virtual Network Manager by the virtual network that they apply to (R4.11).
    pub admin_rules: BTreeMap<Id, Datum<Vec<SecurityAdminRule>>>,
    /// NAT gateways by id.
    pub nat_gateways: BTreeMap<Id, Datum<NatGateway>>,
    /// Public IP addresses by id.
    pub public_ips: BTreeMap<Id, Datum<PublicIp>>,
    /// Public IP prefixes by id.
    pub public_ip_prefixes: BTreeMap<Id, Datum<PublicIpPrefix>>,
    /// The AKS load balancer `kubernetes` of the node resource group.
    pub load_balancer: Datum<LoadBalancer>,
    /// The scale sets of the node resource group.
    pub scale_sets: Datum<Vec<ScaleSet>>,
    /// Scale set NICs by scale set id.
    pub scale_set_nics: BTreeMap<Id, Datum<Vec<ScaleSetNic>>>,
    /// Public IP addresses of the instances by scale set id; only of scale sets that give their instances one.
    pub scale_set_public_ips: BTreeMap<Id, Datum<Vec<PublicIp>>>,
    /// NICs of the node resource group's virtual machines; not asked for without a pool of type `VirtualMachines`.
    pub machine_nics: Datum<Vec<MachineNic>>,
    /// Metrics by resource and metric name.
    pub metrics: ResourceMetrics,
    /// Azure Firewalls of the pools' networks and of those peered with them, of hubs that own a next hop, and deallocated
    /// ones in these networks' resource groups; by id.
    pub firewalls: BTreeMap<Id, Datum<AzureFirewall>>,
    /// Policies of the firewalls that own a next hop, and their parents, by id.
    pub firewall_policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    /// Rule collection groups of these policies, by policy id.
    pub rule_collection_groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    /// IP groups that their rules name, by id.
    pub ip_groups: BTreeMap<Id, Datum<IpGroup>>,
    /// What virtual hubs do with internet traffic, by the virtual network that is connected to one: where a pool's default
    /// route depends on it.
    pub hub_routing: BTreeMap<Id, Datum<HubRouting>>,
    /// Who owns the address of each default route that leads to a virtual appliance.
    pub hops: BTreeMap<IpAddr, Datum<HopOwner>>,
    /// Service tags that rules name and whose addresses decide something; not asked for when there are none.
    pub service_tags: Datum<ServiceTagList>,
    /// The activity log of each resource group that holds something which a finding is about, by the group's id; empty
    /// while there is nothing to explain.
    pub activity_logs: BTreeMap<Id, Datum<ActivityLog>>,
    /// The cloud that was asked, and features that the cluster's body does not tell of.
    pub features: Features,
    /// What a closer look at the nodes found.
    pub pressure: Pressure,
}

/// The subnets one agent pool uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSubnets {
    /// Where the nodes' NICs are. Unknown when an AKS-managed network could not be read.
    pub node: Datum<Id>,
    /// Where the pods' addresses come from under pod-subnet CNI (R1.82); `None` otherwise.
    pub pod: Option<Id>,
}

/// The entry for `id`, or why there is none: a resource nobody planned to read is *not asked*, never absent.
pub fn lookup<'a, T>(map: &'a BTreeMap<Id, Datum<T>>, id: &Id) -> &'a Datum<T>
where
    Datum<T>: 'a,
{
    map.get(id).unwrap_or(
        const {
            &Datum::NotAsked {
                why: std::borrow::Cow::Borrowed("not part of the plan"),
            }
        },
    )
}
