//! `handler schema`: the JSON Schemas of the answers.

use crate::exit::Exit;
use crate::http::SCHEMAS;
use crate::output;

/// Prints the schema with this name.
pub(crate) fn schema(name: &str) -> Exit {
    let Some((_, schema)) = SCHEMAS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
        return output::failure(
            &format!("there is no schema {name}; there are {}", names.join(", ")),
            Exit::NoInput,
        );
    };
    match serde_json::to_string_pretty(&schema()) {
        Ok(schema) => output::result(&schema, Exit::Success),
        Err(error) => output::failure(&error.to_string(), Exit::Internal),
    }
}
