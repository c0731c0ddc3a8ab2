//! What carries a subnet's packets to the internet, by the precedence table (R2.1, T4–T8).

use super::{Balancer, DefaultHop, SubnetUse};
use crate::facts::{Facts, Id, Missing};
use crate::report::{Method, Scope};

/// What carries one subnet's packets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Carrier {
    pub(crate) method: Method,
    /// The NAT gateway or load balancer.
    pub(crate) device: Option<Id>,
    /// The default route, when the subnet could be read.
    pub(crate) hop: Option<DefaultHop>,
    /// How it was decided, in words.
    pub(crate) why: String,
    /// What was missing to decide.
    pub(crate) missing: Option<Missing>,
}

impl Carrier {
    pub(crate) fn of(facts: &Facts, balancer: Balancer<'_>, used: &SubnetUse<'_>) -> Self {
        let subnet = match &used.subnet {
            Ok(subnet) => *subnet,
            Err(missing) => return Self::unknown(None, missing.clone()),
        };
        let hop = DefaultHop::of(facts, subnet);
        match &hop {
            DefaultHop::System => {}
            DefaultHop::UserRoutes(table) => {
                let why = format!("route table {} has routes of its own", table.name());
                return Self::decided(Method::Unknown, None, hop, why);
            }
            DefaultHop::GatewayPossible(reason) => {
                let why = format!("{reason}, which may announce a default route");
                return Self::decided(Method::Unknown, None, hop, why);
            }
            DefaultHop::Unread(missing) => {
                let missing = missing.clone();
                return Self::unknown(Some(hop), missing);
            }
        }
        if let Some(gateway) = &subnet.nat_gateway_id {
            let why = format!("NAT gateway {} is on the subnet", gateway.name());
            return Self::decided(Method::NatGateway, Some(gateway.clone()), hop, why);
        }
        if used.scope == Scope::Node && used.pools_with_node_ips == Some(used.pools.len()) {
            let why = "every node has a public IP address of its own".to_owned();
            return Self::decided(Method::InstancePublicIp, None, hop, why);
        }
        match balancer.usable() {
            Err(missing) => Self::unknown(Some(hop), missing),
            Ok(true) => {
                let id = facts.load_balancer.as_known().map(|lb| lb.id.clone());
                let why = "the load balancer has an outbound rule with a public address".to_owned();
                Self::decided(Method::LoadBalancer, id, hop, why)
            }
            Ok(false) if subnet.default_outbound_access == Some(false) => {
                let why = "the subnet is private and no method gives egress".to_owned();
                Self::decided(Method::None, None, hop, why)
            }
            Ok(false) => {
                let why = "no explicit method; Azure's default outbound access remains".to_owned();
                Self::decided(Method::DefaultOutboundAccess, None, hop, why)
            }
        }
    }

    fn decided(method: Method, device: Option<Id>, hop: DefaultHop, why: String) -> Self {
        Self {
            method,
            device,
            hop: Some(hop),
            why,
            missing: None,
        }
    }

    fn unknown(hop: Option<DefaultHop>, missing: Missing) -> Self {
        Self {
            method: Method::Unknown,
            device: None,
            hop,
            why: format!("{} could not be read", missing.what),
            missing: Some(missing),
        }
    }
}
