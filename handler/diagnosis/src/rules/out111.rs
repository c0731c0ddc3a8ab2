//! OUT111: only Azure's default outbound access carries the packets.

use super::routing::{by_carrier_where, explicit_method, isolated, pools, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::path::Path;
use crate::report::{Method, Severity};

/// Only Azure's default outbound access carries the packets.
pub(super) const RULE: Rule = Rule {
    code: "OUT111",
    slug: "default-outbound-access",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether a pool subnet reaches the internet only by Azure's default outbound access: its default route leads \
               to Internet, it is not private, and no NAT gateway, node address or outbound rule carries it.",
        why: "That address belongs to nobody, changes without notice and differs between nodes. Azure retires it; new \
              subnets do not have it.",
        evidence: "The subnet, whose `defaultOutboundAccess` is not false, and its lack of any other method.",
        fix: "Give the subnet the method that the outbound type promises.",
        how_sure: "Certain that no explicit method is there. Likely that the packets leave: Azure documents default access \
                   only for subnets that are not private.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress; OUT113 looks at it");
    }
    if !super::routing::known_type(ctx) {
        return Outcome::undecided("what an unknown outbound type brings along is not known");
    }
    let mut outcome = Outcome::passed();
    let may = |path: &Path<'_>| !matches!(path.used.subnet, Ok(s) if s.default_outbound_access == Some(false));
    let by_default = |path: &Path<'_>| path.carrier.method == Method::DefaultOutboundAccess;
    let paths = by_carrier_where(ctx, &mut outcome, may, by_default);
    if paths.is_empty() {
        return outcome;
    }
    let mut found = RULE
        .finding(format!(
            "Only Azure's default outbound access carries {}",
            pools_label(&pools(paths.iter().copied()))
        ))
        .explain("No NAT gateway, node address or outbound rule carries these packets. They leave by an address that belongs to nobody, changes without notice, and is being retired.");
    for path in &paths {
        let value = match path.used.subnet.as_ref().map(|s| s.default_outbound_access) {
            Ok(Some(value)) => value.to_string(),
            _ => "not set".to_owned(),
        };
        let text = format!("defaultOutboundAccess of {}", path.used.label());
        found = found.evidence(text, Some(path.used.id), Some(value));
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
        codes, denied, load_balancer, nat_gateway, outcome, subnet_id, subnet_mut,
    };

    fn without_gateway() -> crate::facts::Facts {
        let mut facts = nat_gateway();
        subnet_mut(&mut facts, "user").nat_gateway_id = None;
        facts
    }

    #[test]
    fn t7_fires() {
        for access in [None, Some(true)] {
            let mut facts = without_gateway();
            subnet_mut(&mut facts, "user").default_outbound_access = access;
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["OUT111"]);
            let finding = &found.findings[0];
            assert_eq!(finding.affected.node_pools, ["user"]);
            assert!(!finding.blocks_egress);
            assert!(finding.remediation[0].commands[0].contains("--nat-gateway"));
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // R2.5: a private subnet has none.
        assert_eq!(outcome(&RULE, &without_gateway()), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = without_gateway();
        facts.subnets.insert(
            subnet_id("user"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
        // R1.60: a newer type may bring a method that this version does not know.
        let mut facts = without_gateway();
        subnet_mut(&mut facts, "user").default_outbound_access = None;
        crate::testing::network_mut(&mut facts).outbound_type =
            Some(crate::facts::OutboundType::Other("newer".to_owned()));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
