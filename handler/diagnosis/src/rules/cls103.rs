//! CLS103: an outbound type that this version does not know.

use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::report::Severity;

/// An outbound type that this version does not know.
pub(super) const RULE: Rule = Rule {
    code: "CLS103",
    slug: "unknown-outbound-type",
    severity: Severity::Info,
    step: Step::ClusterState,
    docs: Docs {
        what: "Whether `networkProfile.outboundType` is one of the values that this version knows.",
        why: "The outbound type says what AKS promises to carry the traffic with. A newer value means that the checks \
              that compare promise and reality have nothing to compare with.",
        evidence: "The value as Azure spells it.",
        fix: "Nothing is wrong with the cluster. Use a newer version of this tool.",
        how_sure: "Certain. A cluster body without the field leaves the check open.",
        references: &["https://learn.microsoft.com/azure/aks/egress-outboundtype"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    match ctx.outbound_type() {
        None => Outcome::undecided("the cluster's body has no outbound type"),
        Some(OutboundType::Other(word)) => Outcome::found(
            RULE.finding(format!("Outbound type {word} is not known to this version"))
                .explain("Checks that depend on the outbound type are left open.")
                .evidence(
                    "networkProfile.outboundType",
                    Some(&ctx.cluster().id),
                    Some(word.clone()),
                ),
        ),
        Some(_) => Outcome::passed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, load_balancer, network_mut, outcome};

    #[test]
    fn fires() {
        let mut facts = load_balancer();
        network_mut(&mut facts).outbound_type = Some(OutboundType::parse("quantumTunnel"));
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["CLS103"]);
        assert_eq!(found.findings[0].severity, Severity::Info);
    }

    #[test]
    fn r1_60_does_not_fire() {
        for known in [
            "loadBalancer",
            "managedNATGateway",
            "managedNATGatewayV2",
            "userAssignedNATGateway",
            "userDefinedRouting",
            "none",
            "block",
            "LOADBALANCER",
        ] {
            let mut facts = load_balancer();
            network_mut(&mut facts).outbound_type = Some(OutboundType::parse(known));
            assert_eq!(outcome(&RULE, &facts), Outcome::passed(), "{known}");
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        facts.cluster.network = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
