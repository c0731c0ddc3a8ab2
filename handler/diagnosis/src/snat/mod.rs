//! SNAT ports: what there is, what is used, what would be enough.

pub mod capacity;
mod demand;
mod recommend;
pub(crate) mod usage;

pub use demand::{Demand, surge};
pub(crate) use recommend::{MAX_MANAGED_IPS, Sizing, size_for_peak};
