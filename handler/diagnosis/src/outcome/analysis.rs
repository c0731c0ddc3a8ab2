//! What the report already knows, as far as an observation is read in its light.

use super::Observation;
use crate::report::{Confidence, TrafficVerdict};

/// What the report knows. `None` = not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// The verdict on the observed destination per group of pools; empty = not evaluated.
    pub paths: Vec<PoolPath>,
    /// The report's findings.
    pub findings: Vec<KnownFinding>,
    /// Whether nodes use an HTTP proxy (R1.86).
    pub http_proxy: Option<bool>,
    /// Whether the network uses custom DNS servers.
    pub custom_dns: Option<bool>,
    /// Whether SNAT connections failed in the window.
    pub snat_failing: Option<bool>,
    /// Whether nodes or their disks are under pressure.
    pub node_pressure: Option<bool>,
    /// Whether a device on the path opens TLS.
    pub tls_inspection: Option<bool>,
    /// Whether the path crosses an Azure Firewall.
    pub azure_firewall: Option<bool>,
    /// Whether the path crosses another appliance.
    pub other_appliance: Option<bool>,
    /// Whether the API server is private.
    pub private_cluster: Option<bool>,
    /// Whether the API server admits only certain addresses.
    pub authorized_ranges: Option<bool>,
    /// The API server's names.
    pub api_server_names: Vec<String>,
    /// The command that shows the cluster; checks that need it are left out without it.
    pub show_cluster: Option<String>,
}

/// The verdict on the observed destination from some pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPath {
    /// Agent pools.
    pub node_pools: Vec<String>,
    /// Whether their packets pass.
    pub verdict: TrafficVerdict,
    /// The finding that explains a block.
    pub blocked_by: Option<KnownFinding>,
    /// What drops the packets where no finding is about it.
    pub dropped_by: Option<DroppedBy>,
}

/// What drops packets to the observed destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedBy {
    /// Whether it is an Azure Firewall's rule, which resets TLS or answers HTTP; everything else drops in silence.
    pub firewall: bool,
    /// In words, with the resource and the rule.
    pub why: String,
}

/// A finding of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFinding {
    /// Code.
    pub code: String,
    /// Title with the real names.
    pub title: String,
    /// How sure the report is of it.
    pub confidence: Confidence,
    /// Pools that suffer; empty = all.
    pub node_pools: Vec<String>,
}

impl Analysis {
    /// Whether a device on the path may answer in the destination's place: a proxy, a firewall, another appliance.
    pub(super) fn device_on_path(&self) -> Option<bool> {
        either([self.http_proxy, self.azure_firewall, self.other_appliance])
    }

    /// Whether an appliance is on the path.
    pub(super) fn appliance(&self) -> Option<bool> {
        either([self.azure_firewall, self.other_appliance])
    }

    /// Whether the observation is about the API server.
    pub(super) fn is_api_server(&self, seen: &Observation) -> Option<bool> {
        if self.api_server_names.is_empty() {
            return None;
        }
        let host = seen.destination.as_deref()?.trim_end_matches('.');
        Some(
            self.api_server_names
                .iter()
                .any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host)),
        )
    }

    /// The findings with one of these codes that concern the observing pool.
    pub(super) fn findings_of<'a>(
        &'a self,
        codes: &'a [&str],
        seen: &'a Observation,
    ) -> impl Iterator<Item = &'a KnownFinding> {
        self.findings.iter().filter(move |finding| {
            codes.contains(&finding.code.as_str())
                && seen.node_pool.as_ref().is_none_or(|pool| {
                    finding.node_pools.is_empty() || finding.node_pools.contains(pool)
                })
        })
    }
}

/// Yes when one is, no when none is, else not known.
pub(super) fn either<const N: usize>(facts: [Option<bool>; N]) -> Option<bool> {
    if facts.contains(&Some(true)) {
        Some(true)
    } else if facts.contains(&None) {
        None
    } else {
        Some(false)
    }
}

/// Yes when both are, no when one is not, else not known.
pub(super) fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
