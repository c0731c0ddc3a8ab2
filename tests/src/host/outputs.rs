//! What the host makes of a function's answer: `Outputs` into messages, blobs and HTTP answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::binding::Binding;
use super::forward::Answer;

/// The members of an answer without case in their names: `Outputs`, `Logs`, `ReturnValue`.
pub(super) fn member<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    let members = answer.as_object()?;
    let found = members
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// A top-level string: unless the binding is binary, what is valid base64 is decoded first, white space aside.
fn bytes_of(binding: &Binding, text: &str) -> Vec<u8> {
    if !binding.is_binary() {
        let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if let Ok(bytes) = STANDARD.decode(bare) {
            return bytes;
        }
    }
    text.as_bytes().to_vec()
}

/// The messages that a queue output writes.
pub(super) fn messages(binding: &Binding, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(elements) => elements.iter().map(element).collect(),
        Value::String(text) => {
            let bytes = bytes_of(binding, text);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            // What looks like JSON is read, and written again with other white space; a list is split.
            match serde_json::from_str::<Value>(&text) {
                Ok(Value::Array(elements)) => elements.iter().map(element).collect(),
                Ok(object @ Value::Object(_)) => vec![element(&object)],
                _ => vec![text],
            }
        }
        other => vec![element(other)],
    }
}

fn element(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).expect("JSON"),
    }
}

/// What a blob output writes.
pub(super) fn blob(binding: &Binding, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(bytes_of(binding, text)),
        Value::Object(_) | Value::Array(_) => Some(value.to_string().into_bytes()),
        // As four bytes of a number, one of a boolean: never what anybody wants.
        other => panic!("{}: {other} is written in .NET's binary form", binding.name),
    }
}

/// The HTTP answer.
///
/// # Errors
/// What makes the host answer 500.
pub(super) fn http(value: Option<&Value>) -> Result<Answer, String> {
    let mut answer = Answer {
        status: 200,
        headers: Vec::new(),
        body: "{}".into(),
        from_handler: true,
    };
    let parsed;
    let res = match value {
        None | Some(Value::Null) => return Ok(answer),
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| "res is plain text")?;
            &parsed
        }
        Some(object) => object,
    };
    if !res.is_object() {
        return Err("res is no object".to_owned());
    }
    if let Some(status) = member(res, "statusCode") {
        let text = status
            .as_str()
            .map_or_else(|| status.to_string(), str::to_owned);
        answer.status = text.parse().map_err(|_| format!("statusCode {text}"))?;
    }
    for (name, value) in member(res, "headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let value = value
            .as_str()
            .ok_or_else(|| format!("header {name} is no text"))?;
        answer
            .headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
    }
    if answer.header("content-type").is_none() {
        let plain = "text/plain; charset=utf-8".to_owned();
        answer.headers.push(("content-type".to_owned(), plain));
    }
    answer.body = match member(res, "body") {
        None | Some(Value::Null) => Vec::new().into(),
        Some(Value::String(text)) => text.clone().into(),
        Some(other) => serde_json::to_string_pretty(other).expect("JSON").into(),
    };
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::super::binding::Direction;
    use super::*;

    fn output(members: &Value) -> Binding {
        let members: Map<String, Value> = members.as_object().unwrap().clone();
        Binding::new("queue", "out", Direction::Out, members)
    }

    #[test]
    fn what_reads_as_base64_is_decoded_unless_the_binding_is_binary() {
        let plain = output(&json!({}));
        assert_eq!(
            blob(&plain, &json!("ab cd")).unwrap(),
            STANDARD.decode("abcd").unwrap()
        );
        assert_eq!(blob(&plain, &json!("{\"a\":1}")).unwrap(), b"{\"a\":1}");
        assert_eq!(blob(&plain, &json!("")).unwrap(), b"");
        let binary = output(&json!({"dataType": "binary"}));
        assert_eq!(blob(&binary, &json!("abcd")).unwrap(), b"abcd");
    }

    #[test]
    fn lists_are_split_and_objects_indented() {
        let plain = output(&json!({}));
        assert_eq!(
            messages(&plain, &json!(["abcd", "{\"a\":1}"])),
            ["abcd", "{\"a\":1}"]
        );
        assert_eq!(messages(&plain, &json!({"a": 1})), ["{\n  \"a\": 1\n}"]);
        assert_eq!(messages(&plain, &json!("{\"a\":1}")), ["{\n  \"a\": 1\n}"]);
        assert_eq!(messages(&plain, &json!("[1,\"x\"]")), ["1", "x"]);
        assert!(messages(&plain, &Value::Null).is_empty());
    }

    #[test]
    fn an_http_answer_follows_the_hosts_rules() {
        assert_eq!(http(None).unwrap().body, "{}");
        assert!(http(Some(&json!("hello"))).is_err() && http(Some(&json!([1]))).is_err());
        let answer = http(Some(&json!({"StatusCode": "404", "body": {"a": 1}}))).unwrap();
        assert_eq!(
            (answer.status, &answer.body[..]),
            (404, &b"{\n  \"a\": 1\n}"[..])
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        // `status` is never looked at.
        assert_eq!(http(Some(&json!({"status": 500}))).unwrap().status, 200);
    }
}
