//! OUT107: AKS's outbound rule differs from the cluster's load balancer profile.

use super::out106::{is_basic, restore};
use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Address, Context, pools_label};
use crate::facts::{Id, LoadBalancer, LoadBalancerProfile, OutboundRule, OutboundType};
use crate::report::{Confidence, Finding, Remediation, Severity};

/// AKS's outbound rule differs from the cluster's load balancer profile.
pub(super) const RULE: Rule = Rule {
    code: "OUT107",
    slug: "outbound-rule-drift",
    severity: Severity::Medium,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether the outbound rule `aksOutboundRule` of load balancer `kubernetes` \
               is as AKS writes it: ports per node and idle timeout of the cluster's `loadBalancerProfile`, protocol All, \
               TCP reset on, backend pool `aksOutboundBackendPool`, and the profile's outbound addresses (R1.28).",
        why: "AKS owns the rule. A change made on the load balancer itself is gone with the next upgrade, scale, start or \
              update of the cluster, and with it the ports or addresses that somebody counts on. An edited rule can also \
              make that update fail with InvalidResourceReference.",
        evidence: "Each value of the rule that differs, with the value that the profile wants.",
        fix: "Let AKS write the rule again, or put the value that is wanted into the cluster with `az aks update`.",
        how_sure: "Certain while the cluster is settled; possible while an operation runs, since AKS may be writing the \
                   rule. A profile without ports or timeout means AKS's defaults, automatic ports and 30 minutes. \
                   Addresses are compared by resource, and one that no longer exists is OUT109's.",
        references: &[
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/invalidresourcereference-error",
        ],
    },
    check,
};

/// AKS's own outbound rule. That of a second address family begins with the same word.
pub(super) const OWN_RULE: &str = "aksOutboundRule";
const OWN_POOL: &str = "aksOutboundBackendPool";
const DEFAULT_IDLE_MINUTES: u32 = 30;

/// One value that differs.
struct Drift {
    what: &'static str,
    is: String,
    wanted: String,
}

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
    let lb = match ctx.balancer.get() {
        Err(missing) => return Outcome::missing(missing),
        Ok(None) => return Outcome::not_applicable("there is no load balancer kubernetes"),
        Ok(Some(lb)) => lb,
    };
    let profile = ctx.network().and_then(|n| n.load_balancer_profile.as_ref());
    let Some(profile) = profile else {
        return Outcome::undecided("the cluster's body has no load balancer profile");
    };
    let rule = lb
        .outbound_rules
        .iter()
        .find(|rule| rule.name.eq_ignore_ascii_case(OWN_RULE));
    let Some(rule) = rule else {
        return Outcome::found(absent(ctx, lb));
    };
    let mut outcome = Outcome::passed();
    let mut drifts = values(rule, profile, &mut outcome);
    drifts.extend(addresses(ctx, lb, profile, &mut outcome));
    if !drifts.is_empty() {
        outcome
            .findings
            .push(finding(ctx, lb, rule, profile, &drifts));
    }
    outcome
}

fn values(rule: &OutboundRule, profile: &LoadBalancerProfile, outcome: &mut Outcome) -> Vec<Drift> {
    let wanted_ports = profile.allocated_outbound_ports.unwrap_or(0);
    let wanted_idle = profile.idle_timeout_minutes.unwrap_or(DEFAULT_IDLE_MINUTES);
    let number = |value: Option<u32>| value.map(|n| n.to_string());
    let compared = [
        (
            "allocatedOutboundPorts",
            number(rule.allocated_outbound_ports),
            wanted_ports.to_string(),
        ),
        (
            "idleTimeoutInMinutes",
            number(rule.idle_timeout_minutes),
            wanted_idle.to_string(),
        ),
        (
            "enableTcpReset",
            rule.tcp_reset.map(|on| on.to_string()),
            true.to_string(),
        ),
        ("protocol", rule.protocol.clone(), "All".to_owned()),
        (
            "backendAddressPool",
            rule.backend_pool.as_ref().map(|id| id.name().to_owned()),
            OWN_POOL.to_owned(),
        ),
    ];
    let mut drifts = Vec::new();
    for (what, is, wanted) in compared {
        match is {
            None => outcome
                .undecided
                .push(format!("outbound rule {OWN_RULE} does not say its {what}")),
            Some(is) if is.eq_ignore_ascii_case(&wanted) => {}
            Some(is) => drifts.push(Drift { what, is, wanted }),
        }
    }
    drifts
}

/// Addresses of AKS's own rules that the profile does not name, and the other way round.
fn addresses(
    ctx: &Context<'_>,
    lb: &LoadBalancer,
    profile: &LoadBalancerProfile,
    outcome: &mut Outcome,
) -> Vec<Drift> {
    let named = [
        &profile.effective_outbound_ips,
        &profile.outbound_ips,
        &profile.outbound_ip_prefixes,
    ];
    let wanted: Vec<&Id> = named.into_iter().flatten().collect();
    if wanted.is_empty() {
        outcome
            .undecided
            .push("the load balancer profile names no outbound address".to_owned());
        return Vec::new();
    }
    let own = lb
        .outbound_rules
        .iter()
        .filter(|rule| is_aks_rule(&rule.name));
    let mut used: Vec<&Id> = Vec::new();
    for id in own.flat_map(|rule| &rule.frontends) {
        match lb.frontends.iter().find(|frontend| frontend.id == *id) {
            Some(frontend) => {
                used.extend(&frontend.public_ip);
                used.extend(&frontend.public_ip_prefix);
            }
            None => outcome.undecided.push(format!(
                "frontend {} of outbound rule {OWN_RULE} is not on the load balancer",
                id.name()
            )),
        }
    }
    let drift = |id: &Id, is: &str, wanted: &str| Drift {
        what: "outbound addresses",
        is: format!("{} {is}", id.name()),
        wanted: format!("{} {wanted}", id.name()),
    };
    let mut drifts: Vec<Drift> = used
        .iter()
        .filter(|id| !wanted.contains(id))
        .map(|id| drift(id, "in use", "not named"))
        .collect();
    let by_prefix = used
        .iter()
        .any(|id| id.is_type("Microsoft.Network/publicIPPrefixes"));
    let lacking = profile
        .effective_outbound_ips
        .iter()
        .filter(|id| !used.contains(id) && !matches!(ctx.balancer.either(id), Address::Gone(_)));
    // The profile may list the addresses of a prefix one by one.
    if !by_prefix && !outcome.is_open() {
        drifts.extend(lacking.map(|id| drift(id, "not in use", "in use")));
    }
    drifts
}

/// Whether AKS writes a rule of this name.
pub(super) fn is_aks_rule(name: &str) -> bool {
    name.to_ascii_lowercase()
        .starts_with(&OWN_RULE.to_ascii_lowercase())
}

fn pools<'f>(ctx: &Context<'f>) -> Vec<&'f str> {
    super::routing::pools(&ctx.paths)
}

/// Certain once Azure has settled the cluster and the load balancer.
fn confidence(ctx: &Context<'_>, lb: &LoadBalancer) -> Confidence {
    let settled = |state: &Option<String>| {
        state
            .as_deref()
            .is_none_or(|s| s.eq_ignore_ascii_case("Succeeded"))
    };
    if settled(&ctx.cluster().provisioning_state) && settled(&lb.provisioning_state) {
        Confidence::Certain
    } else {
        Confidence::Possible
    }
}

fn absent(ctx: &Context<'_>, lb: &LoadBalancer) -> Finding {
    let others: Vec<&str> = lb.outbound_rules.iter().map(|r| r.name.as_str()).collect();
    let value = if others.is_empty() {
        "no outbound rule at all".to_owned()
    } else {
        others.join(", ")
    };
    RULE.finding(format!(
        "Load balancer kubernetes has no outbound rule {OWN_RULE}"
    ))
    .confidence(confidence(ctx, lb))
    .explain(
        "AKS keeps this rule for outbound type loadBalancer and writes it again at the next update of the cluster. What \
         carries the packets until then is not what the cluster's settings say.",
    )
    .evidence("outbound rules of the load balancer", Some(&lb.id), Some(value))
    .pools(pools(ctx))
    .resource(&lb.id)
    .fix(again(restore(ctx)).undo("None needed: the call restores what the cluster's settings say"))
}

fn again(command: Az) -> Remediation {
    Remediation::new("Let AKS write its outbound rule again")
        .command(command.build())
        .side_effect("The values made by hand are lost; ports are handed out anew and open outbound connections can drop")
}

fn finding(
    ctx: &Context<'_>,
    lb: &LoadBalancer,
    rule: &OutboundRule,
    profile: &LoadBalancerProfile,
    drifts: &[Drift],
) -> Finding {
    let mut fields: Vec<&str> = drifts.iter().map(|drift| drift.what).collect();
    fields.dedup();
    let mut found = RULE
        .finding(format!(
            "Outbound rule {} of load balancer kubernetes differs from the cluster's settings in {}",
            rule.name,
            fields.join(", ")
        ))
        .confidence(confidence(ctx, lb))
        .explain(format!(
            "The rule on the load balancer is not what the cluster's settings say, as after a change made there. It carries {} today as it is; the next upgrade, scale, \
             start or update of the cluster writes the profile's values back.",
            pools_label(&pools(ctx))
        ))
        .pools(pools(ctx))
        .resource(&lb.id);
    for drift in drifts {
        found = found.evidence(
            format!(
                "{} of {}: the profile wants {}",
                drift.what, rule.name, drift.wanted
            ),
            Some(&lb.id),
            Some(drift.is.clone()),
        );
    }
    let numbers = |ports: u32, idle: u32| {
        restore(ctx)
            .number("--load-balancer-outbound-ports", u64::from(ports))
            .number("--load-balancer-idle-timeout", u64::from(idle))
    };
    let wanted = (
        profile.allocated_outbound_ports.unwrap_or(0),
        profile.idle_timeout_minutes.unwrap_or(DEFAULT_IDLE_MINUTES),
    );
    let is = (
        rule.allocated_outbound_ports.unwrap_or(wanted.0),
        rule.idle_timeout_minutes.unwrap_or(wanted.1),
    );
    if is == wanted {
        return found.fix(
            again(restore(ctx))
                .undo("None needed: the call restores what the cluster's settings say"),
        );
    }
    found
        .fix(again(numbers(wanted.0, wanted.1)).undo(numbers(is.0, is.1).build()))
        .fix(
            Remediation::new(
                "Or keep the rule's ports and timeout: put them into the cluster's settings",
            )
            .command(numbers(is.0, is.1).build())
            .side_effect("AKS writes the rule anew: open outbound connections can drop")
            .side_effect("AKS refuses ports that do not suffice for the autoscaler's maximum")
            .undo(numbers(wanted.0, wanted.1).build()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Frontend};
    use crate::testing::{
        codes, denied, lb_id, lb_mut, load_balancer, nat_gateway, network_mut, outcome,
        public_ip_id,
    };

    fn drifted() -> crate::facts::Facts {
        let mut facts = load_balancer();
        let rule = &mut lb_mut(&mut facts).outbound_rules[0];
        rule.allocated_outbound_ports = Some(8000);
        rule.idle_timeout_minutes = Some(4);
        facts
    }

    #[test]
    fn r1_28_fires() {
        let found = outcome(&RULE, &drifted());
        assert_eq!(codes(&found), ["OUT107"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Medium);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        let values: Vec<_> = finding
            .evidence
            .iter()
            .map(|e| e.value.as_deref().unwrap())
            .collect();
        assert_eq!(values, ["8000", "4"]);
        let [back, keep] = finding.remediation.as_slice() else {
            panic!("two ways")
        };
        assert!(
            back.commands[0]
                .ends_with("--load-balancer-outbound-ports 0 --load-balancer-idle-timeout 30")
        );
        assert!(
            keep.commands[0]
                .ends_with("--load-balancer-outbound-ports 8000 --load-balancer-idle-timeout 4")
        );
        assert_eq!(back.undo, keep.commands);
        assert_eq!(keep.undo, back.commands);
    }

    #[test]
    fn r1_28_fires_for_every_field_of_the_expected_shape() {
        type Change = fn(&mut OutboundRule);
        let changes: [(Change, &str); 3] = [
            (|r| r.tcp_reset = Some(false), "enableTcpReset"),
            (|r| r.protocol = Some("Tcp".into()), "protocol"),
            (
                |r| r.backend_pool = Some(Id::new("/lb/backendAddressPools/kubernetes")),
                "backendAddressPool",
            ),
        ];
        for (change, field) in changes {
            let mut facts = load_balancer();
            change(&mut lb_mut(&mut facts).outbound_rules[0]);
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["OUT107"], "{field}");
            assert!(found.findings[0].title.ends_with(field), "{field}");
        }
    }

    #[test]
    fn r1_28_fires_for_an_address_that_the_profile_does_not_name() {
        let mut facts = load_balancer();
        let id = Id::new(format!("{}/frontendIPConfigurations/by-hand", lb_id()));
        let lb = lb_mut(&mut facts);
        lb.frontends.push(Frontend {
            id: id.clone(),
            public_ip: Some(public_ip_id("by-hand")),
            public_ip_prefix: None,
            private_ip: None,
        });
        lb.outbound_rules[0].frontends.push(id);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT107"]);
        assert_eq!(
            found.findings[0].evidence[0].value.as_deref(),
            Some("by-hand in use")
        );
    }

    #[test]
    fn r1_28_fires_when_only_a_foreign_rule_is_left() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules[0].name = "my-rule".to_owned();
        assert_eq!(codes(&outcome(&RULE, &facts)), ["OUT107"]);
    }

    #[test]
    fn fires_as_possible_while_an_operation_runs() {
        let mut facts = drifted();
        facts.cluster.provisioning_state = Some("Updating".to_owned());
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].confidence, Confidence::Possible);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
        // R1.22: AKS leaves its defaults out of the profile.
        let mut facts = load_balancer();
        let profile = network_mut(&mut facts)
            .load_balancer_profile
            .as_mut()
            .unwrap();
        profile.allocated_outbound_ports = None;
        profile.idle_timeout_minutes = None;
        lb_mut(&mut facts).outbound_rules[0].protocol = Some("all".to_owned());
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn does_not_fire_for_an_address_that_is_gone() {
        let mut facts = load_balancer();
        let gone = public_ip_id("lb-2");
        facts.public_ips.insert(gone.clone(), Datum::Absent);
        let profile = network_mut(&mut facts)
            .load_balancer_profile
            .as_mut()
            .unwrap();
        profile.effective_outbound_ips.push(gone);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn does_not_fire_beside_out106() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules.clear();
        let report = crate::diagnose(&facts);
        assert!(report.findings.iter().any(|f| f.code == "OUT106"));
        assert!(report.findings.iter().all(|f| f.code != "OUT107"));
    }

    #[test]
    fn cannot_tell() {
        let mut facts = drifted();
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        assert!(outcome(&RULE, &facts).findings.is_empty());
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules[0].allocated_outbound_ports = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert!(open.undecided[0].contains("allocatedOutboundPorts"));
        network_mut(&mut facts).load_balancer_profile = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
