//! Which probes this cluster needs (R4.30).

use crate::context::Context;
use crate::facts::OutboundType;

/// Whether no endpoint on the internet is required: outbound type `none` or `block` (R1.66).
pub(crate) fn isolated(ctx: &Context<'_>) -> bool {
    matches!(
        ctx.outbound_type(),
        Some(OutboundType::None | OutboundType::Block)
    )
}

/// How nodes reach the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiServer {
    /// P3: its public address.
    Public,
    /// P8: a private endpoint in the network.
    PrivateEndpoint,
    /// P9: a subnet of the network.
    Subnet,
}

/// How nodes of this cluster reach the API server.
pub(crate) fn api_server(ctx: &Context<'_>) -> ApiServer {
    let api = &ctx.cluster().api_server;
    if api.vnet_integration == Some(true) {
        ApiServer::Subnet
    } else if api.private_cluster == Some(true) {
        ApiServer::PrivateEndpoint
    } else {
        ApiServer::Public
    }
}
