//! What the Functions host sends to a function that is more than plain HTTP, and what it takes back.
//!
//! Values come as a JSON string that holds JSON, some as plain JSON, binary ones in base64; the documentation and the host
//! disagree, so every form is read. An answer is never empty: the host would wait for it until the function's timeout.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::problem::{Code, Problem};

/// One call of a function.
#[derive(Debug, Deserialize)]
pub(crate) struct Invocation {
    #[serde(rename = "Data", alias = "data")]
    data: Map<String, Value>,
    #[serde(rename = "Metadata", alias = "metadata", default)]
    metadata: Map<String, Value>,
}

impl Invocation {
    /// # Errors
    /// A 400 for what is no call of the host's.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(body).map_err(|error| {
            // What serde says quotes values; its place is enough.
            let place = format!("line {}, column {}", error.line(), error.column());
            Problem::new(
                Code::InvalidRequest,
                "the body is not a call of the Functions host",
            )
            .log(format!("not a call of the Functions host ({place})"))
        })
    }

    /// A binding's value as JSON; `None` when it is absent, null (as an absent blob is) or not JSON in any form.
    pub(crate) fn json(&self, binding: &str) -> Option<Value> {
        let mut value = self.data.get(binding)?.clone();
        // Encoded once or twice, and what is in it.
        for _ in 0..3 {
            let Value::String(text) = &value else { break };
            value = serde_json::from_str(text).ok().or_else(|| binary(text))?;
        }
        (!value.is_null()).then_some(value)
    }

    /// Text among what the host says of the trigger.
    pub(crate) fn metadata(&self, name: &str) -> Option<String> {
        let text = self.metadata.get(name)?.as_str()?;
        Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
    }

    /// A blob's or message's text, as it was written.
    pub(crate) fn text(&self, binding: &str) -> Option<String> {
        let text = match self.data.get(binding)? {
            Value::String(text) => match serde_json::from_str(text) {
                Ok(Value::String(inner)) => inner,
                _ => text.clone(),
            },
            Value::Null => return None,
            other => other.to_string(),
        };
        (text != "null").then_some(text)
    }
}

/// JSON in base64, as bindings with `dataType` binary have it.
fn binary(text: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}

/// What a function answers the host with.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Map<String, Value>);

impl Outputs {
    /// Messages for a queue. Always a list: the host writes its strings as they are, where it would read a string of its own as
    /// base64 or JSON and change it.
    pub(crate) fn queue(&mut self, binding: &str, messages: Vec<String>) {
        if !messages.is_empty() {
            self.0.insert(binding.to_owned(), messages.into());
        }
    }

    /// A blob that holds a JSON object. Its brace keeps the host from reading it as base64.
    pub(crate) fn blob(&mut self, binding: &str, object: String) {
        debug_assert!(object.starts_with('{'));
        self.0.insert(binding.to_owned(), object.into());
    }

    /// The answer of an HTTP function. The body is text: the host writes an object indented, and as `text/plain`.
    pub(crate) fn http(&mut self, status: StatusCode, headers: &Map<String, Value>, body: &str) {
        let response = json!({
            "statusCode": status.as_str(),
            "headers": headers,
            "body": body,
        });
        self.0.insert("res".to_owned(), response);
    }

    /// The whole answer.
    pub(crate) fn into_body(self) -> String {
        json!({ "Outputs": self.0 }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(data: &Value) -> Invocation {
        let body = json!({"Data": data, "Metadata": {"sys": {}}}).to_string();
        Invocation::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_message_is_read_however_it_is_encoded() {
        let message = json!({"id": "a", "n": 1});
        let once = message.to_string();
        let twice = Value::from(once.clone()).to_string();
        let binary = STANDARD.encode(&once);
        for form in [json!(message), json!(once), json!(twice), json!(binary)] {
            assert_eq!(
                call(&json!({"job": form})).json("job"),
                Some(message.clone())
            );
        }
    }

    #[test]
    fn what_is_not_there_is_none() {
        for absent in [
            json!({}),
            json!({"b": null}),
            json!({"b": "null"}),
            json!({"b": "\"null\""}),
        ] {
            assert_eq!(call(&absent).json("b"), None, "{absent}");
            assert_eq!(call(&absent).text("b"), None, "{absent}");
        }
        assert_eq!(call(&json!({"b": "not JSON"})).json("b"), None);
    }

    #[test]
    fn a_blobs_text_is_kept_to_the_letter() {
        let text = r#"{"b":1.0,  "a":"2026-08-20T10:05:00.0000000Z"}"#;
        let twice = Value::from(text).to_string();
        assert_eq!(call(&json!({"b": twice})).text("b").as_deref(), Some(text));
        assert_eq!(call(&json!({"b": text})).text("b").as_deref(), Some(text));
    }

    #[test]
    fn anything_else_is_refused_and_never_quoted() {
        for wrong in [
            "",
            "null",
            "[]",
            "{}",
            "{\"Data\":\"s3cr3t\"}",
            "{\"Data\":[1]}",
            "\u{0}",
        ] {
            let problem = Invocation::parse(wrong.as_bytes()).unwrap_err();
            assert!(!format!("{problem:?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn an_answer_is_never_empty_and_nothing_in_it_reads_as_base64() {
        assert_eq!(Outputs::default().into_body(), r#"{"Outputs":{}}"#);
        let mut outputs = Outputs::default();
        outputs.queue("jobs", Vec::new());
        outputs.queue("alerts", vec!["{}".to_owned()]);
        outputs.blob("result", "{\"a\":1}".to_owned());
        outputs.http(StatusCode::ACCEPTED, &Map::new(), "abcd");
        let body: Value = serde_json::from_str(&outputs.into_body()).unwrap();
        assert_eq!(
            body["Outputs"],
            json!({"alerts": ["{}"], "result": "{\"a\":1}",
                   "res": {"statusCode": "202", "headers": {}, "body": "abcd"}})
        );
    }
}
