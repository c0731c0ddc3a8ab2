//! The default route that a virtual hub gives to a network connected to it (R3.14).

use std::net::IpAddr;

use crate::facts::{Datum, Facts, HubRouting, Id, Missing, VirtualNetwork, lookup};
use crate::network::routes::{Bgp, Hop};

/// What a hub does with the default route of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HubDefault {
    /// The hub gives none: the connection does not take it.
    None,
    /// The hub's routing intent sends internet traffic to this firewall or appliance.
    Given {
        /// The hub.
        hub: Id,
        /// The appliance; its address when it could be read.
        hop: Hop,
    },
    /// The hub may give one; why that is open.
    Open(String),
    /// Something about the hub could not be read.
    Unread(Missing),
}

const FIREWALL: &str = "Microsoft.Network/azureFirewalls";

impl HubDefault {
    /// For this network; `None` when the facts do not speak of a hub.
    pub(crate) fn of(facts: &Facts, network: &VirtualNetwork) -> Option<Self> {
        let name = network.id.name();
        Some(match facts.hub_routing.get(&network.id)? {
            Datum::Known(routing) => Self::by(facts, routing, name),
            other => Self::Unread(Missing {
                what: format!("the virtual hub that virtual network {name} is connected to"),
                how: other.status(),
            }),
        })
    }

    fn by(facts: &Facts, routing: &HubRouting, network: &str) -> Self {
        let hub = routing.hub.name();
        match (routing.internet_security, &routing.internet) {
            (Some(false), _) => Self::None,
            (None, _) => Self::Open(format!(
                "the connection of virtual network {network} to virtual hub {hub} does not say whether it takes the hub's default route"
            )),
            (Some(true), None) => Self::Open(format!(
                "virtual hub {hub} has no routing policy for internet traffic, and its route tables and branches may still give virtual network {network} a default route"
            )),
            (Some(true), Some(next_hop)) => match appliance(facts, next_hop) {
                Ok(hop) => Self::Given {
                    hub: routing.hub.clone(),
                    hop,
                },
                Err(missing) => Self::Unread(missing),
            },
        }
    }

    /// What effective routes are computed from.
    pub(crate) fn bgp(&self) -> Bgp {
        match self {
            Self::Given { hub, hop } => Bgp::Hub {
                hub: hub.name().to_owned(),
                default: hop.clone(),
            },
            _ => Bgp::Unknown,
        }
    }
}

/// The appliance behind an id. Only an Azure Firewall tells its address.
fn appliance(facts: &Facts, id: &Id) -> Result<Hop, Missing> {
    if !id.is_type(FIREWALL) {
        return Ok(Hop::VirtualAppliance(None));
    }
    let firewall =
        lookup(&facts.firewalls, id).known(|| format!("Azure Firewall {}", id.name()))?;
    let mut addresses = firewall.private_ips.iter();
    let address = addresses.find_map(|text| text.parse::<IpAddr>().ok());
    Ok(Hop::VirtualAppliance(address))
}

#[cfg(test)]
mod tests {
    use crate::facts::{Datum, Facts, OutboundType};
    use crate::path::DefaultRoute;
    use crate::report::{Method, RouteSource};
    use crate::testing::{denied, hub_routing, load_balancer, network_mut, with_hub};

    fn default_route(facts: &Facts) -> DefaultRoute {
        let ctx = crate::context::Context::new(facts);
        ctx.paths[0].routes.default.clone()
    }

    fn connected() -> Facts {
        let mut facts = load_balancer();
        with_hub(&mut facts);
        facts
    }

    #[test]
    fn r3_14_routing_intent_gives_the_default_route_to_the_hubs_firewall() {
        let facts = connected();
        let DefaultRoute::Decided { via, split: false } = default_route(&facts) else {
            panic!("{:?}", default_route(&facts))
        };
        assert_eq!(via.source, RouteSource::Bgp);
        assert_eq!(via.hop_label(), "VirtualAppliance 10.9.0.4");
        assert_eq!(via.label(), "the default route of virtual hub hub");
        assert_eq!(via.table, None);
        let path = &crate::diagnose(&facts).outbound.paths[0];
        assert_eq!(path.method, Method::AzureFirewall);
        assert_eq!(path.next_hop.route_name, None);
    }

    #[test]
    fn r3_1_a_user_route_comes_before_the_hubs() {
        let mut facts = crate::testing::firewall_routing();
        let before = default_route(&facts);
        with_hub(&mut facts);
        assert_eq!(default_route(&facts), before);
    }

    #[test]
    fn without_internet_security_azures_own_default_route_stays() {
        let mut facts = connected();
        hub_routing(&mut facts).internet_security = Some(false);
        hub_routing(&mut facts).internet = None;
        let DefaultRoute::Decided { via, .. } = default_route(&facts) else {
            panic!("{:?}", default_route(&facts))
        };
        assert_eq!(via.source, RouteSource::System);
        let path = &crate::diagnose(&facts).outbound.paths[0];
        assert_eq!(path.method, Method::LoadBalancer);
    }

    #[test]
    fn what_the_hub_does_not_tell_leaves_the_default_route_open() {
        let mut facts = connected();
        hub_routing(&mut facts).internet = None;
        let DefaultRoute::Open(why) = default_route(&facts) else {
            panic!("no policy for internet traffic")
        };
        assert!(why.contains("no routing policy"), "{why}");
        hub_routing(&mut facts).internet_security = None;
        assert!(matches!(default_route(&facts), DefaultRoute::Open(_)));
    }

    #[test]
    fn what_cannot_be_read_is_missing() {
        let mut facts = connected();
        let network = crate::testing::vnet_id();
        let intent = "Microsoft.Network/virtualHubs/routingIntent/read";
        facts.hub_routing.insert(network, denied(intent));
        let DefaultRoute::Unread(missing) = default_route(&facts) else {
            panic!("the hub could not be read")
        };
        assert!(matches!(missing.how, Datum::Denied { .. }));

        let mut facts = connected();
        facts.firewalls.clear();
        let DefaultRoute::Unread(missing) = default_route(&facts) else {
            panic!("the firewall could not be read")
        };
        assert!(
            missing.what.starts_with("Azure Firewall"),
            "{}",
            missing.what
        );
    }

    #[test]
    fn another_appliance_of_the_hub_has_no_address_to_follow() {
        let mut facts = connected();
        let nva = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkVirtualAppliances/nva";
        hub_routing(&mut facts).internet = Some(crate::facts::Id::new(nva));
        network_mut(&mut facts).outbound_type = Some(OutboundType::UserDefinedRouting);
        let DefaultRoute::Decided { via, .. } = default_route(&facts) else {
            panic!("{:?}", default_route(&facts))
        };
        assert_eq!(via.hop_label(), "VirtualAppliance");
    }
}
