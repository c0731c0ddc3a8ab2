//! Azure's terms and the report's enums as words, the same in every format.

use egress_diagnosis::report::{
    Allocation, Capacity, CheckStatus, ClusterSummary, Confidence, Evidence, FinalState, Finding,
    Gap, GapCause, Method, Need, Needs, NodePool, Outbound, Pattern, Report, Scope, Severity, Snat,
    SnatDevice, Status, TrafficVerdict,
};

/// The verdict's badge.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Healthy => "HEALTHY",
        Status::AtRisk => "AT RISK",
        Status::Degraded => "DEGRADED",
        Status::Blocked => "BLOCKED",
        Status::Unknown => "UNKNOWN",
    }
}

pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Info => "INFO",
    }
}

/// How sure a finding is, where that needs to be said.
pub(crate) fn doubt(confidence: Confidence) -> Option<&'static str> {
    match confidence {
        Confidence::Certain => None,
        Confidence::Likely => Some("likely"),
        Confidence::Possible => Some("possible"),
    }
}

/// Each finding, with an earlier one that has the same remedies: those need not be said twice.
pub(crate) fn with_earlier_remedy(
    findings: &[Finding],
) -> impl Iterator<Item = (&Finding, Option<&Finding>)> {
    findings.iter().enumerate().map(|(index, finding)| {
        let mut earlier = findings.iter().take(index);
        let like =
            earlier.find(|f| !f.remediation.is_empty() && f.remediation == finding.remediation);
        (finding, like)
    })
}

/// What was seen.
pub(crate) fn evidence(evidence: &Evidence) -> String {
    match &evidence.value {
        Some(value) => format!("{}: {value}", evidence.text),
        None => evidence.text.clone(),
    }
}

/// Whether the fault is there always.
pub(crate) fn pattern(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Persistent => "persistent: the same failure on each try",
        Pattern::Intermittent => "intermittent: failures in some minutes only",
        Pattern::None => "none: no sign of a fault",
        Pattern::Unknown => "not known",
    }
}

/// The pools with their size.
pub(crate) fn node_pools(pools: &[NodePool]) -> String {
    let one = |pool: &NodePool| {
        let count = pool.count.map_or("?".to_owned(), |n| n.to_string());
        let bounds = match (pool.min_count, pool.max_count) {
            (Some(min), Some(max)) => format!(", {min} to {max}"),
            _ => String::new(),
        };
        format!("{} ({count}{bounds})", pool.name)
    };
    pools.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Who needs an endpoint.
pub(crate) fn need(need: Need) -> &'static str {
    match need {
        Need::Required => "every cluster",
        Need::Feature => "a feature that is on",
        Need::Optional => "optional",
    }
}

/// Whether traffic passes.
pub(crate) fn traffic(verdict: TrafficVerdict) -> &'static str {
    match verdict {
        TrafficVerdict::Allowed => "allowed",
        TrafficVerdict::Blocked => "blocked",
        TrafficVerdict::Partial => "partly blocked",
        TrafficVerdict::Unknown => "not known",
    }
}

/// Outcome of a check.
pub(crate) fn check(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Passed => "passed",
        CheckStatus::Failed => "failed",
        CheckStatus::Warning => "warning",
        CheckStatus::NotApplicable => "not applicable",
        CheckStatus::Unknown => "not known",
    }
}

/// Whose packets.
pub(crate) fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Node => "nodes",
        Scope::Pod => "pods",
    }
}

/// What becomes of a packet.
pub(crate) fn final_state(state: FinalState) -> &'static str {
    match state {
        FinalState::Delivered => "DELIVERED",
        FinalState::Dropped => "DROPPED",
        FinalState::Forwarded => "FORWARDED",
        FinalState::Undetermined => "UNDETERMINED",
    }
}

/// What carries a packet.
pub(crate) fn method(method: Method) -> &'static str {
    match method {
        Method::LoadBalancer => "load balancer",
        Method::NatGateway => "NAT gateway",
        Method::InstancePublicIp => "the node's own public address",
        Method::AzureFirewall => "Azure Firewall",
        Method::VirtualAppliance => "virtual appliance",
        Method::VirtualNetworkGateway => "virtual network gateway",
        Method::DefaultOutboundAccess => "Azure's default outbound access",
        Method::None => "nothing",
        Method::Unknown => "not known",
    }
}

/// The device that translates addresses; `None` when there is none, or it is not known.
pub(crate) fn snat_device(device: SnatDevice) -> Option<&'static str> {
    match device {
        SnatDevice::LoadBalancer => Some("load balancer"),
        SnatDevice::NatGateway => Some("NAT gateway"),
        SnatDevice::AzureFirewall => Some("Azure Firewall"),
        SnatDevice::None | SnatDevice::Unknown => None,
    }
}

/// The cluster's place, version and network plugin.
pub(crate) fn cluster(cluster: &ClusterSummary) -> String {
    let mut facts = vec![format!(
        "{} in resource group {}",
        cluster.name, cluster.resource_group
    )];
    facts.extend(cluster.location.clone());
    facts.extend(
        cluster
            .kubernetes_version
            .as_ref()
            .map(|v| format!("Kubernetes {v}")),
    );
    facts.extend(cluster.network_plugin.as_ref().map(
        |plugin| match &cluster.network_plugin_mode {
            Some(mode) => format!("{plugin} {mode}"),
            None => plugin.clone(),
        },
    ));
    facts.join(" · ")
}

/// The outbound type, and whether it is what carries the traffic.
pub(crate) fn outbound_type(outbound: &Outbound) -> String {
    let declared = outbound.declared_type.as_deref().unwrap_or("unknown");
    let wants_a_way = !["none", "block"].contains(&declared);
    let none = outbound.paths.iter().filter(|p| p.method == Method::None);
    let agrees = match (outbound.agrees_with_actual, none.count()) {
        (Some(true), _) => "and that is what carries the traffic",
        (Some(false), n) if wants_a_way && n == outbound.paths.len() => {
            "but nothing carries the traffic"
        }
        (Some(false), n) if wants_a_way && n > 0 => "but nothing carries some of the traffic",
        (Some(false), _) => "but something else carries the traffic",
        (None, _) => "whether that carries the traffic is not known",
    };
    format!("Outbound type {declared}, {agrees}.")
}

/// How many SNAT connections failed.
pub(crate) fn failed_connections(snat: &Snat) -> String {
    match (snat.failed_connections, snat.failed_windows) {
        (Some(0), _) => "none in the window".to_owned(),
        (Some(count), Some(windows)) => {
            let minutes = snat.failed_window_minutes.unwrap_or(5);
            format!("{count} in {windows} {minutes}-minute windows")
        }
        (Some(count), None) => count.to_string(),
        (None, _) => "not known".to_owned(),
    }
}

/// Addresses, ports, and whether they fit.
pub(crate) fn capacity(capacity: &Capacity) -> String {
    let number = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    let ips = number(capacity.public_ips);
    let total = capacity
        .total_ports
        .map_or("?".to_owned(), |n| n.to_string());
    let plural = if capacity.public_ips == Some(1) {
        ""
    } else {
        "es"
    };
    let first = format!(
        "{ips} address{plural} × {} = {total} ports",
        capacity.ports_per_ip
    );
    let per_node = match capacity.allocation {
        Allocation::OnDemand => return format!("{first}, shared by all nodes on demand"),
        Allocation::Automatic => {
            format!("{} per node by pool size", number(capacity.ports_per_node))
        }
        Allocation::Explicit => format!("{} per node, fixed", number(capacity.ports_per_node)),
    };
    let fits = match capacity.fits {
        Some(true) => ": fits",
        Some(false) => ": does not fit, Azure will refuse to grow",
        None => "",
    };
    let required = capacity
        .required_ports
        .map_or("?".to_owned(), |n| n.to_string());
    format!(
        "{first}; {per_node}; {} nodes now, {} at most and {} while upgrading need {required}{fits}",
        number(capacity.live_nodes),
        number(capacity.max_nodes),
        number(capacity.surge_nodes)
    )
}

/// Why something could not be read, with Azure's status and code.
pub(crate) fn gap(gap: &Gap) -> String {
    let cause = match gap.cause {
        GapCause::Forbidden => "forbidden",
        GapCause::NotFound => "not found",
        GapCause::Throttled => "throttled",
        GapCause::TimedOut => "timed out",
        GapCause::Malformed => "malformed answer",
        GapCause::Unsupported => "unsupported",
        GapCause::Unreachable => "unreachable",
        GapCause::NotAsked => "not asked for",
    };
    let status = gap
        .http_status
        .map_or(String::new(), |s| format!(", HTTP {s}"));
    let code = gap
        .error_code
        .as_ref()
        .map_or(String::new(), |c| format!(" {c}"));
    format!("{cause}{status}{code}")
}

/// A missing right.
pub(crate) fn needs(needs: &Needs) -> String {
    let scope = needs
        .scope
        .as_ref()
        .map_or(String::new(), |s| format!(" on {s}"));
    format!("{}{scope}", needs.action)
}

/// What was checked, and what it cost.
pub(crate) fn stats(report: &Report) -> String {
    let count = |status| report.checks.iter().filter(|c| c.status == status).count();
    let stats = &report.stats;
    let cached = if stats.cached {
        ", made for an earlier caller"
    } else {
        ""
    };
    format!(
        "{} checks: {} passed, {} failed, {} warnings, {} open, {} not applicable · {} calls to Azure, {} sent again, {} ms{cached}",
        report.checks.len(),
        count(CheckStatus::Passed),
        count(CheckStatus::Failed),
        count(CheckStatus::Warning),
        count(CheckStatus::Unknown),
        count(CheckStatus::NotApplicable),
        stats.arm_calls,
        stats.retries,
        stats.duration_ms,
    )
}
