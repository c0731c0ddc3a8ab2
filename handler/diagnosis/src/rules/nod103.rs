//! NOD103: a node's disk is full.

use super::nod_fix::new_pool;
use super::nod_nodes::{above, first_and_more, first_pool};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::quote;
use crate::context::Context;
use crate::pressure::{DISK_SPACE, NODE_LIMIT};
use crate::report::{Remediation, Severity};

/// A node's disk is full.
pub(super) const RULE: Rule = Rule {
    code: "NOD103",
    slug: "node-disk-space",
    severity: Severity::Medium,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether a disk of a node (`node_disk_usage_percentage`, the fullest device) was above 90 percent full on average \
               over 5 minutes.",
        why: "A node without disk space evicts pods, deletes images and pulls them again, and in the end is not ready. Image pulls \
              that fail then look like blocked egress.",
        evidence: "Each node with its highest 5-minute average and when that was.",
        fix: "Find what fills the disk (images, logs, emptyDir volumes); a larger OS disk needs a new node pool.",
        how_sure: "Certain about the figures. Which device it is does not show in a report.",
        references: &[
            "https://learn.microsoft.com/azure/aks/best-practices-monitoring-proactive",
            "https://learn.microsoft.com/azure/aks/concepts-storage",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let loads = &ctx.pressure.disk_space;
    above(ctx, loads, (DISK_SPACE, NODE_LIMIT), |nodes| {
        let peak = nodes.first().map_or(0.0, |load| load.peak());
        let mut fix = Remediation::new(
            "Find what fills the disk: images, container logs, emptyDir volumes without a size limit",
        );
        if let Some(load) = nodes.first() {
            fix = fix.command(format!("kubectl describe node {}", quote(&load.node)));
        }
        let mut found = RULE
            .finding(format!(
                "The disk of {} was {peak:.0} % full",
                first_and_more(nodes)
            ))
            .explain("Near its limit the kubelet deletes images and evicts pods, and images are pulled again and again.")
            .fix(fix.side_effect("None: the command only reads"));
        if let Some(fix) = first_pool(nodes).and_then(|pool| new_pool(ctx, pool)) {
            found = found.fix(fix);
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, VmSize};
    use crate::testing::{
        codes, denied, load_balancer, node_percent, outcome, pools_mut, set_metric,
    };

    #[test]
    fn r7_7_a_full_disk_is_not_replaced_by_one_of_the_same_size() {
        let disk = |percent: f64| {
            let mut facts = load_balancer();
            let pool = &mut pools_mut(&mut facts)[1];
            pool.os_disk_size_gb = Some(128);
            pool.os_disk_type = Some("Managed".to_owned());
            let name = pool.name.clone();
            let size = VmSize {
                ephemeral_os_disk: Some(true),
                cache_bytes: Some(300 << 30),
                ..VmSize::default()
            };
            let sizes = [("standard_d4s_v5".to_owned(), size)];
            facts.pressure.vm_sizes = Datum::Known(sizes.into());
            node_percent(&mut facts, DISK_SPACE, &[("a", &name, percent)]);
            let ctx = Context::new(&facts);
            let fix = new_pool(&ctx, &name).unwrap();
            let command = fix.commands[0].clone();
            command
                .split_once("--node-osdisk-type ")
                .unwrap()
                .1
                .to_owned()
        };
        // 300 GiB of room hold an ephemeral disk of 128 GiB, but none of 512 GiB.
        assert_eq!(disk(20.0), "Ephemeral --node-osdisk-size 128");
        assert_eq!(disk(97.0), "Managed --node-osdisk-size 512");
    }

    #[test]
    fn r7_1_fires() {
        let mut facts = load_balancer();
        let nodes = [("a", "user", 97.0), ("b", "system", 30.0)];
        node_percent(&mut facts, DISK_SPACE, &nodes);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NOD103"]);
        let found = &found.findings[0];
        assert_eq!(found.title, "The disk of node a was 97 % full");
        assert_eq!(found.affected.node_pools, ["user"]);
        // R7.6: a pool's disk cannot be changed, so the way is a new pool.
        let commands = &found.remediation[1].commands;
        assert!(
            commands[0].starts_with("az aks nodepool add"),
            "{commands:?}"
        );
        assert!(
            commands[0].contains("--node-osdisk-size 512"),
            "{commands:?}"
        );
    }

    #[test]
    fn r7_1_does_not_fire() {
        let mut facts = load_balancer();
        node_percent(&mut facts, DISK_SPACE, &[("a", "user", 90.0)]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        let id = facts.cluster.id.clone();
        set_metric(
            &mut facts,
            &id,
            DISK_SPACE,
            denied("Microsoft.Insights/Metrics/Read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
    }
}
