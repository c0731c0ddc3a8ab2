//! OUT114: the outbound type wants no egress, and nodes bootstrap from the internet.

use super::routing::{ISOLATED, only_for};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Remediation, Severity};

/// The outbound type wants no egress, and nodes bootstrap from the internet.
pub(super) const RULE: Rule = Rule {
    code: "OUT114",
    slug: "isolated-without-cache",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound types `none` and `block`: whether `bootstrapProfile.artifactSource` is `Cache`.",
        why: "Nodes fetch images and binaries from the internet when they start, unless a cache registry is set. Without egress and without cache new nodes never become ready.",
        evidence: "The cluster's artifact source.",
        fix: "Set the artifact source to Cache, then renew the nodes' image.",
        how_sure: "Certain when the cluster names another source. Left open when it names none.",
        references: &[
            "https://learn.microsoft.com/azure/aks/concepts-network-isolated",
            "https://learn.microsoft.com/azure/aks/network-isolated",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(ctx, &ISOLATED, "the outbound type wants egress") {
        return outcome;
    }
    let cluster = ctx.cluster();
    let source = match cluster.artifact_source.as_deref() {
        None => return Outcome::undecided("the cluster's body has no artifact source"),
        Some(source) if source.eq_ignore_ascii_case("Cache") => return Outcome::passed(),
        Some(source) => source,
    };
    let pools = ctx.pools().map_or(Vec::new(), |pools| {
        pools.iter().map(|pool| pool.name.as_str()).collect()
    });
    Outcome::found(
        RULE.finding("New nodes cannot start: the cluster has no egress and no artifact cache")
            .explain("Nodes fetch images and binaries from the internet when they start. The outbound type gives them no way there, and no cache registry is set.")
            .evidence(
                "bootstrapProfile.artifactSource",
                Some(&cluster.id),
                Some(source.to_owned()),
            )
            .pools(pools)
            .resource(&cluster.id)
            .fix(
                Remediation::new("Bootstrap from a cache registry, then renew the nodes' image")
                    .command(
                        ctx.az_aks("update")
                            .opt("--bootstrap-artifact-source", "Cache")
                            .build(),
                    )
                    .command(format!("{} --node-image-only", ctx.az_aks("upgrade").build()))
                    .side_effect("The upgrade renews all nodes, one after the other")
                    .undo(
                        ctx.az_aks("update")
                            .opt("--bootstrap-artifact-source", source)
                            .build(),
                    ),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, isolated as sealed, load_balancer, outcome};

    #[test]
    fn r2_48_fires() {
        let mut facts = sealed();
        facts.cluster.artifact_source = Some("Direct".to_owned());
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT114"]);
        assert!(found.findings[0].blocks_egress);
        assert_eq!(found.findings[0].affected.node_pools, ["system"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &sealed()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = sealed();
        facts.cluster.artifact_source = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
