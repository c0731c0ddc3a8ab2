//! What to do about nodes that have too much to do (R7.6, R7.7, R9.15).

use crate::commands::{Az, quote};
use crate::context::Context;
use crate::facts::AgentPool;
use crate::pressure::{GIB_OF_A_GOOD_OS_DISK, ephemeral_gib};
use crate::report::Remediation;

/// `az aks nodepool {verb}` on a pool.
fn az_pool(ctx: &Context<'_>, verb: &str, pool: &str) -> Az {
    let cluster = ctx.cluster();
    Az::new(&format!("aks nodepool {verb}"))
        .opt("--subscription", &cluster.subscription_id)
        .opt("--resource-group", &cluster.resource_group)
        .opt("--cluster-name", &cluster.name)
        .opt("--name", pool)
}

fn pool<'f>(ctx: &Context<'f>, name: &str) -> Option<&'f AgentPool> {
    let mut pools = ctx.pools().ok()?.iter();
    pools.find(|pool| pool.name.eq_ignore_ascii_case(name))
}

/// Finding out which pods use it comes before anything that costs.
pub(super) fn find_pods(what: &str, node: Option<&str>) -> Remediation {
    let mut fix = Remediation::new(format!(
        "Find the pods that use the {what}, and give them requests and limits that fit, or spread them over more nodes"
    ))
    .command(format!(
        "kubectl top pods --all-namespaces --sort-by={}",
        if what == "CPU" { "cpu" } else { "memory" }
    ));
    if let Some(node) = node {
        fix = fix.command(format!(
            "kubectl get pods --all-namespaces --output wide --field-selector {}",
            quote(&format!("spec.nodeName={node}"))
        ));
    }
    fix.side_effect("The commands only read; pods restart when their requests or limits change")
}

/// One node more, or a higher maximum for the autoscaler.
pub(super) fn one_more_node(ctx: &Context<'_>, name: &str) -> Option<Remediation> {
    let pool = pool(ctx, name)?;
    let fix = if pool.auto_scaling == Some(true) {
        let (min, max) = (pool.min_count?, pool.max_count?);
        let bounds = |max: u32| {
            az_pool(ctx, "update", name)
                .flag("--update-cluster-autoscaler")
                .number("--min-count", min.into())
                .number("--max-count", max.into())
                .build()
        };
        Remediation::new(format!(
            "Let the autoscaler give node pool {name} more than {max} nodes; it grows only when pods cannot be scheduled, so requests must say what they use"
        ))
        .command(bounds(max.checked_add(1)?))
        .undo(bounds(max))
    } else {
        let count = pool.count?;
        let scale = |count: u32| {
            az_pool(ctx, "scale", name)
                .number("--node-count", count.into())
                .build()
        };
        let wanted = count.checked_add(1)?;
        Remediation::new(format!(
            "Give node pool {name} {wanted} nodes in place of {count}"
        ))
        .command(scale(wanted))
        .undo(scale(count))
    };
    Some(
        fix.side_effect("Costs a node, and takes SNAT ports and addresses for it: `snat.capacity` says whether they fit")
            .side_effect("Pods that run already stay where they are; restart them to spread them"),
    )
}

/// What a pool's OS disk could be in place of what it is.
enum BetterDisk {
    Ephemeral(u32),
    Managed(u32),
}

fn better_disk(ctx: &Context<'_>, pool: &AgentPool) -> BetterDisk {
    let size = pool.os_disk_size_gb.unwrap_or(GIB_OF_A_GOOD_OS_DISK);
    // The next tier of managed disks is twice as large; an OS disk ends at 2 TiB.
    let larger = match size {
        size if size < GIB_OF_A_GOOD_OS_DISK => GIB_OF_A_GOOD_OS_DISK,
        size => size.saturating_mul(2).min(2_048),
    };
    // A full disk needs room, a throttled one other limits.
    let wanted = if ctx.pressure.is_crowded(&pool.name) {
        larger
    } else {
        size
    };
    match ephemeral_room(ctx, pool) {
        Some(room) if !is_ephemeral(pool) && room > 0 && wanted <= room => {
            BetterDisk::Ephemeral(wanted)
        }
        _ => BetterDisk::Managed(larger),
    }
}

/// The largest ephemeral OS disk of the pool's VM size in GiB; `None` when it is not known.
pub(crate) fn ephemeral_room(ctx: &Context<'_>, pool: &AgentPool) -> Option<u32> {
    let sizes = ctx.facts.pressure.vm_sizes.as_known()?;
    ephemeral_gib(sizes.get(&pool.vm_size.as_ref()?.to_ascii_lowercase())?)
}

pub(super) fn is_ephemeral(pool: &AgentPool) -> bool {
    pool.os_disk_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("ephemeral"))
}

/// A pool beside the old one with a better OS disk: neither type nor size of an existing pool can be changed (R7.6).
pub(super) fn new_pool(ctx: &Context<'_>, name: &str) -> Option<Remediation> {
    let pool = pool(ctx, name)?;
    let (words, kind, size) = match better_disk(ctx, pool) {
        BetterDisk::Ephemeral(size) => (
            format!("an ephemeral OS disk of {size} GiB, which has no managed disk's limits"),
            "Ephemeral",
            size,
        ),
        BetterDisk::Managed(size) => (
            format!("a managed OS disk of {size} GiB, which has more room and higher limits"),
            "Managed",
            size,
        ),
    };
    let new = replacement_name(ctx, pool);
    let mut add = az_pool(ctx, "add", &new);
    if let Some(mode) = &pool.mode {
        add = add.opt("--mode", mode.as_str());
    }
    if let Some(os) = &pool.os_type {
        add = add.opt("--os-type", os);
    }
    if pool.is_machines() {
        add = add.opt("--vm-set-type", "VirtualMachines");
    }
    if let Some(vm_size) = &pool.vm_size {
        add = add.opt("--node-vm-size", vm_size);
    }
    if let Some(count) = pool.count {
        add = add.number("--node-count", count.into());
    }
    if let (Some(true), Some(min), Some(max)) = (pool.auto_scaling, pool.min_count, pool.max_count)
    {
        add = add
            .flag("--enable-cluster-autoscaler")
            .number("--min-count", min.into())
            .number("--max-count", max.into());
    }
    if let Some(subnet) = &pool.vnet_subnet_id {
        add = add.opt("--vnet-subnet-id", subnet.as_str());
    }
    if let Some(subnet) = &pool.pod_subnet_id {
        add = add.opt("--pod-subnet-id", subnet.as_str());
    }
    let add = add
        .opts("--zones", pool.zones.iter().map(String::as_str))
        .opt("--node-osdisk-type", kind)
        .number("--node-osdisk-size", size.into());
    let nodes = |pool: &str| quote(&format!("agentpool={pool}"));
    Some(
        Remediation::new(format!(
            "Replace node pool {name} by one with {words}; an existing pool's OS disk cannot be changed"
        ))
        .command(add.build())
        .command(format!("kubectl cordon --selector {}", nodes(name)))
        .command(format!(
            "kubectl drain --selector {} --ignore-daemonsets --delete-emptydir-data",
            nodes(name)
        ))
        .command(az_pool(ctx, "delete", name).build())
        .side_effect("Every pod of the pool restarts on another node, and data in emptyDir volumes is lost")
        .side_effect("Both pools exist for a while: quota, addresses and SNAT ports must be there for the nodes of both")
        .side_effect("Labels, taints and further settings of the old pool have to be given to the new one too")
        .undo(format!("kubectl uncordon --selector {}", nodes(name)))
        .undo(az_pool(ctx, "delete", &new).build())
        .undo(format!("After node pool {name} is deleted: add it again with its old OS disk and move back the same way")),
    )
}

/// A name that no pool of the cluster has: 12 letters and digits at most, 6 on Windows.
fn replacement_name(ctx: &Context<'_>, pool: &AgentPool) -> String {
    let windows = pool.os_type.as_deref() == Some("Windows");
    let longest = if windows { 6 } else { 12 };
    let base: String = pool.name.chars().take(longest - 1).collect();
    let taken = |name: &str| {
        let pools = ctx.pools().unwrap_or_default();
        pools
            .iter()
            .any(|pool| pool.name.eq_ignore_ascii_case(name))
    };
    ('2'..='9')
        .map(|digit| format!("{base}{digit}"))
        .find(|name| !taken(name))
        .unwrap_or_else(|| format!("{base}x"))
}
