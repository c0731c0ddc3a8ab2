//! `Microsoft.Network`: virtual networks, what is attached to their subnets, public addresses.

use super::{Reference, Resource};
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// A virtual network, its subnets inline.
pub type VirtualNetwork = Resource<VirtualNetworkProperties>;
/// A peering of a virtual network.
pub type Peering = Resource<PeeringProperties>;
/// A subnet.
pub type Subnet = Resource<SubnetProperties>;
/// A delegation of a subnet.
pub type Delegation = Resource<DelegationProperties>;
/// A route table.
pub type RouteTable = Resource<RouteTableProperties>;
/// A route.
pub type Route = Resource<RouteProperties>;
/// A network security group.
pub type NetworkSecurityGroup = Resource<NsgProperties>;
/// A security rule.
pub type SecurityRule = Resource<SecurityRuleProperties>;
/// A security admin rule as it applies to a virtual network.
pub type SecurityAdminRule = Resource<SecurityAdminRuleProperties>;
/// A NAT gateway.
pub type NatGateway = Resource<NatGatewayProperties>;
/// A public IP address.
pub type PublicIpAddress = Resource<PublicIpProperties>;
/// A public IP prefix.
pub type PublicIpPrefix = Resource<PublicIpPrefixProperties>;

arm_objects! {
    /// `properties` of a virtual network.
    VirtualNetworkProperties {
        address_space: Part<AddressSpace>,
        dhcp_options: Part<DhcpOptions>,
        subnets: List<Subnet>,
        virtual_network_peerings: List<Peering>,
    }

    /// `addressSpace`.
    AddressSpace {
        address_prefixes: List<String>,
    }

    /// `dhcpOptions`.
    DhcpOptions {
        dns_servers: List<String>,
    }

    /// `properties` of a peering.
    PeeringProperties {
        peering_state: Field<String>,
        remote_virtual_network: Part<Reference>,
        remote_address_space: Part<AddressSpace>,
        remote_virtual_network_address_space: Part<AddressSpace>,
        allow_forwarded_traffic: Field<bool>,
        allow_gateway_transit: Field<bool>,
        use_remote_gateways: Field<bool>,
    }

    /// `properties` of a subnet. `ipConfigurations` names whatever has an address in it.
    SubnetProperties {
        address_prefix: Field<String>,
        address_prefixes: List<String>,
        network_security_group: Part<Reference>,
        route_table: Part<Reference>,
        nat_gateway: Part<Reference>,
        service_endpoints: List<ServiceEndpoint>,
        default_outbound_access: Field<bool>,
        delegations: List<Delegation>,
        ip_configurations: List<Reference>,
    }

    /// A service endpoint of a subnet.
    ServiceEndpoint {
        service: Field<String>,
        locations: List<String>,
    }

    /// `properties` of a delegation.
    DelegationProperties {
        service_name: Field<String>,
    }

    /// `properties` of a route table.
    RouteTableProperties {
        routes: List<Route>,
        subnets: List<Reference>,
        disable_bgp_route_propagation: Field<bool>,
    }

    /// `properties` of a route.
    RouteProperties {
        address_prefix: Field<String>,
        next_hop_type: Field<String>,
        next_hop_ip_address: Field<String>,
    }

    /// `properties` of a network security group.
    NsgProperties {
        security_rules: List<SecurityRule>,
        default_security_rules: List<SecurityRule>,
        subnets: List<Reference>,
        network_interfaces: List<Reference>,
    }

    /// `properties` of a security rule: Azure fills the singular or the plural form of a field.
    SecurityRuleProperties {
        priority: Field<u32>,
        direction: Field<String>,
        access: Field<String>,
        protocol: Field<String>,
        source_address_prefix: Field<String>,
        source_address_prefixes: List<String>,
        source_application_security_groups: List<Reference>,
        source_port_range: Field<String>,
        source_port_ranges: List<String>,
        destination_address_prefix: Field<String>,
        destination_address_prefixes: List<String>,
        destination_application_security_groups: List<Reference>,
        destination_port_range: Field<String>,
        destination_port_ranges: List<String>,
    }

    /// A page of the security admin rules that apply to a virtual network. The next one is asked for with its token.
    SecurityAdminRules {
        value: List<SecurityAdminRule>,
        skip_token: Field<String>,
    }

    /// `properties` of a security admin rule.
    SecurityAdminRuleProperties {
        priority: Field<u32>,
        direction: Field<String>,
        access: Field<String>,
        protocol: Field<String>,
        sources: List<AddressPrefixItem>,
        source_port_ranges: List<String>,
        destinations: List<AddressPrefixItem>,
        destination_port_ranges: List<String>,
    }

    /// A prefix, a service tag, or the id of a network group.
    AddressPrefixItem {
        address_prefix: Field<String>,
    }

    /// `properties` of a NAT gateway.
    NatGatewayProperties {
        provisioning_state: Field<String>,
        idle_timeout_in_minutes: Field<u32>,
        public_ip_addresses: List<Reference>,
        public_ip_addresses_v6: List<Reference>,
        public_ip_prefixes: List<Reference>,
        public_ip_prefixes_v6: List<Reference>,
        subnets: List<Reference>,
    }

    /// `properties` of a public IP address. `ipConfiguration` is the configuration, of whatever resource, that has it.
    PublicIpProperties {
        ip_address: Field<String>,
        #[serde(rename = "publicIPAddressVersion")]
        version: Field<String>,
        ip_configuration: Part<Reference>,
        nat_gateway: Part<Reference>,
    }

    /// `properties` of a public IP prefix.
    PublicIpPrefixProperties {
        ip_prefix: Field<String>,
        prefix_length: Field<u32>,
        load_balancer_frontend_ip_configuration: Part<Reference>,
        nat_gateway: Part<Reference>,
    }
}
