//! The routes that AKS writes for kubenet nodes (R1.80).

use crate::facts::{Facts, NextHopType, Route, lookup};
use crate::network::AddressSet;
use crate::network::routes::is_kubenet_node_route;

/// Whose pods a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodRoute<'r> {
    /// Those of a node of this cluster, there now or not.
    Own,
    /// Those of a node of this scale set, which this cluster does not have.
    Foreign {
        /// The scale set by the route's name.
        scale_set: &'r str,
    },
    /// It leads a part of this cluster's pod range elsewhere, and its name names no node.
    Unnamed,
    /// It is no route to pods.
    NotOne,
}

/// Whether a route is one of those that AKS writes per kubenet node: a part of the pod range to a node's address (R1.80).
pub(crate) fn is_pod_route(facts: &Facts, route: &Route) -> bool {
    let pods = facts.cluster.network.as_ref().map(|n| set(&n.pod_cidrs));
    pods.is_some_and(|pods| is_kubenet_node_route(route, &pods, &nodes(facts)))
}

/// Whose pods a route leads to. The cloud provider names such a route after its node, which tells more than the address
/// does: nodes of two clusters may be in one subnet. `own_sets` has the names of this cluster's scale sets.
pub(crate) fn pod_route<'r>(facts: &Facts, route: &'r Route, own_sets: &[&str]) -> PodRoute<'r> {
    if route.next_hop_type != NextHopType::VirtualAppliance {
        return PodRoute::NotOne;
    }
    if let Some(scale_set) = scale_set_of(&route.name) {
        let own = own_sets
            .iter()
            .any(|own| own.eq_ignore_ascii_case(scale_set));
        return if own {
            PodRoute::Own
        } else {
            PodRoute::Foreign { scale_set }
        };
    }
    if is_pod_route(facts, route) {
        return PodRoute::Own;
    }
    if in_pod_range(facts, route) {
        PodRoute::Unnamed
    } else {
        PodRoute::NotOne
    }
}

/// Whether a route's prefix lies in the cluster's pod range.
pub(crate) fn in_pod_range(facts: &Facts, route: &Route) -> bool {
    let pods = facts.cluster.network.as_ref().map(|n| set(&n.pod_cidrs));
    let prefix = AddressSet::parse_all([route.address_prefix.as_str()]);
    pods.zip(prefix.ok())
        .is_some_and(|(pods, prefix)| !prefix.is_empty() && pods.contains_all(&prefix))
}

/// The scale set of the node that a route is named after: `aks-pool-12345678-vmss000000`, with the range behind `____`
/// where the cluster has two address families.
fn scale_set_of(route: &str) -> Option<&str> {
    const INSTANCE: usize = 6;
    let node = route.split("____").next()?;
    let set = node.get(..node.len().checked_sub(INSTANCE)?)?;
    let instance = node.get(set.len()..)?;
    let is_one = set.get(..4)?.eq_ignore_ascii_case("aks-")
        && set.to_ascii_lowercase().ends_with("-vmss")
        && instance.bytes().all(|b| b.is_ascii_alphanumeric());
    is_one.then_some(set)
}

/// Whether the cluster's body has a readable pod range to tell such routes by.
pub(crate) fn pod_range_known(facts: &Facts) -> bool {
    let network = facts.cluster.network.as_ref();
    let ranges = network.map(|n| n.pod_cidrs.iter().map(String::as_str));
    ranges.is_some_and(|texts| AddressSet::parse_all(texts).is_ok_and(|set| !set.is_empty()))
}

/// Addresses of nodes: from the NICs where they are known, else the whole node subnets.
fn nodes(facts: &Facts) -> AddressSet {
    let of_sets = facts.scale_set_nics.values();
    let of_sets = of_sets.filter_map(|d| d.as_known()).flatten();
    let of_machines = facts.machine_nics.as_known().into_iter().flatten();
    let mut addresses = of_sets
        .flat_map(|nic| &nic.private_ips)
        .chain(of_machines.flat_map(|nic| &nic.private_ips))
        .peekable();
    if addresses.peek().is_some() {
        return set(addresses);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_80_routes_are_named_after_their_node() {
        for (name, set) in [
            (
                "aks-system-12345678-vmss000000",
                Some("aks-system-12345678-vmss"),
            ),
            (
                "aks-system-12345678-vmss00000a____102440024",
                Some("aks-system-12345678-vmss"),
            ),
            (
                "AKS-SYSTEM-12345678-VMSS000001",
                Some("AKS-SYSTEM-12345678-VMSS"),
            ),
            ("aks-system-12345678-0", None),
            ("to-on-premises", None),
            ("vmss000000", None),
            ("", None),
            ("äöüäöüäöü", None),
        ] {
            assert_eq!(scale_set_of(name), set, "{name}");
        }
    }
}
