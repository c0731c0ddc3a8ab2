//! What a closer look at the nodes reads beside their metrics (R7.6–R7.12).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Datum, Id};

/// Why a report without a closer look says nothing of conditions, disks and recommendations.
pub const NO_CLOSER_LOOK: &str = "not looked at: a whole report does so only where CPU, memory or disk space of the nodes give a reason; ask for pressure (egress/pressure) to look closer";

/// The closer look at the nodes: their conditions, what their disks do, and what Azure says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pressure {
    /// Whether it was taken.
    pub look: CloserLook,
    /// The machines of pools without a scale set.
    pub machines: Datum<Vec<Machine>>,
    /// What the pools' VM sizes can do, by their name in lower case (R7.8). A size that Azure does not list is not in it.
    pub vm_sizes: Datum<BTreeMap<String, VmSize>>,
    /// Advisor's open recommendations on the cluster and on what is in its node resource group (R7.12).
    pub advisor: Datum<Vec<Recommendation>>,
    /// Resource Health of the cluster and of the devices that may carry its egress.
    pub health: BTreeMap<Id, Datum<Health>>,
}

/// Whether the nodes were looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloserLook {
    /// The caller asked for it.
    Asked,
    /// The nodes' own metrics gave a reason, in words for the report.
    Suspected(String),
    /// It was not taken, and why.
    NotTaken(&'static str),
}

impl Pressure {
    /// No closer look, for the usual reason.
    pub fn not_taken() -> Self {
        Self::not_taken_because(NO_CLOSER_LOOK)
    }

    /// No closer look.
    pub fn not_taken_because(why: &'static str) -> Self {
        Self {
            look: CloserLook::NotTaken(why),
            machines: Datum::not_asked(why),
            vm_sizes: Datum::not_asked(why),
            advisor: Datum::not_asked(why),
            health: BTreeMap::new(),
        }
    }
}

/// A virtual machine that is a node of a pool of type `VirtualMachines`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// ARM id; AKS names the node after it.
    pub id: Id,
    /// The agent pool it belongs to, from tag `aks-managed-poolName`.
    pub pool_name: Option<String>,
}

/// What a VM size can do with its OS disk (Resource SKUs, R7.7, R7.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VmSize {
    /// `EphemeralOSDiskSupported`.
    pub ephemeral_os_disk: Option<bool>,
    /// `SupportedEphemeralOSDiskPlacements`, e.g. `ResourceDisk`, `CacheDisk`, `NvmeDisk`.
    pub placements: Vec<String>,
    /// `CachedDiskBytes`.
    pub cache_bytes: Option<u64>,
    /// `MaxResourceVolumeMB`: the temporary disk.
    pub temporary_disk_mb: Option<u64>,
    /// `NvmeDiskSizeInMiB`.
    pub nvme_disk_mib: Option<u64>,
}

/// One recommendation of Azure Advisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recommendation {
    /// The resource that it is about.
    pub resource: Id,
    /// `category`, e.g. `Performance`.
    pub category: Option<String>,
    /// `impact`: `High`, `Medium` or `Low`.
    pub impact: Option<String>,
    /// `shortDescription.problem`.
    pub problem: Option<String>,
    /// `shortDescription.solution`.
    pub solution: Option<String>,
    /// `lastUpdated`.
    pub last_updated: Option<Timestamp>,
}

/// What Resource Health says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `availabilityState`: `Available`, `Unavailable`, `Degraded`; `Unknown` means no signal, not a fault.
    pub state: String,
    /// `title`.
    pub title: Option<String>,
    /// `summary`.
    pub summary: Option<String>,
    /// `occuredTime`: since when.
    pub since: Option<Timestamp>,
    /// `reasonType`, e.g. `Unplanned`, `UserInitiated`.
    pub reason: Option<String>,
    /// `recentlyResolved`: the last time that it was unavailable, from when until when.
    pub resolved: Option<(Timestamp, Timestamp)>,
}
