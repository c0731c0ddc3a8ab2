//! NOD105: a VM is at the disk limits of its size.

use super::nod_nodes::{no_nodes, open_of_disks};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::pressure::{Capped, LONG_QUEUE, OS_DISK_QUEUE, THROTTLED};
use crate::report::{Confidence, Finding, Remediation, Severity};

/// A VM is at the disk limits of its size.
pub(super) const RULE: Rule = Rule {
    code: "NOD105",
    slug: "vm-disk-cap",
    severity: Severity::Medium,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether requests queued up at a node's OS disk (`OS Disk Queue Depth` of 10 or more on average over 5 minutes) while \
               the disk was below its own limits and the VM was at 95 percent or more of what its size may do with all disks \
               together (`VM Cached/Uncached IOPS/Bandwidth Consumed Percentage`). Looked at when pressure is asked for, or when the \
               nodes' own metrics give a reason.",
        why: "A VM size has disk limits of its own. A larger OS disk does not help then, and the node is as slow as with a throttled \
              disk.",
        evidence: "Each node with the limit it reached, the length of the queue, since when and for how long.",
        fix: "A node pool with a larger VM size, or less I/O on the node: data disks of pods count too.",
        how_sure: "Likely: from how long a queue on is trouble is nowhere documented; the limit itself is.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-machines/disks-metrics",
            "https://learn.microsoft.com/azure/virtual-machines/disks-performance",
        ],
    },
    check,
};

/// Nodes that a finding names.
const NAMED: usize = 5;

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(none) = no_nodes(ctx) {
        return none;
    }
    let view = &ctx.pressure;
    let (mut outcome, ephemeral) = open_of_disks(ctx, &view.queue, OS_DISK_QUEUE);
    if outcome.not_applicable.is_some() {
        return outcome;
    }
    if view.queue.nodes.is_empty() && !outcome.is_open() && !ephemeral.is_empty() {
        return Outcome::not_applicable("ephemeral OS disks tell no queue");
    }
    let capped = view.capped();
    if !capped.is_empty() {
        outcome.findings.push(finding(ctx, &capped));
        return outcome;
    }
    for (_, caps) in &view.vm_caps {
        for missing in &caps.missing {
            if !outcome.missing.contains(missing) {
                outcome.missing.push(missing.clone());
            }
        }
        outcome.undecided.extend(caps.undecided.iter().cloned());
    }
    for load in view.queue.nodes_with(|depth| depth >= LONG_QUEUE) {
        // A queue that the disk's own limits explain is NOD104's.
        let throttled = [&view.iops, &view.bandwidth]
            .into_iter()
            .filter_map(|loads| loads.of_node(&load.node))
            .any(|own| own.peak() >= THROTTLED);
        let mut caps = view.vm_caps.iter().map(|(_, caps)| caps);
        if !throttled && caps.all(|caps| caps.of_node(&load.node).is_none()) {
            outcome.undecided.push(format!(
                "requests queued up at the OS disk of node {}, and whether its VM was at its limits is not known",
                load.node
            ));
        }
    }
    outcome
}

fn finding(ctx: &Context<'_>, capped: &[Capped]) -> Finding {
    let first = capped.first();
    let name = first.map_or("", |c| c.node.as_str());
    let more = match capped.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let mut found = RULE
        .finding(format!(
            "The VM of node {name}{more} is at the disk limits of its size, its OS disk is not"
        ))
        .confidence(Confidence::Likely)
        .explain("Requests wait although the OS disk itself has room: what the VM size allows for all disks together is used up. Pods' data disks count too.")
        .pools(capped.iter().filter_map(|c| c.pool.as_deref()));
    let minutes = ctx.pressure.queue.minutes();
    for one in capped.iter().take(NAMED) {
        if !found.affected.resource_ids.contains(&one.resource) {
            found = found.resource(&one.resource);
        }
        found = found
            .evidence(
                format!(
                    "{} of node {}, {minutes}-minute average from {}; {} such windows",
                    one.limit, one.node, one.first, one.windows
                ),
                Some(&one.resource),
                Some(format!("{:.0} %", one.share)),
            )
            .evidence(
                format!(
                    "requests waiting at the OS disk of node {} in the same window",
                    one.node
                ),
                Some(&one.resource),
                Some(format!("{:.0}", one.queue)),
            );
    }
    let mut fix = Remediation::new(
        "Give these pods a node pool whose VM size allows more disk operations, or spread their data disks over more nodes",
    );
    let pool = first.and_then(|c| c.pool.as_deref());
    let pools = ctx.pools().unwrap_or_default();
    let size = pools
        .iter()
        .find(|p| pool.is_some_and(|name| p.name.eq_ignore_ascii_case(name)))
        .and_then(|p| p.vm_size.as_deref());
    if let (Some(location), Some(size)) = (ctx.cluster().location.as_deref(), size) {
        let family: String = size.chars().take_while(|c| !c.is_ascii_digit()).collect();
        fix = fix.command(
            Az::new("vm list-skus")
                .opt("--subscription", &ctx.cluster().subscription_id)
                .opt("--location", location)
                .opt("--resource-type", "virtualMachines")
                .opt("--size", &family)
                .opt(
                    "--query",
                    "[].{size:name, limits:capabilities[?contains(name, 'IOPS') || contains(name, 'BytesPerSecond')]}",
                )
                .build(),
        );
    }
    found.fix(fix.side_effect(
        "None: the command only lists what sizes allow. A new pool means that every pod moves",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::{OS_DISK_IOPS, VM_CAPS};
    use crate::testing::{
        closer_look, codes, denied, disk_percent, disk_queue, load_balancer, outcome, scale_set_id,
        set_metric,
    };

    fn queued(depth: f64, disk: f64, cap: f64) -> crate::facts::Facts {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        disk_queue(&mut facts, "user", depth);
        disk_percent(&mut facts, "user", OS_DISK_IOPS, disk);
        disk_percent(&mut facts, "user", VM_CAPS[3], cap);
        facts
    }

    #[test]
    fn r7_4_fires() {
        let found = outcome(&RULE, &queued(10.0, 60.0, 95.0));
        assert_eq!(codes(&found), ["NOD105"]);
        let found = &found.findings[0];
        assert_eq!(found.affected.node_pools, ["user"]);
        assert!(found.evidence[0].text.starts_with("VM Uncached Bandwidth"));
        assert_eq!(found.evidence[1].value.as_deref(), Some("10"));
    }

    #[test]
    fn r7_4_does_not_fire() {
        // No queue; a queue that the disk itself explains; a VM with room.
        for facts in [
            queued(9.9, 60.0, 99.0),
            queued(40.0, 95.0, 99.0),
            queued(40.0, 60.0, 94.0),
        ] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = queued(40.0, 60.0, 20.0);
        let refused = denied("Microsoft.Insights/Metrics/Read");
        set_metric(&mut facts, &scale_set_id("user"), VM_CAPS[0], refused);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
