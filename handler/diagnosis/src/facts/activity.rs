//! What Azure's activity log says was written, without who wrote it.

use jiff::Timestamp;

use super::Id;

/// The writes to one resource group's resources in the metrics window and the day before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityLog {
    /// Writes that succeeded, in the order of the log.
    pub writes: Vec<ResourceWrite>,
    /// Whether the log is longer than what was read of it.
    pub cut: bool,
}

/// One write that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceWrite {
    /// When.
    pub at: Timestamp,
    /// What was written; may be a part of a resource, e.g. a route of a table.
    pub resource: Id,
    /// Whether it was taken away.
    pub deleted: bool,
}
