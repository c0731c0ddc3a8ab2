//! UDR109: the default route must come from a gateway, and the route table keeps it out.

use super::routing::{has_default, only_for, shared, show_subnets, suppressed_gateway, with_table};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::OutboundType;
use crate::path::gateway;
use crate::report::{Remediation, Severity};

/// The default route must come from a gateway, and the route table keeps it out.
pub(super) const RULE: Rule = Rule {
    code: "UDR109",
    slug: "gateway-routes-suppressed",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether a pool's route table has no default route of its own, the \
               network has a gateway to learn one from, and the table sets `disableBgpRoutePropagation`.",
        why: "With propagation switched off, no route of the gateway reaches the subnet. The way out that the gateway \
              announces is then missing.",
        evidence: "The route table's `disableBgpRoutePropagation`, its lack of a default route, and the gateway.",
        fix: "Switch propagation on, or add a default route to the table.",
        how_sure: "Certain that the subnet learns no route. That the gateway would announce a default is assumed from its \
                   being there.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/aks/egress-udr",
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
        if !has_default(table) {
            match &path.routes.network {
                Err(missing) => outcome.missing.push(missing.clone()),
                Ok(network) if table.disable_bgp_route_propagation.is_none() => {
                    outcome.undecided.extend(gateway(network).map(|gateway| {
                        format!(
                            "{gateway}; route table {} does not say whether it keeps the gateway's routes out",
                            table.id.name()
                        )
                    }));
                }
                Ok(_) => {}
            }
        }
        let Some(gateway) = suppressed_gateway(path) else {
            continue;
        };
        let set = |value: &str| {
            Az::new("network route-table update")
                .opt("--ids", table.id.as_str())
                .opt("--disable-bgp-route-propagation", value)
                .build()
        };
        let found = RULE
            .finding(format!(
                "Route table {} keeps the gateway's routes from {}, which has no default route of its own",
                table.id.name(),
                path.used.label()
            ))
            .explain(format!("{}, but the table sets disableBgpRoutePropagation, so that nothing the gateway announces reaches the subnet.", super::out106::capital(&gateway)))
            .evidence("disableBgpRoutePropagation", Some(&table.id), Some("true".to_owned()))
            .evidence("routes for 0.0.0.0/0 in the route table", Some(&table.id), Some("none".to_owned()))
            .resource(&table.id)
            .fix(
                Remediation::new("Let the gateway's routes reach the subnet")
                    .command(set("false"))
                    .side_effect(shared(table))
                    .side_effect("All routes of the gateway then apply, not the default only")
                    .undo(set("true")),
            )
            .fix(super::routing::create_default(ctx, table));
        outcome.findings.push(show_subnets(found, &[path]));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, route_table_mut, vnet_id, with_gateway,
    };

    fn suppressed() -> crate::facts::Facts {
        let mut facts = firewall_routing();
        with_gateway(&mut facts);
        let table = route_table_mut(&mut facts);
        table.routes.clear();
        table.disable_bgp_route_propagation = Some(true);
        facts
    }

    #[test]
    fn r2_45_fires() {
        let found = outcome(&RULE, &suppressed());
        assert_eq!(codes(&found), ["UDR109"]);
        assert!(found.findings[0].blocks_egress);
        let report = crate::diagnose(&suppressed());
        assert!(
            report.findings.iter().all(|f| f.code != "UDR102"),
            "UDR109 says it"
        );
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        let mut on = suppressed();
        route_table_mut(&mut on).disable_bgp_route_propagation = Some(false);
        assert_eq!(outcome(&RULE, &on), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = suppressed();
        facts
            .virtual_networks
            .insert(vnet_id(), Datum::not_asked("test"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }

    #[test]
    fn r2_45_cannot_tell_when_the_table_does_not_say() {
        let mut facts = suppressed();
        route_table_mut(&mut facts).disable_bgp_route_propagation = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
