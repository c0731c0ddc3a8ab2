//! The JSON that functions get which are more than plain HTTP: values as .NET and the host encode them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::binding::{Binding, BindingData};
use super::forward::{Call, uuid_like};
use super::storage::Message;

/// A fixed time: nothing in the handler may depend on the host's clock.
pub(super) const NOW: &str = "2026-08-08T10:00:00+00:00";

/// A text: JSON in a JSON string.
pub(super) fn text(value: &str) -> Value {
    Value::String(Value::from(value).to_string())
}

/// `Data` and `Metadata` of one call.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) data: Map<String, Value>,
    pub(super) metadata: Map<String, Value>,
    /// What paths may name.
    pub(super) known: BindingData,
}

impl Envelope {
    fn tell(&mut self, name: &str, value: &str) {
        self.metadata.insert(name.to_owned(), text(value));
        self.known.set(name, value);
    }

    fn tell_bare(&mut self, name: &str, value: &str) {
        self.metadata.insert(name.to_owned(), value.into());
        self.known.set(name, value);
    }

    pub(super) fn body(mut self, function: &str) -> String {
        let sys = json!({
            "MethodName": function, "UtcNow": "2026-08-08T10:00:01.1234567Z", "RandGuid": uuid_like(),
        });
        self.metadata.insert("sys".to_owned(), sys);
        json!({ "Data": self.data, "Metadata": self.metadata }).to_string()
    }
}

/// A message for a queue trigger.
pub(super) fn of_message(trigger: &Binding, message: &Message, content: &str) -> Envelope {
    let mut envelope = Envelope::default();
    let value = if trigger.is_binary() {
        STANDARD.encode(content).into()
    } else {
        text(content)
    };
    envelope.data.insert(trigger.name.clone(), value);
    envelope.tell_bare("DequeueCount", &message.dequeued.to_string());
    for name in ["ExpirationTime", "InsertionTime", "NextVisibleTime"] {
        envelope.tell_bare(name, NOW);
    }
    envelope.tell("Id", &message.id);
    envelope.tell("PopReceipt", "AgAAAAMAAAAAAAAA");
    // The members of a message that is a JSON object, as .NET writes them; they hide the queue's own.
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(content) {
        for (name, value) in members {
            match value {
                Value::String(value) => envelope.tell(&name, &value),
                Value::Bool(value) => envelope.tell(&name, if value { "True" } else { "False" }),
                Value::Number(value) => envelope.tell(&name, &value.to_string()),
                Value::Object(value) => {
                    envelope.tell(&name, &serde_json::to_string_pretty(&value).expect("JSON"));
                }
                Value::Null | Value::Array(_) => {}
            }
        }
    }
    envelope
}

/// A call from outside.
pub(super) fn of_http(trigger: &Binding, call: &Call, parameters: &[(String, String)]) -> Envelope {
    let mut envelope = Envelope::default();
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &call.headers {
        let list = headers.entry(name.clone()).or_insert_with(|| json!([]));
        list.as_array_mut()
            .expect("a list")
            .push(value.as_str().into());
    }
    let host = call
        .headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case("host"));
    let host = host.map_or("egress.example.net", |(_, value)| value);
    headers.entry("Host").or_insert_with(|| json!([host]));
    let mut url = url::Url::parse("https://egress.example.net").expect("an address");
    url.set_path(&call.path);
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    let query: Map<String, Value> = call
        .query
        .iter()
        .map(|(k, v)| (k.clone(), v.as_str().into()))
        .collect();
    let mut request = json!({
        "Url": url.as_str().replacen("egress.example.net", host, 1), "Method": call.method, "Query": query,
        "Headers": headers, "Params": parameters.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "Identities": [{ "AuthenticationType": null, "IsAuthenticated": false, "Claims": [] }],
    });
    if let Some(body) = call
        .body
        .as_ref()
        .filter(|body| !body.is_empty() && !call.chunked)
    {
        request["Body"] = String::from_utf8_lossy(body).into();
    }
    envelope.data.insert(trigger.name.clone(), request);
    for (name, value) in call
        .query
        .iter()
        .filter(|(name, _)| name != "code")
        .chain(parameters)
    {
        envelope.tell(name, value);
    }
    envelope
}

/// A tick of a timer.
pub(super) fn of_timer(trigger: &Binding) -> Envelope {
    let mut envelope = Envelope::default();
    let timer = json!({
        "Schedule": { "AdjustForDST": true },
        "ScheduleStatus": { "Last": "2026-08-08T09:00:00.0034564+00:00", "Next": NOW, "LastUpdated": "2026-08-08T09:00:00.0034564+00:00" },
        "IsPastDue": false,
    });
    envelope.data.insert(trigger.name.clone(), timer);
    envelope
}
