//! Each shape that alerts come in.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{SUBSCRIPTION, sample, understood};
use crate::alerts::{Condition, Kind, read};
use crate::jobs::ids::Ids;
use crate::testing::CLUSTER;

/// What a body leads to: named clusters, resources, names with their groups.
fn leads_to(body: &str) -> Value {
    let found = understood(body).candidates;
    let texts = |ids: &[egress_arm::ResourceId]| -> Vec<String> {
        let ids = ids.iter();
        ids.map(|id| id.as_str().to_ascii_lowercase()).collect()
    };
    let names = found.names.iter().map(|n| json!([n.name, n.group]));
    json!([
        texts(&found.clusters),
        texts(&found.resources),
        names.collect::<Vec<_>>()
    ])
}

fn id(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/{rest}").to_lowercase()
}

fn cluster() -> String {
    CLUSTER.to_lowercase()
}

fn edited(body: &str, path: &str, value: Value) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    *body.pointer_mut(path).unwrap() = value;
    body.to_string()
}

#[test]
fn each_kind_is_recognised() {
    let kinds = [
        (sample!("metric-static"), Kind::Metric),
        (sample!("metric-dynamic"), Kind::Metric),
        (sample!("metric-cluster"), Kind::Metric),
        (sample!("metric-availability"), Kind::Metric),
        (sample!("log-v2"), Kind::Log),
        (sample!("log-v1"), Kind::Log),
        (sample!("log-v1-application-insights"), Kind::Log),
        (sample!("activity-log"), Kind::ActivityLog),
        (sample!("resource-health"), Kind::ResourceHealth),
        (sample!("service-health"), Kind::ServiceHealth),
        (sample!("prometheus"), Kind::Prometheus),
        (sample!("smart-detector"), Kind::SmartDetector),
        (sample!("budget"), Kind::Budget),
        (sample!("older-metric"), Kind::Metric),
        (sample!("older-activity-log"), Kind::ActivityLog),
        (sample!("older-log"), Kind::Log),
    ];
    for (body, kind) in kinds {
        let alert = understood(body).alert;
        assert_eq!(alert.kind, kind, "{body}");
        assert_eq!(alert.condition, Condition::Fired, "{body}");
        assert!(alert.fired_at.is_some(), "{body}");
    }
    let resource_health = edited(
        sample!("resource-health"),
        "/data/essentials/monitoringService",
        json!("ResourceHealth"),
    );
    assert_eq!(
        understood(&resource_health).alert.kind,
        Kind::ResourceHealth
    );
    let new_service = edited(
        sample!("metric-static"),
        "/data/essentials/monitoringService",
        json!("Something New"),
    );
    assert_eq!(understood(&new_service).alert.kind, Kind::Metric);
}

#[test]
fn what_an_alert_says_of_itself_is_kept() {
    let alert = understood(sample!("metric-static")).alert;
    assert_eq!(alert.rule.as_deref(), Some("snat-failed"));
    assert_eq!(alert.severity.as_deref(), Some("Sev1"));
    let expected = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/00000000-0000-4000-8000-0000000000a1"
    );
    assert_eq!(alert.id, Some(expected));
    let fired_at: Timestamp = "2026-08-20T10:05:00.1234567Z".parse().unwrap();
    assert_eq!(alert.fired_at, Some(fired_at));

    let budget = understood(sample!("budget")).alert;
    assert_eq!((budget.rule, budget.severity), (None, None));

    let older = understood(sample!("older-metric")).alert;
    assert_eq!(older.rule.as_deref(), Some("snat-failed"));
    assert_eq!(older.severity.as_deref(), Some("Sev1"));
}

#[test]
fn an_alert_has_one_id_whatever_the_clocks_say() {
    let ids = Ids::new(Some("key"));
    let fired: Timestamp = "2026-08-20T10:05:00Z".parse().unwrap();
    let of = |now: Timestamp| understood(sample!("metric-static")).id(&ids, now);
    let hours = |n| fired + jiff::SignedDuration::from_hours(n);
    // Ours or theirs ahead by less than a day: the time it fired counts.
    assert_eq!(of(hours(-23)), of(hours(23)));
    // By more it counts as not known, and never as an id that nobody waits for.
    for far in [hours(-48), hours(48), hours(24 * 365)] {
        assert_eq!(of(far), of(hours(24 * 30)));
        assert!(ids.may_be_pending(&of(far), far));
    }
}

#[test]
fn a_resolved_alert_is_told_from_its_firing_alone() {
    let resolved = understood(sample!("metric-resolved"));
    assert_eq!(resolved.alert.condition, Condition::Resolved);
    assert_eq!(
        resolved.identity,
        understood(sample!("metric-static")).identity
    );
    for status in ["Deactivated", "Resolved", "resolved"] {
        let older = edited(sample!("older-metric"), "/data/status", json!(status));
        assert_eq!(understood(&older).alert.condition, Condition::Resolved);
    }
}

#[test]
fn a_target_that_is_no_cluster_is_searched_for() {
    let load_balancer =
        id("mc_rg_shop_westeurope/providers/microsoft.network/loadbalancers/kubernetes");
    for body in [
        sample!("metric-static"),
        sample!("resource-health"),
        sample!("older-metric"),
    ] {
        assert_eq!(leads_to(body), json!([[], [load_balancer], []]), "{body}");
    }
    let gateway = id("rg-net/providers/microsoft.network/natgateways/ng");
    assert_eq!(
        leads_to(sample!("metric-dynamic")),
        json!([[], [gateway], []])
    );
}

#[test]
fn a_cluster_among_targets_dimensions_or_rows_is_named() {
    for body in [
        sample!("metric-cluster"),
        sample!("log-v2"),
        sample!("log-v1-application-insights"),
    ] {
        assert_eq!(leads_to(body), json!([[cluster()], [], []]), "{body}");
    }
    for below in [
        "/agentPools/system",
        "/providers/Microsoft.Insights/diagnosticSettings/d",
        "/anything at all",
        "/",
    ] {
        let body = edited(
            sample!("metric-cluster"),
            "/data/essentials/alertTargetIDs",
            json!([format!("{CLUSTER}{below}")]),
        );
        assert_eq!(leads_to(&body), json!([[cluster()], [], []]), "{below}");
    }
}

#[test]
fn a_write_leads_to_what_was_written() {
    let table = id("net/providers/microsoft.network/routetables/rt1");
    let route = format!("{table}/routes/default");
    assert_eq!(
        leads_to(sample!("activity-log")),
        json!([[], [table, route], []])
    );
    assert_eq!(
        leads_to(sample!("older-activity-log")),
        json!([[], [route], []])
    );
}

#[test]
fn a_clusters_name_is_searched_for_where_the_alert_may_be_about() {
    let workspace = id("obs/providers/microsoft.operationalinsights/workspaces/law1");
    let metrics = id("obs/providers/microsoft.monitor/accounts/amw1");
    for (body, target) in [
        (sample!("log-v1"), &workspace),
        (sample!("older-log"), &workspace),
        (sample!("prometheus"), &metrics),
    ] {
        assert_eq!(
            leads_to(body),
            json!([[], [target], [["shop", null]]]),
            "{body}"
        );
        let found = understood(body).candidates;
        assert!(found.subscriptions.contains(SUBSCRIPTION), "{body}");
    }
    let with_group = edited(
        sample!("prometheus"),
        "/data/alertContext/labels",
        json!({"cluster": "Shop", "microsoft.resourcegroupname": "RG"}),
    );
    assert_eq!(
        leads_to(&with_group),
        json!([[], [metrics], [["shop", "rg"]]])
    );
    let with_id = edited(
        sample!("prometheus"),
        "/data/alertContext/labels",
        json!({"cluster": "other", "microsoft.resourceid": CLUSTER}),
    );
    assert_eq!(leads_to(&with_id), json!([[cluster()], [], []]));
}

#[test]
fn alerts_without_a_resource_lead_nowhere() {
    for body in [
        sample!("service-health"),
        sample!("budget"),
        sample!("test-action"),
    ] {
        assert!(understood(body).candidates.is_empty(), "{body}");
    }
    let notes = understood(sample!("test-action")).candidates.notes;
    assert_eq!(notes, ["targets that are no ARM ids: 1"]);
}

#[test]
fn the_cluster_that_somebody_chose_comes_first() {
    let chosen = |name: &str| CLUSTER.replace("shop", name);
    let body = sample!("metric-static-custom-property");
    assert_eq!(leads_to(body), json!([[cluster()], [], []]));
    let fixed = chosen("fixed");
    let of = |body: &str| {
        let found = read(body.as_bytes(), Some(&fixed)).unwrap().candidates;
        let names = found.clusters.iter().map(|id| id.name().to_owned());
        (names.collect::<Vec<_>>(), found.notes.len())
    };
    assert_eq!(of(body), (vec!["shop".to_owned()], 0));
    for other in [
        sample!("metric-static"),
        sample!("metric-cluster"),
        sample!("service-health"),
        sample!("older-metric"),
        sample!("older-log"),
    ] {
        assert_eq!(of(other), (vec!["fixed".to_owned()], 0), "{other}");
    }
    let wrong = edited(
        body,
        "/data/customProperties/clusterResourceId",
        json!("shop"),
    );
    assert_eq!(of(&wrong), (vec!["fixed".to_owned()], 1));
    let found = understood(&wrong).candidates;
    assert!(found.clusters.is_empty() && !found.resources.is_empty());
    assert!(found.notes[0].contains("clusterResourceId"), "{found:?}");

    let by_id = edited(
        body,
        "/data/customProperties",
        json!({"CLUSTERID": chosen("other")}),
    );
    assert_eq!(
        leads_to(&by_id),
        json!([[chosen("other").to_lowercase()], [], []])
    );
    let of_context = edited(
        sample!("metric-static"),
        "/data/alertContext/properties",
        json!({"clusterResourceId": CLUSTER}),
    );
    assert_eq!(leads_to(&of_context), json!([[cluster()], [], []]));
    let older = edited(
        sample!("older-activity-log"),
        "/data/properties",
        json!({"clusterId": CLUSTER}),
    );
    assert_eq!(leads_to(&older), json!([[cluster()], [], []]));
}

#[test]
fn members_may_be_texts_that_hold_json_and_of_any_case() {
    let body: Value = serde_json::from_str(sample!("log-v2")).unwrap();
    let mut packed = body.clone();
    for path in [
        "/data/alertContext/condition",
        "/data/alertContext",
        "/data",
    ] {
        let text = packed.pointer(path).unwrap().to_string();
        *packed.pointer_mut(path).unwrap() = text.into();
    }
    let upper = body.to_string().replace("\"dimensions\"", "\"Dimensions\"");
    let upper = upper.replace("\"alertContext\"", "\"AlertContext\"");
    let doubled = Value::from(body.to_string()).to_string();
    let with_mark = format!("\u{feff}{body}");
    for body in [packed.to_string(), upper, doubled, with_mark] {
        assert_eq!(leads_to(&body), json!([[cluster()], [], []]), "{body}");
    }
    let one_target = edited(
        sample!("metric-cluster"),
        "/data/essentials/alertTargetIDs",
        json!(CLUSTER),
    );
    assert_eq!(leads_to(&one_target), json!([[cluster()], [], []]));
}

#[test]
fn an_older_metric_alert_without_its_resources_id_has_its_parts() {
    let without = edited(
        sample!("older-metric"),
        "/data/context/resourceId",
        Value::Null,
    );
    let expected = id("mc_rg_shop_westeurope/providers/microsoft.network/loadbalancers/kubernetes");
    assert_eq!(leads_to(&without), json!([[], [expected], []]));
    let mut oldest: Value = serde_json::from_str(sample!("older-metric")).unwrap();
    let oldest = oldest["data"].take().to_string();
    assert_eq!(leads_to(&oldest), json!([[], [expected], []]));
}

#[test]
fn an_activity_log_alert_is_one_for_each_event_though_its_id_is_the_rules() {
    let first = understood(sample!("activity-log"));
    let another = edited(
        sample!("activity-log"),
        "/data/alertContext/eventDataId",
        json!("e9"),
    );
    assert_ne!(first.identity, understood(&another).identity);
    assert_eq!(first.identity, understood(sample!("activity-log")).identity);
    // And any other alert is one however often it comes, and whatever else changes.
    let metric = understood(sample!("metric-static"));
    let changed = edited(
        sample!("metric-static"),
        "/data/essentials/description",
        json!("changed"),
    );
    assert_eq!(metric.identity, understood(&changed).identity);
}

#[test]
fn what_is_no_alert_of_azure_monitors_is_told_so() {
    let alertmanager = json!({"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing",
        "receiver": "r", "alerts": [{"status": "firing", "labels": {"cluster": "shop"}}]});
    let automation = json!({"WebhookName": "w", "RequestHeader": {}, "RequestBody": "{}"});
    let cases = [
        (alertmanager.to_string(), "Alertmanager"),
        (automation.to_string(), "Automation"),
        (json!({"WebhookData": automation}).to_string(), "Automation"),
        (json!({"clusterId": CLUSTER}).to_string(), "not an alert"),
        ("{}".to_owned(), "not an alert"),
        ("[]".to_owned(), "no object"),
        (format!("[{}]", sample!("metric-static")), "no object"),
        ("1".to_owned(), "no object"),
        ("null".to_owned(), "no object"),
        ("\"text\"".to_owned(), "no object"),
        ("{".to_owned(), "not JSON"),
        (
            "schemaId=azureMonitorCommonAlertSchema".to_owned(),
            "not JSON",
        ),
        (String::new(), "empty"),
        (" \n".to_owned(), "empty"),
    ];
    for (body, reason) in cases {
        let said = read(body.as_bytes(), None).unwrap_err();
        assert!(said.contains(reason), "{body}: {said}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        read(deep.as_bytes(), None).unwrap_err(),
        "the body is not JSON"
    );
    assert_eq!(read(b"\xff\xfe", None).unwrap_err(), "the body is not JSON");
}
