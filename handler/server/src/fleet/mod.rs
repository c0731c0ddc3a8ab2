//! The overview of many clusters.

#[cfg_attr(
    not(test),
    allow(dead_code, reason = "written by the diagnose function")
)]
pub(crate) mod row;
