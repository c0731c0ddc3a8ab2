//! NSG110: an allow rule that can never fire.

use super::nsg_fix::{body, describe, place, rule_label, unshadow};
use super::nsg_hits::{miss, note};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::network::nsg::{RuleName, Shadowed};
use crate::order::Order as _;
use crate::report::{Finding, Severity};
use crate::security::{self, Guard};

/// An allow rule that can never fire.
pub(super) const RULE: Rule = Rule {
    code: "NSG110",
    slug: "shadowed-allow",
    severity: Severity::Low,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether an outbound allow rule in a network security group on the way out can never fire, because rules with \
               lower numbers decide about everything it matches and deny some of it (R4.32).",
        why: "The first rule that matches decides. Somebody meant to allow something, and it is denied all the same.",
        evidence: "The allow rule and the denying rules before it, as Azure has them.",
        fix: "Move the allow rule before the denial with `az network nsg rule update --priority`, or remove it.",
        how_sure: "Certain: sets of addresses and ports are compared, not texts. Where a denial names a tag or an \
                   application security group whose contents decide, the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
            "https://learn.microsoft.com/azure/virtual-network/network-security-group-how-it-works",
        ],
    },
    check,
};

/// A shadowed rule, and the pools whose packets meet it.
struct Found {
    shadowed: Shadowed,
    pools: Vec<String>,
}

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut all: Vec<Found> = Vec::new();
    // What tag VirtualNetwork holds differs from subnet to subnet: a rule that fires on one way is not shadowed.
    let mut fires: Vec<RuleName> = Vec::new();
    for guard in Guard::all(ctx) {
        for rules in guard.outbound() {
            let shadows = rules.shadowed();
            if !shadows.complete {
                let text = "the rules of a security group cut the traffic into too many parts";
                note(&mut outcome.undecided, [text.to_owned()]);
            }
            let shadowed = shadows.rules;
            let others = rules
                .custom_allows()
                .filter(|name| !shadowed.iter().any(|shadowed| shadowed.rule == **name));
            fires.extend(others.cloned());
            for new in shadowed {
                let pools = guard.pools().map(str::to_owned);
                match all.iter_mut().find(|old| old.shadowed.rule == new.rule) {
                    Some(old) => {
                        old.shadowed.sure &= new.sure;
                        note(&mut old.pools, pools);
                    }
                    None => all.push(Found {
                        shadowed: new,
                        pools: pools.collect(),
                    }),
                }
            }
        }
    }
    // An allow rule that may fire does so by what tag VirtualNetwork holds; without one there is nothing to shadow.
    if !(all.is_empty() && fires.is_empty()) {
        miss(&mut outcome, security::missing_space(ctx));
    }
    all.retain(|found| !fires.contains(&found.shadowed.rule));
    for found in &mut all {
        found.pools.order();
        if found.shadowed.sure {
            outcome.findings.push(finding(ctx, found));
        } else {
            let by = found.shadowed.by.iter().map(rule_label);
            let text = format!(
                "whether {} of {} can fire depends on what {} matches",
                rule_label(&found.shadowed.rule),
                place(&found.shadowed.rule),
                by.collect::<Vec<_>>().join(", ")
            );
            note(&mut outcome.undecided, [text]);
        }
    }
    outcome
}

fn finding(ctx: &Context<'_>, found: &Found) -> Finding {
    let Shadowed { rule, by, .. } = &found.shadowed;
    let pools: Vec<&str> = found.pools.iter().map(String::as_str).collect();
    let denials: Vec<String> = by.iter().map(rule_label).collect();
    let mut finding = RULE
        .finding(format!(
            "{} of {} never fires: {} denies before it",
            super::out106::capital(&rule_label(rule)),
            place(rule),
            denials.join(", ")
        ))
        .explain(format!(
            "The rule with the lowest number that matches decides. Everything that this rule would allow to {} is decided \
             before it.",
            pools_label(&pools)
        ))
        .pools(pools.iter().copied());
    if let Some(id) = &rule.nsg {
        finding = finding.resource(id);
    }
    for name in std::iter::once(rule).chain(by) {
        finding = finding.evidence(
            format!("{} of {}", rule_label(name), place(name)),
            name.nsg.as_ref(),
            body(ctx, name).map(|(_, rule)| describe(rule)),
        );
    }
    let first = by.first().and_then(|name| name.priority);
    if let (Some((nsg, allow)), Some(first)) = (body(ctx, rule), first) {
        for fix in unshadow(nsg, allow, first) {
            finding = finding.fix(fix);
        }
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Facts, SecurityRule};
    use crate::testing::{
        codes, denied, load_balancer, nsg_id, outcome, security_rule, split_pools, subnet_mut,
        subnet_nsg, with_firewall_route,
    };

    fn with(rules: Vec<SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    fn deny() -> SecurityRule {
        security_rule("deny", 200, Deny, "*", "Internet", "*")
    }

    #[test]
    fn r4_32_fires() {
        // The vector: a tag of public addresses lies in Internet.
        let allow = security_rule("allow-azure", 300, Allow, "Tcp", "AzureCloud", "443");
        let found = outcome(&RULE, &with(vec![deny(), allow]));
        assert_eq!(codes(&found), ["NSG110"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(
            finding.title,
            "Rule allow-azure (priority 300) of network security group nsg-nodes on the subnet never fires: rule deny \
             (priority 200) denies before it"
        );
        assert_eq!(finding.evidence.len(), 2);
        let [moved, gone] = finding.remediation.as_slice() else {
            panic!("two ways")
        };
        assert!(moved.commands[0].ends_with("--name allow-azure --priority 199"));
        assert!(moved.undo[0].ends_with("--priority 300"));
        assert!(gone.commands[0].contains("rule delete"));
        assert!(gone.undo[0].contains("--access Allow"));
    }

    #[test]
    fn r4_32_fires_when_several_rules_cover_it_together() {
        let rules = vec![
            security_rule("low", 100, Deny, "Tcp", "20.0.0.0/9", "443"),
            security_rule("high", 110, Deny, "Tcp", "20.128.0.0/9", "400-500"),
            security_rule("allow", 300, Allow, "Tcp", "20.0.0.0/8", "443"),
        ];
        let found = outcome(&RULE, &with(rules));
        assert_eq!(codes(&found), ["NSG110"]);
        assert_eq!(found.findings[0].evidence.len(), 3);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        let allow = |priority, destination, ports| {
            security_rule("allow", priority, Allow, "Tcp", destination, ports)
        };
        for rules in [
            // Before the denial; partly outside it; another port; only repeated.
            vec![allow(100, "AzureCloud", "443"), deny()],
            vec![deny(), allow(300, "*", "443")],
            vec![
                security_rule("d", 200, Deny, "Tcp", "Internet", "80"),
                allow(300, "Internet", "80-81"),
            ],
            vec![
                security_rule("first", 100, Allow, "Tcp", "20.0.0.0/8", "443"),
                allow(300, "20.1.0.0/16", "443"),
            ],
            // Addresses of the platform that no ordinary rule filters (R4.10).
            vec![deny(), allow(300, "168.63.129.16", "53")],
        ] {
            assert_eq!(
                outcome(&RULE, &with(rules.clone())),
                Outcome::passed(),
                "{rules:?}"
            );
        }
    }

    #[test]
    fn does_not_fire_when_the_rule_fires_on_another_way() {
        // A route to an appliance makes its prefix part of VirtualNetwork on one of the two subnets only (R4.13).
        let rules = vec![
            security_rule("deny", 200, Deny, "*", "10.0.0.0/16", "*"),
            security_rule("allow", 300, Allow, "*", "VirtualNetwork", "*"),
        ];
        let mut facts = with_firewall_route(split_pools(with(rules)));
        subnet_mut(&mut facts, "nodes").route_table_id = None;
        assert!(outcome(&RULE, &facts).findings.is_empty());
    }

    #[test]
    fn cannot_tell() {
        // R4.18: whether the denial covers the address depends on what its tag holds.
        let deny = security_rule("deny", 200, Deny, "Tcp", "Storage", "443");
        let allow = security_rule("allow", 300, Allow, "Tcp", "20.1.2.3", "443");
        let open = outcome(&RULE, &with(vec![deny, allow]));
        assert!(open.findings.is_empty());
        assert!(
            open.undecided[0].contains("rule deny (priority 200)"),
            "{:?}",
            open.undecided
        );
        let mut facts = with(Vec::new());
        facts.nsgs.insert(nsg_id("nsg-nodes"), denied("x"));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
