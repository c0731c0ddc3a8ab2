//! NOD102: A node's memory is used up.

use super::nod_nodes::used_up;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::pressure::MEMORY;
use crate::report::Severity;

/// A node's memory is used up.
pub(super) const RULE: Rule = Rule {
    code: "NOD102",
    slug: "node-memory-pressure",
    severity: Severity::Medium,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether the memory working set of a node (`node_memory_working_set_percentage`) was above 90 percent on average over 5 \
               minutes.",
        why: "A node without memory evicts and kills pods, CoreDNS and proxies among them, and their connections with them. From outside \
              that looks like a network that fails now and then.",
        evidence: "Each node with its highest 5-minute average, when that was and since when it was above the limit; and how many \
                   SNAT connections failed in the same minutes.",
        fix: "Find the pods and give them requests and limits; let the pool grow.",
        how_sure: "Certain about the figures, which are averages: a node that is busy for less than a minute does not show. \
                   Which pod it is does not show in Azure.",
        references: &[
            "https://learn.microsoft.com/azure/aks/best-practices-monitoring-proactive",
            "https://learn.microsoft.com/azure/aks/monitor-aks-reference",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    used_up(
        ctx,
        &RULE,
        (&ctx.pressure.memory, MEMORY),
        ("memory", "Memory working set"),
        format!(
            "{} the node evicts pods, and the kernel kills processes. Their connections end, and what they served fails until they run elsewhere.",
            threshold(ctx).map_or("Short of memory,".to_owned(), |mib| format!(
                "With less than {mib} MiB free"
            ))
        ),
    )
}

/// Free memory in MiB below which the kubelet evicts pods: AKS lowered it with Kubernetes 1.29 (R7.9).
fn threshold(ctx: &Context<'_>) -> Option<u32> {
    let version = ctx.cluster().kubernetes_version.as_deref()?;
    let (major, rest) = version.split_once('.')?;
    let minor = rest.split('.').next()?;
    let version: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(if version < (1, 29) { 750 } else { 100 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, MetricAggregation, PowerState};
    use crate::testing::{
        codes, connections, denied, lb_id, load_balancer, metric, node_percent, outcome, set_metric,
    };

    #[test]
    fn r7_9_the_node_evicts_pods_at_the_threshold_of_its_version() {
        for (version, told) in [
            (Some("1.28.15"), "With less than 750 MiB free the node"),
            (Some("1.29"), "With less than 100 MiB free the node"),
            (Some("1.34.2"), "With less than 100 MiB free the node"),
            (Some("latest"), "Short of memory, the node"),
            (None, "Short of memory, the node"),
        ] {
            let mut facts = load_balancer();
            facts.cluster.kubernetes_version = version.map(str::to_owned);
            node_percent(&mut facts, MEMORY, &[("aks-user-vmss000000", "user", 91.0)]);
            let found = outcome(&RULE, &facts);
            let explanation = &found.findings[0].explanation;
            assert!(explanation.starts_with(told), "{explanation}");
        }
    }

    #[test]
    fn r7_1_fires() {
        let mut facts = load_balancer();
        node_percent(
            &mut facts,
            MEMORY,
            &[
                ("aks-user-vmss000000", "user", 91.0),
                ("aks-system-vmss000000", "system", 20.0),
            ],
        );
        let failed = connections("Failed", &[3.0, 4.0]);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NOD102"]);
        let found = &found.findings[0];
        assert_eq!(found.severity, Severity::Medium);
        assert_eq!(found.affected.node_pools, ["user"]);
        assert!(
            found.title.contains("aks-user-vmss000000 reached 91 %"),
            "{}",
            found.title
        );
        // They failed in the very minutes in which the node was busy.
        assert_eq!(found.evidence[1].value.as_deref(), Some("7"));
        assert!(found.remediation[1].commands[0].contains("--node-count 4"));
        assert!(found.remediation[1].undo[0].contains("--node-count 3"));
    }

    #[test]
    fn r7_1_does_not_fire() {
        let mut facts = load_balancer();
        node_percent(&mut facts, MEMORY, &[("a", "user", 90.0)]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        facts.cluster.power_state = Some(PowerState::Stopped);
        assert!(outcome(&RULE, &facts).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        let id = facts.cluster.id.clone();
        set_metric(
            &mut facts,
            &id,
            MEMORY,
            denied("Microsoft.Insights/Metrics/Read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        // No data points are not zero.
        let empty = metric(MetricAggregation::Average, Vec::new());
        set_metric(&mut facts, &id, MEMORY, empty);
        assert!(outcome(&RULE, &facts).is_open());
        let not_asked = Datum::not_asked("why");
        set_metric(&mut facts, &id, MEMORY, not_asked);
        assert_eq!(
            outcome(&RULE, &facts).not_applicable.as_deref(),
            Some("why")
        );
    }
}
