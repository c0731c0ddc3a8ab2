//! Report in, text for people out; one file per format.

mod card;
mod clean;
mod markdown;
mod text;
mod words;

pub use card::{MAX_CARD_BYTES, adaptive_card};
pub use markdown::markdown;
pub use text::{TextOptions, bypass_plan, outcome, paths, pressure, table, text, traces};
