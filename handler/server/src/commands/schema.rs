//! `handler schema`: the JSON Schemas of the answers.

use crate::exit::Exit;
use crate::{http, output};

/// Prints the schema with this name.
pub(crate) fn schema(name: &str) -> Exit {
    let Some(schema) = http::schema(name) else {
        let names: Vec<&str> = http::schema_names().collect();
        return output::failure(
            &format!("there is no schema {name}; there are {}", names.join(", ")),
            Exit::NoInput,
        );
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(schema) => output::result(&schema, Exit::Success),
        Err(error) => output::failure(&error.to_string(), Exit::Internal),
    }
}
