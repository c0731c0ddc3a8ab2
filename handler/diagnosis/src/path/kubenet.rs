//! The routes that AKS writes for kubenet nodes (R1.80).

use crate::facts::{Facts, Route, lookup};
use crate::network::AddressSet;
use crate::network::routes::is_kubenet_node_route;

/// Whether a route is one of those that AKS writes per kubenet node: a part of the pod range to a node's address (R1.80).
pub(crate) fn is_pod_route(facts: &Facts, route: &Route) -> bool {
    let pods = facts.cluster.network.as_ref().map(|n| set(&n.pod_cidrs));
    pods.is_some_and(|pods| is_kubenet_node_route(route, &pods, &nodes(facts)))
}

/// Whether the cluster's body has a readable pod range to tell such routes by.
pub(crate) fn pod_range_known(facts: &Facts) -> bool {
    let network = facts.cluster.network.as_ref();
    let ranges = network.map(|n| n.pod_cidrs.iter().map(String::as_str));
    ranges.is_some_and(|texts| AddressSet::parse_all(texts).is_ok_and(|set| !set.is_empty()))
}

/// Addresses of nodes: from the NICs where they are known, else the whole node subnets.
fn nodes(facts: &Facts) -> AddressSet {
    let mut nics = facts
        .scale_set_nics
        .values()
        .filter_map(|d| d.as_known())
        .flatten()
        .peekable();
    if nics.peek().is_some() {
        return set(nics.flat_map(|nic| &nic.private_ips));
    }
    let subnets = facts
        .pool_subnets
        .values()
        .filter_map(|subnets| subnets.node.as_known())
        .filter_map(|id| lookup(&facts.subnets, id).as_known());
    set(subnets.flat_map(|subnet| &subnet.address_prefixes))
}

/// The texts that are addresses; for recognising, so unreadable ones may be left out.
fn set<'t>(texts: impl IntoIterator<Item = &'t String>) -> AddressSet {
    texts
        .into_iter()
        .filter_map(|text| AddressSet::parse_all([text.as_str()]).ok())
        .fold(AddressSet::empty(), |all, part| all.union(&part))
}
