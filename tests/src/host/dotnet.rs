//! Values as .NET and the host's JSON library write them.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// A JSON value read as text: a text that reads as a time comes back in the American way. `None` for null and lists.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) => None,
        Value::String(text) => Some(american(text).unwrap_or_else(|| text.clone())),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(_) => Some(indented(value)),
    }
}

/// The elements of a list and single values, as messages are made of them.
pub(super) fn element(value: &Value) -> String {
    match value {
        Value::Array(_) => indented(value),
        other => text_of(other).unwrap_or_default(),
    }
}

pub(super) fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

/// Whether the host takes a text for JSON: by its first and last character.
pub(super) fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with('{') && text.ends_with('}')) || (text.starts_with('[') && text.ends_with(']'))
}

fn american(text: &str) -> Option<String> {
    if !(19..=40).contains(&text.len()) || text.as_bytes()[10] != b'T' {
        return None;
    }
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::UTC).datetime(),
        Err(_) => text.parse::<DateTime>().ok()?,
    };
    Some(time.strftime("%m/%d/%Y %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_the_texts_of_dotnet() {
        let texts = [
            (json!(true), Some("True")),
            (json!(4), Some("4")),
            (json!("egress"), Some("egress")),
            (json!("2026-08-20T10:05:00Z"), Some("08/20/2026 10:05:00")),
            (
                json!("2026-08-20T10:05:00.25+02:00"),
                Some("08/20/2026 08:05:00"),
            ),
            (json!("2026-08-20"), Some("2026-08-20")),
            (json!(null), None),
            (json!([1]), None),
        ];
        for (value, text) in texts {
            assert_eq!(text_of(&value).as_deref(), text, "{value}");
        }
        assert_eq!(element(&json!(null)), "");
    }
}
