//! UDR102: type userDefinedRouting, and the route table has no default route.

use super::routing::{
    create_default, has_default, only_for, show_subnets, suppressed_gateway, with_table,
};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::report::{Confidence, Method, Severity};

/// Type userDefinedRouting, and the route table has no default route.
pub(super) const RULE: Rule = Rule {
    code: "UDR102",
    slug: "no-default-route",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether the route table of each pool subnet has a default route, or \
               both halves of one.",
        why: "Without it packets do not go to the firewall. AKS prepares no other way out for this type and refuses the next \
              update of the cluster.",
        evidence: "The route table, and what becomes of the packets today.",
        fix: "Add a default route to the firewall to the table.",
        how_sure: "Certain about the missing route. High instead of critical when another method still carries the packets, \
                   such as the default route of a secured virtual hub, which AKS does not look at, or when a gateway may \
                   announce the default route of a private cluster.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-udr",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
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
    for (path, table) in with_table(ctx, &mut outcome) {
        // UDR109 is the finding where the table itself keeps the gateway's route out.
        if has_default(table) || suppressed_gateway(path).is_some() {
            continue;
        }
        let private = ctx.cluster().api_server.private_cluster == Some(true);
        let by_hub = super::udr101::given_by_hub(path);
        let by_gateway = path.routes.gateway.is_some() && !by_hub;
        let carried = !matches!(path.carrier.method, Method::None | Method::Unknown);
        let mut found = RULE
            .finding(format!(
                "Route table {} of {} has no default route",
                table.id.name(),
                path.used.label()
            ))
            .explain(format!(
                "Outbound type userDefinedRouting needs a default route to a firewall. Today: {}.",
                path.carrier.why
            ))
            .evidence(
                "routes for 0.0.0.0/0 in the route table",
                Some(&table.id),
                Some("none".to_owned()),
            )
            .resource(&table.id);
        if by_gateway {
            found = found.confidence(Confidence::Likely);
        }
        if carried || (by_gateway && private) {
            found = found.severity(Severity::High);
        }
        outcome
            .findings
            .push(show_subnets(found, &[path]).fix(create_default(ctx, table)));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, NextHopType};
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, route, route_table_id, route_table_mut,
        subnet_mut,
    };

    fn without_default() -> crate::facts::Facts {
        let mut facts = firewall_routing();
        route_table_mut(&mut facts).routes.clear();
        facts
    }

    #[test]
    fn r2_33_fires() {
        let found = outcome(&RULE, &without_default());
        assert_eq!(codes(&found), ["UDR102"]);
        assert!(found.findings[0].blocks_egress);
        assert!(
            found.findings[0].remediation[0].commands[0].contains("--address-prefix 0.0.0.0/0")
        );
    }

    #[test]
    fn r2_33_fires_as_high_while_another_method_carries() {
        let mut facts = without_default();
        subnet_mut(&mut facts, "nodes").default_outbound_access = None;
        let finding = &outcome(&RULE, &facts).findings[0];
        assert_eq!(finding.severity, Severity::High);
        assert!(finding.explanation.contains("default outbound access"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // R2.52
        let mut facts = without_default();
        for (name, prefix) in [("low", "0.0.0.0/1"), ("high", "128.0.0.0/1")] {
            let half = route(
                name,
                prefix,
                NextHopType::VirtualAppliance,
                Some("10.1.0.4"),
            );
            route_table_mut(&mut facts).routes.push(half);
        }
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = without_default();
        facts
            .route_tables
            .insert(route_table_id(), Datum::not_asked("test"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
