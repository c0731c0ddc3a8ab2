//! What AKS itself puts into the node resource group when a scenario does not bring its own.

use std::collections::BTreeMap;

use super::names::guid;
use crate::scenario::{
    ManagedNat, NatGateway, Network, Nsg, PublicIp, Route, RouteTable, Scenario, Subnet,
};

/// Name of the NAT gateway of outbound type `managedNATGateway`.
pub(super) const NAT_GATEWAY: &str = "aks-nat-gateway";

/// Adds the virtual network and, with kubenet, its route table. Gives every pool without a subnet this one.
pub(super) fn add_network(scenario: &mut Scenario, node_group: &str, suffix: &str) {
    let network = format!("aks-vnet-{suffix}");
    let route_table = (scenario.cluster.plugin == "kubenet")
        .then(|| format!("aks-agentpool-{suffix}-routetable"));
    if let Some(name) = &route_table {
        scenario
            .route_tables
            .insert(name.clone(), kubenet_routes(scenario, node_group, suffix));
    }
    let subnet = Subnet {
        prefix: "10.224.0.0/16".into(),
        prefix_v6: None,
        nsg: Some(nsg_name(suffix)),
        route_table,
        nat_gateway: is_managed_nat(scenario).then(|| NAT_GATEWAY.to_owned()),
        private: false,
        service_endpoints: Vec::new(),
    };
    scenario.networks.insert(
        network.clone(),
        Network {
            resource_group: Some(node_group.to_owned()),
            prefixes: vec!["10.224.0.0/12".into()],
            dns_servers: Vec::new(),
            peerings: Vec::new(),
            subnets: BTreeMap::from([("aks-subnet".to_owned(), subnet)]),
        },
    );
    for pool in scenario
        .pools
        .values_mut()
        .filter(|pool| pool.subnet.is_none())
    {
        pool.subnet = Some(format!("{network}/aks-subnet"));
    }
}

/// Adds the NSG that AKS makes in every cluster: on its own subnet, or on the NICs when the network is not its own.
pub(super) fn add_nsg(scenario: &mut Scenario, node_group: &str, suffix: &str) {
    scenario.nsgs.insert(
        nsg_name(suffix),
        Nsg {
            resource_group: Some(node_group.to_owned()),
            rules: Vec::new(),
        },
    );
}

pub(super) fn nsg_name(suffix: &str) -> String {
    format!("aks-agentpool-{suffix}-nsg")
}

/// One route per node to its pods, as the cloud provider of kubenet writes them.
fn kubenet_routes(scenario: &Scenario, node_group: &str, suffix: &str) -> RouteTable {
    let mut routes = Vec::new();
    for (pool_name, pool) in &scenario.pools {
        for index in 0..pool.count {
            let number = routes.len();
            routes.push(Route {
                name: format!("aks-{pool_name}-{suffix}-vmss{index:06}____{number}"),
                to: format!("10.244.{number}.0/24"),
                via: "VirtualAppliance".into(),
                ip: Some(format!("10.224.0.{}", number + 4)),
            });
        }
    }
    RouteTable {
        resource_group: Some(node_group.to_owned()),
        routes,
        pod_routes: false,
        disable_bgp: false,
    }
}

/// Adds the gateway of outbound type `managedNATGateway` with its addresses.
pub(super) fn add_nat_gateway(scenario: &mut Scenario, node_group: &str) {
    let profile = scenario
        .managed_nat
        .get_or_insert_with(ManagedNat::default)
        .clone();
    let ips = add_public_ips(scenario, node_group, "nat", profile.ips);
    scenario.nat_gateways.insert(
        NAT_GATEWAY.to_owned(),
        NatGateway {
            resource_group: Some(node_group.to_owned()),
            ips,
            idle_minutes: profile.idle_minutes,
            ..NatGateway::default()
        },
    );
}

/// Adds `count` managed outbound addresses, named by GUID as AKS does; gives their names.
pub(super) fn add_public_ips(
    scenario: &mut Scenario,
    node_group: &str,
    purpose: &str,
    count: u32,
) -> Vec<String> {
    (0..count)
        .map(|index| {
            let name = guid(&format!("{node_group}/{purpose}/{index}"));
            let ip = PublicIp {
                resource_group: Some(node_group.to_owned()),
                ..PublicIp::default()
            };
            scenario.public_ips.insert(name.clone(), ip);
            name
        })
        .collect()
}

pub(super) fn is_managed_nat(scenario: &Scenario) -> bool {
    scenario
        .cluster
        .outbound_type
        .eq_ignore_ascii_case("managedNATGateway")
}
