//! Scale sets, their instances and NICs, generated from the pools.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde_json::{Value, json};

use super::{
    Resource,
    load_balancer::{Version, backend_pool_ids},
    managed::nsg_name,
    names::{address, guid, id},
    network::{child, refs, resource},
    plan::{Node, Plan},
};
use crate::{
    Error,
    scenario::{Pool, Subnet},
};

const KIND: &str = "Microsoft.Compute/virtualMachineScaleSets";
const NIC: &str = "Microsoft.Network/networkInterfaces";
const PUBLIC_IP: &str = "Microsoft.Network/publicIPAddresses";
/// The public address of a scale set's instance.
pub(crate) const INSTANCE_IP: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/ipConfigurations/publicIPAddresses";
/// The `type` of a pool whose nodes are single machines.
pub(super) const MACHINES: &str = "VirtualMachines";

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

fn subnet_of<'p>(plan: &'p Plan, path: &str) -> Option<&'p Subnet> {
    let (network, subnet) = path.split_once('/')?;
    plan.scenario.networks.get(network)?.subnets.get(subnet)
}

fn subnet_base(plan: &Plan, path: &str) -> Result<Ipv4Addr, Error> {
    subnet_of(plan, path)
        .and_then(|subnet| subnet.prefix.split_once('/')?.0.parse().ok())
        .ok_or_else(|| {
            plan.error(format!(
                "`networks`: subnet `{path}` needs an IPv4 `prefix`, e.g. 10.1.0.0/24"
            ))
        })
}

/// A node of a pool of single machines.
pub(super) fn is_machine(plan: &Plan, node: &Node) -> bool {
    let pool = plan.scenario.pools.get(&node.pool);
    pool.is_some_and(|pool| pool.kind == MACHINES)
}

pub(super) fn machine_name(plan: &Plan, node: &Node) -> String {
    format!("aks-{}-{}-vms{}", node.pool, plan.suffix, node.index)
}

/// The virtual machine, or the instance of the scale set.
pub(super) fn machine_id(plan: &Plan, node: &Node) -> String {
    if is_machine(plan, node) {
        id(
            &plan.node_group,
            "Microsoft.Compute/virtualMachines",
            &machine_name(plan, node),
        )
    } else {
        format!(
            "{}/virtualMachines/{}",
            plan.scale_set_id(&node.pool),
            node.index
        )
    }
}

fn nic_id(plan: &Plan, node: &Node) -> String {
    if is_machine(plan, node) {
        let name = format!("{}-nic", machine_name(plan, node));
        return id(&plan.node_group, NIC, &name);
    }
    let scale_set = plan.scale_set_name(&node.pool);
    format!("{}/networkInterfaces/{scale_set}", machine_id(plan, node))
}

/// The NICs of the nodes that carry this network security group themselves.
pub(super) fn nics_with_nsg(plan: &Plan, nsg: &str) -> Result<Vec<String>, Error> {
    let mut nics = Vec::new();
    for node in &plan.nodes {
        if let Some(pool) = plan.scenario.pools.get(&node.pool)
            && nsg_id(plan, &node.pool, pool)?.as_deref() == Some(nsg)
        {
            nics.push(nic_id(plan, node));
        }
    }
    Ok(nics)
}

fn ip_configuration_name(version: Version) -> &'static str {
    match version {
        Version::V4 => "ipconfig1",
        Version::V6 => "ipconfig2",
    }
}

fn ip_configuration_id(plan: &Plan, node: &Node, version: Version) -> String {
    let name = ip_configuration_name(version);
    format!("{}/ipConfigurations/{name}", nic_id(plan, node))
}

/// The NIC IP configurations of all nodes.
pub(super) fn all_ip_configurations(plan: &Plan, version: Version) -> Vec<String> {
    plan.nodes
        .iter()
        .map(|node| ip_configuration_id(plan, node, version))
        .collect()
}

/// The NIC IP configurations of the nodes in `<network>/<subnet>`.
pub(super) fn ip_configurations_in(plan: &Plan, subnet: &str) -> Vec<String> {
    let nodes = plan.nodes.iter().filter(|node| {
        let pool = plan.scenario.pools.get(&node.pool);
        pool.and_then(|pool| pool.subnet.as_deref()) == Some(subnet)
    });
    nodes
        .flat_map(|node| {
            let versions = Version::of(plan).iter();
            versions.map(move |version| ip_configuration_id(plan, node, *version))
        })
        .collect()
}

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    for (name, pool) in &plan.scenario.pools {
        let path = pool.subnet.as_deref().unwrap_or_default();
        let subnet = plan.subnet_id(&format!("pools.{name}.subnet"), path)?;
        let nsg = nsg_id(plan, name, pool)?;
        let nsg = nsg.as_deref();
        let nodes: Vec<&Node> = plan
            .nodes
            .iter()
            .filter(|node| node.pool == *name)
            .collect();
        if pool.kind == MACHINES {
            for node in nodes {
                out.push(machine(plan, node, pool));
                out.push(nic(plan, node, pool, &subnet, nsg));
                out.extend(public_ip(plan, node, pool));
            }
            continue;
        }
        if pool.kind != "VirtualMachineScaleSets" {
            continue;
        }
        let used = (subnet.as_str(), nsg);
        out.push(scale_set(plan, name, pool, used, nodes.len()));
        for node in nodes {
            out.push(instance(plan, node, pool));
            out.push(nic(plan, node, pool, &subnet, nsg));
            out.extend(public_ip(plan, node, pool));
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

/// In a network of the caller's, AKS puts its NSG on the NICs; in its own, on the subnet. A pool may have another one.
fn nsg_id(plan: &Plan, name: &str, pool: &Pool) -> Result<Option<String>, Error> {
    if let Some(nsg) = &pool.nsg {
        let key = format!("pools.{name}.nsg");
        return plan.reference(&key, &format!("nsgs/{nsg}")).map(Some);
    }
    let name = nsg_name(&plan.suffix);
    Ok((!plan.managed_network).then(|| {
        id(
            &plan.node_group,
            "Microsoft.Network/networkSecurityGroups",
            &name,
        )
    }))
}

fn scale_set(
    plan: &Plan,
    name: &str,
    pool: &Pool,
    (subnet, nsg): (&str, Option<&str>),
    capacity: usize,
) -> Resource {
    let id = plan.scale_set_id(name);
    let set_name = plan.scale_set_name(name);
    let mut ip_configurations = Vec::new();
    for version in Version::of(plan) {
        let mut properties = json!({
            "primary": *version == Version::V4,
            "subnet": { "id": subnet },
            "privateIPAddressVersion": version_word(*version),
        });
        let pools = backend_pool_ids(plan, *version);
        if !pools.is_empty() {
            properties["loadBalancerBackendAddressPools"] = refs(&pools);
        }
        if pool.node_public_ip && *version == Version::V4 {
            properties["publicIPAddressConfiguration"] = json!({
                "name": "nodepublicip",
                "properties": { "idleTimeoutInMinutes": 10, "publicIPAddressVersion": "IPv4" },
            });
        }
        let name = ip_configuration_name(*version);
        ip_configurations.push(json!({ "name": name, "properties": properties }));
    }
    let mut nic = json!({
        "primary": true,
        "enableAcceleratedNetworking": true,
        "disableTcpStateTracking": false,
        "dnsSettings": { "dnsServers": [] },
        "enableIPForwarding": true,
        "ipConfigurations": ip_configurations,
    });
    if let Some(nsg) = nsg {
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

fn version_word(version: Version) -> &'static str {
    match version {
        Version::V4 => "IPv4",
        Version::V6 => "IPv6",
    }
}

fn instance(plan: &Plan, node: &Node, pool: &Pool) -> Resource {
    let id = machine_id(plan, node);
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

/// A node that is a machine of its own.
fn machine(plan: &Plan, node: &Node, pool: &Pool) -> Resource {
    let id = machine_id(plan, node);
    let mut body = json!({
        "name": machine_name(plan, node),
        "id": id,
        "type": "Microsoft.Compute/virtualMachines",
        "location": plan.scenario.cluster.region,
        "tags": tags(plan, &node.pool),
        "properties": {
            "hardwareProfile": { "vmSize": pool.vm_size },
            "provisioningState": "Succeeded",
            "vmId": guid(&id),
            "networkProfile": { "networkInterfaces": [{ "id": nic_id(plan, node) }] },
        },
    });
    if !pool.zones.is_empty() {
        body["zones"] = json!(pool.zones);
    }
    Resource {
        id,
        kind: "Microsoft.Compute/virtualMachines".into(),
        body,
        series: Vec::new(),
    }
}

/// The address of a node in its subnet's IPv6 prefix.
fn address_v6(plan: &Plan, node: &Node, pool: &Pool) -> Option<String> {
    let prefix = subnet_of(plan, pool.subnet.as_deref()?)?
        .ipv6_prefix
        .as_ref()?;
    let base: Ipv6Addr = prefix.split_once('/')?.0.parse().ok()?;
    let host: Ipv4Addr = node.ip.parse().ok()?;
    let last = u128::from(host.octets()[3]);
    Some(Ipv6Addr::from(u128::from(base) + last).to_string())
}

fn public_ip_id(plan: &Plan, node: &Node) -> String {
    if is_machine(plan, node) {
        let name = format!("{}-pip", machine_name(plan, node));
        return id(&plan.node_group, PUBLIC_IP, &name);
    }
    let configuration = ip_configuration_id(plan, node, Version::V4);
    format!("{configuration}/publicIPAddresses/nodepublicip")
}

/// The node's own public address, where its pool has them: out of the pool's prefix, or any.
fn public_ip(plan: &Plan, node: &Node, pool: &Pool) -> Option<Resource> {
    pool.node_public_ip.then_some(())?;
    let own = public_ip_id(plan, node);
    let prefix = pool.node_public_ip_prefix.as_ref();
    let prefix = prefix.and_then(|name| plan.scenario.public_ip_prefixes.get(name));
    let base = prefix.and_then(|prefix| {
        let (base, _) = prefix.prefix.split_once('/')?;
        base.parse::<Ipv4Addr>().ok()
    });
    let text = match base {
        Some(base) => Ipv4Addr::from(u32::from(base) + node.index).to_string(),
        None => address(&own),
    };
    let properties = json!({
        "provisioningState": "Succeeded",
        "ipAddress": text,
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": 10,
        "ipTags": [],
        "ipConfiguration": { "id": ip_configuration_id(plan, node, Version::V4) },
    });
    if is_machine(plan, node) {
        let name = format!("{}-pip", machine_name(plan, node));
        let mut machine = resource(plan, &plan.node_group, PUBLIC_IP, &name, properties);
        machine.body["sku"] = json!({ "name": "Standard", "tier": "Regional" });
        return Some(machine);
    }
    let body = json!({
        "name": "nodepublicip",
        "id": own,
        "etag": format!("W/\"{}\"", guid(&format!("etag{own}"))),
        "properties": properties,
    });
    Some(Resource {
        id: own,
        kind: INSTANCE_IP.into(),
        body,
        series: Vec::new(),
    })
}

fn nic(plan: &Plan, node: &Node, pool: &Pool, subnet: &str, nsg: Option<&str>) -> Resource {
    let own = nic_id(plan, node);
    let mut ip_configurations = Vec::new();
    for version in Version::of(plan) {
        let address = match version {
            Version::V4 => Some(node.ip.clone()),
            Version::V6 => address_v6(plan, node, pool),
        };
        let mut properties = json!({
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": { "id": subnet },
            "primary": *version == Version::V4,
            "privateIPAddressVersion": version_word(*version),
        });
        let pools = backend_pool_ids(plan, *version);
        if !pools.is_empty() {
            properties["loadBalancerBackendAddressPools"] = refs(&pools);
        }
        if pool.node_public_ip && *version == Version::V4 {
            properties["publicIPAddress"] = json!({ "id": public_ip_id(plan, node) });
        }
        let name = ip_configuration_name(*version);
        ip_configurations.push(child(&own, "ipConfigurations", NIC, name, properties));
    }
    let mut properties = json!({
        "ipConfigurations": ip_configurations,
        "dnsSettings": { "dnsServers": [], "appliedDnsServers": [] },
        "macAddress": "00-22-48-00-00-01",
        "enableAcceleratedNetworking": true,
        "enableIPForwarding": true,
        "primary": true,
        "virtualMachine": { "id": machine_id(plan, node) },
    });
    if let Some(nsg) = nsg {
        properties["networkSecurityGroup"] = json!({ "id": nsg });
    }
    if is_machine(plan, node) {
        let name = format!("{}-nic", machine_name(plan, node));
        return resource(plan, &plan.node_group, NIC, &name, properties);
    }
    properties["provisioningState"] = json!("Succeeded");
    properties["resourceGuid"] = json!(guid(&own));
    let body = json!({
        "name": plan.scale_set_name(&node.pool),
        "id": own,
        "etag": format!("W/\"{}\"", guid(&format!("etag{own}"))),
        "properties": properties,
    });
    Resource {
        id: own,
        kind: format!("{KIND}/virtualMachines/networkInterfaces"),
        body,
        series: Vec::new(),
    }
}
