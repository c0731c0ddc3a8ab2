//! Typed, tolerant reads of ARM's JSON.
//!
//! Azure's answers are hostile input: any field may be missing, null, of another JSON type or of a newer enum value.
//! The types of [`tolerant`] read what is there and let one bad field cost that field only, never the resource.

pub mod tolerant;

pub use tolerant::{Field, List, Part, Tolerant};
