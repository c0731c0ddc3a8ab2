//! Who owns the address that a default route hands packets to (R2.36–R2.40).

use super::{Datum, Id, LoadBalancer};

/// The owner of a next hop's address.
#[derive(Debug, Clone, PartialEq)]
pub enum HopOwner {
    /// This Azure Firewall has it as its private address; the body is among the firewalls.
    AzureFirewall(Id),
    /// A network interface has it.
    VirtualMachineNic(HopNic),
    /// A load balancer has it as a private frontend.
    InternalLoadBalancer(Box<LoadBalancer>),
    /// Nothing in what was searched, all of which could be read.
    Nobody {
        /// The subnet that the address lies in; `None` when it lies in no virtual network that was read.
        subnet: Option<Id>,
    },
}

/// A network interface that packets are handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopNic {
    /// ARM id.
    pub id: Id,
    /// `enableIPForwarding`.
    pub ip_forwarding: Option<bool>,
    /// `virtualMachine.id`.
    pub vm_id: Option<Id>,
    /// The machine's power state as in its instance view, in lower case, e.g. `running`.
    pub power: Datum<String>,
}
