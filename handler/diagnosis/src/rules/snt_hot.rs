//! The one node that carries the load (R6.7).

use crate::context::{Context, Device};
use crate::order::Order as _;
use crate::report::Remediation;
use crate::snat::usage::{BackendPorts, Failures, Ports};

/// A node that uses more than three times what the node in the middle does.
pub(super) struct Hot<'c> {
    pub(super) node: &'c BackendPorts,
    /// Ports of the node in the middle.
    pub(super) median: f64,
    /// The node's name with its address, or its address.
    pub(super) label: String,
    name: Option<&'c str>,
}

/// The hot node of a load balancer, if one node stands out and it matters: it uses more than half of its ports, or only its
/// connections fail.
pub(super) fn hot_node<'c>(ctx: &'c Context<'_>, device: &'c Device) -> Option<Hot<'c>> {
    let ports = device.ports()?.known()?;
    let (node, median) = outstanding(ports)?;
    let busy = node.utilization.is_some_and(|share| share > 0.5);
    let alone = device.failures().known().is_some_and(|f| only(f, node));
    (busy || alone).then(|| Hot {
        node,
        median,
        label: ctx.nodes.label(&node.address),
        name: ctx.nodes.at(&node.address).map(|n| n.name.as_str()),
    })
}

fn outstanding(ports: &Ports) -> Option<(&BackendPorts, f64)> {
    let mut peaks: Vec<u32> = ports.nodes.iter().map(|n| n.used_peak).collect();
    peaks.order();
    let middle = peaks.len() / 2;
    let upper = f64::from(*peaks.get(middle)?);
    let median = if peaks.len().is_multiple_of(2) {
        f64::midpoint(f64::from(*peaks.get(middle.checked_sub(1)?)?), upper)
    } else {
        upper
    };
    let top = ports.nodes.iter().max_by_key(|n| n.used_peak)?;
    (f64::from(top.used_peak) > 3.0 * median).then_some((top, median))
}

fn only(failures: &Failures, node: &BackendPorts) -> bool {
    failures.by_backend.len() == 1 && failures.by_backend.contains_key(&node.address)
}

impl Hot<'_> {
    /// Spreading comes before more addresses.
    pub(super) fn spread(&self) -> Remediation {
        let fix = Remediation::new(format!(
            "Spread the pods of node {} over more nodes (topology spread constraints, more replicas): the other nodes have ports to spare",
            self.label
        ))
        .side_effect("Pods restart when they move");
        match self.name {
            Some(name) => fix.command(format!(
                "kubectl get pods --all-namespaces --output wide --field-selector {}",
                crate::commands::quote(&format!("spec.nodeName={name}"))
            )),
            None => fix.command("kubectl get nodes --output wide".to_owned()),
        }
    }
}
