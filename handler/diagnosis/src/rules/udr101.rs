//! UDR101: type userDefinedRouting, and a pool subnet has no route table.

use super::routing::{create_table, only_for, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::path::{HubDefault, Path};
use crate::report::{Confidence, Severity};

/// Type userDefinedRouting, and a pool subnet has no route table.
pub(super) const RULE: Rule = Rule {
    code: "UDR101",
    slug: "no-route-table",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether each pool subnet has a route table.",
        why: "With this type AKS makes no address to leave with: the way out is the route table's default route. A subnet \
              without table has none, and AKS refuses the next update of the cluster.",
        evidence: "The subnet, whose `routeTable` is empty, and what becomes of its packets today.",
        fix: "Associate the route table that the other pool subnets use, or create one with a default route to the firewall.",
        how_sure: "Certain about the missing table. High for a private cluster whose network has a gateway, since the \
                   default route may come from there. High, too, where a secured virtual hub gives the default route: egress \
                   works then, but AKS looks at the route table only.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-udr",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::UserDefinedRouting],
        "the outbound type is not userDefinedRouting",
    ) {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    for path in &ctx.paths {
        let Ok(subnet) = &path.used.subnet else {
            continue;
        };
        if subnet.route_table_id.is_some() {
            continue;
        }
        let private = ctx.cluster().api_server.private_cluster == Some(true);
        let by_hub = given_by_hub(path);
        let by_gateway = path.routes.gateway.is_some() && !by_hub;
        let mut found = RULE
            .finding(format!(
                "{} has no route table, which outbound type userDefinedRouting needs",
                super::out106::capital(&path.used.label())
            ))
            .explain(format!(
                "With this type the way out is the route table's default route. Today: {}.{}",
                path.carrier.why,
                if by_hub {
                    " AKS looks at the route table only and refuses the next change of the cluster."
                } else {
                    ""
                }
            ))
            .evidence(
                "routeTable of the subnet",
                Some(path.used.id),
                Some("none".to_owned()),
            );
        if by_gateway {
            found = found.confidence(Confidence::Likely);
        }
        if by_hub || (by_gateway && private) {
            found = found.severity(Severity::High);
        }
        found = show_subnets(found, &[path]).fix(create_table(ctx, path.used.id));
        outcome.findings.push(found);
    }
    outcome
}

/// Whether a virtual hub gives the default route: egress then works, although AKS looks at the route table only (R3.14).
pub(super) fn given_by_hub(path: &Path<'_>) -> bool {
    matches!(path.routes.hub, Some(HubDefault::Given { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, firewall_routing, load_balancer, outcome, split_pools, subnet_id,
        subnet_mut, with_gateway,
    };

    fn without_table() -> crate::facts::Facts {
        let mut facts = split_pools(firewall_routing());
        subnet_mut(&mut facts, "user").route_table_id = None;
        facts
    }

    #[test]
    fn r2_32_fires() {
        let found = outcome(&RULE, &without_table());
        assert_eq!(codes(&found), ["UDR101"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["user"]);
        assert!(finding.remediation[0].commands[0].contains("routeTables/rt-egress"));
    }

    #[test]
    fn r1_64_fires_as_high_for_a_private_cluster_with_a_gateway() {
        let mut facts = without_table();
        with_gateway(&mut facts);
        assert_eq!(
            outcome(&RULE, &facts).findings[0].severity,
            Severity::Critical
        );
        facts.cluster.api_server.private_cluster = Some(true);
        let finding = &outcome(&RULE, &facts).findings[0];
        assert_eq!(
            (finding.severity, finding.blocks_egress),
            (Severity::High, false)
        );
    }

    #[test]
    fn r3_14_fires_as_high_where_a_virtual_hub_gives_the_default_route() {
        let mut facts = split_pools(load_balancer());
        crate::testing::network_mut(&mut facts).outbound_type =
            Some(OutboundType::UserDefinedRouting);
        crate::testing::with_hub(&mut facts);
        let finding = &outcome(&RULE, &facts).findings[0];
        assert_eq!(
            (finding.severity, finding.blocks_egress),
            (Severity::High, false)
        );
        assert!(
            finding
                .explanation
                .contains("virtual hub hub leads to VirtualAppliance 10.9.0.4")
        );
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = without_table();
        facts.subnets.insert(
            subnet_id("user"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
