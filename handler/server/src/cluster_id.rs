//! The one id that callers give: an AKS cluster's.

use egress_arm::{IdError, ResourceId};

/// A cluster's ARM id, checked.
pub(crate) type ClusterId = ResourceId;

/// The type it must have.
pub(crate) const MANAGED_CLUSTERS: &str = "Microsoft.ContainerService/managedClusters";

/// Parses a cluster id. The error says in words for the caller what is wrong with the value.
pub(crate) fn parse(text: &str) -> Result<ClusterId, String> {
    if text.contains(',') {
        return Err(
            "clusterId holds a comma: it was given more than once, give it once".to_owned(),
        );
    }
    ResourceId::parse_type(text, MANAGED_CLUSTERS).map_err(|error| match error {
        IdError::OtherType { found, .. } => {
            format!("clusterId is the id of a {found}; it must be that of a {MANAGED_CLUSTERS}")
        }
        IdError::Empty => missing(),
        other => format!(
            "clusterId is not the ARM id of an AKS cluster: {other}. Expected \
             /subscriptions/<guid>/resourceGroups/<group>/providers/{MANAGED_CLUSTERS}/<name>"
        ),
    })
}

/// What to say when there is no cluster id.
pub(crate) fn missing() -> String {
    format!(
        "clusterId is missing: give the ARM id of a {MANAGED_CLUSTERS} as query parameter or in the JSON body"
    )
}
