//! Report in, text for people out; one file per format.

mod clean;
mod text;

pub use text::{TextOptions, bypass_plan, outcome, paths, pressure, text, traces};
