//! SNT107: one node carries the load.

use super::snt_hot::hot_node;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, Device};
use crate::report::Severity;
use crate::snat::metric::Reading;
use crate::snat::usage::Ports;

/// One node carries the load.
pub(super) const RULE: Rule = Rule {
    code: "SNT107",
    slug: "hot-node",
    severity: Severity::Info,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether one node used more than three times the SNAT ports of the node in the middle, and either more than \
               half of its own or is the only one whose connections failed.",
        why: "Ports belong to one node: a node that runs out fails while the others idle. Spreading its pods costs nothing; \
              more addresses may not even help.",
        evidence: "The node, its peak, and the peak of the node in the middle.",
        fix: "Spread the pods that open the connections over more nodes, or let them reuse connections.",
        how_sure: "Certain about the figures. Which pod it is does not show in Azure.",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/snat-port-exhaustion",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if ctx.stopped() {
        return Outcome::not_applicable("the cluster is not running");
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.snat.missing.iter().cloned());
    let mut balancers = 0;
    for device in &ctx.snat.devices {
        let Some(ports) = device.ports() else {
            continue;
        };
        balancers += 1;
        outcome.absorb(of_one(ctx, device, ports));
    }
    if balancers == 0 && !outcome.is_open() {
        return Outcome::not_applicable("no load balancer hands out ports per node");
    }
    outcome
}

fn of_one(ctx: &Context<'_>, device: &Device, ports: &Reading<Ports>) -> Outcome {
    match ports {
        Reading::Missing(missing) => return Outcome::missing(missing.clone()),
        Reading::Unclear(reason) => return Outcome::undecided(reason.clone()),
        Reading::NoData => {
            return Outcome::undecided(format!(
                "{} has no port data points in the window",
                device.label()
            ));
        }
        Reading::Known(ports) if ports.truncated => {
            return Outcome::undecided("Azure returned the ports of some nodes only");
        }
        Reading::Known(_) => {}
    }
    let Some(hot) = hot_node(ctx, device) else {
        return Outcome::passed();
    };
    let pool = ctx
        .nodes
        .at(&hot.node.address)
        .and_then(|n| n.pool.as_deref());
    Outcome::found(
        RULE.finding(format!(
            "Node {} carries the load: {} SNAT ports at its peak, the node in the middle {:.0}",
            hot.label, hot.node.used_peak, hot.median
        ))
        .explain("The other nodes have ports to spare. Whatever opens these connections runs on this one node.")
        .evidence(
            format!("peak of node {} at {}", hot.label, hot.node.used_peak_at),
            Some(device.id()),
            Some(hot.node.used_peak.to_string()),
        )
        .evidence(
            "peak of the node in the middle",
            Some(device.id()),
            Some(format!("{:.0}", hot.median)),
        )
        .pools(pool)
        .resource(device.id())
        .fix(hot.spread()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::snat::usage::{LB_ALLOCATED, LB_CONNECTIONS, LB_USED};
    use crate::testing::{
        codes, denied, lb_id, load_balancer, metric, nat_gateway, node_nics, outcome, port_series,
        series, set_metric,
    };

    const NODES: [&str; 4] = ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"];

    fn peaks(values: [f64; 4]) -> Facts {
        let mut facts = load_balancer();
        let of = |values: &[[f64; 1]; 4]| {
            let nodes: Vec<(&str, &[f64])> = NODES
                .into_iter()
                .zip(values.iter().map(<[f64; 1]>::as_slice))
                .collect();
            port_series(&nodes)
        };
        set_metric(&mut facts, &lb_id(), LB_USED, of(&values.map(|v| [v])));
        set_metric(&mut facts, &lb_id(), LB_ALLOCATED, of(&[[1024.0]; 4]));
        facts
    }

    #[test]
    fn r6_7_fires() {
        let mut facts = peaks([601.0, 200.0, 200.0, 10.0]);
        node_nics(&mut facts, "user", &[("1", "10.0.0.4")]);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT107"]);
        let found = &found.findings[0];
        assert!(
            found
                .title
                .starts_with("Node aks-user-vmss000001 (10.0.0.4) carries the load: 601")
        );
        assert_eq!(found.affected.node_pools, ["user"]);
        assert!(found.remediation[0].commands[0].ends_with("spec.nodeName=aks-user-vmss000001"));
    }

    #[test]
    fn r6_7_fires_for_a_quiet_node_that_alone_fails() {
        let mut facts = peaks([100.0, 10.0, 10.0, 10.0]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        let failed = series(
            &[
                ("backendipaddress", NODES[0]),
                ("connectionstate", "Failed"),
            ],
            &[1.0],
        );
        let failed = metric(crate::facts::MetricAggregation::Total, vec![failed]);
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, failed);
        assert_eq!(codes(&outcome(&RULE, &facts)), ["SNT107"]);
    }

    #[test]
    fn r6_7_does_not_fire() {
        // Exactly three times the middle.
        assert_eq!(
            outcome(&RULE, &peaks([600.0, 200.0, 200.0, 10.0])),
            Outcome::passed()
        );
        assert_eq!(outcome(&RULE, &peaks([900.0; 4])), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = peaks([900.0, 1.0, 1.0, 1.0]);
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            denied("Microsoft.Insights/metrics/read"),
        );
        assert!(outcome(&RULE, &facts).is_open());
    }
}
