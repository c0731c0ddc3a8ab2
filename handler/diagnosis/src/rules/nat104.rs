//! NAT104: a NAT gateway type, but the default route leads to an appliance.

use super::migration::may_become;
use super::routing::{NAT_GATEWAY, by_default, delete, find, only_for};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::network::routes::Hop;
use crate::report::{Remediation, Severity};

/// A NAT gateway type, but the default route leads to an appliance.
pub(super) const RULE: Rule = Rule {
    code: "NAT104",
    slug: "gateway-bypassed",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For the NAT gateway outbound types: whether the default route of a pool's subnet leads to a virtual appliance.",
        why: "A user route to an appliance comes before the NAT gateway. Packets leave with the appliance's address, if it \
              lets them, and the NAT gateway carries nothing.",
        evidence: "The route, its route table, the appliance's address and the subnets that use the table.",
        fix: "Delete the route, or change the outbound type to `userDefinedRouting` when the appliance is wanted.",
        how_sure: "Certain: the order of the methods is documented (R2.1).",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-design",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &NAT_GATEWAY,
        "the outbound type promises no NAT gateway",
    ) {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    for routed in by_default(ctx, &mut outcome, |via| {
        matches!(via.hop, Hop::VirtualAppliance(_))
    }) {
        let mut found = RULE
            .finding(format!(
                "{} bypasses the NAT gateway: {} leads to {}",
                routed.who(),
                routed.via.label(),
                routed.via.hop_label()
            ))
            .explain("The outbound type promises the NAT gateway's addresses. The route sends the packets to an appliance first, and the NAT gateway carries nothing.");
        found = routed.show(found);
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(delete(
                "Delete the route: packets then leave by the NAT gateway",
                table,
                route,
            ));
        }
        if may_become(ctx, &OutboundType::UserDefinedRouting) {
            found = found.fix(
                Remediation::new("Or declare what is the case: outbound type userDefinedRouting")
                    .command(
                        ctx.az_aks("update")
                            .opt("--outbound-type", "userDefinedRouting")
                            .build(),
                    )
                    .side_effect("Open connections break and the egress address changes: authorized IP ranges and allow-lists first")
                    .undo(ctx.az_aks("update").opt("--outbound-type", "userAssignedNATGateway").build()),
            );
        }
        outcome.findings.push(found);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, load_balancer, nat_gateway, outcome, with_firewall_route, with_gateway,
    };

    #[test]
    fn r2_29_fires() {
        let found = outcome(&RULE, &with_firewall_route(nat_gateway()));
        assert_eq!(codes(&found), ["NAT104"]);
        let finding = &found.findings[0];
        assert_eq!(
            (finding.severity, finding.blocks_egress),
            (Severity::High, false)
        );
        assert!(finding.remediation[0].commands[0].contains("route delete"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &nat_gateway()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = nat_gateway();
        with_gateway(&mut facts);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
