//! OUT113: the outbound type wants no egress, yet a method gives it.

use super::routing::{ISOLATED, by_carrier, implicit_rule, only_for, pools, show_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::path::{Path, Summary};
use crate::report::{Method, Remediation, Severity};

/// The outbound type wants no egress, yet a method gives it.
pub(super) const RULE: Rule = Rule {
    code: "OUT113",
    slug: "isolation-hole",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound types `none` and `block`: whether a NAT gateway, a node address, an outbound rule or Azure's default outbound access carries a pool subnet's packets to the internet all the same.",
        why: "The cluster is meant to be isolated. A method that was left behind is a way out for data that nobody watches.",
        evidence: "The subnet and the method.",
        fix: "Take the method away: detach the NAT gateway, make the subnet private.",
        how_sure: "Certain that the method is there. It is no hole where security groups deny every packet to public addresses, as those that AKS writes for `block` do (R4.34).",
        references: &[
            "https://learn.microsoft.com/azure/aks/concepts-network-isolated",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn word(method: Method) -> Option<&'static str> {
    match method {
        Method::NatGateway => Some("a NAT gateway"),
        Method::InstancePublicIp => Some("public addresses of the nodes"),
        Method::LoadBalancer => Some("an outbound rule of the load balancer"),
        Method::DefaultOutboundAccess => Some("Azure's default outbound access"),
        _ => None,
    }
}

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(ctx, &ISOLATED, "the outbound type wants egress") {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    let paths = by_carrier(ctx, &mut outcome, |path| {
        word(path.carrier.method).is_some()
    });
    if let Some(rule) = implicit_rule(ctx)
        && ctx
            .paths
            .iter()
            .any(|path| path.carrier.method == Method::None)
    {
        // R1.35: it translates without an outbound rule.
        outcome.undecided.push(format!(
            "load balancing rule {rule} may translate packets to the internet though nothing else does"
        ));
    }
    for path in paths {
        let Some(word) = word(path.carrier.method) else {
            continue;
        };
        match path.everything() {
            Summary::Denied => continue,
            Summary::Undecidable => {
                outcome.missing.extend(path.security.missing());
                outcome.undecided.push(format!(
                    "{} could leave by {word}, and whether security groups deny all of it is not known",
                    path.used.label()
                ));
                continue;
            }
            Summary::Allowed | Summary::Partly => {}
        }
        let found = RULE
            .finding(format!(
                "{} can reach the internet by {word}, though the cluster is meant to be isolated",
                super::out106::capital(&pools_label(&pools([path])))
            ))
            .explain("The outbound type wants no way to the internet. This one is still there.")
            .evidence(
                format!("{}: {}", path.used.label(), path.carrier.why),
                path.carrier.device.as_ref(),
                None,
            );
        outcome
            .findings
            .push(show_subnets(found, &[path]).fix(close(ctx, path)));
    }
    outcome
}

fn close(ctx: &Context<'_>, path: &Path<'_>) -> Remediation {
    let update = || super::nat101::subnet_update(path.used.id);
    match (path.carrier.method, &path.carrier.device) {
        (Method::NatGateway, Some(gateway)) => Remediation::new("Take the NAT gateway off the subnet")
            .command(format!("{} --remove natGateway", update().build()))
            .side_effect("Open connections to the internet break")
            .undo(update().opt("--nat-gateway", gateway.as_str()).build()),
        (Method::DefaultOutboundAccess, _) => Remediation::new("Make the subnet private")
            .command(update().opt("--default-outbound", "false").build())
            .side_effect("Takes effect on a node only after it was stopped and deallocated")
            .undo(update().opt("--default-outbound", "true").build()),
        (Method::InstancePublicIp, _) => Remediation::new(
            "Replace the pools by ones without node public IP addresses: add a pool, drain the old one, delete it",
        )
        .side_effect("Pods move to other nodes"),
        _ => Remediation::new("Let AKS apply the outbound type again")
            .command(ctx.az_aks("update").build())
            .side_effect("AKS applies its own view of the load balancer: rules and frontends added by hand are removed")
            .undo("None needed: the call restores what the cluster's settings say"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Access, Datum, Facts, SecurityRule};
    use crate::testing::{
        codes, isolated as sealed, lb_mut, load_balancer, nat_id, outcome, pools_mut,
        security_rule, subnet_id, subnet_mut, subnet_nsg,
    };

    #[test]
    fn r2_47_fires() {
        let mut nat = sealed();
        subnet_mut(&mut nat, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        let mut node_ip = sealed();
        pools_mut(&mut node_ip)[0].node_public_ip = Some(true);
        let mut default = sealed();
        subnet_mut(&mut default, "nodes").default_outbound_access = None;
        for facts in [nat, node_ip, default] {
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["OUT113"]);
            assert!(!found.findings[0].blocks_egress);
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &sealed()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    fn behind(facts: Facts, rules: Vec<SecurityRule>) -> Facts {
        let mut facts = facts;
        subnet_mut(&mut facts, "nodes").default_outbound_access = None;
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    #[test]
    fn r4_34_does_not_fire_where_security_groups_deny_everything() {
        let all = security_rule("block", 4096, Access::Deny, "*", "Internet", "*");
        let facts = behind(sealed(), vec![all.clone()]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert_eq!(
            crate::diagnose(&facts).outbound.agrees_with_actual,
            Some(true)
        );
        let https = security_rule("block", 4096, Access::Deny, "*", "Internet", "443");
        let found = outcome(&RULE, &behind(sealed(), vec![https]));
        assert_eq!(codes(&found), ["OUT113"]);
    }

    #[test]
    fn r4_34_cannot_tell_where_a_tag_may_admit_some() {
        let storage = security_rule("storage", 100, Access::Allow, "*", "Storage", "443");
        let all = security_rule("block", 4096, Access::Deny, "*", "Internet", "*");
        let found = outcome(&RULE, &behind(sealed(), vec![storage, all]));
        assert!(found.is_open() || codes(&found) == ["OUT113"]);
    }

    #[test]
    fn cannot_tell() {
        let mut facts = sealed();
        facts
            .subnets
            .insert(subnet_id("nodes"), Datum::not_asked("test"));
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r1_35_cannot_tell_beside_a_rule_that_translates_implicitly() {
        let mut facts = sealed();
        let mut balancer = load_balancer();
        lb_mut(&mut balancer).outbound_rules.clear();
        lb_mut(&mut balancer).rules[0].disable_outbound_snat = Some(false);
        facts.load_balancer = balancer.load_balancer;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open(), "{open:?}");
    }
}
