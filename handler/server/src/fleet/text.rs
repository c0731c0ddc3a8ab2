//! The overview for a terminal.

use egress_diagnosis::report::Status;

use super::overview::{Fleet, FleetRow};

/// The overview as plain text.
pub(crate) fn text(fleet: &Fleet) -> String {
    let counts = &fleet.counts;
    let mut text = format!(
        "{} of {} clusters; of all: {} blocked, {} degraded, {} unknown, {} at risk, {} healthy\n\n",
        fleet.clusters.len(),
        fleet.total,
        counts.blocked,
        counts.degraded,
        counts.unknown,
        counts.at_risk,
        counts.healthy
    );
    let rows: Vec<_> = fleet.clusters.iter().map(cells).collect();
    let headings = [
        "STATUS", "CLUSTER", "GROUP", "REGION", "SNAT", "AGE", "FINDING", "HEADLINE",
    ];
    text.push_str(&egress_render::table(headings, &rows));
    if !fleet.gaps.is_empty() {
        let gaps: Vec<_> = fleet.gaps.iter().map(|gap| [gap.what.clone()]).collect();
        text.push('\n');
        text.push_str(&egress_render::table(["GAPS"], &gaps));
    }
    if let Some(continuation) = &fleet.continuation {
        text.push_str("\nmore with continuation=");
        text.push_str(continuation);
        text.push('\n');
    }
    text
}

fn cells(cluster: &FleetRow) -> [String; 8] {
    let row = &cluster.row;
    let status = match row.status {
        Status::Blocked => "BLOCKED",
        Status::Degraded => "DEGRADED",
        Status::Unknown => "UNKNOWN",
        Status::AtRisk => "AT RISK",
        Status::Healthy => "HEALTHY",
    };
    let unknown = || "?".to_owned();
    [
        status.to_owned(),
        row.name.clone(),
        row.resource_group.clone(),
        row.location.clone().unwrap_or_else(unknown),
        row.snat_utilization_peak
            .map_or_else(unknown, |peak| format!("{:.0}%", peak * 100.0)),
        age(cluster.age_seconds),
        row.worst_finding
            .as_ref()
            .map_or_else(|| "-".to_owned(), |finding| finding.code.clone()),
        row.headline.clone(),
    ]
}

/// `45 s`, `12 min`, `7 h`, `3 d`
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
