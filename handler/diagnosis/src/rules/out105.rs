//! OUT105: type loadBalancer, but some pool subnets leave another way.

use super::routing::{by_carrier, only_for, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::order::Order as _;
use crate::path::Path;
use crate::report::{Method, Remediation, Severity};

/// Type loadBalancer, but some pool subnets leave another way.
pub(super) const RULE: Rule = Rule {
    code: "OUT105",
    slug: "mixed-egress",
    severity: Severity::Medium,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether a NAT gateway, an appliance or a gateway carries some of the pool \
               subnets, and another method the rest.",
        why: "Pools of one cluster then show different addresses to the internet. What an allow-list admits works from one \
              pool and fails from the next, depending on where a pod is scheduled.",
        evidence: "The method of each pool subnet.",
        fix: "Give all pool subnets the same method.",
        how_sure: "Certain about the methods. It may be wanted; the order of the methods is documented (R2.1).",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-design",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
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
    let mut outcome = Outcome::passed();
    // Addresses of the nodes themselves are OUT110.
    let carried = by_carrier(ctx, &mut outcome, |path| word(path).is_some());
    let mut words: Vec<&str> = carried.iter().filter_map(|path| word(path)).collect();
    words.order();
    words.dedup();
    if words.len() < 2 {
        return outcome;
    }
    let other: Vec<&Path<'_>> = carried
        .iter()
        .copied()
        .filter(|path| path.carrier.method != Method::LoadBalancer)
        .collect();
    let mut found = RULE
        .finding(format!(
            "Pools of this cluster leave by different methods: {}",
            words.join(", ")
        ))
        .explain(
            "The internet sees different addresses, depending on the pool that a pod runs in.",
        );
    for path in &carried {
        found = found.evidence(
            format!("{} ({})", path.used.label(), path.carrier.why),
            path.carrier.device.as_ref(),
            word(path).map(str::to_owned),
        );
    }
    let mut fix = Remediation::new("Take the other method off these subnets, or give it to all of them")
        .side_effect("New connections leave by another address: authorized IP ranges and allow-lists elsewhere first");
    for path in &other {
        let update = || super::nat101::subnet_update(path.used.id);
        if let (Method::NatGateway, Some(gateway)) = (path.carrier.method, &path.carrier.device) {
            fix = fix
                .command(format!("{} --remove natGateway", update().build()))
                .undo(update().opt("--nat-gateway", gateway.as_str()).build());
        }
    }
    outcome.findings.push(show_subnets(found, &other).fix(fix));
    outcome
}

fn word(path: &Path<'_>) -> Option<&'static str> {
    match path.carrier.method {
        Method::LoadBalancer => Some("load balancer"),
        Method::NatGateway => Some("NAT gateway"),
        Method::VirtualAppliance | Method::AzureFirewall => Some("virtual appliance"),
        Method::VirtualNetworkGateway => Some("virtual network gateway"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, nat_id, outcome, split_pools, subnet_id,
        subnet_mut,
    };

    #[test]
    fn r2_25_fires() {
        let mut facts = split_pools(load_balancer());
        subnet_mut(&mut facts, "user").nat_gateway_id = Some(nat_id("ng1"));
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT105"]);
        let finding = &found.findings[0];
        assert!(finding.title.ends_with(": NAT gateway, load balancer"));
        assert_eq!(finding.affected.node_pools, ["user"]);
        assert_eq!(finding.remediation[0].commands.len(), 1);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(
            outcome(&RULE, &split_pools(load_balancer())),
            Outcome::passed()
        );
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
        // One method for all is OUT104.
        let mut facts = load_balancer();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = split_pools(load_balancer());
        facts.subnets.insert(
            subnet_id("user"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        facts
            .subnets
            .insert(subnet_id("user"), Datum::not_asked("test"));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
