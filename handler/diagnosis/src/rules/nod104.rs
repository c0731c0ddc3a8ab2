//! NOD104: an OS disk is at its limits.

use super::nod_fix::new_pool;
use super::nod_nodes::{first_and_more, first_pool, no_nodes, open_of_disks, with_nodes};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::pressure::{Loads, NEARLY_THROTTLED, OS_DISK_BANDWIDTH, OS_DISK_IOPS, THROTTLED};
use crate::report::{Finding, Remediation, Severity};

/// An OS disk is at its limits.
pub(super) const RULE: Rule = Rule {
    code: "NOD104",
    slug: "os-disk-throttled",
    severity: Severity::High,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether the OS disk of a node used 95 percent or more of its IOPS or bandwidth on average over 5 minutes \
               (`OS Disk IOPS Consumed Percentage`, `OS Disk Bandwidth Consumed Percentage`); from 80 percent on it is medium. Looked \
               at when pressure is asked for, or when the nodes' own metrics give a reason.",
        why: "Azure delays every request beyond a disk's limits. Container images, logs and the kubelet share the OS disk, so names \
              time out, nodes become not ready and pulls fail: it looks like trouble of the network.",
        evidence: "Each node with its highest 5-minute average, when that was and since when it was above the limit; and how many \
                   SNAT connections failed in the same minutes.",
        fix: "A node pool with an ephemeral OS disk, or with a larger managed one. An existing pool's OS disk cannot be changed.",
        how_sure: "Certain about the figures. Ephemeral OS disks have no such limits and give no figures; neither do VM sizes \
                   without premium storage, for which the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-machines/disks-metrics",
            "https://learn.microsoft.com/azure/aks/concepts-storage",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(none) = no_nodes(ctx) {
        return none;
    }
    let view = &ctx.pressure;
    let mut outcome = Outcome::passed();
    let mut ephemeral: Vec<String> = Vec::new();
    let mut unasked = None;
    for (name, what, loads) in [
        (OS_DISK_IOPS, "IOPS", &view.iops),
        (OS_DISK_BANDWIDTH, "bandwidth", &view.bandwidth),
    ] {
        let (open, without_limits) = open_of_disks(ctx, loads, name);
        unasked = unasked.or_else(|| open.not_applicable.clone());
        outcome.absorb(open);
        outcome.missing.dedup();
        ephemeral.extend(without_limits);
        outcome.findings.extend(found(ctx, name, what, loads));
    }
    let heard = !view.iops.nodes.is_empty() || !view.bandwidth.nodes.is_empty();
    if heard || outcome.is_open() {
        return outcome;
    }
    if let Some(why) = unasked {
        return Outcome::not_applicable(why);
    }
    match ephemeral.first() {
        Some(_) => Outcome::not_applicable(
            "the OS disks are ephemeral: no managed disk's limits apply to them",
        ),
        None => Outcome::not_applicable("no node has an OS disk that Azure measures"),
    }
}

fn found(ctx: &Context<'_>, name: &str, what: &str, loads: &Loads) -> Option<Finding> {
    let nodes = loads.nodes_with(|value| value >= NEARLY_THROTTLED);
    let peak = nodes.first()?.peak();
    let (severity, limit) = if peak >= THROTTLED {
        (Severity::High, THROTTLED)
    } else {
        (Severity::Medium, NEARLY_THROTTLED)
    };
    let nodes: Vec<_> = nodes
        .into_iter()
        .filter(|load| load.peak() >= limit)
        .collect();
    let title = if severity == Severity::High {
        format!(
            "The OS disk of {} is throttled: {peak:.0} % of its {what}",
            first_and_more(&nodes)
        )
    } else {
        format!(
            "The OS disk of {} is near its limit: {peak:.0} % of its {what}",
            first_and_more(&nodes)
        )
    };
    let mut finding = RULE
        .finding(title)
        .severity(severity)
        .explain("Requests beyond the disk's limits wait. Whatever the node does meanwhile waits with them: container starts, image pulls, the kubelet's own reports, name resolution on the node.")
        .pools(nodes.iter().filter_map(|load| load.pool.as_deref()));
    for load in &nodes {
        if !finding.affected.resource_ids.contains(&load.resource) {
            finding = finding.resource(&load.resource);
        }
    }
    let over = format!("at {limit:.0} % or more");
    finding = with_nodes(ctx, finding, loads, &nodes, (name, &over), |value| {
        value >= limit
    });
    Some(match first_pool(&nodes).and_then(|pool| new_pool(ctx, pool)) {
        Some(fix) => finding.fix(fix),
        None => finding.fix(Remediation::new(
            "Move the pods to a node pool with ephemeral OS disks, or with managed ones of 512 GiB or more",
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, MetricAggregation};
    use crate::testing::{
        closer_look, codes, denied, disk_percent, load_balancer, metric, outcome, pools_mut,
        scale_set_id, set_metric,
    };

    #[test]
    fn r7_4_fires() {
        for (value, severity) in [(95.0, Severity::High), (80.0, Severity::Medium)] {
            let mut facts = load_balancer();
            closer_look(&mut facts);
            disk_percent(&mut facts, "user", OS_DISK_IOPS, value);
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["NOD104"], "{value}");
            let found = &found.findings[0];
            assert_eq!(found.severity, severity);
            assert_eq!(found.affected.node_pools, ["user"]);
            assert!(
                found.title.contains("aks-user-vmss000000"),
                "{}",
                found.title
            );
            assert!(!found.blocks_egress);
        }
    }

    #[test]
    fn r7_5_what_looks_like_a_network_fault_is_told() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        disk_percent(&mut facts, "user", OS_DISK_IOPS, 100.0);
        let found = outcome(&RULE, &facts);
        let told = &found.findings[0].explanation;
        for victim in ["name resolution", "the kubelet's own reports"] {
            assert!(told.contains(victim), "{told}");
        }
    }

    #[test]
    fn r7_4_does_not_fire() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        disk_percent(&mut facts, "user", OS_DISK_BANDWIDTH, 79.9);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // Nobody asked: nothing is said, and least of all "passed".
        let not_asked = outcome(&RULE, &load_balancer());
        assert!(
            not_asked
                .not_applicable
                .unwrap()
                .contains("egress/pressure")
        );
    }

    #[test]
    fn r7_4_ephemeral_disks_without_data_are_normal() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        for pool in ["system", "user"] {
            for name in [OS_DISK_IOPS, OS_DISK_BANDWIDTH] {
                let empty = metric(MetricAggregation::Average, Vec::new());
                set_metric(&mut facts, &scale_set_id(pool), name, empty);
            }
        }
        assert!(
            outcome(&RULE, &facts).is_open(),
            "managed disks have figures"
        );
        for pool in pools_mut(&mut facts) {
            pool.os_disk_type = Some("Ephemeral".to_owned());
        }
        let found = outcome(&RULE, &facts);
        assert!(found.not_applicable.unwrap().contains("ephemeral"));
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        let refused = denied("Microsoft.Insights/Metrics/Read");
        set_metric(&mut facts, &scale_set_id("user"), OS_DISK_IOPS, refused);
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        facts.scale_sets = denied("Microsoft.Compute/virtualMachineScaleSets/read");
        facts.pressure.machines = Datum::Known(Vec::new());
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
    }
}
