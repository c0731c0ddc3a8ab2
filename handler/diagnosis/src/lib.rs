//! Facts in, report out.
//!
//! Pure by construction: no I/O, no async, no clock, no randomness. The same [`facts::Facts`] always give the same
//! [`report::Report`], byte for byte.

pub mod endpoints;
pub mod facts;
pub mod outcome;
pub mod report;
