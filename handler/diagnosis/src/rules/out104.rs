//! OUT104: type loadBalancer, but a NAT gateway carries every pool subnet.

use super::migration::may_become;
use super::routing::{by_carrier_where, only_for, pools, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::OutboundType;
use crate::path::Path;
use crate::report::{Method, Remediation, Severity};

/// Type loadBalancer, but a NAT gateway carries every pool subnet.
pub(super) const RULE: Rule = Rule {
    code: "OUT104",
    slug: "nat-overrides-load-balancer",
    severity: Severity::Medium,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether every pool subnet has a NAT gateway that carries its packets.",
        why: "A NAT gateway on the subnet comes before the load balancer's outbound rule. The addresses that AKS shows are \
              not the ones that the internet sees, so authorized IP ranges and allow-lists name the wrong ones.",
        evidence: "The NAT gateway of each subnet.",
        fix: "Change the outbound type to `userAssignedNATGateway`, or take the NAT gateway off the subnets.",
        how_sure: "Certain: the order of the methods is documented (R2.1).",
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
    // With a subnet that has no NAT gateway not every pool can leave by one.
    let without = |path: &Path<'_>| matches!(path.used.subnet, Ok(s) if s.nat_gateway_id.is_none());
    if ctx.paths.iter().any(without) {
        return outcome;
    }
    let by_nat = |path: &Path<'_>| path.carrier.method == Method::NatGateway;
    let paths = by_carrier_where(ctx, &mut outcome, |_| true, by_nat);
    if paths.is_empty() || outcome.is_open() || paths.len() < ctx.paths.len() {
        return outcome;
    }
    let mut found = RULE
        .finding(format!(
            "A NAT gateway carries {}, not the load balancer",
            crate::context::pools_label(&pools(paths.iter().copied()))
        ))
        .explain("Outbound type loadBalancer promises the load balancer's addresses. The NAT gateway on the subnets comes first, so packets leave with its addresses.");
    for path in &paths {
        let gateway = path.carrier.device.as_ref();
        found = found.evidence(
            format!("natGateway of {}", path.used.label()),
            gateway,
            gateway.map(|id| id.name().to_owned()),
        );
    }
    found = show_subnets(found, &paths);
    if may_become(ctx, &OutboundType::UserAssignedNatGateway) {
        found = found.fix(
            Remediation::new("Declare what is the case: outbound type userAssignedNATGateway")
                .command(
                    ctx.az_aks("update")
                        .opt("--outbound-type", "userAssignedNATGateway")
                        .build(),
                )
                .side_effect("Open connections may break and the load balancer's outbound address is released: authorized IP ranges and allow-lists must name the NAT gateway's first")
                .undo(ctx.az_aks("update").opt("--outbound-type", "loadBalancer").build()),
        );
    }
    let mut detach = Remediation::new("Or take the NAT gateway off the subnets")
        .side_effect("New connections leave by the load balancer's address: authorized IP ranges and allow-lists elsewhere first");
    for path in &paths {
        let update = || super::nat101::subnet_update(path.used.id);
        detach = detach.command(format!("{} --remove natGateway", update().build()));
        if let Some(gateway) = &path.carrier.device {
            detach = detach.undo(update().opt("--nat-gateway", gateway.as_str()).build());
        }
    }
    outcome.findings.push(found.fix(detach));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, nat_id, outcome, subnet_id, subnet_mut,
        with_firewall_route,
    };

    fn overridden() -> crate::facts::Facts {
        let mut facts = load_balancer();
        subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        facts
    }

    #[test]
    fn r2_24_fires() {
        let found = outcome(&RULE, &overridden());
        assert_eq!(codes(&found), ["OUT104"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.remediation.len(), 2);
        assert!(finding.remediation[1].commands[0].ends_with("--remove natGateway"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
        // R2.2: a route to an appliance comes before the gateway.
        let routed = outcome(&RULE, &with_firewall_route(overridden()));
        assert!(routed.findings.is_empty());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = overridden();
        facts.subnets.insert(
            subnet_id("nodes"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
