//! The scenario format: one simulated cluster and its surroundings per TOML file.
//!
//! Everything has a default, so a file says only what makes its cloud special. A healthy cluster behind a load
//! balancer is a name and a pool. Keys that do not exist are refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// One line for people: what is the case here.
    pub(crate) description: String,
    /// The verdict status a correct diagnosis gives, when the scenario settles it.
    pub(crate) expect: Option<String>,
    /// Codes of the findings a correct diagnosis raises above `info`, or the `info` one the scenario is about.
    #[serde(default)]
    pub(crate) findings: Vec<String>,
    /// Codes whose check passes although little is missing for the finding.
    #[serde(default)]
    pub(crate) near_misses: Vec<String>,
    /// Codes whose check has to stay open, because what decides it cannot be read or is not said.
    #[serde(default)]
    pub(crate) cannot_tell: Vec<String>,
    /// The scenario is about pressure: a diagnosis is asked to look at the nodes closely.
    #[serde(default)]
    pub(crate) pressure: bool,
    /// The managed cluster.
    #[serde(default)]
    pub(crate) cluster: Cluster,
    /// Agent pools by name.
    pub(crate) pools: BTreeMap<String, Pool>,
    /// The AKS load balancer `kubernetes`; present by default with outbound type `loadBalancer`.
    pub(crate) load_balancer: Option<LoadBalancer>,
    /// The NAT gateway that AKS makes with outbound type `managedNATGateway`.
    pub(crate) managed_nat: Option<ManagedNat>,
    /// Virtual networks by name. None = AKS makes one in the node resource group.
    #[serde(default)]
    pub(crate) networks: BTreeMap<String, Network>,
    /// Route tables by name.
    #[serde(default)]
    pub(crate) route_tables: BTreeMap<String, RouteTable>,
    /// Network security groups by name.
    #[serde(default)]
    pub(crate) nsgs: BTreeMap<String, Nsg>,
    /// NAT gateways by name.
    #[serde(default)]
    pub(crate) nat_gateways: BTreeMap<String, NatGateway>,
    /// Public IP addresses by name.
    #[serde(default)]
    pub(crate) public_ips: BTreeMap<String, PublicIp>,
    /// Public IP prefixes by name.
    #[serde(default)]
    pub(crate) public_ip_prefixes: BTreeMap<String, PublicIpPrefix>,
    /// Azure Firewalls by name.
    #[serde(default)]
    pub(crate) firewalls: BTreeMap<String, Firewall>,
    /// Virtual hubs by name.
    #[serde(default)]
    pub(crate) virtual_hubs: BTreeMap<String, VirtualHub>,
    /// IP groups by name.
    #[serde(default)]
    pub(crate) ip_groups: BTreeMap<String, IpGroup>,
    /// Virtual machines that forward packets, by name.
    #[serde(default)]
    pub(crate) appliances: BTreeMap<String, Appliance>,
    /// Internal load balancers before them, by name.
    #[serde(default)]
    pub(crate) internal_load_balancers: BTreeMap<String, InternalLoadBalancer>,
    /// Metric series that differ from the quiet defaults.
    #[serde(default)]
    pub(crate) metrics: Vec<Metric>,
    /// What Azure Advisor recommends.
    #[serde(default)]
    pub(crate) advice: Vec<Advice>,
    /// What Resource Health says otherwise than `Available`.
    #[serde(default)]
    pub(crate) health: Vec<Health>,
    /// How answers go wrong.
    #[serde(default)]
    pub(crate) faults: Vec<Fault>,
    /// What resources' bodies lack or carry otherwise than this format could say.
    #[serde(default)]
    pub(crate) edits: Vec<Edit>,
    /// Writes that the activity log knows of.
    #[serde(default)]
    pub(crate) changes: Vec<Change>,
    /// Resources that others still refer to but that no longer exist, as `public_ips/<name>`.
    #[serde(default)]
    pub(crate) deleted: Vec<String>,
}

/// `[cluster]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of Azure's own, each off by default"
)]
pub(crate) struct Cluster {
    /// Default: the file's name.
    pub(crate) name: Option<String>,
    /// Default: `rg-<name>`.
    pub(crate) resource_group: Option<String>,
    /// Default: `MC_<group>_<name>_<region>`.
    pub(crate) node_resource_group: Option<String>,
    pub(crate) region: String,
    /// `sku.name`: `Base` or `Automatic`.
    pub(crate) sku: String,
    pub(crate) outbound_type: String,
    pub(crate) plugin: String,
    /// Default: `overlay` with plugin `azure` in an AKS-managed network.
    pub(crate) plugin_mode: Option<String>,
    pub(crate) dataplane: String,
    pub(crate) network_policy: String,
    /// `IPv4`, or `IPv4` and `IPv6` for dual stack.
    pub(crate) ip_families: Vec<String>,
    pub(crate) kubernetes_version: String,
    pub(crate) power_state: String,
    pub(crate) provisioning_state: String,
    pub(crate) provisioning_error: Option<ProvisioningError>,
    pub(crate) load_balancer_sku: String,
    pub(crate) private: bool,
    /// The private cluster has a public name for its private endpoint.
    pub(crate) public_fqdn: bool,
    /// API server VNet integration.
    pub(crate) vnet_integration: bool,
    /// `<network>/<subnet>` of the integrated API server; none = the AKS-managed one.
    pub(crate) api_subnet: Option<String>,
    /// `nodeProvisioningProfile.mode`: `Manual`, or `Auto` for nodes outside agent pools.
    pub(crate) node_provisioning: String,
    /// The subnet that AKS makes has no default outbound access.
    pub(crate) private_subnet: bool,
    pub(crate) authorized_ranges: Vec<String>,
    pub(crate) artifact_source: Option<String>,
    pub(crate) pod_cidr: Option<String>,
    pub(crate) service_cidr: String,
    pub(crate) http_proxy: Option<String>,
    /// ARM lists the tunnel of clusters from before konnectivity among the required endpoints.
    pub(crate) classic_tunnel: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            name: None,
            resource_group: None,
            node_resource_group: None,
            region: "westeurope".into(),
            sku: "Base".into(),
            outbound_type: "loadBalancer".into(),
            plugin: "azure".into(),
            plugin_mode: None,
            dataplane: "azure".into(),
            network_policy: "none".into(),
            ip_families: vec!["IPv4".into()],
            kubernetes_version: "1.33".into(),
            power_state: "Running".into(),
            provisioning_state: "Succeeded".into(),
            provisioning_error: None,
            load_balancer_sku: "standard".into(),
            private: false,
            public_fqdn: false,
            vnet_integration: false,
            api_subnet: None,
            node_provisioning: "Manual".into(),
            private_subnet: false,
            authorized_ranges: Vec::new(),
            artifact_source: None,
            pod_cidr: None,
            service_cidr: "10.0.0.0/16".into(),
            http_proxy: None,
            classic_tunnel: false,
        }
    }
}

/// `provisioning_error = { code = "…", message = "…" }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProvisioningError {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// `[pools.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pool {
    pub(crate) count: u32,
    /// With `max`: the autoscaler is on.
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) max_surge: String,
    pub(crate) vm_size: String,
    /// `<network>/<subnet>`; none = the AKS-managed subnet.
    pub(crate) subnet: Option<String>,
    pub(crate) pod_subnet: Option<String>,
    /// `podIPAllocationMode`: `DynamicIndividual` or `StaticBlock`.
    pub(crate) pod_ip_allocation: Option<String>,
    pub(crate) node_public_ip: bool,
    /// Name under `[public_ip_prefixes]` that the nodes' addresses come from.
    pub(crate) node_public_ip_prefix: Option<String>,
    /// Name under `[nsgs]`, on the nodes' interfaces in place of the one that AKS makes.
    pub(crate) nsg: Option<String>,
    /// `scaleSetPriority`, e.g. `Spot`.
    pub(crate) priority: Option<String>,
    /// Default: `System` for a pool called `system`, else `User`.
    pub(crate) mode: Option<String>,
    pub(crate) os: String,
    /// `VirtualMachineScaleSets`, or `VirtualMachines` for single machines.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) zones: Vec<String>,
    pub(crate) os_disk_type: String,
    pub(crate) os_disk_gb: u32,
    pub(crate) provisioning_state: String,
    pub(crate) provisioning_error: Option<ProvisioningError>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            count: 2,
            min: None,
            max: None,
            max_surge: "10%".into(),
            vm_size: "Standard_D4s_v5".into(),
            subnet: None,
            pod_subnet: None,
            pod_ip_allocation: None,
            node_public_ip: false,
            node_public_ip_prefix: None,
            nsg: None,
            priority: None,
            mode: None,
            os: "Linux".into(),
            kind: "VirtualMachineScaleSets".into(),
            zones: Vec::new(),
            os_disk_type: "Managed".into(),
            os_disk_gb: 128,
            provisioning_state: "Succeeded".into(),
            provisioning_error: None,
        }
    }
}

/// `[load_balancer]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoadBalancer {
    /// How many IPv4 outbound addresses AKS makes; not used when `ips` or `prefixes` names the caller's own.
    pub(crate) managed_ips: u32,
    /// How many IPv6 outbound addresses AKS makes in a dual-stack cluster.
    pub(crate) managed_ipv6: u32,
    /// Names under `[public_ips]`.
    pub(crate) ips: Vec<String>,
    /// Names under `[public_ip_prefixes]`.
    pub(crate) prefixes: Vec<String>,
    /// Ports per node; 0 = by size of the backend pool.
    pub(crate) ports: u32,
    pub(crate) idle_minutes: u32,
    /// Whether the outbound rule `aksOutboundRule` exists.
    pub(crate) outbound_rule: bool,
    /// Ports of public Services, each a load balancing rule on the first frontend.
    pub(crate) services: Vec<u16>,
    /// Outbound rules that somebody made by hand.
    pub(crate) outbound_rules: Vec<ForeignRule>,
}

/// `{ name = "more-ports", ips = ["pip-more"] }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForeignRule {
    pub(crate) name: String,
    /// Names under `[public_ips]`, each with a frontend of its own.
    pub(crate) ips: Vec<String>,
    #[serde(default)]
    pub(crate) ports: u32,
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            managed_ips: 1,
            managed_ipv6: 1,
            ips: Vec::new(),
            prefixes: Vec::new(),
            ports: 0,
            idle_minutes: 30,
            outbound_rule: true,
            services: Vec::new(),
            outbound_rules: Vec::new(),
        }
    }
}

/// `[managed_nat]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ManagedNat {
    /// `Standard` or `StandardV2`.
    pub(crate) sku: String,
    pub(crate) ips: u32,
    pub(crate) idle_minutes: u32,
}

impl Default for ManagedNat {
    fn default() -> Self {
        Self {
            sku: "Standard".into(),
            ips: 1,
            idle_minutes: 4,
        }
    }
}

/// `[networks.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// Default: the cluster's.
    pub(crate) resource_group: Option<String>,
    pub(crate) prefixes: Vec<String>,
    #[serde(default)]
    pub(crate) dns_servers: Vec<String>,
    /// Names of other networks of this file; the peering exists in both directions.
    #[serde(default)]
    pub(crate) peerings: Vec<String>,
    #[serde(default)]
    pub(crate) subnets: BTreeMap<String, Subnet>,
    /// Security admin rules of a network manager; `access` may be AlwaysAllow.
    #[serde(default)]
    pub(crate) admin_rules: Vec<SecurityRule>,
}

/// `[networks.<name>.subnets.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subnet {
    pub(crate) prefix: String,
    /// Its IPv6 prefix, in a dual-stack network.
    pub(crate) ipv6_prefix: Option<String>,
    pub(crate) nsg: Option<String>,
    pub(crate) route_table: Option<String>,
    pub(crate) nat_gateway: Option<String>,
    /// `defaultOutboundAccess: false`.
    #[serde(default)]
    pub(crate) private: bool,
    #[serde(default)]
    pub(crate) service_endpoints: Vec<String>,
    /// The service that it is delegated to, e.g. `Microsoft.ContainerService/managedClusters`.
    pub(crate) delegation: Option<String>,
}

/// `[route_tables.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteTable {
    pub(crate) resource_group: Option<String>,
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    /// With kubenet: the cloud provider's route to the pods of each node is in it.
    #[serde(default)]
    pub(crate) pod_routes: bool,
    #[serde(default)]
    pub(crate) disable_bgp: bool,
}

/// `{ name = "default", to = "0.0.0.0/0", via = "VirtualAppliance", ip = "10.0.0.4" }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) name: String,
    /// A CIDR or a service tag.
    pub(crate) to: String,
    /// `nextHopType`.
    pub(crate) via: String,
    pub(crate) ip: Option<String>,
}

/// `[nsgs.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nsg {
    pub(crate) resource_group: Option<String>,
    #[serde(default)]
    pub(crate) rules: Vec<SecurityRule>,
}

/// `{ name = "no-internet", priority = 100, access = "Deny", to = "Internet" }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecurityRule {
    pub(crate) name: String,
    pub(crate) priority: u32,
    pub(crate) access: String,
    #[serde(default = "outbound")]
    pub(crate) direction: String,
    #[serde(default = "any")]
    pub(crate) protocol: String,
    #[serde(default = "any")]
    pub(crate) from: String,
    #[serde(default = "any")]
    pub(crate) to: String,
    #[serde(default = "any")]
    pub(crate) ports: String,
}

fn any() -> String {
    "*".into()
}

fn outbound() -> String {
    "Outbound".into()
}

/// `[nat_gateways.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NatGateway {
    pub(crate) resource_group: Option<String>,
    pub(crate) sku: String,
    /// Names under `[public_ips]`.
    pub(crate) ips: Vec<String>,
    /// Names under `[public_ip_prefixes]`.
    pub(crate) prefixes: Vec<String>,
    pub(crate) zones: Vec<String>,
    pub(crate) idle_minutes: u32,
    pub(crate) provisioning_state: String,
}

impl Default for NatGateway {
    fn default() -> Self {
        Self {
            resource_group: None,
            sku: "Standard".into(),
            ips: Vec::new(),
            prefixes: Vec::new(),
            zones: Vec::new(),
            idle_minutes: 4,
            provisioning_state: "Succeeded".into(),
        }
    }
}

/// `[public_ips.<name>]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PublicIp {
    pub(crate) resource_group: Option<String>,
    /// Default: made from the name.
    pub(crate) address: Option<String>,
    pub(crate) zones: Vec<String>,
    pub(crate) sku: Option<String>,
    pub(crate) ipv6: bool,
}

/// `[public_ip_prefixes.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicIpPrefix {
    pub(crate) resource_group: Option<String>,
    /// A CIDR.
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) zones: Vec<String>,
}

/// `[virtual_hubs.<name>]`: a virtual hub; its network belongs to Azure and cannot be read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualHub {
    pub(crate) resource_group: Option<String>,
    pub(crate) prefix: String,
    /// Names under `[networks]` that are connected to it: each has a peering with the hub's network.
    #[serde(default)]
    pub(crate) networks: Vec<String>,
    /// Whether its routing intent sends internet and private traffic to its firewall.
    #[serde(default)]
    pub(crate) routing_intent: bool,
    /// `enableInternetSecurity` of its connections: whether the networks take a default route from it.
    #[serde(default = "yes")]
    pub(crate) internet_security: bool,
}

/// `[firewalls.<name>]`: an Azure Firewall in the subnet `AzureFirewallSubnet` of `network` or in a virtual hub, with a
/// policy. In a hub, `ips` are the addresses themselves. Without `rules` the policy admits the FQDN tag `AzureKubernetesService` for every source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Firewall {
    pub(crate) resource_group: Option<String>,
    /// Either this or `hub`.
    pub(crate) network: Option<String>,
    /// A name under `[virtual_hubs]`.
    pub(crate) hub: Option<String>,
    pub(crate) private_ip: String,
    pub(crate) ips: Vec<String>,
    #[serde(default = "standard")]
    pub(crate) tier: String,
    #[serde(default = "succeeded")]
    pub(crate) provisioning_state: String,
    /// A deallocated firewall keeps its rules and has no IP configuration.
    #[serde(default)]
    pub(crate) deallocated: bool,
    /// Name of its policy; default `<name>-policy`.
    pub(crate) policy: Option<String>,
    /// Without a policy: the rules are the firewall's own.
    #[serde(default)]
    pub(crate) classic: bool,
    /// The policy's rules, each in a collection of its own, first come first.
    pub(crate) rules: Option<Vec<FirewallRule>>,
    /// Rules of a parent policy, which come before all others.
    #[serde(default)]
    pub(crate) parent_rules: Vec<FirewallRule>,
    #[serde(default = "yes")]
    pub(crate) dns_proxy: bool,
    /// `snat.privateRanges`.
    #[serde(default)]
    pub(crate) private_ranges: Vec<String>,
}

/// `{ name = "aks", fqdns = ["*.azmk8s.io"] }` is an application rule on ports 80 and 443,
/// `{ name = "api", to = ["AzureCloud"], ports = ["443"] }` a network rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirewallRule {
    pub(crate) name: String,
    #[serde(default = "allow")]
    pub(crate) action: String,
    #[serde(default = "anywhere")]
    pub(crate) from: Vec<String>,
    /// Names under `[ip_groups]`, in place of `from`.
    #[serde(default)]
    pub(crate) from_groups: Vec<String>,
    /// Target FQDNs.
    #[serde(default)]
    pub(crate) fqdns: Vec<String>,
    /// FQDN tags.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Destination addresses or service tags.
    #[serde(default)]
    pub(crate) to: Vec<String>,
    /// `terminateTLS` of an application rule; the policy then has what TLS inspection takes.
    #[serde(default)]
    pub(crate) inspect_tls: bool,
    /// Destination FQDNs of a network rule.
    #[serde(default)]
    pub(crate) to_fqdns: Vec<String>,
    #[serde(default = "tcp")]
    pub(crate) protocols: Vec<String>,
    #[serde(default)]
    pub(crate) ports: Vec<String>,
}

/// `[ip_groups.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IpGroup {
    pub(crate) resource_group: Option<String>,
    pub(crate) addresses: Vec<String>,
}

/// `[appliances.<name>]`: a virtual machine that forwards packets, with one network interface `<name>-nic`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appliance {
    pub(crate) resource_group: Option<String>,
    /// `<network>/<subnet>`.
    pub(crate) subnet: String,
    pub(crate) private_ip: String,
    #[serde(default = "yes")]
    pub(crate) forwarding: bool,
    #[serde(default = "running")]
    pub(crate) power_state: String,
}

/// `[internal_load_balancers.<name>]`: a private frontend before appliances.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InternalLoadBalancer {
    pub(crate) resource_group: Option<String>,
    /// `<network>/<subnet>`.
    pub(crate) subnet: String,
    pub(crate) private_ip: String,
    /// Names under `[appliances]`.
    #[serde(default)]
    pub(crate) backends: Vec<String>,
    #[serde(default = "yes")]
    pub(crate) ha_ports: bool,
}

fn allow() -> String {
    "Allow".into()
}

fn anywhere() -> Vec<String> {
    vec!["*".into()]
}

fn tcp() -> Vec<String> {
    vec!["TCP".into()]
}

fn yes() -> bool {
    true
}

fn running() -> String {
    "running".into()
}

fn succeeded() -> String {
    "Succeeded".into()
}

fn standard() -> String {
    "Standard".into()
}

/// `[[metrics]]`: changes the default series that match `node` and `dimensions`, or adds one when none matches.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    /// `load_balancer`, `cluster`, `managed_nat`, `nat_gateways/<name>`, `firewalls/<name>`,
    /// `internal_load_balancers/<name>` or `pools/<name>`.
    pub(crate) of: String,
    /// REST name.
    pub(crate) name: String,
    /// `<pool>/<index>`: only this node's series.
    pub(crate) node: Option<String>,
    #[serde(default)]
    pub(crate) dimensions: BTreeMap<String, String>,
    /// The same value in every minute.
    pub(crate) constant: Option<f64>,
    /// From the start of the asked timespan to its end.
    pub(crate) ramp: Option<Ramp>,
    pub(crate) spike: Option<Spike>,
    /// Azure has no points for it.
    #[serde(default)]
    pub(crate) no_data: bool,
    /// The resource does not have this metric: asking for it is a 400.
    #[serde(default)]
    pub(crate) unsupported: bool,
    /// Minutes without a value, counted back from the end of the asked timespan.
    pub(crate) gap: Option<Minutes>,
    /// Points that stand after all others, whatever they hold.
    #[serde(default)]
    pub(crate) strange: Vec<Strange>,
    /// Another unit than the documented one.
    pub(crate) unit: Option<String>,
    /// Dimensions that the answer names beside those that were asked for.
    #[serde(default)]
    pub(crate) unasked: BTreeMap<String, String>,
}

/// `{ ago = 30, value = "NaN" }`: a point in the place of the one there is, or in the future when `ago` is negative.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Strange {
    /// Minutes before the end of the asked timespan.
    pub(crate) ago: i64,
    /// In place of a number. Without one it is null.
    pub(crate) value: Option<serde_json::Value>,
}

/// `[[advice]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advice {
    /// `cluster`, `load_balancer` or `<section>/<name>`.
    pub(crate) of: String,
    pub(crate) problem: String,
    pub(crate) solution: String,
    #[serde(default = "performance")]
    pub(crate) category: String,
    #[serde(default = "medium")]
    pub(crate) impact: String,
    /// Somebody has put it aside.
    #[serde(default)]
    pub(crate) suppressed: bool,
}

fn performance() -> String {
    "Performance".into()
}

fn medium() -> String {
    "Medium".into()
}

/// `[[health]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Health {
    /// `cluster`, `load_balancer` or `<section>/<name>`.
    pub(crate) of: String,
    /// `availabilityState`.
    pub(crate) state: String,
    pub(crate) summary: String,
    /// `occuredTime`, RFC 3339.
    pub(crate) since: String,
    /// `recentlyResolved`: since when it was unavailable, until `since`.
    pub(crate) unavailable_from: Option<String>,
}

/// `ramp = { from = 0, to = 100 }`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ramp {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

/// `spike = { base = 40, peak = 1024, ago = 30, minutes = 10 }`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spike {
    pub(crate) base: f64,
    pub(crate) peak: f64,
    /// It begins so many minutes before the end of the asked timespan.
    pub(crate) ago: i64,
    pub(crate) minutes: i64,
}

/// `{ ago = 30, minutes = 10 }`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Minutes {
    pub(crate) ago: i64,
    pub(crate) minutes: i64,
}

/// `[[faults]]`: which requests go wrong (`group`, `path`, `ends` and `query`), and how (exactly one of the others).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// `node` for the node resource group, or a group's name; default: every group of the scenario. `subscription` for
    /// reads outside any group, which all scenarios share: its `path` should be one that only this scenario asks for.
    pub(crate) group: Option<String>,
    /// A part of the path, in any case, e.g. `/routeTables`.
    pub(crate) path: Option<String>,
    /// The end of the path, in any case, e.g. `/virtualNetworks/vnet-shop`: without what lies below it.
    pub(crate) ends: Option<String>,
    /// A part of a query parameter's value, in any case, e.g. a metric's name or a region: requests that share a path.
    pub(crate) query: Option<String>,
    /// 403 `AuthorizationFailed`.
    #[serde(default)]
    pub(crate) deny: bool,
    /// 429 with this `Retry-After` in seconds.
    pub(crate) retry_after: Option<u32>,
    /// This HTTP status with an ARM error body.
    pub(crate) status: Option<u16>,
    /// The answer comes so many milliseconds later.
    pub(crate) delay_ms: Option<u64>,
    /// The body ends in its middle.
    #[serde(default)]
    pub(crate) truncate: bool,
    /// How often per path; default: once for `retry_after`, else always.
    pub(crate) times: Option<u32>,
}

/// `[[edits]]`: changes the body of each resource whose id ends in `resource`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// The end of the id, in any case, e.g. `routeTables/rt-egress`.
    pub(crate) resource: String,
    /// JSON pointers of what is taken out, e.g. `/properties/routes`.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
    /// What is put at a JSON pointer whose parent exists.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, serde_json::Value>,
}

/// `[[changes]]`: an entry of the activity log, e.g. `{ resource = "routeTables/rt-egress", part = "routes/default", ago = 14 }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The end of the id of a resource, in any case; a deleted one has a past, too.
    pub(crate) resource: String,
    /// What of it was written, as `<type>/<name>`.
    pub(crate) part: Option<String>,
    /// `write`, `delete` or an action, e.g. `join/action`.
    #[serde(default = "write")]
    pub(crate) operation: String,
    /// How it ended.
    #[serde(default = "succeeded")]
    pub(crate) status: String,
    /// Minutes before the end of the time that is asked for.
    pub(crate) ago: i64,
    /// So often, each time a minute earlier.
    #[serde(default = "once")]
    pub(crate) times: i64,
}

fn write() -> String {
    "write".into()
}

fn once() -> i64 {
    1
}
