//! `handler schema`: the report's JSON Schema.

use egress_diagnosis::report;

use crate::exit::Exit;
use crate::output;

/// Prints the schema.
pub(crate) fn schema() -> Exit {
    match serde_json::to_string_pretty(&report::schema()) {
        Ok(schema) => output::result(&schema, Exit::Success),
        Err(error) => output::failure(&error.to_string(), Exit::Internal),
    }
}
