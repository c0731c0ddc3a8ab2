//! The emulated Functions host against a handler that does what it is told: that the emulator itself tells right from wrong.

mod answers;
mod conformance;
mod life;
mod load;
mod queues;
mod requests;

use std::path::{Path, PathBuf};

use egress_tests::host::{App, Host};
use serde_json::{Value, json};

const STUB: &str = env!("CARGO_BIN_EXE_stub_handler");

/// An application around the stub, in a folder of the test's own.
struct Stub {
    root: PathBuf,
    host_json: Value,
}

impl Stub {
    /// With a queue function `work` that has all kinds of outputs, a forwarded one that takes every path below `api/echo`, and
    /// one in the envelope.
    fn new(test: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("stub-host")
            .join(test);
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        let host_json = json!({
            "version": "2.0",
            "extensions": { "queues": { "visibilityTimeout": "00:00:30", "batchSize": 4 } },
            "functionTimeout": "00:05:00",
            "customHandler": {
                "description": {
                    "defaultExecutablePath": STUB,
                    "arguments": ["%FUNCTIONS_CUSTOMHANDLER_PORT%", "answer", "%FUNCTIONS_CUSTOMHANDLER_WORKER_ID%"],
                },
                "initializationTimeout": "00:00:10",
                "enableForwardingHttpRequest": true,
            },
        });
        let stub = Self { root, host_json };
        stub.function("work", &json!([
            { "type": "queueTrigger", "direction": "in", "name": "job", "queueName": "work" },
            { "type": "queue", "direction": "out", "name": "next", "queueName": "next" },
            { "type": "blob", "direction": "out", "name": "result", "path": "results/{id}.json" },
            { "type": "blob", "direction": "out", "name": "seen", "path": "seen/last.json" },
        ]));
        stub.function("echo", &json!([
            { "type": "httpTrigger", "direction": "in", "name": "req", "route": "echo/{*rest}" },
            { "type": "http", "direction": "out", "name": "res" },
        ]));
        stub.function(
            "order",
            &json!([
                { "type": "httpTrigger", "direction": "in", "name": "req", "route": "order/{id?}" },
                { "type": "queue", "direction": "out", "name": "next", "queueName": "next" },
                { "type": "http", "direction": "out", "name": "res" },
            ]),
        );
        stub
    }

    fn function(&self, name: &str, bindings: &Value) {
        let folder = self.root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let definition = json!({ "bindings": bindings }).to_string();
        std::fs::write(folder.join("function.json"), definition).unwrap();
    }

    /// Sets a member of `host.json`.
    fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.host_json.pointer_mut(parent).unwrap()[name] = value;
        self
    }

    /// How the stub behaves at its start.
    fn starting(self, how: &str) -> Self {
        let arguments = json!(["%FUNCTIONS_CUSTOMHANDLER_PORT%", how]);
        self.set("/customHandler/description/arguments", arguments)
    }

    fn app(&self) -> App {
        std::fs::write(self.root.join("host.json"), self.host_json.to_string()).unwrap();
        App::load(&self.root).unwrap()
    }

    async fn start(&self) -> Host {
        Host::start(self.app(), Vec::new()).await.unwrap()
    }
}

/// A message that says what to answer.
fn told(answer: &Value) -> String {
    let mut told = json!({ "id": "a", "status": 200 });
    for (name, value) in answer.as_object().unwrap() {
        told[name] = value.clone();
    }
    told.to_string()
}

/// A message that makes the function answer with these outputs.
fn outputs(outputs: &Value) -> String {
    told(&json!({ "body": { "Outputs": outputs } }))
}

/// The texts in a queue.
fn texts(host: &Host, queue: &str) -> Vec<String> {
    use base64::Engine as _;
    let decode = |stored: &String| base64::engine::general_purpose::STANDARD.decode(stored);
    let messages = host.storage().queue(queue);
    let contents = messages
        .iter()
        .map(|message| decode(&message.stored).unwrap());
    contents
        .map(|content| String::from_utf8(content).unwrap())
        .collect()
}
