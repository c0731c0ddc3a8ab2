//! UDR106: pool subnets have different default routes.

use super::routing::{by_default, only_for, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::report::{Remediation, RouteSource, Severity};

/// Pool subnets have different default routes.
pub(super) const RULE: Rule = Rule {
    code: "UDR106",
    slug: "pools-route-differently",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether the default routes of all pool subnets lead to the same next hop.",
        why: "Pools of one cluster then leave by different ways: what one firewall admits, the other may not, and a pod works or fails depending on where it is scheduled.",
        evidence: "Each default route with its next hop and its subnet.",
        fix: "Give all pool subnets the same default route, best by the same route table.",
        how_sure: "Certain about the routes. Two appliances may be wanted. Subnets without default route are UDR101 and UDR102.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-udr",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
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
    let mut groups = by_default(ctx, &mut outcome, |via| via.source == RouteSource::User);
    groups.retain(|group| !group.half);
    let Some(first) = groups.first() else {
        return outcome;
    };
    if groups.iter().all(|group| group.via.hop == first.via.hop) {
        return outcome;
    }
    // The way of the most subnets is taken for the wanted one.
    let usual = groups
        .iter()
        .rev()
        .max_by_key(|group| group.paths.len())
        .unwrap_or(first);
    let mut found = RULE
        .finding("Pool subnets of this cluster have different default routes")
        .explain("Packets leave by different ways, depending on the pool that a pod runs in. What one way admits, the other may drop.");
    let mut fix = Remediation::new("Give all pool subnets the same route table")
        .side_effect("Open connections break, and the egress address changes: authorized IP ranges and allow-lists elsewhere first");
    for group in &groups {
        for path in &group.paths {
            found = found.evidence(
                format!("{} of {}", group.via.label(), path.used.label()),
                group.via.table.as_ref(),
                Some(group.via.hop_label()),
            );
            if group.via.hop == usual.via.hop {
                continue;
            }
            let update = || super::nat101::subnet_update(path.used.id);
            if let (Some(wanted), Some(old)) = (&usual.via.table, &group.via.table) {
                fix = fix
                    .command(update().opt("--route-table", wanted.as_str()).build())
                    .undo(update().opt("--route-table", old.as_str()).build());
            }
        }
        found = show_subnets(found, &group.paths);
    }
    outcome.findings.push(found.fix(fix));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, second_route_table, split_pools,
    };

    #[test]
    fn r2_41_fires() {
        let facts = second_route_table(split_pools(firewall_routing()), "10.1.0.9");
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["UDR106"]);
        let finding = &found.findings[0];
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        assert_eq!(finding.evidence.len(), 2);
        assert_eq!(finding.remediation[0].commands.len(), 1);
    }

    #[test]
    fn does_not_fire() {
        // Two tables, one appliance.
        let facts = second_route_table(split_pools(firewall_routing()), "10.1.0.4");
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = second_route_table(split_pools(firewall_routing()), "10.1.0.9");
        for datum in facts.route_tables.values_mut() {
            *datum = Datum::not_asked("test");
        }
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
