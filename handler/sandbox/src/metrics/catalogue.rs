//! Which metrics a resource type has.

/// One metric.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// The aggregation used when none is asked for.
    pub(crate) primary: &'static str,
    pub(crate) dimensions: &'static [&'static str],
}

const fn metric(
    name: &'static str,
    unit: &'static str,
    primary: &'static str,
    dimensions: &'static [&'static str],
) -> Definition {
    Definition {
        name,
        unit,
        primary,
        dimensions,
    }
}

const LB_FLOW: &[&str] = &["FrontendIPAddress", "FrontendPort", "Direction"];
const LB_PORTS: &[&str] = &[
    "FrontendIPAddress",
    "BackendIPAddress",
    "ProtocolType",
    "IsAwaitingRemoval",
];

const LOAD_BALANCERS: &[Definition] = &[
    metric(
        "VipAvailability",
        "Count",
        "Average",
        &["FrontendIPAddress", "FrontendPort"],
    ),
    metric(
        "DipAvailability",
        "Count",
        "Average",
        &[
            "ProtocolType",
            "BackendPort",
            "FrontendIPAddress",
            "FrontendPort",
            "BackendIPAddress",
        ],
    ),
    metric(
        "SnatConnectionCount",
        "Count",
        "Total",
        &["FrontendIPAddress", "BackendIPAddress", "ConnectionState"],
    ),
    metric("AllocatedSnatPorts", "Count", "Average", LB_PORTS),
    metric("UsedSnatPorts", "Count", "Average", LB_PORTS),
    metric("ByteCount", "Bytes", "Total", LB_FLOW),
    metric("PacketCount", "Count", "Total", LB_FLOW),
    metric("SYNCount", "Count", "Total", LB_FLOW),
];

const NAT_GATEWAYS: &[Definition] = &[
    metric(
        "SNATConnectionCount",
        "Count",
        "Total",
        &["Protocol", "ConnectionState"],
    ),
    metric("TotalConnectionCount", "Count", "Total", &["Protocol"]),
    metric("ByteCount", "Bytes", "Total", &["Protocol", "Direction"]),
    metric("PacketCount", "Count", "Total", &["Protocol", "Direction"]),
    metric("PacketDropCount", "Count", "Total", &[]),
    metric("DatapathAvailability", "Count", "Average", &[]),
];

const FIREWALLS: &[Definition] = &[
    metric(
        "ApplicationRuleHit",
        "Count",
        "Total",
        &["Status", "Reason", "Protocol"],
    ),
    metric("NetworkRuleHit", "Count", "Total", &["Status", "Reason"]),
    metric("DataProcessed", "Bytes", "Total", &[]),
    metric(
        "FirewallHealth",
        "Percent",
        "Average",
        &["Status", "Reason"],
    ),
    metric("FirewallLatencyPng", "Milliseconds", "Average", &[]),
    metric("SNATPortUtilization", "Percent", "Average", &["Protocol"]),
    metric("Throughput", "BitsPerSecond", "Average", &[]),
];

const SCALE_SETS: &[Definition] = &[
    metric("Percentage CPU", "Percent", "Average", &["VMName"]),
    metric("Available Memory Bytes", "Bytes", "Average", &["VMName"]),
    metric(
        "OS Disk Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &["LUN", "VMName"],
    ),
    metric(
        "OS Disk IOPS Consumed Percentage",
        "Percent",
        "Average",
        &["LUN", "VMName"],
    ),
    metric(
        "OS Disk Queue Depth",
        "Count",
        "Average",
        &["LUN", "VMName"],
    ),
    metric(
        "VM Cached IOPS Consumed Percentage",
        "Percent",
        "Average",
        &["VMName"],
    ),
    metric(
        "VM Cached Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &["VMName"],
    ),
    metric(
        "VM Uncached IOPS Consumed Percentage",
        "Percent",
        "Average",
        &["VMName"],
    ),
    metric(
        "VM Uncached Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &["VMName"],
    ),
    metric("Network In Total", "Bytes", "Total", &["VMName"]),
    metric("Network Out Total", "Bytes", "Total", &["VMName"]),
];

/// The same of a single machine, without a dimension for it.
const MACHINES: &[Definition] = &[
    metric("Percentage CPU", "Percent", "Average", &[]),
    metric("Available Memory Bytes", "Bytes", "Average", &[]),
    metric(
        "OS Disk Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &["LUN"],
    ),
    metric(
        "OS Disk IOPS Consumed Percentage",
        "Percent",
        "Average",
        &["LUN"],
    ),
    metric("OS Disk Queue Depth", "Count", "Average", &["LUN"]),
    metric(
        "VM Cached IOPS Consumed Percentage",
        "Percent",
        "Average",
        &[],
    ),
    metric(
        "VM Cached Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &[],
    ),
    metric(
        "VM Uncached IOPS Consumed Percentage",
        "Percent",
        "Average",
        &[],
    ),
    metric(
        "VM Uncached Bandwidth Consumed Percentage",
        "Percent",
        "Average",
        &[],
    ),
];

const CLUSTERS: &[Definition] = &[
    metric(
        "node_cpu_usage_percentage",
        "Percent",
        "Average",
        &["node", "nodepool"],
    ),
    metric(
        "node_memory_working_set_percentage",
        "Percent",
        "Average",
        &["node", "nodepool"],
    ),
    metric(
        "node_memory_rss_percentage",
        "Percent",
        "Average",
        &["node", "nodepool"],
    ),
    metric(
        "node_disk_usage_percentage",
        "Percent",
        "Average",
        &["node", "nodepool", "device"],
    ),
    metric(
        "kube_pod_status_phase",
        "Count",
        "Total",
        &["phase", "namespace", "pod"],
    ),
    metric(
        "kube_node_status_condition",
        "Count",
        "Total",
        &["condition", "status", "status2", "node"],
    ),
];

/// The metrics of a resource type, compared without case; empty for a type without metrics.
pub(crate) fn definitions(kind: &str) -> &'static [Definition] {
    match kind.to_ascii_lowercase().as_str() {
        "microsoft.network/loadbalancers" => LOAD_BALANCERS,
        "microsoft.network/natgateways" => NAT_GATEWAYS,
        "microsoft.network/azurefirewalls" => FIREWALLS,
        "microsoft.compute/virtualmachinescalesets" => SCALE_SETS,
        "microsoft.compute/virtualmachines" => MACHINES,
        "microsoft.containerservice/managedclusters" => CLUSTERS,
        _ => &[],
    }
}
