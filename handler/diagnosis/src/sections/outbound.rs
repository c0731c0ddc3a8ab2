//! `outbound`: declared against actual, subnet by subnet.

use crate::context::{Context, SubnetUse, pools_label, texts};
use crate::facts::{AzureFirewall, HopOwner, Id, NextHopType, OutboundType, Route, lookup};
use crate::network::AddressSet;
use crate::network::nsg::{Level, Origin, RuleName};
use crate::network::routes::Hop;
use crate::network::{Decision, Outcome};
use crate::order::Order as _;
use crate::path::{
    Carrier, DefaultRoute, HubDefault, Path as Walked, PoolParts, Reach, Summary, Via,
};
use crate::report::{
    Device, Finding, Method, NextHop, Outbound, Path, RouteSource, Scope, Step, StepKind,
};
use crate::rules::{DEAD_HOPS, dead_hop};

/// The path of each subnet. Findings, in packet order, give a drop its cause.
pub(crate) fn outbound(ctx: &Context<'_>, findings: &[Finding]) -> Outbound {
    Outbound {
        declared_type: ctx.outbound_type().map(|t| t.as_str().to_owned()),
        agrees_with_actual: agrees(ctx),
        paths: ctx
            .paths
            .iter()
            .map(|walked| path(ctx, walked, findings))
            .collect(),
    }
}

fn agrees(ctx: &Context<'_>) -> Option<bool> {
    let declared = ctx.outbound_type()?;
    let mut known = !ctx.paths.is_empty() && ctx.subnets.unresolved.is_empty();
    for path in &ctx.paths {
        let same = match (path.carrier.method, declared) {
            (Method::Unknown, _) | (_, OutboundType::Other(_)) => None,
            (method, OutboundType::LoadBalancer) => Some(method == Method::LoadBalancer),
            (method, OutboundType::None | OutboundType::Block) => {
                match (method, path.everything()) {
                    (Method::None, _) | (_, Summary::Denied) => Some(true),
                    (_, Summary::Undecidable) => None,
                    (_, Summary::Allowed | Summary::Partly) => Some(false),
                }
            }
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

fn path(ctx: &Context<'_>, walked: &Walked<'_>, findings: &[Finding]) -> Path {
    let carrier = &walked.carrier;
    let firewall = firewall(ctx, walked);
    let (method, device) = match firewall {
        Some(firewall) => (Method::AzureFirewall, Some(&firewall.id)),
        None => (carrier.method, carrier.device.as_ref()),
    };
    let reach = reach(walked, findings);
    Path {
        node_pools: walked.used.pools.iter().map(|p| (*p).to_owned()).collect(),
        scope: walked.used.scope,
        subnet_id: Some(walked.used.id.clone()),
        next_hop: next_hop(&walked.routes.default),
        method,
        device: device.map(|id| self::device(id, method)),
        public_ips: public_ips(ctx, walked),
        steps: steps(walked, reach, firewall),
        final_state: reach.final_state(),
        cause: cause(walked, reach, findings),
    }
}

/// Where a packet ends: what is handed to a hop that the rules found dead goes no further.
fn reach(walked: &Walked<'_>, findings: &[Finding]) -> Reach {
    match walked.internet.reach {
        Reach::Forwarded if dead_hop(walked, findings).is_some() => Reach::DroppedAtHop,
        other => other,
    }
}

/// The steps of a packet to TCP 443 of a public address.
fn steps(walked: &Walked<'_>, reach: Reach, firewall: Option<&AzureFirewall>) -> Vec<Step> {
    let used = &walked.used;
    let carrier = &walked.carrier;
    let mut steps = vec![step(
        StepKind::Start,
        Some(used.id),
        used.label(),
        match used.scope {
            Scope::Node if used.pools.len() == 1 => {
                format!("{} sends from here", used.pools_label())
            }
            Scope::Node => format!("{} send from here", used.pools_label()),
            Scope::Pod => format!("pods of {} send from here", used.pools_label()),
        },
    )];
    steps.extend(security_steps(walked));
    steps.push(route_step(walked));
    if let Some(via) = walked.routes.default.via()
        && matches!(
            via.hop,
            Hop::VirtualAppliance(_) | Hop::VirtualNetworkGateway
        )
    {
        let why = match firewall {
            Some(firewall) => format!(
                "Azure Firewall {} has this address; its rules decide what passes",
                firewall.id.name()
            ),
            None if reach == Reach::DroppedAtHop => "nothing passes this hop".to_owned(),
            None => "what is allowed there, and the address it leaves with, are up to this hop"
                .to_owned(),
        };
        let device = firewall.map(|firewall| &firewall.id);
        steps.push(step(
            StepKind::Hop,
            device.or(carrier.device.as_ref()),
            via.hop_label(),
            why,
        ));
    } else if reach != Reach::DroppedByRoute {
        steps.push(step(
            StepKind::Snat,
            carrier.device.as_ref(),
            method_word(carrier.method),
            carrier.why.clone(),
        ));
    }
    let partly = denied_pools(walked)
        .unwrap_or_else(|| "a step above is not known or holds for a part only".to_owned());
    let (decision, why) = match reach {
        Reach::Delivered if carrier.method == Method::DefaultOutboundAccess => (
            "delivered",
            "nothing on the path drops it while Azure still gives default outbound access",
        ),
        Reach::Delivered => ("delivered", "nothing on the path drops it"),
        Reach::Forwarded => ("forwarded", "the next hop decides what follows"),
        Reach::DroppedByRules if denied_by_network(walked) => (
            "dropped",
            "security admin rules of the virtual network deny it",
        ),
        Reach::DroppedByRules => ("dropped", "network security groups deny it"),
        Reach::DroppedByRoute => ("dropped", "the default route has next hop None"),
        Reach::DroppedAtHop => (
            "dropped",
            "the next hop cannot be reached or does not forward",
        ),
        Reach::NoMethod if carrier.method == Method::None => ("dropped", carrier.why.as_str()),
        Reach::NoMethod => (
            "dropped",
            "the device has no public IPv4 address to leave with",
        ),
        Reach::Undetermined if carrier.method == Method::Unknown => {
            ("undetermined", carrier.why.as_str())
        }
        Reach::Undetermined => ("undetermined", partly.as_str()),
    };
    steps.push(step(
        StepKind::Final,
        None,
        decision.to_owned(),
        why.to_owned(),
    ));
    steps
}

/// Whether the network's security admin rules deny every packet (R4.11).
fn denied_by_network(walked: &Walked<'_>) -> bool {
    let mut parts = walked.internet.rules.iter().flat_map(|pool| &pool.parts);
    let denied = |decision: &Decision<RuleName>| decision.outcome == Outcome::Denied;
    parts.all(|part| part.admin.as_ref().is_some_and(denied))
}

/// The pools whose network interfaces have a security group that denies everything, where those of others do not.
fn denied_pools(walked: &Walked<'_>) -> Option<String> {
    let rules = walked.internet.rules.iter();
    let denied = rules.filter(|parts| parts.summary() == Summary::Denied);
    let mut pools: Vec<&str> = denied
        .flat_map(|parts| parts.pools.iter().map(String::as_str))
        .collect();
    pools.order();
    pools.dedup();
    (!pools.is_empty()).then(|| {
        format!(
            "network security groups deny it to {}, not to all",
            pools_label(&pools)
        )
    })
}

/// One step per security group, behind one for the network's security admin rules: what it does with TCP 443 to public addresses, and by which rule.
fn security_steps(walked: &Walked<'_>) -> Vec<Step> {
    let security = &walked.security;
    let rules = &walked.internet.rules;
    let nic = security.nic.iter().zip(rules).map(|(group, parts)| {
        let decisions = parts.parts.iter().map(|p| &p.nic).collect();
        let names: Vec<&str> = group.pools.iter().map(String::as_str).collect();
        let whose = match security.nic.len() {
            1 => String::new(),
            _ => format!(" from {}", pools_label(&names)),
        };
        (&group.nsg, decisions, whose)
    });
    let subnet = rules.iter().take(1).map(|parts: &PoolParts| {
        let decisions = parts.parts.iter().map(|p| &p.subnet).collect();
        (&security.subnet.nsg, decisions, String::new())
    });
    let admin = security.admin.iter().zip(rules).map(|(group, parts)| {
        let decisions = parts.parts.iter().filter_map(|p| p.admin.as_ref());
        (&group.nsg, decisions.collect(), String::new())
    });
    let groups: Vec<(_, Vec<&Decision<RuleName>>, String)> =
        admin.chain(nic).chain(subnet).collect();
    groups
        .into_iter()
        .filter_map(|(nsg, decisions, whose)| {
            let id = match nsg {
                Ok(None) => return None,
                Ok(Some(id)) => Some(id),
                Err(_) => None,
            };
            let outcome = Summary::of(decisions.iter().map(|d| d.outcome));
            let mut names: Vec<String> = Vec::new();
            for decision in decisions {
                let name = rule_name(decision);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let why = match nsg {
                Err(missing) => format!("{} could not be read", missing.what),
                Ok(_) => format!("TCP 443{whose} to public addresses: {}", names.join("; ")),
            };
            Some(step(StepKind::Nsg, id, outcome.as_str().to_owned(), why))
        })
        .collect()
}

/// `rule no-internet (priority 200, subnet level) denies`
pub(crate) fn rule_name(decision: &Decision<RuleName>) -> String {
    let name = |by: &RuleName| {
        let level = match by.level {
            Level::Nic => "NIC",
            Level::Subnet => "subnet",
            Level::Network if by.rule.is_empty() => return "no security admin rule".to_owned(),
            Level::Network => "network",
        };
        let kind = match by.origin {
            Origin::Default => "default rule",
            _ if by.level == Level::Network => "security admin rule",
            _ => "rule",
        };
        let priority = by
            .priority
            .map_or(String::new(), |p| format!("priority {p}, "));
        format!("{kind} {} ({priority}{level} level)", by.rule)
    };
    let verb = |outcome| match outcome {
        Outcome::Allowed if decision.by.level == Level::Network && decision.by.rule.is_empty() => {
            "matches"
        }
        Outcome::Allowed => "allows",
        Outcome::Denied => "denies",
        Outcome::Undecidable => "does something this version does not know",
    };
    let decided = format!("{} {}", name(&decision.by), verb(decision.otherwise));
    match decision.open.first() {
        Some(open) if decision.outcome == Outcome::Undecidable && open.rule != decision.by => {
            format!(
                "{decided}, unless {}, which {}, applies first",
                name(&open.rule),
                verb(open.outcome)
            )
        }
        _ => decided,
    }
}

fn route_step(walked: &Walked<'_>) -> Step {
    let table = walked.routes.table.as_ref().ok().copied().flatten();
    let (decision, why) = match &walked.routes.default {
        DefaultRoute::Decided { via, split } => {
            let mut why = match via.source {
                RouteSource::System if walked.routes.hub == Some(HubDefault::None) => {
                    "no user route, and the network does not take its virtual hub's default route: Azure's own"
                        .to_owned()
                }
                RouteSource::System => {
                    "no user route and no gateway: Azure's own default route".to_owned()
                }
                _ => via.label(),
            };
            if *split {
                why.push_str(", with a second route for the other half of the addresses");
            }
            (via.hop_label(), why)
        }
        DefaultRoute::Halves { low, high } => (
            "unknown".to_owned(),
            format!(
                "{} leads to {}, {} to {}",
                low.label(),
                low.hop_label(),
                high.label(),
                high.hop_label()
            ),
        ),
        DefaultRoute::Open(reason) => ("unknown".to_owned(), reason.clone()),
        DefaultRoute::Unread(missing) => (
            "unknown".to_owned(),
            format!("{} could not be read", missing.what),
        ),
    };
    step(StepKind::Route, table.map(|t| &t.id), decision, why)
}

fn step(kind: StepKind, resource: Option<&Id>, decision: String, why: String) -> Step {
    Step {
        kind,
        resource_id: resource.cloned(),
        decision,
        why,
    }
}

/// The method as the report spells it.
pub(crate) fn method_word(method: Method) -> String {
    lower_first(&format!("{method:?}"))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Where a route leads; unknown unless it is decided.
pub(crate) fn next_hop(default: &DefaultRoute) -> NextHop {
    let Some(Via {
        hop,
        source,
        table,
        name,
    }) = default.via()
    else {
        return NextHop {
            hop_type: "unknown".to_owned(),
            ip_address: None,
            source: RouteSource::Unknown,
            route_table_id: None,
            route_name: None,
        };
    };
    NextHop {
        hop_type: hop.next_hop_type().as_str().to_owned(),
        ip_address: match hop {
            Hop::VirtualAppliance(ip) => ip.map(|ip| ip.to_string()),
            _ => None,
        },
        source: *source,
        route_table_id: table.clone(),
        route_name: name.clone().filter(|_| table.is_some()),
    }
}

/// A device as the report shows it.
pub(crate) fn device(id: &Id, method: Method) -> Device {
    let kind = match method {
        Method::NatGateway => "Microsoft.Network/natGateways",
        Method::AzureFirewall => "Microsoft.Network/azureFirewalls",
        _ => "Microsoft.Network/loadBalancers",
    };
    Device {
        id: id.clone(),
        kind: kind.to_owned(),
        name: id.name().to_owned(),
    }
}

/// The Azure Firewall at the default route's hop, when it could be read.
fn firewall<'f>(ctx: &Context<'f>, walked: &Walked<'f>) -> Option<&'f AzureFirewall> {
    let Hop::VirtualAppliance(Some(address)) = walked.routes.default.via()?.hop else {
        return None;
    };
    match ctx.facts.hops.get(&address)?.as_known()? {
        HopOwner::AzureFirewall(id) => lookup(&ctx.facts.firewalls, id).as_known(),
        _ => None,
    }
}

/// The routes beside the default that may take a host elsewhere. AKS's own guide adds one to the firewall's public
/// address, where no host is.
pub(crate) fn diversions<'f>(ctx: &Context<'f>, walked: &Walked<'f>) -> Vec<&'f Route> {
    let mut routes = walked.routes.diversions();
    if routes.is_empty() {
        return routes;
    }
    let own = firewall(ctx, walked).map_or_else(AddressSet::empty, |firewall| {
        let ids = firewall.public_ip_ids.iter();
        let own = texts(ids.map(|id| ctx.balancer.public_ip(id)).collect()).unwrap_or_default();
        let all = own.iter().chain(&firewall.hub_public_ips);
        AddressSet::parse_all(all.map(String::as_str)).unwrap_or_else(|_| AddressSet::empty())
    });
    routes.retain(|route| {
        let prefix = AddressSet::parse_all([route.address_prefix.as_str()]);
        let to_firewall = prefix.is_ok_and(|set| own.contains_all(&set));
        route.next_hop_type != NextHopType::Internet || !to_firewall
    });
    routes
}

/// The addresses that a firewall's traffic leaves with: those of a NAT gateway on its subnet, else its own.
pub(crate) fn firewall_ips(ctx: &Context<'_>, firewall: &AzureFirewall) -> Option<Vec<String>> {
    if let Some(subnet) = &firewall.subnet_id {
        let subnet = lookup(&ctx.facts.subnets, subnet).as_known()?;
        if let Some(gateway) = &subnet.nat_gateway_id {
            let gateway = lookup(&ctx.facts.nat_gateways, gateway).as_known()?;
            return texts(ctx.balancer.of_gateway(gateway)).ok();
        }
    }
    // A hub's firewall always has addresses; an answer without them does not tell.
    if firewall.virtual_hub_id.is_some() && firewall.hub_public_ips.is_empty() {
        return None;
    }
    let own = firewall.public_ip_ids.iter();
    let own = own.map(|id| ctx.balancer.public_ip(id)).collect();
    let mut addresses = texts(own).ok()?;
    addresses.extend(firewall.hub_public_ips.clone());
    Some(addresses)
}

/// The addresses that the internet sees; `None` when not known.
pub(crate) fn public_ips(ctx: &Context<'_>, walked: &Walked<'_>) -> Option<Vec<String>> {
    match walked.carrier.method {
        Method::VirtualAppliance => firewall_ips(ctx, firewall(ctx, walked)?),
        _ => carrier_ips(ctx, &walked.used, &walked.carrier),
    }
}

/// The addresses that the internet sees behind a carrier of the cluster's own; `None` when not known.
pub(crate) fn carrier_ips(
    ctx: &Context<'_>,
    used: &SubnetUse<'_>,
    carrier: &Carrier,
) -> Option<Vec<String>> {
    match carrier.method {
        Method::LoadBalancer => texts(ctx.balancer.outbound_addresses().ok()?).ok(),
        Method::NatGateway => {
            let body = lookup(&ctx.facts.nat_gateways, carrier.device.as_ref()?).as_known()?;
            texts(ctx.balancer.of_gateway(body)).ok()
        }
        Method::InstancePublicIp => texts(ctx.balancer.of_nodes(&used.pools).ok()?).ok(),
        Method::None => Some(Vec::new()),
        _ => None,
    }
}

/// The first finding in packet order that explains a drop.
fn cause(walked: &Walked<'_>, reach: Reach, findings: &[Finding]) -> Option<String> {
    let explains = |code: &str| match reach {
        Reach::DroppedByRules => code.starts_with("NSG1"),
        Reach::DroppedByRoute => code == "OUT101",
        Reach::DroppedAtHop => DEAD_HOPS.contains(&code),
        Reach::NoMethod => matches!(
            code,
            "OUT106" | "OUT112" | "NAT101" | "NAT102" | "UDR101" | "UDR102" | "UDR109"
        ),
        Reach::Delivered | Reach::Forwarded | Reach::Undetermined => false,
    };
    let affected = |finding: &&Finding| {
        let mut pools = finding.affected.node_pools.iter();
        finding.blocks_egress && pools.any(|pool| walked.used.pools.contains(&pool.as_str()))
    };
    findings
        .iter()
        .filter(affected)
        .find(|finding| explains(&finding.code))
        .map(|finding| finding.code.clone())
}
