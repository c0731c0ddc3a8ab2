//! OUT108: outbound rules that somebody made by hand on the AKS load balancer.

use super::out106::{is_basic, restore};
use super::out107::is_aks_rule;
use super::routing::{isolated, known_type};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Balancer, Context, texts};
use crate::facts::{Id, LoadBalancer, OutboundRule, OutboundType};
use crate::report::{Finding, Remediation, Severity};

/// Outbound rules that somebody made by hand on the AKS load balancer.
pub(super) const RULE: Rule = Rule {
    code: "OUT108",
    slug: "foreign-outbound-rule",
    severity: Severity::Medium,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether load balancer `kubernetes` of the node resource group has outbound rules that AKS did not write: \
               with outbound type `loadBalancer` every rule whose name does not begin with `aksOutboundRule`, with other \
               outbound types every rule (R1.29).",
        why: "AKS does not know these rules. They are gone after one of its updates, and rules or frontends made by hand \
              have left clusters in a failed state with InvalidResourceReference.",
        evidence: "Each rule with its frontends' addresses, its backend pool and its ports.",
        fix: "Delete the rule, and give the cluster more addresses or ports with `az aks update` in its place.",
        how_sure: "Certain that the rule is there and that AKS names its own otherwise. Whether the next update fails on it \
                   depends on what it refers to. For outbound types `none` and `block` OUT113 tells what such a rule does.",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/invalidresourcereference-error",
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress, which OUT113 looks at");
    }
    if is_basic(ctx) {
        return Outcome::not_applicable("a Basic load balancer has no outbound rules");
    }
    let lb = match ctx.balancer.get() {
        Err(missing) => return Outcome::missing(missing),
        Ok(None) => return Outcome::passed(),
        Ok(Some(lb)) => lb,
    };
    if !known_type(ctx) && !lb.outbound_rules.is_empty() {
        return Outcome::undecided(
            "which outbound rules AKS writes for an unknown outbound type is not known",
        );
    }
    let by_aks = |rule: &OutboundRule| {
        is_aks_rule(&rule.name) && ctx.outbound_type() == Some(&OutboundType::LoadBalancer)
    };
    let foreign: Vec<&OutboundRule> = lb.outbound_rules.iter().filter(|r| !by_aks(r)).collect();
    let mut outcome = Outcome::passed();
    if !foreign.is_empty() {
        let alone = foreign.len() == lb.outbound_rules.len();
        outcome.findings.push(finding(ctx, lb, &foreign, alone));
    }
    outcome
}

fn finding(
    ctx: &Context<'_>,
    lb: &LoadBalancer,
    foreign: &[&OutboundRule],
    alone: bool,
) -> Finding {
    let names: Vec<&str> = foreign.iter().map(|rule| rule.name.as_str()).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    let mut found = RULE
        .finding(format!(
            "Load balancer kubernetes has outbound rule{plural} {} that AKS did not write",
            names.join(", ")
        ))
        .explain(
            "The load balancer is AKS's own. What others add to it is lost when AKS reconciles it, and has left clusters in \
             a failed state. More addresses and ports belong into the cluster's settings.",
        )
        .pools(super::routing::pools(&ctx.paths))
        .resource(&lb.id);
    for rule in foreign {
        found = found.evidence(
            format!("outbound rule {}", rule.name),
            Some(&lb.id),
            Some(describe(ctx, lb, rule)),
        );
    }
    let mut fix = Remediation::new("Delete what AKS did not write");
    // Without a rule of its own AKS has to write one first: the foreign one is what carries the packets.
    if alone && ctx.outbound_type() == Some(&OutboundType::LoadBalancer) {
        fix = fix.command(restore(ctx).build());
    }
    for rule in foreign {
        fix = fix
            .command(az(lb, "delete", rule).build())
            .undo(create(lb, rule));
    }
    found.fix(
        fix.side_effect("Open connections through the rule's addresses break")
            .side_effect("The rule's addresses leave the egress set, and its ports are no longer there: settle addresses and ports of the cluster first"),
    )
}

fn describe(ctx: &Context<'_>, lb: &LoadBalancer, rule: &OutboundRule) -> String {
    let addresses = Balancer::frontends(lb, rule).flat_map(|f| ctx.balancer.addresses(f));
    let addresses = match texts(addresses.collect()) {
        Ok(texts) if texts.is_empty() => "no public address".to_owned(),
        Ok(texts) => texts.join(", "),
        Err(missing) => format!("{}, which could not be read", missing.what),
    };
    let pool = rule.backend_pool.as_ref().map_or("none", |id| id.name());
    let ports = rule
        .allocated_outbound_ports
        .map_or_else(|| "not told".to_owned(), |ports| ports.to_string());
    format!("{addresses}; backend pool {pool}; ports per node {ports}")
}

fn az(lb: &LoadBalancer, verb: &str, rule: &OutboundRule) -> Az {
    Az::beside(&format!("network lb outbound-rule {verb}"), &lb.id)
        .opt("--lb-name", lb.id.name())
        .opt("--name", &rule.name)
}

/// The command that makes the rule as it is.
fn create(lb: &LoadBalancer, rule: &OutboundRule) -> String {
    let mut command = az(lb, "create", rule);
    if let Some(pool) = &rule.backend_pool {
        command = command.opt("--address-pool", pool.as_str());
    }
    command = command.opts(
        "--frontend-ip-configs",
        rule.frontends.iter().map(Id::as_str),
    );
    command = command.opt("--protocol", rule.protocol.as_deref().unwrap_or("All"));
    for (name, value) in [
        ("--outbound-ports", rule.allocated_outbound_ports),
        ("--idle-timeout", rule.idle_timeout_minutes),
    ] {
        if let Some(value) = value {
            command = command.number(name, u64::from(value));
        }
    }
    match rule.tcp_reset {
        Some(on) => command.opt("--enable-tcp-reset", &on.to_string()).build(),
        None => command.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{
        codes, denied, isolated, lb_mut, load_balancer, nat_gateway, network_mut, outcome,
    };

    fn with_rule(name: &str) -> Facts {
        let mut facts = load_balancer();
        let lb = lb_mut(&mut facts);
        let rule = OutboundRule {
            name: name.to_owned(),
            allocated_outbound_ports: Some(1024),
            ..lb.outbound_rules[0].clone()
        };
        lb.outbound_rules.push(rule);
        facts
    }

    #[test]
    fn r1_29_fires() {
        let found = outcome(&RULE, &with_rule("more-ports"));
        assert_eq!(codes(&found), ["OUT108"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Medium);
        assert!(finding.title.contains("outbound rule more-ports"));
        assert_eq!(
            finding.evidence[0].value.as_deref(),
            Some("20.1.2.3; backend pool aksOutboundBackendPool; ports per node 1024")
        );
        let fix = &finding.remediation[0];
        assert_eq!(
            fix.commands,
            [
                "az network lb outbound-rule delete --subscription 00000000-0000-0000-0000-000000000001 \
              --resource-group MC_rg_shop_westeurope --lb-name kubernetes --name more-ports"
            ]
        );
        assert!(fix.undo[0].contains("outbound-rule create"));
        assert!(fix.undo[0].ends_with(
            "--protocol All --outbound-ports 1024 --idle-timeout 30 --enable-tcp-reset true"
        ));
    }

    #[test]
    fn r1_29_fires_and_writes_akss_rule_first_when_it_is_alone() {
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules[0].name = "mine".to_owned();
        let found = outcome(&RULE, &facts);
        let commands = &found.findings[0].remediation[0].commands;
        assert!(commands[0].starts_with("az aks update"), "{commands:?}");
        assert!(commands[1].contains("outbound-rule delete"));
    }

    #[test]
    fn r1_29_fires_for_any_rule_of_another_outbound_type() {
        let mut facts = nat_gateway();
        facts.load_balancer = load_balancer().load_balancer;
        assert_eq!(codes(&outcome(&RULE, &facts)), ["OUT108"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert_eq!(outcome(&RULE, &nat_gateway()), Outcome::passed());
        assert!(outcome(&RULE, &isolated()).not_applicable.is_some());
        // The rule of the second address family, and AKS's spelling in another case.
        for name in ["aksOutboundRuleIPv6", "AKSOUTBOUNDRULE"] {
            assert_eq!(
                outcome(&RULE, &with_rule(name)),
                Outcome::passed(),
                "{name}"
            );
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with_rule("mine");
        facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
        let mut facts = with_rule("mine");
        network_mut(&mut facts).outbound_type = Some(OutboundType::Other("future".to_owned()));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
