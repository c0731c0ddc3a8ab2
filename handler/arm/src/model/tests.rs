//! Whatever happens to a field, the rest of the resource is still read.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

/// A way to spoil one value of a body.
#[derive(Debug, Clone)]
enum Damage {
    Remove,
    Replace(Value),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Remove),
        Just(Damage::Replace(Value::Null)),
        Just(Damage::Replace(json!(true))),
        Just(Damage::Replace(json!(-7))),
        Just(Damage::Replace(json!(1e300))),
        Just(Damage::Replace(json!("wat \u{0} ☃"))),
        Just(Damage::Replace(json!("12"))),
        Just(Damage::Replace(json!([]))),
        Just(Damage::Replace(json!([null, 1, "x", {"id": []}]))),
        Just(Damage::Replace(json!({}))),
        Just(Damage::Replace(json!({"value": {"deep": [[[null]]]}}))),
    ]
}

/// Spoils the value at the `n`th position of a walk over the body, the root excluded.
fn spoil(value: &mut Value, n: &mut usize, damage: &Damage) {
    match value {
        Value::Object(map) => {
            for key in map.keys().cloned().collect::<Vec<_>>() {
                if *n == 0 {
                    match damage {
                        Damage::Remove => drop(map.remove(&key)),
                        Damage::Replace(with) => drop(map.insert(key, with.clone())),
                    }
                    *n = usize::MAX;
                    return;
                }
                *n -= 1;
                if let Some(inner) = map.get_mut(&key) {
                    spoil(inner, n, damage);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if *n == 0 {
                    if let Damage::Replace(with) = damage {
                        *item = with.clone();
                    }
                    *n = usize::MAX;
                    return;
                }
                *n -= 1;
                spoil(item, n, damage);
            }
        }
        _ => {}
    }
}

/// Reads a body as one of the wire types.
type Read = fn(&[u8]) -> Result<(), serde_json::Error>;

/// Every type that is read from the wire, with a body of the fields it knows.
fn bodies() -> Vec<(Value, Read)> {
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), serde_json::Error> {
        serde_json::from_slice::<T>(bytes).map(drop)
    }
    let reference = json!({"id": "/subscriptions/s/x"});
    vec![
        (cluster_body(), read::<ManagedCluster>),
        (
            json!({"name": "p1", "properties": {"count": 2, "vmSize": "D2", "mode": "User", "upgradeSettings": {"maxSurge": "33%"}}}),
            read::<AgentPool>,
        ),
        (
            json!({"category": "images", "endpoints": [{"domainName": "a.example", "endpointDetails": [{"port": 443, "protocol": "Https"}]}]}),
            read::<EgressEndpointCategory>,
        ),
        (
            json!({"id": "/v", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
                "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
                "subnets": [{"id": "/v/subnets/s", "properties": {"addressPrefix": "10.1.0.0/16", "natGateway": reference,
                    "serviceEndpoints": [{"service": "Microsoft.Storage", "locations": ["*"]}],
                    "delegations": [{"properties": {"serviceName": "x"}}]}}],
                "virtualNetworkPeerings": [{"name": "p", "properties": {"peeringState": "Connected", "remoteVirtualNetwork": reference}}]}}),
            read::<VirtualNetwork>,
        ),
        (
            json!({"properties": {"routes": [{"name": "r", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "None"}}], "subnets": [reference]}}),
            read::<RouteTable>,
        ),
        (
            json!({"tags": {"a": "b"}, "properties": {"securityRules": [{"name": "r", "properties": {"priority": 100, "destinationPortRanges": ["1-2"],
                "sourceApplicationSecurityGroups": [reference]}}], "defaultSecurityRules": []}}),
            read::<NetworkSecurityGroup>,
        ),
        (
            json!({"zones": ["1"], "sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [reference], "subnets": [reference]}}),
            read::<NatGateway>,
        ),
        (
            json!({"properties": {"ipAddress": "20.0.0.1", "publicIPAddressVersion": "IPv4"}}),
            read::<PublicIpAddress>,
        ),
        (
            json!({"properties": {"ipPrefix": "20.0.0.0/28", "prefixLength": 28}}),
            read::<PublicIpPrefix>,
        ),
        (
            json!({"properties": {"frontendIPConfigurations": [{"id": "/f", "properties": {"publicIPAddress": reference}}],
                "outboundRules": [{"name": "o", "properties": {"allocatedOutboundPorts": 0, "frontendIPConfigurations": [reference]}}],
                "backendAddressPools": [{"id": "/b", "properties": {"backendIPConfigurations": [reference]}}],
                "loadBalancingRules": [{"name": "l", "properties": {"frontendPort": 80}}]}}),
            read::<LoadBalancer>,
        ),
        (
            json!({"sku": {"capacity": 3}, "properties": {"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations":
                [{"properties": {"ipConfigurations": [{"properties": {"subnet": reference, "publicIPAddressConfiguration": {"name": "p"}}}]}}]}}}}),
            read::<ScaleSet>,
        ),
        (
            json!({"properties": {"virtualMachine": reference, "enableIPForwarding": true,
                "ipConfigurations": [{"properties": {"privateIPAddress": "10.0.0.4"}}]}}),
            read::<ScaleSetNic>,
        ),
        (
            json!({"name": "MC_x", "managedBy": "/c", "tags": {"a": "b"}, "properties": {"provisioningState": "Succeeded"}}),
            read::<ResourceGroup>,
        ),
        (
            json!({"interval": "PT1M", "value": [{"name": {"value": "UsedSnatPorts"}, "unit": "Count", "errorCode": "Success",
                "timeseries": [{"metadatavalues": [{"name": {"value": "backendipaddress"}, "value": "10.0.0.4"}],
                                "data": [{"timeStamp": "2026-01-01T00:00:00Z", "average": 1.5}]}]}]}),
            read::<Metrics>,
        ),
        (
            json!({"id": "/subscriptions/s/x/recommendations/r", "properties": {"category": "Performance", "impact": "High",
                "lastUpdated": "2026-01-01T00:00:00Z", "shortDescription": {"problem": "p", "solution": "s"},
                "resourceMetadata": {"resourceId": "/subscriptions/s/x"}, "suppressionIds": ["a"]}}),
            read::<Recommendation>,
        ),
        (
            json!({"id": "/x/availabilityStatuses/current", "properties": {"availabilityState": "Available", "title": "Available",
                "summary": "fine", "reasonType": "Unplanned", "occuredTime": "2026-01-01T00:00:00Z"}}),
            read::<AvailabilityStatus>,
        ),
    ]
}

fn cluster_body() -> Value {
    let reference = json!({"id": "/subscriptions/s/ip"});
    json!({
        "id": "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ContainerService/managedClusters/c",
        "name": "c", "location": "westeurope", "tags": {"k": "v"}, "sku": {"name": "Base", "tier": "Free"},
        "properties": {
            "provisioningState": "Succeeded", "powerState": {"code": "Running"}, "nodeResourceGroup": "MC_rg_c",
            "kubernetesVersion": "1.33", "fqdn": "c.hcp.westeurope.azmk8s.io",
            "status": {"provisioningError": {"code": "X", "message": "why"}},
            "networkProfile": {
                "outboundType": "loadBalancer", "networkPlugin": "azure", "podCidrs": ["10.244.0.0/16"],
                "loadBalancerProfile": {"managedOutboundIPs": {"count": 2, "countIPv6": 1}, "effectiveOutboundIPs": [reference],
                    "outboundIPs": {"publicIPs": [reference]}, "outboundIPPrefixes": {"publicIPPrefixes": [reference]},
                    "allocatedOutboundPorts": 1024, "idleTimeoutInMinutes": 30},
                "natGatewayProfile": {"managedOutboundIPProfile": {"count": 1}, "idleTimeoutInMinutes": 4}
            },
            "apiServerAccessProfile": {"authorizedIPRanges": ["20.0.0.1/32"], "enablePrivateCluster": false},
            "addonProfiles": {"azurepolicy": {"enabled": true, "config": null}},
            "agentPoolProfiles": [{"name": "p1", "count": 3, "vnetSubnetID": "/v/subnets/s", "availabilityZones": ["1"],
                "upgradeSettings": {"maxSurge": "10%"}, "powerState": {"code": "Running"}}]
        }
    })
}

proptest! {
    /// No damage to any one field, nor to several, makes the whole unreadable.
    #[test]
    fn damaged_bodies_are_read(which in 0usize..16, spoils in prop::collection::vec((0usize..90, damage()), 1..4)) {
        let (mut body, read) = bodies().swap_remove(which);
        for (mut n, damage) in spoils {
            spoil(&mut body, &mut n, &damage);
        }
        let bytes = serde_json::to_vec(&body).unwrap();
        prop_assert!(read(&bytes).is_ok(), "{body}");
    }
}

#[test]
fn every_type_is_under_the_damage_test() {
    assert_eq!(bodies().len(), 16);
}

#[test]
fn a_spoilt_neighbour_costs_nothing() {
    let mut body = cluster_body();
    body["properties"]["networkProfile"]["loadBalancerProfile"]["outboundIPs"] = json!("?");
    body["properties"]["networkProfile"]["podCidrs"] = json!(5);
    body["properties"]["agentPoolProfiles"][0]["count"] = json!("3");
    body["properties"]["powerState"] = json!(["Running"]);
    let cluster: ManagedCluster = serde_json::from_value(body).unwrap();
    let p = cluster.properties.as_ref().unwrap();
    let network = p.network_profile.as_ref().unwrap();
    let lb = network.load_balancer_profile.as_ref().unwrap();
    assert_eq!(network.outbound_type.as_deref(), Some("loadBalancer"));
    assert!(network.pod_cidrs.is_damaged());
    assert_eq!(*lb.allocated_outbound_ports, Some(1024));
    assert_eq!(*lb.managed_outbound_ips.count_ipv6, Some(1));
    assert!(lb.outbound_ips.public_ips.is_empty());
    assert_eq!(*p.agent_pool_profiles[0].count, Some(3));
    assert_eq!(p.power_state.code.as_deref(), None);
}

#[test]
fn a_whole_answer_needs_an_object_with_properties() {
    let read = |json: &str| serde_json::from_str::<Whole<ManagedClusterProperties>>(json);
    assert!(read(r#"{"id":"/c","properties":{}}"#).is_ok());
    for bad in [
        "[]",
        "null",
        "\"x\"",
        "{}",
        r#"{"properties":null}"#,
        r#"{"properties":[]}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
