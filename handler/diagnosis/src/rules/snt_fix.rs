//! The ways out of a SNAT shortage, in the guide's order: reuse connections, more addresses and ports, a shorter idle
//! timeout, a NAT gateway (R0.8, R9.19).

use super::snt_addresses::{Script, set};
use super::snt_change::Change;
use super::snt_gateway;
use super::snt_hot::hot_node;
use crate::context::{Context, Device};
use crate::report::Remediation;
use crate::snat::metric::Reading;
use crate::snat::recommend::{MAX_MANAGED_IPS, Proposal, Situation};

/// Remedies for one device under pressure, best first.
pub(crate) fn remedies(ctx: &Context<'_>, device: &Device) -> Vec<Remediation> {
    let mut remedies = vec![reuse()];
    match device {
        Device::LoadBalancer { .. } => {
            remedies.extend(hot_node(ctx, device).map(|hot| hot.spread()));
            match under_pressure(ctx, device) {
                Ok(changes) => {
                    let (moves, sizes): (Vec<_>, Vec<_>) =
                        changes.iter().partition(|change| change.nat_gateway);
                    remedies.extend(sizes.into_iter().map(Change::remediation));
                    remedies.extend(shorter_idle_timeout(ctx));
                    remedies.extend(moves.into_iter().map(Change::remediation));
                }
                Err(lacks) => {
                    remedies.push(Remediation::new(format!(
                        "More ports per node; how many cannot be said: {lacks}"
                    )));
                    remedies.extend(shorter_idle_timeout(ctx));
                }
            }
        }
        Device::NatGateway { .. } => {
            let changes = snt_gateway::changes(ctx, device);
            remedies.extend(changes.iter().map(Change::remediation));
            remedies.extend(snt_gateway::shorter_idle_timeout(ctx, device));
        }
    }
    remedies
}

fn reuse() -> Remediation {
    Remediation::new(
        "Reuse connections in the application: connection pools, HTTP keep-alive, one client per process",
    )
    .command("kubectl get nodes --output wide".to_owned())
    .side_effect("None in Azure; the command maps a node address of the evidence to its node")
}

/// Most ports that a node asked for. Where connections failed it asked for more than it had: what it had is the least.
pub(crate) fn peak(ctx: &Context<'_>, device: &Device) -> Option<u64> {
    let ports = device.ports()?.known()?;
    let used = ports.nodes.iter().map(|n| n.used_peak).max()?;
    let failing = device.failures().known().is_some_and(|f| f.total > 0);
    let had = failing.then(|| now(ctx, device)).flatten();
    Some(u64::from(used.max(had.unwrap_or(0))))
}

/// Ports per node now: as configured, else as Azure handed them out, else by band.
fn now(ctx: &Context<'_>, device: &Device) -> Option<u32> {
    if let Some(explicit) = ctx.configured_ports().filter(|ports| *ports > 0) {
        return Some(explicit);
    }
    let seen = device.ports().and_then(Reading::known);
    let seen = seen.and_then(|p| p.nodes.iter().filter_map(|n| n.allocated).max());
    seen.filter(|ports| *ports > 0)
        .or_else(|| ctx.ports_per_node())
}

/// Changes that carry the observed peak with headroom, the smallest first; the error says which figure lacks.
pub(crate) fn under_pressure(ctx: &Context<'_>, device: &Device) -> Result<Vec<Change>, String> {
    let situation = ctx.situation(now(ctx, device))?;
    let peak = peak(ctx, device).ok_or("how many ports the nodes used is not known")?;
    let failing = device.failures().known().is_some_and(|f| f.total > 0);
    let note = if failing {
        " Connections failed, so the nodes asked for more than that: look again after the change."
    } else {
        ""
    };
    let mut changes = Vec::new();
    if let Some(least) = situation.for_peak(peak) {
        let mut change = resize(ctx, &situation, least);
        change.why = format!(
            "A peak of {peak} ports on one node is at most three quarters of {}; AKS counts {} nodes (maximum and surge), which need {} of the {} ports of {}.{note}",
            least.ports,
            situation.nodes,
            situation.nodes.saturating_mul(u64::from(least.ports)),
            least.ips.saturating_mul(64_000),
            addresses(least.ips),
        );
        let trade_off = if least.ips > situation.ips {
            "Fixes the ports, and adds addresses to the egress set"
        } else {
            "The smallest number that carries the peak; the addresses stay the same"
        };
        change.trade_off = String::from(trade_off);
        changes.push(change);
        let most = situation.without_new_address(peak);
        if let Some(most) = most.filter(|most| most.ports > least.ports) {
            let mut change = resize(ctx, &situation, most);
            change.trade_off = String::from(
                "The most that the addresses of today give; no node beyond the maximum and surge of today fits then",
            );
            changes.push(change);
        }
    }
    let mut gateway = snt_gateway::move_there(ctx, device);
    if changes.is_empty() {
        gateway.why = format!(
            "No allocation within {MAX_MANAGED_IPS} addresses carries a peak of {peak} ports on one node; a NAT gateway hands its ports out on demand"
        );
    }
    changes.push(gateway);
    Ok(changes)
}

/// Changes that make every counted node fit with explicit ports (R1.25, R6.31): more addresses, then fewer ports.
pub(crate) fn more_room(ctx: &Context<'_>) -> Result<Vec<Change>, String> {
    let situation = ctx.situation(ctx.declared_ports().filter(|ports| *ports > 0))?;
    let mut changes = Vec::new();
    let room = situation.room();
    // Where all fits already, the next node or upgrade needs the next address.
    let room = room.map(|room| Proposal {
        ips: room.ips.max(situation.ips.saturating_add(1)),
        ..room
    });
    if let Some(room) = room.filter(|room| room.ips <= MAX_MANAGED_IPS) {
        let mut change = resize(ctx, &situation, room);
        change.summary = format!("Go from {} to {}", situation.ips, addresses(room.ips));
        change.why = format!(
            "{} nodes (maximum and surge) with {} ports each need {} ports",
            situation.nodes,
            room.ports,
            situation.nodes.saturating_mul(u64::from(room.ports)),
        );
        change.trade_off = String::from("Every node keeps its ports; the egress set grows");
        changes.push(change);
    }
    changes.extend(fewer_ports(ctx, &situation));
    if changes.is_empty() {
        return Err(format!(
            "no number of ports fits on {}",
            addresses(MAX_MANAGED_IPS)
        ));
    }
    Ok(changes)
}

/// Changes that fix the ports before a band boundary halves them (R1.24): on today's addresses where the observed peak
/// allows it, then with what nodes have now.
pub(crate) fn before_the_cliff(ctx: &Context<'_>) -> Result<Vec<Change>, String> {
    let device = ctx.snat.devices.iter().find(|d| d.ports().is_some());
    let ports = device.and_then(|device| now(ctx, device));
    let situation = ctx.situation(ports)?;
    let mut changes: Vec<Change> = fewer_ports(ctx, &situation).into_iter().collect();
    if let Some(room) = situation.room() {
        let mut change = resize(ctx, &situation, room);
        change.why = format!(
            "Every node keeps the {} ports that it has now, at the maximum and during upgrades too",
            room.ports
        );
        change.trade_off = String::from(if room.ips > situation.ips {
            "No node loses ports; the egress set grows"
        } else {
            "No node loses ports and no address is added"
        });
        if room.ips == situation.ips {
            // Nothing smaller is needed.
            changes = vec![change];
        } else {
            changes.push(change);
        }
    }
    if changes.is_empty() {
        changes.push(snt_gateway::move_to_one(ctx, None));
    }
    Ok(changes)
}

/// Fewer ports per node, when the observed peak leaves room for that.
fn fewer_ports(ctx: &Context<'_>, situation: &Situation) -> Option<Change> {
    let device = ctx.snat.devices.iter().find(|d| d.ports().is_some())?;
    let peak = peak(ctx, device)?;
    let most = situation.without_new_address(peak)?;
    let mut change = resize(ctx, situation, most);
    change.why = format!(
        "The most for each of {} nodes (maximum and surge) on {}; the observed peak of {peak} is at most three quarters of it",
        situation.nodes,
        addresses(situation.ips)
    );
    change.trade_off = if most.ports < situation.ports {
        format!(
            "No address is added; each node has {} ports in place of {}",
            most.ports, situation.ports
        )
    } else {
        "No address is added".to_owned()
    };
    Some(change)
}

fn resize(ctx: &Context<'_>, situation: &Situation, proposal: Proposal) -> Change {
    let before = ctx.declared_ports().unwrap_or(0);
    let Script {
        commands,
        mut side_effects,
        undo,
    } = set(ctx, proposal, situation.ips, before);
    if before == 0 {
        side_effects.push(
            "The number is fixed from then on: check it again before raising the autoscaler's maximum"
                .to_owned(),
        );
    }
    Change {
        summary: format!(
            "Give each node {} ports on {}",
            proposal.ports,
            addresses(proposal.ips)
        ),
        ports: Some(proposal.ports),
        ips: Some(proposal.ips),
        nat_gateway: false,
        why: String::new(),
        trade_off: String::new(),
        commands,
        side_effects,
        undo,
    }
}

/// `1 outbound address`
pub(crate) fn addresses(count: u64) -> String {
    let plural = if count == 1 { "" } else { "es" };
    format!("{count} outbound address{plural}")
}

pub(super) fn shorter_idle_timeout(ctx: &Context<'_>) -> Option<Remediation> {
    let rule = ctx.balancer.outbound_rule().ok().flatten()?;
    let minutes = rule.idle_timeout_minutes.filter(|minutes| *minutes > 4)?;
    let update = |minutes: u32| {
        ctx.az_aks("update")
            .number("--load-balancer-idle-timeout", u64::from(minutes))
            .build()
    };
    Some(
        Remediation::new(format!("Shorten the idle timeout from {minutes} to 4 minutes, so that ports of dead connections return sooner"))
            .command(update(4))
            .side_effect("Connections that are idle for 4 minutes are reset: use keep-alives on those")
            .undo(update(minutes)),
    )
}
