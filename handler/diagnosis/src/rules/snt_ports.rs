//! What SNT102 and SNT103 share: nodes by how full their ports are.

use super::snt_fix::remedies;
use super::{Outcome, Rule};
use crate::context::{Context, Device};
use crate::order::Order as _;
use crate::report::Finding;
use crate::snat::metric::Reading;
use crate::snat::usage::BackendPorts;

/// Nodes whose utilisation satisfies `hot`, as one finding per load balancer with title
/// `title(label of the worst, its utilisation and ports, count)`.
pub(super) fn check(
    rule: &Rule,
    ctx: &Context<'_>,
    hot: fn(f64) -> bool,
    title: fn(&str, (f64, &BackendPorts), usize) -> String,
    explanation: &str,
) -> Outcome {
    if ctx.stopped() {
        return Outcome::not_applicable("the cluster is not running");
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.snat.missing.iter().cloned());
    let mut balancers = 0;
    for device in &ctx.snat.devices {
        let Device::LoadBalancer { ports, .. } = device else {
            continue;
        };
        balancers += 1;
        match ports {
            Reading::Missing(missing) => outcome.missing.push(missing.clone()),
            Reading::Unclear(reason) => outcome.undecided.push(reason.clone()),
            Reading::NoData => outcome.undecided.push(format!(
                "{} has no port data points in the window",
                device.label()
            )),
            Reading::Known(backends) => {
                let utilized = backends
                    .nodes
                    .iter()
                    .filter_map(|node| Some((node.utilization?, node)));
                let mut nodes: Vec<(f64, &BackendPorts)> =
                    utilized.filter(|(share, _)| hot(*share)).collect();
                nodes.order_by(|(a, first), (b, second)| {
                    b.total_cmp(a).then(first.address.cmp(&second.address))
                });
                if let Some(worst) = nodes.first() {
                    let label = ctx.nodes.label(&worst.1.address);
                    let found = rule
                        .finding(title(&label, *worst, nodes.len()))
                        .seen(worst.1.used_peak_at)
                        .explain(explanation);
                    let nodes: Vec<&BackendPorts> = nodes.iter().map(|(_, node)| *node).collect();
                    outcome.findings.push(fill(ctx, found, device, &nodes));
                }
                if backends.truncated {
                    outcome
                        .undecided
                        .push("Azure returned the ports of some nodes only".to_owned());
                }
                if backends.nodes.iter().any(|b| b.utilization.is_none()) {
                    outcome.undecided.push(
                        "some nodes have used ports but no allocated ports to compare with"
                            .to_owned(),
                    );
                }
            }
        }
    }
    if balancers == 0 && !outcome.is_open() {
        return Outcome::not_applicable("no load balancer hands out ports per node");
    }
    outcome
}

fn fill(
    ctx: &Context<'_>,
    mut found: Finding,
    device: &Device,
    nodes: &[&BackendPorts],
) -> Finding {
    for node in nodes.iter().take(5) {
        let allocated = node
            .allocated
            .map_or("unknown".to_owned(), |n| n.to_string());
        found = found.evidence(
            format!(
                "used and allocated ports of node {} at {}",
                ctx.nodes.label(&node.address),
                node.used_peak_at
            ),
            Some(device.id()),
            Some(format!("{} of {allocated}", node.used_peak)),
        );
    }
    let pools = nodes
        .iter()
        .filter_map(|node| ctx.nodes.at(&node.address)?.pool.as_deref());
    found = found.pools(pools).resource(device.id());
    for fix in remedies(ctx, device) {
        found = found.fix(fix);
    }
    found
}
