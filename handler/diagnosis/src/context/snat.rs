//! The devices that translate source addresses, with what Azure Monitor says about them.

use std::collections::BTreeSet;

use super::Subnets;
use crate::facts::{Datum, Facts, Id, Missing, OutboundType};
use crate::path::Path;
use crate::report::Method;
use crate::snat::usage::{self, BackendPorts, Failures, Reading};

/// One device.
#[derive(Debug, Clone)]
pub(crate) enum Device {
    /// The AKS load balancer.
    LoadBalancer {
        id: Id,
        failures: Reading<Failures>,
        ports: Reading<Vec<BackendPorts>>,
    },
    /// A NAT gateway.
    NatGateway {
        id: Id,
        failures: Reading<Failures>,
        connections: Reading<u64>,
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

    /// `load balancer kubernetes` or `NAT gateway ng`
    pub(crate) fn label(&self) -> String {
        match self {
            Self::LoadBalancer { id, .. } => format!("load balancer {}", id.name()),
            Self::NatGateway { id, .. } => format!("NAT gateway {}", id.name()),
        }
    }
}

/// All devices that carry the cluster's traffic, or should.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carriers {
    pub(crate) devices: Vec<Device>,
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
        let mut found = Self::default();
        let balanced = any(Method::LoadBalancer);
        if balanced || (open && declared == Some(&OutboundType::LoadBalancer)) {
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
                    connections: usage::peak_connections(facts, id),
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
