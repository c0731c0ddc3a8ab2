//! What decides which endpoints a cluster needs, taken out of the facts.

use super::catalogue::catalogue;
use super::feature::Feature;
use crate::facts::{
    AgentPool, Cloud, Cluster, Datum, EgressEndpoint, Facts, Features, OutboundType,
};
use crate::facts::{Id, lookup};

/// The part of the facts that decides about required endpoints.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// ARM's list.
    pub arm: &'a Datum<Vec<EgressEndpoint>>,
    /// The cloud; `None` when it cannot be told.
    pub cloud: Option<Cloud>,
    /// The cluster's region.
    pub location: Option<&'a str>,
    /// The API server's public name.
    pub api_server_fqdn: Option<&'a str>,
    /// `enablePrivateCluster`.
    pub private_cluster: Option<bool>,
    /// Outbound type `none` or `block`: network isolated, no outbound endpoint is required (R1.66, R4.30).
    pub isolated: bool,
    /// DNS servers of the networks of all node subnets, without doubles; empty = Azure DNS; `None` when not known.
    pub custom_dns: Option<Vec<String>>,
    cluster: &'a Cluster,
    pools: Option<&'a [AgentPool]>,
    extra: &'a Features,
}

impl<'a> View<'a> {
    /// Takes the view out of the facts.
    pub fn of(facts: &'a Facts, extra: &'a Features) -> Self {
        let cluster = &facts.cluster;
        let outbound_type = cluster
            .network
            .as_ref()
            .and_then(|n| n.outbound_type.as_ref());
        Self {
            arm: &facts.egress_endpoints,
            cloud: extra
                .cloud
                .or_else(|| cloud_by_names(cluster, &facts.egress_endpoints)),
            location: cluster.location.as_deref().filter(|l| !l.trim().is_empty()),
            api_server_fqdn: cluster
                .api_server
                .fqdn
                .as_deref()
                .filter(|f| !f.trim().is_empty()),
            private_cluster: cluster.api_server.private_cluster,
            isolated: matches!(
                outbound_type,
                Some(OutboundType::None | OutboundType::Block)
            ),
            custom_dns: custom_dns(facts),
            cluster,
            pools: facts.agent_pools.as_known().map(Vec::as_slice),
            extra,
        }
    }

    /// Whether a feature is on; `None` when it cannot be told.
    pub fn is_on(&self, feature: Feature) -> Option<bool> {
        feature.is_on(self.cluster, self.pools, self.extra)
    }

    /// Whether the documentation of this cloud names a host for features only.
    pub(super) fn is_feature_only(&self, domain_name: &str) -> bool {
        self.cloud.is_some_and(|cloud| {
            let table = catalogue(cloud);
            let base = || table.base.iter().flat_map(|g| g.endpoints);
            let features = || table.features.iter().flat_map(|(_, rows)| *rows);
            features().any(|e| e.domain_name == domain_name)
                && !base().any(|e| e.domain_name == domain_name)
        })
    }
}

/// The cloud by the API server's name, else by the ARM host in ARM's list, else by a region's reserved prefix.
fn cloud_by_names(cluster: &Cluster, arm: &Datum<Vec<EgressEndpoint>>) -> Option<Cloud> {
    const API_SERVERS: [(&str, Cloud); 3] = [
        (".azmk8s.io", Cloud::Public),
        (".azk8s.cn", Cloud::China),
        (".containerservice.azure.us", Cloud::UsGov),
    ];
    const ARM_HOSTS: [(&str, Cloud); 3] = [
        ("management.azure.com", Cloud::Public),
        ("management.chinacloudapi.cn", Cloud::China),
        ("management.usgovcloudapi.net", Cloud::UsGov),
    ];
    const REGIONS: [(&str, Cloud); 3] = [
        ("china", Cloud::China),
        ("usgov", Cloud::UsGov),
        ("usdod", Cloud::UsGov),
    ];
    let api = &cluster.api_server;
    let by_api_server = [&api.fqdn, &api.private_fqdn]
        .into_iter()
        .flatten()
        .find_map(|fqdn| {
            let fqdn = super::normalized(fqdn);
            API_SERVERS
                .iter()
                .find(|(suffix, _)| fqdn.ends_with(suffix))
        });
    let by_arm_host = || {
        arm.as_known()?.iter().find_map(|e| {
            ARM_HOSTS
                .iter()
                .find(|(host, _)| e.domain_name.trim().eq_ignore_ascii_case(host))
        })
    };
    let by_region = || {
        let location = cluster.location.as_deref()?.trim().to_ascii_lowercase();
        REGIONS
            .iter()
            .find(|(prefix, _)| location.starts_with(prefix))
    };
    by_api_server
        .or_else(by_arm_host)
        .or_else(by_region)
        .map(|(_, cloud)| *cloud)
}

/// The DNS servers of all networks with node subnets; unknown as soon as one network is.
fn custom_dns(facts: &Facts) -> Option<Vec<String>> {
    if facts.pool_subnets.is_empty() {
        return None;
    }
    let mut servers = Vec::new();
    for subnets in facts.pool_subnets.values() {
        let network: Id = subnets.node.as_known()?.parent()?;
        for server in &lookup(&facts.virtual_networks, &network)
            .as_known()?
            .dns_servers
        {
            if !servers.contains(server) {
                servers.push(server.clone());
            }
        }
    }
    Some(servers)
}
