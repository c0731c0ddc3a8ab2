//! What the contract says of each field of a request.

use serde_json::{Value, json};

use super::Route;
use crate::http::fleet::{DEFAULT_TOP, MOST_ORDERED, MOST_TOP};
use crate::http::parameters::KNOWN;
use crate::http::routes::Takes;

/// The fields that a route takes, by name and schema.
pub(super) fn of(route: &Route) -> Vec<(&'static str, Value)> {
    let names: Vec<&'static str> = match route.contract.takes {
        Takes::Path => Vec::new(),
        Takes::Query(fields) | Takes::Body(fields) => fields.to_vec(),
        Takes::Cluster(more) => KNOWN.iter().chain(more).copied().collect(),
        Takes::Order => KNOWN.into_iter().filter(|name| *name != "format").collect(),
        Takes::Result => vec!["format"],
        Takes::Alert => vec!["clusterId"],
    };
    let fields = names.into_iter();
    fields.map(|name| (name, field(name, route))).collect()
}

pub(super) fn is_required(name: &str, route: &Route) -> bool {
    name == "clusterId" && !matches!(route.contract.takes, Takes::Alert)
}

/// Whether a person needs it often.
pub(super) fn visibility(name: &str) -> &'static str {
    match name {
        "clusterId" | "subscriptionId" | "subscriptionIds" | "clusterIds" | "status"
        | "destination" | "curlExitCode" | "httpStatus" | "code" | "file" => "important",
        _ => "advanced",
    }
}

fn field(name: &str, route: &Route) -> Value {
    match name {
        "clusterId" if matches!(route.contract.takes, Takes::Alert) => json!({
            "type": "string",
            "description": "ARM id of the cluster that the alerts of this webhook are about, where they do not say so themselves.",
        }),
        "clusterId" => json!({
            "type": "string", "minLength": 1, "maxLength": 2048,
            "description": "ARM id of a Microsoft.ContainerService/managedClusters.",
            "example": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/shop",
        }),
        "window" => json!({
            "type": "string", "default": "PT6H",
            "description": "Length of the metrics window that ends now: an ISO 8601 duration from PT5M to P7D.",
        }),
        "destination" => json!({
            "type": "string", "minLength": 1,
            "description": "Whose path is wanted: host, host:port or address:port/tcp; TCP 443 unless given.",
            "example": "mcr.microsoft.com:443",
        }),
        "pattern" => json!({
            "type": "string", "enum": ["persistent", "intermittent"],
            "description": "What you have seen: the same failure each time, or only now and then.",
        }),
        "fresh" => json!({
            "type": "boolean", "default": false,
            "description": "Asks Azure again in place of sharing a recent report.",
        }),
        "format" => {
            let names: Vec<&str> = route
                .contract
                .gives
                .formats()
                .iter()
                .map(|f| f.name())
                .collect();
            json!({
                "type": "string", "enum": names,
                "description": "Format of the answer; without it the Accept header decides, and JSON is the default.",
            })
        }
        "subscriptionId" => json!({
            "type": "string",
            "description": "Subscription ids, separated by commas; without it, all.",
            "example": "00000000-0000-0000-0000-000000000001",
        }),
        "subscriptionIds" => json!({
            "type": "array", "minItems": 1, "maxItems": 200, "items": { "type": "string", "format": "uuid" },
            "description": "Subscriptions, each cluster of which is diagnosed.",
        }),
        "clusterIds" => json!({
            "type": "array", "minItems": 1, "maxItems": MOST_ORDERED, "items": { "type": "string", "minLength": 1, "maxLength": 2048 },
            "description": "ARM ids of the clusters to diagnose.",
        }),
        "status" => json!({
            "type": "string",
            "description": "Statuses, separated by commas: blocked, degraded, unknown, atRisk, healthy; without it, all.",
            "example": "blocked,degraded",
        }),
        "top" => json!({
            "type": "integer", "minimum": 1, "maximum": MOST_TOP, "default": DEFAULT_TOP,
            "description": "Clusters of one page.",
        }),
        "continuation" => json!({
            "type": "string", "minLength": 1,
            "description": "What the page before gave, for the next one.",
        }),
        "curlExitCode" => json!({
            "type": "integer", "minimum": 0, "maximum": 255,
            "description": "curl's exit code; this or httpStatus is needed.",
        }),
        "httpStatus" => json!({
            "type": "integer", "minimum": 0, "maximum": 999,
            "description": "HTTP status of the answer; 0 when none came.",
        }),
        "nodePool" => json!({
            "type": "string", "minLength": 1, "maxLength": 12, "pattern": "^[A-Za-z0-9]+$",
            "description": "Node pool that the client ran in.",
        }),
        "text" => json!({
            "type": "string", "maxLength": 16384,
            "description": "What the client printed: its error message, or the answer's headers.",
        }),
        "tcpConnects" => json!({
            "type": "boolean",
            "description": "Whether a bare TCP connection to the same port works.",
        }),
        other => panic!("field {other} is not described"),
    }
}
