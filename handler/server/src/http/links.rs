//! Addresses of this app as the caller knows it.

use http::HeaderMap;
use http::header::HOST;

use super::contract::is_plain_host;

/// The address of a path under the host that the caller used; `None` when the request names none.
pub(super) fn absolute(headers: &HeaderMap, path: &str, query: &[(&str, &str)]) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let host = text("x-forwarded-host").or_else(|| text(HOST.as_str()));
    let host = host.filter(|host| is_plain_host(host))?;
    let scheme = match text("x-forwarded-proto") {
        Some("http") => "http",
        Some("https") => "https",
        _ if is_local(host) => "http",
        _ => "https",
    };
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    Some(format!("{scheme}://{host}{path}?{}", pairs.join("&")))
}

/// Without a proxy in front, only this machine is spoken to in plain http.
fn is_local(host: &str) -> bool {
    let name = host.split(':').next();
    name.is_some_and(|name| name == "localhost" || name.starts_with("127."))
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
