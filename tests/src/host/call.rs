//! What callers send and what they get.

use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// A call from outside.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: String,
    /// Path with the route prefix, as the caller writes it.
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

    /// The path as the host shows it: unescaped once, but for slashes.
    pub(super) fn display_path(&self) -> String {
        let mut shown = String::new();
        let mut rest = self.path.as_str();
        while let Some(at) = rest.to_ascii_uppercase().find("%2F") {
            shown += &percent_decode_str(&rest[..at]).decode_utf8_lossy();
            shown += &rest[at..at + 3];
            rest = &rest[at + 3..];
        }
        shown + &percent_decode_str(rest).decode_utf8_lossy()
    }

    /// The length that the caller tells of its body.
    pub(super) fn content_length(&self) -> Option<usize> {
        let body = self.body.as_ref().filter(|_| !self.chunked)?;
        Some(body.len())
    }

    /// Header lines by name without case, in order.
    pub(super) fn header_lines(&self) -> Vec<(String, Vec<String>)> {
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        let own = self
            .content_length()
            .map(|n| ("Content-Length".to_owned(), n.to_string()));
        let chunked = ("Transfer-Encoding".to_owned(), "chunked".to_owned());
        let own = own.or_else(|| self.chunked.then_some(chunked));
        for (name, value) in self.headers.iter().chain(&own) {
            match lines.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                Some((_, values)) => values.push(value.clone()),
                None => lines.push((name.clone(), vec![value.clone()])),
            }
        }
        lines
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

/// A query as the host reads it: keys collapse without case, their values joined by a comma.
pub(super) fn collapse(pairs: &[(String, String)]) -> Vec<(String, String)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_query_keys_collapse_to_one_comma_joined_value() {
        let pairs = [("a", "1"), ("b", "x"), ("A", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(
            collapse(&pairs),
            [
                ("a".to_owned(), "1,2".to_owned()),
                ("b".to_owned(), "x".to_owned())
            ]
        );
    }

    #[test]
    fn a_path_is_shown_unescaped_but_for_slashes() {
        assert_eq!(
            Call::get("/a%20b%2fc%3Fd%2525").display_path(),
            "/a b%2fc?d%25"
        );
    }

    #[test]
    fn header_lines_of_one_name_come_together() {
        let call = Call::post("/", "ab")
            .header("Accept", "a")
            .header("accept", "b");
        let lines = call.header_lines();
        assert!(lines.contains(&("Accept".to_owned(), vec!["a".to_owned(), "b".to_owned()])));
        assert!(lines.contains(&("Content-Length".to_owned(), vec!["2".to_owned()])));
        let chunked = Call {
            chunked: true,
            ..call
        };
        assert!(
            !chunked
                .header_lines()
                .iter()
                .any(|(name, _)| name == "Content-Length")
        );
    }
}
