//! The sandbox over a real socket, as a client sees it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failed expectation is the test's failure"
)]

mod arm;
mod batch;
mod client;
mod faults;
mod identity;
mod log;
mod metrics;
mod scenarios;
