//! CLS104: a Basic load balancer.

use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Remediation, Severity};

/// A Basic load balancer.
pub(super) const RULE: Rule = Rule {
    code: "CLS104",
    slug: "basic-load-balancer",
    severity: Severity::High,
    step: Step::ClusterState,
    docs: Docs {
        what: "Whether `networkProfile.loadBalancerSku` is `basic`.",
        why: "Outbound types need the Standard SKU. A Basic load balancer has no outbound rules, no SNAT metrics and no \
              support any more: egress from it hangs on behaviour that Azure is taking away.",
        evidence: "The SKU in the cluster's network profile.",
        fix: "Move the cluster to a Standard load balancer.",
        how_sure: "Certain: the SKU comes from the cluster itself. SNAT arithmetic is left out for such a cluster.",
        references: &[
            "https://learn.microsoft.com/azure/aks/load-balancer-standard",
            "https://learn.microsoft.com/azure/aks/upgrade-basic-load-balancer-on-aks",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let Some(sku) = ctx.network().and_then(|n| n.load_balancer_sku.as_deref()) else {
        return Outcome::undecided("the cluster's body has no load balancer SKU");
    };
    if !sku.eq_ignore_ascii_case("basic") {
        return Outcome::passed();
    }
    let cluster = ctx.cluster();
    Outcome::found(
        RULE.finding(format!(
            "Cluster {} uses a Basic load balancer",
            cluster.name
        ))
        .explain("Outbound types need the Standard SKU; the Basic SKU is out of support.")
        .evidence(
            "networkProfile.loadBalancerSku",
            Some(&cluster.id),
            Some(sku.to_owned()),
        )
        .resource(&cluster.id)
        .fix(
            Remediation::new("Move to a Standard load balancer")
                .command(
                    ctx.az_aks("update")
                        .opt("--load-balancer-sku", "Standard")
                        .build(),
                )
                .side_effect("Traffic stops while the load balancer is replaced")
                .side_effect(
                    "Outbound and inbound addresses change: allow-lists elsewhere must follow",
                )
                .undo("None: a cluster cannot go back to the Basic SKU"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, load_balancer, network_mut, outcome};

    #[test]
    fn r1_61_fires() {
        let mut facts = load_balancer();
        network_mut(&mut facts).load_balancer_sku = Some("Basic".into());
        assert_eq!(codes(&outcome(&RULE, &facts)), ["CLS104"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        network_mut(&mut facts).load_balancer_sku = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
