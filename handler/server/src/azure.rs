//! The engine that asks Azure: collects facts, then thinks about them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use egress_arm::{ArmError, BlobEndpoint, Blobs, Client, ClientSettings, Failure};
use egress_collect::{ClusterName, Listing, Located, OnProgress, Search, collect, locate};
use egress_diagnosis::diagnose;
use egress_diagnosis::facts::Window;
use egress_diagnosis::report::Stats;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::engine::{
    ClustersWanted, Diagnosis, DiagnosisError, DiagnosisRequest, Engine, MOST_CLUSTERS, Progress,
    Sought,
};
use crate::settings::Settings;

/// Asks Azure. Making one costs nothing: TLS roots, token and connections come with the first request.
pub(crate) struct Azure {
    client: Client,
    deadline: Duration,
    allowed_subscriptions: BTreeSet<String>,
}

impl Azure {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            client: Client::new(ClientSettings {
                endpoints: settings.endpoints,
                identity: settings.identity,
                trust: settings.trust,
            }),
            deadline: settings.deadline,
            allowed_subscriptions: settings.allowed_subscriptions,
        }
    }

    /// Reads the blobs of a storage account.
    pub(crate) fn blobs(&self, endpoint: BlobEndpoint) -> Blobs {
        self.client.blobs(endpoint)
    }

    async fn diagnosis(
        &self,
        request: DiagnosisRequest,
        progress: Progress,
    ) -> Result<Diagnosis, DiagnosisError> {
        let started = Instant::now();
        let window =
            window(request.window).map_err(|error| DiagnosisError::Internal(error.to_string()))?;
        let request = egress_collect::Request {
            cluster: request.cluster,
            window,
            asked_at: window.end,
            pressure: request.pressure,
            deadline: started + self.deadline,
            progress: Some(steps(progress)),
        };
        let collected = collect(&self.client, &request)
            .await
            .map_err(|error| cluster_error(&error, request.cluster.as_str()))?;
        let mut report = diagnose(&collected.facts);
        report.stats = stats(collected.stats, started.elapsed());
        Ok(Diagnosis {
            facts: Arc::new(collected.facts),
            report: Arc::new(report),
        })
    }
}

impl Engine for Azure {
    fn diagnose(
        &self,
        request: DiagnosisRequest,
        progress: Progress,
    ) -> BoxFuture<'_, Result<Diagnosis, DiagnosisError>> {
        self.diagnosis(request, progress).boxed()
    }

    fn list_clusters(&self, wanted: ClustersWanted) -> BoxFuture<'_, Located> {
        async move {
            let listing = Listing {
                subscriptions: wanted.subscriptions,
                allowed: wanted.allowed,
                most: wanted.most,
                deadline: Instant::now() + self.deadline,
            };
            egress_collect::list_clusters(&self.client, &listing).await
        }
        .boxed()
    }

    fn locate(&self, sought: Sought) -> BoxFuture<'_, Located> {
        let names = sought.names.into_iter().map(|name| ClusterName {
            name: name.name,
            group: name.group,
        });
        let search = Search {
            resources: sought.resources,
            names: names.collect(),
            mentioned: sought.subscriptions,
            allowed: self.allowed_subscriptions.clone(),
            most: MOST_CLUSTERS,
            deadline: Instant::now() + self.deadline,
        };
        async move { locate(&self.client, &search).await }.boxed()
    }
}

/// The window of this length that ends now. In whole seconds: not every reader of RFC 3339 takes nanoseconds.
fn window(length: SignedDuration) -> Result<Window, jiff::Error> {
    let end = Timestamp::from_second(Timestamp::now().as_second())?;
    let start = end.checked_sub(length)?;
    Ok(Window { start, end })
}

/// Turns the collector's counters into a line for a person.
fn steps(progress: Progress) -> Arc<OnProgress> {
    Arc::new(move |step| {
        let what = step.what.to_lowercase().replace('_', " ");
        progress(&format!(
            "wave {} of {}: {what} ({} of {})",
            step.wave, step.waves, step.done, step.total
        ));
    })
}

fn stats(cost: egress_arm::Stats, elapsed: Duration) -> Stats {
    // More than fits is still "very many".
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Stats {
        arm_calls: count(cost.calls.saturating_sub(cost.retries)),
        retries: count(cost.retries),
        cached: false,
        duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        request_ids: cost.failed_request_ids,
    }
}

/// What it means for the report that the cluster's own read failed.
fn cluster_error(error: &ArmError, cluster: &str) -> DiagnosisError {
    // Waiting and another token would not help.
    if error.error_code() == Some(OTHER_TENANT) {
        return other_tenant(cluster);
    }
    failure_error(error.failure(), error.detail(), cluster)
}

/// Azure's error code where a subscription belongs to another tenant than the identity.
const OTHER_TENANT: &str = "InvalidAuthenticationTokenTenant";

fn other_tenant(cluster: &str) -> DiagnosisError {
    DiagnosisError::Forbidden {
        action: CLUSTER_READ.to_owned(),
        scope: format!("{cluster}, whose subscription belongs to another tenant"),
    }
}

fn failure_error(failure: &Failure, detail: &str, cluster: &str) -> DiagnosisError {
    let detail = detail.to_owned();
    match failure {
        Failure::Forbidden { action, scope } => DiagnosisError::Forbidden {
            action: action.clone().unwrap_or_else(|| CLUSTER_READ.to_owned()),
            scope: scope.clone().unwrap_or_else(|| cluster.to_owned()),
        },
        Failure::NotFound { .. } => DiagnosisError::ClusterNotFound,
        Failure::IdentityFailed => DiagnosisError::IdentityFailed(detail),
        Failure::Throttled { .. } => DiagnosisError::Throttled(detail),
        _ => DiagnosisError::AzureUnreachable(detail),
    }
}

/// The action that reading a cluster needs.
const CLUSTER_READ: &str = "Microsoft.ContainerService/managedClusters/read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_read_of_the_cluster_keeps_its_meaning() {
        let of = |failure| failure_error(&failure, "detail", "the-id");
        let detail = || "detail".to_owned();
        let cases = [
            (
                Failure::NotFound { code: None },
                DiagnosisError::ClusterNotFound,
            ),
            (
                Failure::IdentityFailed,
                DiagnosisError::IdentityFailed(detail()),
            ),
            (
                Failure::Throttled { retry_after: None },
                DiagnosisError::Throttled(detail()),
            ),
            (
                Failure::TimedOut,
                DiagnosisError::AzureUnreachable(detail()),
            ),
            (
                Failure::Malformed,
                DiagnosisError::AzureUnreachable(detail()),
            ),
            (
                Failure::Unreachable,
                DiagnosisError::AzureUnreachable(detail()),
            ),
        ];
        for (failure, expected) in cases {
            assert_eq!(of(failure), expected);
        }
    }

    #[test]
    fn a_denied_read_names_action_and_scope_also_when_azure_does_not() {
        let unnamed = Failure::Forbidden {
            action: None,
            scope: None,
        };
        assert_eq!(
            failure_error(&unnamed, "", "the-id"),
            DiagnosisError::Forbidden {
                action: CLUSTER_READ.to_owned(),
                scope: "the-id".to_owned(),
            }
        );
    }
}
