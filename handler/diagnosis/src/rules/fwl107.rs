//! FWL107: the internal load balancer at the next hop takes only some ports (R2.40).

use super::appliance::Appliance;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Frontend, Id, LoadBalancer, LoadBalancingRule};
use crate::report::{Confidence, Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL107",
    slug: "internal-load-balancer-no-ha-ports",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the frontend that the default route leads to has an HA-ports rule: protocol `All`, port 0.",
        why: "A load balancer drops what no rule is for. Behind a default route it gets every port and protocol of the nodes, \
              so rules for single ports lose everything else: time, DNS, UDP, any port nobody thought of.",
        evidence: "The load balancing rules of the frontend with their protocols and ports.",
        fix: "`az network lb rule create --protocol All --frontend-port 0 --backend-port 0` on the frontend.",
        how_sure: "Certain about the rules. Likely as a fault: rules for every port in use would do, and nobody can list those.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check_balancers(ctx, |appliance, balancer, frontend| {
        let rules = rules_of(balancer, frontend);
        let unclear = |rule: &LoadBalancingRule| rule.frontend.is_none();
        // A frontend without any rule is FWL106.
        if rules.iter().any(|rule| is_ha_ports(rule) == Some(true)) || rules.is_empty() {
            Outcome::passed()
        } else if rules.iter().any(|rule| is_ha_ports(rule).is_none())
            || balancer.rules.iter().any(unclear)
        {
            Outcome::undecided(format!(
                "a rule of load balancer {} does not say which frontend, protocol or port it is for",
                balancer.id.name()
            ))
        } else {
            Outcome::found(finding(appliance, balancer, frontend, &rules))
        }
    })
}

/// The load balancing rules of a frontend.
pub(super) fn rules_of<'b>(
    balancer: &'b LoadBalancer,
    frontend: &Frontend,
) -> Vec<&'b LoadBalancingRule> {
    let own = |rule: &&LoadBalancingRule| rule.frontend.as_ref() == Some(&frontend.id);
    balancer.rules.iter().filter(own).collect()
}

/// Whether the rule takes every port of every protocol; `None` when it does not say.
fn is_ha_ports(rule: &LoadBalancingRule) -> Option<bool> {
    let protocol = rule.protocol.as_ref()?;
    Some(protocol.eq_ignore_ascii_case("all") && rule.frontend_port? == 0)
}

fn finding(
    appliance: &Appliance<'_, '_>,
    balancer: &LoadBalancer,
    frontend: &Frontend,
    rules: &[&LoadBalancingRule],
) -> Finding {
    let name = balancer.id.name();
    let mut found = RULE
        .finding(format!(
            "Load balancer {name} passes only some ports of the egress of {}",
            appliance.pools_label()
        ))
        .confidence(Confidence::Likely)
        .explain(format!(
            "{} leads to {}, a frontend of internal load balancer {name}. No rule of the frontend is for all ports and protocols, and what no rule is for is dropped.",
            super::out106::capital(&appliance.via.label()),
            appliance.address
        ))
        .pools(appliance.pools())
        .resource(&balancer.id);
    for rule in rules {
        let word = rule.protocol.as_deref().unwrap_or("unknown protocol");
        let port = rule
            .frontend_port
            .map_or(String::new(), |port| format!(" {port}"));
        found = found.evidence(
            format!("load balancing rule {}", rule.name),
            Some(&frontend.id),
            Some(format!("{word}{port}")),
        );
    }
    found.fix(ha_ports_fix(balancer, frontend, rules))
}

/// Gives the frontend a rule for all ports, to the backend pool of its rules or else to the load balancer's first.
pub(super) fn ha_ports_fix(
    balancer: &LoadBalancer,
    frontend: &Frontend,
    rules: &[&LoadBalancingRule],
) -> Remediation {
    let of_rules = rules.iter().find_map(|rule| rule.backend_pool.as_ref());
    let first = balancer.backend_pools.first().map(|pool| &pool.id);
    let rule = |verb: &str| {
        Az::beside(&format!("network lb rule {verb}"), &balancer.id)
            .opt("--lb-name", balancer.id.name())
            .opt("--name", "ha-ports")
    };
    let create = rule("create")
        .opt("--protocol", "All")
        .number("--frontend-port", 0)
        .number("--backend-port", 0)
        .opt("--frontend-ip-name", frontend.id.name());
    let create = match of_rules.or(first) {
        Some(pool) => create.opt("--backend-pool-name", Id::name(pool)),
        None => create,
    };
    Remediation::new("Give the frontend a rule for all ports")
        .command(create.build())
        .side_effect("Add --probe-name with the appliances' health probe: without one a broken appliance keeps getting packets")
        .side_effect("Azure refuses it beside rules for single ports of the same frontend and pool: these go first")
        .undo(rule("delete").build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{balanced, balancer_mut, codes, denied, load_balancer, outcome, with_hop};

    #[test]
    fn r2_40_fires() {
        let mut facts = balanced();
        let rule = &mut balancer_mut(&mut facts).rules[0];
        (rule.protocol, rule.frontend_port) = (Some("Tcp".to_owned()), Some(443));
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL107"]);
        let finding = &found.findings[0];
        assert_eq!(finding.confidence, Confidence::Likely);
        assert_eq!(finding.evidence[0].value.as_deref(), Some("Tcp 443"));
        let fix = &finding.remediation[0];
        assert!(
            fix.commands[0].ends_with(
                "--lb-name ilb --name ha-ports --protocol All --frontend-port 0 --backend-port 0 --frontend-ip-name front --backend-pool-name nvas"
            ),
            "{}",
            fix.commands[0]
        );
        assert!(fix.undo[0].ends_with("--name ha-ports"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &balanced()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        let mut facts = balanced();
        balancer_mut(&mut facts).rules.clear();
        assert_eq!(
            outcome(&RULE, &facts),
            Outcome::passed(),
            "FWL106 says that"
        );
    }

    #[test]
    fn cannot_tell() {
        let mut facts = balanced();
        balancer_mut(&mut facts).rules[0].protocol = None;
        assert!(outcome(&RULE, &facts).is_open());
        let facts = with_hop(denied("Microsoft.Network/loadBalancers/read"));
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
    }
}
