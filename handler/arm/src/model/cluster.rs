//! `Microsoft.ContainerService/managedClusters` and its agent pools.

use std::collections::BTreeMap;

use super::{Reference, Resource};
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// A managed cluster.
pub type ManagedCluster = Resource<ManagedClusterProperties>;

/// An agent pool as the agent pool list has it.
pub type AgentPool = Resource<AgentPoolProperties>;

arm_objects! {
    /// `properties` of a managed cluster.
    ManagedClusterProperties {
        provisioning_state: Field<String>,
        status: Part<Status>,
        power_state: Part<PowerState>,
        kubernetes_version: Field<String>,
        current_kubernetes_version: Field<String>,
        node_resource_group: Field<String>,
        fqdn: Field<String>,
        #[serde(rename = "privateFQDN")]
        private_fqdn: Field<String>,
        network_profile: Field<NetworkProfile>,
        api_server_access_profile: Part<ApiServerAccessProfile>,
        agent_pool_profiles: List<AgentPoolProperties>,
        bootstrap_profile: Part<BootstrapProfile>,
        http_proxy_config: Part<HttpProxyConfig>,
        addon_profiles: Field<BTreeMap<String, AddonProfile>>,
        security_profile: Part<SecurityProfile>,
        azure_monitor_profile: Part<MonitorProfile>,
        metrics_profile: Part<MetricsProfile>,
        service_mesh_profile: Part<ServiceMeshProfile>,
        workload_auto_scaler_profile: Part<WorkloadAutoScalerProfile>,
    }

    /// `status`.
    Status {
        provisioning_error: Field<ErrorDetail>,
    }

    /// An ARM error inside a resource.
    ErrorDetail {
        code: Field<String>,
        message: Field<String>,
    }

    /// `powerState`.
    PowerState {
        code: Field<String>,
    }

    /// `networkProfile`.
    NetworkProfile {
        outbound_type: Field<String>,
        network_plugin: Field<String>,
        network_plugin_mode: Field<String>,
        network_dataplane: Field<String>,
        network_policy: Field<String>,
        pod_cidr: Field<String>,
        pod_cidrs: List<String>,
        service_cidr: Field<String>,
        service_cidrs: List<String>,
        ip_families: List<String>,
        load_balancer_sku: Field<String>,
        load_balancer_profile: Field<LoadBalancerProfile>,
        nat_gateway_profile: Field<NatGatewayProfile>,
    }

    /// `loadBalancerProfile`.
    LoadBalancerProfile {
        #[serde(rename = "managedOutboundIPs")]
        managed_outbound_ips: Part<ManagedOutboundIps>,
        #[serde(rename = "outboundIPs")]
        outbound_ips: Part<OutboundIps>,
        #[serde(rename = "outboundIPPrefixes")]
        outbound_ip_prefixes: Part<OutboundIpPrefixes>,
        #[serde(rename = "effectiveOutboundIPs")]
        effective_outbound_ips: List<Reference>,
        allocated_outbound_ports: Field<u32>,
        idle_timeout_in_minutes: Field<u32>,
        backend_pool_type: Field<String>,
    }

    /// `managedOutboundIPs` and `managedOutboundIPProfile`.
    ManagedOutboundIps {
        count: Field<u32>,
        #[serde(rename = "countIPv6")]
        count_ipv6: Field<u32>,
    }

    /// `outboundIPs`.
    OutboundIps {
        #[serde(rename = "publicIPs")]
        public_ips: List<Reference>,
    }

    /// `outboundIPPrefixes`.
    OutboundIpPrefixes {
        #[serde(rename = "publicIPPrefixes")]
        public_ip_prefixes: List<Reference>,
    }

    /// `natGatewayProfile`.
    NatGatewayProfile {
        sku: Field<String>,
        #[serde(rename = "managedOutboundIPProfile")]
        managed_outbound_ip_profile: Part<ManagedOutboundIps>,
        #[serde(rename = "effectiveOutboundIPs")]
        effective_outbound_ips: List<Reference>,
        idle_timeout_in_minutes: Field<u32>,
    }

    /// `apiServerAccessProfile`.
    ApiServerAccessProfile {
        enable_private_cluster: Field<bool>,
        enable_vnet_integration: Field<bool>,
        #[serde(rename = "authorizedIPRanges")]
        authorized_ip_ranges: List<String>,
        subnet_id: Field<String>,
    }

    /// `bootstrapProfile`.
    BootstrapProfile {
        artifact_source: Field<String>,
    }

    /// `httpProxyConfig`; its certificate and addresses are not read.
    HttpProxyConfig {
        enabled: Field<bool>,
        http_proxy: Field<String>,
        https_proxy: Field<String>,
    }

    /// A value of `addonProfiles`.
    AddonProfile {
        enabled: Field<bool>,
    }

    /// A feature that is on or off.
    Feature {
        enabled: Field<bool>,
    }

    /// `securityProfile`.
    SecurityProfile {
        defender: Part<Defender>,
        workload_identity: Part<Feature>,
    }

    /// `securityProfile.defender`.
    Defender {
        security_monitoring: Part<Feature>,
    }

    /// `azureMonitorProfile`.
    MonitorProfile {
        metrics: Part<Feature>,
        container_insights: Part<Feature>,
    }

    /// `metricsProfile`.
    MetricsProfile {
        cost_analysis: Part<Feature>,
    }

    /// `serviceMeshProfile`.
    ServiceMeshProfile {
        mode: Field<String>,
    }

    /// `workloadAutoScalerProfile`.
    WorkloadAutoScalerProfile {
        keda: Part<Feature>,
    }

    /// `properties` of an agent pool; an element of a cluster's `agentPoolProfiles` is the same with its name inside.
    AgentPoolProperties {
        name: Field<String>,
        count: Field<u32>,
        vm_size: Field<String>,
        #[serde(rename = "osDiskSizeGB")]
        os_disk_size_gb: Field<u32>,
        os_disk_type: Field<String>,
        #[serde(rename = "type")]
        pool_type: Field<String>,
        mode: Field<String>,
        #[serde(rename = "vnetSubnetID")]
        vnet_subnet_id: Field<String>,
        #[serde(rename = "podSubnetID")]
        pod_subnet_id: Field<String>,
        enable_auto_scaling: Field<bool>,
        min_count: Field<u32>,
        max_count: Field<u32>,
        #[serde(rename = "enableNodePublicIP")]
        enable_node_public_ip: Field<bool>,
        os_type: Field<String>,
        availability_zones: List<String>,
        upgrade_settings: Part<UpgradeSettings>,
        power_state: Part<PowerState>,
        provisioning_state: Field<String>,
        status: Part<Status>,
        virtual_machines_profile: Part<VirtualMachinesProfile>,
        virtual_machine_nodes_status: Field<List<VirtualMachineNodes>>,
    }

    /// `virtualMachinesProfile` of a pool of type `VirtualMachines`.
    VirtualMachinesProfile {
        scale: Part<VirtualMachinesScale>,
    }

    /// `virtualMachinesProfile.scale`: how many machines the pool should have, by hand or by the autoscaler.
    VirtualMachinesScale {
        manual: Field<List<VirtualMachineNodes>>,
        autoscale: Field<VirtualMachinesAutoscale>,
    }

    /// Machines of one size.
    VirtualMachineNodes {
        size: Field<String>,
        count: Field<u32>,
    }

    /// `virtualMachinesProfile.scale.autoscale`.
    VirtualMachinesAutoscale {
        size: Field<String>,
        min_count: Field<u32>,
        max_count: Field<u32>,
    }

    /// `upgradeSettings`.
    UpgradeSettings {
        max_surge: Field<String>,
    }

    /// An element of the outbound network dependencies list.
    EgressEndpointCategory {
        category: Field<String>,
        endpoints: List<EgressEndpoint>,
    }

    /// A host name of a category.
    EgressEndpoint {
        domain_name: Field<String>,
        endpoint_details: List<EgressEndpointDetail>,
    }

    /// A port of a host name.
    EgressEndpointDetail {
        port: Field<u32>,
        protocol: Field<String>,
        description: Field<String>,
    }
}
