//! SNT109: ports of dead connections return late while ports are scarce.

use super::nat_pressure::short_of_addresses;
use super::snt_fix;
use super::snt_gateway;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, Device};
use crate::facts::lookup;
use crate::report::{Finding, Remediation, Severity};
use crate::snat::metric::Reading;

/// Ports of dead connections return late while ports are scarce.
pub(super) const RULE: Rule = Rule {
    code: "SNT109",
    slug: "idle-timeout-risk",
    severity: Severity::Low,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether a load balancer or NAT gateway that is short of SNAT ports keeps idle connections for longer than 4 \
               minutes.",
        why: "A connection that nobody closes holds its port until the idle timeout. AKS sets 30 minutes on a load balancer \
              by default; many short connections then use the ports up.",
        evidence: "The idle timeout in minutes, and what shows the shortage.",
        fix: "Shorten the timeout to 4 minutes, after connections are reused and the ports do.",
        how_sure: "Certain about the timeout and the shortage. How many ports are held by idle connections does not show in \
                   Azure.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-idle-timeout",
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource",
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
        ],
    },
    check,
};

/// The shortest idle timeout that both devices take.
const SHORTEST: u32 = 4;

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
        outcome.absorb(of_one(ctx, device));
    }
    outcome
}

/// Whether a device is short of ports: what shows it, nothing, or an open question.
fn shortage(ctx: &Context<'_>, device: &Device) -> Result<Option<String>, Outcome> {
    let failed = match device.failures() {
        Reading::Known(failures) if failures.total > 0 => {
            return Ok(Some(format!("{} connections failed", failures.total)));
        }
        Reading::Missing(missing) => Some(Outcome::missing(missing.clone())),
        Reading::Unclear(reason) => Some(Outcome::undecided(reason.clone())),
        // No traffic, no shortage.
        Reading::NoData | Reading::Known(_) => None,
    };
    let seen = match device {
        Device::LoadBalancer { ports, .. } => {
            let fullest = ports.known().and_then(|ports| {
                let shares = ports.nodes.iter().filter_map(|n| n.utilization);
                shares.max_by(f64::total_cmp)
            });
            fullest
                .filter(|share| *share > 0.75)
                .map(|share| format!("a node used {:.0} % of its ports", (share * 100.0).floor()))
        }
        Device::NatGateway { .. } => short_of_addresses(ctx, device)
            .map(|short| format!("{} connections were open at a time", short.peak)),
    };
    match (seen, failed) {
        (Some(seen), _) => Ok(Some(seen)),
        (None, Some(open)) => Err(open),
        (None, None) => Ok(None),
    }
}

fn of_one(ctx: &Context<'_>, device: &Device) -> Outcome {
    let minutes = match device {
        Device::LoadBalancer { .. } => match ctx.balancer.outbound_rule() {
            Ok(rule) => rule.and_then(|r| r.idle_timeout_minutes),
            Err(missing) => return Outcome::missing(missing),
        },
        Device::NatGateway { id, .. } => {
            match lookup(&ctx.facts.nat_gateways, id).known(|| device.label()) {
                Ok(gateway) => gateway.idle_timeout_minutes,
                Err(missing) => return Outcome::missing(missing),
            }
        }
    };
    match (minutes, shortage(ctx, device)) {
        (Some(minutes), _) if minutes <= SHORTEST => Outcome::passed(),
        (_, Ok(None)) => Outcome::passed(),
        (_, Err(open)) => open,
        (None, Ok(Some(_))) => {
            Outcome::undecided(format!("{} does not say its idle timeout", device.label()))
        }
        (Some(minutes), Ok(Some(shortage))) => {
            let found = finding(device, minutes, shortage);
            let fix = match device {
                Device::LoadBalancer { .. } => snt_fix::shorter_idle_timeout(ctx),
                Device::NatGateway { .. } => snt_gateway::shorter_idle_timeout(ctx, device),
            };
            let otherwise = || Remediation::new("Shorten the idle timeout to 4 minutes");
            Outcome::found(found.fix(fix.unwrap_or_else(otherwise)))
        }
    }
}

fn finding(device: &Device, minutes: u32, shortage: String) -> Finding {
    RULE.finding(format!(
        "{} keeps idle connections for {minutes} minutes while ports are scarce",
        super::out106::capital(&device.label())
    ))
    .explain("Every connection that is not closed holds its port for that long. A shorter timeout returns the ports sooner; long-lived idle connections then need keep-alives.")
    .evidence("idle timeout in minutes", Some(device.id()), Some(minutes.to_string()))
    .evidence("shortage of ports", Some(device.id()), Some(shortage))
    .resource(device.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snat::usage::{LB_CONNECTIONS, LB_USED, NAT_CONNECTIONS};
    use crate::testing::{
        NODE_1, codes, connections, denied, lb_id, lb_mut, load_balancer, nat_gateway, nat_id,
        nat_mut, outcome, port_series, set_metric,
    };

    #[test]
    fn r9_3_fires_for_thirty_minutes_on_a_load_balancer_under_pressure() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            port_series(&[(NODE_1, &[900.0])]),
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT109"]);
        assert!(
            found.findings[0]
                .title
                .starts_with("Load balancer kubernetes keeps idle connections for 30 minutes")
        );
        let fix = &found.findings[0].remediation[0];
        assert!(fix.commands[0].ends_with("--load-balancer-idle-timeout 4"));
        assert!(fix.undo[0].ends_with("--load-balancer-idle-timeout 30"));
    }

    #[test]
    fn r6_23_fires_for_a_nat_gateway() {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").idle_timeout_minutes = Some(5);
        let failing = connections("Failed", &[3.0]);
        set_metric(&mut facts, &nat_id("ng1"), NAT_CONNECTIONS, failing);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT109"]);
        let fix = &found.findings[0].remediation[0];
        assert!(fix.commands[0].starts_with("az network nat gateway update"));
        assert!(fix.commands[0].ends_with("--idle-timeout 4"));
    }

    #[test]
    fn r9_3_does_not_fire() {
        // AKS's 30 minutes are no fault while ports are plenty.
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            port_series(&[(NODE_1, &[900.0])]),
        );
        lb_mut(&mut facts).outbound_rules[0].idle_timeout_minutes = Some(4);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        let hidden = || denied("Microsoft.Insights/metrics/read");
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, hidden());
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_USED,
            port_series(&[(NODE_1, &[900.0])]),
        );
        lb_mut(&mut facts).outbound_rules[0].idle_timeout_minutes = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
