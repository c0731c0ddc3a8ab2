//! SNT101: SNAT connections fail.

use super::snt_fix::remedies;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, Device};
use crate::order::Order as _;
use crate::report::{Finding, Severity};
use crate::snat::metric::Reading;
use crate::snat::usage::{Failures, LB_CONNECTIONS, NAT_CONNECTIONS};

/// SNAT connections fail.
pub(super) const RULE: Rule = Rule {
    code: "SNT101",
    slug: "connections-failing",
    severity: Severity::Critical,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether Azure Monitor counted failed SNAT connections on the load balancer (`SnatConnectionCount`) or the \
               NAT gateway (`SNATConnectionCount`) in the window.",
        why: "Each one is a connection to the internet that a pod asked for and did not get, because no SNAT port was free \
              for it. Users see timeouts that come and go.",
        evidence: "The sum of failed connections, in how many 5-minute windows, from when to when, and the nodes that had most.",
        fix: "Reuse connections first; then more outbound addresses and more ports per node, in one call.",
        how_sure: "Certain that connections failed. Critical when failures lasted over more than one 5-minute window, high \
                   otherwise. A device without a single data point leaves the check open: no data is not zero. \
                   Windows nodes translate their pods' connections themselves first, behind a load balancer with 64 ports of \
                   the node's address by default; when these run out, no figure here shows it (R1.50).",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/snat-port-exhaustion",
            "https://learn.microsoft.com/azure/load-balancer/troubleshoot-outbound-connection",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat-connectivity",
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
            Reading::Unclear(reason) => outcome.undecided.push(reason.clone()),
            Reading::NoData => {
                let why = if ctx.demand().live == Some(0) {
                    ": the cluster has no nodes"
                } else {
                    ""
                };
                outcome.undecided.push(format!(
                    "{} has no SNAT data points in the window{why}",
                    device.label()
                ));
            }
            Reading::Known(failures) if failures.total == 0 => {}
            Reading::Known(failures) => outcome.findings.push(finding(ctx, device, failures)),
        }
    }
    outcome
}

/// What a failure means, and what else the same shortage breaks: not the tunnel of a private cluster, which stays within
/// the network (R6.10).
fn explanation(ctx: &Context<'_>, device: &Device) -> String {
    let (what, shortage) = match device {
        Device::LoadBalancer { .. } => (
            "No SNAT port was free for these connections.",
            "On a public cluster the same shortage",
        ),
        // R6.24: the gateway's counter tells no reason.
        Device::NatGateway { .. } => (
            "The gateway could not set these connections up: no port was free, more than 50,000 per address went to one destination, or the other side did not answer.",
            "A shortage of ports on a public cluster",
        ),
    };
    if ctx.cluster().api_server.private_cluster == Some(true) {
        return what.to_owned();
    }
    format!(
        "{what} {shortage} also breaks kubectl logs and exec, because the tunnel to the API server leaves the same way."
    )
}

fn finding(ctx: &Context<'_>, device: &Device, failures: &Failures) -> Finding {
    let windows = failures.windows.len();
    let severity = if windows > 1 {
        Severity::Critical
    } else {
        Severity::High
    };
    let metric = match device {
        Device::LoadBalancer { .. } => LB_CONNECTIONS,
        Device::NatGateway { .. } => NAT_CONNECTIONS,
    };
    let plural = if windows == 1 { "" } else { "s" };
    let mut found = RULE
        .finding(format!(
            "{} SNAT connections failed on {} in {windows} window{plural} of {} minutes",
            failures.total,
            device.label(),
            failures.window_minutes
        ))
        .severity(severity)
        .explain(explanation(ctx, device))
        .evidence(
            format!("{metric}, state failed"),
            Some(device.id()),
            Some(failures.total.to_string()),
        )
        .resource(device.id());
    if let Some((first, last)) = failures.span {
        found = found.seen(first).evidence(
            "first and last failure",
            Some(device.id()),
            Some(format!("{first} to {last}")),
        );
    }
    let mut hottest: Vec<(&String, &u64)> = failures
        .by_backend
        .iter()
        .filter(|(_, n)| **n > 0)
        .collect();
    hottest.order_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (address, count) in hottest.into_iter().take(3) {
        let text = format!("failed on node {}", ctx.nodes.label(address));
        found = found.pools(ctx.nodes.at(address).and_then(|n| n.pool.as_deref()));
        found = found.evidence(text, Some(device.id()), Some(count.to_string()));
    }
    for fix in remedies(ctx, device) {
        found = found.fix(fix);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, MetricAggregation, PowerState};
    use crate::testing::{
        codes, connections, denied, lb_id, load_balancer, metric, nat_gateway, nat_id, outcome,
        series, set_metric,
    };

    #[test]
    fn r6_4_fires_critical_when_sustained() {
        let mut facts = load_balancer();
        // Minutes 0 and 5 lie in different 5-minute windows.
        set_metric(
            &mut facts,
            &lb_id(),
            LB_CONNECTIONS,
            connections("Failed", &[3.0, 0.0, 0.0, 0.0, 0.0, 4.0]),
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT101"]);
        assert_eq!(found.findings[0].severity, Severity::Critical);
        assert!(!found.findings[0].blocks_egress);
        assert!(
            found.findings[0]
                .title
                .starts_with("7 SNAT connections failed")
        );
    }

    #[test]
    fn r6_4_fires_high_within_one_window() {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_CONNECTIONS,
            connections("failed", &[0.0, 2.0, 2.0]),
        );
        assert_eq!(outcome(&RULE, &facts).findings[0].severity, Severity::High);
    }

    #[test]
    fn r6_21_fires_for_a_nat_gateway() {
        let mut facts = nat_gateway();
        set_metric(
            &mut facts,
            &nat_id("ng1"),
            NAT_CONNECTIONS,
            connections("Failed", &[9.0]),
        );
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("NAT gateway ng1"));
        // The gateway has one address; the second is created, then both are named.
        let commands = &found.findings[0].remediation[1].commands;
        assert!(commands[1].contains("--public-ip-addresses"));
        assert!(commands[1].ends_with("/nat-1 ng1-ip-2"));
    }

    fn explanation(mut facts: Facts, private: bool) -> String {
        facts.cluster.api_server.private_cluster = Some(private);
        let failed = || connections("Failed", &[9.0]);
        set_metric(&mut facts, &lb_id(), LB_CONNECTIONS, failed());
        set_metric(&mut facts, &nat_id("ng1"), NAT_CONNECTIONS, failed());
        outcome(&RULE, &facts).findings[0].explanation.clone()
    }

    #[test]
    fn r6_10_the_tunnel_breaks_on_public_clusters_only() {
        for facts in [load_balancer, nat_gateway] {
            assert!(explanation(facts(), false).contains("kubectl logs and exec"));
            assert!(!explanation(facts(), true).contains("kubectl"));
        }
    }

    #[test]
    fn r6_24_a_gateways_failures_do_not_prove_a_shortage_of_ports() {
        let of_gateway = explanation(nat_gateway(), true);
        for reason in ["no port was free", "50,000", "the other side"] {
            assert!(of_gateway.contains(reason), "{of_gateway}");
        }
        let of_balancer = explanation(load_balancer(), true);
        assert_eq!(of_balancer, "No SNAT port was free for these connections.");
    }

    #[test]
    fn r6_22_the_platforms_own_few_connections_are_no_finding() {
        let mut facts = nat_gateway();
        let states = [("Attempted", [3.0, 2.0, 4.0]), ("Failed", [0.0; 3])];
        let states = states.map(|(state, values)| series(&[("connectionstate", state)], &values));
        let background = metric(MetricAggregation::Total, states.to_vec());
        set_metric(&mut facts, &nat_id("ng1"), NAT_CONNECTIONS, background);
        assert!(crate::diagnose(&facts).findings.is_empty());
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert_eq!(outcome(&RULE, &nat_gateway()), Outcome::passed());
        let mut facts = load_balancer();
        facts.cluster.power_state = Some(PowerState::Stopped);
        assert!(outcome(&RULE, &facts).not_applicable.is_some());
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
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        // R6.8: no data points is not zero.
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_CONNECTIONS,
            connections("Failed", &[]),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }

    #[test]
    fn r6_4_cannot_tell_which_device_carries_an_unreadable_subnet() {
        let mut facts = load_balancer();
        let id = crate::testing::subnet_id("nodes");
        facts
            .subnets
            .insert(id, denied("Microsoft.Network/virtualNetworks/subnets/read"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
