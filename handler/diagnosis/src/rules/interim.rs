//! Checks that stand in for the parts of the path that are not evaluated yet. Each passes only where there is nothing to
//! evaluate; anything else is left open, so that it can never look healthy.

use super::appliance::Appliance;
use super::{Outcome, Step, dead_hop};
use crate::context::{Context, pools_label};
use crate::facts::{HopOwner, NextHopType, OutboundType};
use crate::network::AddressTerm;
use crate::network::routes::Hop;
use crate::path::is_pod_route;
use crate::report::{EgressEndpoints, Finding, Need, PoolVerdict, Severity, TrafficVerdict};
use crate::security::{isolated, lies_in};

/// A check without a finding code.
pub(crate) struct Interim {
    pub(crate) id: &'static str,
    pub(crate) step: Step,
    /// Sees what the rules found.
    pub(crate) check: fn(&Context<'_>, &[Finding]) -> Outcome,
}

/// All of them. Every one could hide a critical fault.
pub(crate) const CHECKS: &[Interim] = &[
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
];

/// Routes beside the default that lead public addresses to a drop, an appliance or a gateway. What required endpoints
/// have as addresses is not known, so one of them may lie there. Routes to Internet are OUT116's, routes of pods UDR113's.
fn routes(ctx: &Context<'_>, _: &[Finding]) -> Outcome {
    let mut outcome = Outcome::passed();
    if isolated(ctx) {
        return Outcome::not_applicable("the cluster needs nothing of the internet");
    }
    let needed = ctx.needed.endpoints.iter();
    let needed = needed.filter(|endpoint| endpoint.need == Need::Required);
    for path in &ctx.paths {
        for route in path.routes.diversions() {
            if is_pod_route(ctx.facts, route) || route.next_hop_type == NextHopType::Internet {
                continue;
            }
            // A service tag of something else takes no required endpoint along.
            let mut hosts = needed.clone();
            if hosts.all(|host| {
                let prefix = &route.address_prefix;
                lies_in(ctx, &host.category, &host.domain_name, prefix) == Some(false)
            }) {
                continue;
            }
            let hop = route.next_hop_ip.as_deref().unwrap_or_default();
            outcome.undecided.push(format!(
                "route {} of {} leads {} to {}; whether a required endpoint lies there is not known",
                route.name,
                path.used.label(),
                route.address_prefix,
                format!("{} {hop}", route.next_hop_type.as_str()).trim_end()
            ));
            if matches!(
                AddressTerm::parse(&route.address_prefix),
                Ok(AddressTerm::Name(_))
            ) {
                outcome.missing.extend(crate::security::unread_tags(ctx));
            }
        }
    }
    outcome
}

/// Whether what the next hops let through is known: an Azure Firewall's rules are evaluated by FWL108, nobody else's are.
fn firewall(ctx: &Context<'_>, findings: &[Finding]) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let mut appliances = Appliance::all(ctx);
    let all = appliances.len();
    // What a hop that nothing passes would let through does not matter.
    appliances.retain(|appliance| {
        let mut paths = appliance.paths.iter();
        !paths.all(|path| dead_hop(path, findings).is_some())
    });
    let dead = all - appliances.len();
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
    if appliances.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable(if dead == 0 {
            "no route sends traffic to an appliance"
        } else {
            "nothing passes the appliance"
        });
    }
    outcome
}

/// With a required endpoint whose verdict is not known, or blocked by something that no finding covers, nothing is
/// healthy. What a finding covers is known.
pub(crate) fn endpoints(
    ctx: &Context<'_>,
    section: &EgressEndpoints,
    findings: &[Finding],
) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the cluster needs nothing of the internet");
    }
    let items = section.items.iter();
    let items = items.filter(|item| item.need == Need::Required);
    let (mut blocked, mut covered, mut open) = (Vec::new(), true, Vec::new());
    for item in items {
        let denied = item
            .by_pool
            .iter()
            .find(|pool| DENIED.contains(&pool.verdict));
        if let Some(pool) = denied {
            covered &= findings.iter().any(|finding| covers(finding, pool));
            blocked.push((item.domain_name.as_str(), Some(pool)));
        }
        let unknown = |pool: &&PoolVerdict| pool.verdict == TrafficVerdict::Unknown;
        let unknown = item.by_pool.iter().find(unknown);
        if unknown.is_some() || (denied.is_none() && item.verdict == TrafficVerdict::Unknown) {
            open.push((item.domain_name.as_str(), unknown));
        }
    }
    let mut outcome = Outcome::passed();
    if let Some(((name, pool), others)) = blocked.split_first() {
        let (are, name) = several(name, others.len());
        let pools = pool.map_or(String::new(), |pool| format!(" for {}", pools_of(pool)));
        let why = pool.map_or("", |pool| pool.why.as_str());
        let text = format!("{name} {are} blocked{pools}: {why}");
        if covered {
            outcome.told_elsewhere = Some(text);
        } else {
            outcome.undecided.push(text);
        }
    }
    if let Some(((name, pool), others)) = open.split_first() {
        let (are, name) = several(name, others.len());
        let why = pool.map_or("not every pool's way is known", |pool| pool.why.as_str());
        outcome.undecided.push(format!(
            "whether {name} {are} reachable is not known: {why}"
        ));
    }
    outcome
}

const DENIED: [TrafficVerdict; 2] = [TrafficVerdict::Blocked, TrafficVerdict::Partial];

/// Whether a finding is about what blocks these pools.
fn covers(finding: &Finding, pool: &PoolVerdict) -> bool {
    let mut pools = finding.affected.node_pools.iter();
    finding.severity >= Severity::High && pools.any(|name| pool.node_pools.contains(name))
}

/// `mcr.microsoft.com and 2 more required endpoints`, with its verb.
fn several(first: &str, others: usize) -> (&'static str, String) {
    match others {
        0 => ("is", first.to_owned()),
        1 => ("are", format!("{first} and 1 more required endpoint")),
        n => ("are", format!("{first} and {n} more required endpoints")),
    }
}

fn pools_of(pool: &PoolVerdict) -> String {
    let names: Vec<&str> = pool.node_pools.iter().map(String::as_str).collect();
    pools_label(&names)
}

/// Without a known outbound type nothing says what should carry the packets.
fn method(ctx: &Context<'_>, _: &[Finding]) -> Outcome {
    match ctx.outbound_type() {
        None => Outcome::undecided("the cluster's body has no outbound type"),
        Some(OutboundType::Other(word)) => {
            Outcome::undecided(format!("outbound type {word} is not known to this version"))
        }
        Some(_) => Outcome::passed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{firewall_routing, isolated, kubenet, route, route_table_mut};

    fn with(mut facts: Facts, prefix: &str, hop: NextHopType, ip: Option<&str>) -> Outcome {
        let table = route_table_mut(&mut facts);
        table.routes.push(route("other", prefix, hop, ip));
        routes(&Context::new(&facts), &[])
    }

    #[test]
    fn r3_1_a_more_specific_route_may_hold_a_required_endpoint() {
        use NextHopType::{None as Drop, VirtualAppliance, VirtualNetworkGateway};
        for (hop, ip) in [
            (Drop, None),
            (VirtualNetworkGateway, None),
            (VirtualAppliance, Some("10.1.0.99")),
        ] {
            for prefix in ["20.0.0.0/8", "AzureCloud", "0.0.0.0/1"] {
                let open = with(firewall_routing(), prefix, hop.clone(), ip);
                assert!(open.is_open(), "{prefix} {hop:?}");
            }
            assert!(!with(firewall_routing(), "10.0.0.0/8", hop, ip).is_open());
        }
    }

    #[test]
    fn r3_1_a_route_to_the_same_hop_diverts_nothing() {
        let hop = NextHopType::VirtualAppliance;
        let same = with(firewall_routing(), "20.0.0.0/8", hop, Some("10.1.0.4"));
        assert_eq!(same, Outcome::passed());
    }

    #[test]
    fn r1_80_routes_of_pods_divert_nothing() {
        assert_eq!(routes(&Context::new(&kubenet()), &[]), Outcome::passed());
        let outcome = routes(&Context::new(&isolated()), &[]);
        assert!(outcome.not_applicable.is_some());
    }
}
