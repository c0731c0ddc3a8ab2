//! The ARM surface: from a request to an answer.

mod activity;
mod answer;
mod batch;
mod faults;
mod graph;
mod handler;
mod path;
mod read;
mod service_tags;
mod skus;

pub(crate) use handler::{Arm, handle, paced};
