//! OUT106: type loadBalancer without a usable outbound rule.

use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Address, Balancer, Context, SubnetUse, pools_label, translates_tcp};
use crate::facts::{Id, LoadBalancer, OutboundType};
use crate::order::Order as _;
use crate::report::{Confidence, Finding, Method, Remediation, Severity};

/// Type loadBalancer without a usable outbound rule.
pub(super) const RULE: Rule = Rule {
    code: "OUT106",
    slug: "outbound-rule-missing",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether the load balancer `kubernetes` of the node resource group has an \
               outbound rule with at least one frontend whose public address exists, and a node in its backend pool. Subnets that leave by a NAT gateway \
               or by addresses of the nodes themselves do not need it.",
        why: "The outbound rule is what translates the nodes' private addresses. Without it, or without an address behind \
              it, packets to the internet have no source address to leave with.",
        evidence: "The load balancer, its outbound rules, their frontends, and the public addresses that are gone.",
        fix: "Let AKS write its outbound rule again with `az aks update`; name the outbound addresses in the same call \
              when they are your own.",
        how_sure: "Certain when every affected subnet is private. Likely otherwise, because Azure's default outbound access \
                   may hide the fault for a time. High instead of critical when a load balancing rule still translates \
                   outbound flows implicitly.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/outbound-rules",
            "https://learn.microsoft.com/azure/aks/load-balancer-standard",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::LoadBalancer],
        "the outbound type is not loadBalancer",
    ) {
        return outcome;
    }
    if is_basic(ctx) {
        return Outcome::not_applicable("a Basic load balancer has no outbound rules");
    }
    match ctx.balancer.usable() {
        Err(missing) => return Outcome::missing(missing),
        Ok(true) => return Outcome::passed(),
        Ok(false) => {}
    }
    let mut outcome = Outcome::passed();
    let mut stranded: Vec<&SubnetUse<'_>> = Vec::new();
    let mut private = true;
    for (subnet, carrier) in ctx.carried() {
        match carrier.method {
            Method::None => stranded.push(subnet),
            Method::DefaultOutboundAccess => {
                stranded.push(subnet);
                private = false;
            }
            Method::Unknown => match &carrier.missing {
                Some(missing) => outcome.missing.push(missing.clone()),
                None => outcome
                    .undecided
                    .push(format!("{}: {}", subnet.label(), carrier.why)),
            },
            _ => {}
        }
    }
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    if stranded.is_empty() {
        if !outcome.is_open() {
            return Outcome::not_applicable("every pool subnet leaves by another method");
        }
    } else {
        outcome.findings.push(finding(ctx, &stranded, private));
    }
    outcome
}

/// Whether the cluster has a Basic load balancer (R1.61).
pub(super) fn is_basic(ctx: &Context<'_>) -> bool {
    ctx.network()
        .and_then(|n| n.load_balancer_sku.as_deref())
        .is_some_and(|sku| sku.eq_ignore_ascii_case("basic"))
}

fn finding(ctx: &Context<'_>, stranded: &[&SubnetUse<'_>], private: bool) -> Finding {
    let mut pools: Vec<&str> = stranded
        .iter()
        .flat_map(|s| s.pools.iter().copied())
        .collect();
    pools.order();
    pools.dedup();
    let lb = ctx.facts.load_balancer.as_known();
    let state = match lb {
        None => "there is no load balancer kubernetes",
        Some(lb) if lb.outbound_rules.is_empty() => "load balancer kubernetes has no outbound rule",
        Some(lb) if !lb.outbound_rules.iter().any(translates_tcp) => {
            "no outbound rule of load balancer kubernetes is for TCP"
        }
        Some(lb)
            if lb
                .outbound_rules
                .iter()
                .all(|rule| !ctx.balancer.serves(lb, rule)) =>
        {
            "no backend pool of its outbound rules has a node"
        }
        Some(_) if has_address(ctx) => {
            "no outbound rule of load balancer kubernetes has a public IPv4 address"
        }
        Some(_) => "no outbound rule of load balancer kubernetes has a public address",
    };
    let mut found = RULE
        .finding(if private {
            format!("{} cannot reach the internet: {state}", capital(&pools_label(&pools)))
        } else {
            let its = if pools.len() == 1 { "its" } else { "their" };
            format!("{} lost {its} way to the internet: {state}", capital(&pools_label(&pools)))
        })
        .explain(if private {
            "Outbound type loadBalancer promises an outbound rule with a public address. Packets that leave the nodes have no address to be translated to."
        } else {
            "Outbound type loadBalancer promises an outbound rule with a public address, and nothing else translates packets that leave the nodes. At best Azure's default outbound access carries them, by an address that belongs to nobody and that Azure is retiring."
        })
        .confidence(if private { Confidence::Certain } else { Confidence::Likely })
        .pools(pools.iter().copied())
        .fix(super::out109::recreate(ctx).unwrap_or_else(|| fix(ctx)));
    if let Some(lb) = lb {
        found = evidence(ctx, found, lb);
    }
    found
}

/// Whether there is an address at all: then one of IPv6.
fn has_address(ctx: &Context<'_>) -> bool {
    let alive = |address: &Address| matches!(address, Address::Alive { .. });
    ctx.balancer
        .outbound_addresses()
        .is_ok_and(|addresses| addresses.iter().any(alive))
}

fn evidence(ctx: &Context<'_>, mut found: Finding, lb: &LoadBalancer) -> Finding {
    let rules = lb.outbound_rules.len().to_string();
    found = found
        .evidence("outbound rules", Some(&lb.id), Some(rules))
        .resource(&lb.id);
    for rule in &lb.outbound_rules {
        for address in Balancer::frontends(lb, rule).flat_map(|f| ctx.balancer.addresses(f)) {
            if let Address::Gone(id) = address {
                let text = format!(
                    "public address of outbound rule {} does not exist",
                    rule.name
                );
                found = found.evidence(text, Some(&id), None);
            }
        }
    }
    // R1.35: a rule that does not switch outbound SNAT off still translates, badly.
    if let Some(rule) = lb
        .rules
        .iter()
        .find(|r| r.disable_outbound_snat != Some(true))
    {
        found = found
            .severity(Severity::High)
            .confidence(Confidence::Likely)
            .evidence(
                format!(
                    "load balancing rule {} translates outbound flows implicitly",
                    rule.name
                ),
                Some(&lb.id),
                None,
            );
    }
    found
}

/// `az aks update` with the outbound addresses named where they are the caller's own (R1.29).
pub(super) fn restore(ctx: &Context<'_>) -> Az {
    let profile = ctx.network().and_then(|n| n.load_balancer_profile.as_ref());
    let list = |ids: &[Id]| ids.iter().map(Id::as_str).collect::<Vec<_>>().join(",");
    let command = ctx.az_aks("update");
    match profile {
        Some(p) if !p.outbound_ips.is_empty() => {
            command.opt("--load-balancer-outbound-ips", &list(&p.outbound_ips))
        }
        Some(p) if !p.outbound_ip_prefixes.is_empty() => command.opt(
            "--load-balancer-outbound-ip-prefixes",
            &list(&p.outbound_ip_prefixes),
        ),
        _ => command,
    }
}

fn fix(ctx: &Context<'_>) -> Remediation {
    Remediation::new("Let AKS write its outbound rule again")
        .command(restore(ctx).build())
        .side_effect("AKS applies its own view of the load balancer: rules and frontends added by hand are removed")
        .side_effect("The egress address may change: authorized IP ranges and allow-lists elsewhere must follow")
        .undo("None needed: the call restores what the cluster's settings say")
}

/// The text with its first letter in upper case.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, PowerState};
    use crate::testing::{
        codes, denied, lb_mut, load_balancer, network_mut, outcome, public_ip_id, subnet_mut,
    };

    #[test]
    fn r2_26_an_outbound_rule_without_any_node_carries_nothing() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).backend_pools[0].members = 0;
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT106"]);
        let title = &found.findings[0].title;
        assert!(title.contains("no backend pool"), "{title}");
        // A stopped cluster has no nodes to be there.
        facts.cluster.power_state = Some(PowerState::Stopped);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn fires() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules.clear();
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT106"]);
        assert!(found.findings[0].blocks_egress);
        assert_eq!(found.findings[0].affected.node_pools, ["system", "user"]);
    }

    #[test]
    fn r2_26_fires_when_every_address_is_gone() {
        let mut facts = load_balancer();
        facts.public_ips.insert(public_ip_id("lb-1"), Datum::Absent);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT106"]);
        let gone = found.findings[0].evidence.last().unwrap();
        assert_eq!(gone.resource_id, Some(public_ip_id("lb-1")));
    }

    #[test]
    fn fires_when_the_load_balancer_is_absent() {
        let mut facts = load_balancer();
        facts.load_balancer = Datum::Absent;
        assert_eq!(codes(&outcome(&RULE, &facts)), ["OUT106"]);
    }

    #[test]
    fn r1_35_an_implicit_rule_lowers_it_to_high() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules.clear();
        lb_mut(&mut facts).rules[0].disable_outbound_snat = Some(false);
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // A NAT gateway on the subnet wins over the load balancer (R2.1).
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules.clear();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(crate::testing::nat_id("ng1"));
        assert!(outcome(&RULE, &facts).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing[0].what, "load balancer kubernetes");
        // A gateway may announce a default route that leads the traffic elsewhere.
        let mut facts = load_balancer();
        crate::testing::with_gateway(&mut facts);
        lb_mut(&mut facts).outbound_rules.clear();
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
    }

    #[test]
    fn r2_26_fires_when_no_rule_translates_tcp_over_ipv4() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules[0].protocol = Some("Udp".to_owned());
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("TCP"), "{found:?}");
        let mut facts = load_balancer();
        if let Some(Datum::Known(ip)) = facts.public_ips.get_mut(&public_ip_id("lb-1")) {
            ip.version = Some("IPv6".to_owned());
        }
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("IPv4"), "{found:?}");
    }

    #[test]
    fn r1_60_cannot_tell_without_an_outbound_type() {
        let mut facts = load_balancer();
        network_mut(&mut facts).outbound_type = None;
        for rule in crate::rules::RULES {
            let found = outcome(rule, &facts);
            let of_one_type = [
                "OUT102", "OUT103", "OUT104", "OUT105", "OUT106", "OUT109", "OUT113", "OUT114",
                "OUT115",
            ];
            let bound = of_one_type.contains(&rule.code)
                || ["NAT101", "NAT104", "NAT106"].contains(&rule.code)
                || (rule.code.starts_with("UDR")
                    && !["UDR104", "UDR112", "UDR113"].contains(&rule.code));
            assert!(!bound || found.is_open(), "{}: {found:?}", rule.code);
        }
    }
}
