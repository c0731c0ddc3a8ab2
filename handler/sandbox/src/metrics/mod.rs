//! Microsoft.Insights metrics of the simulated resources.

pub(crate) mod catalogue;
mod filter;
mod query;
mod sample;

pub(crate) use query::{answer, definitions};
