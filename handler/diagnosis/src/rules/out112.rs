//! OUT112: a private subnet without any way out.

use super::routing::{
    by_carrier_where, explicit_method, implicit_rule, isolated, pools, show_subnets,
};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::path::Path;
use crate::report::Severity;

/// A private subnet without any way out.
pub(super) const RULE: Rule = Rule {
    code: "OUT112",
    slug: "no-egress-method",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether a pool subnet has no way to the internet at all: its default route leads to Internet, it is private \
               (`defaultOutboundAccess` is false), and no NAT gateway, node address or outbound rule carries it.",
        why: "Packets to the internet have no address to leave with and are dropped.",
        evidence: "The subnet with its `defaultOutboundAccess`, and its lack of any method.",
        fix: "Give the subnet the method that the outbound type promises.",
        how_sure: "Certain: private subnets get no default outbound access; nodes that ran before the subnet became \
                   private keep it until they are deallocated. Left open where a load balancing rule may still \
                   translate implicitly.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat-connectivity",
        ],
    },
    check,
};

/// T8: nothing, though the route would lead to the internet.
fn stranded(path: &Path<'_>) -> bool {
    path.carrier.method == crate::report::Method::None
        && path
            .routes
            .default
            .via()
            .is_some_and(|via| via.hop == crate::network::routes::Hop::Internet)
}

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress");
    }
    if !super::routing::known_type(ctx) {
        return Outcome::undecided("what an unknown outbound type brings along is not known");
    }
    let mut outcome = Outcome::passed();
    let may = |path: &Path<'_>| !matches!(path.used.subnet, Ok(s) if s.default_outbound_access != Some(false));
    let paths = by_carrier_where(ctx, &mut outcome, may, stranded);
    if paths.is_empty() {
        return outcome;
    }
    if let Some(rule) = implicit_rule(ctx) {
        outcome.undecided.push(format!(
            "load balancing rule {rule} may translate packets that no other method carries"
        ));
        return outcome;
    }
    let mut found = RULE
        .finding(format!(
            "{} cannot reach the internet: no method carries {} packets, and the subnet is private",
            super::out106::capital(&pools_label(&pools(paths.iter().copied()))),
            if pools(paths.iter().copied()).len() == 1 { "its" } else { "their" },
        ))
        .explain("The default route leads to Internet, but no NAT gateway, node address or outbound rule gives the packets an address to leave with. Nodes that ran when the subnet became private keep default outbound access until they are deallocated; new nodes have none.");
    for path in &paths {
        let text = format!("defaultOutboundAccess of {}", path.used.label());
        found = found.evidence(text, Some(path.used.id), Some("false".to_owned()));
    }
    found = show_subnets(found, &paths);
    for fix in explicit_method(ctx, &paths) {
        found = found.fix(fix);
    }
    outcome.findings.push(found);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, isolated, load_balancer, nat_gateway, outcome, subnet_id, subnet_mut,
    };

    fn without_gateway() -> crate::facts::Facts {
        let mut facts = nat_gateway();
        subnet_mut(&mut facts, "user").nat_gateway_id = None;
        facts
    }

    #[test]
    fn t8_fires() {
        let found = outcome(&RULE, &without_gateway());
        assert_eq!(codes(&found), ["OUT112"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["user"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &isolated()).not_applicable.is_some());
        // T7
        let mut facts = without_gateway();
        subnet_mut(&mut facts, "user").default_outbound_access = Some(true);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // OUT106 is the cause of the same for the load balancer.
        let mut facts = load_balancer();
        crate::testing::lb_mut(&mut facts).outbound_rules.clear();
        let report = crate::diagnose(&facts);
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, ["OUT106"]);
        assert_eq!(report.outbound.paths[0].cause.as_deref(), Some("OUT106"));
    }

    #[test]
    fn cannot_tell() {
        let mut facts = without_gateway();
        facts.subnets.insert(
            subnet_id("user"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        assert!(outcome(&RULE, &facts).findings.is_empty() && outcome(&RULE, &facts).is_open());
        // R1.35
        let mut facts = without_gateway();
        facts.load_balancer = load_balancer().load_balancer;
        let lb = crate::testing::lb_mut(&mut facts);
        lb.outbound_rules.clear();
        lb.rules[0].disable_outbound_snat = Some(false);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.undecided[0].contains("rule web"));
    }
}
