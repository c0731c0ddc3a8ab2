//! How much the nodes and their disks have to do.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::facts::Facts;
use crate::report::{
    Check, ClusterSummary, Disks, Finding, Gap, Nodes, Report, ReportWindow, Stats, Verdict,
    schema_of,
};
use crate::trace::{Destination, Trace, trace};

/// Pressure on nodes and disks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PressureAnswer {
    /// Version of the report's shape.
    pub schema_version: String,
    /// When the facts were asked for (RFC 3339, UTC).
    #[schema(value_type = String, format = DateTime)]
    pub generated_at: Timestamp,
    /// The metrics window.
    pub window: ReportWindow,
    /// The cluster.
    pub cluster: ClusterSummary,
    /// The whole report's verdict.
    pub verdict: Verdict,
    /// Node pressure.
    pub nodes: Nodes,
    /// Disk pressure.
    pub disks: Disks,
    /// Findings about nodes, disks and the cluster itself.
    pub findings: Vec<Finding>,
    /// The checks behind them.
    pub checks: Vec<Check>,
    /// What could not be read and what that leaves open.
    pub gaps: Vec<Gap>,
    /// The path of the destination; none when none was given.
    pub traces: Vec<Trace>,
    /// What the report cost.
    pub stats: Stats,
}

impl PressureAnswer {
    /// The part of a report that is about nodes.
    pub fn of(facts: &Facts, report: &Report, destination: Option<&Destination>) -> Self {
        let covers = |code: &str| code.starts_with("CLS") || code.starts_with("NOD");
        Self {
            schema_version: report.schema_version.clone(),
            generated_at: report.generated_at,
            window: report.window,
            cluster: report.cluster.clone(),
            verdict: report.verdict.clone(),
            nodes: report.nodes.clone(),
            disks: report.disks.clone(),
            findings: report
                .findings
                .iter()
                .filter(|finding| covers(&finding.code))
                .cloned()
                .collect(),
            checks: report
                .checks
                .iter()
                .filter(|check| covers(&check.id))
                .cloned()
                .collect(),
            // A gap that names no check may concern any part.
            gaps: report
                .gaps
                .iter()
                .filter(|gap| gap.checks.is_empty() || gap.checks.iter().any(|c| covers(c)))
                .cloned()
                .collect(),
            traces: destination
                .iter()
                .map(|destination| trace(facts, report, destination))
                .collect(),
            stats: report.stats.clone(),
        }
    }
}

/// JSON Schema of [`PressureAnswer`].
pub fn pressure_schema() -> Value {
    schema_of::<PressureAnswer>("AKS node and disk pressure")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::CPU;
    use crate::testing::{denied, load_balancer, node_percent, set_metric};

    #[test]
    fn only_what_concerns_nodes_is_in_it() {
        let mut facts = load_balancer();
        node_percent(&mut facts, CPU, &[("a", "user", 99.0)]);
        let cluster = facts.cluster.id.clone();
        let refused = denied("Microsoft.Insights/Metrics/Read");
        set_metric(&mut facts, &cluster, crate::pressure::MEMORY, refused);
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        let report = crate::diagnose(&facts);
        let answer = PressureAnswer::of(&facts, &report, None);
        let codes: Vec<&str> = answer.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, ["NOD101"]);
        assert_eq!(answer.gaps.len(), 1, "{:?}", answer.gaps);
        assert!(answer.checks.iter().any(|check| check.id == "NOD108"));
        let body = serde_json::to_value(&answer).unwrap();
        let schema = jsonschema::draft202012::new(&pressure_schema()).unwrap();
        assert!(schema.is_valid(&body));
    }
}
