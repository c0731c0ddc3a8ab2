//! Report in, text for people out; one file per format.

mod clean;
mod text;

pub use text::{TextOptions, text};
