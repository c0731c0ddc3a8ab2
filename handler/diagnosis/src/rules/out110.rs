//! OUT110: nodes leave by public addresses of their own.

use super::routing::{by_carrier_where, isolated, pools};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::path::Path;
use crate::report::{Method, Remediation, Severity};

/// Nodes leave by public addresses of their own.
pub(super) const RULE: Rule = Rule {
    code: "OUT110",
    slug: "node-public-ip-egress",
    severity: Severity::Info,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether pools have node public IP addresses, and these carry the packets.",
        why: "A node's own address comes before the load balancer's outbound rule. Every node shows another address to the internet, and the load balancer's SNAT metrics do not cover these nodes.",
        evidence: "The subnet and the pools with node public IP addresses.",
        fix: "Nothing has to be mended; use pools without node public IP addresses when one address for all is wanted.",
        how_sure: "Certain: the order of the methods is documented (R2.3).",
        references: &[
            "https://learn.microsoft.com/azure/aks/use-node-public-ips",
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-outbound-connections",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress; OUT113 looks at it");
    }
    let mut outcome = Outcome::passed();
    let may = |path: &Path<'_>| path.used.with_node_ips.as_ref() != Some(&Vec::new());
    let has = |path: &Path<'_>| path.carrier.method == Method::InstancePublicIp;
    let paths = by_carrier_where(ctx, &mut outcome, may, has);
    if paths.is_empty() {
        return outcome;
    }
    let own = pools(paths.iter().copied());
    let mut found = RULE
        .finding(format!(
            "Nodes of {} leave by public addresses of their own",
            pools_label(&own)
        ))
        .explain("Every node shows another address to the internet. Allow-lists elsewhere must know the prefix that they come from.")
        .pools(own.iter().copied())
        .fix(Remediation::new("Nothing has to be mended; name the nodes' public IP prefix in allow-lists elsewhere"));
    for path in &paths {
        found = found
            .evidence(
                format!("node public IP addresses in {}", path.used.label()),
                Some(path.used.id),
                Some(path.used.pools.join(", ")),
            )
            .resource(path.used.id);
    }
    outcome.findings.push(found);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, load_balancer, nat_id, outcome, pools_mut, subnet_mut};

    fn with_addresses() -> crate::facts::Facts {
        let mut facts = load_balancer();
        for pool in pools_mut(&mut facts) {
            pool.node_public_ip = Some(true);
        }
        facts
    }

    #[test]
    fn r2_53_fires() {
        let found = outcome(&RULE, &with_addresses());
        assert_eq!(codes(&found), ["OUT110"]);
        assert_eq!(found.findings[0].severity, Severity::Info);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // R2.2: a NAT gateway comes first.
        let mut facts = with_addresses();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with_addresses();
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r2_53_fires_for_the_pools_that_have_addresses_alone() {
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].node_public_ip = Some(true);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT110"]);
        assert_eq!(found.findings[0].affected.node_pools, ["user"]);
    }
}
