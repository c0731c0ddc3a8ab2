//! `host.json`, read under the host's own rules.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::function::{self, Function};

/// `extensions.queues`.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Deliveries before a message is poison.
    pub max_dequeue_count: u32,
    /// How long a failed message stays invisible.
    pub visibility_timeout: Duration,
    /// How many messages are worked on at once.
    pub batch_size: usize,
    /// `messageEncoding`.
    pub base64: bool,
}

/// A loaded application.
#[derive(Debug, Clone)]
pub struct App {
    /// Folder with `host.json`.
    pub root: PathBuf,
    /// Path of the executable, resolved as the host resolves it.
    pub executable: PathBuf,
    /// Its arguments as they are written.
    pub arguments: Vec<String>,
    /// `extensions.http.routePrefix`.
    pub route_prefix: String,
    /// `functionTimeout`.
    pub function_timeout: Duration,
    /// `initializationTimeout`.
    pub initialization_timeout: Duration,
    /// `enableForwardingHttpRequest`.
    pub forwarding: bool,
    /// How queues are worked on.
    pub queues: QueueSettings,
    /// All functions that loaded.
    pub functions: Vec<Function>,
    /// The functions that did not load, and why: the host runs without them.
    pub not_loaded: Vec<(String, String)>,
}

/// Why the host would not load the application, or what of it this emulator does not know.
#[derive(Debug)]
pub struct LoadError(pub String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

pub(super) fn fail<T>(message: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError(message.into()))
}

pub(super) fn read_json(path: &Path) -> Result<Value, LoadError> {
    let text =
        std::fs::read_to_string(path).map_err(|e| LoadError(format!("{}: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| LoadError(format!("{}: {e}", path.display())))
}

/// A member by name without case, as .NET's configuration binding reads it.
pub(super) fn member<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| {
        value
            .as_object()?
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v)
    })
}

pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    member(value, path)?.as_str()
}

/// Keys of `host.json` that change what the host does and that this emulator does not know: nothing is said of them rather
/// than something wrong.
const NOT_EMULATED: [&[&str]; 10] = [
    &["httpWorker"],
    &["configurationProfile"],
    &["retry"],
    &["customHandler", "port"],
    &["customHandler", "http"],
    &["customHandler", "enableProxyingHttpRequest"],
    &["customHandler", "description", "workingDirectory"],
    &["customHandler", "description", "workerDirectory"],
    &["customHandler", "description", "defaultWorkerPath"],
    &["customHandler", "description", "workerArguments"],
];

impl App {
    /// Reads the application at `root`.
    ///
    /// # Errors
    /// [`LoadError`] with the host's reason: missing description or executable, no function at all.
    pub fn load(root: &Path) -> Result<Self, LoadError> {
        let host = read_json(&root.join("host.json"))?;
        if text(&host, &["version"]) != Some("2.0") {
            return fail("host.json: version must be \"2.0\"");
        }
        if let Some(path) = NOT_EMULATED
            .iter()
            .find(|path| member(&host, path).is_some())
        {
            return fail(format!("host.json: {} is not emulated", path.join(".")));
        }
        let description = &["customHandler", "description"];
        let Some(description) = member(&host, description) else {
            return fail("Missing worker Description.");
        };
        let Some(executable) =
            text(description, &["defaultExecutablePath"]).filter(|path| !path.is_empty())
        else {
            return fail("host.json: customHandler.description.defaultExecutablePath is required");
        };
        // A relative path counts only when the file is there; else it is a command on PATH.
        let resolved = root.join(executable);
        let executable = if resolved.exists() {
            resolved
        } else {
            PathBuf::from(executable)
        };
        let arguments = member(description, &["arguments"]).and_then(Value::as_array);
        let arguments = arguments.into_iter().flatten().filter_map(Value::as_str);
        let (functions, not_loaded) = function::load_all(root)?;
        if functions.is_empty() {
            return fail("no functions: the handler would not be started");
        }
        Ok(Self {
            root: root.to_owned(),
            executable,
            arguments: arguments.map(str::to_owned).collect(),
            route_prefix: text(&host, &["extensions", "http", "routePrefix"])
                .unwrap_or("api")
                .to_owned(),
            function_timeout: time_span(text(&host, &["functionTimeout"]).unwrap_or("00:30:00"))?,
            initialization_timeout: time_span(
                text(&host, &["customHandler", "initializationTimeout"]).unwrap_or("00:00:30"),
            )?,
            forwarding: member(&host, &["customHandler", "enableForwardingHttpRequest"])
                == Some(&Value::Bool(true)),
            queues: queue_settings(&host)?,
            functions,
            not_loaded,
        })
    }

    /// The function with this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn function(&self, name: &str) -> &Function {
        let mut functions = self.functions.iter();
        functions
            .find(|function| function.name == name)
            .unwrap_or_else(|| panic!("no function {name}; not loaded: {:?}", self.not_loaded))
    }

    /// Takes the functions out that name a setting which is not there: the host does not load them.
    pub(super) fn resolve(&mut self, settings: &[(String, String)]) {
        self.functions.retain(|function| {
            let missing = function
                .bindings
                .iter()
                .find_map(|b| b.unresolved(settings));
            if let Some(name) = &missing {
                let why = format!("'%{name}%' does not resolve to a value");
                self.not_loaded.push((function.name.clone(), why));
            }
            missing.is_none()
        });
    }
}

fn queue_settings(host: &Value) -> Result<QueueSettings, LoadError> {
    let of = |name: &str| member(host, &["extensions", "queues", name]);
    let number = |name: &str, default| match of(name) {
        None => Ok(default),
        Some(count) => count
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .ok_or(LoadError(format!("host.json: {name}"))),
    };
    let visibility_timeout = match of("visibilityTimeout").and_then(Value::as_str) {
        None => Duration::ZERO,
        Some(time) => time_span(time)?,
    };
    Ok(QueueSettings {
        max_dequeue_count: number("maxDequeueCount", 5)?,
        visibility_timeout,
        batch_size: number("batchSize", 16)? as usize,
        base64: of("messageEncoding").and_then(Value::as_str) != Some("none"),
    })
}

/// `hh:mm:ss`, or `-1` for no limit.
fn time_span(value: &str) -> Result<Duration, LoadError> {
    if value == "-1" {
        return Ok(Duration::from_secs(u64::from(u32::MAX)));
    }
    let parts = value
        .split(':')
        .map(str::parse::<u64>)
        .collect::<Result<Vec<_>, _>>();
    match parts.as_deref() {
        Ok([h, m, s]) => Ok(Duration::from_secs(h * 3600 + m * 60 + s)),
        _ => fail(format!("'{value}' is not hh:mm:ss")),
    }
}
