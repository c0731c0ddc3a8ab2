//! Virtual networks, subnets, route tables, network security groups and NAT gateways.

use serde_json::{Value, json};

use super::{
    Resource,
    names::{guid, id},
    plan::Plan,
};
use crate::{
    Error,
    scenario::{Network, SecurityRule, Subnet},
};

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, network) in &plan.scenario.networks {
        expand_network(plan, name, network, out)?;
    }
    expand_route_tables(plan, out)?;
    expand_nsgs(plan, out)?;
    expand_nat_gateways(plan, out)
}

/// The common frame of a Microsoft.Network resource, with the read-only noise Azure sends.
pub(super) fn resource(
    plan: &Plan,
    group: &str,
    kind: &str,
    name: &str,
    properties: Value,
) -> Resource {
    let id = id(group, kind, name);
    let mut body = json!({
        "name": name,
        "id": id,
        "etag": format!("W/\"{}\"", guid(&format!("etag{id}"))),
        "type": kind,
        "location": plan.scenario.cluster.region,
        "tags": {},
    });
    body["properties"] = properties;
    if let Some(properties) = body["properties"].as_object_mut() {
        properties
            .entry("provisioningState")
            .or_insert(json!("Succeeded"));
        properties.insert("resourceGuid".into(), json!(guid(&id)));
    }
    if group == plan.node_group {
        body["tags"] = json!({
            "aks-managed-cluster-name": plan.name,
            "aks-managed-cluster-rg": plan.group,
        });
    }
    Resource {
        id,
        kind: kind.to_owned(),
        body,
        series: Vec::new(),
    }
}

/// A part of a resource with an id of its own, e.g. a route of a table.
pub(super) fn child(
    parent: &str,
    collection: &str,
    kind: &str,
    name: &str,
    mut properties: Value,
) -> Value {
    let id = format!("{parent}/{collection}/{name}");
    if let Some(properties) = properties.as_object_mut() {
        properties
            .entry("provisioningState")
            .or_insert(json!("Succeeded"));
    }
    json!({
        "name": name,
        "etag": format!("W/\"{}\"", guid(&format!("etag{id}"))),
        "id": id,
        "type": format!("{kind}/{collection}"),
        "properties": properties,
    })
}

/// `[{"id": …}, …]`
pub(super) fn refs(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "id": id })).collect()
}

fn expand_network(
    plan: &Plan,
    name: &str,
    network: &Network,
    out: &mut Vec<Resource>,
) -> Result<(), Error> {
    const KIND: &str = "Microsoft.Network/virtualNetworks";
    let group = plan.group_of(network.resource_group.as_ref());
    let network_id = id(group, KIND, name);
    let mut subnets = Vec::new();
    for (subnet_name, subnet) in &network.subnets {
        subnets.push(child(
            &network_id,
            "subnets",
            KIND,
            subnet_name,
            subnet_properties(plan, name, subnet_name, subnet)?,
        ));
    }
    let mut peerings = Vec::new();
    for (remote_name, remote) in &plan.scenario.networks {
        if network.peerings.contains(remote_name) || remote.peerings.iter().any(|peer| peer == name)
        {
            let space = json!({ "addressPrefixes": remote.prefixes });
            peerings.push(child(
                &network_id,
                "virtualNetworkPeerings",
                KIND,
                &format!("to-{remote_name}"),
                json!({
                    "peeringState": "Connected",
                    "peeringSyncLevel": "FullyInSync",
                    "remoteVirtualNetwork": { "id": plan.reference("networks", &format!("networks/{remote_name}"))? },
                    "allowVirtualNetworkAccess": true,
                    "allowForwardedTraffic": true,
                    "allowGatewayTransit": false,
                    "useRemoteGateways": false,
                    "remoteAddressSpace": space,
                    "remoteVirtualNetworkAddressSpace": space,
                }),
            ));
        }
    }
    peerings.extend(super::hub::peerings(plan, name, &network_id));
    for peer in &network.peerings {
        plan.reference(
            &format!("networks.{name}.peerings"),
            &format!("networks/{peer}"),
        )?;
    }
    let mut properties = json!({
        "addressSpace": { "addressPrefixes": network.prefixes },
        "privateEndpointVNetPolicies": "Disabled",
        "subnets": subnets,
        "virtualNetworkPeerings": peerings,
        "enableDdosProtection": false,
    });
    if !network.dns_servers.is_empty() {
        properties["dhcpOptions"] = json!({ "dnsServers": network.dns_servers });
    }
    out.push(resource(plan, group, KIND, name, properties));
    for subnet in subnets {
        out.extend(subnet["id"].as_str().map(str::to_owned).map(|id| Resource {
            id,
            kind: format!("{KIND}/subnets"),
            body: subnet,
            series: Vec::new(),
        }));
    }
    Ok(())
}

fn subnet_properties(
    plan: &Plan,
    network: &str,
    name: &str,
    subnet: &Subnet,
) -> Result<Value, Error> {
    let mut properties = json!({
        "addressPrefix": subnet.prefix,
        "delegations": [],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    });
    let key = format!("networks.{network}.subnets.{name}");
    for (field, section, target) in [
        ("networkSecurityGroup", "nsgs", &subnet.nsg),
        ("routeTable", "route_tables", &subnet.route_table),
        ("natGateway", "nat_gateways", &subnet.nat_gateway),
    ] {
        if let Some(target) = target {
            let id = plan.reference(&key, &format!("{section}/{target}"))?;
            properties[field] = json!({ "id": id });
        }
    }
    if let Some(ipv6) = &subnet.ipv6_prefix {
        if let Some(properties) = properties.as_object_mut() {
            properties.remove("addressPrefix");
        }
        properties["addressPrefixes"] = json!([subnet.prefix, ipv6]);
    }
    if let Some(service) = &subnet.delegation {
        let own = format!("{network}/{name}/{service}");
        properties["delegations"] = json!([{
            "name": "delegation",
            "etag": format!("W/\"{}\"", guid(&own)),
            "type": "Microsoft.Network/virtualNetworks/subnets/delegations",
            "properties": {
                "provisioningState": "Succeeded",
                "serviceName": service,
                "actions": ["Microsoft.Network/virtualNetworks/subnets/join/action"],
            },
        }]);
    }
    if subnet.private {
        properties["defaultOutboundAccess"] = json!(false);
    }
    if !subnet.service_endpoints.is_empty() {
        properties["serviceEndpoints"] = subnet
            .service_endpoints
            .iter()
            .map(|service| json!({ "service": service, "locations": ["*"], "provisioningState": "Succeeded" }))
            .collect();
    }
    if let Some(occupants) = super::firewall::occupants(plan, &format!("{network}/{name}")) {
        properties["ipConfigurations"] = occupants;
    }
    Ok(properties)
}

/// The subnets that `uses` picks, as ids.
fn subnets_using(plan: &Plan, uses: impl Fn(&Subnet) -> bool) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for (network_name, network) in &plan.scenario.networks {
        for (name, subnet) in &network.subnets {
            if uses(subnet) {
                ids.push(plan.subnet_id("networks", &format!("{network_name}/{name}"))?);
            }
        }
    }
    Ok(ids)
}

fn expand_route_tables(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    const KIND: &str = "Microsoft.Network/routeTables";
    for (name, table) in &plan.scenario.route_tables {
        let group = plan.group_of(table.resource_group.as_ref());
        let table_id = id(group, KIND, name);
        let routes: Vec<Value> = table
            .routes
            .iter()
            .map(|route| {
                let mut properties = json!({
                    "addressPrefix": route.to,
                    "nextHopType": route.via,
                    "hasBgpOverride": false,
                });
                if let Some(ip) = &route.ip {
                    properties["nextHopIpAddress"] = json!(ip);
                }
                child(&table_id, "routes", KIND, &route.name, properties)
            })
            .collect();
        let mut properties =
            json!({ "disableBgpRoutePropagation": table.disable_bgp, "routes": routes });
        let subnets = subnets_using(plan, |subnet| subnet.route_table.as_ref() == Some(name))?;
        if !subnets.is_empty() {
            properties["subnets"] = refs(&subnets);
        }
        out.push(resource(plan, group, KIND, name, properties));
    }
    Ok(())
}

fn expand_nsgs(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    const KIND: &str = "Microsoft.Network/networkSecurityGroups";
    for (name, nsg) in &plan.scenario.nsgs {
        let group = plan.group_of(nsg.resource_group.as_ref());
        let nsg_id = id(group, KIND, name);
        let rules = |collection: &str, rules: &[SecurityRule]| -> Value {
            rules
                .iter()
                .map(|rule| child(&nsg_id, collection, KIND, &rule.name, rule_properties(rule)))
                .collect()
        };
        let mut properties = json!({
            "securityRules": rules("securityRules", &nsg.rules),
            "defaultSecurityRules": rules("defaultSecurityRules", &default_rules()),
        });
        let subnets = subnets_using(plan, |subnet| subnet.nsg.as_ref() == Some(name))?;
        if !subnets.is_empty() {
            properties["subnets"] = refs(&subnets);
        }
        let nics = super::compute::nics_with_nsg(plan, &nsg_id)?;
        if !nics.is_empty() {
            properties["networkInterfaces"] = refs(&nics);
        }
        out.push(resource(plan, group, KIND, name, properties));
    }
    Ok(())
}

/// The security admin rules that a network manager gives the networks.
pub(super) fn admin_rules(plan: &Plan) -> Vec<(String, Value)> {
    let networks = plan.scenario.networks.iter();
    let managed = networks.filter(|(_, network)| !network.admin_rules.is_empty());
    managed
        .map(|(name, network)| {
            let group = plan.group_of(network.resource_group.as_ref());
            let own = id(group, "Microsoft.Network/virtualNetworks", name);
            let rules: Vec<Value> = network.admin_rules.iter().map(admin_rule).collect();
            let path = format!("{own}/listNetworkManagerEffectiveSecurityAdminRules");
            (path, json!({ "value": rules, "skipToken": "" }))
        })
        .collect()
}

fn admin_rule(rule: &SecurityRule) -> Value {
    let manager = id(
        "rg-governance",
        "Microsoft.Network/networkManagers",
        "nm-platform",
    );
    let collection =
        format!("{manager}/securityAdminConfigurations/baseline/ruleCollections/egress");
    let side = |text: &str| {
        let tag = text != "*" && text.starts_with(|first: char| first.is_ascii_alphabetic());
        let kind = if tag { "ServiceTag" } else { "IPPrefix" };
        json!([{ "addressPrefix": text, "addressPrefixType": kind }])
    };
    let ports = if rule.ports == "*" {
        "0-65535"
    } else {
        rule.ports.as_str()
    };
    let protocol = if rule.protocol == "*" {
        "Any"
    } else {
        rule.protocol.as_str()
    };
    json!({
        "id": format!("{collection}/rules/{}", rule.name),
        "kind": "Custom",
        "configurationDescription": "baseline",
        "ruleCollectionAppliesToGroups": [{ "networkGroupId": format!("{manager}/networkGroups/all") }],
        "properties": {
            "description": "",
            "protocol": protocol,
            "sources": side(&rule.from),
            "destinations": side(&rule.to),
            "sourcePortRanges": ["0-65535"],
            "destinationPortRanges": [ports],
            "access": rule.access,
            "priority": rule.priority,
            "direction": rule.direction,
            "provisioningState": "Succeeded",
            "resourceGuid": guid(&rule.name),
        },
    })
}

fn rule_properties(rule: &SecurityRule) -> Value {
    json!({
        "protocol": rule.protocol,
        "sourcePortRange": "*",
        "destinationPortRange": rule.ports,
        "sourceAddressPrefix": rule.from,
        "destinationAddressPrefix": rule.to,
        "access": rule.access,
        "priority": rule.priority,
        "direction": rule.direction,
        "sourcePortRanges": [],
        "destinationPortRanges": [],
        "sourceAddressPrefixes": [],
        "destinationAddressPrefixes": [],
    })
}

/// The six rules every NSG has.
fn default_rules() -> Vec<SecurityRule> {
    [
        (
            "AllowVnetInBound",
            65000,
            "Allow",
            "Inbound",
            "VirtualNetwork",
            "VirtualNetwork",
        ),
        (
            "AllowAzureLoadBalancerInBound",
            65001,
            "Allow",
            "Inbound",
            "AzureLoadBalancer",
            "*",
        ),
        ("DenyAllInBound", 65500, "Deny", "Inbound", "*", "*"),
        (
            "AllowVnetOutBound",
            65000,
            "Allow",
            "Outbound",
            "VirtualNetwork",
            "VirtualNetwork",
        ),
        (
            "AllowInternetOutBound",
            65001,
            "Allow",
            "Outbound",
            "*",
            "Internet",
        ),
        ("DenyAllOutBound", 65500, "Deny", "Outbound", "*", "*"),
    ]
    .into_iter()
    .map(
        |(name, priority, access, direction, from, to)| SecurityRule {
            name: name.into(),
            priority,
            access: access.into(),
            direction: direction.into(),
            protocol: "*".into(),
            from: from.into(),
            to: to.into(),
            ports: "*".into(),
        },
    )
    .collect()
}

fn expand_nat_gateways(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    const KIND: &str = "Microsoft.Network/natGateways";
    for (name, gateway) in &plan.scenario.nat_gateways {
        let key = format!("nat_gateways.{name}");
        let mut properties = json!({
            "provisioningState": gateway.provisioning_state,
            "idleTimeoutInMinutes": gateway.idle_minutes,
        });
        let ipv6 = |name: &&String| {
            let ip = plan.scenario.public_ips.get(*name);
            ip.is_some_and(|ip| ip.ipv6)
        };
        let (v6, v4): (Vec<String>, Vec<String>) =
            gateway.ips.iter().cloned().partition(|name| ipv6(&name));
        for (field, ids) in [
            (
                "publicIpAddresses",
                plan.references(&key, "public_ips", &v4)?,
            ),
            (
                "publicIpAddressesV6",
                plan.references(&key, "public_ips", &v6)?,
            ),
            (
                "publicIpPrefixes",
                plan.references(&key, "public_ip_prefixes", &gateway.prefixes)?,
            ),
            (
                "subnets",
                subnets_using(plan, |subnet| subnet.nat_gateway.as_ref() == Some(name))?,
            ),
        ] {
            if !ids.is_empty() {
                properties[field] = refs(&ids);
            }
        }
        let group = plan.group_of(gateway.resource_group.as_ref());
        let mut gateway_resource = resource(plan, group, KIND, name, properties);
        gateway_resource.body["sku"] = json!({ "name": gateway.sku, "tier": "Regional" });
        if !gateway.zones.is_empty() {
            gateway_resource.body["zones"] = json!(gateway.zones);
        }
        out.push(gateway_resource);
    }
    Ok(())
}
