//! The decisive sentence and the status.

use crate::context::Context;
use crate::order::Order as _;
use crate::pattern::pattern;
use crate::report::{CheckStatus, Finding, Method, Outbound, Severity, Snat, Status, Verdict};
use crate::resource_health::{Unwell, unwell};

/// One check as the verdict sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) id: &'static str,
    /// Worst severity that it could have raised.
    pub(crate) worst: Severity,
    pub(crate) status: CheckStatus,
    /// Whether something that it needed stayed open, whatever it found.
    pub(crate) open: bool,
    pub(crate) reason: Option<String>,
}

/// The status by the contract's rules.
pub(crate) fn status(findings: &[Finding], checks: &[Judged]) -> Status {
    let worst = findings.iter().map(|f| f.severity).max();
    if findings.iter().any(|f| f.blocks_egress) {
        Status::Blocked
    } else if worst >= Some(Severity::High) {
        Status::Degraded
    } else if worst > Some(Severity::Info) {
        Status::AtRisk
    } else if open(checks).next().is_some() {
        Status::Unknown
    } else {
        Status::Healthy
    }
}

/// Open checks that could have found a critical or high fault.
fn open(checks: &[Judged]) -> impl Iterator<Item = &Judged> {
    checks
        .iter()
        .filter(|c| c.open && c.worst >= Severity::High)
}

/// The verdict over findings that are in their final order.
pub(crate) fn verdict(
    ctx: &Context<'_>,
    findings: &[Finding],
    checks: &[Judged],
    outbound: &Outbound,
    snat: &Snat,
) -> Verdict {
    let unwell = unwell(ctx, outbound);
    let status = match status(findings, checks) {
        // No check reads Resource Health, yet nothing that Azure says is down is healthy.
        Status::Healthy if unwell.iter().any(|unwell| unwell.now) => Status::Unknown,
        status => status,
    };
    let complete = !checks.iter().any(|c| c.open);
    let (pattern, pattern_evidence) = pattern(ctx, findings, snat, &unwell, complete);
    Verdict {
        status,
        headline: headline(ctx, status, findings, checks, &unwell, outbound, snat),
        pattern,
        pattern_evidence,
        complete,
    }
}

fn headline(
    ctx: &Context<'_>,
    status: Status,
    findings: &[Finding],
    checks: &[Judged],
    unwell: &[Unwell],
    outbound: &Outbound,
    snat: &Snat,
) -> String {
    match status {
        Status::Healthy => healthy(ctx, outbound, snat),
        Status::Unknown => {
            // Also those that could find nothing grave.
            let all = checks.iter().filter(|c| c.open).count();
            if let Some(down) = unwell.iter().find(|unwell| unwell.now) {
                let told = down.text.trim_end_matches('.');
                let also = match all {
                    0 => String::new(),
                    1 => " (and 1 open check)".to_owned(),
                    n => format!(" (and {n} open checks)"),
                };
                return format!("No check found a fault, yet Azure reports one. {told}{also}.");
            }
            let first = open(checks).find_map(|c| c.reason.as_deref());
            let first = first.unwrap_or("a check has no answer");
            let more = match all {
                0 | 1 => String::new(),
                2 => " (and 1 more open check)".to_owned(),
                n => format!(" (and {} more open checks)", n - 1),
            };
            format!("Nothing wrong was found, but not everything could be judged: {first}{more}.")
        }
        _ => {
            // The first in packet order among the decisive ones.
            let rank = |f: &&Finding| (f.blocks_egress, f.severity);
            let top = findings.iter().map(|f| rank(&f)).max();
            let decisive = findings.iter().find(|f| Some(rank(f)) == top);
            let title = decisive.map_or("", |f| f.title.as_str());
            let others = findings
                .iter()
                .filter(|f| f.severity > Severity::Info)
                .count()
                .saturating_sub(1);
            match others {
                0 => format!("{title}."),
                1 => format!("{title} (and 1 more finding)."),
                n => format!("{title} (and {n} more findings)."),
            }
        }
    }
}

fn healthy(ctx: &Context<'_>, outbound: &Outbound, snat: &Snat) -> String {
    let mut ways: Vec<String> = outbound
        .paths
        .iter()
        .map(|path| {
            let ips = path.public_ips.as_ref().filter(|ips| !ips.is_empty());
            let ips = ips.map_or(String::new(), |ips| format!(" ({})", ips.join(", ")));
            match (path.method, &path.device) {
                (Method::LoadBalancer, Some(d)) => format!("load balancer {}{ips}", d.name),
                (Method::NatGateway, Some(d)) => format!("NAT gateway {}{ips}", d.name),
                (Method::AzureFirewall, Some(d)) => format!("Azure Firewall {}{ips}", d.name),
                (Method::InstancePublicIp, _) => "public IP addresses of its nodes".to_owned(),
                _ => String::new(),
            }
        })
        .filter(|way| !way.is_empty())
        .collect();
    ways.order();
    ways.dedup();
    let name = &ctx.cluster().name;
    if ways.is_empty() {
        let declared = outbound.declared_type.as_deref().unwrap_or("unknown");
        return format!(
            "Cluster {name} has no way to the internet, as outbound type {declared} wants it."
        );
    }
    let failed = if snat.failed_connections == Some(0) {
        ", and no SNAT connection failed in the window"
    } else {
        ""
    };
    format!(
        "Every node pool of {name} leaves through {}{failed}.",
        ways.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    fn finding(severity: Severity, blocks: bool) -> Finding {
        let mut found = RULES[0].finding("t").severity(severity);
        found.blocks_egress = blocks;
        found
    }

    fn check(worst: Severity, open: bool) -> Judged {
        Judged {
            id: "X",
            worst,
            status: CheckStatus::Passed,
            open,
            reason: None,
        }
    }

    #[test]
    fn the_contracts_table() {
        use Severity::{Critical, High, Info, Low, Medium};
        let open_critical = [check(Critical, true)];
        let open_medium = [check(Medium, true)];
        let table: [(&[Finding], &[Judged], Status); 10] = [
            (&[], &[], Status::Healthy),
            (&[], &open_medium, Status::Healthy),
            (&[], &open_critical, Status::Unknown),
            (&[], &[check(High, true)], Status::Unknown),
            (&[finding(Info, false)], &open_critical, Status::Unknown),
            (&[finding(Info, false)], &[], Status::Healthy),
            (&[finding(Low, false)], &open_critical, Status::AtRisk),
            (&[finding(Medium, false)], &[], Status::AtRisk),
            (
                &[finding(Critical, false)],
                &open_critical,
                Status::Degraded,
            ),
            (
                &[finding(High, false), finding(Critical, true)],
                &[],
                Status::Blocked,
            ),
        ];
        for (index, (findings, checks, expected)) in table.into_iter().enumerate() {
            assert_eq!(status(findings, checks), expected, "row {index}");
        }
    }
}
