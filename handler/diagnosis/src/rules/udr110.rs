//! UDR110: two halves stand in for the default route.

use super::routing::{az_route, only_for, shared, show_subnets, with_table};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::report::{Confidence, Remediation, Severity};

/// Two halves stand in for the default route.
pub(super) const RULE: Rule = Rule {
    code: "UDR110",
    slug: "split-default-route",
    severity: Severity::Medium,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether 0.0.0.0/1 and 128.0.0.0/1 stand in a pool's route table in place of 0.0.0.0/0.",
        why: "Packets follow the halves just the same, but AKS looks for a literal 0.0.0.0/0 and may refuse the next update of the cluster.",
        evidence: "The route table and its two halves.",
        fix: "Add a route for 0.0.0.0/0 with the same next hop.",
        how_sure: "Certain about the routes; that AKS refuses them is inferred from its validation of the default route.",
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
    for (path, table) in with_table(ctx, &mut outcome) {
        let route = |prefix: &str| {
            let mut routes = table.routes.iter();
            routes.find(|route| route.address_prefix.trim() == prefix)
        };
        let (None, Some(low), Some(high)) =
            (route("0.0.0.0/0"), route("0.0.0.0/1"), route("128.0.0.0/1"))
        else {
            continue;
        };
        let name = "default";
        let create = az_route("create", &table.id, name)
            .opt("--address-prefix", "0.0.0.0/0")
            .opt("--next-hop-type", low.next_hop_type.as_str());
        let create = match &low.next_hop_ip {
            Some(ip) => create.opt("--next-hop-ip-address", ip),
            None => create,
        };
        let mut found = RULE
            .finding(format!(
                "Route table {} of {} has two halves in place of a default route",
                table.id.name(),
                path.used.label()
            ))
            .confidence(Confidence::Likely)
            .explain("Packets follow 0.0.0.0/1 and 128.0.0.0/1 as they would follow 0.0.0.0/0, but AKS looks for the literal route when the cluster is updated.")
            .resource(&table.id);
        for half in [low, high] {
            found = found.evidence(
                format!("route {} for {}", half.name, half.address_prefix),
                Some(&table.id),
                Some(half.next_hop_type.as_str().to_owned()),
            );
        }
        let fix = Remediation::new("Add the literal default route")
            .command(create.build())
            .side_effect(shared(table))
            .side_effect("Packets keep following the halves, which are more specific")
            .undo(az_route("delete", &table.id, name).build());
        outcome.findings.push(show_subnets(found.fix(fix), &[path]));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, NextHopType};
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, route, route_table, route_table_id,
    };

    fn halves() -> crate::facts::Facts {
        let mut facts = firewall_routing();
        let half = |name, prefix| {
            route(
                name,
                prefix,
                NextHopType::VirtualAppliance,
                Some("10.1.0.4"),
            )
        };
        let routes = vec![half("low", "0.0.0.0/1"), half("high", "128.0.0.0/1")];
        route_table(&mut facts, routes);
        facts
    }

    #[test]
    fn r2_52_fires() {
        let found = outcome(&RULE, &halves());
        assert_eq!(codes(&found), ["UDR110"]);
        assert!(
            found.findings[0].remediation[0].commands[0]
                .ends_with("--next-hop-ip-address 10.1.0.4")
        );
        let report = crate::diagnose(&halves());
        assert_eq!(
            report.outbound.paths[0].next_hop.hop_type,
            "VirtualAppliance"
        );
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = halves();
        facts
            .route_tables
            .insert(route_table_id(), Datum::not_asked("test"));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
