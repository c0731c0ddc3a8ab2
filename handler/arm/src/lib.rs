//! Talks to Azure Resource Manager.

pub mod model;
pub mod read;
