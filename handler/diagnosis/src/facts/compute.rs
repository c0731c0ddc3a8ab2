//! The scale sets and machines of the node resource group (`Microsoft.Compute`).

use super::Id;

/// A virtual machine scale set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleSet {
    /// ARM id.
    pub id: Id,
    /// The agent pool it belongs to, from tag `aks-managed-poolName`.
    pub pool_name: Option<String>,
    /// `sku.capacity`.
    pub capacity: Option<u32>,
    /// Network security groups named by the model's NIC configurations (R1.84).
    pub nsg_ids: Vec<Id>,
    /// Subnets named by the model's NIC configurations.
    pub subnet_ids: Vec<Id>,
    /// Whether any IP configuration of the model asks for a public IP.
    pub instance_public_ip: bool,
}

/// A NIC of a virtual machine in the node resource group: of a node, where a pool is of type `VirtualMachines`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineNic {
    /// ARM id.
    pub id: Id,
    /// `virtualMachine.id`; `None` for a NIC of something else, e.g. of a private endpoint.
    pub machine_id: Option<Id>,
    /// The agent pool it belongs to: from tag `aks-managed-poolName`, else from the machine's name, which AKS begins
    /// with `aks-{pool}-`.
    pub pool_name: Option<String>,
    /// Private addresses.
    pub private_ips: Vec<String>,
    /// Public IP addresses of the NIC.
    pub public_ip_ids: Vec<Id>,
    /// Subnets.
    pub subnet_ids: Vec<Id>,
    /// The NIC's own network security group (R1.84).
    pub nsg_id: Option<Id>,
}

/// One NIC of a scale set instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleSetNic {
    /// The instance's id (`…/virtualMachines/{n}`).
    pub instance_id: Option<Id>,
    /// Private addresses.
    pub private_ips: Vec<String>,
    /// Subnets.
    pub subnet_ids: Vec<Id>,
    /// The NIC's own network security group.
    pub nsg_id: Option<Id>,
    /// `enableIPForwarding`.
    pub ip_forwarding: Option<bool>,
}
