//! Azure Firewalls, their policies with rules, and IP groups.

use serde_json::{Value, json};

use super::{
    Resource,
    names::id,
    network::{child, refs, resource},
    plan::Plan,
};
use crate::{
    Error,
    scenario::{Firewall, FirewallRule},
};

const KIND: &str = "Microsoft.Network/azureFirewalls";
const POLICY: &str = "Microsoft.Network/firewallPolicies";
const CONFIGURATIONS: &str = "azureFirewallIpConfigurations";

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, group) in &plan.scenario.ip_groups {
        let own = plan.group_of(group.resource_group.as_ref());
        let properties =
            json!({ "ipAddresses": group.addresses, "firewalls": [], "firewallPolicies": [] });
        let kind = "Microsoft.Network/ipGroups";
        out.push(resource(plan, own, kind, name, properties));
    }
    for (name, firewall) in &plan.scenario.firewalls {
        expand_firewall(plan, name, firewall, out)?;
    }
    Ok(())
}

/// The IP configurations of firewalls in `<network>/<subnet>`.
pub(super) fn ip_configurations_in(plan: &Plan, subnet: &str) -> Vec<String> {
    let firewalls = plan.scenario.firewalls.iter();
    firewalls
        .filter(|(_, firewall)| {
            !firewall.deallocated
                && !firewall.ips.is_empty()
                && firewall
                    .network
                    .as_ref()
                    .is_some_and(|network| format!("{network}/AzureFirewallSubnet") == subnet)
        })
        .map(|(name, firewall)| {
            let own = id(plan.group_of(firewall.resource_group.as_ref()), KIND, name);
            format!("{own}/{CONFIGURATIONS}/ipconfig0")
        })
        .collect()
}

/// The configuration of the firewall in a network that has this public address.
pub(super) fn configuration_with(plan: &Plan, public_ip: &str) -> Option<String> {
    let mut firewalls = plan.scenario.firewalls.iter();
    firewalls.find_map(|(name, firewall)| {
        let in_use = !firewall.deallocated && firewall.network.is_some();
        let index = firewall
            .ips
            .iter()
            .position(|ip| in_use && ip == public_ip)?;
        let own = id(plan.group_of(firewall.resource_group.as_ref()), KIND, name);
        Some(format!("{own}/{CONFIGURATIONS}/ipconfig{index}"))
    })
}

fn expand_firewall(
    plan: &Plan,
    name: &str,
    firewall: &Firewall,
    out: &mut Vec<Resource>,
) -> Result<(), Error> {
    let key = format!("firewalls.{name}");
    let group = plan.group_of(firewall.resource_group.as_ref());
    let policy_name = firewall
        .policy
        .clone()
        .unwrap_or_else(|| format!("{name}-policy"));
    let policy_id = id(group, POLICY, &policy_name);
    let own = id(group, KIND, name);
    let place = match (&firewall.network, &firewall.hub) {
        (Some(network), None) => in_network(plan, &key, firewall, network, &own)?,
        (None, Some(hub)) => json!({
            "virtualHub": { "id": plan.reference(&format!("{key}.hub"), &format!("virtual_hubs/{hub}"))? },
            "hubIPAddresses": {
                "privateIPAddress": firewall.private_ip,
                "publicIPs": {
                    "count": firewall.ips.len(),
                    "addresses": firewall.ips.iter().map(|ip| json!({ "address": ip })).collect::<Vec<_>>(),
                },
            },
        }),
        _ => return Err(plan.error(format!("`{key}`: say either `network` or `hub`"))),
    };
    let sku = if firewall.hub.is_some() {
        "AZFW_Hub"
    } else {
        "AZFW_VNet"
    };
    let mut properties = json!({
        "sku": { "name": sku, "tier": firewall.tier },
        "provisioningState": firewall.provisioning_state,
        "threatIntelMode": "Alert",
        "additionalProperties": {},
        "networkRuleCollections": [],
        "applicationRuleCollections": [],
        "natRuleCollections": [],
    });
    if let (Some(properties), Value::Object(place)) = (properties.as_object_mut(), place) {
        properties.extend(place);
    }
    let rules = firewall.rules.clone().unwrap_or_else(aks_rules);
    let mut body = resource(plan, group, KIND, name, properties);
    if firewall.classic {
        let (network, application) = classic_rules(plan, &key, &rules)?;
        let properties = &mut body.body["properties"];
        properties["networkRuleCollections"] = network;
        properties["applicationRuleCollections"] = application;
        properties["additionalProperties"] =
            json!({ "Network.DNS.EnableProxy": firewall.dns_proxy.to_string() });
        out.push(body);
        return Ok(());
    }
    body.body["properties"]["firewallPolicy"] = json!({ "id": policy_id });
    out.push(body);
    let parent = (!firewall.parent_rules.is_empty()).then(|| format!("{policy_name}-parent"));
    if let Some(parent) = &parent {
        let mut properties = policy_properties(firewall);
        properties["childPolicies"] = json!([{ "id": policy_id }]);
        out.push(resource(plan, group, POLICY, parent, properties));
        let parent_id = id(group, POLICY, parent);
        out.push(rule_group(plan, &key, &parent_id, &firewall.parent_rules)?);
    }
    let rule_group = rule_group(plan, &key, &policy_id, &rules)?;
    let mut properties = policy_properties(firewall);
    properties["ruleCollectionGroups"] = json!([{ "id": rule_group.id }]);
    properties["firewalls"] = json!([{ "id": own }]);
    if let Some(parent) = &parent {
        properties["basePolicy"] = json!({ "id": id(group, POLICY, parent) });
    }
    if rules.iter().any(|rule| rule.inspect_tls) {
        let vault = "https://kv-hub.vault.azure.net/secrets/firewall-ca";
        properties["transportSecurity"] = json!({
            "certificateAuthority": { "name": "firewall-ca", "keyVaultSecretId": vault },
        });
    }
    if !firewall.private_ranges.is_empty() {
        properties["snat"] = json!({ "privateRanges": firewall.private_ranges });
    }
    out.push(resource(plan, group, POLICY, &policy_name, properties));
    out.push(rule_group);
    Ok(())
}

/// What a firewall in a virtual network says about its place.
fn in_network(
    plan: &Plan,
    key: &str,
    firewall: &Firewall,
    network: &str,
    own: &str,
) -> Result<Value, Error> {
    let subnet = plan.subnet_id(
        &format!("{key}.network"),
        &format!("{network}/AzureFirewallSubnet"),
    )?;
    let mut ips = plan.references(&format!("{key}.ips"), "public_ips", &firewall.ips)?;
    if firewall.deallocated {
        ips.clear();
    }
    let configurations: Vec<_> = ips
        .iter()
        .enumerate()
        .map(|(index, ip)| {
            let mut properties = json!({
                "privateIPAllocationMethod": "Dynamic",
                "publicIPAddress": { "id": ip },
            });
            // Only the first configuration names the subnet and the private address.
            if index == 0 {
                properties["subnet"] = json!({ "id": subnet });
                properties["privateIPAddress"] = json!(firewall.private_ip);
            }
            let name = format!("ipconfig{index}");
            child(own, CONFIGURATIONS, KIND, &name, properties)
        })
        .collect();
    Ok(json!({ "ipConfigurations": configurations }))
}

fn policy_properties(firewall: &Firewall) -> Value {
    json!({
        "sku": { "tier": firewall.tier },
        "threatIntelMode": "Alert",
        "dnsSettings": { "servers": [], "enableProxy": firewall.dns_proxy },
        "childPolicies": [],
        "ruleCollectionGroups": [],
        "firewalls": [],
    })
}

/// What AKS's documentation asks for.
fn aks_rules() -> Vec<FirewallRule> {
    let rule = |name: &str| FirewallRule {
        name: name.into(),
        action: "Allow".into(),
        from: vec!["*".into()],
        from_groups: Vec::new(),
        fqdns: Vec::new(),
        tags: Vec::new(),
        to: Vec::new(),
        inspect_tls: false,
        to_fqdns: Vec::new(),
        protocols: vec!["TCP".into()],
        ports: Vec::new(),
    };
    vec![
        FirewallRule {
            to_fqdns: vec!["ntp.ubuntu.com".into()],
            protocols: vec!["UDP".into()],
            ports: vec!["123".into()],
            ..rule("time")
        },
        FirewallRule {
            to: vec!["AzureCloud".into()],
            protocols: vec!["TCP".into(), "UDP".into()],
            ports: vec!["443".into(), "9000".into(), "1194".into()],
            ..rule("api-server")
        },
        FirewallRule {
            tags: vec!["AzureKubernetesService".into()],
            ..rule("aks")
        },
    ]
}

fn rule_group(
    plan: &Plan,
    key: &str,
    policy_id: &str,
    rules: &[FirewallRule],
) -> Result<Resource, Error> {
    let mut collections = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let groups = plan.references(&format!("{key}.rules"), "ip_groups", &rule.from_groups)?;
        collections.push(json!({
            "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
            "name": format!("{}-rules", rule.name),
            "priority": 100 * (index + 1),
            "action": { "type": rule.action },
            "rules": [rule_body(rule, &groups)],
        }));
    }
    Ok(Resource {
        kind: format!("{POLICY}/ruleCollectionGroups"),
        id: format!("{policy_id}/ruleCollectionGroups/aks-egress"),
        body: child(
            policy_id,
            "ruleCollectionGroups",
            POLICY,
            "aks-egress",
            json!({ "priority": 200, "ruleCollections": collections }),
        ),
        series: Vec::new(),
    })
}

/// Network and application rule collections of a firewall without a policy.
fn classic_rules(plan: &Plan, key: &str, rules: &[FirewallRule]) -> Result<(Value, Value), Error> {
    let (mut network, mut application) = (Vec::new(), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        let groups = plan.references(&format!("{key}.rules"), "ip_groups", &rule.from_groups)?;
        let mut body = rule_body(rule, &groups);
        let mut take = |field: &str| body.as_object_mut().and_then(|body| body.remove(field));
        take("ruleType");
        let list = match take("ipProtocols") {
            None => &mut application,
            Some(protocols) => {
                body["protocols"] = protocols;
                &mut network
            }
        };
        list.push(json!({
            "name": format!("{}-rules", rule.name),
            "properties": {
                "priority": 100 * (index + 1),
                "action": { "type": rule.action },
                "provisioningState": "Succeeded",
                "rules": [body],
            },
        }));
    }
    Ok((network.into(), application.into()))
}

fn rule_body(rule: &FirewallRule, groups: &[String]) -> Value {
    let from: &[String] = if groups.is_empty() { &rule.from } else { &[] };
    if rule.to.is_empty() && rule.to_fqdns.is_empty() {
        return json!({
            "ruleType": "ApplicationRule", "name": rule.name,
            "protocols": [
                { "protocolType": "Http", "port": 80 },
                { "protocolType": "Https", "port": 443 },
            ],
            "fqdnTags": rule.tags, "webCategories": [], "targetFqdns": rule.fqdns,
            "targetUrls": [], "terminateTLS": rule.inspect_tls, "sourceAddresses": from,
            "destinationAddresses": [], "sourceIpGroups": groups, "httpHeadersToInsert": [],
        });
    }
    json!({
        "ruleType": "NetworkRule", "name": rule.name, "ipProtocols": rule.protocols,
        "sourceAddresses": from, "sourceIpGroups": groups, "destinationAddresses": rule.to,
        "destinationIpGroups": [], "destinationFqdns": rule.to_fqdns, "destinationPorts": rule.ports,
    })
}

/// `[{"id": …}]` of everything that has an address in `<network>/<subnet>`.
pub(super) fn occupants(plan: &Plan, subnet: &str) -> Option<Value> {
    let mut all = super::compute::ip_configurations_in(plan, subnet);
    all.extend(ip_configurations_in(plan, subnet));
    all.extend(super::appliance::ip_configurations_in(plan, subnet));
    (!all.is_empty()).then(|| refs(&all))
}
