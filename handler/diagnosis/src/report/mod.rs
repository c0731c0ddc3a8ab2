//! The report: the public contract. Field names are fixed; a change that breaks a reader raises [`SCHEMA_VERSION`].
//!
//! `null` always means *unknown* or *does not apply*, never a default.

mod finding;
mod schema;
mod sections;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use finding::{Affected, Confidence, Evidence, Finding, Remediation, Severity};
pub use schema::schema;
pub(crate) use schema::schema_of;
pub use sections::{
    Allocation, Alternative, Backend, Capacity, CloserLook, DecidedBy, Device, Disks,
    EgressEndpointItem, EgressEndpoints, EndpointSource, FinalState, HotNode, Method,
    NatAssociation, NatGatewayItem, NatGatewaySection, Need, NextHop, NodeCondition, NodePool,
    Nodes, Outbound, Path, PoolDisk, PoolVerdict, Recommendation, ResourceHealth, RouteSource,
    Scope, SeriesKind, SeriesPoints, Snat, SnatDevice, Step, StepKind, TrafficVerdict,
};

use crate::facts::Id;

/// Version of the report's shape.
pub const SCHEMA_VERSION: &str = "1";

/// The whole report on one cluster's egress.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of this shape.
    pub schema_version: String,
    /// When the facts were asked for (RFC 3339, UTC).
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
    /// The metrics window.
    pub window: ReportWindow,
    /// The cluster.
    pub cluster: ClusterSummary,
    /// The decisive sentence and status.
    pub verdict: Verdict,
    /// What carries the traffic.
    pub outbound: Outbound,
    /// The endpoints this cluster needs.
    pub egress_endpoints: EgressEndpoints,
    /// NAT gateways and the subnets they serve.
    pub nat_gateway: NatGatewaySection,
    /// SNAT port usage and capacity.
    pub snat: Snat,
    /// Node pressure.
    pub nodes: Nodes,
    /// Disk pressure.
    pub disks: Disks,
    /// What is wrong, in packet order, then severity.
    pub findings: Vec<Finding>,
    /// Every check and its outcome.
    pub checks: Vec<Check>,
    /// What could not be read and what that leaves open.
    pub gaps: Vec<Gap>,
    /// What a person does next, in the troubleshooting guide's order.
    pub next_steps: Vec<String>,
    /// What the report cost.
    pub stats: Stats,
}

/// The metrics window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportWindow {
    /// First instant inside.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// First instant after.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
}

/// The cluster, as ARM describes it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// ARM id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Resource group of the cluster.
    pub resource_group: String,
    /// Subscription id.
    pub subscription_id: String,
    /// Azure region.
    pub location: Option<String>,
    /// Kubernetes version that runs.
    pub kubernetes_version: Option<String>,
    /// Node resource group.
    pub node_resource_group: Option<String>,
    /// `azure`, `kubenet`, `none`.
    pub network_plugin: Option<String>,
    /// `overlay` or null.
    pub network_plugin_mode: Option<String>,
    /// `azure` or `cilium`.
    pub network_dataplane: Option<String>,
    /// Whether the API server is private.
    pub private_cluster: Option<bool>,
    /// `Running`, `Stopped`.
    pub power_state: Option<String>,
    /// `Succeeded`, `Failed`, …
    pub provisioning_state: Option<String>,
    /// Agent pools; null when they could not be read.
    pub node_pools: Option<Vec<NodePool>>,
}

/// The answer in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Overall status.
    pub status: Status,
    /// One plain sentence with the decisive fact.
    pub headline: String,
    /// Whether the fault is there always or only sometimes.
    pub pattern: Pattern,
    /// What the pattern was read from.
    pub pattern_evidence: Vec<String>,
    /// False when any check is unknown.
    pub complete: bool,
}

/// Overall status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Every check that could find a critical or high fault passed or does not apply.
    Healthy,
    /// Medium or low findings only.
    AtRisk,
    /// A high or critical finding that does not stop egress.
    Degraded,
    /// A finding that stops egress for a pool or a required endpoint.
    Blocked,
    /// Nothing found, but a check that could find a critical or high fault has no answer.
    Unknown,
}

/// Persistent or intermittent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pattern {
    /// The same failure on each try: a blocker on the path.
    Persistent,
    /// Failures, or the pressure that leads to them, in a part of the window only.
    Intermittent,
    /// No sign of a fault, and nothing left open.
    None,
    /// Not enough is known to tell.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// The finding code this check can raise.
    pub id: String,
    /// The troubleshooting guide's step.
    pub step: String,
    /// Outcome.
    pub status: CheckStatus,
    /// Why, for every status but `passed`.
    pub reason: Option<String>,
}

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CheckStatus {
    /// Looked and found nothing.
    Passed,
    /// Raised a critical or high finding.
    Failed,
    /// Raised a medium, low or info finding.
    Warning,
    /// Has no meaning for this cluster.
    NotApplicable,
    /// Could not be answered.
    Unknown,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// What is missing.
    pub what: String,
    /// Why.
    pub cause: GapCause,
    /// HTTP status of Azure's answer.
    pub http_status: Option<u16>,
    /// Azure's error code.
    pub error_code: Option<String>,
    /// The right that would close the gap.
    pub needs: Option<Needs>,
    /// Ids of the checks it leaves open.
    pub checks: Vec<String>,
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum GapCause {
    /// The identity has no right to read it.
    Forbidden,
    /// It does not exist.
    NotFound,
    /// Azure throttled until the deadline.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// The answer was not what the API documents.
    Malformed,
    /// This resource or API version has no such thing.
    Unsupported,
    /// The endpoint could not be reached, or kept answering 5xx.
    Unreachable,
    /// It was not asked for.
    NotAsked,
}

/// The missing right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Needs {
    /// RBAC action.
    pub action: String,
    /// Scope it is missing on.
    pub scope: Option<String>,
}

/// What the report cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests to Azure, retries not counted.
    pub arm_calls: u32,
    /// Requests that were sent again.
    pub retries: u32,
    /// Whether this report was made for an earlier caller.
    pub cached: bool,
    /// Wall time of collection and diagnosis, ms.
    pub duration_ms: u64,
    /// `x-ms-request-id` of Azure's answers that failed, for a support case.
    pub request_ids: Vec<String>,
}
