//! OUT116: routes to Internet on a private subnet that has no method of its own.

use std::net::IpAddr;

use ipnet::IpNet;

use super::appliance::Appliance;
use super::nat101::give_gateway;
use super::out106::{capital, is_basic};
use super::routing::{delete, implicit_rule, isolated, known_type, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::{NextHopType, Route, RouteTable, Subnet};
use crate::network::AddressSet;
use crate::network::routes::Hop;
use crate::path::Path;
use crate::report::{Finding, Scope, Severity};

/// Routes to Internet on a private subnet that has no method of its own.
pub(super) const RULE: Rule = Rule {
    code: "OUT116",
    slug: "internet-routes-on-private-subnet",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether the route table of a private pool subnet leads some public destinations, a prefix or a service tag, \
               to Internet while the default route leads elsewhere, and neither a NAT gateway nor node addresses nor an \
               outbound rule carries them (R2.54).",
        why: "Such routes are meant to lead traffic past the firewall. On a private subnet these packets have no address to \
              leave with: exactly the destinations of the route fail (R2.6).",
        evidence: "Each route with its destinations, the subnet's `defaultOutboundAccess`, and its lack of a method.",
        fix: "Delete the route, so that the packets go to the firewall like all others, or give the subnet a NAT gateway.",
        how_sure: "Certain: private subnets get no default outbound access. Azure Storage of the cluster's region stays \
                   reachable and is left out, and so is the route back to the firewall's own public address, which carries \
                   answers only. Left open where a load balancing rule may still translate.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress");
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    for path in &ctx.paths {
        let table = match &path.routes.table {
            // The subnet itself, when that is what is missing, is noted already.
            Err(missing) if path.used.subnet.is_ok() => {
                outcome.missing.push(missing.clone());
                continue;
            }
            Ok(Some(table)) => *table,
            _ => continue,
        };
        let Ok(subnet) = &path.used.subnet else {
            continue;
        };
        if subnet.default_outbound_access != Some(false) {
            continue;
        }
        judge(ctx, path, subnet, table, &mut outcome);
    }
    outcome
}

fn judge(
    ctx: &Context<'_>,
    path: &Path<'_>,
    subnet: &Subnet,
    table: &RouteTable,
    outcome: &mut Outcome,
) {
    // With a default route to Internet nothing at all leaves, which OUT112 tells.
    if path
        .routes
        .default
        .via()
        .is_some_and(|via| via.hop == Hop::Internet)
    {
        return;
    }
    let appliance = Appliance::all(ctx)
        .into_iter()
        .find(|appliance| appliance.paths.iter().any(|p| p.used.id == path.used.id));
    let own = appliance.as_ref().map(|a| a.public_addresses(ctx));
    let mut failing = Vec::new();
    for route in to_internet(table) {
        match purpose(ctx, route, own.as_ref()) {
            Purpose::Egress => failing.push(route),
            Purpose::Harmless => {}
            Purpose::PerhapsReturn => outcome.undecided.push(format!(
                "route {} of route table {} may only lead answers back to a public address of the appliance, which is not known",
                route.name,
                table.id.name()
            )),
        }
    }
    if failing.is_empty() {
        return;
    }
    match method(ctx, path, subnet, outcome) {
        Explicit::Has | Explicit::Open => {}
        Explicit::None(pools) => outcome
            .findings
            .push(finding(ctx, path, subnet, table, &failing, pools)),
    }
}

/// User routes to Internet for some public addresses.
pub(super) fn to_internet(table: &RouteTable) -> impl Iterator<Item = &Route> {
    let public = AddressSet::public();
    table
        .routes
        .iter()
        .filter(|route| route.next_hop_type == NextHopType::Internet)
        .filter(
            move |route| match route.address_prefix.trim().parse::<IpNet>() {
                Ok(prefix) => prefix.prefix_len() > 0 && public.intersects(&prefix.into()),
                Err(_) => true,
            },
        )
}

enum Purpose {
    /// Packets that nodes and pods send on their own.
    Egress,
    /// Same-region storage, or answers to what came in through the firewall.
    Harmless,
    /// One address, which may be that of an appliance whose public address nobody knows.
    PerhapsReturn,
}

/// What a route is for. `appliance` has the public addresses of the one that the default route leads to.
fn purpose(ctx: &Context<'_>, route: &Route, appliance: Option<&Option<Vec<IpAddr>>>) -> Purpose {
    let text = route.address_prefix.trim();
    let Ok(prefix) = text.parse::<IpNet>() else {
        let of_region = text
            .split_once('.')
            .filter(|(tag, _)| tag.eq_ignore_ascii_case("Storage"))
            .is_some_and(|(_, region)| {
                let here = ctx.cluster().location.as_deref();
                here.is_some_and(|here| here.eq_ignore_ascii_case(region))
            });
        return if of_region {
            Purpose::Harmless
        } else {
            Purpose::Egress
        };
    };
    let host = prefix.prefix_len() == prefix.max_prefix_len();
    match appliance {
        Some(Some(own)) if host && own.contains(&prefix.addr()) => Purpose::Harmless,
        Some(None) if host => Purpose::PerhapsReturn,
        _ => Purpose::Egress,
    }
}

/// Whether a method of the subnet's own carries what leaves to Internet.
enum Explicit<'f> {
    Has,
    /// Not known, and noted.
    Open,
    /// None, for these pools.
    None(Vec<&'f str>),
}

fn method<'f>(
    ctx: &Context<'f>,
    path: &Path<'f>,
    subnet: &Subnet,
    outcome: &mut Outcome,
) -> Explicit<'f> {
    if subnet.nat_gateway_id.is_some() {
        return Explicit::Has;
    }
    match ctx.balancer.usable() {
        Ok(true) => return Explicit::Has,
        Ok(false) => {}
        Err(missing) => {
            outcome.missing.push(missing);
            return Explicit::Open;
        }
    }
    if !known_type(ctx) || is_basic(ctx) {
        outcome.undecided.push(
            "what the outbound type or a Basic load balancer carries is not known".to_owned(),
        );
        return Explicit::Open;
    }
    if let Some(rule) = implicit_rule(ctx) {
        outcome.undecided.push(format!(
            "load balancing rule {rule} may translate packets that no other method carries"
        ));
        return Explicit::Open;
    }
    let pools = match ctx.pools() {
        Ok(pools) => pools,
        Err(missing) => {
            outcome.missing.push(missing);
            return Explicit::Open;
        }
    };
    let has_address = |name: &str| {
        path.used.scope == Scope::Node
            && pools
                .iter()
                .any(|pool| pool.name == name && pool.node_public_ip == Some(true))
    };
    let without: Vec<&str> = path
        .used
        .pools
        .iter()
        .copied()
        .filter(|name| !has_address(name))
        .collect();
    if without.is_empty() {
        Explicit::Has
    } else {
        Explicit::None(without)
    }
}

fn finding(
    ctx: &Context<'_>,
    path: &Path<'_>,
    subnet: &Subnet,
    table: &RouteTable,
    failing: &[&Route],
    pools: Vec<&str>,
) -> Finding {
    let destinations = failing.iter().map(|r| r.address_prefix.trim().to_owned());
    let destinations: Vec<String> = destinations.collect();
    let mut found = RULE
        .finding(format!(
            "{} cannot reach {}: route table {} leads there by Internet, and the private subnet has no way out of its own",
            capital(&pools_label(&pools)),
            crate::context::listed(&destinations),
            table.id.name()
        ))
        .explain(
            "A route to Internet takes these destinations past the default route. The subnet is private, and no NAT \
             gateway, node address or outbound rule gives the packets an address to leave with.",
        )
        .resource(&table.id);
    for route in failing {
        found = found.evidence(
            format!("route {} for {}", route.name, route.address_prefix),
            Some(&table.id),
            Some("Internet".to_owned()),
        );
    }
    found = found
        .evidence(
            format!("defaultOutboundAccess of {}", path.used.label()),
            Some(&subnet.id),
            Some("false".to_owned()),
        )
        .evidence(
            format!("natGateway of {}", path.used.label()),
            Some(&subnet.id),
            Some("none".to_owned()),
        );
    found = show_subnets(found, &[path]);
    found.affected.node_pools = pools.into_iter().map(str::to_owned).collect();
    for route in failing {
        let summary = format!(
            "Delete route {}, so that {} goes the way of the default route; what is there must allow it",
            route.name, route.address_prefix
        );
        found = found.fix(delete(summary, table, route));
    }
    found.fix(give_gateway(ctx, subnet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts};
    use crate::testing::{
        codes, denied, firewall_routing, firewalled, load_balancer, nat_id, outcome, pools_mut,
        route, route_table_id, route_table_mut, subnet_mut,
    };

    fn with_route(mut facts: Facts, prefix: &str) -> Facts {
        let new = route("past-firewall", prefix, NextHopType::Internet, None);
        route_table_mut(&mut facts).routes.push(new);
        facts
    }

    #[test]
    fn r2_54_fires() {
        for prefix in [
            "AzureMonitor",
            "20.0.0.0/8",
            "20.1.2.3/32",
            "Storage.eastus",
        ] {
            let found = outcome(&RULE, &with_route(firewalled(), prefix));
            assert_eq!(codes(&found), ["OUT116"], "{prefix}");
            let finding = &found.findings[0];
            assert_eq!(finding.severity, Severity::High);
            assert_eq!(finding.affected.node_pools, ["system", "user"]);
            assert!(finding.title.contains(prefix), "{}", finding.title);
            let delete = &finding.remediation[0];
            assert!(delete.commands[0].contains("route delete"));
            assert!(delete.undo[0].ends_with("--next-hop-type Internet"));
            assert!(finding.remediation[1].commands[1].contains("nat gateway create"));
        }
    }

    #[test]
    fn r2_54_fires_for_the_pools_without_addresses_only() {
        let mut facts = with_route(firewalled(), "AzureMonitor");
        pools_mut(&mut facts)[0].node_public_ip = Some(true);
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].affected.node_pools, ["user"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        let fault = || with_route(firewalled(), "AzureMonitor");
        // Not private: default outbound access.
        let mut facts = fault();
        subnet_mut(&mut facts, "nodes").default_outbound_access = None;
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // R2.2: a NAT gateway carries what leaves to Internet.
        let mut facts = fault();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        let mut facts = fault();
        for pool in pools_mut(&mut facts) {
            pool.node_public_ip = Some(true);
        }
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        let mut facts = fault();
        facts.load_balancer = load_balancer().load_balancer;
        facts.public_ips.extend(load_balancer().public_ips);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn r2_6_does_not_fire_for_storage_of_the_region_and_private_ranges() {
        for prefix in ["Storage.WestEurope", "10.9.0.0/16"] {
            let facts = with_route(firewalled(), prefix);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed(), "{prefix}");
        }
    }

    #[test]
    fn r2_42_does_not_fire_for_the_way_back_to_the_firewall() {
        let facts = with_route(firewalled(), "20.5.5.5/32");
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn does_not_fire_beside_out112() {
        let mut facts = with_route(firewalled(), "AzureMonitor");
        let default = &mut route_table_mut(&mut facts).routes[0];
        default.next_hop_type = NextHopType::Internet;
        default.next_hop_ip = None;
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let fault = || with_route(firewalled(), "AzureMonitor");
        let mut facts = fault();
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = fault();
        let table = Datum::not_asked("test");
        facts.route_tables.insert(route_table_id(), table);
        assert!(outcome(&RULE, &facts).is_open());
        // One address, and an appliance whose public address is not known.
        let open = outcome(&RULE, &with_route(firewall_routing(), "20.1.2.3/32"));
        assert!(open.findings.is_empty() && open.is_open());
    }
}
