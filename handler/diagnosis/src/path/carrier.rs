//! What carries a subnet's packets to the internet, by the precedence table (R2.1, T1–T9).

use super::{DefaultRoute, Via};
use crate::context::{Balancer, SubnetUse, pools_label};
use crate::facts::{Facts, Id, Missing, OutboundType, Subnet};
use crate::network::method::{self, Inputs, carrier};
use crate::report::{Method, Scope};

/// What carries one subnet's packets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Carrier {
    pub(crate) method: Method,
    /// The NAT gateway, load balancer or appliance.
    pub(crate) device: Option<Id>,
    /// How it was decided, in words.
    pub(crate) why: String,
    /// What was missing to decide.
    pub(crate) missing: Option<Missing>,
}

/// What may carry packets without any of the methods of the precedence table.
fn unmodelled(facts: &Facts) -> Option<String> {
    let network = facts.cluster.network.as_ref()?;
    if let Some(OutboundType::Other(name)) = &network.outbound_type {
        return Some(format!(
            "outbound type {name} is not known to this version and may bring a method of its own"
        ));
    }
    network
        .load_balancer_sku
        .as_deref()
        .filter(|sku| sku.eq_ignore_ascii_case("basic"))
        .map(|_| "a Basic load balancer translates addresses without outbound rules".to_owned())
}

impl Carrier {
    pub(crate) fn of(
        facts: &Facts,
        balancer: Balancer<'_>,
        used: &SubnetUse<'_>,
        default: &DefaultRoute,
    ) -> Self {
        let via = match default {
            DefaultRoute::Decided { via, .. } => via,
            DefaultRoute::Unread(missing) => return Self::unread(missing.clone()),
            DefaultRoute::Open(reason) => return Self::open(reason.clone()),
            DefaultRoute::Halves { low, high } => {
                return Self::open(format!(
                    "{} leads to {} and {} to {}",
                    low.label(),
                    low.hop_label(),
                    high.label(),
                    high.hop_label()
                ));
            }
        };
        let subnet = match &used.subnet {
            Ok(subnet) => *subnet,
            Err(missing) => return Self::unread(missing.clone()),
        };
        let outbound_rule = balancer.usable();
        // Pods with addresses of the subnet do not use the node's. Nodes with and without are walked apart (`Path::each`),
        // except where both lead elsewhere and only a route beside the default asks.
        let with = used.with_node_ips.as_ref().map(Vec::len);
        let own_addresses = match (used.scope, with) {
            (Scope::Pod, Some(_)) | (Scope::Node, Some(0)) => Some(false),
            (Scope::Node, Some(n)) if n == used.pools.len() => Some(true),
            (_, Some(_) | None) => None,
        };
        let decided = carrier(&Inputs {
            next_hop: Some(&via.hop.next_hop_type()),
            nat_gateway: Some(subnet.nat_gateway_id.is_some()),
            instance_public_ip: own_addresses,
            outbound_rule: outbound_rule.as_ref().ok().copied(),
            private_subnet: Some(subnet.default_outbound_access == Some(false)),
            // AKS makes scale sets of mode Uniform; virtual machine pools get no default access either way known here.
            flexible_scale_set: Some(false),
        });
        let method = match decided {
            method::Carrier::Decided(method) => method,
            method::Carrier::OneOf(_) if with.is_some() && outbound_rule.is_ok() => {
                return Self::open(format!(
                    "nodes of {} leave by public addresses of their own, the others do not",
                    pools_label(used.with_node_ips.as_deref().unwrap_or_default())
                ));
            }
            method::Carrier::OneOf(_) => {
                let missing = outbound_rule.err().unwrap_or_else(|| Missing {
                    what: format!("agent pools of {}", used.label()),
                    how: facts.agent_pools.status(),
                });
                return Self::unread(missing);
            }
            method::Carrier::PerDestination | method::Carrier::UnknownNextHop => {
                return Self::open(format!(
                    "{} leads to {}, which is no known way to the internet",
                    via.label(),
                    via.hop_label()
                ));
            }
        };
        if matches!(
            method,
            method::Method::DefaultOutboundAccess | method::Method::NoEgress
        ) && let Some(why) = unmodelled(facts)
        {
            return Self::open(why);
        }
        let (method, device, why) = named(method, facts, subnet, via);
        Self {
            method,
            device,
            why,
            missing: None,
        }
    }

    fn open(why: String) -> Self {
        Self {
            method: Method::Unknown,
            device: None,
            why,
            missing: None,
        }
    }

    fn unread(missing: Missing) -> Self {
        Self {
            method: Method::Unknown,
            device: None,
            why: format!("{} could not be read", missing.what),
            missing: Some(missing),
        }
    }
}

/// The report's word for a method of the precedence table, its device, and how it came to be chosen.
fn named(
    method: method::Method,
    facts: &Facts,
    subnet: &Subnet,
    via: &Via,
) -> (Method, Option<Id>, String) {
    match method {
        method::Method::VirtualAppliance => (
            Method::VirtualAppliance,
            None,
            format!("{} leads to {}", via.label(), via.hop_label()),
        ),
        method::Method::VirtualNetworkGateway => (
            Method::VirtualNetworkGateway,
            None,
            format!("{} leads to the virtual network gateway", via.label()),
        ),
        method::Method::Dropped => (
            Method::None,
            None,
            format!("{} drops every packet (next hop None)", via.label()),
        ),
        method::Method::NatGateway => {
            let id = subnet.nat_gateway_id.clone();
            let name = id.as_ref().map_or("", Id::name).to_owned();
            (
                Method::NatGateway,
                id,
                format!("NAT gateway {name} is on the subnet"),
            )
        }
        method::Method::InstancePublicIp => (
            Method::InstancePublicIp,
            None,
            "every node has a public IP address of its own".to_owned(),
        ),
        method::Method::LoadBalancer => (
            Method::LoadBalancer,
            facts.load_balancer.as_known().map(|lb| lb.id.clone()),
            "the load balancer has an outbound rule with a public address".to_owned(),
        ),
        method::Method::DefaultOutboundAccess => (
            Method::DefaultOutboundAccess,
            None,
            "no explicit method; Azure's default outbound access remains".to_owned(),
        ),
        method::Method::NoEgress => (
            Method::None,
            None,
            "the subnet is private and no method gives egress".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::{Datum, Facts, OutboundType};
    use crate::report::Method;
    use crate::testing::{load_balancer, nat_id, network_mut, pools_mut, subnet_mut};

    fn without_load_balancer() -> Facts {
        let mut facts = load_balancer();
        facts.load_balancer = Datum::Absent;
        facts
    }

    fn method(facts: &Facts) -> Method {
        crate::diagnose(facts).outbound.paths[0].method
    }

    #[test]
    fn r2_3_a_nodes_own_address_comes_before_the_load_balancer_for_this_node() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].node_public_ip = Some(true);
        let paths = crate::diagnose(&facts).outbound.paths;
        let ways: Vec<_> = paths
            .iter()
            .map(|path| (path.node_pools.join(","), path.method))
            .collect();
        assert_eq!(
            ways,
            [
                ("user".to_owned(), Method::InstancePublicIp),
                ("system".to_owned(), Method::LoadBalancer)
            ]
        );
        // A NAT gateway comes before both (T4): one path for all.
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        let paths = crate::diagnose(&facts).outbound.paths;
        assert_eq!(paths.len(), 1);
        assert_eq!(paths[0].method, Method::NatGateway);
        assert_eq!(paths[0].node_pools, ["system", "user"]);
    }

    #[test]
    fn r1_60_an_unknown_outbound_type_may_carry_by_a_method_of_its_own() {
        let mut facts = without_load_balancer();
        assert_ne!(method(&facts), Method::Unknown);
        network_mut(&mut facts).outbound_type = Some(OutboundType::Other("someFutureType".into()));
        assert_eq!(method(&facts), Method::Unknown);
    }

    #[test]
    fn r1_61_a_basic_load_balancer_carries_without_outbound_rules() {
        let mut facts = without_load_balancer();
        network_mut(&mut facts).load_balancer_sku = Some("Basic".into());
        assert_eq!(method(&facts), Method::Unknown);
    }
}
