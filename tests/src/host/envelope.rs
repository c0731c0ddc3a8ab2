//! The JSON that functions get which are more than plain HTTP: values as .NET and the host encode them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::binding::{Binding, BindingData};
use super::clock::{time_of_day, with_offset};
use super::forward::uuid_like;
use super::storage::{LIFE, Message};
use super::{call::Call, dotnet, request};

/// A text: JSON in a JSON string.
pub(super) fn text(value: &str) -> Value {
    Value::String(Value::from(value).to_string())
}

/// `Data` and `Metadata` of one call.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) data: Map<String, Value>,
    metadata: Map<String, Value>,
    /// What paths may name.
    pub(super) known: BindingData,
}

impl Envelope {
    /// A text that the trigger knows. Names differ in more than case; what comes later hides what came before.
    pub(super) fn tell(&mut self, name: &str, value: &str) {
        self.tell_as(name, value, text(value));
    }

    /// A value that the trigger knows, and how it is written.
    pub(super) fn tell_as(&mut self, name: &str, value: &str, written: Value) {
        let same = |key: &&String| key.eq_ignore_ascii_case(name);
        let key = self.metadata.keys().find(same).cloned();
        self.metadata
            .insert(key.unwrap_or_else(|| name.to_owned()), written);
        self.known.set(name, value);
    }

    pub(super) fn tells(&self, name: &str) -> bool {
        self.metadata
            .keys()
            .any(|key| key.eq_ignore_ascii_case(name))
    }

    /// Adds a blob that was read, or that there is none.
    pub(super) fn add_blob(&mut self, binding: &Binding, blob: Option<&[u8]>) {
        let value = match blob {
            // As text, not as null.
            None => "null".into(),
            Some(content) if binding.is_binary() => STANDARD.encode(content).into(),
            Some(content) => text(&String::from_utf8_lossy(content)),
        };
        self.data.insert(binding.name.clone(), value);
    }

    /// The body; `once` = with texts encoded as the documentation shows them, which the host itself does not do.
    pub(super) fn body(mut self, function: &str, now: Timestamp, once: bool) -> String {
        if once {
            for value in self.data.values_mut().chain(self.metadata.values_mut()) {
                let inner = value
                    .as_str()
                    .and_then(|text| serde_json::from_str(text).ok());
                if let Some(inner @ Value::String(_)) = inner {
                    *value = inner;
                }
            }
        }
        let sys = json!({
            "MethodName": function, "UtcNow": now.strftime("%Y-%m-%dT%H:%M:%S.1234567Z").to_string(),
            "RandGuid": uuid_like(),
        });
        self.metadata.insert("sys".to_owned(), sys);
        json!({ "Data": self.data, "Metadata": self.metadata }).to_string()
    }
}

/// A message for a queue trigger.
///
/// # Errors
/// Why the host cannot make the trigger's value of it.
pub(super) fn of_message(
    trigger: &Binding,
    message: &Message,
    content: Vec<u8>,
) -> Result<Envelope, String> {
    let mut envelope = Envelope::default();
    let count = message.dequeued.to_string();
    envelope.tell_as("DequeueCount", &count, count.clone().into());
    for (name, time) in [
        ("ExpirationTime", message.inserted + LIFE),
        ("InsertionTime", message.inserted),
        ("NextVisibleTime", message.visible),
    ] {
        let time = with_offset(time_of_day(time));
        envelope.tell_as(name, &time, time.clone().into());
    }
    envelope.tell("Id", &message.id);
    envelope.tell("PopReceipt", "AgAAAAMAAAAAAAAA");
    if trigger.is_binary() {
        let value = STANDARD.encode(content);
        envelope.data.insert(trigger.name.clone(), value.into());
        return Ok(envelope);
    }
    let content = String::from_utf8(content).map_err(|_| "the message is no UTF-8")?;
    envelope.data.insert(trigger.name.clone(), text(&content));
    // The members of a message that is a JSON object; they hide the queue's own.
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(&content) {
        for (name, value) in members {
            match dotnet::text_of(&value) {
                Some(known) if value.is_object() => envelope.tell_as(&name, &known, value),
                Some(known) => envelope.tell(&name, &known),
                None => {}
            }
        }
    }
    Ok(envelope)
}

/// A call from outside.
pub(super) fn of_http(
    trigger: &Binding,
    call: &Call,
    parameters: &[(String, Option<String>)],
) -> Envelope {
    let mut envelope = Envelope::default();
    let described = request::describe(call, parameters);
    envelope.data.insert(trigger.name.clone(), described);
    request::tell(&mut envelope, call, parameters);
    envelope
}

/// A tick of a timer, for the time at which it was due.
pub(super) fn of_timer(
    trigger: &Binding,
    last: Timestamp,
    due: Timestamp,
    is_past_due: bool,
) -> Envelope {
    let mut envelope = Envelope::default();
    let last = last.strftime("%Y-%m-%dT%H:%M:%S.0034564+00:00").to_string();
    let timer = json!({
        "Schedule": { "AdjustForDST": true },
        "ScheduleStatus": { "Last": last, "Next": with_offset(due), "LastUpdated": last },
        "IsPastDue": is_past_due,
    });
    envelope.data.insert(trigger.name.clone(), timer);
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_encoded_twice_or_once() {
        let now = time_of_day(std::time::Duration::ZERO);
        let envelope = || {
            let mut envelope = Envelope::default();
            envelope.data.insert("job".into(), text("{\"a\":1}"));
            envelope.tell("Id", "x");
            envelope.tell("ID", "own");
            envelope
        };
        let read =
            |once| -> Value { serde_json::from_str(&envelope().body("f", now, once)).unwrap() };
        assert_eq!(read(false)["Data"]["job"], "\"{\\\"a\\\":1}\"");
        assert_eq!(read(false)["Metadata"]["Id"], "\"own\"");
        assert_eq!(read(true)["Data"]["job"], "{\"a\":1}");
        assert_eq!(read(true)["Metadata"]["Id"], "own");
        assert_eq!(read(true)["Metadata"]["sys"]["MethodName"], "f");
    }
}
