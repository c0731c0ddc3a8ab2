//! Facts in, report out.
//!
//! Pure by construction: no I/O, no async, no clock, no randomness. The same [`facts::Facts`] always give the same
//! [`report::Report`], byte for byte.

pub mod answers;
pub mod bypass;
mod changes;
mod commands;
pub mod context;
mod diagnose;
pub mod endpoints;
pub mod facts;
mod gaps;
pub mod network;
mod next_steps;
mod order;
pub mod outcome;
mod path;
mod pattern;
pub mod pressure;
pub mod report;
mod resource_health;
pub mod rules;
mod sections;
mod security;
pub mod snat;
pub mod trace;
mod verdict;

#[cfg(any(test, feature = "testing"))]
#[allow(
    clippy::panic,
    clippy::expect_used,
    clippy::wildcard_imports,
    clippy::missing_panics_doc,
    reason = "compiled for tests only"
)]
pub mod testing;

pub use changes::groups_to_explain;
pub use diagnose::diagnose;
pub use next_steps::rank_for;
pub use security::tags_of_services;
