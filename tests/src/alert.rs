//! Alerts as a rule about one resource raises them, and where their answer leads.

use serde_json::{Value, json};

/// The body that an action group posts for an alert with this name about this resource, and nothing else that could lead to a
/// cluster.
pub fn about(name: &str, resource: &str) -> String {
    let sample = include_str!("../alerts/metric-static.json");
    let mut alert: Value = serde_json::from_str(sample).expect("the sample");
    let essentials = &mut alert["data"]["essentials"];
    essentials["alertId"] = json!(format!(
        "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.AlertsManagement/alerts/{name}"
    ));
    essentials["alertTargetIDs"] = json!([resource]);
    alert.to_string()
}

/// The path of an address that the app gave under the emulated host.
pub fn path_of(location: &Value) -> String {
    let text = location.as_str().expect("an address");
    let path = text.strip_prefix("https://egress.example.net");
    path.expect("an address of this app").to_owned()
}
