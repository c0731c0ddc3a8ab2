//! CLS101: the cluster does not run.

use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::PowerState;
use crate::report::{Remediation, Severity};

/// The cluster does not run.
pub(super) const RULE: Rule = Rule {
    code: "CLS101",
    slug: "cluster-not-running",
    severity: Severity::High,
    step: Step::ClusterState,
    docs: Docs {
        what: "Whether `powerState.code` of the managed cluster is `Running`.",
        why: "A stopped cluster has no nodes, so nothing sends traffic. Connection tests from it fail whatever the \
              network looks like. The network itself is still checked; metrics and live probes have no meaning.",
        evidence: "The power state that Azure Resource Manager returns.",
        fix: "Start the cluster with `az aks start`.",
        how_sure: "Certain: the state comes from the cluster itself. A body without a power state leaves the check open.",
        references: &["https://learn.microsoft.com/azure/aks/start-stop-cluster"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let cluster = ctx.cluster();
    let state = match &cluster.power_state {
        None => return Outcome::undecided("the cluster's body has no power state"),
        Some(PowerState::Running) => return Outcome::passed(),
        Some(PowerState::Stopped) => "Stopped",
        Some(PowerState::Other(word)) => word,
    };
    let fix = Remediation::new("Start the cluster")
        .command(ctx.az_aks("start").build())
        .side_effect("Nodes are created again and cost money from then on")
        .undo(ctx.az_aks("stop").build());
    Outcome::found(
        RULE.finding(format!("Cluster {} is not running: its power state is {state}", cluster.name))
            .explain("No node is there to send traffic. Network checks still apply to the time after the next start.")
            .evidence("powerState.code", Some(&cluster.id), Some(state.to_owned()))
            .resource(&cluster.id)
            .fix(fix),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, load_balancer, outcome};

    #[test]
    fn fires() {
        let mut facts = load_balancer();
        facts.cluster.power_state = Some(PowerState::Stopped);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["CLS101"]);
        assert!(!found.findings[0].blocks_egress);
        assert!(found.findings[0].remediation[0].commands[0].starts_with("az aks start "));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        facts.cluster.power_state = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
