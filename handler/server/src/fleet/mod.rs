//! The overview of many clusters.

pub(crate) mod row;
