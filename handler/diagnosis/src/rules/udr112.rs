//! UDR112: the route table of a kubenet cluster is missing, replaced, or diverts public space.

use super::routing::{delete, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Datum, Facts, NetworkPlugin, NextHopType, RouteTable};
use crate::path::{Path, is_pod_route, pod_range_known};
use crate::report::{Confidence, Finding, Remediation, Scope, Severity};

/// The route table of a kubenet cluster is missing, replaced, or diverts public space.
pub(super) const RULE: Rule = Rule {
    code: "UDR112",
    slug: "kubenet-route-table-altered",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "For network plugin kubenet: whether each node subnet has a route table with AKS's routes of pods to their nodes, and whether a user route beside them drops public addresses or leads them to an appliance or gateway. A default route is looked at elsewhere: OUT101, OUT102, OUT103.",
        why: "AKS keeps one route per node in that table. Without it answers do not find their way back to the pods; a route of your own for public space takes those packets elsewhere.",
        evidence: "The subnet without route table, the table without a route for any node, or the user route with its prefix and next hop.",
        fix: "Associate AKS's route table with the subnet again, or delete the route. The table itself is never replaced.",
        how_sure: "Certain about a missing table. Likely for a route of your own: it may be wanted. Routes of pods are recognised by the pod range and the nodes' addresses.",
        references: &[
            "https://learn.microsoft.com/azure/aks/configure-kubenet",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    match ctx.network().and_then(|n| n.plugin.as_ref()) {
        Some(NetworkPlugin::Kubenet) => {}
        Some(_) => return Outcome::not_applicable("the network plugin is not kubenet"),
        None => return Outcome::undecided("the cluster's body has no network plugin"),
    }
    let mut outcome = Outcome::passed();
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    for path in ctx.paths.iter().filter(|p| p.used.scope == Scope::Node) {
        match &path.routes.table {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(None) => outcome.findings.push(no_table(ctx, path)),
            Ok(Some(table)) => {
                let pods = |t: &RouteTable| has_pod_routes(ctx.facts, t);
                // A stopped cluster has no nodes and so no routes to them.
                if !pod_range_known(ctx.facts) {
                    let why =
                        "the cluster's body has no readable pod range to tell routes of pods by";
                    outcome.undecided.push(why.to_owned());
                } else if !pods(table) && !ctx.stopped() {
                    outcome.findings.push(no_pod_routes(ctx, path, table));
                }
                outcome.findings.extend(diverted(ctx, path, table));
            }
        }
    }
    outcome
}

fn has_pod_routes(facts: &Facts, table: &RouteTable) -> bool {
    table.routes.iter().any(|route| is_pod_route(facts, route))
}

/// Associates the table that has the pods' routes, else lets AKS look after it.
fn mend(ctx: &Context<'_>, path: &Path<'_>) -> Remediation {
    let own = ctx
        .facts
        .route_tables
        .values()
        .filter_map(Datum::as_known)
        .find(|table| has_pod_routes(ctx.facts, table));
    let update = || super::nat101::subnet_update(path.used.id);
    match own {
        Some(table) => Remediation::new(format!(
            "Associate route table {}, which has the pods' routes",
            table.id.name()
        ))
        .command(update().opt("--route-table", table.id.as_str()).build())
        .side_effect("All routes of that table then apply to the subnet")
        .undo(format!("{} --remove routeTable", update().build())),
        // AKS writes routes, and leaves the association in a network of the caller's to the caller (R1.81).
        None if matches!(path.routes.table, Ok(None))
            && !super::nat106::in_node_resource_group(ctx, path.used.id) =>
        {
            Remediation::new("Associate the cluster's own route table with the subnet again: the list shows which one has the pods' routes; put its id in place of ROUTE_TABLE_ID")
                .command(Az::beside("network route-table list", path.used.id).build())
                .command(update().opt("--route-table", "ROUTE_TABLE_ID").build())
                .side_effect("All routes of that table then apply to the subnet")
                .side_effect("Where the table is gone, `az aks update` without arguments lets AKS write its routes again")
                .undo(format!("{} --remove routeTable", update().build()))
        }
        None => Remediation::new("Let AKS put its routes right")
            .command(ctx.az_aks("update").build())
            .side_effect("AKS applies its own settings again; edits made by hand in the node resource group are lost")
            .undo("None needed: the call restores what the cluster's settings say"),
    }
}

fn no_table(ctx: &Context<'_>, path: &Path<'_>) -> Finding {
    let found = RULE
        .finding(format!(
            "{} of a kubenet cluster has no route table",
            super::out106::capital(&path.used.label())
        ))
        .explain("With kubenet the route table leads packets of pods to their nodes. Without it answers do not find their way back.")
        .evidence("routeTable of the subnet", Some(path.used.id), Some("none".to_owned()));
    show_subnets(found, &[path]).fix(mend(ctx, path))
}

fn no_pod_routes(ctx: &Context<'_>, path: &Path<'_>, table: &RouteTable) -> Finding {
    let found = RULE
        .finding(format!(
            "Route table {} of {} has no route to any node's pods",
            table.id.name(),
            path.used.label()
        ))
        .confidence(Confidence::Likely)
        .explain("AKS keeps one route per node in a kubenet cluster's route table. This table has none: it was replaced, or its routes were overwritten.")
        .evidence("routes of pods to their nodes", Some(&table.id), Some("none".to_owned()))
        .resource(&table.id);
    show_subnets(found, &[path]).fix(mend(ctx, path))
}

/// Routes beside the default that take public addresses elsewhere.
fn diverted(ctx: &Context<'_>, path: &Path<'_>, table: &RouteTable) -> Vec<Finding> {
    path.routes
        .diversions()
        .into_iter()
        .filter(|route| !is_pod_route(ctx.facts, route))
        .filter(|route| {
            matches!(
                route.next_hop_type,
                NextHopType::None
                    | NextHopType::VirtualAppliance
                    | NextHopType::VirtualNetworkGateway
            )
        })
        .map(|route| {
            let hop = route.next_hop_type.as_str();
            let found = RULE
                .finding(format!(
                    "Route {} of kubenet route table {} takes {} elsewhere (next hop {hop})",
                    route.name,
                    table.id.name(),
                    route.address_prefix
                ))
                .confidence(Confidence::Likely)
                .explain("AKS's own routes are for pods only. This one takes public addresses from the cluster's way out.")
                .evidence(
                    format!("route {} for {}", route.name, route.address_prefix),
                    Some(&table.id),
                    Some(hop.to_owned()),
                )
                .resource(&table.id)
                .fix(delete("Delete the route; leave the routes of pods alone", table, route));
            show_subnets(found, &[path])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, kubenet, load_balancer, network_mut, outcome, route, route_table_id,
        route_table_mut, subnet_mut, with_firewall_route,
    };

    fn with_route(prefix: &str, hop: NextHopType) -> Facts {
        let mut facts = kubenet();
        let extra = route("extra", prefix, hop, None);
        route_table_mut(&mut facts).routes.push(extra);
        facts
    }

    #[test]
    fn r2_46_fires_without_table() {
        let mut facts = kubenet();
        subnet_mut(&mut facts, "nodes").route_table_id = None;
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["UDR112"]);
        assert!(found.findings[0].blocks_egress);
        assert!(found.findings[0].remediation[0].commands[0].contains("--route-table"));
        assert!(found.findings[0].remediation[0].commands[0].contains("rt-egress"));
    }

    #[test]
    fn r2_46_fires_when_the_pods_routes_are_gone() {
        let mut facts = kubenet();
        route_table_mut(&mut facts).routes.clear();
        assert_eq!(codes(&outcome(&RULE, &facts)), ["UDR112"]);
    }

    #[test]
    fn r1_81_fires_for_a_route_that_drops_public_space() {
        let found = outcome(&RULE, &with_route("20.0.0.0/8", NextHopType::None));
        assert_eq!(codes(&found), ["UDR112"]);
        assert!(found.findings[0].remediation[0].commands[0].contains("--name extra"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &kubenet()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // Private space, and the same way as the default.
        for (prefix, hop) in [
            ("10.99.0.0/16", NextHopType::None),
            ("20.0.0.0/8", NextHopType::Internet),
        ] {
            assert_eq!(outcome(&RULE, &with_route(prefix, hop)), Outcome::passed());
        }
        // A default route is OUT101's or OUT102's.
        let dropped = outcome(&RULE, &with_route("0.0.0.0/0", NextHopType::None));
        assert_eq!(dropped, Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = kubenet();
        facts
            .route_tables
            .insert(route_table_id(), Datum::not_asked("test"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        // OUT102 says what a table with nothing but an appliance does.
        assert!(!codes(&outcome(&RULE, &with_firewall_route(kubenet()))).is_empty());
    }

    #[test]
    fn r1_81_cannot_tell_without_plugin_or_pod_range() {
        let mut facts = kubenet();
        network_mut(&mut facts).plugin = None;
        assert!(outcome(&RULE, &facts).is_open());
        // No pod range: the pods' routes are there, but cannot be told from others.
        let mut facts = kubenet();
        network_mut(&mut facts).pod_cidrs.clear();
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open(), "{open:?}");
    }
}
