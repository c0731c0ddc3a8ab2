//! `host.json` and the function folders, read under the host's own rules.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::binding::{Binding, Direction};

/// `authLevel` of an HTTP trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthLevel {
    /// No key needed.
    Anonymous,
    /// A function or host key.
    Function,
    /// The master key.
    Admin,
}

/// One function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Folder name.
    pub name: String,
    /// Its trigger first.
    pub bindings: Vec<Binding>,
    /// What its trigger says, where that is HTTP.
    pub http: Option<HttpTrigger>,
    /// Whether it has exactly one HTTP trigger and one HTTP output, so that calls are forwarded as plain HTTP.
    pub forwarded: bool,
}

/// An HTTP trigger.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// Route template without the prefix.
    pub route: String,
    /// Lower-case methods; empty = all.
    pub methods: BTreeSet<String>,
    /// Who may call.
    pub auth_level: AuthLevel,
}

/// `extensions.queues`.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Deliveries before a message is poison.
    pub max_dequeue_count: u32,
    /// `messageEncoding`.
    pub base64: bool,
}

impl Function {
    /// Its trigger.
    pub fn trigger(&self) -> &Binding {
        &self.bindings[0]
    }

    /// The HTTP trigger.
    ///
    /// # Panics
    /// When it has another.
    pub fn http(&self) -> &HttpTrigger {
        self.http.as_ref().expect("an HTTP trigger")
    }

    /// Its bindings beside the trigger.
    pub fn others(&self, direction: Direction) -> impl Iterator<Item = &Binding> {
        self.bindings[1..]
            .iter()
            .filter(move |b| b.direction == direction)
    }
}

/// A loaded application.
#[derive(Debug, Clone)]
pub struct App {
    /// Folder with `host.json`.
    pub root: PathBuf,
    /// Path of the executable, resolved as the host resolves it.
    pub executable: PathBuf,
    /// Its arguments.
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
    /// All functions.
    pub functions: Vec<Function>,
}

/// Why the host would not load the application.
#[derive(Debug)]
pub struct LoadError(pub String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

fn fail<T>(message: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError(message.into()))
}

fn read_json(path: &Path) -> Result<Value, LoadError> {
    let text =
        std::fs::read_to_string(path).map_err(|e| LoadError(format!("{}: {e}", path.display())))?;
    serde_json::from_str(&text).map_err(|e| LoadError(format!("{}: {e}", path.display())))
}

/// A member by name without case, as .NET's configuration binding reads it.
fn member<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| {
        value
            .as_object()?
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v)
    })
}

fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    member(value, path)?.as_str()
}

impl App {
    /// Reads the application at `root`.
    ///
    /// # Errors
    /// [`LoadError`] with the host's reason: missing description or executable, invalid names, empty bindings.
    pub fn load(root: &Path) -> Result<Self, LoadError> {
        let host = read_json(&root.join("host.json"))?;
        if text(&host, &["version"]) != Some("2.0") {
            return fail("host.json: version must be \"2.0\"");
        }
        if member(&host, &["customHandler", "description"]).is_none() {
            return fail("Missing worker Description.");
        }
        let Some(executable) = text(
            &host,
            &["customHandler", "description", "defaultExecutablePath"],
        )
        .filter(|path| !path.is_empty()) else {
            return fail("host.json: customHandler.description.defaultExecutablePath is required");
        };
        // A relative path counts only when the file is there; else it is a command on PATH.
        let resolved = root.join(executable);
        let executable = if resolved.exists() {
            resolved
        } else {
            PathBuf::from(executable)
        };
        let mut arguments = Vec::new();
        if let Some(list) =
            member(&host, &["customHandler", "description", "arguments"]).and_then(Value::as_array)
        {
            // Joined with one blank each and not quoted: an argument with a blank becomes two.
            let joined = list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" ");
            arguments.extend(joined.split_whitespace().map(str::to_owned));
        }
        let functions = load_functions(root)?;
        if functions.is_empty() {
            return fail("no functions: the handler would not be started");
        }
        Ok(Self {
            root: root.to_owned(),
            executable,
            arguments,
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
            .unwrap_or_else(|| panic!("no function {name}"))
    }
}

fn queue_settings(host: &Value) -> Result<QueueSettings, LoadError> {
    let of = |name: &str| member(host, &["extensions", "queues", name]);
    Ok(QueueSettings {
        max_dequeue_count: match of("maxDequeueCount") {
            None => 5,
            Some(count) => count
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .ok_or(LoadError("host.json: maxDequeueCount".to_owned()))?,
        },
        base64: of("messageEncoding").and_then(Value::as_str) != Some("none"),
    })
}

fn load_functions(root: &Path) -> Result<Vec<Function>, LoadError> {
    let mut functions = Vec::new();
    let entries = std::fs::read_dir(root).map_err(|e| LoadError(e.to_string()))?;
    for entry in entries.flatten() {
        let file = entry.path().join("function.json");
        if !file.is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if !valid_function_name(&name) {
            return fail(format!("'{name}' is not a valid function name"));
        }
        functions.push(load_function(&name, &read_json(&file)?)?);
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(functions)
}

fn load_function(name: &str, definition: &Value) -> Result<Function, LoadError> {
    let Some(bindings) = member(definition, &["bindings"])
        .and_then(Value::as_array)
        .filter(|b| !b.is_empty())
    else {
        return fail(format!("{name}: at least one binding must be declared"));
    };
    let mut read: Vec<Binding> = Vec::new();
    for entry in bindings {
        let kind = text(entry, &["type"]).unwrap_or_default();
        let binding_name = text(entry, &["name"]).unwrap_or_default();
        if !valid_binding_name(binding_name) {
            return fail(format!(
                "{name}: the binding name '{binding_name}' is invalid"
            ));
        }
        if read
            .iter()
            .any(|b| b.name.eq_ignore_ascii_case(binding_name))
        {
            return fail(format!("{name}: two bindings are called '{binding_name}'"));
        }
        let direction = match text(entry, &["direction"]) {
            Some("out") => Direction::Out,
            Some("in") | None => Direction::In,
            Some(other) => return fail(format!("{name}: direction '{other}'")),
        };
        let members = entry.as_object().cloned().unwrap_or_default();
        let binding = Binding::new(kind, binding_name, direction, members);
        if kind.to_ascii_lowercase().ends_with("trigger") {
            read.insert(0, binding);
        } else if ["http", "queue", "blob"]
            .iter()
            .any(|known| binding.is(known))
        {
            read.push(binding);
        } else {
            return fail(format!(
                "{name}: bindings of type '{kind}' are not emulated"
            ));
        }
    }
    let triggers = read
        .iter()
        .filter(|b| b.kind.to_ascii_lowercase().ends_with("trigger"));
    if triggers.count() != 1 {
        return fail(format!("{name}: exactly one trigger is needed"));
    }
    let is_http = read[0].is("httpTrigger");
    let forwarded = is_http && read.len() == 2 && read[1].is("http");
    let http = if is_http {
        Some(http_trigger(name, bindings)?)
    } else {
        None
    };
    Ok(Function {
        name: name.to_owned(),
        bindings: read,
        http,
        forwarded,
    })
}

fn http_trigger(name: &str, bindings: &[Value]) -> Result<HttpTrigger, LoadError> {
    let is_trigger =
        |b: &&Value| text(b, &["type"]).is_some_and(|t| t.eq_ignore_ascii_case("httpTrigger"));
    let trigger = bindings.iter().find(is_trigger).expect("an HTTP trigger");
    let methods = member(trigger, &["methods"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    Ok(HttpTrigger {
        route: text(trigger, &["route"]).unwrap_or(name).to_owned(),
        methods: methods
            .filter_map(Value::as_str)
            .map(str::to_ascii_lowercase)
            .collect(),
        auth_level: match text(trigger, &["authLevel"])
            .unwrap_or("function")
            .to_ascii_lowercase()
            .as_str()
        {
            "anonymous" => AuthLevel::Anonymous,
            "function" => AuthLevel::Function,
            "admin" => AuthLevel::Admin,
            other => return fail(format!("{name}: authLevel '{other}'")),
        },
    })
}

/// `^[a-z][a-z0-9_-]{0,127}$` without case, and not `host`.
fn valid_function_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !name.eq_ignore_ascii_case("host")
}

/// `^[a-zA-Z][a-zA-Z0-9]{0,127}$` or `$return`.
fn valid_binding_name(name: &str) -> bool {
    name == "$return"
        || (name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric()))
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
