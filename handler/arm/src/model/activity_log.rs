//! An entry of the activity log, without what it says of people: who called, with which claims, from where.

use jiff::Timestamp;

use crate::read::tolerant::arm_objects;
use crate::read::{Field, Part};

use super::LocalizedName;

arm_objects! {
    /// One entry. An operation has several: when it begins, when it is accepted, how it ends.
    LogEvent {
        event_timestamp: Field<Timestamp>,
        operation_name: Part<LocalizedName>,
        status: Part<LocalizedName>,
        resource_id: Field<String>,
    }
}
