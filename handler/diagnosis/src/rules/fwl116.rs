//! FWL116: an Azure Firewall is not healthy.

use jiff::{SignedDuration, Timestamp};

use super::fwl_metrics::{each, pools};
use super::fwl115::DEGRADED;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Context, FirewallUse};
use crate::report::{Remediation, Severity};
use crate::snat::firewall::HEALTH;
use crate::snat::metric::Reading;

/// An Azure Firewall is not healthy.
pub(super) const RULE: Rule = Rule {
    code: "FWL116",
    slug: "firewall-unhealthy",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the health of the Azure Firewall that the cluster's default route leads to (`FirewallHealth`) was \
               below 90 percent on average over 5 minutes.",
        why: "A degraded firewall loses connections of everything behind it, at random.",
        evidence: "The lowest 5-minute average with its time, and in how many 5-minute windows it was below.",
        fix: "Look at the metric's reason and at Azure Service Health; more load than the firewall takes needs more addresses \
              or a larger tier.",
        how_sure: "Certain about the health. Windows in which the SNAT ports were used up are FWL115 and not repeated here.",
        references: &[
            "https://learn.microsoft.com/azure/firewall/monitor-firewall-reference",
            "https://learn.microsoft.com/azure/firewall/metrics",
        ],
    },
    check,
};

/// Percent (R5.33).
const LOWEST: f64 = 90.0;
/// Over which the figures are means.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

fn check(ctx: &Context<'_>) -> Outcome {
    let outcome = each(ctx, |firewall| judge(ctx, firewall));
    let only_snat = ctx
        .snat
        .firewalls
        .iter()
        .any(|firewall| !below(firewall).is_empty() && unexplained(firewall).is_empty());
    if only_snat && outcome == Outcome::passed() {
        return Outcome::not_applicable("explained by FWL115");
    }
    outcome
}

/// Windows below the limit.
fn below(firewall: &FirewallUse) -> Vec<(Timestamp, f64)> {
    let health = firewall.health.known();
    let windows = health.into_iter().flat_map(|health| &health.windows);
    let low = windows.filter(|(_, value)| **value < LOWEST);
    low.map(|(at, value)| (*at, *value)).collect()
}

/// Those that used up SNAT ports do not explain. A shortage that begins or ends within a window shows in the health of that
/// window before it shows in the mean of the ports.
pub(crate) fn unexplained(firewall: &FirewallUse) -> Vec<(Timestamp, f64)> {
    let mut low = below(firewall);
    if let Some(utilization) = firewall.utilization.known() {
        let used_up = |at: Timestamp| {
            let near = -WINDOW..=WINDOW;
            let mut windows = utilization.windows.iter();
            windows
                .any(|(other, used)| *used > DEGRADED && near.contains(&other.duration_since(at)))
        };
        low.retain(|(at, _)| !used_up(*at));
    }
    low
}

fn judge(ctx: &Context<'_>, firewall: &FirewallUse) -> Outcome {
    let id = &firewall.id;
    match &firewall.health {
        Reading::Missing(missing) => return Outcome::missing(missing.clone()),
        Reading::Unclear(reason) => return Outcome::undecided(reason.clone()),
        Reading::NoData => {
            return Outcome::undecided(format!(
                "Azure Firewall {} has no health data points in the window",
                id.name()
            ));
        }
        Reading::Known(_) => {}
    }
    let below = unexplained(firewall);
    let Some((at, value)) = below.iter().min_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Outcome::passed();
    };
    let list = Az::new("monitor metrics list")
        .opt("--resource", id.as_str())
        .opt("--metrics", HEALTH)
        .opts("--dimension", ["Status", "Reason"])
        .opt("--aggregation", "Average");
    Outcome::found(
        RULE.finding(format!(
            "Azure Firewall {} was down to {value:.0} % health",
            id.name()
        ))
        .seen(*at)
        .explain("The firewall says itself that it is degraded. Connections of everything behind it can fail meanwhile.")
        .evidence(
            format!("{HEALTH}, lowest 5-minute average, from {at}"),
            Some(id),
            Some(format!("{value:.0} %")),
        )
        .evidence("5-minute windows below 90 %", Some(id), Some(below.len().to_string()))
        .pools(pools(ctx, id))
        .resource(id)
        .fix(
            Remediation::new("Look at the reason that the firewall gives for its health, and at Azure Service Health")
                .command(list.build())
                .side_effect("None: the command only reads"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::snat::firewall::UTILIZATION;
    use crate::testing::{
        codes, denied, firewall_id, firewall_percent, firewall_percents, firewalled, load_balancer,
        metric, outcome, set_metric,
    };

    fn health(percent: f64) -> Facts {
        let mut facts = firewalled();
        set_metric(
            &mut facts,
            &firewall_id(),
            HEALTH,
            firewall_percent(percent),
        );
        facts
    }

    #[test]
    fn r5_33_fires() {
        let found = outcome(&RULE, &health(50.0));
        assert_eq!(codes(&found), ["FWL116"]);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert_eq!(found.findings[0].evidence[1].value.as_deref(), Some("3"));
    }

    #[test]
    fn r5_33_does_not_fire() {
        assert_eq!(outcome(&RULE, &health(90.0)), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // Used up SNAT ports are the cause and have their own finding.
        let mut facts = health(50.0);
        set_metric(
            &mut facts,
            &firewall_id(),
            UTILIZATION,
            firewall_percent(97.0),
        );
        let explained = outcome(&RULE, &facts);
        assert_eq!(
            explained.not_applicable.as_deref(),
            Some("explained by FWL115")
        );
    }

    #[test]
    fn r5_33_the_windows_in_which_a_shortage_of_ports_begins_and_ends_are_explained_by_it() {
        let of = |facts: &mut Facts, name: &str, values: &[f64]| {
            set_metric(facts, &firewall_id(), name, firewall_percents(values));
        };
        let shortage = |calm: f64, short: f64| {
            [[calm; 3], [short; 3], [short; 3], [short; 3], [calm; 3]].concat()
        };
        let mut facts = firewalled();
        of(&mut facts, UTILIZATION, &shortage(30.0, 97.0));
        of(&mut facts, HEALTH, &shortage(100.0, 50.0));
        let explained = outcome(&RULE, &facts);
        assert_eq!(
            explained.not_applicable.as_deref(),
            Some("explained by FWL115")
        );
        // What goes on after it is not.
        let on = [shortage(100.0, 50.0), vec![50.0; 10]].concat();
        of(&mut facts, HEALTH, &on);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL116"]);
        let evidence = &found.findings[0].evidence;
        assert_eq!(evidence[1].value.as_deref(), Some("2"));
    }

    #[test]
    fn cannot_tell() {
        let mut facts = firewalled();
        let no = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut facts, &firewall_id(), HEALTH, no);
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let empty = metric(crate::facts::MetricAggregation::Average, Vec::new());
        set_metric(&mut facts, &firewall_id(), HEALTH, empty);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
