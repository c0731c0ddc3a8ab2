//! Every operation asked of Azure, in one table: path, api-version, RBAC action. The least-privilege role definition is
//! derived from it.

/// The HTTP method of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A read.
    Get,
    /// A read that is asked as a POST, which changes nothing.
    Query,
    /// An action; never repeated on failure.
    Post,
}

/// One operation of one provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Short name for logs and statistics.
    pub name: &'static str,
    /// How it is asked.
    pub method: Method,
    /// The provider whose api-version it is, e.g. `Microsoft.Network`.
    pub provider: &'static str,
    /// The resource type of the id it is asked of; `None` for any type.
    pub target: Option<&'static str>,
    /// What follows the id in the path; empty for the resource itself.
    pub suffix: &'static str,
    /// The pinned api-version.
    pub api_version: &'static str,
    /// The RBAC action it needs.
    pub action: &'static str,
}

// One pinned version per provider, and the exceptions.
const CONTAINER_SERVICE: &str = "2026-08-01";
const NETWORK: &str = "2026-03-01";
const COMPUTE: &str = "2026-04-01";
/// Scale set NICs and their public addresses are served under Microsoft.Compute with this version only.
const SCALE_SET_NETWORK: &str = "2018-10-01";
const INSIGHTS_METRICS: &str = "2024-02-01";
const INSIGHTS_EVENTS: &str = "2015-04-01";
const RESOURCES: &str = "2021-04-01";
const SUBSCRIPTIONS: &str = "2022-12-01";
const RESOURCE_GRAPH: &str = "2024-04-01";
const SKUS: &str = "2021-07-01";
const ADVISOR: &str = "2020-01-01";
const RESOURCE_HEALTH: &str = "2025-05-01";

const CLUSTER: Option<&str> = Some("Microsoft.ContainerService/managedClusters");
const GROUP: Option<&str> = Some("Microsoft.Resources/resourceGroups");
const SUBSCRIPTION: Option<&str> = Some("Microsoft.Resources/subscriptions");
const TENANT: Option<&str> = Some("Microsoft.Resources/tenants");

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident: $method:ident $provider:literal $version:ident, $target:expr, $suffix:literal, $action:literal;)*) => {
        $($(#[$doc])* pub static $name: Operation = Operation {
            name: stringify!($name),
            method: Method::$method,
            provider: $provider,
            target: $target,
            suffix: $suffix,
            api_version: $version,
            action: $action,
        };)*

        /// The whole table.
        pub static ALL: &[&Operation] = &[$(&$name),*];
    };
}

table! {
    /// The cluster.
    CLUSTER_GET: Get "Microsoft.ContainerService" CONTAINER_SERVICE, CLUSTER, "",
        "Microsoft.ContainerService/managedClusters/read";
    /// The clusters of a subscription.
    CLUSTERS_LIST: Get "Microsoft.ContainerService" CONTAINER_SERVICE, SUBSCRIPTION, "/providers/Microsoft.ContainerService/managedClusters",
        "Microsoft.ContainerService/managedClusters/read";
    /// The cluster's agent pools.
    AGENT_POOLS_LIST: Get "Microsoft.ContainerService" CONTAINER_SERVICE, CLUSTER, "/agentPools",
        "Microsoft.ContainerService/managedClusters/agentPools/read";
    /// The endpoints the cluster says it needs.
    EGRESS_ENDPOINTS_LIST: Get "Microsoft.ContainerService" CONTAINER_SERVICE, CLUSTER, "/outboundNetworkDependenciesEndpoints",
        "Microsoft.ContainerService/managedClusters/outboundNetworkDependenciesEndpoints/read";
    /// The subscriptions that the identity can see.
    SUBSCRIPTIONS_LIST: Get "Microsoft.Resources" SUBSCRIPTIONS, TENANT, "/subscriptions",
        "Microsoft.Resources/subscriptions/read";
    /// A query over the resources of many subscriptions; only those that the identity can read answer.
    RESOURCE_GRAPH_QUERY: Query "Microsoft.ResourceGraph" RESOURCE_GRAPH, TENANT, "/providers/Microsoft.ResourceGraph/resources",
        "Microsoft.ResourceGraph/resources/read";
    /// A resource group.
    RESOURCE_GROUP_GET: Get "Microsoft.Resources" RESOURCES, GROUP, "",
        "Microsoft.Resources/subscriptions/resourceGroups/read";
    /// A virtual network.
    VIRTUAL_NETWORK_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/virtualNetworks"), "",
        "Microsoft.Network/virtualNetworks/read";
    /// The virtual networks of a resource group.
    VIRTUAL_NETWORKS_LIST: Get "Microsoft.Network" NETWORK, GROUP, "/providers/Microsoft.Network/virtualNetworks",
        "Microsoft.Network/virtualNetworks/read";
    /// The security admin rules of Azure Virtual Network Manager that apply to a virtual network.
    SECURITY_ADMIN_RULES_LIST: Query "Microsoft.Network" NETWORK, Some("Microsoft.Network/virtualNetworks"), "/listNetworkManagerEffectiveSecurityAdminRules",
        "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action";
    /// A subnet.
    SUBNET_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/virtualNetworks/subnets"), "",
        "Microsoft.Network/virtualNetworks/subnets/read";
    /// A route table with its routes.
    ROUTE_TABLE_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/routeTables"), "",
        "Microsoft.Network/routeTables/read";
    /// The route tables of a subscription with their routes.
    ROUTE_TABLES_LIST: Get "Microsoft.Network" NETWORK, SUBSCRIPTION, "/providers/Microsoft.Network/routeTables",
        "Microsoft.Network/routeTables/read";
    /// A network security group with its rules.
    NETWORK_SECURITY_GROUP_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/networkSecurityGroups"), "",
        "Microsoft.Network/networkSecurityGroups/read";
    /// A NAT gateway.
    NAT_GATEWAY_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/natGateways"), "",
        "Microsoft.Network/natGateways/read";
    /// A public IP address.
    PUBLIC_IP_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/publicIPAddresses"), "",
        "Microsoft.Network/publicIPAddresses/read";
    /// The public IP addresses of a resource group.
    PUBLIC_IPS_LIST: Get "Microsoft.Network" NETWORK, GROUP, "/providers/Microsoft.Network/publicIPAddresses",
        "Microsoft.Network/publicIPAddresses/read";
    /// A public IP prefix.
    PUBLIC_IP_PREFIX_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/publicIPPrefixes"), "",
        "Microsoft.Network/publicIPPrefixes/read";
    /// The public IP prefixes of a resource group.
    PUBLIC_IP_PREFIXES_LIST: Get "Microsoft.Network" NETWORK, GROUP, "/providers/Microsoft.Network/publicIPPrefixes",
        "Microsoft.Network/publicIPPrefixes/read";
    /// The service tags of a cloud with their addresses, all regions' whatever the region asked: several megabytes.
    SERVICE_TAGS_LIST: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/locations"), "/serviceTags",
        "Microsoft.Network/locations/serviceTags/read";
    /// An Azure Firewall with its classic rules.
    AZURE_FIREWALL_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/azureFirewalls"), "",
        "Microsoft.Network/azureFirewalls/read";
    /// The Azure Firewalls of a subscription.
    AZURE_FIREWALLS_LIST: Get "Microsoft.Network" NETWORK, SUBSCRIPTION, "/providers/Microsoft.Network/azureFirewalls",
        "Microsoft.Network/azureFirewalls/read";
    /// The virtual hubs of a subscription.
    VIRTUAL_HUBS_LIST: Get "Microsoft.Network" NETWORK, SUBSCRIPTION, "/providers/Microsoft.Network/virtualHubs",
        "Microsoft.Network/virtualHubs/read";
    /// Where a virtual hub sends internet and private traffic.
    ROUTING_INTENT_LIST: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/virtualHubs"), "/routingIntent",
        "Microsoft.Network/virtualHubs/routingIntent/read";
    /// The virtual networks that are connected to a virtual hub.
    HUB_CONNECTIONS_LIST: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/virtualHubs"), "/hubVirtualNetworkConnections",
        "Microsoft.Network/virtualHubs/hubVirtualNetworkConnections/read";
    /// A firewall policy without its rules.
    FIREWALL_POLICY_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/firewallPolicies"), "",
        "Microsoft.Network/firewallPolicies/read";
    /// The firewall policies of a subscription.
    FIREWALL_POLICIES_LIST: Get "Microsoft.Network" NETWORK, SUBSCRIPTION, "/providers/Microsoft.Network/firewallPolicies",
        "Microsoft.Network/firewallPolicies/read";
    /// The rule collection groups of a firewall policy, its parents' left out.
    RULE_COLLECTION_GROUPS_LIST: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/firewallPolicies"), "/ruleCollectionGroups",
        "Microsoft.Network/firewallPolicies/ruleCollectionGroups/read";
    /// The IP groups of a subscription.
    IP_GROUPS_LIST: Get "Microsoft.Network" NETWORK, SUBSCRIPTION, "/providers/Microsoft.Network/ipGroups",
        "Microsoft.Network/ipGroups/read";
    /// An IP group.
    IP_GROUP_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/ipGroups"), "",
        "Microsoft.Network/ipGroups/read";
    /// A network interface of a virtual machine.
    NETWORK_INTERFACE_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/networkInterfaces"), "",
        "Microsoft.Network/networkInterfaces/read";
    /// The network interfaces of a resource group's virtual machines.
    NETWORK_INTERFACES_LIST: Get "Microsoft.Network" NETWORK, GROUP, "/providers/Microsoft.Network/networkInterfaces",
        "Microsoft.Network/networkInterfaces/read";
    /// What a virtual machine is doing, its power state among it.
    VIRTUAL_MACHINE_INSTANCE_VIEW_GET: Get "Microsoft.Compute" COMPUTE, Some("Microsoft.Compute/virtualMachines"), "/instanceView",
        "Microsoft.Compute/virtualMachines/instanceView/read";
    /// A load balancer.
    LOAD_BALANCER_GET: Get "Microsoft.Network" NETWORK, Some("Microsoft.Network/loadBalancers"), "",
        "Microsoft.Network/loadBalancers/read";
    /// The scale sets of a resource group.
    SCALE_SETS_LIST: Get "Microsoft.Compute" COMPUTE, GROUP, "/providers/Microsoft.Compute/virtualMachineScaleSets",
        "Microsoft.Compute/virtualMachineScaleSets/read";
    /// The network interfaces of a scale set's instances.
    SCALE_SET_NICS_LIST: Get "Microsoft.Compute" SCALE_SET_NETWORK, Some("Microsoft.Compute/virtualMachineScaleSets"), "/networkInterfaces",
        "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read";
    /// The public IP addresses of a scale set's instances.
    SCALE_SET_PUBLIC_IPS_LIST: Get "Microsoft.Compute" SCALE_SET_NETWORK, Some("Microsoft.Compute/virtualMachineScaleSets"), "/publicipaddresses",
        "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read";
    /// Metric values of any resource.
    METRICS_GET: Get "Microsoft.Insights" INSIGHTS_METRICS, None, "/providers/Microsoft.Insights/metrics",
        "Microsoft.Insights/Metrics/Read";
    /// Metric values of several resources of one type, region and subscription: asked of the metrics data plane.
    METRICS_BATCH: Query "Microsoft.Insights" INSIGHTS_METRICS, SUBSCRIPTION, "/metrics:getBatch",
        "Microsoft.Insights/Metrics/Read";
    /// The activity log of a subscription, newest first; a filter on time is required.
    ACTIVITY_LOG_LIST: Get "Microsoft.Insights" INSIGHTS_EVENTS, SUBSCRIPTION, "/providers/Microsoft.Insights/eventtypes/management/values",
        "Microsoft.Insights/eventtypes/values/Read";
    /// The virtual machines of a resource group.
    VIRTUAL_MACHINES_LIST: Get "Microsoft.Compute" COMPUTE, GROUP, "/providers/Microsoft.Compute/virtualMachines",
        "Microsoft.Compute/virtualMachines/read";
    /// What VM sizes can do; filtered by location still some megabytes.
    SKUS_LIST: Get "Microsoft.Compute" SKUS, SUBSCRIPTION, "/providers/Microsoft.Compute/skus",
        "Microsoft.Compute/skus/read";
    /// Azure Advisor's recommendations.
    RECOMMENDATIONS_LIST: Get "Microsoft.Advisor" ADVISOR, SUBSCRIPTION, "/providers/Microsoft.Advisor/recommendations",
        "Microsoft.Advisor/recommendations/read";
    /// What Resource Health says of any resource now.
    AVAILABILITY_STATUS_GET: Get "Microsoft.ResourceHealth" RESOURCE_HEALTH, None, "/providers/Microsoft.ResourceHealth/availabilityStatuses/current",
        "Microsoft.ResourceHealth/availabilityStatuses/read";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn actions_are_of_the_operations_provider_and_reads_are_reads() {
        for operation in ALL {
            let (namespace, _) = operation.action.split_once('/').unwrap();
            assert_eq!(namespace, operation.provider, "{}", operation.name);
            let verb = operation.action.rsplit('/').next().unwrap().to_lowercase();
            let expected = match operation.method {
                Method::Get => ["read", "read"],
                Method::Query => ["read", "action"],
                Method::Post => ["action", "action"],
            };
            assert!(expected.contains(&verb.as_str()), "{}", operation.name);
        }
    }

    #[test]
    fn names_are_unique_and_versions_are_dates() {
        let mut names = HashSet::new();
        for operation in ALL {
            assert!(names.insert(operation.name), "{}", operation.name);
            let date: Vec<&str> = operation.api_version.split('-').collect();
            assert_eq!(
                date.len(),
                3,
                "no preview version: {}",
                operation.api_version
            );
            assert!(date.iter().all(|part| part.parse::<u16>().is_ok()));
        }
    }

    #[test]
    fn suffixes_keep_to_the_path() {
        for operation in ALL {
            let suffix = operation.suffix;
            assert!(suffix.is_empty() || suffix.starts_with('/'), "{suffix}");
            assert!(
                suffix
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/.:".contains(c)),
                "{suffix}"
            );
        }
    }
}
