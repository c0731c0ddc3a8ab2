//! The ways out of a SNAT shortage, in the guide's order: reuse connections, more addresses, more ports (R0.8, R9.19).

use crate::commands::Az;
use crate::context::{Context, Device};
use crate::facts::lookup;
use crate::report::Remediation;
use crate::snat::usage::Reading;
use crate::snat::{MAX_MANAGED_IPS, Sizing, size_for_peak};

/// Most addresses of one NAT gateway (R1.40).
const MAX_GATEWAY_IPS: u64 = 16;

/// Remedies for one device, best first.
pub(crate) fn remedies(ctx: &Context<'_>, device: &Device) -> Vec<Remediation> {
    let mut remedies = vec![
        Remediation::new("Reuse connections in the application: connection pools, HTTP keep-alive, one client per process")
            .command("kubectl get nodes --output wide".to_owned())
            .side_effect("None in Azure; the command maps a node address of the evidence to its node"),
    ];
    match device {
        Device::LoadBalancer { .. } => {
            remedies.extend(sizing(ctx, device).and_then(|size| resize(ctx, size)));
            remedies.extend(shorter_idle_timeout(ctx));
        }
        Device::NatGateway { .. } => remedies.extend(more_gateway_addresses(ctx, device)),
    }
    remedies
}

/// Ports and addresses that carry the observed peak; `None` while a figure is missing.
pub(crate) fn sizing(ctx: &Context<'_>, device: &Device) -> Option<Sizing> {
    let Device::LoadBalancer {
        ports: Reading::Known(backends),
        ..
    } = device
    else {
        return None;
    };
    let peak = backends.iter().map(|b| b.used_peak).max()?;
    let nodes = ctx.demand().counted().filter(|n| *n > 0)?;
    let ips = ctx.balancer_ips().ok()?;
    Some(size_for_peak(
        u64::from(peak),
        ctx.ports_per_node()?,
        u64::from(nodes),
        ips,
    ))
}

fn resize(ctx: &Context<'_>, size: Sizing) -> Option<Remediation> {
    if size.nat_gateway {
        return Some(
            Remediation::new(format!(
                "Move to a NAT gateway: no allocation within {MAX_MANAGED_IPS} addresses carries the observed peak"
            ))
            .side_effect("Open connections break and the egress address changes: authorized IP ranges first"),
        );
    }
    let profile = ctx.network()?.load_balancer_profile.as_ref()?;
    let own = !profile.outbound_ips.is_empty() || !profile.outbound_ip_prefixes.is_empty();
    let now = ctx.balancer_ips().ok()?;
    let ports = u64::from(size.ports_per_node);
    let summary = format!(
        "Give each node {ports} ports on {} outbound address{}",
        size.public_ips,
        if size.public_ips == 1 { "" } else { "es" }
    );
    let fix = Remediation::new(summary)
        .side_effect("Azure hands the ports out anew: open outbound connections can drop")
        .side_effect("The number is fixed from then on: check it again before raising the autoscaler's maximum");
    if own && size.public_ips > now {
        let more = size.public_ips - now;
        return Some(
            fix.side_effect(format!(
                "The outbound addresses are your own: create {more} more and name the full list with --load-balancer-outbound-ips in the same call"
            ))
            .command(ctx.az_aks("update").number("--load-balancer-outbound-ports", ports).build()),
        );
    }
    let update = |ips: u64, ports: u64| {
        let command = ctx.az_aks("update");
        let command = if own {
            command
        } else {
            with_ip_count(ctx, command, ips)
        };
        command
            .number("--load-balancer-outbound-ports", ports)
            .build()
    };
    let before = u64::from(ctx.configured_ports()?);
    let fix = if size.public_ips > now {
        fix.side_effect(
            "The new addresses join the egress set: allow-lists elsewhere must know them first",
        )
    } else {
        fix
    };
    Some(
        fix.command(update(size.public_ips, ports))
            .undo(update(now, before)),
    )
}

/// The managed address count, with the IPv6 count that dual stack needs in the same call (R1.31).
fn with_ip_count(ctx: &Context<'_>, command: Az, ips: u64) -> Az {
    let command = command.number("--load-balancer-managed-outbound-ip-count", ips);
    let v6 = ctx
        .network()
        .and_then(|n| n.load_balancer_profile.as_ref())
        .and_then(|p| p.managed_outbound_ipv6_count)
        .filter(|count| *count > 0);
    match v6 {
        Some(count) => command.number(
            "--load-balancer-managed-outbound-ipv6-count",
            u64::from(count),
        ),
        None => command,
    }
}

fn shorter_idle_timeout(ctx: &Context<'_>) -> Option<Remediation> {
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

fn more_gateway_addresses(ctx: &Context<'_>, device: &Device) -> Option<Remediation> {
    let gateway = lookup(&ctx.facts.nat_gateways, device.id()).as_known()?;
    let now = ctx.gateway_ips(gateway).ok()?;
    if now >= MAX_GATEWAY_IPS {
        return Some(Remediation::new(format!(
            "Split the subnets over several NAT gateways: {} has all {MAX_GATEWAY_IPS} addresses it can have",
            gateway.id.name()
        )));
    }
    let fix = Remediation::new(format!(
        "Give NAT gateway {} one more address",
        gateway.id.name()
    ))
    .side_effect("The new address joins the egress set: allow-lists elsewhere must know it first");
    let own = ctx.outbound_type() == Some(&crate::facts::OutboundType::UserAssignedNatGateway);
    if !own {
        let count = |n| {
            ctx.az_aks("update")
                .number("--nat-gateway-managed-outbound-ip-count", n)
                .build()
        };
        return Some(fix.command(count(now + 1)).undo(count(now)));
    }
    let name = format!("{}-ip-{}", gateway.id.name(), now + 1);
    let az = |verb: &str, name: &str| {
        Az::new(verb)
            .opt(
                "--subscription",
                gateway.id.subscription().unwrap_or_default(),
            )
            .opt(
                "--resource-group",
                gateway.id.resource_group().unwrap_or_default(),
            )
            .opt("--name", name)
    };
    let sku = gateway.sku.as_deref().unwrap_or("Standard");
    let update = |extra: Option<&str>| {
        let start = az("network nat gateway update", gateway.id.name()).build();
        let ips = gateway
            .public_ips
            .iter()
            .map(crate::facts::Id::as_str)
            .chain(extra);
        let list: Vec<String> = ips.map(crate::commands::quote).collect();
        format!("{start} --public-ip-addresses {}", list.join(" "))
    };
    Some(
        fix.command(
            az("network public-ip create", &name)
                .opt("--sku", sku)
                .build(),
        )
        .command(update(Some(&name)))
        .undo(update(None)),
    )
}
