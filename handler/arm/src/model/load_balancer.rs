//! `Microsoft.Network/loadBalancers`.

use super::{Reference, Resource};
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// A load balancer.
pub type LoadBalancer = Resource<LoadBalancerProperties>;
/// A frontend IP configuration.
pub type FrontendIpConfiguration = Resource<FrontendProperties>;
/// An outbound rule.
pub type OutboundRule = Resource<OutboundRuleProperties>;
/// A backend address pool.
pub type BackendPool = Resource<BackendPoolProperties>;
/// A load balancing rule.
pub type LoadBalancingRule = Resource<LoadBalancingRuleProperties>;

arm_objects! {
    /// `properties` of a load balancer.
    LoadBalancerProperties {
        provisioning_state: Field<String>,
        #[serde(rename = "frontendIPConfigurations")]
        frontends: List<FrontendIpConfiguration>,
        outbound_rules: List<OutboundRule>,
        backend_address_pools: List<BackendPool>,
        load_balancing_rules: List<LoadBalancingRule>,
    }

    /// `properties` of a frontend IP configuration.
    FrontendProperties {
        #[serde(rename = "publicIPAddress")]
        public_ip_address: Part<Reference>,
        #[serde(rename = "publicIPPrefix")]
        public_ip_prefix: Part<Reference>,
        #[serde(rename = "privateIPAddress")]
        private_ip_address: Field<String>,
    }

    /// `properties` of an outbound rule.
    OutboundRuleProperties {
        allocated_outbound_ports: Field<u32>,
        idle_timeout_in_minutes: Field<u32>,
        enable_tcp_reset: Field<bool>,
        protocol: Field<String>,
        #[serde(rename = "frontendIPConfigurations")]
        frontends: List<Reference>,
        backend_address_pool: Part<Reference>,
    }

    /// `properties` of a backend address pool: members by NIC or by address.
    BackendPoolProperties {
        #[serde(rename = "backendIPConfigurations")]
        backend_ip_configurations: List<Reference>,
        load_balancer_backend_addresses: List<Reference>,
    }

    /// `properties` of a load balancing rule.
    LoadBalancingRuleProperties {
        #[serde(rename = "frontendIPConfiguration")]
        frontend: Part<Reference>,
        backend_address_pool: Part<Reference>,
        protocol: Field<String>,
        frontend_port: Field<u32>,
        disable_outbound_snat: Field<bool>,
    }
}
