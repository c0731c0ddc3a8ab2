use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::Direction;
use crate::network::AddressSet;
use crate::report::{Finding, Severity};
use crate::security::{self, Guard, Probe};

pub(super) const RULE: Rule = Rule {
    code: "NSG105",
    slug: "intra-cluster-denied",
    severity: Severity::Critical,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether traffic between the cluster's own subnets is open in both directions: what leaves a node at the \
               network interfaces and the subnet, and what comes in (R1.2, R4.30 P7).",
        why: "Pods ask CoreDNS on other nodes, and the API server's tunnel reaches kubelets on port 10250 through other \
              nodes. When that is dropped, names fail and logs, exec and webhooks hang: it looks like lost egress.",
        evidence: "The denying rule, its priority, level and security group.",
        fix: "Allow traffic between the subnets above the rule, or remove the rule.",
        how_sure: "Certain. Critical when DNS (53), 443 or 10250 between nodes is hit; high for other ports, since AKS \
                   does not support blocking any traffic inside the cluster.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/tunnel-connectivity-issues",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let guards = Guard::all(ctx);
    let cluster = guards.iter().fold(AddressSet::empty(), |all, guard| {
        all.union(&guard.sources())
    });
    let mut hits = Hits::default();
    for guard in &guards {
        for (probe, severity) in [
            (Probe::NODES, Severity::Critical),
            (Probe::NODES_ANY, Severity::High),
        ] {
            let own = guard.sources();
            let ways = probe
                .classes(&own, &cluster)
                .map(|class| (Direction::Outbound, class))
                .chain(
                    probe
                        .classes(&cluster, &own)
                        .map(|class| (Direction::Inbound, class)),
                );
            for (direction, class) in ways {
                let result = guard.addressed(direction, &class);
                for (rule, _) in result.by_custom_rule() {
                    hits.add(guard, rule, severity, true, word(direction));
                }
                // Azure's own rules let nodes of one network reach each other, whatever else the tag holds.
                note(&mut outcome.undecided, result.open_to_custom);
            }
        }
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(|hit| finding(ctx, hit)).collect();
    outcome
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "into",
        Direction::Outbound => "out of",
    }
}

fn finding(ctx: &Context<'_>, hit: &Hit) -> Finding {
    let title = format!(
        "{} of {} denies traffic between the cluster's nodes ({} {})",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        hit.what.join(" and "),
        pools_label(&hit.pools()),
    );
    let explanation = if hit.severity == Severity::Critical {
        "Nodes lose DNS, the API or kubelet traffic of each other: names fail and logs, exec and webhooks hang, which \
         looks like lost egress. AKS does not support blocking traffic inside the cluster."
    } else {
        "AKS does not support blocking traffic inside the cluster: pods of different nodes cannot reach each other on \
         the denied ports."
    };
    let found = denied(ctx, &RULE, title, hit)
        .severity(hit.severity)
        .explain(explanation);
    let inbound = hit.what.iter().any(|what| what == word(Direction::Inbound));
    let vnet = ["VirtualNetwork".to_owned()];
    let admit = Admit {
        name: "AllowIntraCluster",
        direction: if inbound {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        protocol: "*",
        sources: &vnet,
        destinations: &vnet,
        ports: &["*".to_owned()],
    };
    fixes(ctx, &hit.rule, &[admit])
        .into_iter()
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Facts, SecurityRule};
    use crate::testing::{codes, load_balancer, nsg_id, outcome, security_rule, subnet_nsg};

    fn with(rules: Vec<SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    fn inbound(mut rule: SecurityRule) -> SecurityRule {
        rule.direction = Some(Direction::Inbound);
        rule
    }

    #[test]
    fn r4_30_p7_fires_in_both_directions() {
        let deny = security_rule("deny-all", 4000, Deny, "*", "*", "*");
        for rule in [deny.clone(), inbound(deny)] {
            let found = outcome(&RULE, &with(vec![rule]));
            assert_eq!(codes(&found), ["NSG105"]);
            assert_eq!(found.findings[0].severity, Severity::Critical);
        }
    }

    #[test]
    fn r1_2_fires_as_high_for_other_ports() {
        let rule = security_rule("no-ssh", 200, Deny, "Tcp", "10.0.0.0/8", "22");
        let found = outcome(&RULE, &with(vec![rule]));
        assert_eq!(found.findings[0].severity, Severity::High);
    }

    #[test]
    fn does_not_fire() {
        for rules in [
            vec![],
            vec![security_rule("internet", 200, Deny, "*", "Internet", "*")],
            vec![
                security_rule("vnet", 100, Allow, "*", "VirtualNetwork", "*"),
                security_rule("deny-all", 200, Deny, "*", "*", "*"),
            ],
            vec![inbound(security_rule(
                "other",
                200,
                Deny,
                "*",
                "10.9.0.0/16",
                "*",
            ))],
        ] {
            assert_eq!(outcome(&RULE, &with(rules)), Outcome::passed());
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(vec![]);
        let action = "Microsoft.Network/networkSecurityGroups/read";
        facts
            .nsgs
            .insert(nsg_id("nsg-nodes"), crate::testing::denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
