//! FWL106: no appliance behind the internal load balancer at the next hop takes packets (R2.40).

use std::net::IpAddr;

use jiff::SignedDuration;

use super::appliance::Appliance;
use super::fwl107::{ha_ports_fix, rules_of};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Frontend, Id, LoadBalancer, LoadBalancingRule, Metric, Series, Window};
use crate::report::{Finding, Remediation, Severity};
use crate::snat::metric::{Reading, metric};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL106",
    slug: "internal-load-balancer-down",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether a backend of the internal load balancer that has the next hop's address answers its health probe \
               (metric `DipAvailability` of the last five minutes), and whether the frontend has a rule and the rule's \
               backend pool a member at all.",
        why: "A load balancer hands packets only to backends that answer the probe. With none, every packet that the route \
              sends to its frontend is lost, although every address in the configuration is right.",
        evidence: "The load balancer with the probe availability of each backend, or with its empty backend pool or missing \
                   rule; the route that leads to its frontend.",
        fix: "Bring an appliance back so that it answers the probe, add one to the backend pool, or give the frontend a rule \
              with `az network lb rule create`.",
        how_sure: "Certain about rule and pool, and about the probe while Azure Monitor has data for this frontend: without \
                   data points the check stays open. An appliance that answers the probe may still drop everything.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview",
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-standard-diagnostics",
        ],
    },
    check,
};

/// Share of health probes that a backend answered, in percent.
const DIP_AVAILABILITY: &str = "DipAvailability";
/// Silence of every backend for so long is no blip.
const SILENT: SignedDuration = SignedDuration::from_mins(5);
/// Older data points say nothing about now.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check_balancers(ctx, |appliance, balancer, frontend| {
        let name = balancer.id.name();
        let rules = rules_of(balancer, frontend);
        if rules.is_empty() {
            if balancer.rules.iter().any(|rule| rule.frontend.is_none()) {
                return Outcome::undecided(format!(
                    "which frontend a rule of load balancer {name} is for is not told"
                ));
            }
            return Outcome::found(appliance.subnets(without_rule(appliance, balancer, frontend)));
        }
        if let Some(pools) = empty_pools(balancer, &rules) {
            return Outcome::found(appliance.subnets(without_member(appliance, balancer, &pools)));
        }
        let silence = format!(
            "Azure Monitor has no recent health probe data for {} of load balancer {name}",
            appliance.address
        );
        let metric = match metric(ctx.facts, &balancer.id, DIP_AVAILABILITY, "Count") {
            Reading::Known(metric) => metric,
            Reading::Missing(missing) => return Outcome::missing(missing),
            Reading::Unclear(why) => return Outcome::undecided(why),
            Reading::NoData => return Outcome::undecided(silence),
        };
        match health(metric, appliance.address, ctx.facts.window) {
            Some(backends) if backends.iter().any(|(_, best)| *best > 0.0) => Outcome::passed(),
            Some(backends) if !metric.truncated => {
                Outcome::found(appliance.subnets(silent(appliance, balancer, &backends)))
            }
            _ => Outcome::undecided(silence),
        }
    })
}

/// The backend pools of the rules, when all are known and none has a member.
fn empty_pools<'b>(
    balancer: &'b LoadBalancer,
    rules: &[&'b LoadBalancingRule],
) -> Option<Vec<&'b Id>> {
    let mut empty = Vec::new();
    for rule in rules {
        let pool = rule.backend_pool.as_ref()?;
        let body = balancer.backend_pools.iter().find(|it| it.id == *pool)?;
        if body.members > 0 {
            return None;
        }
        empty.push(pool);
    }
    empty.dedup();
    Some(empty)
}

/// Each backend with the best share of answered probes in the last minutes; `None` without recent data.
fn health(metric: &Metric, frontend: IpAddr, window: Window) -> Option<Vec<(String, f64)>> {
    let of_frontend = |series: &&Series| {
        let address = series.dimensions.get("frontendipaddress");
        address.is_some_and(|text| text.parse() == Ok(frontend))
    };
    let series: Vec<&Series> = metric.series.iter().filter(of_frontend).collect();
    let points = series.iter().flat_map(|series| &series.points);
    let latest = points.map(|point| point.at).max()?;
    if window.end.duration_since(latest) > FRESH.max(metric.grain + metric.grain) {
        return None;
    }
    let mut backends: Vec<(String, f64)> = Vec::new();
    for series in series {
        let recent = series.points.iter();
        let recent = recent.filter(|point| latest.duration_since(point.at) < SILENT);
        let Some(best) = recent.map(|point| point.value).reduce(f64::max) else {
            continue;
        };
        let backend = series.dimensions.get("backendipaddress");
        backends.push((backend.map_or("a backend", String::as_str).to_owned(), best));
    }
    Some(backends)
}

fn finding(
    appliance: &Appliance<'_, '_>,
    balancer: &LoadBalancer,
    what: &str,
    why: &str,
) -> Finding {
    let name = balancer.id.name();
    RULE.finding(format!(
        "Load balancer {name} loses the egress of {}: {what}",
        appliance.pools_label()
    ))
    .explain(format!(
        "{} leads to {}, a frontend of internal load balancer {name}. {why}",
        super::out106::capital(&appliance.via.label()),
        appliance.address
    ))
    .pools(appliance.pools())
    .resource(&balancer.id)
}

fn without_rule(
    appliance: &Appliance<'_, '_>,
    balancer: &LoadBalancer,
    frontend: &Frontend,
) -> Finding {
    finding(
        appliance,
        balancer,
        "its frontend has no rule",
        "No load balancing rule takes packets from this frontend, so every packet is dropped.",
    )
    .evidence(
        "load balancing rules of the frontend",
        Some(&frontend.id),
        Some("none".to_owned()),
    )
    .fix(ha_ports_fix(balancer, frontend, &[]))
}

fn without_member(
    appliance: &Appliance<'_, '_>,
    balancer: &LoadBalancer,
    pools: &[&Id],
) -> Finding {
    let mut found = finding(
        appliance,
        balancer,
        "its backend pool is empty",
        "Its rules hand packets to a backend pool without members, so every packet is dropped.",
    );
    let mut fix = Remediation::new(
        "Put the appliances' network interfaces into the backend pool (az network nic ip-config address-pool add)",
    );
    for pool in pools {
        found = found.evidence(
            "members of the backend pool",
            Some(pool),
            Some("0".to_owned()),
        );
        let show = Az::beside("network lb address-pool show", &balancer.id)
            .opt("--lb-name", balancer.id.name())
            .opt("--name", pool.name());
        fix = fix.command(show.build());
    }
    found.fix(
        fix.side_effect("A member gets packets as soon as it answers the health probe")
            .undo("Take the interfaces out again (az network nic ip-config address-pool remove)"),
    )
}

fn silent(
    appliance: &Appliance<'_, '_>,
    balancer: &LoadBalancer,
    backends: &[(String, f64)],
) -> Finding {
    let mut found = finding(
        appliance,
        balancer,
        "no backend answers its health probe",
        "No appliance behind it answered a health probe in the last five minutes, so every packet is dropped.",
    );
    for (backend, best) in backends {
        found = found.evidence(
            format!("{DIP_AVAILABILITY} of {backend}"),
            Some(&balancer.id),
            Some(format!("{best} %")),
        );
    }
    let probes = Az::beside("network lb probe list", &balancer.id)
        .opt("--lb-name", balancer.id.name())
        .build();
    let health = Az::new("monitor metrics list")
        .opt("--resource", balancer.id.as_str())
        .opt("--metrics", DIP_AVAILABILITY)
        .opt("--dimension", "BackendIPAddress")
        .build();
    found.fix(
        Remediation::new("Bring an appliance back: start it, or let it answer the probe that the first command shows")
            .command(probes)
            .command(health)
            .side_effect("A network security group on the appliances must admit 168.63.129.16, where the probes come from")
            .undo("Nothing to take back: these commands only show"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, MetricAggregation};
    use crate::testing::{
        HOP_BALANCER, balanced, balancer_mut, codes, denied, hop_balancer_id, load_balancer,
        metric as answer, outcome, series, set_metric,
    };

    /// The balanced cluster with these probe shares per backend, the last of which is at the end of the window.
    fn probed(backends: &[(&str, &[f64])]) -> Facts {
        let mut facts = balanced();
        let all = backends.iter().map(|(backend, values)| {
            series(
                &[
                    ("backendipaddress", backend),
                    ("frontendipaddress", HOP_BALANCER),
                ],
                values,
            )
        });
        let answer = answer(MetricAggregation::Average, all.collect());
        set_metric(&mut facts, &hop_balancer_id(), DIP_AVAILABILITY, answer);
        facts
    }

    /// One value per minute of the whole window, and this one in the last minutes.
    fn then(before: f64, minutes: usize, last: f64) -> Vec<f64> {
        let mut values = vec![before; 60 - minutes];
        values.extend(vec![last; minutes]);
        values
    }

    #[test]
    fn r2_40_fires_when_no_backend_answers() {
        let down = then(100.0, 5, 0.0);
        let found = outcome(&RULE, &probed(&[("10.1.1.4", &down), ("10.1.1.5", &down)]));
        assert_eq!(codes(&found), ["FWL106"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        assert_eq!(finding.evidence.len(), 2);
        assert!(finding.evidence[0].text.contains("10.1.1.4"));
        assert!(
            finding.remediation[0].commands[0].ends_with("--lb-name ilb"),
            "{:?}",
            finding.remediation
        );
    }

    #[test]
    fn r2_40_fires_without_members_and_without_a_rule() {
        let mut facts = balanced();
        balancer_mut(&mut facts).backend_pools[0].members = 0;
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("backend pool is empty"));
        balancer_mut(&mut facts).rules.clear();
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("has no rule"));
        let create = &found.findings[0].remediation[0].commands[0];
        assert!(
            create.contains("--protocol All --frontend-port 0"),
            "{create}"
        );
    }

    #[test]
    fn r2_40_does_not_fire_while_one_backend_answers() {
        let (up, down) = (then(0.0, 2, 50.0), then(100.0, 20, 0.0));
        let facts = probed(&[("10.1.1.4", &down), ("10.1.1.5", &up)]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // A blip of two minutes is not an outage.
        let blip = then(100.0, 2, 0.0);
        assert_eq!(
            outcome(&RULE, &probed(&[("10.1.1.4", &blip)])),
            Outcome::passed()
        );
        assert_eq!(outcome(&RULE, &balanced()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn r6_8_cannot_tell_without_recent_data() {
        let open = outcome(&RULE, &probed(&[]));
        assert!(open.findings.is_empty() && open.is_open());
        // The last point lies an hour back.
        let mut old = probed(&[("10.1.1.4", &[0.0; 20])]);
        old.window.end += SignedDuration::from_mins(80);
        assert!(outcome(&RULE, &old).is_open());
        let mut facts = balanced();
        let refused = denied("Microsoft.Insights/Metrics/Read");
        set_metric(&mut facts, &hop_balancer_id(), DIP_AVAILABILITY, refused);
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        // Another frontend's health says nothing about this one.
        let mut facts = balanced();
        let other = series(
            &[
                ("backendipaddress", "10.1.1.4"),
                ("frontendipaddress", "10.1.1.99"),
            ],
            &[100.0; 60],
        );
        let other = answer(MetricAggregation::Average, vec![other]);
        set_metric(&mut facts, &hop_balancer_id(), DIP_AVAILABILITY, other);
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = balanced();
        for rule in &mut balancer_mut(&mut facts).rules {
            rule.frontend = None;
        }
        assert!(
            matches!(&outcome(&RULE, &facts), open if open.findings.is_empty() && open.is_open())
        );
        let truncated = |datum: &mut Datum<Metric>| {
            if let Datum::Known(metric) = datum {
                metric.truncated = true;
            }
        };
        let mut facts = probed(&[("10.1.1.4", &then(100.0, 10, 0.0))]);
        let metrics = facts.metrics.get_mut(&hop_balancer_id()).unwrap();
        truncated(metrics.get_mut(DIP_AVAILABILITY).unwrap());
        assert!(outcome(&RULE, &facts).is_open(), "backends were left out");
    }
}
