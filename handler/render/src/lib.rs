//! Report in, text for people out; one file per format.

mod clean;
mod text;
mod words;

pub use text::{TextOptions, bypass_plan, outcome, paths, text, traces};
