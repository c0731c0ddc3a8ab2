//! An HTTP trigger sent on as plain HTTP (`enableForwardingHttpRequest`), with the host's quirks.

use url::Url;

use super::HOST_VERSION;
use super::call::{Answer, Call, collapse};
use super::request::PUBLIC_HOST;

/// Content headers that .NET cannot carry on a request made this way: they are lost.
const LOST: [&str; 7] = [
    "content-encoding",
    "content-language",
    "content-disposition",
    "content-range",
    "content-location",
    "content-md5",
    "allow",
];

pub(super) async fn forward(client: &reqwest::Client, port: u16, call: Call) -> Answer {
    if call.chunked {
        // The copied `Transfer-Encoding: chunked` without content makes the host's client throw.
        return Answer::of_host(500);
    }
    let mut url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a loopback URL");
    // Read again as an address: an unescaped question mark or hash ends the path.
    let shown = call.display_path();
    url.set_path(shown.split(['?', '#']).next().unwrap_or_default());
    let query = collapse(&call.query);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let method = reqwest::Method::from_bytes(call.method.as_bytes()).expect("a method");
    let mut request = client.request(method, url);
    let mut user_agent = format!("Azure-Functions-Host/{HOST_VERSION}");
    let mut invocation = uuid_like();
    // Repeated header lines arrive as one comma-joined line.
    for (name, value) in collapse(&call.headers) {
        match name.to_ascii_lowercase().as_str() {
            lost if LOST.contains(&lost) => {}
            "content-length" | "transfer-encoding" => {}
            "user-agent" => user_agent = format!("{value} {user_agent}"),
            // A client's own is not removed; the host's is the last.
            "x-azure-functions-invocationid" => invocation = format!("{value}, {invocation}"),
            _ => request = request.header(name, value),
        }
    }
    request = request
        .header("User-Agent", user_agent)
        .header("X-Azure-Functions-HostVersion", HOST_VERSION)
        .header("X-Azure-Functions-InvocationId", invocation);
    if !call
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        request = request.header("Host", PUBLIC_HOST);
    }
    if let Some(body) = call.body.filter(|b| !b.is_empty()) {
        request = request.body(body);
    }
    let Ok(response) = request.send().await else {
        return Answer::of_host(500);
    };
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(n, v)| {
            (
                n.as_str().to_owned(),
                String::from_utf8_lossy(v.as_bytes()).into_owned(),
            )
        })
        .collect();
    match response.bytes().await {
        Ok(body) => Answer {
            status,
            headers,
            body,
            from_handler: true,
        },
        Err(_) => Answer::of_host(500),
    }
}

/// Something of the form of an invocation id; unique within the process is enough for a test.
pub(super) fn uuid_like() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "5d0f6a0e-0000-4000-8000-{:012x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
