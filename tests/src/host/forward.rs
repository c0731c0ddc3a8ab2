//! An HTTP trigger sent on as plain HTTP (`enableForwardingHttpRequest`), with the host's quirks.

use bytes::Bytes;
use url::Url;

use super::HOST_VERSION;

/// A call from outside.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: String,
    /// Path with the route prefix.
    pub path: String,
    /// Query pairs in order.
    pub query: Vec<(String, String)>,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body; `None` = no body and no Content-Length.
    pub body: Option<Bytes>,
    /// Whether the caller sends the body chunked, without a length.
    pub chunked: bool,
}

/// What the caller gets.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// Whether the handler made it (else the host).
    pub from_handler: bool,
}

impl Call {
    /// A GET with the emulated function key.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            query: Vec::new(),
            headers: vec![("x-functions-key".into(), super::FUNCTION_KEY.into())],
            body: None,
            chunked: false,
        }
    }

    /// A POST of JSON with the emulated function key.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST".into(),
            body: Some(body.into()),
            ..Self::get(path)
        }
        .header("Content-Type", "application/json")
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Takes the key away.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "x-functions-key");
        self
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.headers
            .iter()
            .any(|(n, v)| n.eq_ignore_ascii_case("x-functions-key") && v == key)
            || self.query.iter().any(|(n, v)| n == "code" && v == key)
    }
}

impl Answer {
    pub(super) fn of_host(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            from_handler: false,
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

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

/// The query as the host rebuilds it: keys collapse without case, their values joined by a comma.
fn rebuild_query(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let mut rebuilt: Vec<(String, String)> = Vec::new();
    for (key, value) in pairs {
        match rebuilt
            .iter_mut()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
        {
            Some((_, joined)) => {
                joined.push(',');
                joined.push_str(value);
            }
            None => rebuilt.push((key.clone(), value.clone())),
        }
    }
    rebuilt
}

pub(super) async fn forward(client: &reqwest::Client, port: u16, call: Call) -> Answer {
    if call.chunked {
        // The copied `Transfer-Encoding: chunked` without content makes the host's client throw.
        return Answer::of_host(500);
    }
    let mut url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a loopback URL");
    url.set_path(&call.path);
    let query = rebuild_query(&call.query);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let method = reqwest::Method::from_bytes(call.method.as_bytes()).expect("a method");
    let mut request = client.request(method, url);
    let mut user_agent = format!("Azure-Functions-Host/{HOST_VERSION}");
    let mut invocation = uuid_like();
    // Repeated header lines arrive as one comma-joined line.
    for (name, value) in rebuild_query(&call.headers) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_query_keys_collapse_to_one_comma_joined_value() {
        let pairs = [("a", "1"), ("b", "x"), ("A", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(
            rebuild_query(&pairs),
            [
                ("a".to_owned(), "1,2".to_owned()),
                ("b".to_owned(), "x".to_owned())
            ]
        );
    }
}
