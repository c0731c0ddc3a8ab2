//! What the NAT gateway rules share: the gateways on the pool subnets.

use std::collections::BTreeMap;

use crate::context::{Context, SubnetUse};
use crate::facts::{Id, Missing, NatGateway, lookup};
use crate::order::Order as _;
use crate::path::Carrier;

/// One NAT gateway with the pool subnets it is on.
pub(super) struct Gateway<'c, 'f> {
    pub(super) id: &'f Id,
    pub(super) body: Result<&'f NatGateway, Missing>,
    pub(super) uses: Vec<(&'c SubnetUse<'f>, &'c Carrier)>,
}

impl Gateway<'_, '_> {
    /// Pools behind it, in name order.
    pub(super) fn pools(&self) -> Vec<&str> {
        let mut pools: Vec<&str> = self
            .uses
            .iter()
            .flat_map(|(u, _)| u.pools.iter().copied())
            .collect();
        pools.order();
        pools.dedup();
        pools
    }
}

/// The gateways on the pool subnets, by id.
pub(super) fn on_pool_subnets<'c, 'f>(ctx: &'c Context<'f>) -> Vec<Gateway<'c, 'f>> {
    let mut gateways: BTreeMap<&'f Id, Vec<(&'c SubnetUse<'f>, &'c Carrier)>> = BTreeMap::new();
    for (used, carrier) in ctx.carried() {
        if let Ok(subnet) = used.subnet.as_ref().copied()
            && let Some(id) = &subnet.nat_gateway_id
        {
            gateways.entry(id).or_default().push((used, carrier));
        }
    }
    gateways
        .into_iter()
        .map(|(id, uses)| Gateway {
            id,
            body: lookup(&ctx.facts.nat_gateways, id)
                .known(|| format!("NAT gateway {}", id.name())),
            uses,
        })
        .collect()
}
