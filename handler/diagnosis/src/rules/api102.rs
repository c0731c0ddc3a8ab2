use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Remediation, Severity};

pub(super) const RULE: Rule = Rule {
    code: "API102",
    slug: "http-proxy-configured",
    severity: Severity::Info,
    step: Step::ApiServer,
    docs: Docs {
        what: "Whether the cluster sends HTTP and HTTPS through a proxy (`httpProxyConfig`, R1.86).",
        why: "With a proxy, what a client sees is the proxy's answer: curl 5 and 97, status 407 and block pages come \
              from it and not from the egress path. `noProxy` knows no wildcards.",
        evidence: "The cluster's `httpProxyConfig`.",
        fix: "Nothing is wrong. When requests fail, look at the proxy's own log first, and at the list of names that \
              go past it.",
        how_sure: "Certain about the setting. What the proxy allows is not visible from Azure Resource Manager.",
        references: &["https://learn.microsoft.com/azure/aks/http-proxy"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if !ctx.cluster().http_proxy {
        return Outcome::passed();
    }
    Outcome::found(
        RULE.finding(format!(
            "Cluster {} sends HTTP and HTTPS through a proxy",
            ctx.cluster().name
        ))
        .explain(
            "Requests that use the proxy succeed or fail by the proxy's rules, whatever this report says about the \
             direct path. Status 407 and curl exit codes 5 and 97 are the proxy's.",
        )
        .evidence("httpProxyConfig is set and enabled", Some(&ctx.cluster().id), None)
        .resource(&ctx.cluster().id)
        .fix(
            Remediation::new("Read the proxy's settings")
                .command(ctx.az_aks("show").opt("--query", "httpProxyConfig").build()),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, load_balancer, outcome};

    #[test]
    fn r1_86_fires() {
        let mut facts = load_balancer();
        facts.cluster.http_proxy = true;
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["API102"]);
        assert_eq!(found.findings[0].severity, Severity::Info);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
    }

    /// The setting is part of the cluster's own body, without which there is no report: there is nothing that this
    /// check cannot tell.
    #[test]
    fn cannot_tell_is_no_case() {
        let mut facts = load_balancer();
        facts.agent_pools =
            crate::testing::denied("Microsoft.ContainerService/managedClusters/read");
        assert!(!outcome(&RULE, &facts).is_open());
    }
}
