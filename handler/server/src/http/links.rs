//! Addresses of this app as the caller knows it.

use http::HeaderMap;

use super::diagnoses::base;

/// The address of a path under the host that the caller used; `None` when the request names none.
pub(super) fn absolute(headers: &HeaderMap, path: &str, query: &[(&str, &str)]) -> Option<String> {
    let base = Some(base(headers)).filter(|base| !base.is_empty())?;
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    Some(format!("{base}{path}?{}", pairs.join("&")))
}

fn encoded(value: &str) -> String {
    let bytes: Vec<String> = value
        .bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    bytes.concat()
}
