//! What carries the traffic, SNAT, gaps, next steps and cost.

use egress_diagnosis::report::{
    Check, CheckStatus, FinalState, Gap, Method, Path, Report, Snat, SnatDevice,
};

use super::page::{Page, Tone};
use super::sparkline;
use crate::words;

/// Width of a usage bar.
const BAR: u32 = 20;
/// Nodes shown.
const NODES: usize = 5;

pub(super) fn carriers(page: &mut Page, report: &Report) {
    page.heading("What carries the traffic");
    page.text(2, &words::outbound_type(&report.outbound));
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
    // What would carry the packets does not, where a rule or a dead hop stops them before.
    let fate = match (path.final_state, path.method, &path.cause) {
        (FinalState::Dropped, Method::None, _) => String::new(),
        (FinalState::Dropped, _, Some(code)) => format!(", but packets are dropped: {code}"),
        (FinalState::Dropped, _, None) => ", but packets are dropped".to_owned(),
        _ => String::new(),
    };
    format!(
        "{} of {} in subnet {subnet}: {}{device}{ips}{why}{fate}",
        words::scope(path.scope),
        path.node_pools.join(", "),
        words::method(path.method)
    )
}

pub(super) fn snat(page: &mut Page, report: &Report) {
    let snat = &report.snat;
    let Some(device) = words::snat_device(snat.device) else {
        return;
    };
    page.heading("SNAT ports");
    page.field("device", device);
    page.field("failed", &words::failed_connections(snat));
    trend(page, report);
    usage(page, snat);
    if let Some(capacity) = &snat.capacity {
        page.field("capacity", &words::capacity(capacity));
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

pub(super) fn gaps(page: &mut Page, report: &Report) {
    gap_list(page, &report.gaps);
}

pub(super) fn gap_list(page: &mut Page, gaps: &[Gap]) {
    if gaps.is_empty() {
        return;
    }
    page.heading("What could not be read");
    for gap in gaps {
        page.item(2, "?", &format!("{}: {}", gap.what, words::gap(gap)));
        if let Some(needs) = &gap.needs {
            page.text(4, &format!("needs {}", words::needs(needs)));
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
    page.blank();
    page.text(0, &words::stats(report));
}
