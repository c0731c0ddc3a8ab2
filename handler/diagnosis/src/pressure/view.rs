//! Everything that is known of the pressure on one cluster's nodes, worked out once.

use jiff::Timestamp;

use super::loads::{Loads, Who, named};
use super::{
    CONDITION, CPU, Conditions, DISK_SPACE, LONG_QUEUE, MEMORY, NEARLY_THROTTLED, NODE_LIMIT,
    OS_DISK_BANDWIDTH, OS_DISK_IOPS, OS_DISK_QUEUE, THROTTLED, VM_CAPS, conditions,
};
use crate::context::node_name;
use crate::facts::{Facts, Id, Machine, Recommendation, ScaleSet, Series};
use crate::order::Order as _;
use crate::snat::metric::metric;

/// Loads by metric, conditions, and who is throttled.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PressureView {
    pub(crate) cpu: Loads,
    pub(crate) memory: Loads,
    pub(crate) disk_space: Loads,
    pub(crate) conditions: Conditions,
    pub(crate) iops: Loads,
    pub(crate) bandwidth: Loads,
    pub(crate) queue: Loads,
    /// In the order of `VM_CAPS`.
    pub(crate) vm_caps: Vec<(&'static str, Loads)>,
}

impl PressureView {
    pub(crate) fn of(facts: &Facts) -> Self {
        let cluster = |name| {
            let mut loads = Loads::default();
            let id = &facts.cluster.id;
            loads.add(id, name, metric(facts, id, name, "Percent"), |series| {
                Some((named(series, "node")?, named(series, "nodepool")))
            });
            loads
        };
        let cpu = cluster(CPU);
        let pool_of = |node: &str| pool_of(facts, &cpu, node);
        let condition = metric(facts, &facts.cluster.id, CONDITION, "Count");
        Self {
            conditions: conditions::conditions(condition, CONDITION, pool_of),
            memory: cluster(MEMORY),
            disk_space: cluster(DISK_SPACE),
            iops: disks(facts, OS_DISK_IOPS, "Percent"),
            bandwidth: disks(facts, OS_DISK_BANDWIDTH, "Percent"),
            queue: disks(facts, OS_DISK_QUEUE, "Count"),
            vm_caps: VM_CAPS
                .into_iter()
                .map(|name| (name, disks(facts, name, "Percent")))
                .collect(),
            cpu,
        }
    }

    /// Pools with a node whose OS disk or whose VM is at its disk limits, or whose disk is full (R7.4, R7.6).
    pub(crate) fn pools_under_disk_pressure(&self) -> Vec<String> {
        let throttled = [&self.iops, &self.bandwidth]
            .into_iter()
            .flat_map(|loads| loads.nodes_with(|v| v >= NEARLY_THROTTLED))
            .filter_map(|load| load.pool.clone());
        let capped = self.capped().into_iter().filter_map(|c| c.pool.clone());
        let full = self.disk_space.nodes_with(|v| v > NODE_LIMIT);
        let full = full.into_iter().filter_map(|load| load.pool.clone());
        let pressed = self.conditions.spells.iter();
        let pressed = pressed.filter(|spell| spell.condition == "DiskPressure");
        let pressed = pressed.filter_map(|spell| spell.pool.clone());
        let mut pools: Vec<String> = throttled.chain(capped).chain(full).chain(pressed).collect();
        pools.order();
        pools.dedup();
        pools
    }

    /// Whether the disk of one of the pool's nodes is nearly full (R7.1).
    pub(crate) fn is_crowded(&self, pool: &str) -> bool {
        let full = self.disk_space.nodes_with(|v| v > NODE_LIMIT);
        full.iter().any(|load| load.pool.as_deref() == Some(pool))
    }

    /// Nodes whose VM was at a limit of its size while requests queued up and the OS disk itself was not at its own
    /// limits (R7.4).
    pub(crate) fn capped(&self) -> Vec<Capped> {
        let mut all: Vec<Capped> = Vec::new();
        for (name, loads) in &self.vm_caps {
            for load in loads.nodes_with(|v| v >= THROTTLED) {
                let Some(queue) = self.queue.of_node(&load.node) else {
                    continue;
                };
                let own = [&self.iops, &self.bandwidth].map(|loads| loads.of_node(&load.node));
                let disk_is_throttled = |at: &Timestamp| {
                    let mut own = own.iter().flatten().filter_map(|l| l.windows.get(at));
                    own.any(|v| *v >= THROTTLED)
                };
                let shares = load.windows.iter();
                let at: Vec<(Timestamp, f64, f64)> = shares
                    .filter(|(_, share)| **share >= THROTTLED)
                    .filter_map(|(at, share)| Some((*at, *share, *queue.windows.get(at)?)))
                    .filter(|(at, _, queue)| *queue >= LONG_QUEUE && !disk_is_throttled(at))
                    .collect();
                let Some((first, share, queue)) = at.first().copied() else {
                    continue;
                };
                if all.iter().any(|known| known.node == load.node) {
                    continue;
                }
                all.push(Capped {
                    node: load.node.clone(),
                    pool: load.pool.clone(),
                    resource: load.resource.clone(),
                    limit: name,
                    share,
                    queue,
                    first,
                    windows: at.len(),
                });
            }
        }
        all.order_by(|a, b| b.windows.cmp(&a.windows).then(a.node.cmp(&b.node)));
        all
    }
}

/// A node whose VM was at a limit of its size.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Capped {
    pub(crate) node: String,
    pub(crate) pool: Option<String>,
    pub(crate) resource: Id,
    /// The metric that says so.
    pub(crate) limit: &'static str,
    /// Its value in the first such window.
    pub(crate) share: f64,
    /// Waiting requests in that window.
    pub(crate) queue: f64,
    pub(crate) first: Timestamp,
    pub(crate) windows: usize,
}

/// A disk metric of every scale set and machine.
fn disks(facts: &Facts, name: &str, unit: &str) -> Loads {
    let mut loads = Loads::default();
    match facts.scale_sets.known(|| "scale sets".to_owned()) {
        Ok(sets) => {
            for set in sets {
                let reading = metric(facts, &set.id, name, unit);
                loads.add(&set.id, name, reading, |series| instance(set, series));
            }
        }
        Err(missing) => loads.lacks(missing),
    }
    match facts
        .pressure
        .machines
        .known(|| "virtual machines".to_owned())
    {
        Ok(machines) => {
            for machine in machines {
                let reading = metric(facts, &machine.id, name, unit);
                loads.add(&machine.id, name, reading, |_| {
                    Some((machine_node(machine), machine.pool_name.clone()))
                });
            }
        }
        Err(missing) => loads.lacks(missing),
    }
    loads
}

/// AKS names the node after the machine.
fn machine_node(machine: &Machine) -> String {
    machine.id.name().to_ascii_lowercase()
}

/// `aks-user-vmss_3` is instance 3 of the scale set; its node is named after its computer.
fn instance(set: &ScaleSet, series: &Series) -> Option<Who> {
    let name = named(series, "vmname")?;
    let node = match name.rsplit_once('_') {
        Some((_, number)) => node_name(
            &set.id,
            &Id::new(format!("{}/virtualMachines/{number}", set.id)),
        ),
        None => name,
    };
    Some((node, set.pool_name.clone()))
}

/// The pool of a node: as the cluster's metrics say, else by the name that AKS gives.
fn pool_of(facts: &Facts, cpu: &Loads, node: &str) -> Option<String> {
    if let Some(pool) = cpu.of_node(node).and_then(|load| load.pool.clone()) {
        return Some(pool);
    }
    let sets = facts.scale_sets.as_known().into_iter().flatten();
    let mut sets = sets.filter(|set| node.starts_with(&set.id.name().to_ascii_lowercase()));
    let of_set = sets.next().and_then(|set| set.pool_name.clone());
    let machines = facts.pressure.machines.as_known().into_iter().flatten();
    let mut machines = machines.filter(|machine| machine_node(machine) == node);
    of_set.or_else(|| machines.next()?.pool_name.clone())
}

/// Whether a recommendation is about disks or outbound traffic (R7.12).
pub(crate) fn is_about_disk_or_outbound(recommendation: &Recommendation) -> bool {
    const WORDS: [&str; 8] = [
        "disk",
        "ephemeral",
        "iops",
        "outbound",
        "snat",
        "nat gateway",
        "egress",
        "premium ssd",
    ];
    let texts = [&recommendation.problem, &recommendation.solution];
    texts.into_iter().flatten().any(|text| {
        let text = text.to_lowercase();
        WORDS.iter().any(|word| text.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Average;
    use crate::facts::{Datum, Metric};
    use crate::testing::{closer_look, load_balancer, metric, scale_set_id, series, set_metric};

    fn percent(mut split: Datum<Metric>) -> Datum<Metric> {
        if let Datum::Known(metric) = &mut split {
            metric.unit = String::from("Percent");
        }
        split
    }

    #[test]
    fn r7_3_an_instance_is_the_node_of_its_computer() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        let of = series(
            &[("VMNAME".to_ascii_lowercase().as_str(), "AKS-user-vmss_46")],
            &[50.0],
        );
        set_metric(
            &mut facts,
            &scale_set_id("user"),
            OS_DISK_IOPS,
            percent(metric(Average, vec![of])),
        );
        let view = PressureView::of(&facts);
        let hot = &view.iops.nodes[0];
        assert_eq!(hot.node, "aks-user-vmss00001a");
        assert_eq!(hot.pool.as_deref(), Some("user"));
    }

    #[test]
    fn r7_12_only_disk_and_outbound_concern_us() {
        let about = |problem: &str| Recommendation {
            resource: Id::new("/x"),
            category: None,
            impact: None,
            problem: Some(problem.to_owned()),
            solution: None,
            last_updated: None,
        };
        assert!(is_about_disk_or_outbound(&about("Use Ephemeral OS disk")));
        assert!(is_about_disk_or_outbound(&about(
            "Add explicit outbound method"
        )));
        assert!(!is_about_disk_or_outbound(&about("Upgrade Kubernetes")));
    }
}
