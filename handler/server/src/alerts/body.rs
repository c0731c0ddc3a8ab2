//! Looking into JSON that may be anything.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Longest text that is kept to be shown.
const MAX_SHOWN: usize = 256;
/// Longest text that is taken for a time.
const MAX_TIME: usize = 64;

/// Members that some senders write as text that holds JSON. `claims` is such a text too, and stays closed.
const PACKED: [&str; 14] = [
    "data",
    "essentials",
    "alertContext",
    "context",
    "activityLog",
    "authorization",
    "condition",
    "customProperties",
    "properties",
    "labels",
    "dimensions",
    "alertTargetIDs",
    "configurationItems",
    "SearchResults",
];

static NOTHING: Value = Value::Null;

/// A body as JSON.
///
/// # Errors
/// In words for the sender.
pub(super) fn parse(body: &[u8]) -> Result<Value, &'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the body is empty");
    }
    let mut root: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
    if let Value::String(text) = &root {
        root = packed(text).ok_or("the body is JSON, but no object")?;
    }
    if !root.is_object() {
        return Err("the body is JSON, but no object");
    }
    unpack(&mut root);
    Ok(root)
}

fn unpack(value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    for (name, member) in members {
        if !PACKED.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Value::String(text) = &*member
            && let Some(inner) = packed(text)
        {
            *member = inner;
        }
        unpack(member);
    }
}

fn packed(text: &str) -> Option<Value> {
    let inner = text.trim_start();
    let is_packed = inner.starts_with('{') || inner.starts_with('[');
    is_packed.then(|| serde_json::from_str(inner).ok())?
}

/// A member, whatever its case; null where there is none.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let Value::Object(members) = value else {
        return &NOTHING;
    };
    let any_case = || {
        let mut members = members.iter();
        members.find_map(|(known, member)| known.eq_ignore_ascii_case(name).then_some(member))
    };
    members.get(name).or_else(any_case).unwrap_or(&NOTHING)
}

/// A member of members.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| member(value, name))
}

/// Texts of a list, or the one that stands in its place.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).iter().filter_map(Value::as_str)
}

/// Items of a list, or the one that stands in its place; nothing of null.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

/// A text to show: one short line. Numbers count as text.
pub(super) fn shown(value: &Value) -> Option<String> {
    let number;
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(it) => {
            number = it.to_string();
            &number
        }
        _ => return None,
    };
    // Of a long text only as much is looked at as can be kept.
    let plain = text.chars().take(4 * MAX_SHOWN).filter(|c| is_shown(*c));
    let plain: String = plain.take(MAX_SHOWN).collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// Not what ends a line, moves a cursor or turns the direction of writing.
fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A time as ISO 8601, or as it is written in the United States. Without a zone it is UTC.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    if text.len() > MAX_TIME {
        return None;
    }
    let civil = || {
        let american = |_| DateTime::strptime("%m/%d/%Y %I:%M:%S %p", text);
        let civil = text.parse::<DateTime>().or_else(american).ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(civil)
}
