//! `handler schema`: the report's JSON Schema.

use crate::exit::Exit;
use crate::output;

/// Prints the schema.
pub(crate) fn schema() -> Exit {
    output::result("{}", Exit::Success)
}
