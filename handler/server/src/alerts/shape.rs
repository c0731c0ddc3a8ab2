//! Which of the known shapes a body has.

use serde_json::Value;

use super::body::{at, member};

/// A shape that alerts come in.
pub(super) enum Shape {
    Common,
    OlderMetric,
    OlderActivity,
    OlderLog,
}

/// The shape of a body; its content decides before what it calls itself.
///
/// # Errors
/// What it is instead, and what to do.
pub(super) fn of(root: &Value) -> Result<Shape, &'static str> {
    let has = |path: &[&str]| !at(root, path).is_null();
    let is_called = |name: &str| {
        let schema = member(root, "schemaId").as_str();
        schema.is_some_and(|schema| schema.eq_ignore_ascii_case(name))
    };
    if has(&["data", "essentials"]) || is_called("azureMonitorCommonAlertSchema") {
        return Ok(Shape::Common);
    }
    if has(&["data", "context", "activityLog"]) || has(&["context", "activityLog"]) {
        return Ok(Shape::OlderActivity);
    }
    if is_called("AzureMonitorMetricAlert")
        || [&["data", "context"] as &[&str], &["context"]]
            .iter()
            .any(|path| at(root, path).is_object())
    {
        return Ok(Shape::OlderMetric);
    }
    if has(&["AlertRuleName"]) || has(&["data", "AlertRuleName"]) {
        return Ok(Shape::OlderLog);
    }
    if has(&["WebhookName"]) || has(&["WebhookData"]) || has(&["RequestBody"]) {
        return Err(
            "this is what an Automation webhook hands to its runbook, not an alert: send on its RequestBody, or order a diagnosis with POST /api/diagnoses",
        );
    }
    if member(root, "alerts").is_array() {
        return Err(
            "this is a webhook of Alertmanager or Grafana, not an alert of Azure Monitor: order a diagnosis with POST /api/diagnoses",
        );
    }
    Err(
        "this is not an alert of Azure Monitor in a shape that is known: it has neither data.essentials, as the common alert schema, nor the context of older alerts",
    )
}
