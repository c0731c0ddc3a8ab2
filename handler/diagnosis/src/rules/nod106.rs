//! NOD106: a small managed OS disk under pressure.

use super::nod_fix::{ephemeral_room, is_ephemeral, new_pool};
use super::nod_nodes::{no_nodes, open_of_disks};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{AgentPool, Missing};
use crate::pressure::{GIB_OF_A_GOOD_OS_DISK, OS_DISK_BANDWIDTH, OS_DISK_IOPS};
use crate::report::{Finding, Severity};

/// A small managed OS disk under pressure.
pub(super) const RULE: Rule = Rule {
    code: "NOD106",
    slug: "small-managed-os-disk",
    severity: Severity::Low,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether a node pool under disk pressure has a managed OS disk of less than 512 GiB, or one where its VM size could \
               have an ephemeral one of the same size. Looked at when pressure is asked for, or when the nodes' own metrics give a \
               reason.",
        why: "A managed disk's IOPS and bandwidth grow with its size: 128 GiB have 500 IOPS, 512 GiB have 2,300. An ephemeral OS disk \
              lies on the host and has no such limits.",
        evidence: "The pool's OS disk, its VM size, and the largest ephemeral OS disk that the size can have.",
        fix: "A new node pool with a better OS disk: neither type nor size of an existing pool's disk can be changed.",
        how_sure: "Certain about disk and size. What the VM size can have comes from Azure's list of sizes for the region.",
        references: &[
            "https://learn.microsoft.com/azure/aks/concepts-storage",
            "https://learn.microsoft.com/azure/virtual-machines/ephemeral-os-disks",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(none) = no_nodes(ctx) {
        return none;
    }
    let pools = match ctx.pools() {
        Ok(pools) => pools,
        Err(missing) => return Outcome::missing(missing),
    };
    let view = &ctx.pressure;
    let pressed = view.pools_under_disk_pressure();
    let mut outcome = Outcome::passed();
    for pool in pools.iter().filter(|pool| pressed.contains(&pool.name)) {
        match judge(ctx, pool) {
            Ok(found) => outcome.findings.extend(found),
            Err(missing) => outcome.missing.push(missing),
        }
    }
    if !outcome.findings.is_empty() || outcome.is_open() {
        return outcome;
    }
    // Whether a pool is under pressure is what the other checks tell.
    let mut unasked = None;
    for (name, loads) in [
        (OS_DISK_IOPS, &view.iops),
        (OS_DISK_BANDWIDTH, &view.bandwidth),
    ] {
        let (open, _) = open_of_disks(ctx, loads, name);
        unasked = unasked.or_else(|| open.not_applicable.clone());
        outcome.absorb(open);
        outcome.missing.dedup();
    }
    match unasked {
        Some(why) if !outcome.is_open() => Outcome::not_applicable(why),
        _ => outcome,
    }
}

fn judge(ctx: &Context<'_>, pool: &AgentPool) -> Result<Option<Finding>, Missing> {
    let (Some(kind), Some(size)) = (pool.os_disk_type.as_deref(), pool.os_disk_size_gb) else {
        return Err(Missing {
            what: format!("OS disk of node pool {}", pool.name),
            how: crate::facts::Datum::not_asked("the pool's body does not say"),
        });
    };
    if is_ephemeral(pool) {
        return Ok(None);
    }
    let room = ephemeral_room(ctx, pool);
    let possible = room.is_some_and(|room| room > 0 && size <= room);
    let small = size < GIB_OF_A_GOOD_OS_DISK;
    if !small && !possible {
        // A large disk is still not the best if an ephemeral one would do.
        if room.is_some() {
            return Ok(None);
        }
        let sizes = &ctx.facts.pressure.vm_sizes;
        sizes.known(|| "VM sizes of the region".to_owned())?;
        let what = match pool.vm_size.as_deref() {
            Some(size) => format!("what VM size {size} can do with its OS disk"),
            None => format!("VM size of node pool {}", pool.name),
        };
        return Err(Missing {
            what,
            how: crate::facts::Datum::Absent,
        });
    }
    let title = if small {
        format!(
            "Node pool {} is under disk pressure with a managed OS disk of {size} GiB",
            pool.name
        )
    } else {
        format!(
            "Node pool {} is under disk pressure and could have ephemeral OS disks",
            pool.name
        )
    };
    let limits = size_limits(size);
    let mut finding = RULE
        .finding(title)
        .explain("IOPS and bandwidth of a managed disk grow with its size, and container images, logs and the kubelet share it.")
        .evidence(
            format!("OS disk of node pool {}{limits}", pool.name),
            Some(&ctx.cluster().id),
            Some(format!("{kind}, {size} GiB")),
        )
        .pools([pool.name.as_str()])
        .resource(&ctx.cluster().id);
    if let (Some(room), Some(vm_size)) = (room, &pool.vm_size) {
        let value = match room {
            0 => "none".to_owned(),
            gib => format!("{gib} GiB"),
        };
        finding = finding.evidence(
            format!("largest ephemeral OS disk that {vm_size} can have"),
            None,
            Some(value),
        );
    }
    Ok(Some(match new_pool(ctx, &pool.name) {
        Some(fix) => finding.fix(fix),
        None => finding,
    }))
}

/// What Azure gives a premium disk of this size (R7.6).
fn size_limits(gib: u32) -> &'static str {
    match gib {
        65..=128 => " (as a premium disk 500 IOPS and 100 MB/s)",
        129..=256 => " (as a premium disk 1,100 IOPS and 125 MB/s)",
        257..=512 => " (as a premium disk 2,300 IOPS and 150 MB/s)",
        513..=1_024 => " (as a premium disk 5,000 IOPS and 200 MB/s)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, VmSize};
    use crate::testing::{
        closer_look, codes, denied, disk_percent, load_balancer, outcome, pools_mut, scale_set_id,
        set_metric,
    };

    /// Pool `user` under pressure with this OS disk, on a size that can have an ephemeral one up to `room`.
    fn pressed(kind: &str, gib: u32, room: u64) -> Facts {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        disk_percent(&mut facts, "user", OS_DISK_IOPS, 88.0);
        let pool = &mut pools_mut(&mut facts)[1];
        pool.os_disk_type = Some(kind.to_owned());
        pool.os_disk_size_gb = Some(gib);
        let size = VmSize {
            ephemeral_os_disk: Some(room > 0),
            cache_bytes: Some(room << 30),
            ..VmSize::default()
        };
        let sizes = [("standard_d4s_v5".to_owned(), size)];
        facts.pressure.vm_sizes = Datum::Known(sizes.into());
        facts
    }

    #[test]
    fn r7_6_fires() {
        let found = outcome(&RULE, &pressed("Managed", 128, 0));
        assert_eq!(codes(&found), ["NOD106"]);
        let found = &found.findings[0];
        assert_eq!(found.affected.node_pools, ["user"]);
        let add = &found.remediation[0].commands[0];
        assert!(
            add.contains("--node-osdisk-type Managed --node-osdisk-size 512"),
            "{add}"
        );
        assert!(found.remediation[0].undo[1].contains("delete"));
    }

    #[test]
    fn r7_7_fires_where_an_ephemeral_disk_would_do() {
        let found = outcome(&RULE, &pressed("Managed", 512, 600));
        assert!(found.findings[0].title.contains("could have ephemeral"));
        let add = &found.findings[0].remediation[0].commands[0];
        assert!(
            add.contains("--node-osdisk-type Ephemeral --node-osdisk-size 512"),
            "{add}"
        );
    }

    #[test]
    fn r7_6_does_not_fire() {
        assert_eq!(
            outcome(&RULE, &pressed("Managed", 512, 0)),
            Outcome::passed()
        );
        assert_eq!(
            outcome(&RULE, &pressed("Ephemeral", 128, 200)),
            Outcome::passed()
        );
        // Without pressure a small disk is no finding.
        let mut calm = pressed("Managed", 128, 0);
        disk_percent(&mut calm, "user", OS_DISK_IOPS, 20.0);
        assert_eq!(outcome(&RULE, &calm), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = pressed("Managed", 512, 0);
        facts.pressure.vm_sizes = denied("Microsoft.Compute/skus/read");
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let mut facts = pressed("Managed", 128, 0);
        set_metric(&mut facts, &scale_set_id("user"), OS_DISK_IOPS, denied("x"));
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = pressed("Managed", 128, 0);
        pools_mut(&mut facts)[1].os_disk_size_gb = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
