//! Metric series: quiet defaults for everything that carries traffic, and what a scenario changes about them.

use std::collections::BTreeMap;

use super::{
    Resource, appliance, compute,
    plan::{Node, Plan},
};
use crate::{
    Error,
    metrics::catalogue,
    scenario::{InternalLoadBalancer, Metric, Minutes, Ramp, Spike, Strange},
};

/// How a series runs over the asked timespan.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Constant(f64),
    Ramp(Ramp),
    Spike(Spike),
    /// The resource has no such metric.
    Unsupported,
}

/// One series of one metric of one resource.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) metric: &'static str,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) shape: Shape,
    pub(crate) gap: Option<Minutes>,
    /// Points that stand after all others.
    pub(crate) strange: Vec<Strange>,
    /// In place of the documented one.
    pub(crate) unit: Option<String>,
    /// Dimensions that are named unasked.
    pub(crate) unasked: BTreeMap<String, String>,
}

impl Series {
    fn take(&mut self, entry: &Metric, shape: Shape) {
        self.shape = shape;
        self.gap = entry.gap;
        self.strange.clone_from(&entry.strange);
        self.unit.clone_from(&entry.unit);
        self.unasked.clone_from(&entry.unasked);
    }
}

/// Gives every resource its series.
pub(super) fn attach(plan: &Plan, resources: &mut [Resource]) -> Result<(), Error> {
    if plan.running() {
        for resource in resources.iter_mut() {
            resource.series = defaults(plan, resource);
        }
    }
    for (index, entry) in plan.scenario.metrics.iter().enumerate() {
        let key = format!("metrics[{index}]");
        let target = match machine_of(plan, entry) {
            Some(machine) => machine,
            None => plan.reference(&format!("{key}.of"), &entry.of)?,
        };
        let found = resources
            .iter_mut()
            .find(|resource| resource.id.eq_ignore_ascii_case(&target));
        let resource = found
            .ok_or_else(|| plan.error(format!("`{key}.of`: `{}` has no resource", entry.of)))?;
        change(plan, &key, entry, resource)?;
    }
    Ok(())
}

/// The machine that an entry is about, where its pool has no scale set.
fn machine_of(plan: &Plan, entry: &Metric) -> Option<String> {
    let (pool, index) = entry.node.as_deref()?.split_once('/')?;
    if entry.of != format!("pools/{pool}") {
        return None;
    }
    let mut nodes = plan.nodes.iter();
    let node = nodes.find(|node| node.pool == pool && node.index.to_string() == index)?;
    compute::is_machine(plan, node).then(|| compute::machine_id(plan, node))
}

fn series(metric: &'static str, dimensions: &[(&str, &str)], value: f64) -> Series {
    Series {
        metric,
        dimensions: dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        shape: Shape::Constant(value),
        gap: None,
        strange: Vec::new(),
        unit: None,
        unasked: BTreeMap::new(),
    }
}

fn defaults(plan: &Plan, resource: &Resource) -> Vec<Series> {
    match resource.kind.as_str() {
        "Microsoft.Network/loadBalancers" => {
            let own = plan.scenario.internal_load_balancers.iter();
            let mut own =
                own.filter(|(name, it)| appliance::balancer_id(plan, name, it) == resource.id);
            match own.next() {
                Some((_, internal)) => probes(plan, internal),
                None => load_balancer(plan),
            }
        }
        "Microsoft.Network/natGateways" => nat_gateway(resource),
        "Microsoft.Network/azureFirewalls" => vec![
            series("SNATPortUtilization", &[("Protocol", "TCP")], 4.0),
            series("SNATPortUtilization", &[("Protocol", "UDP")], 1.0),
            series(
                "FirewallHealth",
                &[("Status", "Healthy"), ("Reason", "N/A")],
                100.0,
            ),
            series("DataProcessed", &[], 1_500_000.0),
            series("Throughput", &[], 200_000.0),
        ],
        "Microsoft.Compute/virtualMachineScaleSets" => scale_set(plan, resource),
        "Microsoft.Compute/virtualMachines" => machine(plan, resource),
        "Microsoft.ContainerService/managedClusters" => cluster(plan),
        _ => Vec::new(),
    }
}

/// The appliances that run answer the health probes.
fn probes(plan: &Plan, balancer: &InternalLoadBalancer) -> Vec<Series> {
    let port = if balancer.ha_ports { "0" } else { "443" };
    let backends = balancer.backends.iter();
    let backends = backends.filter_map(|name| plan.scenario.appliances.get(name));
    backends
        .map(|backend| {
            let runs = backend.power_state == "running";
            let dimensions = [
                ("FrontendIPAddress", balancer.private_ip.as_str()),
                ("FrontendPort", port),
                ("BackendIPAddress", backend.private_ip.as_str()),
            ];
            series(
                "DipAvailability",
                &dimensions,
                if runs { 100.0 } else { 0.0 },
            )
        })
        .collect()
}

/// Ports Azure gives each node when the outbound rule says 0, by size of the backend pool.
fn automatic_ports(nodes: usize) -> u32 {
    match nodes {
        0..=50 => 1024,
        51..=100 => 512,
        101..=200 => 256,
        201..=400 => 128,
        401..=800 => 64,
        _ => 32,
    }
}

fn load_balancer(plan: &Plan) -> Vec<Series> {
    let basic = plan
        .scenario
        .cluster
        .load_balancer_sku
        .eq_ignore_ascii_case("basic");
    let Some(balancer) = plan
        .load_balancer
        .as_ref()
        .filter(|balancer| balancer.outbound_rule && !basic)
    else {
        return Vec::new();
    };
    // A deleted address carries nothing.
    let carries = |name: &&String| {
        !plan
            .scenario
            .deleted
            .contains(&format!("public_ips/{name}"))
    };
    let address = balancer.ips.iter().find(carries).map(|name| {
        let own = plan.scenario.public_ips.get(name);
        own.and_then(|ip| ip.address.clone())
            .unwrap_or_else(|| super::names::address(&format!("{}/{name}", plan.name)))
    });
    // The first address of a prefix.
    let of_prefix = || {
        let name = balancer.prefixes.first()?;
        let prefix = &plan.scenario.public_ip_prefixes.get(name)?.prefix;
        Some(prefix.split_once('/')?.0.to_owned())
    };
    let Some(frontend) = address.or_else(of_prefix) else {
        return Vec::new();
    };
    let frontend = ("FrontendIPAddress", frontend.as_str());
    let automatic = automatic_ports(plan.nodes.len());
    let allocated = f64::from(if balancer.ports == 0 {
        automatic
    } else {
        balancer.ports
    });
    let mut all = vec![series("VipAvailability", &[frontend], 100.0)];
    for (direction, bytes) in [("In", 900_000.0), ("Out", 300_000.0)] {
        all.push(series(
            "ByteCount",
            &[frontend, ("Direction", direction)],
            bytes,
        ));
        all.push(series(
            "PacketCount",
            &[frontend, ("Direction", direction)],
            bytes / 600.0,
        ));
    }
    all.push(series("SYNCount", &[frontend, ("Direction", "Out")], 120.0));
    for node in &plan.nodes {
        let backend = ("BackendIPAddress", node.ip.as_str());
        for (protocol, used) in [("TCP", 24.0), ("UDP", 2.0)] {
            let dimensions = [
                frontend,
                backend,
                ("ProtocolType", protocol),
                ("IsAwaitingRemoval", "False"),
            ];
            all.push(series("AllocatedSnatPorts", &dimensions, allocated));
            all.push(series("UsedSnatPorts", &dimensions, used));
        }
        for (state, count) in [("Successful", 60.0), ("Failed", 0.0), ("Pending", 0.0)] {
            all.push(series(
                "SnatConnectionCount",
                &[frontend, backend, ("ConnectionState", state)],
                count,
            ));
        }
    }
    all
}

/// A gateway that serves no subnet, has no address or is not set up counts nothing.
fn nat_gateway(resource: &Resource) -> Vec<Series> {
    let properties = &resource.body["properties"];
    let addressed =
        !properties["publicIpAddresses"].is_null() || !properties["publicIpPrefixes"].is_null();
    if properties["subnets"].is_null()
        || properties["provisioningState"] != "Succeeded"
        || !addressed
    {
        return Vec::new();
    }
    let mut all = vec![
        series("DatapathAvailability", &[], 100.0),
        series("PacketDropCount", &[], 0.0),
    ];
    for (protocol, count) in [("TCP", 240.0), ("UDP", 40.0)] {
        let protocol = ("Protocol", protocol);
        all.push(series(
            "SNATConnectionCount",
            &[protocol, ("ConnectionState", "Attempted")],
            count,
        ));
        all.push(series(
            "SNATConnectionCount",
            &[protocol, ("ConnectionState", "Failed")],
            0.0,
        ));
        all.push(series("TotalConnectionCount", &[protocol], count * 3.0));
        for direction in ["In", "Out"] {
            all.push(series(
                "ByteCount",
                &[protocol, ("Direction", direction)],
                count * 4000.0,
            ));
            all.push(series(
                "PacketCount",
                &[protocol, ("Direction", direction)],
                count * 8.0,
            ));
        }
    }
    all
}

/// What every size with premium storage tells of its limits.
const VM_LIMITS: [&str; 4] = [
    "VM Cached IOPS Consumed Percentage",
    "VM Cached Bandwidth Consumed Percentage",
    "VM Uncached IOPS Consumed Percentage",
    "VM Uncached Bandwidth Consumed Percentage",
];

fn scale_set(plan: &Plan, resource: &Resource) -> Vec<Series> {
    let pool = resource.body["tags"]["aks-managed-poolName"].as_str();
    let managed_disk = resource.body["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"]["diffDiskSettings"].is_null();
    let mut all = Vec::new();
    for node in plan
        .nodes
        .iter()
        .filter(|node| Some(node.pool.as_str()) == pool)
    {
        let name = format!("{}_{}", plan.scale_set_name(&node.pool), node.index);
        let vm = ("VMName", name.as_str());
        all.push(series("Percentage CPU", &[vm], 18.0));
        all.push(series("Available Memory Bytes", &[vm], 8_000_000_000.0));
        all.push(series("Network Out Total", &[vm], 2_000_000.0));
        all.extend(disks(&[vm], managed_disk));
    }
    all
}

fn disks(dimensions: &[(&str, &str)], managed_disk: bool) -> Vec<Series> {
    let mut all = vec![series("OS Disk Queue Depth", dimensions, 0.1)];
    // An ephemeral OS disk reports no share of a disk's limits.
    if managed_disk {
        all.push(series("OS Disk IOPS Consumed Percentage", dimensions, 6.0));
        all.push(series(
            "OS Disk Bandwidth Consumed Percentage",
            dimensions,
            4.0,
        ));
    }
    all.extend(VM_LIMITS.map(|name| series(name, dimensions, 3.0)));
    all
}

fn machine(plan: &Plan, resource: &Resource) -> Vec<Series> {
    let pool = resource.body["tags"]["aks-managed-poolName"]
        .as_str()
        .and_then(|pool| plan.scenario.pools.get(pool));
    let Some(pool) = pool else {
        return Vec::new();
    };
    let mut all = vec![series("Percentage CPU", &[], 18.0)];
    all.extend(disks(&[], pool.os_disk_type != "Ephemeral"));
    all
}

/// What Kubernetes calls a node: a scale set numbers its computers in base 36.
fn node_name(plan: &Plan, node: &Node) -> String {
    if compute::is_machine(plan, node) {
        return compute::machine_name(plan, node);
    }
    let mut digits = Vec::new();
    let mut rest = node.index;
    while rest > 0 {
        digits.extend(char::from_digit(rest % 36, 36));
        rest /= 36;
    }
    let digits: String = digits.into_iter().rev().collect();
    format!("{}{digits:0>6}", plan.scale_set_name(&node.pool))
}

fn cluster(plan: &Plan) -> Vec<Series> {
    let mut all = Vec::new();
    for node in &plan.nodes {
        let name = node_name(plan, node);
        let dimensions = [("node", name.as_str()), ("nodepool", node.pool.as_str())];
        all.push(series("node_cpu_usage_percentage", &dimensions, 18.0));
        all.push(series(
            "node_memory_working_set_percentage",
            &dimensions,
            41.0,
        ));
        let disk = [
            ("node", name.as_str()),
            ("nodepool", node.pool.as_str()),
            ("device", "/dev/sda1"),
        ];
        all.push(series("node_disk_usage_percentage", &disk, 27.0));
        for (condition, status, status2) in [
            ("Ready", "true", "Ready"),
            ("MemoryPressure", "false", "NotInfra"),
            ("DiskPressure", "false", "NotInfra"),
            ("PIDPressure", "false", "NotInfra"),
        ] {
            let dimensions = [
                ("condition", condition),
                ("status", status),
                ("status2", status2),
                ("node", name.as_str()),
            ];
            all.push(series("kube_node_status_condition", &dimensions, 1.0));
        }
    }
    all
}

fn change(plan: &Plan, key: &str, entry: &Metric, resource: &mut Resource) -> Result<(), Error> {
    let known = catalogue::definitions(&resource.kind);
    let Some(definition) = known
        .iter()
        .find(|definition| definition.name == entry.name)
    else {
        let names: Vec<&str> = known.iter().map(|definition| definition.name).collect();
        return Err(plan.error(format!(
            "`{key}.name`: no metric `{}`; use one of {names:?}",
            entry.name
        )));
    };
    let mut dimensions = entry.dimensions.clone();
    // A machine's own series have no dimension for it.
    let machine = resource.kind == "Microsoft.Compute/virtualMachines";
    if let Some(node) = entry.node.as_ref().filter(|_| !machine) {
        let (name, value) = node_dimension(plan, key, node, &resource.kind)?;
        dimensions.insert(name.to_owned(), value);
    }
    if let Some(name) = dimensions
        .keys()
        .find(|name| !definition.dimensions.contains(&name.as_str()))
    {
        return Err(plan.error(format!(
            "`{key}.dimensions`: `{}` has no dimension `{name}`; use one of {:?}",
            entry.name, definition.dimensions
        )));
    }
    let shape = shape(plan, key, entry)?;
    let matches = |series: &Series| {
        series.metric == entry.name
            && dimensions
                .iter()
                .all(|(name, value)| series.dimensions.get(name) == Some(value))
    };
    let Some(shape) = shape else {
        resource.series.retain(|series| !matches(series));
        return Ok(());
    };
    let mut changed = false;
    for series in resource.series.iter_mut().filter(|series| matches(series)) {
        series.take(entry, shape);
        changed = true;
    }
    if !changed {
        let mut new = series(definition.name, &[], 0.0);
        new.dimensions = dimensions;
        new.take(entry, shape);
        resource.series.push(new);
    }
    Ok(())
}

/// `None`: the series has no points at all.
fn shape(plan: &Plan, key: &str, entry: &Metric) -> Result<Option<Shape>, Error> {
    let shapes = [
        entry.constant.map(Shape::Constant),
        entry.ramp.map(Shape::Ramp),
        entry.spike.map(Shape::Spike),
        entry.unsupported.then_some(Shape::Unsupported),
    ];
    let mut given = shapes.into_iter().flatten();
    match (given.next(), given.next(), entry.no_data) {
        (Some(shape), None, false) => Ok(Some(shape)),
        (None, None, true) => Ok(None),
        _ => Err(plan.error(format!(
            "`{key}`: give exactly one of constant, ramp, spike, no_data, unsupported"
        ))),
    }
}

fn node_dimension(
    plan: &Plan,
    key: &str,
    node: &str,
    kind: &str,
) -> Result<(&'static str, String), Error> {
    let found = plan
        .nodes
        .iter()
        .find(|known| format!("{}/{}", known.pool, known.index) == node);
    let Some(found) = found else {
        let known: Vec<String> = plan
            .nodes
            .iter()
            .map(|node| format!("{}/{}", node.pool, node.index))
            .collect();
        return Err(plan.error(format!(
            "`{key}.node`: no node `{node}`; use one of {known:?}"
        )));
    };
    let scale_set = plan.scale_set_name(&found.pool);
    match kind {
        "Microsoft.Network/loadBalancers" => Ok(("BackendIPAddress", found.ip.clone())),
        "Microsoft.Compute/virtualMachineScaleSets" => {
            Ok(("VMName", format!("{scale_set}_{}", found.index)))
        }
        "Microsoft.ContainerService/managedClusters" => Ok(("node", node_name(plan, found))),
        _ => Err(plan.error(format!(
            "`{key}.node`: {kind} has no series per node; leave `node` out"
        ))),
    }
}
