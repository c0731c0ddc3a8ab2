//! `snat`: port usage, capacity and what to change.

use crate::context::{Context, Device, FirewallUse, owning_firewall};
use crate::facts::{OutboundType, lookup};
use crate::order::Order as _;
use crate::report::{Backend, Capacity, Method, Recommendation, Snat, SnatDevice};
use crate::rules::fwl_metrics::more_addresses;
use crate::rules::snt_change::{Change, recommendation};
use crate::rules::{nat_pressure, snt_fix, snt_gateway};
use crate::sections::snat_series::series;
use crate::snat::capacity::{NAT_GATEWAY_PORTS_PER_IP, automatic_ports, band_end};
use crate::snat::rejection::Rejection;
use crate::snat::usage::{Failures, Ports};

/// Usage and capacity of the devices that translate.
pub(crate) fn snat(ctx: &Context<'_>) -> Snat {
    let devices = &ctx.snat.devices;
    let kind = kind(ctx);
    let failures: Option<Vec<&Failures>> = devices.iter().map(|d| d.failures().known()).collect();
    let failures = failures.filter(|f| !f.is_empty() && ctx.snat.missing.is_empty());
    let ports = ports(devices);
    let peak_connections = connections(devices);
    let firewall = ctx.snat.firewalls.first();
    let mut resource_ids: Vec<_> = devices.iter().map(|d| d.id().clone()).collect();
    if kind == SnatDevice::AzureFirewall {
        resource_ids.extend(ctx.snat.firewalls.iter().map(|f| f.id.clone()));
    }
    let capacity = capacity(ctx, kind, peak_connections);
    Snat {
        device: kind,
        resource_ids,
        failed_connections: failures.as_ref().map(|f| f.iter().map(|f| f.total).sum()),
        failed_windows: failures.as_ref().map(|f| windows(f)),
        failed_window_minutes: failures.as_ref().and_then(|f| {
            let longest = f.iter().map(|f| f.window_minutes).max()?;
            u32::try_from(longest).ok()
        }),
        allocated_per_node: allocated(ports).or_else(|| {
            (kind == SnatDevice::LoadBalancer)
                .then(|| ctx.ports_per_node())
                .flatten()
        }),
        used_peak: match kind {
            SnatDevice::LoadBalancer => ports
                .and_then(|p| p.nodes.iter().map(|b| b.used_peak).max())
                .map(u64::from),
            SnatDevice::NatGateway => peak_connections,
            _ => None,
        },
        utilization_peak: match kind {
            SnatDevice::LoadBalancer => ports.and_then(highest),
            SnatDevice::NatGateway => share(peak_connections, capacity.as_ref()),
            SnatDevice::AzureFirewall => firewall.and_then(firewall_share),
            SnatDevice::None | SnatDevice::Unknown => None,
        },
        backends: ports.map(|p| backends(ctx, p, devices)).unwrap_or_default(),
        series: series(ctx, kind, capacity.as_ref()),
        capacity,
        recommendation: advice(ctx),
    }
}

/// One word for the devices; where the paths mix, what the outbound type declares.
fn kind(ctx: &Context<'_>) -> SnatDevice {
    let mut kinds: Vec<SnatDevice> = ctx
        .paths
        .iter()
        .map(|path| match path.carrier.method {
            Method::LoadBalancer => SnatDevice::LoadBalancer,
            Method::NatGateway => SnatDevice::NatGateway,
            Method::AzureFirewall => SnatDevice::AzureFirewall,
            Method::VirtualAppliance if owning_firewall(ctx.facts, path).is_some() => {
                SnatDevice::AzureFirewall
            }
            Method::None => SnatDevice::None,
            _ => SnatDevice::Unknown,
        })
        .collect();
    kinds.order();
    kinds.dedup();
    let declared = match ctx.outbound_type() {
        Some(OutboundType::LoadBalancer) => SnatDevice::LoadBalancer,
        Some(other) if other.is_nat_gateway() => SnatDevice::NatGateway,
        _ => SnatDevice::Unknown,
    };
    match kinds.as_slice() {
        [one] => *one,
        many if many.contains(&declared) => declared,
        _ => SnatDevice::Unknown,
    }
}

fn ports(devices: &[Device]) -> Option<&Ports> {
    devices.iter().find_map(|device| device.ports()?.known())
}

fn connections(devices: &[Device]) -> Option<u64> {
    devices
        .iter()
        .filter_map(|device| match device {
            Device::NatGateway { connections, .. } => connections.known().map(|c| c.peak),
            Device::LoadBalancer { .. } => None,
        })
        .max()
}

fn windows(failures: &[&Failures]) -> u32 {
    let mut windows: Vec<i64> = failures
        .iter()
        .flat_map(|f| f.windows.iter().copied())
        .collect();
    windows.order();
    windows.dedup();
    u32::try_from(windows.len()).unwrap_or(u32::MAX)
}

/// The allocation that every node has; none when they differ.
fn allocated(ports: Option<&Ports>) -> Option<u32> {
    let mut allocations: Vec<u32> = ports?.nodes.iter().filter_map(|b| b.allocated).collect();
    allocations.dedup();
    match allocations.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn highest(ports: &Ports) -> Option<f64> {
    let shares = ports.nodes.iter().filter_map(|b| b.utilization);
    shares.max_by(f64::total_cmp)
}

/// Connections as a share of a NAT gateway's ports.
fn share(peak: Option<u64>, capacity: Option<&Capacity>) -> Option<f64> {
    let per_ip = f64::from(NAT_GATEWAY_PORTS_PER_IP);
    let ips = capacity?.public_ips.filter(|ips| *ips > 0)?;
    let peak = u32::try_from(peak?).ok()?;
    Some(f64::from(peak) / (per_ip * f64::from(ips)))
}

fn firewall_share(firewall: &FirewallUse) -> Option<f64> {
    let (_, percent) = firewall.utilization.known()?.highest()?;
    Some(percent / 100.0)
}

fn backends(ctx: &Context<'_>, ports: &Ports, devices: &[Device]) -> Vec<Backend> {
    let failed = devices.iter().find_map(|device| match device {
        Device::LoadBalancer { failures, .. } => failures.known(),
        Device::NatGateway { .. } => None,
    });
    let mut backends: Vec<Backend> = ports
        .nodes
        .iter()
        .map(|node| {
            let known = ctx.nodes.at(&node.address);
            Backend {
                ip_address: node.address.clone(),
                node: known.map(|n| n.name.clone()),
                node_pool: known.and_then(|n| n.pool.clone()),
                allocated: node.allocated,
                used_peak: Some(node.used_peak),
                used_peak_at: Some(node.used_peak_at),
                // Without a split by node, a count per node is not known unless it is zero for all.
                failed: failed.and_then(|f| match (f.total, f.by_backend.is_empty()) {
                    (0, _) => Some(0),
                    (_, true) => None,
                    (_, false) => Some(f.by_backend.get(&node.address).copied().unwrap_or(0)),
                }),
            }
        })
        .collect();
    backends.order_by(|a, b| {
        b.used_peak
            .cmp(&a.used_peak)
            .then(a.ip_address.cmp(&b.ip_address))
    });
    backends
}

fn capacity(ctx: &Context<'_>, kind: SnatDevice, peak: Option<u64>) -> Option<Capacity> {
    match kind {
        SnatDevice::LoadBalancer => ctx.balancer_capacity(),
        SnatDevice::NatGateway => {
            let mut gateways = ctx
                .snat
                .devices
                .iter()
                .filter(|d| matches!(d, Device::NatGateway { .. }));
            let first = gateways.next()?;
            // Several gateways have separate pools of ports; one figure would mislead.
            if gateways.next().is_some() {
                return None;
            }
            let body = lookup(&ctx.facts.nat_gateways, first.id()).as_known()?;
            Some(ctx.gateway_capacity(ctx.gateway_ips(body).ok(), peak))
        }
        _ => None,
    }
}

/// What to change, for the most pressing reason; none when nothing needs to.
fn advice(ctx: &Context<'_>) -> Option<Recommendation> {
    if ctx.stopped() {
        return None;
    }
    let pressed = ctx.snat.devices.iter().find(|d| is_pressed(ctx, d));
    let changes: Vec<Change> = match pressed {
        Some(device @ Device::LoadBalancer { .. }) => match snt_fix::under_pressure(ctx, device) {
            Ok(changes) => changes,
            Err(lacks) => return Some(without_number(&lacks)),
        },
        Some(device @ Device::NatGateway { .. }) => snt_gateway::changes(ctx, device),
        None => firewall_change(ctx)
            .or_else(|| will_be_refused(ctx).then(|| snt_fix::more_room(ctx).ok())?)
            .or_else(|| has_a_cliff(ctx).then(|| snt_fix::before_the_cliff(ctx).ok())?)?,
    };
    recommendation(changes)
}

/// Connections fail, a node used more than three quarters, or a gateway is too small.
fn is_pressed(ctx: &Context<'_>, device: &Device) -> bool {
    let failing = device.failures().known().is_some_and(|f| f.total > 0);
    let full = device.ports().and_then(|ports| ports.known());
    failing
        || full.and_then(highest).is_some_and(|share| share > 0.75)
        || nat_pressure::short_of_addresses(ctx, device).is_some()
}

fn without_number(lacks: &str) -> Recommendation {
    Recommendation {
        summary: "Reuse connections in the application".to_owned(),
        ports_per_node: None,
        public_ips: None,
        nat_gateway: false,
        why: format!("How many ports would do cannot be said: {lacks}"),
        commands: Vec::new(),
        side_effects: Vec::new(),
        undo: Vec::new(),
        alternatives: Vec::new(),
    }
}

fn firewall_change(ctx: &Context<'_>) -> Option<Vec<Change>> {
    let pressed = ctx.snat.firewalls.iter().find_map(|firewall| {
        let (_, percent) = firewall.utilization.known()?.highest()?;
        (percent > 80.0).then_some((firewall, percent))
    });
    let (firewall, percent) = pressed?;
    Some(vec![more_addresses(ctx, &firewall.id, percent)?])
}

fn will_be_refused(ctx: &Context<'_>) -> bool {
    let explicit = ctx.declared_ports().filter(|ports| *ports > 0);
    ctx.outbound_type() == Some(&OutboundType::LoadBalancer)
        && explicit
            .zip(ctx.demand().counted())
            .zip(ctx.balancer_ips().ok())
            .is_some_and(|((ports, nodes), ips)| {
                ips > 0 && Rejection::of(u64::from(nodes), ports, ips).is_some()
            })
}

fn has_a_cliff(ctx: &Context<'_>) -> bool {
    let demand = ctx.demand();
    let balanced = ctx.snat.devices.iter().any(|d| d.ports().is_some());
    balanced
        && ctx.configured_ports() == Some(0)
        && demand
            .live
            .zip(demand.counted())
            .is_some_and(|(live, counted)| {
                automatic_ports(u64::from(live)).is_some()
                    && band_end(u64::from(live)).is_some_and(|end| u64::from(counted) > end)
            })
}
