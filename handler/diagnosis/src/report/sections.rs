//! The report's sections: outbound path, endpoints, NAT gateway, SNAT, nodes and disks.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::facts::Id;

/// One agent pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePool {
    /// Name.
    pub name: String,
    /// `System`, `User`, `Gateway`.
    pub mode: Option<String>,
    /// `Linux`, `Windows`.
    pub os_type: Option<String>,
    /// Nodes now.
    pub count: Option<u32>,
    /// Autoscaler's lower bound; null without autoscaler.
    pub min_count: Option<u32>,
    /// Autoscaler's upper bound; null without autoscaler.
    pub max_count: Option<u32>,
    /// The nodes' subnet, resolved for AKS-managed networks; null when unknown.
    pub vnet_subnet_id: Option<Id>,
    /// The pods' subnet under pod-subnet CNI.
    pub pod_subnet_id: Option<Id>,
}

/// What carries the traffic.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outbound {
    /// `networkProfile.outboundType` as Azure spells it; null when the cluster's body has none.
    pub declared_type: Option<String>,
    /// Whether every pool's actual method is the declared one; null when unknown.
    pub agrees_with_actual: Option<bool>,
    /// One entry per distinct subnet and scope.
    pub paths: Vec<Path>,
}

/// Node traffic or pod traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// From the node's address (also pods under overlay, kubenet and node-subnet CNI).
    Node,
    /// From the pod's own address (pod-subnet CNI, R1.82).
    Pod,
}

/// The way of a packet to the internet from one subnet.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// Agent pools that use it.
    pub node_pools: Vec<String>,
    /// Whose packets.
    pub scope: Scope,
    /// The subnet; null when it could not be found out.
    pub subnet_id: Option<Id>,
    /// Where the default route leads.
    pub next_hop: NextHop,
    /// What translates and carries the packet.
    pub method: Method,
    /// The device that does.
    pub device: Option<Device>,
    /// Addresses that the internet sees; null when unknown.
    pub public_ips: Option<Vec<String>>,
    /// How the engine came to it.
    pub steps: Vec<Step>,
    /// What becomes of the packet.
    #[serde(rename = "final")]
    pub final_state: FinalState,
    /// Code of the finding that explains a drop.
    pub cause: Option<String>,
}

/// Where the default route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextHop {
    /// `Internet`, `VirtualAppliance`, `VirtualNetworkGateway`, `VnetLocal`, `None` or `unknown`.
    #[serde(rename = "type")]
    pub hop_type: String,
    /// The appliance's address.
    pub ip_address: Option<String>,
    /// Where the route comes from.
    pub source: RouteSource,
    /// The route table with the route.
    pub route_table_id: Option<Id>,
    /// The route.
    pub route_name: Option<String>,
}

/// Where a route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RouteSource {
    /// A route table.
    User,
    /// Learned from a gateway.
    Bgp,
    /// Azure's own.
    System,
    /// Not known.
    Unknown,
}

/// What translates and carries the packet (R2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// Load balancer outbound rule.
    LoadBalancer,
    /// NAT gateway.
    NatGateway,
    /// The node's own public IP.
    InstancePublicIp,
    /// Azure Firewall.
    AzureFirewall,
    /// Another virtual appliance.
    VirtualAppliance,
    /// VPN or ExpressRoute gateway.
    VirtualNetworkGateway,
    /// Azure's default outbound access (R2.5).
    DefaultOutboundAccess,
    /// Nothing: egress does not work.
    None,
    /// Not known.
    Unknown,
}

/// The device that carries the packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// ARM id.
    pub id: Id,
    /// Resource type.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// One step of the packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What kind of step.
    pub kind: StepKind,
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
pub enum StepKind {
    /// Where the packet starts.
    Start,
    /// A network security group.
    Nsg,
    /// Route selection.
    Route,
    /// A next hop.
    Hop,
    /// Source address translation.
    Snat,
    /// The end.
    Final,
}

/// What becomes of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FinalState {
    /// It reaches the internet.
    Delivered,
    /// It is dropped.
    Dropped,
    /// It is handed to something this report cannot look into.
    Forwarded,
    /// Not enough is known.
    Undetermined,
}

/// The endpoints this cluster needs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressEndpoints {
    /// Where the list comes from; null when there is none.
    pub source: Option<EndpointSource>,
    /// The endpoints.
    pub items: Vec<EgressEndpointItem>,
    /// What may be missing from the list, and why.
    pub notes: Vec<String>,
}

/// Where the endpoint list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndpointSource {
    /// ARM's list for this cluster.
    Arm,
    /// The documented table.
    Catalogue,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressEndpointItem {
    /// ARM's category.
    pub category: String,
    /// Host name, possibly with a leading wildcard.
    pub domain_name: String,
    /// Destination port.
    pub port: Option<u16>,
    /// `Https`, `Http`, `TCP`, `UDP`.
    pub protocol: Option<String>,
    /// Which list names it.
    pub source: EndpointSource,
    /// Who needs it.
    pub need: Need,
    /// Over all pools.
    pub verdict: TrafficVerdict,
    /// Per pool.
    pub by_pool: Vec<PoolVerdict>,
}

/// Who needs an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// Every cluster.
    Required,
    /// A feature that is on.
    Feature,
    /// Nice to have.
    Optional,
}

/// Whether traffic passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum TrafficVerdict {
    /// It passes.
    Allowed,
    /// It is blocked.
    Blocked,
    /// Some of it passes.
    Partial,
    /// Not known.
    Unknown,
}

/// The verdict for some pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolVerdict {
    /// Agent pools.
    pub node_pools: Vec<String>,
    /// Whether their traffic passes.
    pub verdict: TrafficVerdict,
    /// What decided.
    pub decided_by: Option<DecidedBy>,
    /// Why.
    pub why: String,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecidedBy {
    /// The resource.
    pub resource_id: Option<Id>,
    /// The rule.
    pub rule: Option<String>,
    /// The rule's priority.
    pub priority: Option<u32>,
}

/// NAT gateways and the subnets they serve.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NatGatewaySection {
    /// Whether the outbound type promises one.
    pub expected: bool,
    /// The gateways on the pool subnets.
    pub gateways: Vec<NatGatewayItem>,
    /// Subnet by subnet.
    pub associations: Vec<NatAssociation>,
}

/// One NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NatGatewayItem {
    /// ARM id.
    pub id: Id,
    /// `Standard`, `StandardV2`; null when unreadable.
    pub sku: Option<String>,
    /// Its addresses and prefixes; null when unknown.
    pub public_ips: Option<Vec<String>>,
    /// TCP idle timeout.
    pub idle_timeout_in_minutes: Option<u32>,
    /// Zones; null when unreadable.
    pub zones: Option<Vec<String>>,
}

/// One subnet's NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NatAssociation {
    /// The subnet; null when it could not be found out.
    pub subnet_id: Option<Id>,
    /// Agent pools that use it.
    pub node_pools: Vec<String>,
    /// Node or pod subnet.
    pub scope: Scope,
    /// The NAT gateway on it.
    pub nat_gateway_id: Option<Id>,
    /// Whether there is one; null when unknown.
    pub associated: Option<bool>,
}

/// SNAT port usage and capacity.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snat {
    /// What translates.
    pub device: SnatDevice,
    /// The devices.
    pub resource_ids: Vec<Id>,
    /// Failed SNAT connections in the window; null when unknown.
    pub failed_connections: Option<u64>,
    /// Windows of `failedWindowMinutes` with failures; null when unknown.
    pub failed_windows: Option<u32>,
    /// Length of these windows: 5 minutes, or the metrics' grain where that is longer; null when unknown.
    pub failed_window_minutes: Option<u32>,
    /// Ports that each node has; null when unknown or not per node.
    pub allocated_per_node: Option<u32>,
    /// Most ports that a node used; for a NAT gateway, most connections.
    pub used_peak: Option<u64>,
    /// Highest used / allocated of a node, of a firewall's ports, or of a NAT gateway's ports, 0 to 1 (a NAT gateway's
    /// ports serve several destinations at a time, so it can be above).
    pub utilization_peak: Option<f64>,
    /// Per backend (node).
    pub backends: Vec<Backend>,
    /// Compact series for plotting.
    pub series: Vec<SeriesPoints>,
    /// Capacity; null when it could not be worked out.
    pub capacity: Option<Capacity>,
    /// What to change; null when nothing needs to.
    pub recommendation: Option<Recommendation>,
}

/// What translates source addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SnatDevice {
    /// The AKS load balancer.
    LoadBalancer,
    /// NAT gateway.
    NatGateway,
    /// Azure Firewall.
    AzureFirewall,
    /// Nothing.
    None,
    /// Not known.
    Unknown,
}

/// One backend of the load balancer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// The node's address.
    pub ip_address: String,
    /// The node's name in Kubernetes; null when it could not be mapped.
    pub node: Option<String>,
    /// Its agent pool; null when it could not be mapped.
    pub node_pool: Option<String>,
    /// Ports it has.
    pub allocated: Option<u32>,
    /// Most ports it used.
    pub used_peak: Option<u32>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_peak_at: Option<Timestamp>,
    /// Failed SNAT connections in the window.
    pub failed: Option<u64>,
}

/// What a series shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SeriesKind {
    /// Ports, connections or percent in use.
    Used,
    /// Ports that the node has.
    Allocated,
    /// Failed connections.
    Failed,
    /// A constant line to draw against: two points, the window's start and end.
    Threshold,
}

/// A compact series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPoints {
    /// What it shows.
    pub name: String,
    /// What kind of line it is.
    pub kind: SeriesKind,
    /// The node's address; null where it is not about one node.
    pub ip_address: Option<String>,
    /// The node's name; null where it is not about one node, or not known.
    pub node: Option<String>,
    /// Unit of the values.
    pub unit: String,
    /// `[time, value]` pairs; a gap is a missing pair.
    #[schema(value_type = Vec<(String, f64)>)]
    pub points: Vec<(Timestamp, f64)>,
}

/// How ports are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Allocation {
    /// By the size of the backend pool (R1.23).
    Automatic,
    /// A fixed number per node.
    Explicit,
    /// On demand, shared by all nodes (NAT gateway, R1.43).
    OnDemand,
}

/// SNAT capacity (R6.30–R6.32, R6.37).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Outbound IPv4 addresses.
    pub public_ips: Option<u32>,
    /// Ports of each.
    pub ports_per_ip: u32,
    /// All ports.
    pub total_ports: Option<u64>,
    /// How they are handed out.
    pub allocation: Allocation,
    /// Ports per node; null for a NAT gateway.
    pub ports_per_node: Option<u32>,
    /// Nodes now.
    pub live_nodes: Option<u32>,
    /// Nodes at the autoscaler's maximum.
    pub max_nodes: Option<u32>,
    /// Extra nodes during an upgrade.
    pub surge_nodes: Option<u32>,
    /// Ports needed at maximum plus surge.
    pub required_ports: Option<u64>,
    /// Whether they fit.
    pub fits: Option<bool>,
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// What to do.
    pub summary: String,
    /// Ports per node.
    pub ports_per_node: Option<u32>,
    /// Outbound addresses.
    pub public_ips: Option<u32>,
    /// Whether to move to a NAT gateway.
    pub nat_gateway: bool,
    /// Why these numbers.
    pub why: String,
    /// Commands.
    pub commands: Vec<String>,
    /// What they disturb.
    pub side_effects: Vec<String>,
    /// How to undo it.
    pub undo: Vec<String>,
    /// Other numbers that work, each with what it costs in comparison.
    pub alternatives: Vec<Alternative>,
}

/// Another number that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// What to do.
    pub summary: String,
    /// Ports per node.
    pub ports_per_node: Option<u32>,
    /// Outbound addresses.
    pub public_ips: Option<u32>,
    /// Whether to move to a NAT gateway.
    pub nat_gateway: bool,
    /// What it costs and gains in comparison.
    pub trade_off: String,
    /// Commands.
    pub commands: Vec<String>,
    /// What they disturb.
    pub side_effects: Vec<String>,
    /// How to undo it.
    pub undo: Vec<String>,
}

/// Node pressure.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// Whether conditions, disks, Advisor and Resource Health were looked at.
    pub closer_look: CloserLook,
    /// Highest CPU usage of a node over 5 minutes, percent.
    pub cpu_peak_percent: Option<f64>,
    /// Highest memory working set of a node over 5 minutes, percent.
    pub memory_peak_percent: Option<f64>,
    /// Highest disk space usage of a node over 5 minutes, percent.
    pub disk_peak_percent: Option<f64>,
    /// Nodes that were not ready.
    pub not_ready: Vec<String>,
    /// The hottest nodes of each figure.
    pub hottest: Vec<HotNode>,
    /// Times in which nodes were not ready, without network, or under memory, disk or process pressure; longest first.
    pub conditions: Vec<NodeCondition>,
    /// What Azure Resource Health says of the cluster and of the devices that may carry its egress.
    pub health: Vec<ResourceHealth>,
    /// Compact series for plotting: the hottest node of each figure, and the lines above which it counts as pressure.
    pub series: Vec<SeriesPoints>,
}

/// Whether the nodes were looked at closely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloserLook {
    /// Whether conditions, disks, Advisor and Resource Health were read.
    pub taken: bool,
    /// Why, or why not.
    pub why: String,
}

/// A hot node.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HotNode {
    /// Name.
    pub node: String,
    /// Its agent pool; null when Azure does not say.
    pub node_pool: Option<String>,
    /// Metric.
    pub metric: String,
    /// Highest average over 5 minutes, or over the metric's grain where that is longer.
    pub peak: f64,
    /// When that began.
    #[schema(value_type = String, format = DateTime)]
    pub peak_at: Timestamp,
    /// The value from which it counts as pressure.
    pub limit: f64,
    /// Windows in which it was.
    pub windows_above: u32,
    /// Length of a window.
    pub window_minutes: u32,
    /// The first of them; null without any.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_above: Option<Timestamp>,
    /// The last of them; null without any.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_above: Option<Timestamp>,
}

/// A time in which a node was in a bad state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCondition {
    /// Name.
    pub node: String,
    /// Its agent pool; null when it is not known.
    pub node_pool: Option<String>,
    /// `NotReady`, `NetworkUnavailable`, `MemoryPressure`, `DiskPressure`, `PIDPressure`.
    pub condition: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when; null when it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// What Resource Health says of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceHealth {
    /// The resource.
    pub resource_id: Id,
    /// `Available`, `Unavailable`, `Degraded`, `Unknown` (no signal, not a fault); null when it could not be read.
    pub state: Option<String>,
    /// What it says.
    pub summary: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// e.g. `Unplanned`, `UserInitiated`.
    pub reason: Option<String>,
}

/// Disk pressure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disks {
    /// Highest share of the OS disk's IOPS over 5 minutes, percent.
    pub os_disk_iops_peak_percent: Option<f64>,
    /// Highest share of the OS disk's bandwidth over 5 minutes, percent.
    pub os_disk_bandwidth_peak_percent: Option<f64>,
    /// Longest OS disk queue over 5 minutes.
    pub os_disk_queue_depth_peak: Option<f64>,
    /// Highest share of what a VM's size allows for all its disks over 5 minutes, percent.
    pub vm_limit_peak_percent: Option<f64>,
    /// The nodes that came closest to each limit.
    pub hottest: Vec<HotNode>,
    /// OS disks per pool.
    pub pools: Vec<PoolDisk>,
    /// Advisor recommendations about disks or outbound traffic.
    pub advisor: Vec<String>,
    /// Compact series for plotting, as in `nodes`.
    pub series: Vec<SeriesPoints>,
}

/// A pool's OS disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolDisk {
    /// Pool.
    pub name: String,
    /// `Managed` or `Ephemeral`.
    pub os_disk_type: Option<String>,
    /// Size.
    #[serde(rename = "osDiskSizeGB")]
    pub os_disk_size_gb: Option<u32>,
    /// VM size.
    pub vm_size: Option<String>,
    /// The largest ephemeral OS disk that the VM size can have, 0 when none; null when it is not known.
    #[serde(rename = "ephemeralUpToGB")]
    pub ephemeral_up_to_gb: Option<u32>,
}
