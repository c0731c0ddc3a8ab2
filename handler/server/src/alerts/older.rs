//! The bodies that alerts had before the common schema, and still have where it is not switched on.

use egress_arm::ResourceId;
use serde_json::Value;

use super::body::{at, member, shown, time};
use super::candidates::Collector;
use super::common::{condition, word};
use super::{Alert, Candidates, Kind, Understood, context};

/// `{schemaId: AzureMonitorMetricAlert, data: {status, context, properties}}`, or without the envelope.
pub(super) fn metric(root: &Value, fixed: Option<&str>) -> Understood {
    let data = inner(root, "context");
    let about = member(data, "context");
    let of = |name: &str| member(about, name);
    let alert = Alert {
        kind: Kind::Metric,
        condition: condition(member(data, "status")),
        id: shown(of("id")),
        rule: shown(of("name")),
        severity: severity(of("severity")),
        fired_at: time(of("timestamp")),
    };
    let identity = all(&[of("id"), of("timestamp"), of("resourceId")]);
    Understood {
        alert,
        identity,
        candidates: candidates(member(data, "properties"), about, fixed),
    }
}

/// `{schemaId: Microsoft.Insights/activityLogs, data: {status, context: {activityLog}, properties}}`.
pub(super) fn activity(root: &Value, fixed: Option<&str>) -> Understood {
    let data = inner(root, "context");
    let about = at(data, &["context", "activityLog"]);
    let of = |name: &str| member(about, name);
    let kind = match word(of("eventSource")).as_str() {
        "servicehealth" => Kind::ServiceHealth,
        "resourcehealth" => Kind::ResourceHealth,
        _ => Kind::ActivityLog,
    };
    let alert = Alert {
        kind,
        // The event's own `status` is another thing.
        condition: condition(member(data, "status")),
        id: None,
        rule: None,
        severity: None,
        fired_at: time(of("eventTimestamp")),
    };
    let identity = all(&[of("eventDataId"), of("eventTimestamp")]);
    Understood {
        alert,
        identity,
        candidates: candidates(member(data, "properties"), about, fixed),
    }
}

/// Of a log search, with the names in upper camel case and no envelope.
pub(super) fn log(root: &Value, fixed: Option<&str>) -> Understood {
    let data = inner(root, "AlertRuleName");
    let of = |name: &str| member(data, name);
    let alert = Alert {
        kind: Kind::Log,
        condition: condition(of("MonitorCondition")),
        id: None,
        rule: shown(of("AlertRuleName")),
        severity: severity(of("Severity")),
        fired_at: time(of("SearchIntervalEndtimeUtc")),
    };
    Understood {
        alert,
        // Nothing in it is of one firing only.
        identity: Vec::new(),
        candidates: candidates(of("properties"), data, fixed),
    }
}

/// The body without its envelope.
fn inner<'a>(root: &'a Value, first: &str) -> &'a Value {
    let data = member(root, "data");
    if member(data, first).is_null() {
        root
    } else {
        data
    }
}

/// What `about` and the rule's own properties name.
fn candidates(properties: &Value, about: &Value, fixed: Option<&str>) -> Candidates {
    let mut collector = Collector::default();
    context::custom(&mut collector, properties);
    if let Some(fixed) = fixed {
        collector.choose("clusterId in the webhook's address", fixed);
    }
    place(&mut collector, about);
    context::read(&mut collector, about);
    collector.finish()
}

/// The resource's id, else the one made of its parts.
fn place(collector: &mut Collector, about: &Value) {
    let of = |name: &str| member(about, name).as_str().unwrap_or_default();
    let subscription = of("subscriptionId");
    collector.subscription(subscription);
    if let Some(id) = member(about, "resourceId").as_str() {
        collector.target(id);
    } else if let Ok(id) = ResourceId::in_group(
        subscription,
        of("resourceGroupName"),
        of("resourceType"),
        of("resourceName"),
    ) {
        collector.target(id.as_str());
    }
}

/// `3` is `Sev3`.
fn severity(value: &Value) -> Option<String> {
    let text = shown(value)?;
    match text.as_bytes() {
        [b'0'..=b'4'] => Some(format!("Sev{text}")),
        _ => Some(text),
    }
}

/// All of these, or nothing when one is missing.
fn all(values: &[&Value]) -> Vec<String> {
    let texts: Option<Vec<String>> = values.iter().map(|value| shown(value)).collect();
    texts.unwrap_or_default()
}
