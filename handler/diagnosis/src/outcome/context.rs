//! The analysis behind a reading, taken out of a report and the facts it was made from.

use super::analysis::{Analysis, DroppedBy, KnownFinding, PoolPath};
use crate::commands::Az;
use crate::endpoints::View;
use crate::facts::{Datum, Facts, HopOwner};
use crate::report::{FinalState, Finding, Method, Path, Report, TrafficVerdict};
use crate::trace::{Trace, TraceStepKind, TracedPath};

impl Analysis {
    /// What is known about the observed destination, by its trace; without one about the internet as a whole. Only what
    /// lies on the way from `node_pool` counts when it is named.
    pub fn of(
        facts: &Facts,
        report: &Report,
        trace: Option<&Trace>,
        node_pool: Option<&str>,
    ) -> Self {
        let findings: Vec<KnownFinding> = report.findings.iter().map(known).collect();
        let by_code = |code: Option<&str>, pools: &[String]| {
            let of_pools = |f: &&KnownFinding| {
                f.node_pools.is_empty() || f.node_pools.iter().any(|pool| pools.contains(pool))
            };
            let code = code?;
            let mut with_code = findings.iter().filter(|f| f.code == code);
            with_code.find(of_pools).cloned()
        };
        let paths = match trace {
            Some(trace) => trace
                .paths
                .iter()
                .map(|path| {
                    let finding = by_code(path.cause.as_deref(), &path.node_pools);
                    traced(path, finding)
                })
                .collect(),
            None => report
                .outbound
                .paths
                .iter()
                .map(|path| {
                    let finding = by_code(path.cause.as_deref(), &path.node_pools);
                    general(path, finding)
                })
                .collect(),
        };
        let (azure_firewall, other_appliance) = devices(facts, report, node_pool);
        let cluster = &facts.cluster;
        let api = &cluster.api_server;
        Self {
            show_cluster: Some(
                Az::new("aks show")
                    .opt("--subscription", &cluster.subscription_id)
                    .opt("--resource-group", &cluster.resource_group)
                    .opt("--name", &cluster.name)
                    .build(),
            ),
            paths,
            findings,
            http_proxy: Some(cluster.http_proxy),
            custom_dns: View::of(facts, &facts.features)
                .custom_dns
                .map(|servers| !servers.is_empty()),
            snat_failing: report.snat.failed_connections.map(|failed| failed > 0),
            node_pressure: None,
            tls_inspection: tls_inspection(facts, azure_firewall, other_appliance),
            azure_firewall,
            other_appliance,
            private_cluster: api.private_cluster,
            authorized_ranges: Some(!api.authorized_ip_ranges.is_empty()),
            api_server_names: [&api.fqdn, &api.private_fqdn]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        }
    }
}

fn known(finding: &Finding) -> KnownFinding {
    KnownFinding {
        code: finding.code.clone(),
        title: finding.title.clone(),
        confidence: finding.confidence,
        node_pools: finding.affected.node_pools.clone(),
    }
}

fn verdict(state: FinalState) -> TrafficVerdict {
    match state {
        FinalState::Delivered => TrafficVerdict::Allowed,
        FinalState::Dropped => TrafficVerdict::Blocked,
        FinalState::Forwarded | FinalState::Undetermined => TrafficVerdict::Unknown,
    }
}

fn traced(path: &TracedPath, finding: Option<KnownFinding>) -> PoolPath {
    let denied = |kind| {
        path.steps
            .iter()
            .find(|step| step.kind == kind && step.decision == "denied")
    };
    let dropped = path.final_state == FinalState::Dropped && finding.is_none();
    let last = path.steps.last().map_or("", |step| step.why.as_str());
    PoolPath {
        node_pools: path.node_pools.clone(),
        verdict: verdict(path.final_state),
        blocked_by: finding,
        dropped_by: dropped.then(|| DroppedBy {
            firewall: denied(TraceStepKind::Nsg).is_none()
                && denied(TraceStepKind::Firewall).is_some(),
            why: last.to_owned(),
        }),
    }
}

fn general(path: &Path, finding: Option<KnownFinding>) -> PoolPath {
    let dropped = path.final_state == FinalState::Dropped && finding.is_none();
    let last = path.steps.last().map_or("", |step| step.why.as_str());
    PoolPath {
        node_pools: path.node_pools.clone(),
        verdict: verdict(path.final_state),
        blocked_by: finding,
        dropped_by: dropped.then(|| DroppedBy {
            firewall: false,
            why: last.to_owned(),
        }),
    }
}

/// Whether an Azure Firewall, and whether another appliance, is on the way.
fn devices(
    facts: &Facts,
    report: &Report,
    node_pool: Option<&str>,
) -> (Option<bool>, Option<bool>) {
    let of_pool =
        |path: &&Path| node_pool.is_none_or(|pool| path.node_pools.iter().any(|name| name == pool));
    let (mut firewalls, mut others) = (Vec::new(), Vec::new());
    for path in report.outbound.paths.iter().filter(of_pool) {
        let (firewall, other) = device(facts, path);
        firewalls.push(firewall);
        others.push(other);
    }
    (any(&firewalls), any(&others))
}

fn device(facts: &Facts, path: &Path) -> (Option<bool>, Option<bool>) {
    match path.method {
        Method::AzureFirewall => (Some(true), Some(false)),
        Method::VirtualAppliance => {
            let ip = path.next_hop.ip_address.as_deref();
            let ip = ip.and_then(|text| text.parse().ok());
            match ip
                .and_then(|ip| facts.hops.get(&ip))
                .and_then(Datum::as_known)
            {
                Some(HopOwner::AzureFirewall(_)) => (Some(true), Some(false)),
                Some(HopOwner::VirtualMachineNic(_) | HopOwner::InternalLoadBalancer(_)) => {
                    (Some(false), Some(true))
                }
                Some(HopOwner::Nobody { .. }) | None => (None, None),
            }
        }
        Method::VirtualNetworkGateway | Method::Unknown => (None, None),
        _ => (Some(false), Some(false)),
    }
}

/// Yes when one is, not known when one may be, no when none is; not known of nothing.
fn any(facts: &[Option<bool>]) -> Option<bool> {
    if facts.contains(&Some(true)) {
        Some(true)
    } else if facts.is_empty() || facts.contains(&None) {
        None
    } else {
        Some(false)
    }
}

fn tls_inspection(
    facts: &Facts,
    azure_firewall: Option<bool>,
    other_appliance: Option<bool>,
) -> Option<bool> {
    if (azure_firewall, other_appliance) == (Some(false), Some(false)) {
        return Some(false);
    }
    let policies: Vec<Option<bool>> = facts
        .firewall_policies
        .values()
        .map(|policy| policy.as_known().map(|policy| policy.tls_inspection))
        .collect();
    match any(&policies) {
        Some(true) => Some(true),
        Some(false) if other_appliance == Some(false) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::Access::Deny;
    use crate::facts::Facts;
    use crate::outcome::{Agreement, Analysis, CauseKind, Observation, Reading, read};
    use crate::report::{Confidence, Pattern};
    use crate::testing::*;
    use crate::trace::trace;

    fn reading(facts: &Facts, destination: Option<&str>, exit: u8) -> Reading {
        let report = crate::diagnose(facts);
        let asked = destination.map(|text| text.parse().expect("a destination"));
        let traced = asked.as_ref().map(|asked| trace(facts, &report, asked));
        let observation = Observation {
            curl_exit: Some(exit),
            http_status: None,
            destination: destination.map(str::to_owned),
            port: None,
            text: None,
            pattern: Pattern::Unknown,
            node_pool: None,
            tcp_connects: None,
        };
        let analysis = Analysis::of(facts, &report, traced.as_ref(), None);
        read(&observation, &analysis).expect("a reading")
    }

    #[test]
    fn a_timeout_is_what_the_denying_rule_does() {
        let mut facts = load_balancer();
        deny_internet(&mut facts, "nodes", "443");
        for destination in [None, Some("mcr.microsoft.com"), Some("8.8.8.8")] {
            let found = reading(&facts, destination, 28);
            assert_eq!(found.agreement, Agreement::Agrees, "{destination:?}");
            assert_eq!(found.causes[0].confidence, Confidence::Certain);
            assert!(
                found.causes[0]
                    .finding
                    .as_deref()
                    .is_some_and(|f| f.starts_with("NSG"))
            );
        }
        // The rule is for another port: nothing that was read drops it, and nothing is invented.
        let other = reading(&facts, Some("8.8.8.8:80"), 28);
        assert!(
            other
                .causes
                .iter()
                .all(|c| c.confidence != Confidence::Certain)
        );
    }

    #[test]
    fn a_drop_that_no_finding_is_about_names_the_rule() {
        let mut facts = load_balancer();
        let rules = vec![security_rule(
            "no-shop", 200, Deny, "Tcp", "20.1.2.3", "443",
        )];
        subnet_nsg(&mut facts, "nodes", rules);
        let found = reading(&facts, Some("20.1.2.3"), 28);
        assert_eq!(found.agreement, Agreement::Agrees);
        assert_eq!(found.causes[0].kind, CauseKind::Blocker);
        assert!(found.causes[0].summary.contains("no-shop"), "{found:#?}");
        assert_eq!(found.causes[0].finding, None);
        // An answer came through, so the analysis and the observation cannot both be right.
        assert_eq!(
            reading(&facts, Some("20.1.2.3"), 0).agreement,
            Agreement::Contradicts
        );
    }

    #[test]
    fn r5_18_a_reset_handshake_is_what_the_firewalls_denial_does() {
        let found = reading(&firewalled(), Some("example.com"), 35);
        assert_eq!(found.agreement, Agreement::Agrees);
        assert!(
            found.causes[0].summary.contains("no rule allows it"),
            "{found:#?}"
        );
    }

    #[test]
    fn what_is_not_known_makes_no_cause() {
        let mut facts = load_balancer();
        facts.load_balancer = denied("x");
        facts.metrics.clear();
        let found = reading(&facts, Some("example.com"), 28);
        assert_eq!(found.agreement, Agreement::Undecided);
        assert!(
            found
                .causes
                .iter()
                .all(|c| c.confidence == Confidence::Possible)
        );
        assert!(!found.tell_apart.is_empty());
    }
}
