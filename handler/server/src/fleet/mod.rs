//! The overview of many clusters: what is stored of each one's last diagnosis, and who asks for new ones.

pub(crate) mod overview;
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "written by the diagnose function")
)]
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod text;
