//! Functions that get the envelope: called, answered, their outputs written; and the time that every call may take.

use serde_json::Value;

use super::binding::Direction;
use super::call::{Answer, Call};
use super::envelope::{self, Envelope};
use super::forward::uuid_like;
use super::function::Function;
use super::supervisor::Event;
use super::{HOST_VERSION, Host, outputs, route};

impl Host {
    /// A call of an HTTP function with further bindings.
    pub(super) async fn call_in_envelope(&self, function: &Function, call: &Call) -> Answer {
        let parameters = route::parameters(&self.app, function, &call.display_path());
        let envelope = envelope::of_http(function.trigger(), call, &parameters);
        let answer = self.invoke(function, envelope).await;
        answer.unwrap_or_else(|_| Answer::of_host(500))
    }

    /// Reads the input blobs, calls the function, and writes its outputs. What the caller gets, where there is one.
    pub(super) async fn invoke(
        &self,
        function: &Function,
        mut envelope: Envelope,
    ) -> Result<Answer, String> {
        let known = envelope.known.clone();
        for input in function.others(Direction::In) {
            let path = input.text("path", &self.settings).unwrap_or_default();
            let blob = self.storage.blob(&known.fill(&path)?);
            envelope.add_blob(input, blob.as_deref());
        }
        let body = envelope.body(&function.name, self.clock.now(), self.encodes_once);
        let answer = self.limited(function, self.post(function, body)).await;
        let answer = answer.unwrap_or_else(|| Err("the function timed out".to_owned()))?;
        let judged = outputs::judge(function, &answer)?;
        // All are written side by side: one that fails fails the call, and leaves what the others wrote.
        let mut written = Ok(judged.http);
        for (output, value) in &judged.written {
            let target = if output.is("queue") {
                "queueName"
            } else {
                "path"
            };
            let target = output.text(target, &self.settings).unwrap_or_default();
            // A path is filled in only now: what it lacks is found after the function has run.
            let done = known.fill(&target).and_then(|target| {
                if output.is("blob") {
                    self.storage.write(target, outputs::blob(output, value));
                    return Ok(());
                }
                for message in outputs::messages(output, value)? {
                    let base64 = self.app.queues.base64;
                    self.storage.put(&target, &message, base64);
                }
                Ok(())
            });
            if let Err(why) = done {
                written = Err(why);
            }
        }
        written
    }

    /// What the call gives within the function's timeout. Else the handler is killed, with everything that it is doing, and
    /// is ready again before the call has failed.
    pub(super) async fn limited<T>(
        &self,
        function: &Function,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let limit = self.app.function_timeout;
        let done = self.clock.within(limit, call).await;
        if done.is_none() {
            self.process.note(Event::TimedOut(function.name.clone()));
            self.process.restart().await;
        }
        done
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
        let kind = kind
            .and_then(|kind| kind.to_str().map(str::to_owned).ok())
            .unwrap_or_default();
        let is_json = kind.starts_with("application/json") || kind.starts_with("text/json");
        let content = body.trim_ascii();
        if body.is_empty() || (is_json && (content.is_empty() || content == b"null")) {
            return self.hang(function).await;
        }
        if !is_json {
            return Err(format!("the answer is {kind:?}"));
        }
        serde_json::from_slice(&body).map_err(|error| format!("not JSON: {error}"))
    }

    /// An answer of nothing is never noticed: nothing more happens to the call until its time is over, so that is now.
    async fn hang<T>(&self, function: &Function) -> T {
        self.process.note(Event::Hung(function.name.clone()));
        self.clock.advance(self.app.function_timeout);
        std::future::pending().await
    }
}
