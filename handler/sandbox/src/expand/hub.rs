//! Virtual hubs, the networks connected to them, and the peerings that the connections leave on these.

use serde_json::{Value, json};

use super::{
    Resource,
    names::{guid, id},
    network::{child, resource},
    plan::Plan,
};
use crate::Error;

const KIND: &str = "Microsoft.Network/virtualHubs";
const CONNECTIONS: &str = "hubVirtualNetworkConnections";
const INTENT: &str = "routingIntent";

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, hub) in &plan.scenario.virtual_hubs {
        let group = plan.group_of(hub.resource_group.as_ref());
        let hub_id = id(group, KIND, name);
        let mut intent = None;
        let mut firewalls = plan.scenario.firewalls.iter();
        let firewall = firewalls.find(|(_, firewall)| firewall.hub.as_ref() == Some(name));
        let mut properties = json!({
            "addressPrefix": hub.prefix,
            "routingState": "Provisioned",
            "sku": "Standard",
        });
        if let Some((firewall, _)) = firewall {
            let own = plan.reference("virtual_hubs", &format!("firewalls/{firewall}"))?;
            properties["azureFirewall"] = json!({ "id": own });
            intent = hub.routing_intent.then_some(own);
        }
        out.push(resource(plan, group, KIND, name, properties));
        out.extend(intent.map(|next_hop| routing_intent(&hub_id, &next_hop)));
        for network in &hub.networks {
            let key = format!("virtual_hubs.{name}.networks");
            let remote = plan.reference(&key, &format!("networks/{network}"))?;
            let body = child(
                &hub_id,
                CONNECTIONS,
                KIND,
                &format!("to-{network}"),
                json!({
                    "remoteVirtualNetwork": { "id": remote },
                    "enableInternetSecurity": hub.internet_security,
                    "allowHubToRemoteVnetTransit": true,
                    "allowRemoteVnetToUseHubVnetGateways": true,
                }),
            );
            out.push(Resource {
                id: format!("{hub_id}/{CONNECTIONS}/to-{network}"),
                kind: format!("{KIND}/{CONNECTIONS}"),
                body,
                series: Vec::new(),
            });
        }
    }
    Ok(())
}

/// Internet and private traffic to the firewall.
fn routing_intent(hub_id: &str, next_hop: &str) -> Resource {
    let policy = |name: &str, destination: &str| json!({ "name": name, "destinations": [destination], "nextHop": next_hop });
    let policies = json!({ "routingPolicies": [policy("_policy_PublicTraffic", "Internet"), policy("_policy_PrivateTraffic", "PrivateTraffic")] });
    let name = "hubRoutingIntent";
    Resource {
        id: format!("{hub_id}/{INTENT}/{name}"),
        kind: format!("{KIND}/{INTENT}"),
        body: child(hub_id, INTENT, KIND, name, policies),
        series: Vec::new(),
    }
}

/// The peerings of a network with the networks of its hubs, which lie in a subscription of Azure's own.
pub(super) fn peerings(plan: &Plan, network: &str, network_id: &str) -> Vec<Value> {
    let hubs = plan.scenario.virtual_hubs.iter();
    let connected = hubs.filter(|(_, hub)| hub.networks.iter().any(|name| name == network));
    connected
        .map(|(name, hub)| {
            let unique = guid(&format!("{}/{name}", plan.name));
            let remote = format!(
                "/subscriptions/{}/resourceGroups/RG_{name}_{unique}/providers/Microsoft.Network/virtualNetworks/HV_{name}_{unique}",
                guid("hub-subscription")
            );
            let space = json!({ "addressPrefixes": [hub.prefix] });
            child(
                network_id,
                "virtualNetworkPeerings",
                "Microsoft.Network/virtualNetworks",
                &format!("RemoteVnetToHubPeering_{unique}"),
                json!({
                    "peeringState": "Connected",
                    "peeringSyncLevel": "FullyInSync",
                    "remoteVirtualNetwork": { "id": remote },
                    "allowVirtualNetworkAccess": true,
                    "allowForwardedTraffic": true,
                    "allowGatewayTransit": false,
                    "useRemoteGateways": true,
                    "remoteAddressSpace": space,
                    "remoteVirtualNetworkAddressSpace": space,
                }),
            )
        })
        .collect()
}
