//! Facts of a small cluster for the tests of this folder.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Protocol, RequiredEndpoint};
use crate::facts::{
    AgentPool, ApiServerAccess, Cluster, Datum, EgressEndpoint, Facts, Id, NetworkProfile,
    OutboundType, PoolSubnets, VirtualNetwork, Window,
};
use crate::report::{EndpointSource, Need};

const VNET: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v";

pub(super) fn cluster() -> Cluster {
    Cluster {
        id: Id::new(
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c",
        ),
        name: "c".to_owned(),
        resource_group: "rg".to_owned(),
        subscription_id: "s".to_owned(),
        location: Some("westeurope".to_owned()),
        kubernetes_version: None,
        node_resource_group: None,
        provisioning_state: None,
        provisioning_error: None,
        power_state: None,
        network: None,
        api_server: ApiServerAccess::default(),
        artifact_source: None,
        http_proxy: false,
        enabled_addons: vec![],
    }
}

pub(super) fn pool(name: &str) -> AgentPool {
    AgentPool {
        name: name.to_owned(),
        mode: None,
        count: None,
        auto_scaling: None,
        min_count: None,
        max_count: None,
        max_surge: None,
        vm_size: Some("Standard_D4s_v5".to_owned()),
        os_type: Some("Linux".to_owned()),
        pool_type: None,
        vnet_subnet_id: None,
        pod_subnet_id: None,
        node_public_ip: None,
        zones: vec![],
        os_disk_type: None,
        os_disk_size_gb: None,
        provisioning_state: None,
        provisioning_error: None,
        power_state: None,
    }
}

/// A cluster in `westeurope` whose list, networks and API server nobody read.
pub(super) fn facts() -> Facts {
    let window = Window {
        start: Timestamp::UNIX_EPOCH,
        end: Timestamp::UNIX_EPOCH,
    };
    Facts {
        asked_at: Timestamp::UNIX_EPOCH,
        window,
        cluster: cluster(),
        agent_pools: Datum::Known(vec![pool("system")]),
        egress_endpoints: Datum::not_asked("test"),
        pool_subnets: BTreeMap::new(),
        virtual_networks: BTreeMap::new(),
        subnets: BTreeMap::new(),
        route_tables: BTreeMap::new(),
        nsgs: BTreeMap::new(),
        admin_rules: BTreeMap::new(),
        nat_gateways: BTreeMap::new(),
        public_ips: BTreeMap::new(),
        public_ip_prefixes: BTreeMap::new(),
        load_balancer: Datum::not_asked("test"),
        scale_sets: Datum::not_asked("test"),
        scale_set_nics: BTreeMap::new(),
        scale_set_public_ips: BTreeMap::new(),
        machine_nics: Datum::not_asked("no pool is of type VirtualMachines"),
        hub_routing: BTreeMap::new(),
        metrics: BTreeMap::new(),
        firewalls: BTreeMap::new(),
        firewall_policies: BTreeMap::new(),
        rule_collection_groups: BTreeMap::new(),
        ip_groups: BTreeMap::new(),
        hops: BTreeMap::new(),
        service_tags: Datum::not_asked("no rule names a service tag"),
        activity_logs: BTreeMap::new(),
        features: crate::facts::Features::default(),
        pressure: crate::facts::Pressure::not_taken(),
    }
}

pub(super) fn private(mut facts: Facts) -> Facts {
    facts.cluster.api_server.private_cluster = Some(true);
    facts
}

pub(super) fn isolated(mut facts: Facts) -> Facts {
    facts.cluster.network = Some(NetworkProfile {
        outbound_type: Some(OutboundType::None),
        plugin: None,
        plugin_mode: None,
        dataplane: None,
        policy: None,
        pod_cidrs: vec![],
        service_cidrs: vec![],
        ip_families: vec![],
        load_balancer_sku: None,
        load_balancer_profile: None,
        nat_gateway_profile: None,
    });
    facts
}

pub(super) fn with_dns(mut facts: Facts, servers: &[&str]) -> Facts {
    facts.pool_subnets.insert(
        "system".to_owned(),
        PoolSubnets {
            node: Datum::Known(Id::new(format!("{VNET}/subnets/n"))),
            pod: None,
        },
    );
    facts.virtual_networks.insert(
        Id::new(VNET),
        Datum::Known(VirtualNetwork {
            id: Id::new(VNET),
            location: None,
            address_prefixes: vec![],
            dns_servers: servers.iter().map(|&s| s.to_owned()).collect(),
            peerings: vec![],
            subnet_ids: vec![],
        }),
    );
    facts
}

/// An HTTPS entry of ARM's list.
pub(super) fn listed(category: &str, domain_name: &str) -> EgressEndpoint {
    EgressEndpoint {
        category: category.to_owned(),
        domain_name: domain_name.to_owned(),
        port: Some(443),
        protocol: Some("Https".to_owned()),
        description: None,
    }
}

pub(super) fn endpoint(domain_name: &str, need: Need) -> RequiredEndpoint {
    RequiredEndpoint {
        category: "test".to_owned(),
        domain_name: domain_name.to_owned(),
        port: Some(443),
        protocol: Some(Protocol::Https),
        need,
        source: EndpointSource::Catalogue,
        alternative: None,
        note: None,
    }
}
