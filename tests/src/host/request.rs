//! An HTTP request as the envelope describes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::call::{Call, collapse};
use super::dotnet;
use super::envelope::Envelope;

/// Where the emulated application is reached from outside.
pub(super) const PUBLIC_HOST: &str = "egress.example.net";

/// Header lines with the host's name among them.
fn headers(call: &Call) -> Vec<(String, Vec<String>)> {
    let mut lines = call.header_lines();
    if !lines
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        lines.push(("Host".to_owned(), vec![PUBLIC_HOST.to_owned()]));
    }
    lines
}

/// The trigger's value.
pub(super) fn describe(call: &Call, parameters: &[(String, Option<String>)]) -> Value {
    let headers = headers(call);
    let host = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map_or(PUBLIC_HOST, |(_, values)| &values[0]);
    // The path unescaped, the query as it came.
    let mut url = format!("https://{host}{}", call.display_path());
    if !call.query.is_empty() {
        let mut query = form_urlencoded::Serializer::new(String::new());
        url = format!("{url}?{}", query.extend_pairs(&call.query).finish());
    }
    let query: Map<String, Value> = collapse(&call.query)
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let parameters: Map<String, Value> = parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let mut request = json!({
        "Url": url, "Method": call.method, "Query": query, "Params": parameters,
        "Headers": headers.iter().cloned().map(|(n, v)| (n, v.into())).collect::<Map<_, Value>>(),
        "Identities": [{ "AuthenticationType": null, "IsAuthenticated": false, "Claims": [] }],
    });
    if let Some(body) = body(call) {
        let kind = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map_or(String::new(), |(_, values)| values[0].to_ascii_lowercase());
        let binary = kind.starts_with("application/octet-stream") || kind.contains("multipart/");
        request["Body"] = if binary {
            STANDARD.encode(body).into()
        } else {
            String::from_utf8_lossy(body).into()
        };
    }
    request
}

/// A body of unknown length is passed over, like an empty one.
fn body(call: &Call) -> Option<&[u8]> {
    call.content_length().filter(|length| *length > 0)?;
    call.body.as_deref()
}

/// What the trigger knows: scalars of the body, then the query, then the route, each hiding what came before; the whole query
/// and all headers under their names, where those are free.
pub(super) fn tell(envelope: &mut Envelope, call: &Call, parameters: &[(String, Option<String>)]) {
    let body = body(call).and_then(|body| serde_json::from_slice(body).ok());
    if let Some(Value::Object(members)) = body {
        for (name, value) in members.iter().filter(|(_, value)| !value.is_object()) {
            if let Some(text) = dotnet::text_of(value) {
                envelope.tell(name, &text);
            }
        }
    }
    let query = collapse(&call.query);
    for (name, value) in &query {
        if !name.eq_ignore_ascii_case("code") {
            envelope.tell(name, value);
        }
    }
    for (name, value) in parameters {
        if let Some(value) = value {
            envelope.tell(name, value);
        }
    }
    let headers = headers(call)
        .into_iter()
        .map(|(name, lines)| (name, lines.join(",")));
    for (name, values) in [("Query", query), ("Headers", headers.collect())] {
        if !envelope.tells(name) {
            let values: Map<String, Value> = values
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            let text = Value::from(values.clone()).to_string();
            envelope.tell_as(name, &text, values.into());
        }
    }
}
