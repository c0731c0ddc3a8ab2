//! Azure Firewalls with a policy that admits what AKS needs.

use serde_json::json;

use super::{
    Resource,
    names::id,
    network::{child, resource},
    plan::Plan,
};
use crate::Error;

const KIND: &str = "Microsoft.Network/azureFirewalls";
const POLICY: &str = "Microsoft.Network/firewallPolicies";

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, firewall) in &plan.scenario.firewalls {
        let key = format!("firewalls.{name}");
        let group = plan.group_of(firewall.resource_group.as_ref());
        let subnet = plan.subnet_id(
            &format!("{key}.network"),
            &format!("{}/AzureFirewallSubnet", firewall.network),
        )?;
        let policy_name = firewall
            .policy
            .clone()
            .unwrap_or_else(|| format!("{name}-policy"));
        let policy_id = id(group, POLICY, &policy_name);
        let own = id(group, KIND, name);
        let ips = plan.references(&format!("{key}.ips"), "public_ips", &firewall.ips)?;
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
                child(
                    &own,
                    "azureFirewallIpConfigurations",
                    KIND,
                    &format!("ipconfig{index}"),
                    properties,
                )
            })
            .collect();
        out.push(resource(
            plan,
            group,
            KIND,
            name,
            json!({
                "sku": { "name": "AZFW_VNet", "tier": firewall.tier },
                "threatIntelMode": "Alert",
                "additionalProperties": {},
                "ipConfigurations": configurations,
                "networkRuleCollections": [],
                "applicationRuleCollections": [],
                "natRuleCollections": [],
                "firewallPolicy": { "id": policy_id },
            }),
        ));
        let group_id = format!("{policy_id}/ruleCollectionGroups/aks-egress");
        out.push(resource(
            plan,
            group,
            POLICY,
            &policy_name,
            json!({
                "sku": { "tier": firewall.tier },
                "threatIntelMode": "Alert",
                "dnsSettings": { "servers": [], "enableProxy": true },
                "childPolicies": [],
                "ruleCollectionGroups": [{ "id": group_id }],
                "firewalls": [{ "id": own }],
            }),
        ));
        out.push(Resource {
            kind: format!("{POLICY}/ruleCollectionGroups"),
            body: rule_collection_group(&policy_id),
            id: group_id,
            series: Vec::new(),
        });
    }
    Ok(())
}

fn rule_collection_group(policy_id: &str) -> serde_json::Value {
    child(
        policy_id,
        "ruleCollectionGroups",
        POLICY,
        "aks-egress",
        json!({
            "priority": 200,
            "ruleCollections": [
                {
                    "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
                    "name": "aks-network",
                    "priority": 100,
                    "action": { "type": "Allow" },
                    "rules": [
                        {
                            "ruleType": "NetworkRule", "name": "time", "ipProtocols": ["UDP"],
                            "sourceAddresses": ["*"], "sourceIpGroups": [], "destinationAddresses": [],
                            "destinationIpGroups": [], "destinationFqdns": ["ntp.ubuntu.com"],
                            "destinationPorts": ["123"],
                        },
                        {
                            "ruleType": "NetworkRule", "name": "api-server", "ipProtocols": ["TCP", "UDP"],
                            "sourceAddresses": ["*"], "sourceIpGroups": [],
                            "destinationAddresses": ["AzureCloud"], "destinationIpGroups": [],
                            "destinationFqdns": [], "destinationPorts": ["443", "9000", "1194"],
                        },
                    ],
                },
                {
                    "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
                    "name": "aks-fqdn",
                    "priority": 200,
                    "action": { "type": "Allow" },
                    "rules": [{
                        "ruleType": "ApplicationRule", "name": "aks",
                        "protocols": [
                            { "protocolType": "Http", "port": 80 },
                            { "protocolType": "Https", "port": 443 },
                        ],
                        "fqdnTags": ["AzureKubernetesService"], "webCategories": [], "targetFqdns": [],
                        "targetUrls": [], "terminateTLS": false, "sourceAddresses": ["*"],
                        "destinationAddresses": [], "sourceIpGroups": [], "httpHeadersToInsert": [],
                    }],
                },
            ],
        }),
    )
}
