//! The parts of a report that have a route of their own.

use egress_diagnosis::report::{
    ClusterSummary, EgressEndpoints, Finding, Gap, NatGatewaySection, Outbound, Report,
    ReportWindow, Snat, Stats, Verdict,
};
use egress_diagnosis::trace::Trace;
use jiff::Timestamp;
use serde::Serialize;

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    OutboundType,
    Endpoints,
    NatGateway,
    Snat,
}

/// A part with what is needed to read it alone. The verdict is the whole report's: a part that looks well does not
/// make a cluster healthy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SectionReport<'a> {
    schema_version: &'a str,
    generated_at: Timestamp,
    window: ReportWindow,
    cluster: &'a ClusterSummary,
    verdict: &'a Verdict,
    #[serde(flatten)]
    body: SectionBody<'a>,
    findings: Vec<&'a Finding>,
    gaps: Vec<&'a Gap>,
    stats: &'a Stats,
    /// The path of the destination that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    traces: Option<&'a [Trace]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum SectionBody<'a> {
    Outbound(&'a Outbound),
    EgressEndpoints(&'a EgressEndpoints),
    NatGateway(&'a NatGatewaySection),
    Snat(&'a Snat),
}

impl Section {
    /// This part of the report.
    pub(super) fn of<'a>(
        self,
        report: &'a Report,
        traces: Option<&'a [Trace]>,
    ) -> SectionReport<'a> {
        SectionReport {
            schema_version: &report.schema_version,
            generated_at: report.generated_at,
            window: report.window,
            cluster: &report.cluster,
            verdict: &report.verdict,
            body: match self {
                Self::OutboundType => SectionBody::Outbound(&report.outbound),
                Self::Endpoints => SectionBody::EgressEndpoints(&report.egress_endpoints),
                Self::NatGateway => SectionBody::NatGateway(&report.nat_gateway),
                Self::Snat => SectionBody::Snat(&report.snat),
            },
            findings: report
                .findings
                .iter()
                .filter(|f| self.covers(&f.code))
                .collect(),
            // A gap that names no check may concern any part.
            gaps: report
                .gaps
                .iter()
                .filter(|g| g.checks.is_empty() || g.checks.iter().any(|c| self.covers(c)))
                .collect(),
            stats: &report.stats,
            traces,
        }
    }

    /// Whether a finding code belongs to this part. Those about the cluster itself belong to every part.
    fn covers(self, code: &str) -> bool {
        let families: &[&str] = match self {
            Self::OutboundType => &["CLS", "OUT", "UDR", "NAT"],
            Self::Endpoints => &["CLS", "OUT", "UDR", "NSG", "FWL", "API", "DNS"],
            Self::NatGateway => &["CLS", "NAT"],
            Self::Snat => &["CLS", "SNT"],
        };
        families.iter().any(|family| code.starts_with(family))
    }
}
