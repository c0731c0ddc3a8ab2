//! UDR113: two kubenet clusters write their pods' routes into one table.

use super::routing::{az_route, shared, show_subnets, with_table};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{Id, NetworkPlugin, Route, RouteTable};
use crate::order::Order as _;
use crate::path::{Path, PodRoute, in_pod_range, pod_route};
use crate::report::{Confidence, Finding, Remediation, Scope, Severity};

/// Two kubenet clusters write their pods' routes into one table.
pub(super) const RULE: Rule = Rule {
    code: "UDR113",
    slug: "kubenet-route-table-shared",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "For network plugin kubenet: whether the route table of a node subnet has routes of pods, named after their \
               nodes as AKS writes them, whose nodes belong to no scale set of this cluster (R2.46).",
        why: "Every kubenet cluster needs a route table of its own. In a shared one each cluster's routes lead into the \
              other's pod range and the two overwrite each other: answers go to nodes that do not have the pod.",
        evidence: "The foreign routes with their prefix and node address, and this cluster's own pod range.",
        fix: "Move this cluster to Azure CNI Overlay, which needs no such routes, or give the other cluster a subnet and a \
              route table of its own. Where the other cluster is gone, delete what it left.",
        how_sure: "Certain for a route outside this cluster's pod range. Likely inside it: a pool that was deleted may have \
                   left the route. A route into the pod range whose name names no node leaves the check open.",
        references: &[
            "https://learn.microsoft.com/azure/aks/configure-kubenet",
            "https://learn.microsoft.com/azure/aks/upgrade-azure-cni",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if ctx.network().and_then(|n| n.plugin.as_ref()) != Some(&NetworkPlugin::Kubenet) {
        return Outcome::not_applicable("the network plugin is not kubenet");
    }
    let mut outcome = Outcome::passed();
    let sets = ctx
        .facts
        .scale_sets
        .known(|| "scale sets of the node resource group".to_owned());
    let own: Vec<&str> = match &sets {
        Ok(sets) => sets.iter().map(|set| set.id.name()).collect(),
        Err(_) => Vec::new(),
    };
    let mut judged: Vec<&Id> = Vec::new();
    for (path, table) in with_table(ctx, &mut outcome) {
        if path.used.scope != Scope::Node || judged.contains(&&table.id) {
            continue;
        }
        judged.push(&table.id);
        let mut foreign: Vec<(&Route, &str)> = Vec::new();
        for route in &table.routes {
            match pod_route(ctx.facts, route, &own) {
                PodRoute::Own | PodRoute::NotOne => {}
                PodRoute::Foreign { scale_set } => foreign.push((route, scale_set)),
                PodRoute::Unnamed => outcome.undecided.push(format!(
                    "route {} of route table {} leads {}, a part of the pod range, to {}, which is no node of this cluster",
                    route.name,
                    table.id.name(),
                    route.address_prefix,
                    route.next_hop_ip.as_deref().unwrap_or("no address")
                )),
            }
        }
        if foreign.is_empty() {
            continue;
        }
        match &sets {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(_) => outcome.findings.push(finding(ctx, path, table, &foreign)),
        }
    }
    outcome
}

/// So many routes are shown one by one.
const SHOWN: usize = 5;

fn finding(
    ctx: &Context<'_>,
    path: &Path<'_>,
    table: &RouteTable,
    foreign: &[(&Route, &str)],
) -> Finding {
    let mut sets: Vec<&str> = foreign.iter().map(|(_, set)| *set).collect();
    sets.order();
    sets.dedup();
    let outside = foreign
        .iter()
        .any(|(route, _)| !in_pod_range(ctx.facts, route));
    let ours = ctx
        .network()
        .map_or(String::new(), |network| network.pod_cidrs.join(", "));
    let mut found = RULE
        .finding(format!(
            "Route table {} of {} also has the pod routes of another cluster (nodes of {})",
            table.id.name(),
            path.used.label(),
            sets.join(", ")
        ))
        .confidence(if outside {
            Confidence::Certain
        } else {
            Confidence::Likely
        })
        .explain(
            "With kubenet AKS writes one route per node into the cluster's route table, and two clusters in one table \
             overwrite each other's. Packets to pods then arrive at nodes that do not have them, and answers from the \
             internet are lost on the last step.",
        )
        .resource(&table.id);
    for (route, _) in foreign.iter().take(SHOWN) {
        let hop = route.next_hop_ip.as_deref().unwrap_or("no address");
        found = found.evidence(
            format!("route {} for {}", route.name, route.address_prefix),
            Some(&table.id),
            Some(format!("VirtualAppliance {hop}")),
        );
    }
    if foreign.len() > SHOWN {
        found = found.evidence(
            "routes of other clusters' nodes in all",
            Some(&table.id),
            Some(foreign.len().to_string()),
        );
    }
    found = found.evidence(
        "pod range of this cluster",
        Some(&ctx.cluster().id),
        Some(ours),
    );
    show_subnets(found, &[path])
        .fix(to_overlay(ctx))
        .fix(clear(table, foreign))
}

fn to_overlay(ctx: &Context<'_>) -> Remediation {
    Remediation::new("Move this cluster to Azure CNI Overlay, which needs no routes of pods")
        .command(
            ctx.az_aks("update")
                .opt("--network-plugin", "azure")
                .opt("--network-plugin-mode", "overlay")
                .build(),
        )
        .side_effect("Every node is made anew: pods restart, pool by pool")
        .side_effect("The other cluster keeps the table; its own routes stay")
        .undo("None: a cluster does not go back to kubenet")
}

fn clear(table: &RouteTable, foreign: &[(&Route, &str)]) -> Remediation {
    let mut fix = Remediation::new(
        "Or, only if the cluster of these nodes no longer exists: delete the routes that it left",
    )
    .side_effect(shared(table))
    .side_effect(
        "If that cluster still runs, its pods lose their answers, and it writes the routes again",
    );
    for (route, _) in foreign {
        fix = fix
            .command(az_route("delete", &table.id, &route.name).build())
            .undo(super::routing::create_again(table, route));
    }
    fix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, NextHopType};
    use crate::testing::{
        NODE_1, codes, denied, kubenet, load_balancer, outcome, route, route_table_id,
        route_table_mut,
    };

    fn with_route(name: &str, prefix: &str, ip: &str) -> Facts {
        let mut facts = kubenet();
        let new = route(name, prefix, NextHopType::VirtualAppliance, Some(ip));
        route_table_mut(&mut facts).routes.push(new);
        facts
    }

    const OTHER: &str = "aks-pool1-87654321-vmss000000";

    #[test]
    fn r2_46_fires() {
        let found = outcome(&RULE, &with_route(OTHER, "10.245.0.0/24", "10.77.0.9"));
        assert_eq!(codes(&found), ["UDR113"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert!(finding.title.contains("aks-pool1-87654321-vmss"));
        assert!(
            finding.remediation[0].commands[0]
                .ends_with("--network-plugin azure --network-plugin-mode overlay")
        );
        let left = &finding.remediation[1];
        assert!(left.commands[0].contains("route delete"));
        assert!(left.undo[0].ends_with("--next-hop-ip-address 10.77.0.9"));
    }

    #[test]
    fn r2_46_fires_as_likely_inside_the_pod_range_and_in_the_same_subnet() {
        // The address alone would look like a node of this cluster.
        let found = outcome(&RULE, &with_route(OTHER, "10.244.9.0/24", "10.0.0.200"));
        assert_eq!(codes(&found), ["UDR113"]);
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &kubenet()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // A node of this cluster that is gone, and a route to another network.
        for (name, prefix, ip) in [
            ("aks-system-vmss000009", "10.244.9.0/24", "10.0.0.99"),
            ("to-on-premises", "192.168.7.0/24", "10.77.0.9"),
        ] {
            let found = outcome(&RULE, &with_route(name, prefix, ip));
            assert_eq!(found, Outcome::passed(), "{name}");
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with_route(OTHER, "10.245.0.0/24", NODE_1);
        facts.scale_sets = denied("Microsoft.Compute/virtualMachineScaleSets/read");
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        let open = outcome(&RULE, &with_route("mine", "10.244.9.0/24", "10.77.0.9"));
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
        let mut facts = kubenet();
        let table = Datum::not_asked("test");
        facts.route_tables.insert(route_table_id(), table);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
