//! `natGateway`: the gateways and the subnets they serve.

use std::collections::BTreeSet;

use crate::context::{Context, texts};
use crate::facts::{Id, OutboundType, lookup};
use crate::report::{NatAssociation, NatGatewayItem, NatGatewaySection};

/// Gateways on the pool subnets, and each subnet's association.
pub(crate) fn nat_gateway(ctx: &Context<'_>) -> NatGatewaySection {
    let ids: BTreeSet<&Id> = ctx
        .subnets
        .readable()
        .filter_map(|(_, subnet)| subnet.nat_gateway_id.as_ref())
        .collect();
    NatGatewaySection {
        expected: ctx
            .outbound_type()
            .is_some_and(OutboundType::is_nat_gateway),
        gateways: ids.into_iter().map(|id| item(ctx, id)).collect(),
        associations: ctx
            .subnets
            .uses
            .iter()
            .map(|used| {
                let subnet = used.subnet.as_ref().ok();
                NatAssociation {
                    subnet_id: Some(used.id.clone()),
                    node_pools: used.pools.iter().map(|p| (*p).to_owned()).collect(),
                    scope: used.scope,
                    nat_gateway_id: subnet.and_then(|s| s.nat_gateway_id.clone()),
                    associated: subnet.map(|s| s.nat_gateway_id.is_some()),
                }
            })
            .collect(),
    }
}

fn item(ctx: &Context<'_>, id: &Id) -> NatGatewayItem {
    let body = lookup(&ctx.facts.nat_gateways, id).as_known();
    NatGatewayItem {
        id: id.clone(),
        sku: body.and_then(|b| b.sku.clone()),
        public_ips: body.and_then(|b| texts(ctx.balancer.of_gateway(b)).ok()),
        idle_timeout_in_minutes: body.and_then(|b| b.idle_timeout_minutes),
        zones: body.map(|b| b.zones.clone()),
    }
}
