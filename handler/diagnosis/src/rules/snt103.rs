//! SNT103: a node comes close to its SNAT ports.

use super::{Docs, Outcome, Rule, Step, snt_ports};
use crate::context::Context;
use crate::report::Severity;
use crate::snat::usage::BackendPorts;

/// A node comes close to its SNAT ports.
pub(super) const RULE: Rule = Rule {
    code: "SNT103",
    slug: "ports-nearly-exhausted",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether a node used more than three quarters of its allocated SNAT ports in any minute of the window.",
        why: "Azure itself raises an event at this mark. One more burst of connections and they fail.",
        evidence: "The node's address, its peak and its allocation, with the time.",
        fix: "Reuse connections first; then more outbound addresses and more ports per node, in one call.",
        how_sure: "Certain about the figures. In windows over six hours, and with hundreds of nodes, they are averages of 5 \
                   minutes or more, in which a short burst may not show. Nodes that used all of their ports are SNT102 and not repeated here.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-health-event-logs",
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-outbound-connections",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    snt_ports::check(
        &RULE,
        ctx,
        |utilization| utilization > 0.75 && utilization < 1.0,
        title,
        "Connections work so far. A burst, or a node that takes over another's pods, uses the rest up.",
    )
}

fn title(label: &str, (utilization, _): (f64, &BackendPorts), nodes: usize) -> String {
    let also = if nodes > 1 {
        format!(", {} more above 75 %", nodes - 1)
    } else {
        String::new()
    };
    // What is not exhausted is not at 100 %.
    let percent = (utilization * 100.0).min(99.0);
    format!("Node {label} used {percent:.0} % of its SNAT ports{also}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snat::usage::LB_USED;
    use crate::testing::{
        NODE_1, codes, denied, lb_id, load_balancer, outcome, port_series, set_metric,
    };

    fn used(ports: f64) -> Outcome {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            port_series(&[(NODE_1, &[ports])]),
        );
        outcome(&RULE, &facts)
    }

    #[test]
    fn r6_5_fires() {
        let found = used(880.0);
        assert_eq!(codes(&found), ["SNT103"]);
        assert!(found.findings[0].title.contains("86 %"));
    }

    #[test]
    fn r6_5_does_not_fire() {
        // 768 of 1024 is exactly three quarters: not above.
        assert_eq!(used(768.0), Outcome::passed());
        assert_eq!(used(1024.0), Outcome::passed());
    }

    #[test]
    fn r6_6_the_mark_of_azures_own_event_is_above_three_quarters() {
        assert_eq!(used(768.0), Outcome::passed());
        assert_eq!(codes(&used(769.0)), ["SNT103"]);
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
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r6_5_one_port_left_is_not_all_of_them() {
        let found = used(1023.0);
        assert!(found.findings[0].title.contains("99 %"), "{found:?}");
    }

    #[test]
    fn cannot_tell_when_azure_returned_some_nodes_only() {
        let mut facts = load_balancer();
        let mut some = port_series(&[(NODE_1, &[10.0])]);
        if let crate::facts::Datum::Known(some) = &mut some {
            some.truncated = true;
        }
        set_metric(&mut facts, &lb_id(), LB_USED, some);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
