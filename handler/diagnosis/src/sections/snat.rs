//! `snat`: port usage, capacity and what to change.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::context::{Context, Device};
use crate::facts::{OutboundType, lookup};
use crate::report::{Backend, Method, Recommendation, SeriesPoints, Snat, SnatDevice};
use crate::rules::snt_fix::{remedies, sizing};
use crate::snat::usage::{BackendPorts, Failures, Reading};

/// Usage and capacity of the devices that translate.
pub(crate) fn snat(ctx: &Context<'_>) -> Snat {
    let devices = &ctx.snat.devices;
    let kind = kind(ctx);
    let failures: Option<Vec<&Failures>> = devices.iter().map(|d| d.failures().known()).collect();
    let failures = failures.filter(|f| !f.is_empty() && ctx.snat.missing.is_empty());
    let ports = ports(devices);
    let peak_connections = connections(devices);
    let used_peak = match kind {
        SnatDevice::LoadBalancer => ports
            .and_then(|p| p.iter().map(|b| b.used_peak).max())
            .map(u64::from),
        SnatDevice::NatGateway => peak_connections,
        _ => None,
    };
    Snat {
        device: kind,
        resource_ids: devices.iter().map(|d| d.id().clone()).collect(),
        failed_connections: failures.as_ref().map(|f| f.iter().map(|f| f.total).sum()),
        failed_windows: failures.as_ref().map(|f| windows(f)),
        allocated_per_node: allocated(ports).or_else(|| {
            (kind == SnatDevice::LoadBalancer)
                .then(|| ctx.ports_per_node())
                .flatten()
        }),
        used_peak,
        utilization_peak: ports.and_then(|p| {
            p.iter()
                .filter_map(|b| b.utilization)
                .max_by(f64::total_cmp)
        }),
        backends: ports.map(|p| backends(ctx, p, devices)).unwrap_or_default(),
        series: series(ports, failures.as_deref()),
        capacity: capacity(ctx, kind, peak_connections),
        recommendation: recommendation(ctx),
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
            Method::None => SnatDevice::None,
            _ => SnatDevice::Unknown,
        })
        .collect();
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

fn ports(devices: &[Device]) -> Option<&[BackendPorts]> {
    devices.iter().find_map(|device| match device {
        Device::LoadBalancer {
            ports: Reading::Known(ports),
            ..
        } => Some(ports.as_slice()),
        _ => None,
    })
}

fn connections(devices: &[Device]) -> Option<u64> {
    devices
        .iter()
        .filter_map(|device| match device {
            Device::NatGateway { connections, .. } => connections.known().copied(),
            Device::LoadBalancer { .. } => None,
        })
        .max()
}

fn windows(failures: &[&Failures]) -> u32 {
    let mut windows: Vec<i64> = failures
        .iter()
        .flat_map(|f| f.windows.iter().copied())
        .collect();
    windows.sort_unstable();
    windows.dedup();
    u32::try_from(windows.len()).unwrap_or(u32::MAX)
}

/// The allocation that every node has; none when they differ.
fn allocated(ports: Option<&[BackendPorts]>) -> Option<u32> {
    let mut allocations: Vec<u32> = ports?.iter().filter_map(|b| b.allocated).collect();
    allocations.dedup();
    match allocations.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn backends(ctx: &Context<'_>, ports: &[BackendPorts], devices: &[Device]) -> Vec<Backend> {
    let failed = devices.iter().find_map(|device| match device {
        Device::LoadBalancer { failures, .. } => failures.known(),
        Device::NatGateway { .. } => None,
    });
    let mut backends: Vec<Backend> = ports
        .iter()
        .map(|node| Backend {
            ip_address: node.address.clone(),
            node: instance(ctx, &node.address),
            allocated: node.allocated,
            used_peak: Some(node.used_peak),
            used_peak_at: Some(node.used_peak_at),
            // Without a split by node, or without any failure, a count per node is not known unless it is zero for all.
            failed: failed.and_then(|f| match (f.total, f.by_backend.is_empty()) {
                (0, _) => Some(0),
                (_, true) => None,
                (_, false) => Some(f.by_backend.get(&node.address).copied().unwrap_or(0)),
            }),
        })
        .collect();
    backends.sort_by(|a, b| {
        b.used_peak
            .cmp(&a.used_peak)
            .then(a.ip_address.cmp(&b.ip_address))
    });
    backends
}

/// The scale set instance with this address: `{scale set}_{instance}`.
fn instance(ctx: &Context<'_>, address: &str) -> Option<String> {
    let mut nics = ctx
        .facts
        .scale_set_nics
        .values()
        .filter_map(|d| d.as_known())
        .flatten();
    let nic = nics.find(|nic| nic.private_ips.iter().any(|ip| ip == address))?;
    let id = nic.instance_id.as_ref()?;
    Some(match id.parent() {
        Some(set) => format!("{}_{}", set.name(), id.name()),
        None => id.name().to_owned(),
    })
}

/// Used ports of the three busiest nodes, and failures.
fn series(ports: Option<&[BackendPorts]>, failures: Option<&[&Failures]>) -> Vec<SeriesPoints> {
    let mut busiest: Vec<&BackendPorts> = ports.unwrap_or_default().iter().collect();
    busiest.sort_by(|a, b| {
        b.used_peak
            .cmp(&a.used_peak)
            .then(a.address.cmp(&b.address))
    });
    let mut series: Vec<SeriesPoints> = busiest
        .into_iter()
        .take(3)
        .map(|node| points(format!("used ports {}", node.address), &node.used))
        .collect();
    let mut failed: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for (at, count) in failures.unwrap_or_default().iter().flat_map(|f| &f.points) {
        *failed.entry(*at).or_default() += count;
    }
    if !failed.is_empty() {
        series.push(points("failed connections".to_owned(), &failed));
    }
    series
}

fn points(name: String, values: &BTreeMap<Timestamp, f64>) -> SeriesPoints {
    SeriesPoints {
        name,
        unit: "Count".to_owned(),
        points: values.iter().map(|(at, value)| (*at, *value)).collect(),
    }
}

fn capacity(
    ctx: &Context<'_>,
    kind: SnatDevice,
    peak: Option<u64>,
) -> Option<crate::report::Capacity> {
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

fn recommendation(ctx: &Context<'_>) -> Option<Recommendation> {
    if ctx.stopped() {
        return None;
    }
    let device = ctx.snat.devices.iter().find(|device| {
        let failing = device.failures().known().is_some_and(|f| f.total > 0);
        let full = match device {
            Device::LoadBalancer {
                ports: Reading::Known(ports),
                ..
            } => ports
                .iter()
                .any(|p| p.utilization.is_some_and(|u| u > 0.75)),
            _ => false,
        };
        failing || full
    })?;
    let size = sizing(ctx, device);
    let commands = remedies(ctx, device)
        .into_iter()
        .find(|r| r.commands.iter().any(|c| c.starts_with("az ")))
        .map(|r| r.commands)
        .unwrap_or_default();
    let why = match (size, device) {
        (Some(size), _) => format!(
            "{} ports per node keep the observed peak at three quarters; every node that Azure counts gets them from {} outbound address(es)",
            size.ports_per_node, size.public_ips
        ),
        (None, Device::NatGateway { .. }) => {
            "Each further address adds 64,512 ports that all nodes share".to_owned()
        }
        (None, Device::LoadBalancer { .. }) => {
            "The figures for a number are not complete: reuse connections first".to_owned()
        }
    };
    Some(Recommendation {
        ports_per_node: size.filter(|s| !s.nat_gateway).map(|s| s.ports_per_node),
        public_ips: size.and_then(|s| u32::try_from(s.public_ips).ok()),
        nat_gateway: size.is_some_and(|s| s.nat_gateway),
        why,
        commands,
    })
}
