//! What is kept of a cluster's last diagnosis for the overview: one small JSON object per cluster.

use egress_diagnosis::report::{Finding, Pattern, Report, Severity, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster_id::ClusterId;

/// One cluster in the overview, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// ARM id of the cluster.
    pub(crate) cluster_id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its resource group.
    pub(crate) resource_group: String,
    /// Its subscription.
    pub(crate) subscription_id: String,
    /// Azure region; null when it is not known.
    pub(crate) location: Option<String>,
    /// The verdict's status; `unknown` where the diagnosis failed.
    pub(crate) status: Status,
    /// The verdict in one sentence, or why there is none.
    pub(crate) headline: String,
    /// Whether the fault is there always or only sometimes.
    pub(crate) pattern: Pattern,
    /// False when any check is unknown.
    pub(crate) complete: bool,
    /// The worst finding above `info`, the first of equals; null when there is none.
    pub(crate) worst_finding: Option<WorstFinding>,
    /// Highest share of SNAT ports in use within the window, 0 to 1; null when it is not known.
    pub(crate) snat_utilization_peak: Option<f64>,
    /// When the facts were asked for, or when the diagnosis failed (RFC 3339, UTC).
    #[cfg_attr(test, schema(value_type = String, format = DateTime))]
    pub(crate) generated_at: Timestamp,
    /// Id of the stored result, for `GET /api/diagnoses/{id}`.
    pub(crate) result_id: String,
    /// Why there is no report; null when there is one.
    pub(crate) failure: Option<Failure>,
}

/// The worst finding of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct WorstFinding {
    /// Permanent code, e.g. `NAT101`.
    pub(crate) code: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// One line with the real names.
    pub(crate) title: String,
}

/// Why a diagnosis gave no report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = DiagnosisFailure))]
pub(crate) struct Failure {
    /// Stable code, as in an error answer.
    pub(crate) code: String,
    /// What a caller may read of it.
    pub(crate) detail: String,
}

impl Row {
    /// What is kept of a report.
    pub(crate) fn of_report(report: &Report, result_id: &str) -> Self {
        let cluster = &report.cluster;
        let verdict = &report.verdict;
        Self {
            cluster_id: cluster.id.as_str().to_owned(),
            name: cluster.name.clone(),
            resource_group: cluster.resource_group.clone(),
            subscription_id: cluster.subscription_id.clone(),
            location: cluster.location.clone(),
            status: verdict.status,
            headline: verdict.headline.clone(),
            pattern: verdict.pattern,
            complete: verdict.complete,
            worst_finding: worst(&report.findings),
            snat_utilization_peak: report.snat.utilization_peak,
            generated_at: report.generated_at,
            result_id: result_id.to_owned(),
            failure: None,
        }
    }

    /// What is kept of a diagnosis that gave no report.
    pub(crate) fn of_failure(
        cluster: &ClusterId,
        failure: Failure,
        at: Timestamp,
        result_id: &str,
    ) -> Self {
        Self {
            cluster_id: cluster.as_str().to_owned(),
            name: cluster.name().to_owned(),
            resource_group: cluster.resource_group().unwrap_or_default().to_owned(),
            subscription_id: cluster.subscription().to_owned(),
            location: None,
            status: Status::Unknown,
            headline: format!("No report: {}", failure.detail),
            pattern: Pattern::Unknown,
            complete: false,
            worst_finding: None,
            snat_utilization_peak: None,
            generated_at: at,
            result_id: result_id.to_owned(),
            failure: Some(failure),
        }
    }
}

/// What stops egress is worse than anything else of its severity; of equals the first, which is nearest to the nodes.
fn worst(findings: &[Finding]) -> Option<WorstFinding> {
    let badness = |finding: &Finding| (finding.severity, finding.blocks_egress);
    let mut worst: Option<&Finding> = None;
    for finding in findings.iter().filter(|f| f.severity > Severity::Info) {
        if worst.is_none_or(|worst| badness(finding) > badness(worst)) {
            worst = Some(finding);
        }
    }
    worst.map(|finding| WorstFinding {
        code: finding.code.clone(),
        severity: finding.severity,
        title: finding.title.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_id;
    use crate::testing::{self, CLUSTER};

    fn at() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn the_worst_finding_is_the_first_of_the_most_severe_that_stops_egress_before_others() {
        let mut report = testing::report(CLUSTER);
        let worst = |report: &Report| Row::of_report(report, "id").worst_finding.map(|f| f.code);
        assert_eq!(worst(&report).as_deref(), Some("CLS101"));
        report.findings[0].blocks_egress = false;
        assert_eq!(worst(&report).as_deref(), Some("NSG101"));
        report.findings[1].severity = Severity::High;
        assert_eq!(worst(&report).as_deref(), Some("NAT101"));
        for finding in &mut report.findings {
            finding.severity = Severity::Info;
        }
        assert_eq!(worst(&report), None);
    }

    #[test]
    fn a_stored_row_is_read_as_it_was_written() {
        let mut report = testing::report(CLUSTER);
        report.snat.utilization_peak = Some(0.86);
        report.generated_at = at();
        let row = Row::of_report(&report, "result-1");
        assert_eq!(row.status, Status::Blocked);
        assert_eq!(row.snat_utilization_peak, Some(0.86));
        assert_eq!(
            (row.name.as_str(), row.result_id.as_str()),
            ("shop", "result-1")
        );
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""status":"blocked""#) && text.contains(r#""generatedAt":"2026"#));
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }

    #[test]
    fn a_failed_diagnosis_is_unknown_and_says_why() {
        let cluster = cluster_id::parse(CLUSTER).unwrap();
        let failure = Failure {
            code: "clusterNotFound".to_owned(),
            detail: "Azure knows no cluster with this id".to_owned(),
        };
        let row = Row::of_failure(&cluster, failure.clone(), at(), "result-2");
        assert_eq!((row.status, row.complete), (Status::Unknown, false));
        assert_eq!(row.failure, Some(failure));
        assert_eq!(row.subscription_id, testing::SUBSCRIPTION);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }
}
