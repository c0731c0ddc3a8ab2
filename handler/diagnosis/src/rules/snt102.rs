//! SNT102: a node uses all of its SNAT ports.

use super::{Docs, Outcome, Rule, Step, snt_ports};
use crate::context::Context;
use crate::report::Severity;
use crate::snat::usage::BackendPorts;

/// A node uses all of its SNAT ports.
pub(super) const RULE: Rule = Rule {
    code: "SNT102",
    slug: "ports-exhausted",
    severity: Severity::High,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether a node used as many SNAT ports as the load balancer allocated to it, in any minute of the window \
               (`UsedSnatPorts` against `AllocatedSnatPorts`, per backend address).",
        why: "Ports belong to one node. A node without free ports cannot open connections even when other nodes have \
              thousands left.",
        evidence: "The node's address, its peak and its allocation, with the time.",
        fix: "Reuse connections first; then more outbound addresses and more ports per node, in one call.",
        how_sure: "Certain: both figures come from the same minute and cover the same frontends. In windows over six hours, and \
                   with hundreds of nodes, they are averages of 5 minutes or more, in which a short burst may not show: \
                   connections that failed for it do (SNT101). A NAT gateway has no ports per node, so the check does not \
                   apply to it.",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/snat-port-exhaustion",
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-outbound-connections",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    snt_ports::check(
        &RULE,
        ctx,
        |utilization| utilization >= 1.0,
        title,
        "Where a node has no port left, its new connections fail until one is released, whatever other nodes have left.",
    )
}

fn title(label: &str, (_, worst): (f64, &BackendPorts), nodes: usize) -> String {
    let also = if nodes > 1 {
        format!(", as did {} more", nodes - 1)
    } else {
        String::new()
    };
    format!(
        "Node {label} used all of its {} SNAT ports{also}",
        worst.used_peak
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snat::usage::LB_USED;
    use crate::testing::{
        NODE_1, codes, denied, lb_id, load_balancer, nat_gateway, outcome, port_series, set_metric,
    };

    #[test]
    fn r6_5_fires() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            port_series(&[(NODE_1, &[100.0, 1024.0]), ("10.0.0.5", &[10.0, 20.0])]),
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT102"]);
        assert!(
            found.findings[0]
                .title
                .contains("Node 10.0.0.4 used all of its 1024")
        );
        // 1024 / 0.75 → 1368 ports; 5 live + 2 surge nodes fit on the one address.
        let commands = &found.findings[0].remediation[1].commands;
        assert!(commands[0].ends_with(
            "--load-balancer-managed-outbound-ip-count 1 --load-balancer-outbound-ports 1368"
        ));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            denied("Microsoft.Insights/metrics/read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let mut facts = load_balancer();
        set_metric(&mut facts, &lb_id(), LB_USED, port_series(&[]));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
