//! Support for the tests that cross crates and processes.
//!
//! * [`alert`]: alerts to post.
//! * [`binaries`]: release builds for benches.
//! * [`host`]: an emulator of the Azure Functions host, written from the host's documented behaviour, for the parts of
//!   it that this project meets.
//! * [`https`]: a server that speaks HTTPS with a certificate of its own.
//! * [`package`]: the application as the deployment package lays it out.
//! * [`reading`]: reads a cluster of the simulated Azure in this process.
//! * [`replay`]: a server that gives recorded Azure answers over real HTTPS.
//! * [`running`]: a handler as a process of its own, for benches.
//! * [`sink`]: a webhook over real HTTPS that keeps what it gets.
//! * [`storage`]: a storage account's blobs over real HTTPS.

pub mod alert;
pub mod binaries;
pub mod host;
pub mod https;
pub mod package;
pub mod reading;
pub mod replay;
pub mod running;
pub mod sink;
pub mod storage;
