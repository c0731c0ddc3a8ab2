//! Whether the fault is there on each try or only now and then, and what says so (R0.1, R8.1).

use crate::context::Context;
use crate::report::{Finding, Pattern, Severity, Snat};
use crate::resource_health::{Unwell, When};
use crate::rules::{Bearing, fwl115, fwl116};
use crate::snat::firewall::Percent;

/// The pattern and its evidence, what decides first. A blocker on the path is persistent; failures and pressure in some
/// windows only, and a resource whose health changed, are intermittent; `None` needs every check answered.
pub(crate) fn pattern(
    ctx: &Context<'_>,
    findings: &[Finding],
    snat: &Snat,
    unwell: &[Unwell],
    complete: bool,
) -> (Pattern, Vec<String>) {
    let mut signs = Signs::default();
    for finding in findings {
        match Bearing::of(finding) {
            Bearing::EachTime => signs.each_time.push(told(finding)),
            Bearing::NowAndThen => signs.add(ctx, finding, snat),
            Bearing::UnderLoad | Bearing::Neither => {}
        }
    }
    for unwell in unwell {
        match unwell.when {
            When::Throughout => signs.always.push(unwell.text.clone()),
            When::Transition => signs.now_and_then.push(unwell.text.clone()),
            When::Unclear => {}
        }
    }
    let blocked = findings.iter().any(|f| f.blocks_egress);
    let may_fail = findings.iter().any(|finding| {
        finding.severity >= Severity::Medium && Bearing::of(finding) == Bearing::Neither
    }) || unwell.iter().any(|unwell| unwell.when == When::Unclear);
    let Signs {
        each_time,
        always,
        now_and_then,
    } = signs;
    // What denies a part of the traffic shows on each try of that part; failures among the rest tell more.
    let (pattern, evidence) = match (each_time.is_empty(), now_and_then.is_empty()) {
        _ if blocked || !always.is_empty() => (
            Pattern::Persistent,
            [each_time, always, now_and_then].concat(),
        ),
        (_, false) => (Pattern::Intermittent, [now_and_then, each_time].concat()),
        (false, true) => (Pattern::Persistent, each_time),
        (true, true) if complete && !may_fail => (Pattern::None, Vec::new()),
        (true, true) => (Pattern::Unknown, Vec::new()),
    };
    (pattern, evidence)
}

/// What the findings say, by pattern.
#[derive(Default)]
struct Signs {
    each_time: Vec<String>,
    /// Of what usually comes and goes, what never went away.
    always: Vec<String>,
    now_and_then: Vec<String>,
}

impl Signs {
    fn add(&mut self, ctx: &Context<'_>, finding: &Finding, snat: &Snat) {
        let firewalls = || ctx.snat.firewalls.iter();
        let share = match finding.code.as_str() {
            "SNT101" => failures(ctx, snat),
            "FWL115" => longest(firewalls().filter_map(|f| {
                let utilization = f.utilization.known()?;
                let high = utilization
                    .windows
                    .values()
                    .filter(|used| **used > fwl115::HIGH);
                Some((utilization, high.count()))
            })),
            "FWL116" => longest(
                firewalls().filter_map(|f| Some((f.health.known()?, fwl116::unexplained(f).len()))),
            ),
            _ => None,
        };
        let Some(share) = share else {
            self.now_and_then.push(told(finding));
            return;
        };
        // The count of a device stands in its finding; here all devices' connections are added up.
        let text = match snat.failed_connections {
            Some(failed) if finding.code == "SNT101" => {
                format!("SNT101: {failed} SNAT connections failed in {share}")
            }
            _ => format!("{}, in {share}", told(finding)),
        };
        let list = if share.with == share.of {
            &mut self.always
        } else {
            &mut self.now_and_then
        };
        if !list.contains(&text) {
            list.push(text);
        }
    }
}

fn told(finding: &Finding) -> String {
    format!("{}: {}", finding.code, finding.title)
}

/// In how many of the windows it was seen.
struct Share {
    with: i64,
    of: i64,
    minutes: i64,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { with, of, minutes } = self;
        write!(f, "{with} of {of} windows of {minutes} minutes")
    }
}

/// Windows with failed connections. A window without data points counts as one without failures: nobody saw any.
fn failures(ctx: &Context<'_>, snat: &Snat) -> Option<Share> {
    let minutes = i64::from(snat.failed_window_minutes?).max(1);
    let with = i64::from(snat.failed_windows.filter(|n| *n > 0)?);
    let window = ctx.facts.window;
    let seconds = window.end.duration_since(window.start).as_secs();
    let of = seconds.div_euclid(minutes.saturating_mul(60)).max(with);
    Some(Share { with, of, minutes })
}

/// Of the firewall that was in a state in most windows; of the windows that Azure has data for.
fn longest<'p>(firewalls: impl Iterator<Item = (&'p Percent, usize)>) -> Option<Share> {
    let (percent, with) = firewalls.max_by_key(|(_, with)| *with)?;
    let mut starts = percent.windows.keys();
    let (first, second) = (starts.next(), starts.next());
    let minutes = first
        .zip(second)
        .map_or(5, |(a, b)| b.duration_since(*a).as_mins().max(1));
    let (with, of) = (
        i64::try_from(with).ok()?,
        i64::try_from(percent.windows.len()).ok()?,
    );
    (with > 0).then_some(Share { with, of, minutes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;
    use crate::facts::Facts;
    use crate::testing::*;

    fn of(facts: &Facts) -> (Pattern, Vec<String>) {
        let verdict = diagnose(facts).verdict;
        (verdict.pattern, verdict.pattern_evidence)
    }

    fn failing(values: &[f64]) -> Facts {
        let mut facts = load_balancer();
        let failed = connections("Failed", values);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        facts
    }

    #[test]
    fn r8_1_a_blocker_is_persistent_and_failures_beside_it_are_told_after_it() {
        let mut facts = failing(&[42.0, 0.0, 7.0]);
        deny_internet(&mut facts, "nodes", "443");
        let (pattern, evidence) = of(&facts);
        assert_eq!(pattern, Pattern::Persistent);
        assert!(evidence[0].starts_with("NSG101: "), "{evidence:?}");
        let last = evidence.last().unwrap();
        assert!(last.starts_with("SNT101: 49 SNAT connections failed"));
    }

    #[test]
    fn r8_1_failures_in_some_windows_are_intermittent() {
        // Minutes 0 and 2 of one window; 6 hours are 72 windows.
        let (pattern, evidence) = of(&failing(&[42.0, 0.0, 7.0]));
        assert_eq!(pattern, Pattern::Intermittent);
        assert_eq!(
            evidence,
            ["SNT101: 49 SNAT connections failed in 1 of 72 windows of 5 minutes"]
        );
    }

    #[test]
    fn r8_1_failures_in_every_window_are_persistent() {
        let (pattern, evidence) = of(&failing(&[3.0; 360]));
        assert_eq!(pattern, Pattern::Persistent);
        assert_eq!(
            evidence,
            ["SNT101: 1080 SNAT connections failed in 72 of 72 windows of 5 minutes"]
        );
    }

    #[test]
    fn pressure_without_a_failure_is_intermittent() {
        let mut facts = load_balancer();
        let used = port_series(&[(NODE_1, &[400.0, 1000.0])]);
        set_metric(&mut facts, &lb_id(), "UsedSnatPorts", used);
        let (pattern, evidence) = of(&facts);
        assert_eq!(pattern, Pattern::Intermittent);
        assert!(evidence[0].starts_with("SNT103: "), "{evidence:?}");
    }

    #[test]
    fn health_that_comes_and_goes_is_intermittent_and_health_that_never_comes_is_persistent() {
        let mut facts = firewalled();
        let half: Vec<f64> = [[100.0; 10], [40.0; 10]].concat();
        let health = |facts: &mut Facts, values: &[f64]| {
            let percents = firewall_percents(values);
            set_metric(facts, &firewall_id(), "FirewallHealth", percents);
        };
        health(&mut facts, &half);
        let (pattern, evidence) = of(&facts);
        assert_eq!(pattern, Pattern::Intermittent);
        assert_eq!(
            evidence,
            ["FWL116: Azure Firewall fw was down to 40 % health, in 2 of 4 windows of 5 minutes"]
        );
        health(&mut facts, &[40.0; 20]);
        assert_eq!(of(&facts).0, Pattern::Persistent);
    }

    #[test]
    fn none_needs_every_answer() {
        assert_eq!(of(&load_balancer()), (Pattern::None, vec![]));
        let mut facts = load_balancer();
        let denied = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", denied);
        assert_eq!(of(&facts), (Pattern::Unknown, vec![]));
    }

    #[test]
    fn what_is_to_come_is_no_sign_and_what_may_fail_leaves_it_unknown() {
        // The 51st node halves the ports of all; until then nothing happens.
        let mut facts = load_balancer();
        pools_mut(&mut facts)[1].auto_scaling = Some(true);
        pools_mut(&mut facts)[1].min_count = Some(1);
        pools_mut(&mut facts)[1].max_count = Some(60);
        let report = diagnose(&facts);
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, ["SNT104"]);
        assert_eq!(report.verdict.pattern, Pattern::None);
        // A forced tunnel is wrong, but what is at its other end nobody knows.
        let mut facts = load_balancer();
        route_table(
            &mut facts,
            vec![route(
                "default",
                "0.0.0.0/0",
                crate::facts::NextHopType::VirtualNetworkGateway,
                None,
            )],
        );
        assert_eq!(of(&facts).0, Pattern::Unknown);
    }
}
