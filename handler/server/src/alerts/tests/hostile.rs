//! Bodies that mean no good, or nothing.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{sample, understood};
use crate::alerts::{MAX_ALERT_BYTES, read};
use crate::jobs::ids::Ids;
use crate::jobs::messages::{AlertJob, MAX_MESSAGE_BYTES, Post};
use crate::testing::CLUSTER;

const SAMPLES: [&str; 6] = [
    sample!("metric-static-custom-property"),
    sample!("log-v1"),
    sample!("activity-log"),
    sample!("prometheus"),
    sample!("older-metric"),
    sample!("older-activity-log"),
];

/// The message that a body becomes, if any.
fn message(body: &str) -> Option<String> {
    let understood = read(body.as_bytes(), None).ok()?;
    let now = jiff::Timestamp::now();
    let job = AlertJob {
        id: understood.id(&Ids::new(None), now),
        received_at: now,
        alert: understood.alert,
        candidates: understood.candidates,
    };
    Some(Post::alert(&job).text)
}

/// Puts a value into each place of a body in turn.
fn each_place(value: &Value, replace: &Value, see: &mut impl FnMut(&str)) {
    fn paths(value: &Value, path: &str, out: &mut Vec<String>) {
        out.push(path.to_owned());
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    paths(member, &format!("{path}/{}", escaped(name)), out);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    paths(item, &format!("{path}/{index}"), out);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    paths(value, "", &mut all);
    for path in all {
        let mut changed = value.clone();
        *changed.pointer_mut(&path).unwrap() = replace.clone();
        see(&changed.to_string());
    }
}

#[test]
fn a_hostile_text_in_any_field_gets_nowhere() {
    let escape = format!("{CLUSTER}/../../../../secrets?api-version=1#x");
    let texts = [
        "evil\r\nSet-Cookie: a=b\u{1b}[2J\u{202e}",
        "<script>alert(1)</script>",
        escape.as_str(),
        "/subscriptions/../../metadata/identity/oauth2/token",
        "http://169.254.169.254/metadata/instance",
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/a.b/c/%2e%2e%2f",
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/r@evil/providers/a.b/c/d",
        "{\"data\":{\"data\":\"{\"}",
        "\u{0}",
    ];
    for sample in SAMPLES {
        let body: Value = serde_json::from_str(sample).unwrap();
        for text in texts {
            each_place(&body, &json!(text), &mut |changed| {
                let Some(message) = message(changed) else {
                    return;
                };
                let job: AlertJob = serde_json::from_str(&message).unwrap();
                let ids = job.candidates.resources.iter();
                for id in ids.chain(&job.candidates.clusters) {
                    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.()".contains(&b);
                    assert!(id.as_str().bytes().all(plain), "{id}");
                    assert!(!id.as_str().contains(".."), "{id}");
                }
                for shown in [&job.alert.id, &job.alert.rule, &job.alert.severity] {
                    let shown = shown.as_deref().unwrap_or_default();
                    assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'));
                }
            });
        }
    }
}

#[test]
fn any_field_may_be_of_any_type_or_null() {
    for sample in SAMPLES {
        let body: Value = serde_json::from_str(sample).unwrap();
        for value in [
            json!(null),
            json!(true),
            json!(-1.5e300),
            json!([]),
            json!([null, [null], {}]),
            json!({}),
            json!({"name": null, "value": [1]}),
        ] {
            each_place(&body, &value, &mut |changed| {
                let _ = message(changed);
            });
        }
    }
}

#[test]
fn nothing_of_the_claims_is_kept() {
    for sample in [sample!("activity-log"), sample!("older-activity-log")] {
        assert!(sample.contains("S3CRET-CLAIM"));
        let understood = understood(sample);
        assert!(!format!("{understood:?}").contains("S3CRET-CLAIM"));
        assert!(!message(sample).unwrap().contains("S3CRET-CLAIM"));
    }
}

#[test]
fn the_largest_body_becomes_a_message_that_fits_the_queue_and_says_what_was_left_out() {
    let long = "\u{1F600}\"\\".repeat(1_500);
    let name = "n".repeat(260);
    let group = "g".repeat(80);
    let ids: Vec<String> = (0..350)
        .map(|n| {
            format!("/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{name}/subnets/s{n}")
        })
        .collect();
    let names: Vec<Value> = (0..50)
        .map(|n| json!({"dimensions": [{"name": "ClusterName", "value": format!("c{n}")}, {"name": "ResourceGroup", "value": group}]}))
        .collect();
    let mut body = json!({"data": {"essentials": {
        "alertId": long, "alertRule": long, "severity": long, "firedDateTime": long, "alertTargetIDs": ids,
    }, "alertContext": {"condition": {"allOf": names}}}});
    let text = body.to_string();
    assert!(
        (200 * 1024..MAX_ALERT_BYTES).contains(&text.len()),
        "{}",
        text.len()
    );
    let resources = message(&text).unwrap();
    assert!(resources.len() < MAX_MESSAGE_BYTES, "{}", resources.len());
    let job: AlertJob = serde_json::from_str(&resources).unwrap();
    assert_eq!(job.candidates.resources.len(), 16);
    assert_eq!(job.candidates.names.len(), 10);
    let notes = job.candidates.notes.join("; ");
    assert!(
        notes.contains("334 more resources") && notes.contains("40 more names"),
        "{notes}"
    );

    let clusters = (0..120).map(|n| format!("{CLUSTER}-{n}"));
    body["data"]["essentials"]["alertTargetIDs"] = clusters.collect();
    let found = understood(&body.to_string()).candidates;
    assert_eq!((found.clusters.len(), found.left_out), (10, 110));
}

fn anything() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just(CLUSTER.to_owned()),
        Just("Fired".to_owned()),
        Just("azureMonitorCommonAlertSchema".to_owned()),
        Just("2026-08-20T10:05:00Z".to_owned()),
        ".{0,40}",
        "/subscriptions/.{0,60}",
        "[\\[{].{0,30}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    let names = prop_oneof![
        prop::sample::select(vec![
            "schemaId",
            "data",
            "essentials",
            "alertContext",
            "customProperties",
            "context",
            "activityLog",
            "alertTargetIDs",
            "condition",
            "allOf",
            "dimensions",
            "name",
            "value",
            "labels",
            "cluster",
            "SearchResults",
            "tables",
            "columns",
            "rows",
            "authorization",
            "scope",
            "resourceId",
            "clusterId",
            "monitoringService",
            "firedDateTime",
            "alertId",
            "AlertRuleName",
            "properties",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(names.clone(), inner.clone(), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_an_alert_or_has_a_reason(value in anything()) {
        for body in [value.clone(), json!({"data": {"essentials": value, "alertContext": value}}), json!({"data": {"context": value}})] {
            match read(body.to_string().as_bytes(), Some("x")) {
                Ok(_) => {
                    let message = message(&body.to_string()).unwrap();
                    prop_assert!(message.len() < MAX_MESSAGE_BYTES);
                    prop_assert!(serde_json::from_str::<AlertJob>(&message).is_ok());
                }
                Err(reason) => prop_assert!(!reason.is_empty()),
            }
        }
    }

    #[test]
    fn any_bytes_are_an_alert_or_have_a_reason(bytes in vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, None);
    }
}
