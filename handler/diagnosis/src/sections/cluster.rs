//! `cluster`.

use crate::context::Context;
use crate::facts::{NetworkPlugin, PoolMode, PowerState};
use crate::report::{ClusterSummary, NodePool};

/// The cluster as ARM describes it.
pub(crate) fn summary(ctx: &Context<'_>) -> ClusterSummary {
    let cluster = ctx.cluster();
    let network = ctx.network();
    ClusterSummary {
        id: cluster.id.clone(),
        name: cluster.name.clone(),
        resource_group: cluster.resource_group.clone(),
        subscription_id: cluster.subscription_id.clone(),
        location: cluster.location.clone(),
        kubernetes_version: cluster.kubernetes_version.clone(),
        node_resource_group: cluster.node_resource_group.clone(),
        network_plugin: network
            .and_then(|n| n.plugin.as_ref())
            .map(|p: &NetworkPlugin| p.as_str().to_owned()),
        network_plugin_mode: network.and_then(|n| n.plugin_mode.clone()),
        network_dataplane: network.and_then(|n| n.dataplane.clone()),
        private_cluster: cluster.api_server.private_cluster,
        power_state: cluster.power_state.as_ref().map(|state| match state {
            PowerState::Running => "Running".to_owned(),
            PowerState::Stopped => "Stopped".to_owned(),
            PowerState::Other(word) => word.clone(),
        }),
        provisioning_state: cluster.provisioning_state.clone(),
        node_pools: node_pools(ctx),
    }
}

fn node_pools(ctx: &Context<'_>) -> Option<Vec<NodePool>> {
    let pools = ctx.pools().ok()?;
    Some(
        pools
            .iter()
            .map(|pool| {
                let subnets = ctx.facts.pool_subnets.get(&pool.name);
                let scaling = pool.auto_scaling == Some(true);
                NodePool {
                    name: pool.name.clone(),
                    mode: pool.mode.as_ref().map(|m: &PoolMode| m.as_str().to_owned()),
                    os_type: pool.os_type.clone(),
                    count: pool.count,
                    min_count: pool.min_count.filter(|_| scaling),
                    max_count: pool.max_count.filter(|_| scaling),
                    vnet_subnet_id: subnets.and_then(|s| s.node.as_known().cloned()),
                    pod_subnet_id: subnets.and_then(|s| s.pod.clone()),
                }
            })
            .collect(),
    )
}
