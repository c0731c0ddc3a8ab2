//! ARM's answers and error bodies.

use serde_json::{Value, json};

/// Status and body, and a `Retry-After` in seconds.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) retry_after: Option<u32>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body,
            retry_after: None,
        }
    }

    /// The usual wrapped error.
    pub(super) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: json!({ "error": { "code": code, "message": message.into() } }),
            retry_after: None,
        }
    }

    /// Microsoft.Insights sends its errors unwrapped.
    pub(super) fn flat_bad_request(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            body: json!({ "code": "BadRequest", "message": message.into() }),
            retry_after: None,
        }
    }

    pub(super) fn throttled(subscription: &str, seconds: u32) -> Self {
        let message = format!(
            "Number of requests for subscription '{subscription}' and operation 'GET/SUBSCRIPTIONS' exceeded the backend storage limit. Please try again after '{seconds}' seconds."
        );
        Self {
            retry_after: Some(seconds),
            ..Self::error(429, "SubscriptionRequestsThrottled", message)
        }
    }

    pub(super) fn forbidden(object_id: &str, action: &str, scope: &str) -> Self {
        Self::error(
            403,
            "AuthorizationFailed",
            format!(
                "The client 'sandbox-identity' with object id '{object_id}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
            ),
        )
    }

    pub(super) fn group_not_found(name: &str) -> Self {
        Self::error(
            404,
            "ResourceGroupNotFound",
            format!("Resource group '{name}' could not be found."),
        )
    }

    /// `resource` is type and name, e.g. `Microsoft.Network/natGateways/natgw`.
    pub(super) fn resource_not_found(resource: &str, group: &str) -> Self {
        Self::error(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    pub(super) fn parent_not_found(kind: &str, parent: &str) -> Self {
        Self::error(
            404,
            "ParentResourceNotFound",
            format!(
                "Failed to perform 'read' on resource(s) of type '{kind}', because the parent resource '{parent}' could not be found."
            ),
        )
    }

    pub(super) fn unknown_type(kind: &str, provider: &str, api_version: &str) -> Self {
        Self::error(
            404,
            "InvalidResourceType",
            format!(
                "The resource type '{kind}' could not be found in the namespace '{provider}' for api version '{api_version}'."
            ),
        )
    }
}
