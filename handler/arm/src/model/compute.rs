//! `Microsoft.Compute/virtualMachineScaleSets` and the NICs of their instances.

use super::{Reference, Resource};
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// A virtual machine scale set.
pub type ScaleSet = Resource<ScaleSetProperties>;
/// A NIC configuration of a scale set's model.
pub type NicConfiguration = Resource<NicConfigurationProperties>;
/// An IP configuration, of a model or of a NIC.
pub type NicIpConfiguration = Resource<NicIpConfigurationProperties>;
/// A NIC of a virtual machine.
pub type NetworkInterface = Resource<NetworkInterfaceProperties>;
/// A NIC of a scale set instance.
pub type ScaleSetNic = Resource<ScaleSetNicProperties>;

arm_objects! {
    /// `properties` of a scale set.
    ScaleSetProperties {
        virtual_machine_profile: Part<VirtualMachineProfile>,
    }

    /// `virtualMachineProfile`.
    VirtualMachineProfile {
        network_profile: Part<ScaleSetNetworkProfile>,
    }

    /// `networkProfile` of a scale set's model.
    ScaleSetNetworkProfile {
        network_interface_configurations: List<NicConfiguration>,
    }

    /// `properties` of a NIC configuration.
    NicConfigurationProperties {
        network_security_group: Part<Reference>,
        ip_configurations: List<NicIpConfiguration>,
    }

    /// `properties` of an IP configuration.
    NicIpConfigurationProperties {
        subnet: Part<Reference>,
        #[serde(rename = "privateIPAddress")]
        private_ip_address: Field<String>,
        #[serde(rename = "publicIPAddress")]
        public_ip_address: Part<Reference>,
        #[serde(rename = "publicIPAddressConfiguration")]
        public_ip_address_configuration: Field<PublicIpConfiguration>,
    }

    /// `publicIPAddressConfiguration`: each instance gets a public IP.
    PublicIpConfiguration {
        name: Field<String>,
    }

    /// `properties` of a scale set NIC.
    ScaleSetNicProperties {
        virtual_machine: Part<Reference>,
        network_security_group: Part<Reference>,
        ip_configurations: List<NicIpConfiguration>,
        #[serde(rename = "enableIPForwarding")]
        enable_ip_forwarding: Field<bool>,
    }

    /// `properties` of a virtual machine's NIC.
    NetworkInterfaceProperties {
        virtual_machine: Part<Reference>,
        network_security_group: Part<Reference>,
        ip_configurations: List<NicIpConfiguration>,
        #[serde(rename = "enableIPForwarding")]
        enable_ip_forwarding: Field<bool>,
    }

    /// A virtual machine's instance view.
    InstanceView {
        statuses: List<InstanceStatus>,
    }

    /// A status of a virtual machine, e.g. `PowerState/running`.
    InstanceStatus {
        code: Field<String>,
    }
}
