//! Conversions of real answers, compared with what the raw JSON says. Skipped, visibly, where no recordings are.

use std::path::{Path, PathBuf};

use egress_arm::ResourceId;
use egress_arm::model;
use egress_arm::read::{Field, Tolerant};
use egress_diagnosis::facts::{
    Id, MaxSurge, MetricAggregation, NetworkPlugin, OutboundType, PoolMode, Window,
};
use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::metrics::Grain;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recordings");
    if folder.is_dir() {
        return Some(folder);
    }
    println!(
        "SKIPPED: no recordings at ../shared/recordings (looked in {})",
        folder.display()
    );
    None
}

/// Path and body of each recorded success whose file name starts with `prefix`.
fn recorded(kind: &str, prefix: &str) -> Vec<(String, Value)> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(prefix)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {kind}/{prefix}*");
    let read = files.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(recording["status"], 200, "{}", path.display());
        (
            recording["request"]["path"].as_str().unwrap().to_owned(),
            recording["body"].clone(),
        )
    });
    read.collect()
}

/// The resources of a kind: single answers and the items of lists.
fn resources(kind: &str, one: &str, list: &str) -> Vec<Value> {
    let single = recorded(kind, one).into_iter().map(|(_, body)| body);
    let listed = recorded(kind, list)
        .into_iter()
        .flat_map(|(_, body)| body["value"].as_array().unwrap().clone());
    single.chain(listed).collect()
}

fn read<T: serde::de::DeserializeOwned>(body: &Value) -> T {
    serde_json::from_str(&body.to_string()).unwrap()
}

/// The value at a JSON pointer; JSON null where there is none, as for an `Option`.
fn at<'a>(body: &'a Value, pointer: &str) -> &'a Value {
    body.pointer(pointer).unwrap_or(&Value::Null)
}

fn json<T: serde::Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The ids in a list of references.
fn ids_at(body: &Value, pointer: &str) -> Vec<Id> {
    let references = at(body, pointer).as_array().into_iter().flatten();
    references
        .map(|r| Id::new(r["id"].as_str().unwrap()))
        .collect()
}

/// The length of a list; 0 where there is none.
fn length_at(body: &Value, pointer: &str) -> usize {
    at(body, pointer).as_array().map_or(0, Vec::len)
}

#[test]
fn clusters_say_what_their_bodies_say() {
    for (path, body) in recorded("clusters", "") {
        let asked = ResourceId::parse(path.split('?').next().unwrap()).unwrap();
        let answer: model::Whole<model::ManagedClusterProperties> = read(&body);
        let cluster = cluster(&asked, &answer);
        assert_eq!(json(&cluster.id), body["id"]);
        assert_eq!(json(&cluster.name), body["name"]);
        assert_eq!(json(&cluster.location), body["location"]);
        assert_eq!(
            json(&cluster.node_resource_group),
            *at(&body, "/properties/nodeResourceGroup")
        );
        assert_eq!(
            json(&cluster.provisioning_state),
            *at(&body, "/properties/provisioningState")
        );

        let network = cluster.network.expect("every recorded cluster has one");
        let raw = &body["properties"]["networkProfile"];
        assert_eq!(
            json(network.outbound_type.as_ref().map(OutboundType::as_str)),
            raw["outboundType"]
        );
        let plugin = network.plugin.as_ref().map(NetworkPlugin::as_str);
        assert_eq!(json(plugin), raw["networkPlugin"]);
        assert_eq!(json(&network.plugin_mode), *at(raw, "/networkPluginMode"));
        assert_eq!(json(&network.dataplane), *at(raw, "/networkDataplane"));
        assert_eq!(
            json(&network.load_balancer_sku).as_str().unwrap(),
            raw["loadBalancerSku"].as_str().unwrap().to_lowercase()
        );
        if let Some(cidrs) = raw["podCidrs"].as_array() {
            assert_eq!(json(&network.pod_cidrs), json(cidrs));
        } else {
            let single: Vec<&str> = raw["podCidr"].as_str().into_iter().collect();
            assert_eq!(network.pod_cidrs, single);
        }

        let profile = &raw["loadBalancerProfile"];
        assert_eq!(network.load_balancer_profile.is_some(), profile.is_object());
        if let Some(lb) = network.load_balancer_profile {
            assert_eq!(
                json(lb.managed_outbound_ip_count),
                *at(profile, "/managedOutboundIPs/count")
            );
            assert_eq!(
                json(lb.managed_outbound_ipv6_count),
                *at(profile, "/managedOutboundIPs/countIPv6")
            );
            assert_eq!(lb.outbound_ips, ids_at(profile, "/outboundIPs/publicIPs"));
            assert_eq!(
                lb.outbound_ip_prefixes,
                ids_at(profile, "/outboundIPPrefixes/publicIPPrefixes")
            );
            assert_eq!(
                lb.effective_outbound_ips,
                ids_at(profile, "/effectiveOutboundIPs")
            );
            assert_eq!(
                json(lb.allocated_outbound_ports),
                *at(profile, "/allocatedOutboundPorts")
            );
            assert_eq!(
                json(lb.idle_timeout_minutes),
                *at(profile, "/idleTimeoutInMinutes")
            );
        }
        let profile = &raw["natGatewayProfile"];
        assert_eq!(network.nat_gateway_profile.is_some(), profile.is_object());
        if let Some(nat) = network.nat_gateway_profile {
            assert_eq!(
                json(nat.managed_outbound_ip_count),
                *at(profile, "/managedOutboundIPProfile/count")
            );
            assert_eq!(
                nat.effective_outbound_ips,
                ids_at(profile, "/effectiveOutboundIPs")
            );
            assert_eq!(
                json(nat.idle_timeout_minutes),
                *at(profile, "/idleTimeoutInMinutes")
            );
        }

        let pools = agent_pool_profiles(&answer.properties.agent_pool_profiles).unwrap();
        let raw_pools = body["properties"]["agentPoolProfiles"].as_array().unwrap();
        assert_eq!(pools.len(), raw_pools.len());
        for (pool, raw) in pools.iter().zip(raw_pools) {
            same_pool(pool, raw, &raw["name"]);
        }
    }
}

fn same_pool(pool: &egress_diagnosis::facts::AgentPool, raw: &Value, name: &Value) {
    assert_eq!(json(&pool.name), *name);
    let machines = at(raw, "/virtualMachineNodesStatus");
    if let Some(nodes) = machines.as_array().filter(|nodes| !nodes.is_empty()) {
        let total: u64 = nodes.iter().filter_map(|it| it["count"].as_u64()).sum();
        assert_eq!(json(pool.count), json(total));
    } else {
        assert_eq!(json(pool.count), *at(raw, "/count"));
        assert_eq!(json(pool.min_count), *at(raw, "/minCount"));
        assert_eq!(json(pool.max_count), *at(raw, "/maxCount"));
    }
    assert_eq!(
        json(pool.mode.as_ref().map(PoolMode::as_str)),
        *at(raw, "/mode")
    );
    assert_eq!(json(&pool.os_type), *at(raw, "/osType"));
    assert_eq!(json(&pool.pool_type), *at(raw, "/type"));
    assert_eq!(json(&pool.vnet_subnet_id), *at(raw, "/vnetSubnetID"));
    assert_eq!(json(pool.node_public_ip), *at(raw, "/enableNodePublicIP"));
    let surge = pool.max_surge.as_ref().map(|surge| match surge {
        MaxSurge::Nodes(n) => n.to_string(),
        MaxSurge::Percent(n) => format!("{n}%"),
        MaxSurge::Unreadable(text) => panic!("{text}"),
    });
    assert_eq!(json(surge), *at(raw, "/upgradeSettings/maxSurge"));
}

#[test]
fn agent_pool_lists() {
    for (_, body) in recorded("clusters-parts", "agent-pools-list") {
        for raw in body["value"].as_array().unwrap() {
            let pool = agent_pool(&read(raw)).unwrap();
            same_pool(&pool, &raw["properties"], &raw["name"]);
        }
    }
}

#[test]
fn load_balancers_and_the_aks_outbound_rule() {
    let mut aks_rules = 0;
    for raw in resources("network", "load-balancer-", "load-balancers-list") {
        let lb = load_balancer(&read(&raw)).unwrap();
        assert_eq!(json(&lb.id), raw["id"]);
        assert_eq!(json(&lb.sku), *at(&raw, "/sku/name"));
        let p = &raw["properties"];
        assert_eq!(
            lb.frontends.len(),
            length_at(p, "/frontendIPConfigurations")
        );
        assert_eq!(lb.backend_pools.len(), length_at(p, "/backendAddressPools"));
        assert_eq!(lb.rules.len(), length_at(p, "/loadBalancingRules"));
        assert_eq!(lb.outbound_rules.len(), length_at(p, "/outboundRules"));
        let raw_rules = p["outboundRules"].as_array().into_iter().flatten();
        for (rule, raw) in lb.outbound_rules.iter().zip(raw_rules) {
            assert_eq!(json(&rule.name), raw["name"]);
            let p = &raw["properties"];
            assert_eq!(
                json(rule.allocated_outbound_ports),
                p["allocatedOutboundPorts"]
            );
            assert_eq!(json(rule.idle_timeout_minutes), p["idleTimeoutInMinutes"]);
            assert_eq!(json(rule.tcp_reset), p["enableTcpReset"]);
            assert_eq!(json(&rule.protocol), p["protocol"]);
            assert_eq!(rule.frontends, ids_at(p, "/frontendIPConfigurations"));
            assert_eq!(json(&rule.backend_pool), p["backendAddressPool"]["id"]);
            aks_rules += usize::from(rule.name == "aksOutboundRule");
        }
    }
    assert!(
        aks_rules > 0 || folder().is_none(),
        "AKS's own rule is among them"
    );
}

#[test]
fn nat_gateways() {
    for (_, raw) in recorded("network", "nat-gateway") {
        let nat = nat_gateway(&read(&raw)).unwrap();
        let p = &raw["properties"];
        assert_eq!(json(&nat.id), raw["id"]);
        assert_eq!(json(&nat.sku), *at(&raw, "/sku/name"));
        assert_eq!(json(nat.idle_timeout_minutes), p["idleTimeoutInMinutes"]);
        assert_eq!(nat.public_ips, ids_at(p, "/publicIpAddresses"));
        assert_eq!(nat.public_ip_prefixes, ids_at(p, "/publicIpPrefixes"));
        assert_eq!(nat.subnet_ids, ids_at(p, "/subnets"));
        assert_eq!(nat.zones.len(), length_at(&raw, "/zones"));
    }
}

#[test]
fn virtual_networks_and_subnets() {
    let networks = recorded("network", "vnet")
        .into_iter()
        .map(|(_, body)| body);
    let inline = networks.flat_map(|raw| {
        let vnet = virtual_network(&read(&raw)).unwrap();
        assert_eq!(
            json(&vnet.address_prefixes),
            raw["properties"]["addressSpace"]["addressPrefixes"]
        );
        assert_eq!(
            vnet.subnet_ids.len(),
            length_at(&raw, "/properties/subnets")
        );
        let subnets = raw["properties"]["subnets"].as_array().cloned();
        subnets.unwrap_or_default()
    });
    let single = recorded("network", "subnet")
        .into_iter()
        .map(|(_, raw)| raw);
    for raw in single.chain(inline) {
        let subnet = subnet(&read(&raw)).unwrap();
        let p = &raw["properties"];
        assert_eq!(json(&subnet.id), raw["id"]);
        assert_eq!(json(&subnet.nsg_id), *at(p, "/networkSecurityGroup/id"));
        assert_eq!(json(&subnet.route_table_id), *at(p, "/routeTable/id"));
        assert_eq!(json(&subnet.nat_gateway_id), *at(p, "/natGateway/id"));
        assert_eq!(
            json(subnet.default_outbound_access),
            *at(p, "/defaultOutboundAccess")
        );
        let prefix = p["addressPrefix"].as_str();
        let prefixes = p["addressPrefixes"].as_array();
        let said = prefixes.map_or_else(
            || prefix.into_iter().collect(),
            |list| list.iter().map(|v| v.as_str().unwrap()).collect::<Vec<_>>(),
        );
        assert_eq!(subnet.address_prefixes, said);
    }
}

#[test]
fn security_groups_and_route_tables() {
    for raw in resources("network", "nsg-", "nsgs-list") {
        let nsg = nsg(&read(&raw)).unwrap();
        let p = &raw["properties"];
        assert_eq!(nsg.rules.len(), length_at(p, "/securityRules"));
        assert_eq!(
            nsg.default_rules.len(),
            length_at(p, "/defaultSecurityRules")
        );
        let raw_rules = [&p["securityRules"], &p["defaultSecurityRules"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten();
        for (rule, raw) in nsg.rules.iter().chain(&nsg.default_rules).zip(raw_rules) {
            let p = &raw["properties"];
            assert_eq!(json(&rule.name), raw["name"]);
            assert_eq!(json(rule.priority), p["priority"]);
            assert_eq!(
                json(rule.direction.map(|d| format!("{d:?}"))),
                p["direction"]
            );
            assert_eq!(json(rule.access.map(|a| format!("{a:?}"))), p["access"]);
            assert_eq!(json(&rule.protocol), p["protocol"]);
            let plural = length_at(p, "/destinationPortRanges");
            let singular = usize::from(p["destinationPortRange"].is_string());
            assert_eq!(rule.destination_ports.len(), plural + singular);
        }
    }
    for raw in resources("network", "route-table-", "route-tables-list") {
        let table = route_table(&read(&raw)).unwrap();
        let p = &raw["properties"];
        assert_eq!(json(&table.id), raw["id"]);
        assert_eq!(
            json(table.disable_bgp_route_propagation),
            *at(p, "/disableBgpRoutePropagation")
        );
        assert_eq!(table.routes.len(), length_at(p, "/routes"));
        let raw_routes = p["routes"].as_array().into_iter().flatten();
        for (route, raw) in table.routes.iter().zip(raw_routes) {
            let p = &raw["properties"];
            assert_eq!(json(&route.address_prefix), p["addressPrefix"]);
            assert_eq!(json(route.next_hop_type.as_str()), p["nextHopType"]);
            assert_eq!(json(&route.next_hop_ip), *at(p, "/nextHopIpAddress"));
        }
    }
}

#[test]
fn public_addresses_and_prefixes() {
    for (_, raw) in recorded("network", "public-ip-0") {
        let ip = public_ip(&read(&raw)).unwrap();
        assert_eq!(json(&ip.id), raw["id"]);
        assert_eq!(json(&ip.address), *at(&raw, "/properties/ipAddress"));
        assert_eq!(json(&ip.sku), *at(&raw, "/sku/name"));
    }
    for (_, raw) in recorded("network", "public-ip-prefix") {
        let prefix = public_ip_prefix(&read(&raw)).unwrap();
        assert_eq!(json(&prefix.prefix), *at(&raw, "/properties/ipPrefix"));
        assert_eq!(json(prefix.length), *at(&raw, "/properties/prefixLength"));
    }
}

#[test]
fn scale_sets() {
    for raw in resources("compute", "scale-set-0", "scale-sets-list") {
        let set = scale_set(&read(&raw)).unwrap();
        assert_eq!(json(set.capacity), raw["sku"]["capacity"]);
        assert_eq!(
            json(&set.pool_name),
            *at(&raw, "/tags/aks-managed-poolName")
        );
        let first_nic = "/properties/virtualMachineProfile/networkProfile/networkInterfaceConfigurations/0/properties";
        let subnet = at(&raw, first_nic).pointer("/ipConfigurations/0/properties/subnet/id");
        assert_eq!(
            json(set.subnet_ids.first()),
            *subnet.unwrap_or(&Value::Null)
        );
    }
}

/// Every point with a value counts, every gap does not.
#[test]
fn metric_sums_survive_gaps() {
    for (_, body) in recorded("monitor", "metrics-0") {
        for raw in body["value"].as_array().unwrap() {
            for (aggregation, key) in [
                (MetricAggregation::Total, "total"),
                (MetricAggregation::Average, "average"),
            ] {
                let name = raw["name"]["value"].as_str().unwrap().to_owned();
                let wanted: &'static str = name.clone().leak();
                let asked = Asked {
                    metrics: vec![(wanted, aggregation)].leak(),
                    grain: Grain::MINUTE,
                    top: None,
                    window: Window {
                        start: Timestamp::MIN,
                        end: Timestamp::MAX,
                    },
                    now: Timestamp::MAX,
                };
                let answer: model::Metrics = read(&body);
                let read = metrics(&asked, answer.interval.as_deref(), &answer.value);
                let metric = read[&name].as_known().unwrap();
                let values = raw["timeseries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|series| series["data"].as_array().unwrap())
                    .filter_map(|point| point[key].as_f64());
                let (count, sum) = values.fold((0, 0.0), |(n, sum), v| (n + 1, sum + v));
                let points = metric.series.iter().flat_map(|s| &s.points);
                let (ours, our_sum) = points.fold((0, 0.0), |(n, sum), p| (n + 1, sum + p.value));
                assert_eq!(ours, count, "{name}");
                assert!((our_sum - sum).abs() <= 1e-9 * sum.abs(), "{name}");
            }
        }
    }
}

#[test]
fn r1_9_recorded_endpoints() {
    let Some(folder) = folder() else { return };
    let file = folder.join(
        "azure-powershell/Get-AzAksManagedClusterOutboundNetworkDependencyEndpoint.Recording.json",
    );
    let recording: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let exchange = recording.as_object().unwrap().values().next().unwrap();
    let body: Value =
        serde_json::from_str(exchange["Response"]["Content"].as_str().unwrap()).unwrap();
    let categories: Vec<model::EgressEndpointCategory> = read(&body["value"]);
    let endpoints = egress_endpoints(&categories).unwrap();
    let details = body["value"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|category| category["endpoints"].as_array().unwrap())
        .flat_map(|endpoint| endpoint["endpointDetails"].as_array().unwrap());
    let ports: Vec<Value> = details.map(|detail| detail["port"].clone()).collect();
    assert_eq!(
        json(endpoints.iter().map(|e| e.port).collect::<Vec<_>>()),
        json(&ports)
    );
    let ntp = endpoints
        .iter()
        .find(|e| e.category == "time-sync")
        .unwrap();
    assert_eq!(
        (ntp.port, ntp.protocol.as_deref()),
        (Some(123), Some("UDP"))
    );
}

/// A list as the client hands it over has nothing unusable in it.
#[test]
fn recorded_lists_are_whole() {
    fn whole<T: Tolerant>(kind: &str, prefix: &str) {
        for (path, body) in recorded(kind, prefix) {
            let items: Vec<Field<T>> = read(&body["value"]);
            assert!(items.iter().all(|item| item.is_some()), "{path}");
        }
    }
    whole::<model::LoadBalancer>("network", "load-balancers-list");
    whole::<model::NetworkSecurityGroup>("network", "nsgs-list");
    whole::<model::ScaleSet>("compute", "scale-sets-list");
    whole::<model::AgentPool>("clusters-parts", "agent-pools-list");
}
