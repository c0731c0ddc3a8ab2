//! The function folders, read under the host's own rules. What is wrong with one function is that function's fault alone:
//! the host runs without it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::app::{LoadError, fail, member, read_json, text};
use super::binding::{Binding, Direction};
use super::schedule::Schedule;

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

impl HttpTrigger {
    /// The same route, and a method that both take.
    fn conflicts(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| {
            a.trim_matches('/')
                .eq_ignore_ascii_case(b.trim_matches('/'))
        };
        same(&self.route, &other.route)
            && (self.methods.is_empty()
                || other.methods.is_empty()
                || !self.methods.is_disjoint(&other.methods))
    }
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

/// The functions that load, and those that do not, with the reason.
type Loaded = (Vec<Function>, Vec<(String, String)>);

pub(super) fn load_all(root: &Path) -> Result<Loaded, LoadError> {
    let mut folders = Vec::new();
    let entries = std::fs::read_dir(root).map_err(|e| LoadError(e.to_string()))?;
    for entry in entries.flatten() {
        let file = entry.path().join("function.json");
        if file.is_file() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), file));
        }
    }
    folders.sort();
    let (mut functions, mut not_loaded): Loaded = Default::default();
    for (name, file) in folders {
        let definition = read_json(&file)?;
        refuse_unknown(&name, &definition)?;
        match load(&name, &definition).and_then(|function| {
            free_route(&function, &functions)?;
            Ok(function)
        }) {
            Ok(function) => functions.push(function),
            Err(why) => not_loaded.push((name, why)),
        }
    }
    Ok((functions, not_loaded))
}

/// What this emulator does not know it refuses, instead of doing something that the host would not do.
fn refuse_unknown(name: &str, definition: &Value) -> Result<(), LoadError> {
    if let Some(key) = ["retry", "disabled"]
        .iter()
        .find(|key| member(definition, &[key]).is_some())
    {
        return fail(format!("{name}: {key} is not emulated"));
    }
    let bindings = member(definition, &["bindings"]).and_then(Value::as_array);
    for entry in bindings.into_iter().flatten() {
        let kind = text(entry, &["type"])
            .unwrap_or_default()
            .to_ascii_lowercase();
        let known = [
            "httptrigger",
            "queuetrigger",
            "timertrigger",
            "http",
            "queue",
            "blob",
        ];
        if !known.contains(&kind.as_str()) {
            return fail(format!(
                "{name}: bindings of type '{kind}' are not emulated"
            ));
        }
        if text(entry, &["name"]) == Some("$return") {
            return fail(format!("{name}: $return is not emulated"));
        }
        if let Some(key) = ["runOnStartup", "useMonitor"]
            .iter()
            .find(|key| member(entry, &[key]).is_some())
        {
            return fail(format!("{name}: {key} is not emulated"));
        }
    }
    Ok(())
}

fn load(name: &str, definition: &Value) -> Result<Function, String> {
    if !valid_function_name(name) {
        return Err(format!("'{name}' is not a valid function name"));
    }
    let Some(bindings) = member(definition, &["bindings"])
        .and_then(Value::as_array)
        .filter(|b| !b.is_empty())
    else {
        return Err("at least one binding must be declared".to_owned());
    };
    let mut read: Vec<Binding> = Vec::new();
    for entry in bindings {
        let binding = load_binding(entry)?;
        if read
            .iter()
            .any(|b| b.name.eq_ignore_ascii_case(&binding.name))
        {
            return Err(format!("two bindings are called '{}'", binding.name));
        }
        if binding.is_trigger() {
            read.insert(0, binding);
        } else {
            read.push(binding);
        }
    }
    if read.iter().filter(|b| b.is_trigger()).count() != 1 {
        return Err("exactly one trigger is needed".to_owned());
    }
    let is_http = read[0].is("httpTrigger");
    let http = is_http.then(|| http_trigger(name, bindings)).transpose()?;
    Ok(Function {
        name: name.to_owned(),
        forwarded: is_http && read.len() == 2 && read[1].is("http"),
        bindings: read,
        http,
    })
}

fn load_binding(entry: &Value) -> Result<Binding, String> {
    let name = text(entry, &["name"]).unwrap_or_default();
    if !valid_binding_name(name) {
        return Err(format!("the binding name '{name}' is invalid"));
    }
    let direction = match text(entry, &["direction"]) {
        Some("out") => Direction::Out,
        Some("in") | None => Direction::In,
        Some(other) => return Err(format!("direction '{other}'")),
    };
    let kind = text(entry, &["type"]).unwrap_or_default();
    let binding = Binding::new(
        kind,
        name,
        direction,
        entry.as_object().cloned().unwrap_or_default(),
    );
    if binding.is("http") && direction == Direction::In {
        return Err("Http binding can only be used for output.".to_owned());
    }
    if binding.is("timerTrigger") {
        let schedule = text(entry, &["schedule"]).unwrap_or_default();
        if !schedule.contains('%') && Schedule::parse(schedule).is_none() {
            return Err(format!("'{schedule}' is no schedule"));
        }
    }
    Ok(binding)
}

fn http_trigger(name: &str, bindings: &[Value]) -> Result<HttpTrigger, String> {
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
            other => return Err(format!("authLevel '{other}'")),
        },
    })
}

/// Routes of the host's own, and of functions that loaded before, are taken.
fn free_route(function: &Function, others: &[Function]) -> Result<(), String> {
    let Some(http) = &function.http else {
        return Ok(());
    };
    let route = http.route.trim_matches('/').to_ascii_lowercase();
    if route.starts_with("admin") || route.starts_with("runtime") {
        return Err("the route conflicts with one or more built in routes".to_owned());
    }
    let taken = others.iter().find(|other| {
        other
            .http
            .as_ref()
            .is_some_and(|other| http.conflicts(other))
    });
    taken.map_or(Ok(()), |other| {
        Err(format!(
            "the route conflicts with the one of function '{}'",
            other.name
        ))
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

/// `^[a-zA-Z][a-zA-Z0-9]{0,127}$`.
fn valid_binding_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}
