//! NAT108: the data path of a NAT gateway is degraded.

use super::nat_pressure::each;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Context, Device};
use crate::report::{Confidence, Remediation, Severity};
use crate::snat::gateway::{Datapath, NAT_DATAPATH};
use crate::snat::metric::Reading;

/// The data path of a NAT gateway is degraded.
pub(super) const RULE: Rule = Rule {
    code: "NAT108",
    slug: "datapath-degraded",
    severity: Severity::High,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the availability of a NAT gateway's data path (`DatapathAvailability`) was below 90 percent on \
               average over a quarter of an hour.",
        why: "The gateway itself then loses packets: connections through it fail or stall whatever the ports.",
        evidence: "The lowest average over a quarter of an hour, and when it began.",
        fix: "Look at Azure Service Health and at the virtual machines behind the gateway; ask Azure's support with the times.",
        how_sure: "Likely: Azure also reports 0 where no healthy machine uses the gateway. A zero without any connection \
                   leaves the check open, and so do less than 15 minutes without a gap.",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-metrics",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat-connectivity",
        ],
    },
    check,
};

/// Percent (R6.21).
const LOWEST: f64 = 90.0;

fn check(ctx: &Context<'_>) -> Outcome {
    each(ctx, "its data path", datapath, judge)
}

fn datapath(device: &Device) -> Option<&Reading<Datapath>> {
    match device {
        Device::NatGateway { datapath, .. } => Some(datapath),
        Device::LoadBalancer { .. } => None,
    }
}

fn judge(device: &Device, datapath: &Datapath) -> Outcome {
    let name = device.id().name();
    let Some((at, worst)) = datapath.worst else {
        return Outcome::undecided(format!(
            "the data path of NAT gateway {name} has no quarter of an hour without gaps"
        ));
    };
    if worst >= LOWEST {
        return Outcome::passed();
    }
    let Device::NatGateway { connections, .. } = device else {
        return Outcome::passed();
    };
    let used = connections.known().is_some_and(|c| c.peak > 0);
    if worst <= 0.0 && !used {
        return Outcome::undecided(format!(
            "the data path of NAT gateway {name} is at 0 %, which Azure also says when no machine uses it"
        ));
    }
    let show = Az::new("network nat gateway show").opt("--ids", device.id().as_str());
    Outcome::found(
        RULE.finding(format!(
            "The data path of NAT gateway {name} was down to {worst:.0} % over a quarter of an hour"
        ))
        .confidence(Confidence::Likely)
        .seen(at)
        .explain("Packets are lost inside the gateway. More addresses or ports do not help against that.")
        .evidence(
            format!("{NAT_DATAPATH}, lowest 15-minute average, from {at}"),
            Some(device.id()),
            Some(format!("{worst:.1} %")),
        )
        .resource(device.id())
        .fix(
            Remediation::new("Look for an incident of the region in Azure Service Health, and ask Azure's support with these times")
                .command(show.build())
                .side_effect("None: the command only reads"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::facts::MetricAggregation::{Average, Total};
    use crate::snat::gateway::NAT_TOTAL;
    use crate::testing::{
        codes, denied, load_balancer, metric, nat_gateway, nat_id, outcome, series, set_metric,
    };

    fn path(values: &[f64]) -> Facts {
        let mut facts = nat_gateway();
        let points = vec![series(&[], values)];
        set_metric(
            &mut facts,
            &nat_id("ng1"),
            NAT_DATAPATH,
            metric(Average, points),
        );
        facts
    }

    #[test]
    fn r6_21_fires() {
        let found = outcome(&RULE, &path(&[89.0; 15]));
        assert_eq!(codes(&found), ["NAT108"]);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(!found.findings[0].blocks_egress);
        // Zero while connections are open is an outage.
        assert_eq!(codes(&outcome(&RULE, &path(&[0.0; 15]))), ["NAT108"]);
    }

    #[test]
    fn r6_21_does_not_fire() {
        assert_eq!(outcome(&RULE, &path(&[90.0; 15])), Outcome::passed());
        // Two bad minutes of fifteen are noise.
        let mut noise = [100.0; 20];
        (noise[3], noise[4]) = (40.0, 40.0);
        assert_eq!(outcome(&RULE, &path(&noise)), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // A gateway without such a metric is not judged by it.
        let mut without = nat_gateway();
        let unsupported = crate::facts::Datum::Failed {
            cause: crate::facts::Cause::Unsupported,
            http_status: Some(400),
            error_code: Some("BadRequest".into()),
        };
        set_metric(&mut without, &nat_id("ng1"), NAT_DATAPATH, unsupported);
        assert!(outcome(&RULE, &without).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        assert!(outcome(&RULE, &path(&[0.0; 14])).is_open());
        assert!(outcome(&RULE, &path(&[])).is_open());
        let mut idle = path(&[0.0; 15]);
        let none = metric(Total, vec![series(&[], &[0.0])]);
        set_metric(&mut idle, &nat_id("ng1"), NAT_TOTAL, none);
        assert!(outcome(&RULE, &idle).is_open());
        let mut hidden = nat_gateway();
        let no = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut hidden, &nat_id("ng1"), NAT_DATAPATH, no);
        assert_eq!(outcome(&RULE, &hidden).missing.len(), 1);
    }
}
