//! What AKS itself puts into the node resource group when a scenario does not bring its own.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::names::guid;
use crate::scenario::{
    LoadBalancer, ManagedNat, NatGateway, Network, Nsg, PublicIp, Route, RouteTable, Scenario,
    SecurityRule, Subnet,
};

/// Name of the NAT gateway of outbound type `managedNATGateway`.
pub(super) const NAT_GATEWAY: &str = "aks-nat-gateway";

/// Adds the virtual network and, with kubenet, its route table. Gives every pool without a subnet this one.
pub(super) fn add_network(scenario: &mut Scenario, node_group: &str, suffix: &str) {
    let network = format!("aks-vnet-{suffix}");
    let dual_stack = is_dual_stack(scenario);
    let route_table = (scenario.cluster.plugin == "kubenet")
        .then(|| format!("aks-agentpool-{suffix}-routetable"));
    if let Some(name) = &route_table {
        let table = RouteTable {
            resource_group: Some(node_group.to_owned()),
            routes: Vec::new(),
            pod_routes: true,
            disable_bgp: false,
        };
        scenario.route_tables.insert(name.clone(), table);
    }
    let subnet = Subnet {
        prefix: "10.224.0.0/16".into(),
        ipv6_prefix: dual_stack.then(|| "fd83:8f4c:5d1e::/64".to_owned()),
        nsg: Some(nsg_name(suffix)),
        route_table,
        nat_gateway: is_managed_nat(scenario).then(|| NAT_GATEWAY.to_owned()),
        private: scenario.cluster.private_subnet,
        service_endpoints: Vec::new(),
        delegation: None,
    };
    let mut subnets = BTreeMap::from([("aks-subnet".to_owned(), subnet)]);
    if scenario.cluster.vnet_integration {
        let api_server = Subnet {
            prefix: "10.238.0.0/28".into(),
            ipv6_prefix: None,
            nsg: None,
            route_table: None,
            nat_gateway: None,
            private: false,
            service_endpoints: Vec::new(),
            delegation: Some("Microsoft.ContainerService/managedClusters".to_owned()),
        };
        subnets.insert("aks-apiserver-subnet".to_owned(), api_server);
    }
    let mut prefixes = vec!["10.224.0.0/12".to_owned()];
    prefixes.extend(dual_stack.then(|| "fd83:8f4c:5d1e::/48".to_owned()));
    scenario.networks.insert(
        network.clone(),
        Network {
            resource_group: Some(node_group.to_owned()),
            prefixes,
            dns_servers: Vec::new(),
            peerings: Vec::new(),
            admin_rules: Vec::new(),
            subnets,
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
            rules: isolation(scenario),
        },
    );
}

/// With outbound type `block`, AKS denies the internet in its own security group.
fn isolation(scenario: &Scenario) -> Vec<SecurityRule> {
    if scenario.cluster.outbound_type != "block" {
        return Vec::new();
    }
    vec![SecurityRule {
        name: "aks-block-outbound-internet".into(),
        priority: 4096,
        access: "Deny".into(),
        direction: "Outbound".into(),
        protocol: "*".into(),
        from: "*".into(),
        to: "Internet".into(),
        ports: "*".into(),
    }]
}

pub(super) fn nsg_name(suffix: &str) -> String {
    format!("aks-agentpool-{suffix}-nsg")
}

/// Fills the tables that ask for it with one route per node to its pods, as the cloud provider of kubenet writes them.
pub(super) fn add_pod_routes(scenario: &mut Scenario, suffix: &str) {
    let routes = kubenet_routes(scenario, suffix);
    for table in scenario.route_tables.values_mut() {
        if table.pod_routes {
            table.routes.extend(routes.iter().cloned());
        }
    }
}

fn kubenet_routes(scenario: &Scenario, suffix: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut next: BTreeMap<&Option<String>, u32> = BTreeMap::new();
    for (pool_name, pool) in &scenario.pools {
        let base = pool
            .subnet
            .as_deref()
            .and_then(|path| {
                let (network, subnet) = path.split_once('/')?;
                let subnet = scenario.networks.get(network)?.subnets.get(subnet)?;
                subnet.prefix.split_once('/')?.0.parse().ok()
            })
            .unwrap_or(Ipv4Addr::UNSPECIFIED);
        for index in 0..pool.count {
            let number = routes.len();
            let offset = next.entry(&pool.subnet).or_insert(4);
            let node = Ipv4Addr::from(u32::from(base).saturating_add(*offset));
            *offset += 1;
            routes.push(Route {
                name: format!("aks-{pool_name}-{suffix}-vmss{index:06}____{number}"),
                to: format!("10.244.{number}.0/24"),
                via: "VirtualAppliance".into(),
                ip: Some(node.to_string()),
            });
        }
    }
    routes
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
            sku: profile.sku,
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

/// Adds the outbound addresses of the load balancer, the IPv6 ones after the others; gives their names.
pub(super) fn add_outbound_ips(
    scenario: &mut Scenario,
    node_group: &str,
    balancer: &LoadBalancer,
) -> Vec<String> {
    let mut names = add_public_ips(scenario, node_group, "outbound", balancer.managed_ips);
    if is_dual_stack(scenario) {
        for index in 0..balancer.managed_ipv6 {
            let name = format!("{}-ipv6", guid(&format!("{node_group}/ipv6/{index}")));
            let ip = PublicIp {
                resource_group: Some(node_group.to_owned()),
                ipv6: true,
                ..PublicIp::default()
            };
            scenario.public_ips.insert(name.clone(), ip);
            names.push(name);
        }
    }
    names
}

pub(super) fn is_dual_stack(scenario: &Scenario) -> bool {
    scenario.cluster.ip_families.iter().any(|it| it == "IPv6")
}

pub(super) fn is_managed_nat(scenario: &Scenario) -> bool {
    let outbound_type = &scenario.cluster.outbound_type;
    ["managedNATGateway", "managedNATGatewayV2"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(outbound_type))
}
