//! `outbound`: declared against actual, subnet by subnet.

use crate::context::{Carrier, Context, DefaultHop, SubnetUse, texts};
use crate::facts::{Id, OutboundType, lookup};
use crate::report::{
    Device, FinalState, Method, NextHop, Outbound, Path, RouteSource, Step, StepKind,
};

/// What carries each subnet, as far as it follows without evaluating routes.
pub(crate) fn outbound(ctx: &Context<'_>) -> Outbound {
    Outbound {
        declared_type: ctx.outbound_type().map(|t| t.as_str().to_owned()),
        agrees_with_actual: agrees(ctx),
        paths: ctx
            .carried()
            .map(|(used, carrier)| path(ctx, used, carrier))
            .collect(),
    }
}

fn agrees(ctx: &Context<'_>) -> Option<bool> {
    let declared = ctx.outbound_type()?;
    let mut known = !ctx.carriers.is_empty() && ctx.subnets.unresolved.is_empty();
    for carrier in &ctx.carriers {
        let same = match (carrier.method, declared) {
            (Method::Unknown, _) | (_, OutboundType::Other(_)) => None,
            (method, OutboundType::LoadBalancer) => Some(method == Method::LoadBalancer),
            (method, OutboundType::None | OutboundType::Block) => Some(method == Method::None),
            (method, OutboundType::UserDefinedRouting) => Some(matches!(
                method,
                Method::AzureFirewall | Method::VirtualAppliance | Method::VirtualNetworkGateway
            )),
            (method, _) => Some(method == Method::NatGateway),
        };
        match same {
            Some(false) => return Some(false),
            Some(true) => {}
            None => known = false,
        }
    }
    known.then_some(true)
}

fn path(ctx: &Context<'_>, used: &SubnetUse<'_>, carrier: &Carrier) -> Path {
    let final_state = match carrier.method {
        Method::None => FinalState::Dropped,
        Method::Unknown => FinalState::Undetermined,
        _ => FinalState::Delivered,
    };
    let mut steps = vec![step(
        StepKind::Start,
        Some(used.id),
        used.label(),
        format!("{} send from here", used.pools_label()),
    )];
    let hop = next_hop(carrier.hop.as_ref());
    if let Some(read) = &carrier.hop {
        let why = match read {
            DefaultHop::System => {
                "no user route and no gateway: Azure's own default route".to_owned()
            }
            _ => carrier.why.clone(),
        };
        steps.push(step(
            StepKind::Route,
            hop.route_table_id.as_ref(),
            hop.hop_type.clone(),
            why,
        ));
    }
    let decision = format!("{:?}", carrier.method);
    steps.push(step(
        StepKind::Snat,
        carrier.device.as_ref(),
        lower_first(&decision),
        carrier.why.clone(),
    ));
    Path {
        node_pools: used.pools.iter().map(|p| (*p).to_owned()).collect(),
        scope: used.scope,
        subnet_id: Some(used.id.clone()),
        next_hop: hop,
        method: carrier.method,
        device: carrier.device.as_ref().map(|id| device(id, carrier.method)),
        public_ips: public_ips(ctx, carrier),
        steps,
        final_state,
        cause: None,
    }
}

fn step(kind: StepKind, resource: Option<&Id>, decision: String, why: String) -> Step {
    Step {
        kind,
        resource_id: resource.cloned(),
        decision,
        why,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

fn next_hop(hop: Option<&DefaultHop>) -> NextHop {
    let (hop_type, source, table) = match hop {
        Some(DefaultHop::System) => ("Internet", RouteSource::System, None),
        Some(DefaultHop::UserRoutes(table)) => {
            ("unknown", RouteSource::Unknown, Some(table.clone()))
        }
        _ => ("unknown", RouteSource::Unknown, None),
    };
    NextHop {
        hop_type: hop_type.to_owned(),
        ip_address: None,
        source,
        route_table_id: table,
        route_name: None,
    }
}

fn device(id: &Id, method: Method) -> Device {
    let kind = match method {
        Method::NatGateway => "Microsoft.Network/natGateways",
        _ => "Microsoft.Network/loadBalancers",
    };
    Device {
        id: id.clone(),
        kind: kind.to_owned(),
        name: id.name().to_owned(),
    }
}

fn public_ips(ctx: &Context<'_>, carrier: &Carrier) -> Option<Vec<String>> {
    match carrier.method {
        Method::LoadBalancer => texts(ctx.balancer.outbound_addresses().ok()?).ok(),
        Method::NatGateway => {
            let body = lookup(&ctx.facts.nat_gateways, carrier.device.as_ref()?).as_known()?;
            texts(ctx.gateway_addresses(body)).ok()
        }
        Method::None => Some(Vec::new()),
        _ => None,
    }
}
