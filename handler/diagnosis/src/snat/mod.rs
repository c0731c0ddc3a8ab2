//! SNAT ports: what there is, what is used, what would be enough.

pub mod capacity;
mod demand;
pub(crate) mod firewall;
pub(crate) mod gateway;
pub(crate) mod metric;
pub(crate) mod recommend;
pub(crate) mod rejection;
pub(crate) mod usage;

pub use demand::{Demand, surge};
