//! Scale sets, their instances and NICs, generated from the pools.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde_json::{Value, json};

use super::{
    Resource,
    load_balancer::backend_pool_ids,
    managed::nsg_name,
    names::{guid, id},
    network::refs,
    plan::{Node, Plan},
};
use crate::{Error, scenario::Pool};

const KIND: &str = "Microsoft.Compute/virtualMachineScaleSets";

/// Every node with its address: subnets fill up from their fifth address on, as Azure keeps the first four.
pub(super) fn nodes(plan: &Plan) -> Result<Vec<Node>, Error> {
    let mut next: BTreeMap<&str, u32> = BTreeMap::new();
    let mut nodes = Vec::new();
    for (pool_name, pool) in &plan.scenario.pools {
        let key = format!("pools.{pool_name}");
        if let Some(pod_subnet) = &pool.pod_subnet {
            plan.subnet_id(&format!("{key}.pod_subnet"), pod_subnet)?;
        }
        let Some(subnet) = &pool.subnet else {
            return Err(plan.error(format!(
                "`{key}.subnet`: missing; other pools have one, so give `<network>/<subnet>`"
            )));
        };
        plan.subnet_id(&format!("{key}.subnet"), subnet)?;
        if !plan.running() {
            continue;
        }
        let base = subnet_base(plan, subnet)?;
        for index in 0..pool.count {
            let offset = next.entry(subnet.as_str()).or_insert(4);
            nodes.push(Node {
                pool: pool_name.clone(),
                index,
                ip: Ipv4Addr::from(u32::from(base).saturating_add(*offset)).to_string(),
            });
            *offset += 1;
        }
    }
    Ok(nodes)
}

fn subnet_base(plan: &Plan, path: &str) -> Result<Ipv4Addr, Error> {
    let prefix = path.split_once('/').and_then(|(network, subnet)| {
        Some(
            &plan
                .scenario
                .networks
                .get(network)?
                .subnets
                .get(subnet)?
                .prefix,
        )
    });
    prefix
        .and_then(|prefix| prefix.split_once('/')?.0.parse().ok())
        .ok_or_else(|| {
            plan.error(format!(
                "`networks`: subnet `{path}` needs an IPv4 `prefix`, e.g. 10.1.0.0/24"
            ))
        })
}

fn nic_id(plan: &Plan, node: &Node) -> String {
    let scale_set = plan.scale_set_name(&node.pool);
    format!(
        "{}/virtualMachines/{}/networkInterfaces/{scale_set}",
        plan.scale_set_id(&node.pool),
        node.index
    )
}

fn ip_configuration_id(plan: &Plan, node: &Node) -> String {
    format!("{}/ipConfigurations/ipconfig1", nic_id(plan, node))
}

/// The NIC IP configurations of all nodes.
pub(super) fn all_ip_configurations(plan: &Plan) -> Vec<String> {
    plan.nodes
        .iter()
        .map(|node| ip_configuration_id(plan, node))
        .collect()
}

/// The NIC IP configurations of the nodes in `<network>/<subnet>`.
pub(super) fn ip_configurations_in(plan: &Plan, subnet: &str) -> Vec<String> {
    plan.nodes
        .iter()
        .filter(|node| {
            let pool = plan.scenario.pools.get(&node.pool);
            pool.and_then(|pool| pool.subnet.as_deref()) == Some(subnet)
        })
        .map(|node| ip_configuration_id(plan, node))
        .collect()
}

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, pool) in &plan.scenario.pools {
        if pool.kind != "VirtualMachineScaleSets" {
            continue;
        }
        let path = pool.subnet.as_deref().unwrap_or_default();
        let subnet = plan.subnet_id(&format!("pools.{name}.subnet"), path)?;
        let nodes: Vec<&Node> = plan
            .nodes
            .iter()
            .filter(|node| node.pool == *name)
            .collect();
        out.push(scale_set(plan, name, pool, &subnet, nodes.len()));
        for node in nodes {
            out.push(instance(plan, node, pool));
            out.push(nic(plan, node, &subnet));
        }
    }
    Ok(())
}

fn tags(plan: &Plan, pool: &str) -> Value {
    json!({
        "aks-managed-poolName": pool,
        "aks-managed-orchestrator": format!("Kubernetes:{}.2", plan.scenario.cluster.kubernetes_version),
        "aks-managed-resourceNameSuffix": plan.suffix,
        "aks-managed-createOperationID": guid(&format!("create/{pool}")),
    })
}

/// In a network of the caller's, AKS puts its NSG on the NICs; in its own, on the subnet.
fn nsg_id(plan: &Plan) -> Option<String> {
    let name = nsg_name(&plan.suffix);
    (!plan.managed_network).then(|| {
        id(
            &plan.node_group,
            "Microsoft.Network/networkSecurityGroups",
            &name,
        )
    })
}

fn scale_set(plan: &Plan, name: &str, pool: &Pool, subnet: &str, capacity: usize) -> Resource {
    let id = plan.scale_set_id(name);
    let set_name = plan.scale_set_name(name);
    let mut ip_configuration = json!({
        "name": "ipconfig1",
        "properties": {
            "primary": true,
            "subnet": { "id": subnet },
            "privateIPAddressVersion": "IPv4",
        },
    });
    let pools = backend_pool_ids(plan);
    if !pools.is_empty() {
        ip_configuration["properties"]["loadBalancerBackendAddressPools"] = refs(&pools);
    }
    if pool.node_public_ip {
        ip_configuration["properties"]["publicIPAddressConfiguration"] = json!({ "name": "nodepublicip", "properties": { "idleTimeoutInMinutes": 10, "publicIPAddressVersion": "IPv4" } });
    }
    let mut nic = json!({
        "primary": true,
        "enableAcceleratedNetworking": true,
        "disableTcpStateTracking": false,
        "dnsSettings": { "dnsServers": [] },
        "enableIPForwarding": true,
        "ipConfigurations": [ip_configuration],
    });
    if let Some(nsg) = nsg_id(plan) {
        nic["networkSecurityGroup"] = json!({ "id": nsg });
    }
    let mut os_disk = json!({
        "osType": pool.os,
        "createOption": "FromImage",
        "caching": "ReadOnly",
        "managedDisk": { "storageAccountType": "Premium_LRS" },
        "diskSizeGB": pool.os_disk_gb,
    });
    if pool.os_disk_type == "Ephemeral" {
        os_disk["diffDiskSettings"] = json!({ "option": "Local", "placement": "CacheDisk" });
    }
    let mut body = json!({
        "name": set_name,
        "id": id,
        "type": KIND,
        "location": plan.scenario.cluster.region,
        "tags": tags(plan, name),
        "sku": { "name": pool.vm_size, "tier": "Standard", "capacity": capacity },
        "etag": "\"2\"",
        "properties": {
            "singlePlacementGroup": false,
            "orchestrationMode": "Uniform",
            "upgradePolicy": { "mode": "Manual" },
            "virtualMachineProfile": {
                "osProfile": { "computerNamePrefix": set_name, "adminUsername": "azureuser", "secrets": [] },
                "storageProfile": { "osDisk": os_disk, "diskControllerType": "SCSI" },
                "networkProfile": { "networkInterfaceConfigurations": [{ "name": set_name, "properties": nic }] },
            },
            "provisioningState": "Succeeded",
            "overprovision": false,
            "uniqueId": guid(&id),
            "platformFaultDomainCount": 1,
        },
    });
    if !pool.zones.is_empty() {
        body["zones"] = json!(pool.zones);
    }
    Resource {
        id,
        kind: KIND.into(),
        body,
        series: Vec::new(),
    }
}

fn instance(plan: &Plan, node: &Node, pool: &Pool) -> Resource {
    let id = format!(
        "{}/virtualMachines/{}",
        plan.scale_set_id(&node.pool),
        node.index
    );
    let body = json!({
        "name": format!("{}_{}", plan.scale_set_name(&node.pool), node.index),
        "id": id,
        "type": format!("{KIND}/virtualMachines"),
        "location": plan.scenario.cluster.region,
        "instanceId": node.index.to_string(),
        "sku": { "name": pool.vm_size, "tier": "Standard" },
        "properties": {
            "latestModelApplied": true,
            "provisioningState": "Succeeded",
            "vmId": guid(&id),
            "networkProfile": { "networkInterfaces": [{ "id": nic_id(plan, node) }] },
        },
    });
    Resource {
        id,
        kind: format!("{KIND}/virtualMachines"),
        body,
        series: Vec::new(),
    }
}

fn nic(plan: &Plan, node: &Node, subnet: &str) -> Resource {
    let id = nic_id(plan, node);
    let name = plan.scale_set_name(&node.pool);
    let mut ip_configuration = json!({
        "name": "ipconfig1",
        "id": ip_configuration_id(plan, node),
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": node.ip,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": { "id": subnet },
            "primary": true,
            "privateIPAddressVersion": "IPv4",
        },
    });
    let pools = backend_pool_ids(plan);
    if !pools.is_empty() {
        ip_configuration["properties"]["loadBalancerBackendAddressPools"] = refs(&pools);
    }
    let mut body = json!({
        "name": name,
        "id": id,
        "etag": format!("W/\"{}\"", guid(&format!("etag{id}"))),
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": guid(&id),
            "ipConfigurations": [ip_configuration],
            "dnsSettings": { "dnsServers": [], "appliedDnsServers": [] },
            "macAddress": "00-22-48-00-00-01",
            "enableAcceleratedNetworking": true,
            "enableIPForwarding": true,
            "primary": true,
            "virtualMachine": { "id": format!("{}/virtualMachines/{}", plan.scale_set_id(&node.pool), node.index) },
        },
    });
    if let Some(nsg) = nsg_id(plan) {
        body["properties"]["networkSecurityGroup"] = json!({ "id": nsg });
    }
    Resource {
        id,
        kind: format!("{KIND}/virtualMachines/networkInterfaces"),
        body,
        series: Vec::new(),
    }
}
