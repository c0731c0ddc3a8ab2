//! The managed cluster, its agent pools, the endpoints it needs.

use egress_arm::ResourceId;
use egress_arm::model;
use egress_arm::read::{Field, List};
use egress_diagnosis::facts::{
    AgentPool, ApiServerAccess, Cluster, EgressEndpoint, Id, LoadBalancerProfile, MaxSurge,
    NatGatewayProfile, NetworkPlugin, NetworkProfile, OutboundType, PoolMode, PowerState,
};

use super::scrub::scrub;
use super::{id, ids, plural_or_singular, texts};

/// The cluster that was asked for as `asked`. Its lists hold what is usable: what carries the traffic is read from the
/// network resources themselves.
pub(crate) fn cluster(
    asked: &ResourceId,
    answer: &model::Whole<model::ManagedClusterProperties>,
) -> Cluster {
    let p = &answer.properties;
    let asked_id = Id::new(asked.as_str());
    Cluster {
        // ARM's casing, unless the answer speaks of something else.
        id: id(&answer.resource.id)
            .filter(|id| *id == asked_id)
            .unwrap_or(asked_id),
        name: answer
            .resource
            .name
            .clone()
            .0
            .unwrap_or_else(|| asked.name().to_owned()),
        resource_group: asked.resource_group().unwrap_or_default().to_owned(),
        subscription_id: asked.subscription().to_owned(),
        location: answer.resource.location.0.clone(),
        kubernetes_version: p
            .current_kubernetes_version
            .clone()
            .0
            .or_else(|| p.kubernetes_version.0.clone()),
        node_resource_group: p.node_resource_group.0.clone(),
        provisioning_state: p.provisioning_state.0.clone(),
        provisioning_error: provisioning_error(&p.status),
        power_state: power_state(&p.power_state),
        network: p.network_profile.as_ref().map(network_profile),
        api_server: ApiServerAccess {
            private_cluster: *p.api_server_access_profile.enable_private_cluster,
            vnet_integration: *p.api_server_access_profile.enable_vnet_integration,
            // An unreadable range stays unreadable: without it the list would say too little, or that there is none.
            authorized_ip_ranges: texts(&p.api_server_access_profile.authorized_ip_ranges)
                .unwrap_or_else(|| vec!["unreadable".to_owned()]),
            subnet_id: id(&p.api_server_access_profile.subnet_id),
            fqdn: p.fqdn.0.clone(),
            private_fqdn: p.private_fqdn.0.clone(),
        },
        artifact_source: p.bootstrap_profile.artifact_source.0.clone(),
        http_proxy: http_proxy(&p.http_proxy_config),
        enabled_addons: enabled_addons(p),
    }
}

/// Set, and not switched off: bodies before the `enabled` flag existed do not carry it.
fn http_proxy(config: &model::HttpProxyConfig) -> bool {
    let set = config.http_proxy.is_some() || config.https_proxy.is_some();
    set && *config.enabled != Some(false)
}

fn provisioning_error(status: &model::Status) -> Option<String> {
    let error = status.provisioning_error.as_ref()?;
    match (error.code.as_deref(), error.message.as_deref()) {
        (Some(code), Some(message)) => Some(format!("{code}: {}", scrub(message))),
        (Some(code), None) => Some(code.to_owned()),
        (None, Some(message)) => Some(scrub(message)),
        (None, None) => None,
    }
}

fn power_state(state: &model::PowerState) -> Option<PowerState> {
    state.code.as_deref().map(|code| match code {
        _ if code.eq_ignore_ascii_case("running") => PowerState::Running,
        _ if code.eq_ignore_ascii_case("stopped") => PowerState::Stopped,
        _ => PowerState::Other(code.to_owned()),
    })
}

fn network_profile(n: &model::NetworkProfile) -> NetworkProfile {
    NetworkProfile {
        outbound_type: n.outbound_type.as_deref().map(OutboundType::parse),
        plugin: n.network_plugin.as_deref().map(plugin),
        plugin_mode: n.network_plugin_mode.0.clone(),
        dataplane: n.network_dataplane.0.clone(),
        policy: n.network_policy.0.clone(),
        pod_cidrs: cidrs(&n.pod_cidrs, &n.pod_cidr),
        service_cidrs: cidrs(&n.service_cidrs, &n.service_cidr),
        ip_families: n.ip_families.to_vec(),
        load_balancer_sku: n.load_balancer_sku.as_deref().map(str::to_ascii_lowercase),
        load_balancer_profile: n
            .load_balancer_profile
            .as_ref()
            .and_then(load_balancer_profile),
        nat_gateway_profile: n.nat_gateway_profile.as_ref().map(|p| NatGatewayProfile {
            sku: p.sku.0.clone(),
            managed_outbound_ip_count: *p.managed_outbound_ip_profile.count,
            effective_outbound_ips: usable_ids(&p.effective_outbound_ips),
            idle_timeout_minutes: *p.idle_timeout_in_minutes,
        }),
    }
}

/// `None` when a reference in it cannot be read: a shorter list would hide an address that may be gone.
fn load_balancer_profile(p: &model::LoadBalancerProfile) -> Option<LoadBalancerProfile> {
    Some(LoadBalancerProfile {
        managed_outbound_ip_count: *p.managed_outbound_ips.count,
        managed_outbound_ipv6_count: *p.managed_outbound_ips.count_ipv6,
        outbound_ips: ids(&p.outbound_ips.public_ips)?,
        outbound_ip_prefixes: ids(&p.outbound_ip_prefixes.public_ip_prefixes)?,
        effective_outbound_ips: ids(&p.effective_outbound_ips)?,
        allocated_outbound_ports: *p.allocated_outbound_ports,
        idle_timeout_minutes: *p.idle_timeout_in_minutes,
        backend_pool_type: p.backend_pool_type.0.clone(),
    })
}

fn plugin(word: &str) -> NetworkPlugin {
    match word.to_ascii_lowercase().as_str() {
        "azure" => NetworkPlugin::Azure,
        "kubenet" => NetworkPlugin::Kubenet,
        "none" => NetworkPlugin::None,
        _ => NetworkPlugin::Other(word.to_owned()),
    }
}

fn cidrs(plural: &List<String>, singular: &Field<String>) -> Vec<String> {
    plural_or_singular(plural, singular).unwrap_or_else(|| plural.to_vec())
}

fn usable_ids(list: &List<model::Reference>) -> Vec<Id> {
    list.iter().filter_map(|r| id(&r.id)).collect()
}

/// Add-ons by their key in `addonProfiles`, features by their path in the cluster's properties.
fn enabled_addons(p: &model::ManagedClusterProperties) -> Vec<String> {
    let on = |flag: &Field<bool>| **flag == Some(true);
    let addons = p
        .addon_profiles
        .iter()
        .flatten()
        .filter(|(_, addon)| on(&addon.enabled))
        .map(|(name, _)| name.clone());
    let features = [
        (
            "azureMonitorProfile.metrics",
            on(&p.azure_monitor_profile.metrics.enabled),
        ),
        (
            "azureMonitorProfile.containerInsights",
            on(&p.azure_monitor_profile.container_insights.enabled),
        ),
        (
            "metricsProfile.costAnalysis",
            on(&p.metrics_profile.cost_analysis.enabled),
        ),
        (
            "securityProfile.defender.securityMonitoring",
            on(&p.security_profile.defender.security_monitoring.enabled),
        ),
        (
            "securityProfile.workloadIdentity",
            on(&p.security_profile.workload_identity.enabled),
        ),
        (
            "serviceMeshProfile.istio",
            p.service_mesh_profile
                .mode
                .as_deref()
                .is_some_and(|mode| mode.eq_ignore_ascii_case("istio")),
        ),
        (
            "workloadAutoScalerProfile.keda",
            on(&p.workload_auto_scaler_profile.keda.enabled),
        ),
    ];
    let features = features
        .into_iter()
        .filter(|&(_, on)| on)
        .map(|(name, _)| name.to_owned());
    addons.chain(features).collect()
}

/// The pools of the cluster's own body.
pub(crate) fn agent_pool_profiles(
    profiles: &List<model::AgentPoolProperties>,
) -> Option<Vec<AgentPool>> {
    super::all(profiles, |p| pool(p.name.as_deref(), p))
}

/// A pool of the agent pool list.
pub(crate) fn agent_pool(answer: &model::AgentPool) -> Option<AgentPool> {
    pool(answer.name.as_deref(), answer.properties.as_ref()?)
}

/// A pool without a name cannot be spoken of.
fn pool(name: Option<&str>, p: &model::AgentPoolProperties) -> Option<AgentPool> {
    let machines = &p.virtual_machines_profile.scale;
    let autoscale = machines.autoscale.as_ref();
    Some(AgentPool {
        name: name?.to_owned(),
        mode: p.mode.as_deref().map(mode),
        count: p.count.or_else(|| machine_count(p)),
        // A pool of machines may scale by itself while `enableAutoScaling` says false.
        auto_scaling: autoscale.map(|_| true).or(*p.enable_auto_scaling),
        min_count: p.min_count.or_else(|| *autoscale?.min_count),
        max_count: p.max_count.or_else(|| *autoscale?.max_count),
        // An empty text is a setting that nobody made.
        max_surge: p
            .upgrade_settings
            .max_surge
            .as_deref()
            .filter(|text| !text.trim().is_empty())
            .map(max_surge),
        vm_size: p.vm_size.0.clone().or_else(|| machine_size(p)),
        os_type: p.os_type.0.clone(),
        pool_type: p.pool_type.0.clone(),
        vnet_subnet_id: id(&p.vnet_subnet_id),
        pod_subnet_id: id(&p.pod_subnet_id),
        node_public_ip: *p.enable_node_public_ip,
        zones: texts(&p.availability_zones)?,
        os_disk_type: p.os_disk_type.0.clone(),
        os_disk_size_gb: *p.os_disk_size_gb,
        provisioning_state: p.provisioning_state.0.clone(),
        provisioning_error: provisioning_error(&p.status),
        power_state: power_state(&p.power_state),
    })
}

/// Nodes of a pool of type `VirtualMachines`, which has no `count`: by what there is, else by what there should be.
fn machine_count(p: &model::AgentPoolProperties) -> Option<u32> {
    let total = |nodes: &List<model::VirtualMachineNodes>| {
        let mut counts = nodes.whole()?.iter().map(|nodes| *nodes.count);
        counts.try_fold(0_u32, |total, count| Some(total.saturating_add(count?)))
    };
    match p.virtual_machine_nodes_status.as_ref() {
        Some(nodes) if nodes.is_damaged() || !nodes.is_empty() => total(nodes),
        _ => total(p.virtual_machines_profile.scale.manual.as_ref()?),
    }
}

/// The size of a pool's machines when all have the same.
fn machine_size(p: &model::AgentPoolProperties) -> Option<String> {
    let scale = &p.virtual_machines_profile.scale;
    let nodes = [&p.virtual_machine_nodes_status, &scale.manual];
    let nodes = nodes.into_iter().filter_map(|field| field.as_ref());
    let mut sizes = Vec::new();
    for nodes in nodes {
        sizes.extend(nodes.whole()?.iter().map(|nodes| nodes.size.as_deref()));
    }
    sizes.extend(scale.autoscale.as_ref().map(|scale| scale.size.as_deref()));
    let first = (*sizes.first()?)?;
    let same = |size: Option<&str>| size.is_some_and(|size| size.eq_ignore_ascii_case(first));
    let all = sizes.iter().all(|size| same(*size));
    all.then(|| first.to_owned())
}

fn mode(word: &str) -> PoolMode {
    match word.to_ascii_lowercase().as_str() {
        "system" => PoolMode::System,
        "user" => PoolMode::User,
        "gateway" => PoolMode::Gateway,
        _ => PoolMode::Other(word.to_owned()),
    }
}

fn max_surge(text: &str) -> MaxSurge {
    let parsed = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse().map(MaxSurge::Percent),
        None => text.trim().parse().map(MaxSurge::Nodes),
    };
    parsed.unwrap_or_else(|_| MaxSurge::Unreadable(text.to_owned()))
}

/// One entry per host and port. A category or host without its name makes the list useless: it could be the one that is
/// blocked.
pub(crate) fn egress_endpoints(
    categories: &[model::EgressEndpointCategory],
) -> Option<Vec<EgressEndpoint>> {
    let mut endpoints = Vec::new();
    for category in categories {
        let name = category.category.as_deref()?;
        for endpoint in category.endpoints.whole()? {
            let details = endpoint.endpoint_details.whole()?;
            let entry = |detail: Option<&model::EgressEndpointDetail>| {
                Some(EgressEndpoint {
                    category: name.to_owned(),
                    domain_name: endpoint.domain_name.clone().0?,
                    port: detail
                        .and_then(|d| *d.port)
                        .and_then(|port| u16::try_from(port).ok()),
                    protocol: detail.and_then(|d| d.protocol.0.clone()),
                    description: detail.and_then(|d| d.description.0.clone()),
                })
            };
            if details.is_empty() {
                endpoints.push(entry(None)?);
            }
            for detail in details {
                endpoints.push(entry(Some(detail))?);
            }
        }
    }
    Some(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_surge_is_read_as_nodes_or_percent() {
        assert_eq!(max_surge("10%"), MaxSurge::Percent(10));
        assert_eq!(max_surge(" 3 "), MaxSurge::Nodes(3));
        assert_eq!(max_surge("half"), MaxSurge::Unreadable("half".to_owned()));
        assert_eq!(max_surge("-1"), MaxSurge::Unreadable("-1".to_owned()));
        for odd in ["33.3%", "%", "1e2", "99999999999", "0x3", "3 nodes"] {
            assert_eq!(max_surge(odd), MaxSurge::Unreadable(odd.to_owned()));
        }
    }

    #[test]
    fn max_surge_may_be_a_number_null_or_empty() {
        let surge = |value: &str| {
            let body = format!(
                r#"{{"name":"p","properties":{{"upgradeSettings":{{"maxSurge":{value}}}}}}}"#
            );
            agent_pool(&serde_json::from_str(&body).unwrap())
                .unwrap()
                .max_surge
        };
        assert_eq!(surge("3"), Some(MaxSurge::Nodes(3)));
        assert_eq!(surge(r#""150%""#), Some(MaxSurge::Percent(150)));
        assert_eq!(surge("null"), None);
        assert_eq!(surge(r#"" ""#), None);
        assert_eq!(surge("0.33"), Some(MaxSurge::Unreadable("0.33".to_owned())));
    }

    #[test]
    fn a_pool_of_machines_counts_them_by_size() {
        let pool = |body: &str| {
            let body = format!(r#"{{"name":"p","properties":{body}}}"#);
            agent_pool(&serde_json::from_str(&body).unwrap()).unwrap()
        };
        let status = r#""virtualMachineNodesStatus":[{"size":"Standard_D4s_v5","count":2},{"size":"Standard_D8s_v5","count":1}]"#;
        let manual = r#""virtualMachinesProfile":{"scale":{"manual":[{"size":"Standard_D4s_v5","count":5}]}}"#;
        let both = pool(&format!("{{{status},{manual}}}"));
        assert_eq!((both.count, both.vm_size), (Some(3), None));
        let wanted = pool(&format!("{{{manual}}}"));
        assert_eq!(wanted.count, Some(5));
        assert_eq!(wanted.vm_size.as_deref(), Some("Standard_D4s_v5"));
        assert_eq!(wanted.auto_scaling, None);
        let own = pool(r#"{"count":7,"vmSize":"S","virtualMachineNodesStatus":[{"count":1}]}"#);
        assert_eq!((own.count, own.vm_size.as_deref()), (Some(7), Some("S")));
        // What cannot be read is not counted as nothing.
        for unreadable in [
            r#"{"virtualMachineNodesStatus":[{"size":"S"}]}"#,
            r#"{"virtualMachineNodesStatus":[null],"virtualMachinesProfile":{"scale":{"manual":[{"count":1}]}}}"#,
            r#"{"virtualMachinesProfile":{"scale":{"manual":"?"}}}"#,
            "{}",
        ] {
            assert_eq!(pool(unreadable).count, None, "{unreadable}");
        }
    }

    #[test]
    fn a_pool_of_machines_scales_by_its_own_profile() {
        let body = r#"{"name":"p","properties":{"enableAutoScaling":false,
            "virtualMachinesProfile":{"scale":{"autoscale":{"size":"standard_d2s_v3","minCount":1,"maxCount":3}}},
            "virtualMachineNodesStatus":[{"size":"Standard_D2s_v3","count":1}]}}"#;
        let pool = agent_pool(&serde_json::from_str(body).unwrap()).unwrap();
        assert_eq!((pool.count, pool.auto_scaling), (Some(1), Some(true)));
        assert_eq!((pool.min_count, pool.max_count), (Some(1), Some(3)));
        assert_eq!(pool.vm_size.as_deref(), Some("Standard_D2s_v3"));
    }

    fn read(body: &str) -> Cluster {
        let asked = ResourceId::parse(
            "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c",
        )
        .unwrap();
        cluster(&asked, &serde_json::from_str(body).unwrap())
    }

    #[test]
    fn words_are_known_in_any_case_and_kept_when_unknown() {
        let c = read(
            r#"{"properties":{"powerState":{"code":"STOPPED"},
                "networkProfile":{"outboundType":"Loadbalancer","networkPlugin":"Azure","loadBalancerSku":"Standard"}}}"#,
        );
        let network = c.network.unwrap();
        assert_eq!(c.power_state, Some(PowerState::Stopped));
        assert_eq!(network.outbound_type, Some(OutboundType::LoadBalancer));
        assert_eq!(network.plugin, Some(NetworkPlugin::Azure));
        assert_eq!(network.load_balancer_sku.as_deref(), Some("standard"));
        let c = read(
            r#"{"properties":{"powerState":{"code":"Hibernating"},"networkProfile":{"networkPlugin":"ebpf"}}}"#,
        );
        assert_eq!(
            c.power_state,
            Some(PowerState::Other("Hibernating".to_owned()))
        );
        assert_eq!(
            c.network.unwrap().plugin,
            Some(NetworkPlugin::Other("ebpf".to_owned()))
        );
    }

    #[test]
    fn an_empty_body_knows_only_what_was_asked() {
        let c = read(r#"{"properties":{}}"#);
        assert_eq!((c.name.as_str(), c.resource_group.as_str()), ("c", "rg"));
        assert_eq!(c.network, None);
        assert_eq!(c.power_state, None);
        assert_eq!(c.node_resource_group, None);
        assert!(!c.http_proxy);
    }

    #[test]
    fn r1_86_proxy_is_on_when_set_and_not_switched_off() {
        for (config, on) in [
            ("{}", false),
            (r#"{"httpProxy":"http://p"}"#, true),
            (r#"{"httpsProxy":"https://p","enabled":true}"#, true),
            (r#"{"httpProxy":"http://p","enabled":false}"#, false),
        ] {
            let c = read(&format!(
                r#"{{"properties":{{"httpProxyConfig":{config}}}}}"#
            ));
            assert_eq!(c.http_proxy, on, "{config}");
        }
    }

    #[test]
    fn addons_and_features_that_are_on() {
        let c = read(
            r#"{"properties":{"addonProfiles":{"azurepolicy":{"enabled":true},"omsagent":{"enabled":false},"x":null},
                "securityProfile":{"workloadIdentity":{"enabled":true}},"serviceMeshProfile":{"mode":"Istio"}}}"#,
        );
        assert_eq!(
            c.enabled_addons,
            [
                "azurepolicy",
                "securityProfile.workloadIdentity",
                "serviceMeshProfile.istio"
            ]
        );
    }

    #[test]
    fn provisioning_errors_name_no_people() {
        let c = read(
            r#"{"properties":{"status":{"provisioningError":{"code":"Denied","message":"The client 'a@b.c' may not"}}}}"#,
        );
        assert_eq!(
            c.provisioning_error.as_deref(),
            Some("Denied: The client '…' may not")
        );
    }

    #[test]
    fn r1_9_one_endpoint_per_host_and_port() {
        let list: Vec<model::EgressEndpointCategory> = serde_json::from_str(
            r#"[{"category":"time-sync","endpoints":[{"domainName":"ntp.example","endpointDetails":
                 [{"port":"123","protocol":"UDP"},{"port":70000}]}]},
                {"category":"x","endpoints":[{"domainName":"y.example"}]}]"#,
        )
        .unwrap();
        let endpoints = egress_endpoints(&list).unwrap();
        let seen: Vec<_> = endpoints
            .iter()
            .map(|e| (e.domain_name.as_str(), e.port))
            .collect();
        assert_eq!(
            seen,
            [
                ("ntp.example", Some(123)),
                ("ntp.example", None),
                ("y.example", None)
            ]
        );
        let spoilt: Vec<model::EgressEndpointCategory> =
            serde_json::from_str(r#"[{"category":"a","endpoints":[null]}]"#).unwrap();
        assert_eq!(egress_endpoints(&spoilt), None);
    }

    #[test]
    fn damaged_lists_of_addresses_are_never_shorter_ones() {
        let c = read(
            r#"{"properties":{"networkProfile":{"loadBalancerProfile":{"outboundIPs":{"publicIPs":[{"id":"/a"},null]}}},
                "apiServerAccessProfile":{"authorizedIPRanges":[null,"198.51.100.0/24"]}}}"#,
        );
        assert_eq!(c.network.unwrap().load_balancer_profile, None);
        assert_eq!(c.api_server.authorized_ip_ranges, ["unreadable"]);
        let c = read(
            r#"{"properties":{"networkProfile":{"loadBalancerProfile":{"outboundIPs":{"publicIPs":[{"id":"/a"}]}}}}}"#,
        );
        assert_eq!(
            c.network
                .unwrap()
                .load_balancer_profile
                .unwrap()
                .outbound_ips
                .len(),
            1
        );
        assert_eq!(c.api_server.authorized_ip_ranges, Vec::<String>::new());
    }
}
