//! NOD107: a node is not ready.

use super::nod_nodes::no_nodes;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::quote;
use crate::context::Context;
use crate::facts::Datum;
use crate::order::Order as _;
use crate::pressure::Spell;
use crate::report::{Finding, Remediation, Severity};

/// A node is not ready.
pub(super) const RULE: Rule = Rule {
    code: "NOD107",
    slug: "node-not-ready",
    severity: Severity::High,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether a node was not ready or had no network, or was under memory, disk or process pressure (medium), by its \
               conditions in the window (`kube_node_status_condition`). Looked at when pressure is asked for, or when the nodes' own \
               metrics give a reason: one above its limit, or a node that fell silent.",
        why: "The pods of a node that is not ready are taken out of Services and then moved; AKS repairs such a node by reboot, then by \
              a new image. Blocked egress itself can be the cause: a node that cannot reach what it needs is repaired in circles.",
        evidence: "Each node with its condition, since when and for how long; AKS advises to alert after 20 minutes not ready.",
        fix: "Look at the node's events; with blocked egress among the findings mend that first.",
        how_sure: "Certain about the conditions. A node that starts and one that is taken away are not ready for a moment; those are \
                   left out.",
        references: &[
            "https://learn.microsoft.com/azure/aks/node-auto-repair",
            "https://learn.microsoft.com/azure/aks/best-practices-monitoring-proactive",
        ],
    },
    check,
};

/// Nodes that a finding names.
const NAMED: usize = 5;

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(none) = no_nodes(ctx) {
        return none;
    }
    let conditions = &ctx.pressure.conditions;
    if let Some(missing) = &conditions.missing {
        return match &missing.how {
            Datum::NotAsked { why } => Outcome::not_applicable(why.clone()),
            _ => Outcome::missing(missing.clone()),
        };
    }
    let mut outcome = Outcome::passed();
    outcome.undecided.extend(conditions.undecided.clone());
    // What ends connections of the whole node comes apart from what warns of it.
    let grave = |spell: &&Spell| spell.is_not_ready() || spell.condition == "NetworkUnavailable";
    let (bad, warning): (Vec<&Spell>, Vec<&Spell>) = conditions.spells.iter().partition(grave);
    outcome.findings.extend(finding(ctx, &bad, Severity::High));
    outcome
        .findings
        .extend(finding(ctx, &warning, Severity::Medium));
    outcome
}

fn finding(ctx: &Context<'_>, spells: &[&Spell], severity: Severity) -> Option<Finding> {
    let first = spells.first()?;
    let mut nodes: Vec<&str> = spells.iter().map(|spell| spell.node.as_str()).collect();
    nodes.order();
    nodes.dedup();
    let more = match nodes.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let tense = if first.lasting { "is" } else { "was" };
    let what = if first.is_not_ready() {
        format!("{tense} not ready")
    } else {
        format!(
            "{} {}",
            if first.lasting { "has" } else { "had" },
            first.condition
        )
    };
    let time = if first.lasting {
        format!("since {}", first.from)
    } else {
        format!("for {} minutes from {}", first.minutes(), first.from)
    };
    let explain = match severity {
        Severity::High => {
            "The node's pods are taken out of Services and moved after some minutes. AKS repairs the node after about ten minutes: reboot, new image, new machine. If it cannot reach what it needs it never gets ready."
        }
        _ => "The kubelet evicts pods to free what is short, and takes no new ones meanwhile.",
    };
    let mut finding = RULE
        .finding(format!("Node {}{more} {what} {time}", first.node))
        .severity(severity)
        .explain(explain)
        .pools(spells.iter().filter_map(|spell| spell.pool.as_deref()))
        .resource(&ctx.cluster().id);
    for spell in spells.iter().take(NAMED) {
        let until = if spell.lasting {
            "to the newest figure".to_owned()
        } else {
            format!("to {}", spell.until)
        };
        finding = finding.evidence(
            format!(
                "{} of node {} from {} {until}",
                spell.word(),
                spell.node,
                spell.from
            ),
            Some(&ctx.cluster().id),
            Some(format!("{} minutes", spell.minutes())),
        );
    }
    Some(
        finding.fix(
            Remediation::new(
                "Look at the node's conditions and events, and mend blocked egress first where there is some",
            )
            .command(format!("kubectl describe node {}", quote(&first.node)))
            .command(format!(
                "kubectl get events --all-namespaces --field-selector {}",
                quote(&format!("involvedObject.kind=Node,involvedObject.name={}", first.node))
            ))
            .side_effect("None: the commands only read"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, MetricAggregation};
    use crate::pressure::CONDITION;
    use crate::testing::{
        closer_look, codes, denied, load_balancer, metric, outcome, series, set_metric,
    };

    fn with(condition: &str, status: &str, values: &[f64]) -> Facts {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        let of = |condition, status, values: &[f64]| {
            let dimensions = [
                ("node", "aks-user-vmss000000"),
                ("condition", condition),
                ("status", status),
            ];
            series(&dimensions, values)
        };
        let all = vec![
            of("Ready", "true", &[1.0, 0.0, 0.0, 1.0]),
            of(condition, status, values),
        ];
        let id = facts.cluster.id.clone();
        let split = metric(MetricAggregation::Average, all);
        set_metric(&mut facts, &id, CONDITION, split);
        facts
    }

    #[test]
    fn r7_10_fires() {
        let found = outcome(&RULE, &with("Ready", "unknown", &[0.0, 1.0, 1.0, 0.0]));
        assert_eq!(codes(&found), ["NOD107"]);
        let found = &found.findings[0];
        assert_eq!(found.severity, Severity::High);
        assert!(
            found
                .title
                .contains("aks-user-vmss000000 was not ready for 2 minutes"),
            "{}",
            found.title
        );
        assert_eq!(found.affected.node_pools, ["user"]);
        let pressed = outcome(&RULE, &with("DiskPressure", "true", &[1.0; 4]));
        assert_eq!(pressed.findings[0].severity, Severity::Medium);
        assert!(pressed.findings[0].title.contains("has DiskPressure since"));
        let cut = outcome(&RULE, &with("NetworkUnavailable", "true", &[1.0; 4]));
        assert_eq!(cut.findings[0].severity, Severity::High);
    }

    #[test]
    fn r7_10_does_not_fire() {
        assert_eq!(
            outcome(&RULE, &with("Ready", "false", &[0.0; 4])),
            Outcome::passed()
        );
        let not_asked = outcome(&RULE, &load_balancer());
        assert!(
            not_asked
                .not_applicable
                .unwrap()
                .contains("egress/pressure")
        );
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        let id = facts.cluster.id.clone();
        set_metric(
            &mut facts,
            &id,
            CONDITION,
            denied("Microsoft.Insights/Metrics/Read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        set_metric(
            &mut facts,
            &id,
            CONDITION,
            metric(MetricAggregation::Average, Vec::new()),
        );
        assert!(outcome(&RULE, &facts).is_open());
    }
}
