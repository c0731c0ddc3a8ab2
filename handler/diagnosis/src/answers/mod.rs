//! The answers that a report alone does not give: the path of one destination, a reading of what somebody saw, a plan to
//! go past the appliance. Each is a function of the facts and their report, so none needs another reading of Azure.

mod pressure;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::bypass::{Bypass, bypass};
use crate::facts::Facts;
use crate::outcome::{Analysis, Observation, ObservationError, Reading, read};
use crate::report::{
    ClusterSummary, Finding, Gap, Outbound, Pattern, Report, ReportWindow, Stats, Verdict,
    schema_of,
};
use crate::trace::{Destination, Trace, TracedDestination, trace, trace_required};

pub use pressure::{PressureAnswer, pressure_schema};

/// The paths of the required endpoints, or of one destination.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PathsAnswer {
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
    /// The path of TCP 443 to the internet as a whole.
    pub outbound: Outbound,
    /// The destination that was asked for; null for the required endpoints.
    pub destination: Option<TracedDestination>,
    /// The traces: one for the destination, else one per group of endpoints whose packets take the same steps.
    pub traces: Vec<Trace>,
    /// Findings about the path.
    pub findings: Vec<Finding>,
    /// What could not be read and what that leaves open.
    pub gaps: Vec<Gap>,
    /// What the report cost.
    pub stats: Stats,
}

impl PathsAnswer {
    /// The answer for one destination, or for the required endpoints.
    pub fn of(facts: &Facts, report: &Report, destination: Option<&Destination>) -> Self {
        let traces = match destination {
            Some(destination) => vec![trace(facts, report, destination)],
            None => trace_required(facts, report),
        };
        Self {
            schema_version: report.schema_version.clone(),
            generated_at: report.generated_at,
            window: report.window,
            cluster: report.cluster.clone(),
            verdict: report.verdict.clone(),
            outbound: report.outbound.clone(),
            destination: asked(destination, &traces),
            traces,
            findings: report
                .findings
                .iter()
                .filter(|finding| !finding.code.starts_with("SNT"))
                .cloned()
                .collect(),
            gaps: report.gaps.clone(),
            stats: report.stats.clone(),
        }
    }
}

fn asked(destination: Option<&Destination>, traces: &[Trace]) -> Option<TracedDestination> {
    destination?;
    traces.first()?.destinations.first().cloned()
}

/// A curl exit code or HTTP status, read in the light of the analysis.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeAnswer {
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
    /// The destination that was called; null when none was given, and the internet as a whole is meant.
    pub destination: Option<TracedDestination>,
    /// The node pool it was seen from; null when none was given.
    pub node_pool: Option<String>,
    /// What the caller has seen: each time or now and then.
    pub pattern: Pattern,
    /// The reading.
    pub reading: Reading,
    /// The path of the destination; none when none was given.
    pub traces: Vec<Trace>,
    /// What could not be read and what that leaves open.
    pub gaps: Vec<Gap>,
    /// What the report cost.
    pub stats: Stats,
}

impl OutcomeAnswer {
    /// Reads an observation. Its host and port are taken from `destination`.
    ///
    /// # Errors
    /// [`ObservationError`] when nothing was seen, or values that one request cannot have.
    pub fn of(
        facts: &Facts,
        report: &Report,
        observation: Observation,
        destination: Option<&Destination>,
    ) -> Result<Self, ObservationError> {
        observation.check()?;
        let traces: Vec<Trace> = destination
            .iter()
            .map(|destination| trace(facts, report, destination))
            .collect();
        let place = |d: &Destination| match (d.host(), d.address()) {
            (Some(host), _) => host.to_owned(),
            (None, address) => address.map_or_else(String::new, |ip| ip.to_string()),
        };
        let observation = Observation {
            destination: destination.map(place),
            port: destination.map(|d| d.port),
            ..observation
        };
        let pool = observation.node_pool.as_deref();
        let analysis = Analysis::of(facts, report, traces.first(), pool);
        Ok(Self {
            schema_version: report.schema_version.clone(),
            generated_at: report.generated_at,
            window: report.window,
            cluster: report.cluster.clone(),
            verdict: report.verdict.clone(),
            destination: asked(destination, &traces),
            pattern: observation.pattern,
            reading: read(&observation, &analysis)?,
            node_pool: observation.node_pool,
            traces,
            gaps: report.gaps.clone(),
            stats: report.stats.clone(),
        })
    }
}

/// Plans to go past the appliances; nothing is executed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BypassAnswer {
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
    /// The destination that was asked for; null for everything.
    pub destination: Option<TracedDestination>,
    /// The plans.
    pub bypass: Bypass,
    /// What could not be read and what that leaves open.
    pub gaps: Vec<Gap>,
    /// What the report cost.
    pub stats: Stats,
}

impl BypassAnswer {
    /// The plans for everything, or for one destination.
    pub fn of(facts: &Facts, report: &Report, destination: Option<&Destination>) -> Self {
        Self {
            schema_version: report.schema_version.clone(),
            generated_at: report.generated_at,
            window: report.window,
            cluster: report.cluster.clone(),
            verdict: report.verdict.clone(),
            destination: destination.map(TracedDestination::asked),
            bypass: bypass(facts, report, destination),
            gaps: report.gaps.clone(),
            stats: report.stats.clone(),
        }
    }
}

/// JSON Schema of [`PathsAnswer`].
pub fn paths_schema() -> Value {
    schema_of::<PathsAnswer>("AKS egress paths")
}

/// JSON Schema of [`OutcomeAnswer`].
pub fn outcome_schema() -> Value {
    schema_of::<OutcomeAnswer>("AKS egress outcome")
}

/// JSON Schema of [`BypassAnswer`].
pub fn bypass_schema() -> Value {
    schema_of::<BypassAnswer>("AKS egress bypass plan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn valid(schema: &Value, answer: &impl Serialize) {
        assert!(jsonschema::draft202012::meta::is_valid(schema));
        let answer = serde_json::to_value(answer).unwrap();
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&answer)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0]);
        let declared: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        for key in answer.as_object().unwrap().keys() {
            assert!(declared.contains(&key), "{key}");
        }
    }

    #[test]
    fn answers_validate_against_their_schemas() {
        let mut blocked = load_balancer();
        deny_internet(&mut blocked, "nodes", "443");
        for facts in [
            load_balancer(),
            firewalled(),
            firewall_routing(),
            isolated(),
            blocked,
        ] {
            let report = crate::diagnose(&facts);
            for text in [None, Some("example.com"), Some("20.1.2.3:53/udp")] {
                let destination: Option<Destination> = text.map(|text| text.parse().unwrap());
                let destination = destination.as_ref();
                valid(
                    &paths_schema(),
                    &PathsAnswer::of(&facts, &report, destination),
                );
                valid(
                    &bypass_schema(),
                    &BypassAnswer::of(&facts, &report, destination),
                );
                let seen = Observation {
                    curl_exit: Some(28),
                    http_status: None,
                    destination: None,
                    port: None,
                    text: None,
                    pattern: Pattern::Unknown,
                    node_pool: None,
                    tcp_connects: None,
                };
                let answer = OutcomeAnswer::of(&facts, &report, seen, destination).unwrap();
                valid(&outcome_schema(), &answer);
            }
        }
    }

    #[test]
    fn commands_are_for_the_port_that_was_called() {
        let facts = load_balancer();
        let report = crate::diagnose(&facts);
        let seen = Observation {
            curl_exit: Some(28),
            http_status: None,
            destination: None,
            port: None,
            text: None,
            pattern: Pattern::Unknown,
            node_pool: None,
            tcp_connects: None,
        };
        let destination: Destination = "example.com:8443".parse().unwrap();
        let answer = OutcomeAnswer::of(&facts, &report, seen, Some(&destination)).unwrap();
        let runs: Vec<&str> = answer
            .reading
            .tell_apart
            .iter()
            .map(|t| t.run.as_str())
            .collect();
        assert!(runs.contains(&"nc -z -v example.com 8443"), "{runs:?}");
        assert!(runs.iter().all(|run| !run.contains('{')), "{runs:?}");
    }

    #[test]
    fn the_same_facts_give_the_same_answer() {
        let facts = firewalled();
        let report = crate::diagnose(&facts);
        let text = || serde_json::to_string(&PathsAnswer::of(&facts, &report, None)).unwrap();
        assert_eq!(text(), text());
    }
}
