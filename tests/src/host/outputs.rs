//! What the host makes of a function's answer: `Outputs` into messages, blobs and HTTP answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::app::member;
use super::binding::{Binding, Direction};
use super::call::Answer;
use super::dotnet;
use super::function::Function;

/// An answer that has been judged, before anything of it is written.
#[derive(Debug)]
pub(super) struct Outputs<'a> {
    /// What queues and blobs get.
    pub(super) written: Vec<(&'a Binding, Value)>,
    /// What the caller of an HTTP function gets.
    pub(super) http: Answer,
}

/// Judges an answer. The HTTP output comes first: when it is bad nothing else is written.
///
/// # Errors
/// What fails the call.
pub(super) fn judge<'a>(function: &'a Function, answer: &Value) -> Result<Outputs<'a>, String> {
    if !answer.is_object() {
        return Err("the answer is no object".to_owned());
    }
    let given = match member(answer, &["Outputs"]) {
        None | Some(Value::Null) => None,
        Some(Value::Object(outputs)) => Some(outputs),
        Some(_) => return Err("Outputs is no object".to_owned()),
    };
    if !matches!(
        member(answer, &["Logs"]),
        None | Some(Value::Null | Value::Array(_))
    ) {
        return Err("Logs is no list".to_owned());
    }
    let declared = function.others(Direction::Out);
    let (res, others): (Vec<_>, Vec<_>) = declared.partition(|binding| binding.is("http"));
    let http = match (res.first(), given) {
        (Some(res), Some(outputs)) => http(outputs.get(&res.name))?,
        // Not even a type: the function said nothing of its answer.
        _ => answer_with(200, Vec::new(), String::new()),
    };
    // A returned object is read for outputs by name too, and counts more.
    let returned = member(answer, &["ReturnValue"]).and_then(Value::as_object);
    let value = |name: &str| {
        let of = |outputs: &Map<String, Value>| outputs.get(name).cloned();
        returned.and_then(of).or_else(|| given.and_then(of))
    };
    let written = others
        .into_iter()
        .filter_map(|binding| Some((binding, value(&binding.name)?)))
        .filter(|(_, value)| !value.is_null())
        .collect();
    Ok(Outputs { written, http })
}

/// A top-level string that is valid base64, white space aside, unless the binding is binary.
fn decoded(binding: &Binding, text: &str) -> Option<Vec<u8>> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = STANDARD.decode(bare).ok();
    decoded.filter(|_| !binding.is_binary())
}

/// The messages that a queue output writes.
///
/// # Errors
/// A text that looks like JSON and is none.
pub(super) fn messages(binding: &Binding, value: &Value) -> Result<Vec<Vec<u8>>, String> {
    let texts = match value {
        Value::Array(elements) => elements.iter().map(dotnet::element).collect(),
        Value::String(text) => match decoded(binding, text) {
            Some(bytes) => return Ok(vec![bytes]),
            // Read, and written again with other white space; a list is split.
            None if dotnet::looks_like_json(text) => match serde_json::from_str::<Value>(text) {
                Ok(Value::Array(elements)) => elements.iter().map(dotnet::element).collect(),
                Ok(other) => vec![dotnet::element(&other)],
                Err(error) => return Err(format!("{}: {error}", binding.name)),
            },
            None => vec![text.clone()],
        },
        other => vec![dotnet::element(other)],
    };
    Ok(texts.into_iter().map(String::into_bytes).collect())
}

/// What a blob output writes: numbers and booleans in .NET's binary form, which is never what anybody wants.
pub(super) fn blob(binding: &Binding, value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => decoded(binding, text).unwrap_or_else(|| text.clone().into_bytes()),
        Value::Bool(value) => vec![u8::from(*value)],
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.to_le_bytes()[..4].to_vec(),
            None => number.as_f64().unwrap_or_default().to_le_bytes().to_vec(),
        },
        other => other.to_string().into_bytes(),
    }
}

fn answer_with(status: u16, headers: Vec<(String, String)>, body: String) -> Answer {
    Answer {
        status,
        headers,
        body: body.into(),
        from_handler: true,
    }
}

/// The HTTP answer.
///
/// # Errors
/// What makes the host answer 500.
fn http(value: Option<&Value>) -> Result<Answer, String> {
    let parsed;
    let res = match value {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| "res is plain text")?;
            &parsed
        }
        None | Some(Value::Null | Value::String(_)) => &Value::Null,
        Some(object) => object,
    };
    if res.is_null() {
        return Ok(answer_with(200, Vec::new(), "{}".to_owned()));
    }
    if !res.is_object() {
        return Err("res is no object".to_owned());
    }
    // What is no number is passed over.
    let status = member(res, &["statusCode"]).and_then(|status| match status {
        Value::String(text) => text.trim().parse().ok(),
        number => number
            .as_u64()
            .and_then(|number| u16::try_from(number).ok()),
    });
    let mut headers = Vec::new();
    let given = member(res, &["headers"]).and_then(Value::as_object);
    for (name, value) in given.into_iter().flatten() {
        let text = value
            .as_str()
            .ok_or_else(|| format!("header {name} is no text"))?;
        headers.push((name.to_ascii_lowercase(), text.to_owned()));
    }
    if !headers.iter().any(|(name, _)| name == "content-type") {
        let plain = "text/plain; charset=utf-8".to_owned();
        headers.push(("content-type".to_owned(), plain));
    }
    let body = match member(res, &["body"]) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => dotnet::indented(other),
    };
    Ok(answer_with(status.unwrap_or(200), headers, body))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(members: &Value) -> Binding {
        let members: Map<String, Value> = members.as_object().unwrap().clone();
        Binding::new("queue", "out", Direction::Out, members)
    }

    fn texts(value: &Value) -> Vec<String> {
        let written = messages(&output(&json!({})), value).unwrap();
        let texts = written.into_iter().map(String::from_utf8);
        texts.map(Result::unwrap).collect()
    }

    #[test]
    fn what_reads_as_base64_is_decoded_unless_the_binding_is_binary() {
        let plain = output(&json!({}));
        assert_eq!(
            blob(&plain, &json!("ab cd")),
            STANDARD.decode("abcd").unwrap()
        );
        assert_eq!(blob(&plain, &json!("{\"a\":1}")), b"{\"a\":1}");
        assert_eq!(blob(&plain, &json!("")), b"");
        let binary = output(&json!({"dataType": "binary"}));
        assert_eq!(blob(&binary, &json!("abcd")), b"abcd");
        // Bytes are a message as they are, whatever they look like.
        assert_eq!(texts(&json!(STANDARD.encode("[1, 2]"))), ["[1, 2]"]);
    }

    #[test]
    fn numbers_become_bytes_in_a_blob() {
        let plain = output(&json!({}));
        assert_eq!(blob(&plain, &json!(258)), [2, 1, 0, 0]);
        assert_eq!(blob(&plain, &json!(true)), [1]);
        assert_eq!(blob(&plain, &json!(1.5)), 1.5_f64.to_le_bytes());
        assert_eq!(blob(&plain, &json!({"a": [1]})), b"{\"a\":[1]}");
    }

    #[test]
    fn lists_are_split_and_objects_indented() {
        assert_eq!(texts(&json!(["abcd", "{\"a\":1}"])), ["abcd", "{\"a\":1}"]);
        assert_eq!(texts(&json!({"a": 1})), ["{\n  \"a\": 1\n}"]);
        assert_eq!(texts(&json!(" {\"a\":1}")), ["{\n  \"a\": 1\n}"]);
        assert_eq!(texts(&json!("[1,\"x\",true]")), ["1", "x", "True"]);
        assert!(messages(&output(&json!({})), &json!("{\"a\":}")).is_err());
        assert_eq!(texts(&json!("{a")), ["{a"]);
    }

    #[test]
    fn an_http_answer_follows_the_hosts_rules() {
        for nothing in [json!(null), json!(""), json!("null")] {
            assert_eq!(http(Some(&nothing)).unwrap().body, "{}");
        }
        for bad in [
            json!("hello"),
            json!([1]),
            json!(5),
            json!({"headers": {"a": 1}}),
        ] {
            assert!(http(Some(&bad)).is_err(), "{bad}");
        }
        let answer = http(Some(&json!({"StatusCode": "404", "body": {"a": 1}}))).unwrap();
        let body = &answer.body[..];
        assert_eq!((answer.status, body), (404, &b"{\n  \"a\": 1\n}"[..]));
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("text/plain; charset=utf-8"));
        // `status` is never looked at, nor is what is no number.
        for ignored in [
            json!({"status": 500}),
            json!({"statusCode": "bad", "body": ""}),
        ] {
            assert_eq!(http(Some(&ignored)).unwrap().status, 200);
        }
    }
}
