//! What carries the traffic, SNAT, gaps, next steps and cost.

use egress_diagnosis::report::{
    Allocation, Capacity, Check, CheckStatus, Gap, GapCause, Method, Path, Report, Scope, Snat,
    SnatDevice,
};

use super::page::{Page, Tone};
use super::sparkline;

/// Width of a usage bar.
const BAR: u32 = 20;
/// Nodes shown.
const NODES: usize = 5;

pub(super) fn carriers(page: &mut Page, report: &Report) {
    let declared = report
        .outbound
        .declared_type
        .as_deref()
        .unwrap_or("unknown");
    let agrees = match report.outbound.agrees_with_actual {
        Some(true) => "and that is what carries the traffic",
        Some(false) => "but something else carries the traffic",
        None => "whether that carries the traffic is not known",
    };
    page.heading("What carries the traffic");
    page.text(2, &format!("Outbound type {declared}, {agrees}."));
    for path in &report.outbound.paths {
        page.item(2, "→", &route(path));
    }
}

/// What may be missing from the list of required endpoints.
pub(super) fn endpoint_notes(page: &mut Page, report: &Report) {
    let notes = &report.egress_endpoints.notes;
    if notes.is_empty() {
        return;
    }
    page.heading("What the list of required endpoints leaves open");
    for note in notes {
        page.item(2, "·", note);
    }
}

fn route(path: &Path) -> String {
    let subnet = path.subnet_id.as_ref().map_or("unknown", |id| id.name());
    let who = match path.scope {
        Scope::Node => "nodes",
        Scope::Pod => "pods",
    };
    let device = path
        .device
        .as_ref()
        .map_or(String::new(), |d| format!(" {}", d.name));
    let ips = match &path.public_ips {
        Some(ips) if !ips.is_empty() => format!(" as {}", ips.join(", ")),
        _ => String::new(),
    };
    let why = match path.method {
        Method::Unknown | Method::None | Method::DefaultOutboundAccess => path
            .steps
            .last()
            .map_or(String::new(), |step| format!(" ({})", step.why)),
        _ => String::new(),
    };
    format!(
        "{who} of {} in subnet {subnet}: {}{device}{ips}{why}",
        path.node_pools.join(", "),
        method(path.method)
    )
}

fn method(method: Method) -> &'static str {
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

pub(super) fn snat(page: &mut Page, report: &Report) {
    let snat = &report.snat;
    let device = match snat.device {
        SnatDevice::LoadBalancer => "load balancer",
        SnatDevice::NatGateway => "NAT gateway",
        SnatDevice::AzureFirewall => "Azure Firewall",
        SnatDevice::None | SnatDevice::Unknown => return,
    };
    page.heading("SNAT ports");
    page.field("device", device);
    let failed = match (snat.failed_connections, snat.failed_windows) {
        (Some(0), _) => "none in the window".to_owned(),
        (Some(count), Some(windows)) => {
            let minutes = snat.failed_window_minutes.unwrap_or(5);
            format!("{count} in {windows} {minutes}-minute windows")
        }
        (Some(count), None) => count.to_string(),
        (None, _) => "not known".to_owned(),
    };
    page.field("failed", &failed);
    trend(page, report);
    usage(page, snat);
    if let Some(capacity) = &snat.capacity {
        page.field("capacity", &words(capacity));
    }
    if let Some(advice) = &snat.recommendation {
        page.field("advice", &advice.summary);
        page.field("", &advice.why);
        for other in &advice.alternatives {
            page.field("or", &format!("{} ({})", other.summary, other.trade_off));
        }
    }
}

/// The decisive series over the window.
fn trend(page: &mut Page, report: &Report) {
    let Some(line) = sparkline::decisive(report) else {
        return;
    };
    let tone = if line.bad { Tone::Bad } else { Tone::Good };
    let label = page.paint("  trend        ", Tone::Quiet);
    let blocks = page.paint(&line.blocks, tone);
    page.painted(&format!("{label}{blocks}"));
    page.field("", &line.caption);
}

fn usage(page: &mut Page, snat: &Snat) {
    for node in snat.backends.iter().take(NODES) {
        let name = node.node.as_deref().unwrap_or(&node.ip_address);
        let used = node.used_peak.map_or("?".to_owned(), |n| n.to_string());
        let Some((allocated, peak)) = node.allocated.filter(|n| *n > 0).zip(node.used_peak) else {
            page.field("node", &format!("{name} used {used} ports at its peak"));
            continue;
        };
        let percent = u64::from(peak) * 100 / u64::from(allocated);
        let tone = match percent {
            100.. => Tone::Bad,
            76.. => Tone::Warn,
            _ => Tone::Good,
        };
        let full = (u64::from(peak) * u64::from(BAR) / u64::from(allocated)).min(u64::from(BAR));
        let filled = usize::try_from(full).unwrap_or(0);
        let rest = usize::try_from(BAR).unwrap_or(0).saturating_sub(filled);
        let bar = page.paint(&"█".repeat(filled), tone);
        let space = page.paint(&"░".repeat(rest), Tone::Quiet);
        let label = page.paint("  node         ", Tone::Quiet);
        let text = page.paint(
            &format!(" {percent:>3} %  {peak} of {allocated}  {name}"),
            tone,
        );
        page.painted(&format!("{label}{bar}{space}{text}"));
    }
    if snat.backends.len() > NODES {
        page.field(
            "",
            &format!("and {} more nodes", snat.backends.len() - NODES),
        );
    }
    if snat.backends.is_empty()
        && let Some(peak) = snat.used_peak
    {
        page.field("peak", &format!("{peak} connections"));
    }
    if snat.device == SnatDevice::AzureFirewall
        && let Some(share) = snat.utilization_peak
    {
        page.field(
            "peak",
            &format!("{:.0} % of the firewall's ports", share * 100.0),
        );
    }
}

fn words(capacity: &Capacity) -> String {
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

pub(super) fn gaps(page: &mut Page, report: &Report) {
    gap_list(page, &report.gaps);
}

pub(super) fn gap_list(page: &mut Page, gaps: &[Gap]) {
    if gaps.is_empty() {
        return;
    }
    page.heading("What could not be read");
    for gap in gaps {
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
        page.item(2, "?", &format!("{}: {cause}{status}{code}", gap.what));
        if let Some(needs) = &gap.needs {
            let scope = needs
                .scope
                .as_ref()
                .map_or(String::new(), |s| format!(" on {s}"));
            page.text(4, &format!("needs {}{scope}", needs.action));
        }
        if !gap.checks.is_empty() {
            page.text(4, &format!("leaves open: {}", gap.checks.join(", ")));
        }
    }
}

/// Open checks that no gap explains.
pub(super) fn open_list(page: &mut Page, checks: &[Check], gaps: &[Gap]) {
    let explained = |id: &String| gaps.iter().any(|gap| gap.checks.contains(id));
    let open: Vec<_> = checks
        .iter()
        .filter(|c| c.status == CheckStatus::Unknown && !explained(&c.id))
        .collect();
    if open.is_empty() {
        return;
    }
    page.heading("What could not be judged");
    for check in open {
        let reason = check.reason.as_deref().unwrap_or("no answer");
        page.item(2, "?", &format!("{}: {reason}", check.id));
    }
}

pub(super) fn next_steps(page: &mut Page, report: &Report) {
    if report.next_steps.is_empty() {
        return;
    }
    page.heading("Next steps");
    for (index, step) in report.next_steps.iter().enumerate() {
        page.item(2, &format!("{}.", index + 1), step);
    }
}

pub(super) fn stats(page: &mut Page, report: &Report) {
    let count = |status| report.checks.iter().filter(|c| c.status == status).count();
    let stats = &report.stats;
    let cached = if stats.cached {
        ", made for an earlier caller"
    } else {
        ""
    };
    let text = format!(
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
    );
    page.blank();
    page.text(0, &text);
}
