//! Paths, endpoints, SNAT, checks, gaps and next steps.

use egress_diagnosis::facts::Id;
use egress_diagnosis::report::{
    Check, CheckStatus, EgressEndpointItem, Gap, Path, Report, Step, StepKind, TrafficVerdict,
};
use egress_diagnosis::trace::{Trace, TraceStepKind, TracedDestination, TracedPath};

use super::page::{Cell, Page};
use super::picture;
use crate::words;

pub(super) fn carriers(page: &mut Page, report: &Report) {
    page.heading(2, "What carries the traffic");
    page.text(&words::outbound_type(&report.outbound));
    if report.outbound.paths.is_empty() {
        page.text("No path could be worked out.");
        return;
    }
    let rows = report.outbound.paths.iter().map(path).collect();
    page.table(
        &[
            "from",
            "subnet",
            "next hop",
            "carried by",
            "public addresses",
            "ends",
        ],
        rows,
    );
    for picture in picture::pictures(report) {
        page.picture(&picture);
    }
    page.text("Why, step by step:");
    for path in &report.outbound.paths {
        let subnet = path.subnet_id.as_ref().map_or("unknown", |id| id.name());
        let who = format!(
            "{} of {}",
            words::scope(path.scope),
            path.node_pools.join(", ")
        );
        page.strong(&format!("{who} in subnet {subnet}:"), "");
        page.list(&path.steps.iter().filter_map(step).collect::<Vec<_>>());
    }
}

fn step(step: &Step) -> Option<String> {
    (step.kind != StepKind::Start).then(|| format!("{}: {}", step.decision, step.why))
}

fn path(path: &Path) -> Vec<Cell> {
    let hop = &path.next_hop;
    let hop = match &hop.ip_address {
        Some(ip) => format!("{} {ip}", hop.hop_type),
        None => hop.hop_type.clone(),
    };
    let device = path
        .device
        .as_ref()
        .map_or(String::new(), |d| format!(" {}", d.name));
    let cause = path
        .cause
        .as_ref()
        .map_or(String::new(), |code| format!(" ({code})"));
    vec![
        Cell::text(&format!(
            "{} of {}",
            words::scope(path.scope),
            path.node_pools.join(", ")
        )),
        Cell::name(path.subnet_id.as_ref().map(Id::name)),
        Cell::text(&hop),
        Cell::text(&format!("{}{device}", words::method(path.method))),
        match &path.public_ips {
            Some(ips) => Cell::names(ips),
            None => Cell::text("not known"),
        },
        Cell::text(&format!(
            "{}{cause}",
            words::final_state(path.final_state).to_lowercase()
        )),
    ]
}

/// The paths to the destination that was asked for.
pub(super) fn traces(page: &mut Page, traces: &[Trace]) {
    for trace in traces {
        let names: Vec<String> = trace
            .destinations
            .iter()
            .map(TracedDestination::label)
            .collect();
        page.heading(2, &format!("To {}", names.join(", ")));
        if trace.paths.is_empty() {
            page.text("No subnet of a node pool could be read.");
        }
        for path in &trace.paths {
            traced(page, path);
        }
    }
}

fn traced(page: &mut Page, path: &TracedPath) {
    let state = words::final_state(path.final_state);
    let why = path.steps.last().map_or("", |step| step.why.as_str());
    let cause = path
        .cause
        .as_ref()
        .map_or(String::new(), |code| format!(" ({code})"));
    let who = format!(
        "{} of {}",
        words::scope(path.scope),
        path.node_pools.join(", ")
    );
    page.strong(state, &format!("{who}: {why}{cause}"));
    let steps = path
        .steps
        .iter()
        .filter(|step| step.kind != TraceStepKind::Final);
    page.list(
        &steps
            .map(|step| format!("{}: {}", step.decision, step.why))
            .collect::<Vec<_>>(),
    );
    if !path.notes.is_empty() {
        page.list(&path.notes);
    }
}

/// The endpoints that are not allowed, and how many are.
pub(super) fn endpoints(page: &mut Page, report: &Report) {
    let endpoints = &report.egress_endpoints;
    page.heading(2, "Endpoints the cluster needs");
    let (allowed, others): (Vec<_>, Vec<_>) = endpoints
        .items
        .iter()
        .partition(|item| item.verdict == TrafficVerdict::Allowed);
    page.text(&format!(
        "{} of {} are allowed from every node pool.",
        allowed.len(),
        endpoints.items.len()
    ));
    if !others.is_empty() {
        page.text("Not allowed, or not known to be:");
        let rows = others.iter().map(|item| endpoint(item)).collect();
        page.table(&["endpoint", "needed by", "verdict", "why"], rows);
    }
    if !endpoints.notes.is_empty() {
        page.text("What the list leaves open:");
        page.list(&endpoints.notes);
    }
}

fn endpoint(item: &EgressEndpointItem) -> Vec<Cell> {
    let port = item.port.map_or(String::new(), |port| format!(":{port}"));
    let protocol = item
        .protocol
        .as_deref()
        .map_or(String::new(), |p| format!(" {p}"));
    let why: Vec<String> = item
        .by_pool
        .iter()
        .filter(|pool| pool.verdict != TrafficVerdict::Allowed)
        .map(|pool| format!("{}: {}", pool.node_pools.join(", "), pool.why))
        .collect();
    vec![
        Cell::name(Some(&format!("{}{port}{protocol}", item.domain_name))),
        Cell::text(&format!("{} ({})", words::need(item.need), item.category)),
        Cell::text(words::traffic(item.verdict)),
        Cell::text(&why.join("; ")),
    ]
}

pub(super) fn snat(page: &mut Page, report: &Report) {
    let snat = &report.snat;
    let Some(device) = words::snat_device(snat.device) else {
        return;
    };
    page.heading(2, "SNAT ports");
    let mut facts = vec![
        format!("device: {device}"),
        format!("failed connections: {}", words::failed_connections(snat)),
    ];
    facts.extend(snat.used_peak.map(|peak| format!("most in use: {peak}")));
    facts.extend(
        snat.utilization_peak
            .map(|share| format!("highest utilisation: {:.0} %", share * 100.0)),
    );
    facts.extend(
        snat.capacity
            .as_ref()
            .map(|capacity| format!("capacity: {}", words::capacity(capacity))),
    );
    page.list(&facts);
    if !snat.backends.is_empty() {
        let rows = snat.backends.iter().map(|backend| {
            vec![
                Cell::name(Some(&backend.ip_address)),
                Cell::name(backend.node.as_deref()),
                Cell::name(backend.node_pool.as_deref()),
                Cell::number(backend.allocated),
                Cell::number(backend.used_peak),
                Cell::text(
                    &backend
                        .used_peak_at
                        .map_or(String::new(), |at| at.to_string()),
                ),
                Cell::number(backend.failed),
            ]
        });
        page.table(
            &[
                "address",
                "node",
                "pool",
                "ports",
                "most used",
                "at",
                "failed",
            ],
            rows.collect(),
        );
    }
    if let Some(advice) = &snat.recommendation {
        page.strong("Advice:", &advice.summary);
        page.text(&advice.why);
        page.commands(&advice.commands);
        if !advice.side_effects.is_empty() {
            page.list(&advice.side_effects);
        }
        for other in &advice.alternatives {
            page.strong("Or:", &format!("{} ({})", other.summary, other.trade_off));
            page.commands(&other.commands);
        }
    }
}

/// The checks that neither passed nor have no meaning here.
pub(super) fn checks(page: &mut Page, report: &Report) {
    let open: Vec<&Check> = report
        .checks
        .iter()
        .filter(|check| {
            !matches!(
                check.status,
                CheckStatus::Passed | CheckStatus::NotApplicable
            )
        })
        .collect();
    if open.is_empty() {
        return;
    }
    page.heading(2, "Checks that did not pass");
    let rows = open.iter().map(|check| {
        vec![
            Cell::text(&check.id),
            Cell::text(words::check(check.status)),
            Cell::text(&check.step),
            Cell::text(check.reason.as_deref().unwrap_or_default()),
        ]
    });
    page.table(&["check", "status", "step", "reason"], rows.collect());
}

pub(super) fn gaps(page: &mut Page, report: &Report) {
    if report.gaps.is_empty() {
        return;
    }
    page.heading(2, "What could not be read");
    page.table(
        &["what", "why", "needs", "leaves open"],
        report.gaps.iter().map(gap).collect(),
    );
}

fn gap(gap: &Gap) -> Vec<Cell> {
    vec![
        Cell::text(&gap.what),
        Cell::text(&words::gap(gap)),
        Cell::name(gap.needs.as_ref().map(words::needs).as_deref()),
        Cell::text(&gap.checks.join(", ")),
    ]
}

pub(super) fn next_steps(page: &mut Page, report: &Report) {
    if !report.next_steps.is_empty() {
        page.heading(2, "Next steps");
        page.steps(&report.next_steps);
    }
}
