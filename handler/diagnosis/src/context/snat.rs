//! The devices that translate source addresses, with what Azure Monitor says about them.

use std::collections::BTreeSet;

use super::Subnets;
use crate::facts::{Datum, Facts, HopOwner, Id, Missing, OutboundType};
use crate::network::routes::Hop;
use crate::path::Path;
use crate::report::Method;
use crate::snat::firewall::{self, Percent};
use crate::snat::gateway::{self, Connections, Datapath, Drops};
use crate::snat::metric::Reading;
use crate::snat::usage::{self, Failures, Ports};

/// One device.
#[derive(Debug, Clone)]
pub(crate) enum Device {
    /// The AKS load balancer.
    LoadBalancer {
        id: Id,
        failures: Reading<Failures>,
        ports: Reading<Ports>,
    },
    /// A NAT gateway.
    NatGateway {
        id: Id,
        failures: Reading<Failures>,
        connections: Reading<Connections>,
        datapath: Reading<Datapath>,
        drops: Reading<Drops>,
    },
}

impl Device {
    pub(crate) fn id(&self) -> &Id {
        match self {
            Self::LoadBalancer { id, .. } | Self::NatGateway { id, .. } => id,
        }
    }

    pub(crate) fn failures(&self) -> &Reading<Failures> {
        match self {
            Self::LoadBalancer { failures, .. } | Self::NatGateway { failures, .. } => failures,
        }
    }

    /// Ports per node, where the device has such.
    pub(crate) fn ports(&self) -> Option<&Reading<Ports>> {
        match self {
            Self::LoadBalancer { ports, .. } => Some(ports),
            Self::NatGateway { .. } => None,
        }
    }

    /// `load balancer kubernetes` or `NAT gateway ng`
    pub(crate) fn label(&self) -> String {
        match self {
            Self::LoadBalancer { id, .. } => format!("load balancer {}", id.name()),
            Self::NatGateway { id, .. } => format!("NAT gateway {}", id.name()),
        }
    }
}

/// An Azure Firewall that a default route leads to.
#[derive(Debug, Clone)]
pub(crate) struct FirewallUse {
    pub(crate) id: Id,
    pub(crate) utilization: Reading<Percent>,
    pub(crate) health: Reading<Percent>,
}

/// All devices that carry the cluster's traffic, or should.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carriers {
    pub(crate) devices: Vec<Device>,
    /// Firewalls on the way, in id order.
    pub(crate) firewalls: Vec<FirewallUse>,
    /// What was missing to name a device.
    pub(crate) missing: Vec<Missing>,
}

impl Carriers {
    pub(crate) fn of(facts: &Facts, subnets: &Subnets<'_>, paths: &[Path<'_>]) -> Self {
        let declared = facts
            .cluster
            .network
            .as_ref()
            .and_then(|n| n.outbound_type.as_ref());
        let any = |method| paths.iter().any(|p| p.carrier.method == method);
        // Where the path is not known, the declared device is looked at all the same.
        let open = paths.is_empty() || any(Method::Unknown);
        let mut found = Self {
            firewalls: firewalls(facts, paths),
            ..Self::default()
        };
        // A Basic load balancer has neither outbound rules nor SNAT metrics (R1.61).
        let sku = facts.cluster.network.as_ref();
        let sku = sku.and_then(|n| n.load_balancer_sku.as_deref());
        let basic = sku.is_some_and(|sku| sku.eq_ignore_ascii_case("basic"));
        let balanced = any(Method::LoadBalancer);
        if basic {
            // Nothing to measure.
        } else if balanced || (open && declared == Some(&OutboundType::LoadBalancer)) {
            match &facts.load_balancer {
                Datum::Absent => {}
                other => match other.known(|| "load balancer kubernetes".to_owned()) {
                    Ok(lb) => found.devices.push(Device::LoadBalancer {
                        id: lb.id.clone(),
                        failures: usage::failures(facts, &lb.id, usage::LB_CONNECTIONS),
                        ports: usage::ports(facts, &lb.id),
                    }),
                    Err(missing) => found.missing.push(missing),
                },
            }
        }
        let expects_gateway = declared.is_some_and(OutboundType::is_nat_gateway);
        // What may carry a path that is not known is looked at too.
        if any(Method::NatGateway) || expects_gateway || open {
            let gateways: BTreeSet<&Id> = subnets
                .readable()
                .filter_map(|(_, subnet)| subnet.nat_gateway_id.as_ref())
                .collect();
            found
                .devices
                .extend(gateways.into_iter().map(|id| Device::NatGateway {
                    id: id.clone(),
                    failures: usage::failures(facts, id, usage::NAT_CONNECTIONS),
                    connections: gateway::connections(facts, id),
                    datapath: gateway::datapath(facts, id),
                    drops: gateway::drops(facts, id),
                }));
            for missing in subnets.missing() {
                if !found.missing.contains(&missing) {
                    found.missing.push(missing);
                }
            }
        }
        found
    }
}

/// The Azure Firewalls that own the next hops of default routes.
fn firewalls(facts: &Facts, paths: &[Path<'_>]) -> Vec<FirewallUse> {
    let ids: BTreeSet<&Id> = paths
        .iter()
        .filter_map(|path| owning_firewall(facts, path))
        .collect();
    ids.into_iter()
        .map(|id| FirewallUse {
            id: id.clone(),
            utilization: firewall::utilization(facts, id),
            health: firewall::health(facts, id),
        })
        .collect()
}

/// The Azure Firewall that a path's default route leads to.
pub(crate) fn owning_firewall<'f>(facts: &'f Facts, path: &Path<'_>) -> Option<&'f Id> {
    let Hop::VirtualAppliance(Some(address)) = path.routes.default.via()?.hop else {
        return None;
    };
    match facts.hops.get(&address)? {
        Datum::Known(HopOwner::AzureFirewall(id)) => Some(id),
        _ => None,
    }
}
