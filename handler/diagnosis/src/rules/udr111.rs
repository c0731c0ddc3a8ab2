//! UDR111: type userDefinedRouting with IPv6, and no default route for it.

use super::routing::{az_route, only_for, shared, show_subnets, with_table};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::facts::RouteTable;
use crate::report::{Confidence, Remediation, Severity};

/// Type userDefinedRouting with IPv6, and no default route for it.
pub(super) const RULE: Rule = Rule {
    code: "UDR111",
    slug: "no-ipv6-default-route",
    severity: Severity::Medium,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting` with IPv6 among the cluster's `ipFamilies`: whether the route table of \
               each pool subnet has a route for ::/0, or for both halves of it (R2.56).",
        why: "IPv6 packets then follow Azure's own default route to Internet: past the firewall where some method carries \
              them, and nowhere otherwise. AKS asks for the route and only warns (R1.65).",
        evidence: "The route table without a route for ::/0, and the cluster's `ipFamilies`.",
        fix: "Add a route for ::/0 to the firewall's IPv6 address, or drop IPv6 with next hop None. Azure Firewall has no \
              IPv6 addresses.",
        how_sure: "Certain about the missing route. Left open where a gateway may announce ::/0.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-udr",
            "https://learn.microsoft.com/azure/aks/configure-dual-stack",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::UserDefinedRouting],
        "the outbound type is not userDefinedRouting",
    ) {
        return outcome;
    }
    match dual_stack(ctx) {
        Some(false) => return Outcome::not_applicable("the cluster has no IPv6"),
        None => return Outcome::undecided("whether the cluster has IPv6 is not told"),
        Some(true) => {}
    }
    let mut outcome = Outcome::passed();
    for (path, table) in with_table(ctx, &mut outcome) {
        if has_default(table) {
            continue;
        }
        if let Some(gateway) = &path.routes.gateway {
            outcome.undecided.push(format!(
                "{}: {gateway}, which may announce ::/0",
                path.used.label()
            ));
            continue;
        }
        let found = RULE
            .finding(format!(
                "Route table {} of {} has no default route for IPv6",
                table.id.name(),
                path.used.label()
            ))
            .confidence(Confidence::Certain)
            .explain(
                "The cluster has IPv6 addresses, and outbound type userDefinedRouting wants a route for ::/0 as well. \
                 Without it IPv6 packets follow Azure's own default route to Internet, past the firewall.",
            )
            .evidence("routes for ::/0 in the route table", Some(&table.id), Some("none".to_owned()))
            .evidence("ipFamilies of the cluster", Some(&ctx.cluster().id), Some(families(ctx)))
            .resource(&table.id);
        let name = "default-ipv6";
        let create = |hop: &str| {
            az_route("create", &table.id, name)
                .opt("--address-prefix", "::/0")
                .opt("--next-hop-type", hop)
        };
        let delete = || az_route("delete", &table.id, name).build();
        let to_appliance = Remediation::new(
            "Add a default route for IPv6 to your appliance: put its private IPv6 address in place of APPLIANCE_IPV6",
        )
        .command(
            create("VirtualAppliance")
                .opt("--next-hop-ip-address", "APPLIANCE_IPV6")
                .build(),
        )
        .side_effect(shared(table))
        .side_effect("What the appliance does not allow stops working; open IPv6 connections break")
        .undo(delete());
        let drop = Remediation::new("Or keep IPv6 from leaving at all")
            .command(create("None").build())
            .side_effect(shared(table))
            .side_effect("Every IPv6 packet to the internet is dropped")
            .undo(delete());
        outcome
            .findings
            .push(show_subnets(found, &[path]).fix(to_appliance).fix(drop));
    }
    outcome
}

fn families(ctx: &Context<'_>) -> String {
    ctx.network()
        .map_or(String::new(), |network| network.ip_families.join(", "))
}

/// Whether the cluster has IPv6; `None` when nothing says.
fn dual_stack(ctx: &Context<'_>) -> Option<bool> {
    let network = ctx.network()?;
    if !network.ip_families.is_empty() {
        let v6 = |family: &String| family.trim().eq_ignore_ascii_case("IPv6");
        return Some(network.ip_families.iter().any(v6));
    }
    // A body without families: older than dual stack, unless a range says otherwise.
    let mut ranges = network
        .pod_cidrs
        .iter()
        .chain(&network.service_cidrs)
        .peekable();
    ranges.peek()?;
    Some(ranges.any(|range| range.contains(':')))
}

/// Whether the table has a default route for IPv6, or both halves of one.
fn has_default(table: &RouteTable) -> bool {
    let has = |wanted: &str| {
        let wanted = wanted.parse::<ipnet::IpNet>();
        table.routes.iter().any(|route| {
            let prefix = route.address_prefix.trim().parse::<ipnet::IpNet>();
            prefix.is_ok() && prefix.map(|p| p.trunc()) == wanted
        })
    };
    has("::/0") || (has("::/1") && has("8000::/1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, NextHopType};
    use crate::testing::{
        codes, firewall_routing, load_balancer, network_mut, outcome, route, route_table_id,
        route_table_mut, with_gateway,
    };

    fn dual() -> Facts {
        let mut facts = firewall_routing();
        network_mut(&mut facts).ip_families = vec!["IPv4".to_owned(), "IPv6".to_owned()];
        facts
    }

    fn with_routes(prefixes: &[&str]) -> Facts {
        let mut facts = dual();
        for prefix in prefixes {
            let new = route("v6", prefix, NextHopType::VirtualAppliance, Some("fd00::4"));
            route_table_mut(&mut facts).routes.push(new);
        }
        facts
    }

    #[test]
    fn r2_56_fires() {
        let found = outcome(&RULE, &dual());
        assert_eq!(codes(&found), ["UDR111"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Medium);
        assert!(finding.remediation[0].commands[0].contains("--address-prefix ::/0"));
        assert!(finding.remediation[1].commands[0].ends_with("--next-hop-type None"));
        // One half is not enough.
        assert_eq!(codes(&outcome(&RULE, &with_routes(&["::/1"]))), ["UDR111"]);
    }

    #[test]
    fn does_not_fire() {
        assert!(outcome(&RULE, &firewall_routing()).not_applicable.is_some());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        for prefixes in [&["::/0"][..], &["0::/0"], &["::/1", "8000::/1"]] {
            let facts = with_routes(prefixes);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed(), "{prefixes:?}");
        }
        let mut facts = dual();
        network_mut(&mut facts).ip_families.clear();
        assert!(outcome(&RULE, &facts).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = dual();
        let table = Datum::not_asked("test");
        facts.route_tables.insert(route_table_id(), table);
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = dual();
        with_gateway(&mut facts);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
        let mut facts = dual();
        let network = network_mut(&mut facts);
        network.ip_families.clear();
        network.pod_cidrs.clear();
        network.service_cidrs.clear();
        assert!(outcome(&RULE, &facts).is_open());
    }
}
