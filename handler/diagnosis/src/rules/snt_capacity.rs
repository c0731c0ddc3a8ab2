//! What SNT105 and SNT106 share: the declared port allocation as AKS checks it.

use super::Outcome;
use super::out106::is_basic;
use crate::context::Context;
use crate::facts::OutboundType;
use crate::snat::Demand;

/// A fixed allocation with all of its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    /// Ports per node; not zero.
    pub(super) ports: u32,
    /// IPv4 outbound addresses.
    pub(super) ips: u64,
    /// Nodes at the autoscaler's maximum.
    pub(super) max: u64,
    /// With the surge of every pool.
    pub(super) counted: u64,
    demand: Demand,
}

impl Declared {
    /// `5, 5, 2`
    pub(super) fn counts(&self) -> String {
        let number = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
        format!(
            "{}, {}, {}",
            number(self.demand.live),
            number(self.demand.max),
            number(self.demand.surge)
        )
    }
}

/// The fixed allocation, or the outcome of a check that has none to look at. It is what the cluster declares, whatever
/// carries the packets: AKS checks it at every update.
pub(super) fn declared(ctx: &Context<'_>) -> Result<Declared, Outcome> {
    match ctx.outbound_type() {
        Some(OutboundType::LoadBalancer) => {}
        Some(other) => {
            let reason = format!("outbound type {} has no ports per node", other.as_str());
            return Err(Outcome::not_applicable(reason));
        }
        None => {
            return Err(Outcome::undecided(
                "the cluster's body has no outbound type",
            ));
        }
    }
    if is_basic(ctx) {
        let reason = "a Basic load balancer has no ports per node";
        return Err(Outcome::not_applicable(reason));
    }
    let ports = match ctx.declared_ports() {
        None => return Err(Outcome::undecided("how ports are handed out is not known")),
        Some(0) => {
            return Err(Outcome::not_applicable(
                "ports are handed out by the number of nodes, which always fits",
            ));
        }
        Some(ports) => ports,
    };
    if let Err(missing) = ctx.pools() {
        return Err(Outcome::missing(missing));
    }
    let demand = ctx.demand();
    let (Some(max), Some(counted)) = (demand.max, demand.counted()) else {
        return Err(Outcome::undecided(
            "node counts, autoscaler bounds or upgrade settings are not all readable",
        ));
    };
    let ips = ctx.balancer_ips().map_err(Outcome::missing)?;
    if ips == 0 {
        return Err(Outcome::not_applicable("no outbound address exists"));
    }
    Ok(Declared {
        ports,
        ips,
        max: u64::from(max),
        counted: u64::from(counted),
        demand,
    })
}
