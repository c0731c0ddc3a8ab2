//! Public IP addresses and prefixes, with the back-references Azure keeps on them.

use serde_json::json;

use super::{
    Resource,
    load_balancer::frontend_id,
    names::{address, address_v6, id},
    network::resource,
    plan::Plan,
};

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) {
    for (name, ip) in &plan.scenario.public_ips {
        let group = plan.group_of(ip.resource_group.as_ref());
        let own = format!("{}/{name}", plan.name);
        let made_up = if ip.ipv6 {
            address_v6(&own)
        } else {
            address(&own)
        };
        let mut properties = json!({
            "ipAddress": ip.address.clone().unwrap_or(made_up),
            "publicIPAddressVersion": if ip.ipv6 { "IPv6" } else { "IPv4" },
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "ipTags": [],
            "ddosSettings": { "protectionMode": "VirtualNetworkInherited" },
        });
        for (gateway_name, gateway) in &plan.scenario.nat_gateways {
            if gateway.ips.contains(name) {
                let gateway_group = plan.group_of(gateway.resource_group.as_ref());
                properties["natGateway"] = json!({ "id": id(gateway_group, "Microsoft.Network/natGateways", gateway_name) });
            }
        }
        if let Some(balancer) = &plan.load_balancer
            && (balancer.ips.contains(name)
                || balancer
                    .outbound_rules
                    .iter()
                    .any(|rule| rule.ips.contains(name)))
            && !plan
                .scenario
                .deleted
                .iter()
                .any(|gone| gone == "load_balancer")
        {
            properties["ipConfiguration"] = json!({ "id": frontend_id(plan, name) });
        }
        if let Some(configuration) = super::firewall::configuration_with(plan, name) {
            properties["ipConfiguration"] = json!({ "id": configuration });
        }
        let mut ip_resource = resource(
            plan,
            group,
            "Microsoft.Network/publicIPAddresses",
            name,
            properties,
        );
        let sku = ip.sku.clone().unwrap_or_else(|| "Standard".into());
        ip_resource.body["sku"] = json!({ "name": sku, "tier": "Regional" });
        if !ip.zones.is_empty() {
            ip_resource.body["zones"] = json!(ip.zones);
        }
        out.push(ip_resource);
    }
    for (name, prefix) in &plan.scenario.public_ip_prefixes {
        let length = prefix
            .prefix
            .split_once('/')
            .and_then(|(_, length)| length.parse::<u8>().ok());
        let group = plan.group_of(prefix.resource_group.as_ref());
        let mut properties = json!({
            "ipPrefix": prefix.prefix,
            "prefixLength": length,
            "publicIPAddressVersion": "IPv4",
            "ipTags": [],
        });
        if let Some(balancer) = &plan.load_balancer
            && balancer.prefixes.contains(name)
        {
            properties["loadBalancerFrontendIpConfiguration"] =
                json!({ "id": frontend_id(plan, name) });
        }
        for (gateway_name, gateway) in &plan.scenario.nat_gateways {
            if gateway.prefixes.contains(name) {
                let gateway_group = plan.group_of(gateway.resource_group.as_ref());
                properties["natGateway"] = json!({ "id": id(gateway_group, "Microsoft.Network/natGateways", gateway_name) });
            }
        }
        let kind = "Microsoft.Network/publicIPPrefixes";
        let mut prefix_resource = resource(plan, group, kind, name, properties);
        prefix_resource.body["sku"] = json!({ "name": "Standard", "tier": "Regional" });
        if !prefix.zones.is_empty() {
            prefix_resource.body["zones"] = json!(prefix.zones);
        }
        out.push(prefix_resource);
    }
}
