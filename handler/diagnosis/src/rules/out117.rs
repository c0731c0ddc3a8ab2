//! OUT117: pods may leave through a static egress gateway.

use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::{AgentPool, PoolMode};
use crate::report::{Remediation, Severity};

/// Pods may leave through a static egress gateway.
pub(super) const RULE: Rule = Rule {
    code: "OUT117",
    slug: "static-egress-gateway",
    severity: Severity::Info,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether an agent pool of mode `Gateway` exists: a static egress gateway (R1.87).",
        why: "Annotated pods leave through the gateway pool with addresses of its own public IP prefix and bypass the \
              cluster's outbound path: route, firewall and SNAT ports of this report do not speak of them. Network policies \
              do not apply to that traffic.",
        evidence: "The pools of mode Gateway.",
        fix: "Nothing is wrong. Look up which prefix each gateway has, and put it on the allow-lists of the destinations.",
        how_sure: "Certain that the pool exists. Which pods use it, and its prefix, stand inside the cluster only.",
        references: &["https://learn.microsoft.com/azure/aks/configure-static-egress-gateway"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let pools = match ctx.pools() {
        Err(missing) => return Outcome::missing(missing),
        Ok(pools) => pools,
    };
    let mut outcome = Outcome::passed();
    for pool in pools.iter().filter(|pool| pool.mode.is_none()) {
        outcome
            .undecided
            .push(format!("the mode of node pool {} is not told", pool.name));
    }
    let gateways: Vec<&AgentPool> = pools
        .iter()
        .filter(|pool| pool.mode == Some(PoolMode::Gateway))
        .collect();
    if gateways.is_empty() {
        return outcome;
    }
    let names: Vec<&str> = gateways.iter().map(|pool| pool.name.as_str()).collect();
    let plural = if names.len() == 1 { "is" } else { "are" };
    let mut found = RULE
        .finding(format!(
            "{} {plural} a static egress gateway: pods that use it leave with other addresses",
            super::out106::capital(&pools_label(&names))
        ))
        .explain(
            "Pods with the annotation kubernetes.azure.com/static-gateway-configuration go through this pool and its public \
             IP prefix. What the report says about the cluster's outbound path does not hold for them.",
        )
        .pools(names.iter().copied());
    for pool in &gateways {
        let text = format!("mode of node pool {}", pool.name);
        found = found.evidence(text, Some(&ctx.cluster().id), Some("Gateway".to_owned()));
    }
    outcome.findings.push(
        found.fix(
            Remediation::new("Look up the egress prefix of each gateway configuration")
                .command(
                    "kubectl get staticgatewayconfigurations --all-namespaces --output yaml"
                        .to_owned(),
                )
                .side_effect("None: the command reads")
                .undo("None needed: nothing changes"),
        ),
    );
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, load_balancer, outcome, pools_mut};

    #[test]
    fn r1_87_fires() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].mode = Some(PoolMode::Gateway);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT117"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.affected.node_pools, ["user"]);
        assert!(
            finding
                .title
                .starts_with("Node pool user is a static egress gateway")
        );
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].mode = Some(PoolMode::Other("Gate".to_owned()));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].mode = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        assert!(outcome(&RULE, &facts).is_open());
    }
}
