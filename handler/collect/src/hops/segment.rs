//! The subnets of the virtual networks in which a next hop is looked for, and what has addresses in them.

use std::net::IpAddr;

use egress_arm::model;
use egress_diagnosis::facts::{Datum, Id, Subnet};
use ipnet::IpNet;

use crate::convert;

/// A subnet and what has addresses in it.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) subnet: Subnet,
    /// Ids of the IP configurations in it; `None` when the list was damaged.
    pub(crate) occupants: Option<Vec<Id>>,
}

impl Segment {
    /// Whether the address lies in it.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let mut prefixes = self.subnet.address_prefixes.iter();
        prefixes.any(|prefix| prefix.parse::<IpNet>().is_ok_and(|p| p.contains(&address)))
    }
}

/// The readable subnets inside a virtual network's answer.
pub(crate) fn segments(answer: &Datum<model::VirtualNetwork>) -> Vec<Segment> {
    let properties = answer.as_known().and_then(|n| n.properties.as_ref());
    properties
        .into_iter()
        .flat_map(|p| p.subnets.iter())
        .filter_map(|subnet| {
            let p = subnet.properties.as_ref()?;
            Some(Segment {
                subnet: convert::subnet(subnet)?,
                occupants: convert::all(&p.ip_configurations, |it| convert::id(&it.id)),
            })
        })
        .collect()
}

/// What an IP configuration belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Occupant {
    Firewall(Id),
    Nic(Id),
    LoadBalancer(Id),
    /// Scale set instances, gateways and the like.
    Other,
}

/// What the IP configuration with this id belongs to.
pub(super) fn occupant(configuration: &Id) -> Occupant {
    let owner = configuration.parent();
    let of = |kind: &str, configuration_kind: &str| {
        owner
            .clone()
            .filter(|owner| owner.is_type(kind))
            .filter(|_| configuration.is_type(&format!("{kind}/{configuration_kind}")))
    };
    let firewall = of(
        "Microsoft.Network/azureFirewalls",
        "azureFirewallIpConfigurations",
    );
    let nic = of("Microsoft.Network/networkInterfaces", "ipConfigurations");
    let balancer = of(
        "Microsoft.Network/loadBalancers",
        "frontendIPConfigurations",
    );
    firewall
        .map(Occupant::Firewall)
        .or_else(|| nic.map(Occupant::Nic))
        .or_else(|| balancer.map(Occupant::LoadBalancer))
        .unwrap_or(Occupant::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers";

    #[test]
    fn an_ip_configuration_names_its_owner_in_any_case() {
        let id = |tail: &str| Id::new(format!("{GROUP}/{tail}"));
        let nic = "MICROSOFT.network/NetworkInterfaces/nva";
        assert_eq!(
            occupant(&id(&format!("{nic}/IPconfigurations/x"))),
            Occupant::Nic(id(nic))
        );
        let lb = "Microsoft.Network/loadBalancers/ilb";
        assert_eq!(
            occupant(&id(&format!("{lb}/frontendIPConfigurations/x"))),
            Occupant::LoadBalancer(id(lb))
        );
        let fw = "Microsoft.Network/azureFirewalls/fw";
        assert_eq!(
            occupant(&id(&format!("{fw}/azureFirewallIpConfigurations/x"))),
            Occupant::Firewall(id(fw))
        );
        for other in [
            "Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n/ipConfigurations/x",
            "Microsoft.Network/virtualNetworkGateways/g/ipConfigurations/x",
            "nonsense",
        ] {
            assert_eq!(occupant(&id(other)), Occupant::Other, "{other}");
        }
    }

    #[test]
    fn a_segment_knows_its_addresses_and_damage() {
        let network: model::VirtualNetwork = serde_json::from_str(
            r#"{"id":"/v","properties":{"subnets":[
                {"id":"/v/subnets/a","properties":{"addressPrefix":"10.1.0.0/26","ipConfigurations":[{"id":"/x/y"}]}},
                {"id":"/v/subnets/b","properties":{"addressPrefix":"10.1.1.0/26","ipConfigurations":"?"}}]}}"#,
        )
        .unwrap();
        let segments = segments(&Datum::Known(network));
        let address = "10.1.0.4".parse().unwrap();
        assert!(segments[0].holds(address) && !segments[1].holds(address));
        assert_eq!(segments[0].occupants, Some(vec![Id::new("/x/y")]));
        assert_eq!(segments[1].occupants, None);
    }
}
