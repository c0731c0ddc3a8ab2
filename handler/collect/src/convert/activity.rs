//! Entries of the activity log to writes.

use egress_arm::model::LogEvent;
use egress_diagnosis::facts::{Id, ResourceWrite};

/// The write that an entry is about, once: an operation has an entry for each of its stages, and only that of its success
/// says that something changed. `None` also for an entry that does not say what, when, or how it ended.
pub(crate) fn resource_write(event: &LogEvent) -> Option<ResourceWrite> {
    let operation = event.operation_name.value.as_deref()?;
    let (_, verb) = operation.rsplit_once('/')?;
    let deleted = verb.eq_ignore_ascii_case("delete");
    let written = deleted || verb.eq_ignore_ascii_case("write");
    let status = event.status.value.as_deref()?;
    (written && status.eq_ignore_ascii_case("succeeded")).then_some(())?;
    Some(ResourceWrite {
        at: (*event.event_timestamp)?,
        resource: Id::new(event.resource_id.as_deref()?),
        deleted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(operation: &str, status: &str, rest: &str) -> Option<ResourceWrite> {
        let body = format!(
            r#"{{"operationName":{{"value":{operation}}},"status":{{"value":{status}}},"resourceId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/routeTables/rt/routes/default"{rest}}}"#
        );
        resource_write(&serde_json::from_str(&body).unwrap())
    }

    const AT: &str = r#","eventTimestamp":"2026-01-01T00:10:00.1234567Z""#;
    const WRITE: &str = r#""Microsoft.Network/routeTables/routes/write""#;

    #[test]
    fn a_write_that_succeeded_is_one() {
        let found = read(WRITE, r#""Succeeded""#, AT).unwrap();
        assert_eq!(found.at.to_string(), "2026-01-01T00:10:00.1234567Z");
        assert_eq!(found.resource.name(), "default");
        assert!(!found.deleted);
        let shouted = r#""MICROSOFT.NETWORK/ROUTETABLES/ROUTES/DELETE""#;
        assert!(read(shouted, r#""SUCCEEDED""#, AT).unwrap().deleted);
    }

    #[test]
    fn what_did_not_happen_or_changed_nothing_is_none() {
        for status in ["\"Started\"", "\"Accepted\"", "\"Failed\"", "\"\"", "null"] {
            assert_eq!(read(WRITE, status, AT), None, "{status}");
        }
        for operation in [
            r#""Microsoft.Network/virtualNetworks/subnets/join/action""#,
            r#""Microsoft.Network/routeTables/overwrite""#,
            "null",
            "7",
        ] {
            assert_eq!(read(operation, r#""Succeeded""#, AT), None, "{operation}");
        }
        let undated = r#","eventTimestamp":"yesterday""#;
        for rest in ["", undated] {
            assert_eq!(read(WRITE, r#""Succeeded""#, rest), None, "{rest}");
        }
    }

    #[test]
    fn who_did_it_is_not_kept() {
        let people = r#","eventTimestamp":"2026-01-01T00:10:00Z","caller":"jo@example.test","claims":{"ipaddr":"203.0.113.9"},"httpRequest":{"clientIpAddress":"203.0.113.9"}"#;
        let text = format!("{:?}", read(WRITE, r#""Succeeded""#, people).unwrap());
        assert!(
            !text.contains("jo@") && !text.contains("203.0.113"),
            "{text}"
        );
    }
}
