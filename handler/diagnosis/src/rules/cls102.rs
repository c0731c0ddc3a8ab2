//! CLS102: the last operation on the cluster or an agent pool failed.

use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::Id;
use crate::report::{Confidence, Finding, Remediation, Severity};

/// The last operation on the cluster or an agent pool failed.
pub(super) const RULE: Rule = Rule {
    code: "CLS102",
    slug: "cluster-not-succeeded",
    severity: Severity::Medium,
    step: Step::ClusterState,
    docs: Docs {
        what: "Whether `provisioningState` of the cluster or of one of its agent pools is `Failed`.",
        why: "A failed operation often failed because of egress: nodes that cannot reach their bootstrap endpoints never \
              join. It also means that the network may not be what the cluster's settings say.",
        evidence: "The provisioning state, and Azure's own error where the answer carries one.",
        fix: "Mend what the error names, then let AKS settle the cluster again with `az aks update`.",
        how_sure: "Certain that the last operation failed; whether egress is the reason depends on the error.",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/availability-performance/cluster-node-virtual-machine-failed-state",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    let cluster = ctx.cluster();
    match &cluster.provisioning_state {
        None => outcome
            .undecided
            .push("the cluster's body has no provisioning state".to_owned()),
        Some(state) if failed(state) => outcome.findings.push(finding(
            ctx,
            &format!("cluster {}", cluster.name),
            state,
            cluster.provisioning_error.as_deref(),
        )),
        Some(_) => {}
    }
    match ctx.pools() {
        Err(missing) => outcome.missing.push(missing),
        Ok(pools) => {
            for pool in pools {
                match &pool.provisioning_state {
                    Some(state) if failed(state) => {
                        let what = format!("node pool {}", pool.name);
                        let error = pool.provisioning_error.as_deref();
                        let found = finding(ctx, &what, state, error).pools([pool.name.as_str()]);
                        outcome.findings.push(found);
                    }
                    Some(_) => {}
                    None => outcome
                        .undecided
                        .push(format!("node pool {} has no provisioning state", pool.name)),
                }
            }
        }
    }
    outcome
}

fn failed(state: &str) -> bool {
    state.eq_ignore_ascii_case("Failed")
}

fn finding(ctx: &Context<'_>, what: &str, state: &str, error: Option<&str>) -> Finding {
    let id: &Id = &ctx.cluster().id;
    let found = RULE
        .finding(format!("The last operation on {what} failed"))
        .confidence(Confidence::Certain)
        .explain("Its settings may not be in effect. Nodes that could not reach a required endpoint are a common reason.")
        .evidence(format!("provisioningState of {what}"), Some(id), Some(state.to_owned()))
        .fix(
            Remediation::new("Mend the cause, then let AKS settle the cluster again")
                .command(ctx.az_aks("update").build())
                .side_effect("AKS applies its own settings again; edits made by hand in the node resource group are lost"),
        )
        .resource(id);
    match error {
        Some(error) => found.evidence("Azure's error", Some(id), Some(error.to_owned())),
        None => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{codes, denied, load_balancer, outcome, pools_mut};

    #[test]
    fn fires() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[0].provisioning_state = Some("failed".into());
        pools_mut(&mut facts)[0].provisioning_error =
            Some("VMExtensionError_OutboundConnFail".into());
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["CLS102"]);
        assert_eq!(found.findings[0].affected.node_pools, ["system"]);
        assert_eq!(
            found.findings[0].evidence[1].value.as_deref(),
            Some("VMExtensionError_OutboundConnFail")
        );
    }

    #[test]
    fn does_not_fire() {
        let mut facts = load_balancer();
        facts.cluster.provisioning_state = Some("Updating".into());
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        let open = outcome(&RULE, &facts);
        assert_eq!(open.missing.len(), 1);
        assert!(matches!(open.missing[0].how, Datum::Denied { .. }));
    }

    #[test]
    fn cannot_tell_without_a_pools_state() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[0].provisioning_state = None;
        let open = outcome(&RULE, &facts);
        assert!(open.undecided[0].contains("system"), "{open:?}");
    }
}
