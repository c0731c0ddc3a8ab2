//! FWL115: an Azure Firewall runs out of SNAT ports.

use super::fwl_metrics::{addresses_of, each, more_addresses, pools};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, FirewallUse};
use crate::report::{Remediation, Severity};
use crate::snat::firewall::UTILIZATION;
use crate::snat::metric::Reading;

/// An Azure Firewall runs out of SNAT ports.
pub(super) const RULE: Rule = Rule {
    code: "FWL115",
    slug: "firewall-snat-pressure",
    severity: Severity::Critical,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the Azure Firewall that the cluster's default route leads to used more than 80 percent of its SNAT \
               ports on average over 5 minutes (`SNATPortUtilization`, per protocol).",
        why: "Behind a firewall the firewall translates, not the load balancer. Each of its addresses gives 2,496 ports per \
              instance, shared by everything behind it. Above 95 percent Azure calls the firewall degraded.",
        evidence: "The highest 5-minute average with its protocol and time, and the firewall's addresses.",
        fix: "Reuse connections, and add public addresses, five at least; or put a NAT gateway on the firewall's subnet. \
              A firewall ends TCP connections that are idle for 4 minutes, whatever a load balancer's timeout is: long quiet \
              ones need keepalives (R5.20).",
        how_sure: "Certain about the utilisation. Medium above 80 percent, critical above 95. Other networks behind the same \
                   firewall may be the ones that use the ports.",
        references: &[
            "https://learn.microsoft.com/azure/firewall/monitor-firewall-reference",
            "https://learn.microsoft.com/azure/firewall/integrate-with-nat-gateway",
        ],
    },
    check,
};

/// Percent (R5.33).
pub(crate) const HIGH: f64 = 80.0;
/// Percent from which the firewall is degraded (R5.33).
pub(super) const DEGRADED: f64 = 95.0;

fn check(ctx: &Context<'_>) -> Outcome {
    each(ctx, |firewall| judge(ctx, firewall))
}

fn judge(ctx: &Context<'_>, firewall: &FirewallUse) -> Outcome {
    let id = &firewall.id;
    let percent = match &firewall.utilization {
        Reading::Missing(missing) => return Outcome::missing(missing.clone()),
        Reading::Unclear(reason) => return Outcome::undecided(reason.clone()),
        Reading::NoData => {
            return Outcome::undecided(format!(
                "Azure Firewall {} has no SNAT data points in the window",
                id.name()
            ));
        }
        Reading::Known(percent) => percent,
    };
    let Some((at, value)) = percent.highest().filter(|(_, value)| *value > HIGH) else {
        return Outcome::passed();
    };
    let severity = if value > DEGRADED {
        Severity::Critical
    } else {
        Severity::Medium
    };
    let protocol = percent.protocol.as_deref().unwrap_or("all protocols");
    let mut found = RULE
        .finding(format!(
            "Azure Firewall {} used {value:.0} % of its SNAT ports",
            id.name()
        ))
        .severity(severity)
        .seen(at)
        .explain(if value > DEGRADED {
            "The firewall calls itself degraded from here on: new connections through it begin to fail for want of a port, from every network behind it."
        } else {
            "Connections work so far. A burst from any network behind the firewall uses the rest up."
        })
        .evidence(
            format!("{UTILIZATION}, {protocol}, highest 5-minute average, from {at}"),
            Some(id),
            Some(format!("{value:.1} %")),
        )
        .pools(pools(ctx, id))
        .resource(id);
    if let Ok((count, _)) = addresses_of(ctx, id) {
        found = found.evidence("public addresses", Some(id), Some(count.to_string()));
    }
    found = found.fix(
        Remediation::new(
            "Reuse connections in the application: connection pools, HTTP keep-alive, one client per process",
        )
        .side_effect("None in Azure"),
    );
    let more = more_addresses(ctx, id, value);
    Outcome::found(match more {
        Some(change) => found.fix(change.remediation()),
        None => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, firewall_id, firewall_mut, firewall_percent, firewalled, load_balancer,
        metric, outcome, set_metric, with_hop,
    };

    fn used(percent: f64) -> Outcome {
        let mut facts = firewalled();
        set_metric(
            &mut facts,
            &firewall_id(),
            UTILIZATION,
            firewall_percent(percent),
        );
        outcome(&RULE, &facts)
    }

    #[test]
    fn r5_33_fires_medium_above_80_percent() {
        let found = used(85.0);
        assert_eq!(codes(&found), ["FWL115"]);
        let found = &found.findings[0];
        assert_eq!(found.severity, Severity::Medium);
        assert_eq!(found.affected.node_pools, ["system", "user"]);
        // One address, five more: each is created and put on the firewall.
        let fix = &found.remediation[1];
        assert!(fix.summary.contains("6 public addresses in place of 1"));
        assert_eq!((fix.commands.len(), fix.undo.len()), (10, 5));
    }

    #[test]
    fn r5_33_fires_critical_above_95_percent_but_does_not_block() {
        let found = used(97.0);
        assert_eq!(found.findings[0].severity, Severity::Critical);
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn r9_12_a_firewall_of_a_hub_takes_a_count() {
        let mut facts = firewalled();
        firewall_mut(&mut facts).virtual_hub_id = Some(crate::facts::Id::new("/hub"));
        set_metric(
            &mut facts,
            &firewall_id(),
            UTILIZATION,
            firewall_percent(85.0),
        );
        let found = outcome(&RULE, &facts);
        let fix = &found.findings[0].remediation[1];
        assert!(fix.commands[0].ends_with("--public-ip-count 6"));
    }

    #[test]
    fn r5_33_does_not_fire() {
        assert_eq!(used(80.0), Outcome::passed());
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = firewalled();
        let no = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut facts, &firewall_id(), UTILIZATION, no);
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let empty = metric(crate::facts::MetricAggregation::Average, Vec::new());
        set_metric(&mut facts, &firewall_id(), UTILIZATION, empty);
        assert!(outcome(&RULE, &facts).is_open());
        // Who owns the next hop is not known: it may be a firewall.
        let hidden = with_hop(denied("Microsoft.Network/azureFirewalls/read"));
        assert!(outcome(&RULE, &hidden).is_open());
        assert!(used(140.0).is_open());
    }
}
