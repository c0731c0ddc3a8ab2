//! One binding of a function, and the expressions in its paths.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the function.
    In,
    /// Out of it.
    Out,
}

/// One entry of `bindings` in a `function.json`.
#[derive(Debug, Clone)]
pub struct Binding {
    /// `type`.
    pub kind: String,
    /// `name`.
    pub name: String,
    /// `direction`.
    pub direction: Direction,
    members: Map<String, Value>,
}

impl Binding {
    pub(super) fn new(
        kind: &str,
        name: &str,
        direction: Direction,
        members: Map<String, Value>,
    ) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            direction,
            members,
        }
    }

    /// Whether it has this type, in any case.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether it is what starts the function.
    pub(super) fn is_trigger(&self) -> bool {
        self.kind.to_ascii_lowercase().ends_with("trigger")
    }

    /// The first setting between percent signs in any of its members that is not there.
    pub(super) fn unresolved(&self, settings: &[(String, String)]) -> Option<String> {
        let texts = self.members.values().filter_map(Value::as_str);
        let names = texts.flat_map(|text| text.split('%').skip(1).step_by(2));
        let mut missing = names.filter(|name| !settings.iter().any(|(key, _)| key == name));
        missing.next().map(str::to_owned)
    }

    /// A text member with `%SETTING%` filled in.
    pub fn text(&self, name: &str, settings: &[(String, String)]) -> Option<String> {
        let text = self.members.get(name)?.as_str()?;
        let mut filled = String::new();
        for (index, part) in text.split('%').enumerate() {
            if index % 2 == 0 {
                filled.push_str(part);
            } else if let Some((_, value)) = settings.iter().find(|(key, _)| key == part) {
                filled.push_str(value);
            }
        }
        Some(filled)
    }

    /// Whether `dataType` is `binary`.
    pub(super) fn is_binary(&self) -> bool {
        self.members.get("dataType").and_then(Value::as_str) == Some("binary")
    }
}

/// What the trigger knows, by name without case; what came later hides what came before.
#[derive(Debug, Clone, Default)]
pub struct BindingData(BTreeMap<String, String>);

impl BindingData {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_ascii_lowercase(), value.to_owned());
    }

    /// Fills the names in braces.
    ///
    /// # Errors
    /// The name that nothing is known of: the host fails the invocation.
    pub fn fill(&self, template: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a brace is not closed")?;
            let value = self.0.get(&name.to_ascii_lowercase());
            filled.push_str(before);
            filled.push_str(value.ok_or_else(|| format!("no value for the parameter '{name}'"))?);
            rest = after;
        }
        Ok(filled + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_filled_without_case_and_an_unknown_name_fails() {
        let mut data = BindingData::default();
        data.set("Id", "from-the-queue");
        assert_eq!(
            data.fill("r/{id}.json").as_deref(),
            Ok("r/from-the-queue.json")
        );
        data.set("id", "own");
        assert_eq!(data.fill("{ID}-{id}").as_deref(), Ok("own-own"));
        assert!(data.fill("{cluster}").is_err());
    }

    #[test]
    fn a_setting_that_is_not_there_is_found() {
        let members = serde_json::json!({"queueName": "%PREFIX%-jobs-%STAGE%"});
        let members = members.as_object().unwrap().clone();
        let binding = Binding::new("queue", "jobs", Direction::Out, members);
        let of = |name: &str| (name.to_owned(), "x".to_owned());
        assert_eq!(
            binding.unresolved(&[of("PREFIX")]).as_deref(),
            Some("STAGE")
        );
        let both = [of("PREFIX"), of("STAGE")];
        assert_eq!(binding.unresolved(&both), None);
        assert_eq!(
            binding.text("queueName", &both).as_deref(),
            Some("x-jobs-x")
        );
    }
}
