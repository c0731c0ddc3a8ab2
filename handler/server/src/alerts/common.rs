//! The common alert schema.

use serde_json::Value;

use super::body::{at, member, shown, texts, time};
use super::candidates::Collector;
use super::{Alert, Condition, Kind, Understood, context};
use crate::cluster_id::MANAGED_CLUSTERS;

pub(super) fn read(root: &Value, fixed: Option<&str>) -> Understood {
    let data = member(root, "data");
    let essentials = member(data, "essentials");
    let about = member(data, "alertContext");
    let of = |name: &str| member(essentials, name);
    let alert = Alert {
        kind: kind(essentials, about),
        condition: condition(of("monitorCondition")),
        id: shown(of("alertId")),
        rule: shown(of("alertRule")),
        severity: shown(of("severity")),
        fired_at: time(of("firedDateTime")),
    };
    let mut collector = Collector::default();
    context::custom(&mut collector, member(data, "customProperties"));
    if alert.kind == Kind::Metric {
        // Where metric alerts had them before the schema got a place of its own.
        context::custom(&mut collector, member(about, "properties"));
    }
    if let Some(fixed) = fixed {
        collector.choose("clusterId in the webhook's address", fixed);
    }
    texts(of("alertTargetIDs")).for_each(|target| collector.target(target));
    for item in texts(of("configurationItems")) {
        let is_cluster = member(essentials, "targetResourceType").as_str();
        let is_cluster = is_cluster.is_some_and(|it| it.eq_ignore_ascii_case(MANAGED_CLUSTERS));
        if !collector.mention(item) && is_cluster {
            collector.name(item, of("targetResourceGroup").as_str());
        }
    }
    if let Some(id) = &alert.id {
        let mut segments = id.split('/').skip(2);
        collector.subscription(segments.next().unwrap_or_default());
    }
    context::read(&mut collector, about);
    Understood {
        identity: identity(essentials, about),
        alert,
        candidates: collector.finish(),
    }
}

/// Of one firing only: the id of an activity log alert is its rule's, so its event and time count too.
fn identity(essentials: &Value, about: &Value) -> Vec<String> {
    let id = shown(member(essentials, "alertId"));
    let id = id.map(|id| id.to_ascii_lowercase());
    match id {
        Some(id) if id.contains("/microsoft.alertsmanagement/alerts/") => vec![id],
        Some(id) => {
            let more = [
                member(essentials, "firedDateTime"),
                member(essentials, "originAlertId"),
                member(about, "eventDataId"),
            ];
            let more = more.map(|it| shown(it).unwrap_or_default());
            [id].into_iter().chain(more).collect()
        }
        None => Vec::new(),
    }
}

/// `Resolved`, or what older alerts call it.
pub(super) fn condition(value: &Value) -> Condition {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let is_over = ["Resolved", "Deactivated"];
    if is_over.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        Condition::Resolved
    } else {
        Condition::Fired
    }
}

/// By the service; the signal, where that is new.
fn kind(essentials: &Value, about: &Value) -> Kind {
    let service = word(member(essentials, "monitoringService"));
    match service.as_str() {
        "platform" => return Kind::Metric,
        "servicehealth" => return Kind::ServiceHealth,
        "resourcehealth" => return Kind::ResourceHealth,
        "smartdetector" => return Kind::SmartDetector,
        "costalerts" => return Kind::Budget,
        "loganalytics" | "applicationinsights" => return Kind::Log,
        "prometheus" => return Kind::Prometheus,
        service if service.starts_with("logalerts") => return Kind::Log,
        service if service.starts_with("activitylog") => return Kind::ActivityLog,
        _ => {}
    }
    if at(about, &["labels"]).is_object() && !member(about, "expression").is_null() {
        return Kind::Prometheus;
    }
    match word(member(essentials, "signalType")).as_str() {
        "metric" => Kind::Metric,
        "log" => Kind::Log,
        "activitylog" => Kind::ActivityLog,
        _ => Kind::Other,
    }
}

/// Letters only: "Activity Log" is also written "ActivityLog".
pub(super) fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let letters = text.chars().filter(char::is_ascii_alphanumeric).take(60);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}
