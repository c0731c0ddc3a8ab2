//! Functions that get the envelope: called, answered, their outputs written; queues with their retries and poison.

use serde_json::Value;

use super::app::Function;
use super::binding::Direction;
use super::envelope::{self, Envelope};
use super::forward::{Answer, Call, uuid_like};
use super::storage::Message;
use super::{HOST_VERSION, Host, outputs, route};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// There was none.
    Empty,
    /// The function succeeded; the message is deleted.
    Done,
    /// The function failed; the message becomes visible again.
    Failed(String),
    /// It failed for the last time, or too often before: it is in the poison queue.
    Poisoned(String),
}

impl Host {
    /// Delivers the next message of a queue to its function. A failed one can be delivered again at once: what the host waits
    /// in between is nothing a test should wait for.
    pub async fn deliver(&self, queue: &str) -> Delivery {
        let Some(message) = self.storage.take(queue) else {
            return Delivery::Empty;
        };
        self.deliver_message(queue, message).await
    }

    /// Delivers the next message as if the host had died before it could delete it.
    pub async fn deliver_and_forget(&self, queue: &str) -> Delivery {
        let Some(message) = self.storage.take(queue) else {
            return Delivery::Empty;
        };
        self.storage.push(queue, message.clone());
        let function = self.function_of(queue);
        match self.invoke_with(function, &message).await {
            Ok(()) => Delivery::Done,
            Err(why) => Delivery::Failed(why),
        }
    }

    /// Delivers everything that can be delivered, until all queues with a function are empty.
    ///
    /// # Panics
    /// When that takes more than a thousand deliveries.
    pub async fn drain(&self) {
        for _ in 0..1_000 {
            let queues = self.app.functions.iter().filter_map(|f| self.queue_of(f));
            let Some(queue) = queues
                .into_iter()
                .find(|q| !self.storage.queue(q).is_empty())
            else {
                return;
            };
            self.deliver(&queue).await;
        }
        panic!("the queues do not run dry");
    }

    /// Lets a timer fire.
    ///
    /// # Errors
    /// Why the function failed; a timer is not tried again.
    pub async fn fire(&self, name: &str) -> Result<(), String> {
        let function = self.app.function(name);
        let trigger = function.trigger();
        assert!(trigger.is("timerTrigger"), "{name} has no timer");
        let schedule = trigger.text("schedule", &self.settings).unwrap_or_default();
        assert!(
            super::binding::is_schedule(&schedule),
            "{name}: schedule {schedule:?}"
        );
        self.invoke(function, envelope::of_timer(trigger))
            .await
            .map(|_| ())
    }

    /// A call of an HTTP function with further bindings.
    pub(super) async fn call_in_envelope(&self, function: &Function, call: &Call) -> Answer {
        let parameters = route::parameters(&self.app, function, &call.path);
        let envelope = envelope::of_http(function.trigger(), call, &parameters);
        let answer = self.invoke(function, envelope).await;
        let res = answer.and_then(|answer| {
            let written = outputs::member(&answer, "Outputs").cloned();
            outputs::http(written.as_ref().and_then(|outputs| outputs.get("res")))
        });
        res.unwrap_or_else(|_| Answer::of_host(500))
    }

    async fn deliver_message(&self, queue: &str, message: Message) -> Delivery {
        let most = self.app.queues.max_dequeue_count;
        if message.dequeued > most {
            self.poison(queue, &message);
            return Delivery::Poisoned("delivered too often".to_owned());
        }
        match self.invoke_with(self.function_of(queue), &message).await {
            Ok(()) => Delivery::Done,
            Err(why) if message.dequeued >= most => {
                self.poison(queue, &message);
                Delivery::Poisoned(why)
            }
            Err(why) => {
                self.storage.push(queue, message);
                Delivery::Failed(why)
            }
        }
    }

    fn poison(&self, queue: &str, message: &Message) {
        // A poison queue has none of its own.
        if !queue.ends_with("-poison") {
            let base64 = self.app.queues.base64;
            let text = message.text(base64).unwrap_or_default();
            self.storage.put(&format!("{queue}-poison"), &text, base64);
        }
    }

    async fn invoke_with(&self, function: &Function, message: &Message) -> Result<(), String> {
        let text = message
            .text(self.app.queues.base64)
            .ok_or("the message is not base64")?;
        let envelope = envelope::of_message(function.trigger(), message, &text);
        self.invoke(function, envelope).await.map(|_| ())
    }

    fn function_of(&self, queue: &str) -> &Function {
        let mut functions = self.app.functions.iter();
        functions
            .find(|f| self.queue_of(f).as_deref() == Some(queue))
            .unwrap_or_else(|| panic!("no function listens to {queue}"))
    }

    fn queue_of(&self, function: &Function) -> Option<String> {
        let trigger = function.trigger();
        trigger
            .is("queueTrigger")
            .then(|| trigger.text("queueName", &self.settings))?
    }

    /// Reads the input blobs, calls the function, and writes its outputs.
    async fn invoke(&self, function: &Function, mut envelope: Envelope) -> Result<Value, String> {
        let known = envelope.known.clone();
        for input in function.others(Direction::In) {
            let path = input.text("path", &self.settings).unwrap_or_default();
            let blob = self.storage.blob(&known.fill(&path)?);
            let value = blob.map_or_else(
                // As text, not as null.
                || Value::from("null"),
                |content| envelope::text(&String::from_utf8_lossy(&content)),
            );
            envelope.data.insert(input.name.clone(), value);
        }
        // All paths are filled in before the function runs.
        let mut targets = Vec::new();
        for output in function.others(Direction::Out) {
            let target = if output.is("queue") {
                "queueName"
            } else {
                "path"
            };
            let target = output.text(target, &self.settings).unwrap_or_default();
            targets.push((output, known.fill(&target)?));
        }
        let answer = self.post(function, envelope.body(&function.name)).await?;
        let written = outputs::member(&answer, "Outputs")
            .cloned()
            .unwrap_or_default();
        for (output, target) in targets {
            let Some(value) = written.get(&output.name) else {
                continue;
            };
            if output.is("queue") {
                for message in outputs::messages(output, value) {
                    self.storage.put(&target, &message, self.app.queues.base64);
                }
            } else if output.is("blob")
                && let Some(content) = outputs::blob(output, value)
            {
                self.storage.write(target, content);
            }
        }
        Ok(answer)
    }

    async fn post(&self, function: &Function, body: String) -> Result<Value, String> {
        if self.process.ready().await.is_err() {
            return Err("the host stopped".to_owned());
        }
        let url = format!("http://127.0.0.1:{}/{}", self.process.port(), function.name);
        let chunks = futures::stream::iter([Ok::<_, std::io::Error>(body)]);
        let request = self
            .client
            .post(url)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("User-Agent", format!("Azure-Functions-Host/{HOST_VERSION}"))
            .header("X-Azure-Functions-HostVersion", HOST_VERSION)
            .header("X-Azure-Functions-InvocationId", uuid_like())
            .body(reqwest::Body::wrap_stream(chunks));
        let response = request
            .send()
            .await
            .map_err(|error| format!("no answer: {error}"))?;
        let status = response.status();
        let kind = response.headers().get("content-type").cloned();
        let body = response
            .bytes()
            .await
            .map_err(|error| format!("cut off: {error}"))?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
        }
        assert!(
            !body.is_empty() && &body[..] != b"null",
            "{}: the host would wait for this answer until the function's timeout, and then kill the handler",
            function.name
        );
        let kind = kind
            .and_then(|kind| kind.to_str().map(str::to_owned).ok())
            .unwrap_or_default();
        if !kind.starts_with("application/json") && !kind.starts_with("text/json") {
            return Err(format!("the answer is {kind}"));
        }
        serde_json::from_slice(&body).map_err(|error| format!("not JSON: {error}"))
    }
}
