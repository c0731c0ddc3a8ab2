//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use ipnet::IpNet;

use super::appliance::Appliance;
use super::{Outcome, Step};
use crate::context::Context;
use crate::facts::{Access, Direction, HopOwner, Id, NetworkPlugin, OutboundType, lookup};
use crate::network::routes::Hop;
use crate::path::{DefaultRoute, is_pod_route};
use crate::report::Method;

/// A check without a finding code.
pub(crate) struct Interim {
    pub(crate) id: &'static str,
    pub(crate) step: Step,
    pub(crate) check: fn(&Context<'_>) -> Outcome,
}

/// All of them. Every one could hide a critical fault.
pub(crate) const CHECKS: &[Interim] = &[
    Interim {
        id: "path-dns",
        step: Step::Dns,
        check: dns,
    },
    Interim {
        id: "path-nsg",
        step: Step::NetworkSecurityGroups,
        check: nsg,
    },
    Interim {
        id: "path-routes",
        step: Step::Routes,
        check: routes,
    },
    Interim {
        id: "path-firewall",
        step: Step::Appliance,
        check: firewall,
    },
    Interim {
        id: "path-method",
        step: Step::OutboundMethod,
        check: method,
    },
    Interim {
        id: "path-api-access",
        step: Step::ApiServer,
        check: api_access,
    },
];

/// Azure's own resolver.
const AZURE_DNS: &str = "168.63.129.16";

fn dns(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    let mut seen: Vec<Id> = Vec::new();
    for used in &ctx.subnets.uses {
        let Some(id) = used.id.parent().filter(|id| !seen.contains(id)) else {
            continue;
        };
        match lookup(&ctx.facts.virtual_networks, &id)
            .known(|| format!("virtual network {}", id.name()))
        {
            Err(missing) => outcome.missing.push(missing),
            Ok(network) => {
                let inside = |server: &&String| {
                    let address = server.parse::<std::net::IpAddr>();
                    address.is_ok_and(|address| {
                        let mut ranges = network
                            .address_prefixes
                            .iter()
                            .filter_map(|p| p.parse::<IpNet>().ok());
                        server.as_str() == AZURE_DNS || ranges.any(|range| range.contains(&address))
                    })
                };
                if let Some(server) = network.dns_servers.iter().find(|server| !inside(server)) {
                    outcome.undecided.push(format!("whether custom DNS server {server} of virtual network {} is reachable is not evaluated by this version", id.name()));
                }
            }
        }
        seen.push(id);
    }
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    outcome
}

fn nsg(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let mut ids: Vec<&Id> = ctx
        .subnets
        .readable()
        .filter_map(|(_, s)| s.nsg_id.as_ref())
        .collect();
    match ctx
        .facts
        .scale_sets
        .known(|| "scale sets of the node resource group".to_owned())
    {
        Ok(sets) => ids.extend(sets.iter().flat_map(|set| &set.nsg_ids)),
        Err(missing) => outcome.missing.push(missing),
    }
    ids.sort();
    ids.dedup();
    for id in ids {
        match lookup(&ctx.facts.nsgs, id).known(|| format!("network security group {}", id.name()))
        {
            Err(missing) => outcome.missing.push(missing),
            Ok(nsg) => {
                let suspect = nsg.rules.iter().find(|rule| {
                    rule.direction != Some(Direction::Inbound) && rule.access != Some(Access::Allow)
                });
                if let Some(rule) = suspect {
                    outcome.undecided.push(format!("outbound rule {} of network security group {} denies traffic; what it hits is not evaluated by this version", rule.name, id.name()));
                }
            }
        }
    }
    outcome
}

fn routes(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let kubenet = ctx.network().and_then(|n| n.plugin.as_ref()) == Some(&NetworkPlugin::Kubenet);
    for path in &ctx.paths {
        let label = path.used.label();
        match &path.routes.default {
            DefaultRoute::Open(reason) => outcome.undecided.push(reason.clone()),
            DefaultRoute::Unread(missing) => outcome.missing.push(missing.clone()),
            DefaultRoute::Halves { .. } => outcome.undecided.push(format!(
                "the two default routes of {label} lead to different hops"
            )),
            DefaultRoute::Decided { .. } if kubenet && path.routes.table == Ok(None) => {
                outcome
                    .undecided
                    .push(format!("{label} of a kubenet cluster has no route table"));
            }
            DefaultRoute::Decided { .. } => {}
        }
        if let Some(route) = path
            .routes
            .diversions()
            .into_iter()
            .find(|route| !is_pod_route(ctx.facts, route))
        {
            outcome.undecided.push(format!("route {} of {label} leads {} to {}; whether a required endpoint lies there is not known", route.name, route.address_prefix, route.next_hop_type.as_str()));
        }
    }
    outcome
}

/// Whether what the next hops let through is known: an Azure Firewall's rules are evaluated by FWL108, nobody else's are.
fn firewall(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let appliances = Appliance::all(ctx);
    for appliance in &appliances {
        let hop = appliance.address;
        match &appliance.owner {
            Err(missing) => outcome.missing.push(missing.clone()),
            // Whether it serves and what it denies are findings of their own.
            Ok(HopOwner::AzureFirewall(_)) => {}
            Ok(HopOwner::VirtualMachineNic(nic)) => outcome.undecided.push(format!(
                "what the appliance behind network interface {} ({hop}) allows cannot be read from Azure",
                nic.id.name()
            )),
            Ok(HopOwner::InternalLoadBalancer(balancer)) => outcome.undecided.push(format!(
                "what the appliances behind load balancer {} ({hop}) allow cannot be read from Azure",
                balancer.id.name()
            )),
            Ok(HopOwner::Nobody { .. }) => outcome
                .undecided
                .push(format!("nothing that owns next hop {hop} was found")),
        }
    }
    for path in &ctx.paths {
        let Some(via) = path.routes.default.via() else {
            outcome.undecided.push(format!(
                "where the default route of {} leads is not known",
                path.used.label()
            ));
            continue;
        };
        if matches!(
            via.hop,
            Hop::VirtualNetworkGateway | Hop::VirtualAppliance(None)
        ) {
            outcome.undecided.push(format!(
                "{} leads to {}, behind which nothing is known",
                via.label(),
                via.hop_label()
            ));
        }
    }
    if appliances.is_empty()
        && ctx.outbound_type() == Some(&OutboundType::UserDefinedRouting)
        && !outcome.is_open()
    {
        outcome.undecided.push(
            "outbound type userDefinedRouting hands traffic to an appliance that is not known"
                .to_owned(),
        );
    }
    if appliances.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no route sends traffic to an appliance");
    }
    outcome
}

/// Declared against actual, and isolation.
fn method(ctx: &Context<'_>) -> Outcome {
    let declared = match ctx.outbound_type() {
        None => return Outcome::undecided("the cluster's body has no outbound type"),
        Some(OutboundType::Other(word)) => {
            return Outcome::undecided(format!(
                "outbound type {word} is not known to this version"
            ));
        }
        Some(declared) => declared,
    };
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let isolated = matches!(declared, OutboundType::None | OutboundType::Block);
    if isolated
        && !ctx
            .cluster()
            .artifact_source
            .as_deref()
            .is_some_and(|s| s.eq_ignore_ascii_case("Cache"))
    {
        outcome.undecided.push(format!("outbound type {} without a bootstrap cache; what that breaks is not evaluated by this version", declared.as_str()));
    }
    for (used, carrier) in ctx.carried() {
        outcome.missing.extend(carrier.missing.clone());
        let expected = match declared {
            OutboundType::LoadBalancer => carrier.method == Method::LoadBalancer,
            // A missing gateway is a finding of its own.
            other if other.is_nat_gateway() => {
                used.subnet
                    .as_ref()
                    .is_ok_and(|s| s.nat_gateway_id.is_none())
                    || carrier.method == Method::NatGateway
            }
            OutboundType::None | OutboundType::Block => carrier.method == Method::None,
            // Whether the appliance lets anything through is another check's question.
            OutboundType::UserDefinedRouting => {
                matches!(
                    carrier.method,
                    Method::VirtualAppliance | Method::AzureFirewall
                )
            }
            _ => matches!(
                carrier.method,
                Method::AzureFirewall | Method::VirtualAppliance | Method::VirtualNetworkGateway
            ),
        };
        if expected || carrier.missing.is_some() {
            continue;
        }
        outcome.undecided.push(if carrier.method == Method::Unknown {
            format!(
                "what carries {} is not known: {}",
                used.label(),
                carrier.why
            )
        } else {
            format!(
                "{} does not leave as outbound type {} promises ({}); what follows is not evaluated by this version",
                used.label(),
                declared.as_str(),
                carrier.why
            )
        });
    }
    outcome
}

fn api_access(ctx: &Context<'_>) -> Outcome {
    let api = &ctx.cluster().api_server;
    if api.authorized_ip_ranges.is_empty() || api.private_cluster == Some(true) {
        return Outcome::not_applicable("the API server has no authorized IP ranges");
    }
    match ctx.outbound_type() {
        // AKS adds the load balancer's own address to the ranges (R1.88).
        Some(OutboundType::LoadBalancer) => Outcome::passed(),
        _ => Outcome::undecided(
            "whether the authorized IP ranges admit the egress addresses is not evaluated by this version",
        ),
    }
}
