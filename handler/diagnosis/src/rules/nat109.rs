//! NAT109: a NAT gateway drops packets.

use super::nat_pressure::each;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Context, Device};
use crate::report::{Confidence, Remediation, Severity};
use crate::snat::gateway::{Drops, NAT_DROPS};
use crate::snat::metric::Reading;

/// A NAT gateway drops packets.
pub(super) const RULE: Rule = Rule {
    code: "NAT109",
    slug: "packets-dropped",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether a NAT gateway dropped more than 5 packets in 5 minutes (`PacketDropCount`).",
        why: "Dropped packets are sent again at best. Many of them show as slow or broken connections.",
        evidence: "The most drops in 5 minutes with their time, and the sum over the window.",
        fix: "See whether connections failed at the same time: then ports or addresses lack, else a peer sends what the \
              gateway does not translate.",
        how_sure: "Certain that packets were dropped, possible that users noticed: ICMP, fragments and packets of connections \
                   that timed out are dropped by design.",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-metrics",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat-connectivity",
        ],
    },
    check,
};

/// Packets in 5 minutes (R6.21).
const MOST: f64 = 5.0;

fn check(ctx: &Context<'_>) -> Outcome {
    each(ctx, "dropped packets", drops, judge)
}

fn drops(device: &Device) -> Option<&Reading<Drops>> {
    match device {
        Device::NatGateway { drops, .. } => Some(drops),
        Device::LoadBalancer { .. } => None,
    }
}

fn judge(device: &Device, drops: &Drops) -> Outcome {
    if drops.worst <= MOST {
        return Outcome::passed();
    }
    let name = device.id().name();
    let list = Az::new("monitor metrics list")
        .opt("--resource", device.id().as_str())
        .opts("--metrics", [NAT_DROPS, "SNATConnectionCount"])
        .opt("--aggregation", "Total");
    Outcome::found(
        RULE.finding(format!(
            "NAT gateway {name} dropped {} packets in the window, up to {:.0} in 5 minutes",
            drops.total, drops.worst
        ))
        .confidence(Confidence::Possible)
        .seen(drops.at)
        .explain("Some of this is normal: ICMP, fragments, and packets of connections that timed out are never translated. Drops at the time of failures are not.")
        .evidence(
            format!("{NAT_DROPS}, most in 5 minutes, at {}", drops.at),
            Some(device.id()),
            Some(format!("{:.0}", drops.worst)),
        )
        .evidence(format!("{NAT_DROPS}, whole window"), Some(device.id()), Some(drops.total.to_string()))
        .resource(device.id())
        .fix(
            Remediation::new("Compare the drops with failed connections minute by minute")
                .command(list.build())
                .side_effect("None: the command only reads"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::facts::MetricAggregation::Total;
    use crate::testing::{
        codes, denied, load_balancer, metric, nat_gateway, nat_id, outcome, series, set_metric,
    };

    fn dropped(values: &[f64]) -> Facts {
        let mut facts = nat_gateway();
        let points = vec![series(&[], values)];
        set_metric(&mut facts, &nat_id("ng1"), NAT_DROPS, metric(Total, points));
        facts
    }

    #[test]
    fn r6_21_fires() {
        let found = outcome(&RULE, &dropped(&[2.0, 2.0, 2.0]));
        assert_eq!(codes(&found), ["NAT109"]);
        assert_eq!(found.findings[0].severity, Severity::Medium);
    }

    #[test]
    fn r6_21_does_not_fire() {
        // Five in five minutes, again and again, are not more than five.
        assert_eq!(outcome(&RULE, &dropped(&[1.0; 30])), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        assert!(outcome(&RULE, &dropped(&[])).is_open());
        let mut hidden = nat_gateway();
        let no = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut hidden, &nat_id("ng1"), NAT_DROPS, no);
        assert_eq!(outcome(&RULE, &hidden).missing.len(), 1);
    }
}
