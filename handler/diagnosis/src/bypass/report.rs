//! What a plan is on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::facts::Id;

/// Plans to go past the appliances of a cluster, for a person to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bypass {
    /// Whether there is an appliance to go past.
    pub applicable: bool,
    /// Why not; null when there is.
    pub reason: Option<String>,
    /// One plan per route table.
    pub plans: Vec<BypassPlan>,
    /// Subnets of node pools that no plan is for.
    pub not_bypassed: Vec<NotBypassed>,
}

/// A subnet that no plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotBypassed {
    /// The subnet.
    pub subnet_id: Id,
    /// Agent pools that use it.
    pub node_pools: Vec<String>,
    /// Why.
    pub why: String,
}

/// The plan for one route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BypassPlan {
    /// The route table that is changed.
    pub route_table_id: Id,
    /// Agent pools of this cluster whose packets then go past the appliance.
    pub node_pools: Vec<String>,
    /// Every subnet that uses the table.
    pub subnets: Vec<PlanSubnet>,
    /// Whether everything goes past the appliance or one destination only.
    pub reach: PlanReach,
    /// The routes that are replaced, as they are now; none when a route is added.
    pub current_routes: Vec<PlanRoute>,
    /// Whether the test can say anything.
    pub validity: Validity,
    /// What must be so before.
    pub preconditions: Vec<Precondition>,
    /// Commands that show what is there now, to be kept.
    pub before: Vec<String>,
    /// Commands that change the table.
    pub commands: Vec<String>,
    /// What to try from a pod meanwhile.
    pub test: Vec<String>,
    /// Commands that bring back exactly what is there now.
    pub undo: Vec<String>,
    /// What each outcome of the test proves.
    pub proves: Vec<Proof>,
    /// What else happens until the undo.
    pub side_effects: Vec<String>,
}

/// A subnet that follows the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSubnet {
    /// The subnet.
    pub id: Id,
    /// This cluster's pools in it; none for a subnet of somebody else.
    pub node_pools: Vec<String>,
}

/// How much goes past the appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanReach {
    /// One destination.
    OneDestination,
    /// Everything.
    AllDestinations,
}

/// A route as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanRoute {
    /// Name.
    pub name: String,
    /// Prefix.
    pub address_prefix: String,
    /// Next hop.
    pub next_hop_type: String,
    /// The appliance's address.
    pub next_hop_ip_address: Option<String>,
}

/// Whether the test can say anything about the appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Validity {
    /// It can.
    Valid,
    /// It cannot: it would fail whatever the appliance does (R2.6).
    Invalid,
    /// Not enough is known.
    Unknown,
}

/// Something that must be so before the test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// What.
    pub text: String,
    /// Whether it is; null where only a person can tell.
    pub met: Option<bool>,
}

/// What an outcome proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The outcome.
    pub outcome: String,
    /// What it proves.
    pub proves: String,
}

impl Bypass {
    pub(super) fn none(reason: String) -> Self {
        Self {
            applicable: false,
            reason: Some(reason),
            plans: Vec::new(),
            not_bypassed: Vec::new(),
        }
    }
}
