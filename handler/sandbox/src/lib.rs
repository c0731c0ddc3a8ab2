//! A small simulated Azure on real HTTPS, for the demo, tests and benches.
//!
//! It serves the part of Azure Resource Manager that an egress diagnosis reads, and a managed identity endpoint as
//! on Azure Functions. Clouds are described by the files in `scenarios/`; all of them are served together, each
//! with its own cluster id. It shares no code with the client it is used to test.

#![expect(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed, by key: reading gives null, writing goes to objects built in place"
)]

mod arm;
mod builtin;
mod cloud;
mod error;
mod expand;
mod identity;
mod log;
mod metrics;
mod parse;
mod sandbox;
mod scenario;
mod tls;

pub use cloud::Cluster;
pub use error::Error;
pub use log::{Call, waves};
pub use sandbox::{Options, Sandbox, Scenarios};
