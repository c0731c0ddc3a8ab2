//! SNT108: a device that should carry traffic shows none.

use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Confidence, Severity};
use crate::snat::metric::Reading;

/// A device that should carry traffic shows none.
pub(super) const RULE: Rule = Rule {
    code: "SNT108",
    slug: "no-traffic-seen",
    severity: Severity::Info,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the load balancer or NAT gateway that should carry the cluster's egress has any SNAT data point in \
               the window.",
        why: "Running nodes always talk to something. A device without data points is either new or not on the path: \
              traffic leaves another way.",
        evidence: "The device and the metric without data points.",
        fix: "Compare with the outbound section: which route and method the subnets really have.",
        how_sure: "Possible: Azure Monitor may also be late by some minutes. It never counts as proof of health.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-standard-diagnostics",
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
    if ctx.snat.devices.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no load balancer or NAT gateway carries the traffic");
    }
    for device in &ctx.snat.devices {
        match device.failures() {
            Reading::Missing(missing) => outcome.missing.push(missing.clone()),
            Reading::NoData if ctx.demand().live == Some(0) => {
                outcome.not_applicable = Some("the cluster has no nodes".to_owned());
            }
            Reading::NoData => outcome.findings.push(
                RULE.finding(format!("{} shows no SNAT traffic in the window", super::out106::capital(&device.label())))
                    .confidence(Confidence::Possible)
                    .explain("It should carry the cluster's egress. Either the traffic leaves another way or the metrics are late.")
                    .evidence("SNAT connections, data points", Some(device.id()), Some("none".to_owned()))
                    .resource(device.id()),
            ),
            Reading::Unclear(reason) => outcome.undecided.push(reason.clone()),
            Reading::Known(_) => {}
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation;
    use crate::snat::usage::LB_CONNECTIONS;
    use crate::testing::{
        codes, connections, denied, lb_id, load_balancer, metric, outcome, pools_mut, series,
        set_metric,
    };

    #[test]
    fn r6_8_fires() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_CONNECTIONS,
            connections("Failed", &[]),
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT108"]);
        assert_eq!(found.findings[0].severity, Severity::Info);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // Nobody is there to send anything.
        let mut facts = load_balancer();
        let silent = connections("Failed", &[]);
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, silent);
        for pool in pools_mut(&mut facts) {
            pool.count = Some(0);
        }
        let none = outcome(&RULE, &facts);
        assert!(none.findings.is_empty() && none.not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_CONNECTIONS,
            denied("Microsoft.Insights/metrics/read"),
        );
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r6_8_cannot_tell_when_the_states_are_missing() {
        let mut facts = load_balancer();
        let unsplit = metric(MetricAggregation::Total, vec![series(&[], &[1.0])]);
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, unsplit);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
