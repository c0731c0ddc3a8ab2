//! The managed cluster, its agent pools and its list of egress endpoints.

use serde_json::{Value, json};

use super::{
    Resource,
    compute::MACHINES,
    managed::{NAT_GATEWAY, is_managed_nat},
    names::{TENANT, guid, id},
    network::refs,
    plan::Plan,
};
use crate::{
    Error,
    scenario::{Pool, ProvisioningError},
};

const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";

/// Adds the cluster and its pools; gives the documents that are no resources.
pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<Vec<(String, Value)>, Error> {
    let cluster_id = plan.cluster_id();
    // AKS spells its own ids with a lower-case `resourcegroups`.
    let own_spelling = cluster_id.replace("/resourceGroups/", "/resourcegroups/");
    let mut profiles = Vec::new();
    for (name, pool) in &plan.scenario.pools {
        let profile = pool_profile(plan, name, pool)?;
        let pool_id = format!("{own_spelling}/agentPools/{name}");
        let mut properties = profile.clone();
        if let Some(properties) = properties.as_object_mut() {
            properties.remove("name");
            properties.insert("eTag".into(), json!(guid(&pool_id)));
        }
        out.push(Resource {
            body: json!({
                "id": pool_id,
                "name": name,
                "type": "Microsoft.ContainerService/managedClusters/agentPools",
                "properties": properties,
            }),
            id: pool_id,
            kind: "Microsoft.ContainerService/managedClusters/agentPools".into(),
            series: Vec::new(),
        });
        profiles.push(profile);
    }
    let identity = format!("{}-agentpool", plan.name);
    let identity_id = id(
        &plan.node_group,
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        &identity,
    );
    let ids = json!({ "clientId": guid("kubelet-client"), "principalId": guid("kubelet-object"), "tenantId": TENANT });
    out.push(Resource {
        body: json!({
            "id": identity_id,
            "name": identity,
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": plan.scenario.cluster.region,
            "properties": ids,
        }),
        id: identity_id.clone(),
        kind: "Microsoft.ManagedIdentity/userAssignedIdentities".into(),
        series: Vec::new(),
    });
    if plan.scenario.cluster.artifact_source.as_deref() == Some("Cache") {
        out.push(registry(plan));
    }
    out.push(Resource {
        body: json!({
            "id": own_spelling,
            "location": plan.scenario.cluster.region,
            "name": plan.name,
            "type": "Microsoft.ContainerService/ManagedClusters",
            "properties": properties(plan, &profiles, &identity_id)?,
            "identity": { "type": "SystemAssigned", "principalId": guid(&cluster_id), "tenantId": TENANT },
            "sku": { "name": plan.scenario.cluster.sku, "tier": "Standard" },
        }),
        id: cluster_id.clone(),
        kind: "Microsoft.ContainerService/managedClusters".into(),
        series: Vec::new(),
    });
    Ok(vec![(
        format!("{cluster_id}/outboundNetworkDependenciesEndpoints"),
        super::endpoints::list(plan, &fqdn(plan)),
    )])
}

/// The registry that AKS makes for the artifacts of an isolated cluster.
fn registry_id(plan: &Plan) -> String {
    let name = guid(&plan.name).replace('-', "");
    id(&plan.node_group, REGISTRY, &name)
}

fn registry(plan: &Plan) -> Resource {
    let own = registry_id(plan);
    Resource {
        body: json!({
            "id": own,
            "name": guid(&plan.name).replace('-', ""),
            "type": REGISTRY,
            "location": plan.scenario.cluster.region,
            "sku": { "name": "Premium", "tier": "Premium" },
            "properties": { "provisioningState": "Succeeded", "publicNetworkAccess": "Disabled" },
        }),
        id: own,
        kind: REGISTRY.into(),
        series: Vec::new(),
    }
}

/// The name that nodes reach the API server by.
fn fqdn(plan: &Plan) -> String {
    let region = &plan.scenario.cluster.region;
    if plan.scenario.cluster.private {
        let zone = guid("zone");
        let suffix = super::endpoints::Cloud::of(region).api_server_suffix();
        format!("{}.{zone}.privatelink.{region}.{suffix}", host(plan))
    } else {
        public_fqdn(plan)
    }
}

fn public_fqdn(plan: &Plan) -> String {
    let region = &plan.scenario.cluster.region;
    let suffix = super::endpoints::Cloud::of(region).api_server_suffix();
    format!("{}.hcp.{region}.{suffix}", host(plan))
}

fn host(plan: &Plan) -> String {
    let id: String = guid(&plan.name).chars().take(8).collect();
    format!("{}-{id}", plan.name)
}

fn status(error: Option<&ProvisioningError>) -> Option<Value> {
    error.map(
        |error| json!({ "provisioningError": { "code": error.code, "message": error.message } }),
    )
}

fn pool_profile(plan: &Plan, name: &str, pool: &Pool) -> Result<Value, Error> {
    let cluster = &plan.scenario.cluster;
    let by_name = if name == "system" { "System" } else { "User" };
    let version = format!("{}.2", cluster.kubernetes_version);
    let mut profile = json!({
        "name": name,
        "count": pool.count,
        "vmSize": pool.vm_size,
        "osDiskSizeGB": pool.os_disk_gb,
        "osDiskType": pool.os_disk_type,
        "kubeletDiskType": "OS",
        "maxPods": 110,
        "type": pool.kind,
        "provisioningState": pool.provisioning_state,
        "powerState": { "code": cluster.power_state },
        "orchestratorVersion": cluster.kubernetes_version,
        "currentOrchestratorVersion": version,
        "enableNodePublicIP": pool.node_public_ip,
        "mode": pool.mode.as_deref().unwrap_or(by_name),
        "enableEncryptionAtHost": false,
        "enableUltraSSD": false,
        "osType": pool.os,
        "osSKU": if pool.os == "Windows" { "Windows2022" } else { "Ubuntu" },
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202610.01.0",
        "upgradeSettings": { "maxSurge": pool.max_surge },
        "enableFIPS": false,
        "securityProfile": { "sshAccess": "LocalUser", "enableVTPM": false, "enableSecureBoot": false },
    });
    profile["enableAutoScaling"] = json!(pool.max.is_some());
    if let Some(max) = pool.max {
        profile["minCount"] = json!(pool.min.unwrap_or(1));
        profile["maxCount"] = json!(max);
    }
    if pool.kind == MACHINES {
        of_machines(&mut profile, pool);
    }
    if let Some(priority) = &pool.priority {
        profile["scaleSetPriority"] = json!(priority);
        profile["scaleSetEvictionPolicy"] = json!("Delete");
        profile["spotMaxPrice"] = json!(-1.0);
        profile["nodeLabels"] = json!({ "kubernetes.azure.com/scalesetpriority": "spot" });
        profile["nodeTaints"] = json!(["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]);
    }
    if let Some(prefix) = &pool.node_public_ip_prefix {
        let key = format!("pools.{name}.node_public_ip_prefix");
        profile["nodePublicIPPrefixID"] =
            json!(plan.reference(&key, &format!("public_ip_prefixes/{prefix}"))?);
    }
    if let Some(mode) = &pool.pod_ip_allocation {
        profile["podIPAllocationMode"] = json!(mode);
    }
    if !plan.managed_network
        && let Some(subnet) = &pool.subnet
    {
        profile["vnetSubnetID"] = json!(plan.subnet_id(&format!("pools.{name}.subnet"), subnet)?);
    }
    if let Some(subnet) = &pool.pod_subnet {
        profile["podSubnetID"] =
            json!(plan.subnet_id(&format!("pools.{name}.pod_subnet"), subnet)?);
    }
    if !pool.zones.is_empty() {
        profile["availabilityZones"] = json!(pool.zones);
    }
    if let Some(status) = status(pool.provisioning_error.as_ref()) {
        profile["status"] = status;
    }
    Ok(profile)
}

/// A pool of single machines says how many there are by size, and has no count of its own.
fn of_machines(profile: &mut Value, pool: &Pool) {
    if let Some(profile) = profile.as_object_mut() {
        for absent in ["count", "vmSize", "minCount", "maxCount"] {
            profile.remove(absent);
        }
    }
    let scale = match pool.max {
        Some(max) => json!({ "autoscale": {
            "size": pool.vm_size, "minCount": pool.min.unwrap_or(1), "maxCount": max,
        } }),
        None => json!({ "manual": [{ "size": pool.vm_size, "count": pool.count }] }),
    };
    profile["virtualMachinesProfile"] = json!({ "scale": scale });
    profile["virtualMachineNodesStatus"] = json!([{ "size": pool.vm_size, "count": pool.count }]);
}

fn properties(plan: &Plan, profiles: &[Value], identity_id: &str) -> Result<Value, Error> {
    let cluster = &plan.scenario.cluster;
    let mut properties = json!({
        "provisioningState": cluster.provisioning_state,
        "powerState": { "code": cluster.power_state },
        "kubernetesVersion": cluster.kubernetes_version,
        "currentKubernetesVersion": format!("{}.2", cluster.kubernetes_version),
        "dnsPrefix": plan.name,
        "agentPoolProfiles": profiles,
        "servicePrincipalProfile": { "clientId": "msi" },
        "nodeResourceGroup": plan.node_group,
        "enableRBAC": true,
        "supportPlan": "KubernetesOfficial",
        "networkProfile": network_profile(plan)?,
        "identityProfile": { "kubeletidentity": {
            "resourceId": identity_id, "clientId": guid("kubelet-client"), "objectId": guid("kubelet-object"),
        } },
        "maxAgentPools": 100,
        "disableLocalAccounts": false,
        "securityProfile": {},
        "storageProfile": { "diskCSIDriver": { "enabled": true }, "fileCSIDriver": { "enabled": true } },
        "oidcIssuerProfile": { "enabled": false },
        "nodeProvisioningProfile": { "mode": cluster.node_provisioning, "defaultNodePools": "Auto" },
        "resourceUID": guid(&plan.name).replace('-', ""),
    });
    if cluster.private {
        properties["privateFQDN"] = json!(fqdn(plan));
        properties["apiServerAccessProfile"] = json!({
            "enablePrivateCluster": true,
            "privateDNSZone": "system",
            "enablePrivateClusterPublicFQDN": cluster.public_fqdn,
        });
        if cluster.public_fqdn {
            properties["fqdn"] = json!(public_fqdn(plan));
        }
        properties["privateLinkResources"] = json!([{
            "id": format!("{}/privateLinkResources/management", plan.cluster_id()),
            "name": "management",
            "type": "Microsoft.ContainerService/managedClusters/privateLinkResources",
            "groupId": "management",
            "requiredMembers": ["management"],
        }]);
    } else {
        properties["fqdn"] = json!(fqdn(plan));
        properties["azurePortalFQDN"] = json!(fqdn(plan).replace(".hcp.", ".portal.hcp."));
    }
    if cluster.vnet_integration {
        // AKS names no subnet that it made itself.
        let subnet = match &cluster.api_subnet {
            Some(path) => plan.subnet_id("cluster.api_subnet", path)?,
            None => String::new(),
        };
        properties["apiServerAccessProfile"]["enablePrivateCluster"] = json!(cluster.private);
        properties["apiServerAccessProfile"]["enableVnetIntegration"] = json!(true);
        properties["apiServerAccessProfile"]["subnetId"] = json!(subnet);
    }
    if !cluster.authorized_ranges.is_empty() {
        properties["apiServerAccessProfile"]["authorizedIPRanges"] =
            json!(cluster.authorized_ranges);
    }
    if let Some(source) = &cluster.artifact_source {
        properties["bootstrapProfile"] = json!({ "artifactSource": source });
        if source == "Cache" {
            properties["bootstrapProfile"]["containerRegistryId"] = json!(registry_id(plan));
        }
    }
    if let Some(proxy) = &cluster.http_proxy {
        properties["httpProxyConfig"] =
            json!({ "httpProxy": proxy, "httpsProxy": proxy, "noProxy": ["localhost"] });
    }
    if let Some(status) = status(cluster.provisioning_error.as_ref()) {
        properties["status"] = status;
    }
    Ok(properties)
}

fn network_profile(plan: &Plan) -> Result<Value, Error> {
    let cluster = &plan.scenario.cluster;
    let overlay = cluster.plugin == "azure" && plan.managed_network;
    let mode = cluster
        .plugin_mode
        .clone()
        .or_else(|| overlay.then(|| "overlay".into()));
    let mut profile = json!({
        "networkPlugin": cluster.plugin,
        "networkPolicy": cluster.network_policy,
        "loadBalancerSku": cluster.load_balancer_sku,
        "serviceCidr": cluster.service_cidr,
        "serviceCidrs": [cluster.service_cidr],
        "dnsServiceIP": "10.0.0.10",
        "outboundType": cluster.outbound_type,
        "ipFamilies": cluster.ip_families,
    });
    if plan.dual_stack() {
        profile["serviceCidrs"] = json!([cluster.service_cidr, "fd12:3456:789a:1::/108"]);
    }
    if cluster.plugin != "kubenet" {
        profile["networkDataplane"] = json!(cluster.dataplane);
    }
    if let Some(mode) = &mode {
        profile["networkPluginMode"] = json!(mode);
    }
    if mode.is_some() || cluster.plugin == "kubenet" || cluster.pod_cidr.is_some() {
        let cidr = cluster.pod_cidr.as_deref().unwrap_or("10.244.0.0/16");
        profile["podCidr"] = json!(cidr);
        profile["podCidrs"] = json!([cidr]);
        if plan.dual_stack() {
            profile["podCidrs"] = json!([cidr, "fd12:3456:789a::/64"]);
        }
    }
    if let Some(balancer) = &plan.load_balancer
        && cluster.outbound_type.eq_ignore_ascii_case("loadBalancer")
        && !cluster.load_balancer_sku.eq_ignore_ascii_case("basic")
    {
        let ips = plan.references("load_balancer.ips", "public_ips", &balancer.ips)?;
        let prefixes = plan.references(
            "load_balancer.prefixes",
            "public_ip_prefixes",
            &balancer.prefixes,
        )?;
        // Azure writes the ids of prefixes in lower case here.
        let lower = prefixes.iter().map(|id| id.to_ascii_lowercase());
        let effective: Vec<String> = ips.iter().cloned().chain(lower).collect();
        let mut balancer_profile = json!({
            "effectiveOutboundIPs": refs(&effective),
            "backendPoolType": "nodeIPConfiguration",
        });
        if plan.managed_addresses {
            balancer_profile["managedOutboundIPs"] = json!({ "count": balancer.managed_ips });
            if plan.dual_stack() {
                balancer_profile["managedOutboundIPs"]["countIPv6"] = json!(balancer.managed_ipv6);
            }
        } else {
            if !ips.is_empty() {
                balancer_profile["outboundIPs"] = json!({ "publicIPs": refs(&ips) });
            }
            if !prefixes.is_empty() {
                balancer_profile["outboundIPPrefixes"] =
                    json!({ "publicIPPrefixes": refs(&prefixes) });
            }
        }
        // Left out by AKS when they are the defaults.
        if balancer.ports != 0 {
            balancer_profile["allocatedOutboundPorts"] = json!(balancer.ports);
        }
        if balancer.idle_minutes != 30 {
            balancer_profile["idleTimeoutInMinutes"] = json!(balancer.idle_minutes);
        }
        profile["loadBalancerProfile"] = balancer_profile;
    } else if ["none", "block"].contains(&cluster.outbound_type.as_str()) {
        profile["loadBalancerProfile"] = json!({ "backendPoolType": "nodeIPConfiguration" });
        profile["podLinkLocalAccess"] = json!("IMDS");
    }
    if is_managed_nat(&plan.scenario)
        && let Some(gateway) = plan.scenario.nat_gateways.get(NAT_GATEWAY)
    {
        profile["natGatewayProfile"] = json!({
            "managedOutboundIPProfile": { "count": gateway.ips.len() },
            "effectiveOutboundIPs": refs(&plan.references("managed_nat", "public_ips", &gateway.ips)?),
            "idleTimeoutInMinutes": gateway.idle_minutes,
        });
        if gateway.sku != "Standard" {
            profile["natGatewayProfile"]["sku"] = json!(gateway.sku);
        }
    }
    Ok(profile)
}
