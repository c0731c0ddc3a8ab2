//! Pressure on nodes and disks (R7.1–R7.14): what the metrics say, node by node.

mod conditions;
mod loads;
mod sizes;
mod suspicion;
mod view;

use crate::facts::MetricAggregation;

pub(crate) use conditions::{Conditions, Spell};
pub(crate) use loads::{Loads, NodeLoad};
pub(crate) use sizes::{GIB_OF_A_GOOD_OS_DISK, ephemeral_gib};
pub use suspicion::suspicion;
pub(crate) use view::{Capped, PressureView, is_about_disk_or_outbound};

/// CPU of a node, percent of what it has.
pub const CPU: &str = "node_cpu_usage_percentage";
/// Memory working set of a node, percent.
pub const MEMORY: &str = "node_memory_working_set_percentage";
/// Disk space of a node's device, percent.
pub const DISK_SPACE: &str = "node_disk_usage_percentage";
/// A node's conditions.
pub const CONDITION: &str = "kube_node_status_condition";
/// Share of the OS disk's IOPS.
pub const OS_DISK_IOPS: &str = "OS Disk IOPS Consumed Percentage";
/// Share of the OS disk's bandwidth.
pub const OS_DISK_BANDWIDTH: &str = "OS Disk Bandwidth Consumed Percentage";
/// Requests that wait for the OS disk.
pub const OS_DISK_QUEUE: &str = "OS Disk Queue Depth";
const VM_CACHED_IOPS: &str = "VM Cached IOPS Consumed Percentage";
const VM_CACHED_BANDWIDTH: &str = "VM Cached Bandwidth Consumed Percentage";
const VM_UNCACHED_IOPS: &str = "VM Uncached IOPS Consumed Percentage";
const VM_UNCACHED_BANDWIDTH: &str = "VM Uncached Bandwidth Consumed Percentage";

/// Shares of what a VM may do with all its disks together, cached and not (R7.3).
pub(crate) const VM_CAPS: [&str; 4] = [
    VM_CACHED_IOPS,
    VM_CACHED_BANDWIDTH,
    VM_UNCACHED_IOPS,
    VM_UNCACHED_BANDWIDTH,
];

/// The cluster's metrics per node, each with what its points should hold. Disk space is each device's own: an average
/// over devices would hide the full one.
pub const NODE_METRICS: [(&str, MetricAggregation); 3] = [
    (CPU, MetricAggregation::Average),
    (MEMORY, MetricAggregation::Average),
    (DISK_SPACE, MetricAggregation::Maximum),
];

/// The disk metrics of scale sets and machines.
pub const DISK_METRICS: [(&str, MetricAggregation); 7] = [
    (OS_DISK_IOPS, MetricAggregation::Average),
    (OS_DISK_BANDWIDTH, MetricAggregation::Average),
    (OS_DISK_QUEUE, MetricAggregation::Average),
    (VM_CACHED_IOPS, MetricAggregation::Average),
    (VM_CACHED_BANDWIDTH, MetricAggregation::Average),
    (VM_UNCACHED_IOPS, MetricAggregation::Average),
    (VM_UNCACHED_BANDWIDTH, MetricAggregation::Average),
];

/// The conditions that are looked at (R7.10).
pub const CONDITIONS: [&str; 5] = [
    "Ready",
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// Percent of CPU, memory and disk space above which AKS advises to alert (R7.1).
pub(crate) const NODE_LIMIT: f64 = 90.0;
/// Percent of an OS disk's limits from which Azure delays requests (R7.1, R7.4).
pub(crate) const THROTTLED: f64 = 95.0;
/// Percent of an OS disk's limits from which little is left (R7.4).
pub(crate) const NEARLY_THROTTLED: f64 = 80.0;
/// Waiting requests from which a queue counts as long. A disk below its limits answers in a few milliseconds, so hardly
/// any wait; nobody documents a number.
pub(crate) const LONG_QUEUE: f64 = 10.0;
