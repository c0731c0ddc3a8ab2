//! UDR107: requests come in by the load balancer, and the answers leave through the appliance.

use std::net::IpAddr;

use ipnet::IpNet;

use super::appliance::Appliance;
use super::out116::to_internet;
use super::routing::{Routed, az_route, by_default, find, only_for, shared};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, texts};
use crate::facts::OutboundType;
use crate::facts::{Frontend, Id, LoadBalancer, RouteTable, lookup};
use crate::network::routes::Hop;
use crate::report::{Confidence, Finding, Remediation, Severity};

/// Requests come in by the load balancer, and the answers leave through the appliance.
pub(super) const RULE: Rule = Rule {
    code: "UDR107",
    slug: "asymmetric-ingress",
    severity: Severity::High,
    step: Step::Routes,
    docs: Docs {
        what: "For outbound type `userDefinedRouting`: whether load balancer `kubernetes` has load balancing rules, which \
               Services of type LoadBalancer make, on a public frontend, while the default route of a pool subnet leads to \
               an appliance or gateway (R2.42).",
        why: "Requests come in past the appliance, and the answers follow the default route to it. It knows no such \
              connection and drops them: the Service is unreachable from the internet.",
        evidence: "The load balancing rules, their public addresses, and the default route.",
        fix: "Make the Service internal and let the firewall translate to it, or, with the firewall in front of the public \
              address, add a route for the firewall's public address to Internet. The same \
              route is needed where the nodes themselves call something by the firewall's public address (R2.43).",
        how_sure: "Certain with an Azure Firewall, likely with other appliances, which may not keep state. A route for the \
                   firewall's own public address to Internet is the documented design and passes. Any other route to \
                   Internet may be the clients' way back and leaves the check open.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/firewall/integrate-lb",
        ],
    },
    check,
};

/// What comes in by public frontends.
struct Ingress<'f> {
    rules: Vec<&'f str>,
    frontends: Vec<&'f Frontend>,
}

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::UserDefinedRouting],
        "the outbound type is not userDefinedRouting",
    ) {
        return outcome;
    }
    let lb = match ctx.balancer.get() {
        Err(missing) => return Outcome::missing(missing),
        Ok(None) => return Outcome::passed(),
        Ok(Some(lb)) => lb,
    };
    let mut outcome = Outcome::passed();
    let ingress = ingress(lb, &mut outcome);
    if ingress.rules.is_empty() {
        return outcome;
    }
    let away = |hop: &Hop| matches!(hop, Hop::VirtualAppliance(_) | Hop::VirtualNetworkGateway);
    for routed in by_default(ctx, &mut outcome, |via| away(&via.hop)) {
        match way_back(ctx, &routed) {
            WayBack::None(confidence) => {
                outcome
                    .findings
                    .push(finding(ctx, lb, &ingress, &routed, confidence));
            }
            WayBack::Firewall => {}
            WayBack::Perhaps(why) => outcome.undecided.push(why),
        }
    }
    outcome
}

fn ingress<'f>(lb: &'f LoadBalancer, outcome: &mut Outcome) -> Ingress<'f> {
    let mut found = Ingress {
        rules: Vec::new(),
        frontends: Vec::new(),
    };
    for rule in &lb.rules {
        let frontend = rule
            .frontend
            .as_ref()
            .and_then(|id| lb.frontends.iter().find(|frontend| frontend.id == *id));
        let Some(frontend) = frontend else {
            outcome.undecided.push(format!(
                "which frontend load balancing rule {} uses is not known",
                rule.name
            ));
            continue;
        };
        if frontend.public_ip.is_none() && frontend.public_ip_prefix.is_none() {
            continue;
        }
        found.rules.push(&rule.name);
        if !found.frontends.contains(&frontend) {
            found.frontends.push(frontend);
        }
    }
    found
}

/// How answers to clients on the internet get back past the default route.
enum WayBack {
    /// They do not.
    None(Confidence),
    /// Clients come through the firewall, whose public address has a route to Internet.
    Firewall,
    /// Some other route to Internet may be for them.
    Perhaps(String),
}

fn way_back(ctx: &Context<'_>, routed: &Routed<'_, '_>) -> WayBack {
    let appliance = Appliance::all(ctx)
        .into_iter()
        .find(|a| routed.via.hop == Hop::VirtualAppliance(Some(a.address)));
    let own: Option<Vec<IpAddr>> = appliance.as_ref().and_then(|a| a.public_addresses(ctx));
    let confidence = if own.is_some() {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    let Some(table) = table(ctx, routed.via.table.as_ref()) else {
        return WayBack::None(confidence);
    };
    let mut others = to_internet(table).peekable();
    let Some(first) = others.peek().map(|route| route.name.clone()) else {
        return WayBack::None(confidence);
    };
    let holds_own = others.any(|route| {
        let prefix = route.address_prefix.trim().parse::<IpNet>();
        prefix.is_ok_and(|prefix| own.iter().flatten().any(|ip| prefix.contains(ip)))
    });
    if holds_own {
        return WayBack::Firewall;
    }
    WayBack::Perhaps(format!(
        "route {first} of route table {} leads to Internet and may be the way back to the clients of the public Services",
        table.id.name()
    ))
}

fn table<'f>(ctx: &Context<'f>, id: Option<&Id>) -> Option<&'f RouteTable> {
    lookup(&ctx.facts.route_tables, id?).as_known()
}

fn finding(
    ctx: &Context<'_>,
    lb: &LoadBalancer,
    ingress: &Ingress<'_>,
    routed: &Routed<'_, '_>,
    confidence: Confidence,
) -> Finding {
    let addresses = ingress
        .frontends
        .iter()
        .flat_map(|frontend| ctx.balancer.addresses(frontend));
    let addresses = texts(addresses.collect())
        .ok()
        .filter(|texts| !texts.is_empty())
        .map(|texts| texts.join(", "));
    let at = addresses
        .as_ref()
        .map_or(String::new(), |texts| format!(" ({texts})"));
    let mut found = RULE
        .finding(format!(
            "Public Services on load balancer kubernetes{at} do not get their answers out: {} of {} leads to {}",
            routed.via.label(),
            crate::context::pools_label(&routed.pools()),
            routed.via.hop_label()
        ))
        .confidence(confidence)
        .explain(
            "Clients reach the load balancer's public frontend directly. The answers follow the default route to the \
             appliance, which never saw the connection begin and drops them.",
        )
        .evidence(
            "load balancing rules on public frontends",
            Some(&lb.id),
            Some(ingress.rules.join(", ")),
        )
        .resource(&lb.id);
    for id in ingress
        .frontends
        .iter()
        .filter_map(|f| f.public_ip.as_ref())
    {
        found = found.evidence("public address of a frontend", Some(id), addresses.clone());
    }
    found = routed.show(found);
    for fix in fixes(ctx, routed) {
        found = found.fix(fix);
    }
    found
}

fn fixes(ctx: &Context<'_>, routed: &Routed<'_, '_>) -> Vec<Remediation> {
    let annotate = |value: &str| {
        format!(
            "kubectl annotate service SERVICE --namespace NAMESPACE --overwrite service.beta.kubernetes.io/azure-load-balancer-internal={value}"
        )
    };
    let mut fixes = vec![
        Remediation::new(
            "Make the Service internal and let the firewall translate its public address to the internal one (put the Service's name and namespace in)",
        )
        .command("kubectl get services --all-namespaces --field-selector spec.type=LoadBalancer".to_owned())
        .command(annotate("true"))
        .side_effect("The Service loses its public address: names that point to it must point to the firewall's")
        .side_effect("Clients reach it only once the firewall has a DNAT rule for it")
        .undo(annotate("false")),
    ];
    let firewall = Appliance::all(ctx)
        .into_iter()
        .find(|a| routed.via.hop == Hop::VirtualAppliance(Some(a.address)))
        .and_then(|a| a.public_addresses(ctx))
        .and_then(|addresses| addresses.first().copied());
    if let (Some(ip), Some((table, _))) = (firewall, find(ctx, routed.via)) {
        let name = "firewall-public-address";
        let length = if ip.is_ipv4() { 32 } else { 128 };
        fixes.push(
            Remediation::new(format!(
                "Or, where clients come through the firewall's address {ip}: lead the answers to it to Internet"
            ))
            .command(
                az_route("create", &table.id, name)
                    .opt("--address-prefix", &format!("{ip}/{length}"))
                    .opt("--next-hop-type", "Internet")
                    .build(),
            )
            .side_effect(shared(table))
            .side_effect("Clients that go to the load balancer's address directly still get no answer")
            .undo(az_route("delete", &table.id, name).build()),
        );
    }
    fixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, NextHopType};
    use crate::testing::{
        codes, denied, firewall_routing, firewalled, lb_mut, load_balancer, outcome, route,
        route_table_id, route_table_mut,
    };

    fn public_service(mut facts: Facts) -> Facts {
        facts.load_balancer = load_balancer().load_balancer;
        facts.public_ips.extend(load_balancer().public_ips);
        lb_mut(&mut facts).outbound_rules.clear();
        facts
    }

    fn to_internet(mut facts: Facts, prefix: &str) -> Facts {
        let new = route("back", prefix, NextHopType::Internet, None);
        route_table_mut(&mut facts).routes.push(new);
        facts
    }

    #[test]
    fn r2_42_fires() {
        let found = outcome(&RULE, &public_service(firewalled()));
        assert_eq!(codes(&found), ["UDR107"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::High);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert!(finding.title.contains("20.1.2.3"), "{}", finding.title);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        let route = &finding.remediation[1];
        assert!(
            route.commands[0].ends_with("--address-prefix 20.5.5.5/32 --next-hop-type Internet")
        );
        assert!(route.undo[0].contains("route delete"));
    }

    #[test]
    fn r2_42_fires_as_likely_with_an_unknown_appliance() {
        let found = outcome(&RULE, &public_service(firewall_routing()));
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
        assert_eq!(found.findings[0].remediation.len(), 1);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        // An internal Service.
        let mut facts = public_service(firewalled());
        lb_mut(&mut facts).frontends[0].public_ip = None;
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // A default route to Internet: the answers take it.
        let mut facts = public_service(firewalled());
        let default = &mut route_table_mut(&mut facts).routes[0];
        default.next_hop_type = NextHopType::Internet;
        default.next_hop_ip = None;
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn r2_42_does_not_fire_with_the_way_back_to_the_firewall() {
        let facts = to_internet(public_service(firewalled()), "20.5.5.5/32");
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = public_service(firewalled());
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = public_service(firewalled());
        let table = Datum::not_asked("test");
        facts.route_tables.insert(route_table_id(), table);
        assert!(outcome(&RULE, &facts).is_open());
        // Clients behind Front Door, or an appliance's unknown address.
        for facts in [
            to_internet(public_service(firewalled()), "AzureFrontDoor.Backend"),
            to_internet(public_service(firewall_routing()), "20.7.7.7/32"),
        ] {
            let open = outcome(&RULE, &facts);
            assert!(open.findings.is_empty() && open.is_open());
        }
        // A rule without a frontend.
        let mut facts = public_service(firewalled());
        lb_mut(&mut facts).rules[0].frontend = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
