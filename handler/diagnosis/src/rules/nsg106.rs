use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::Direction;
use crate::network::{AddressSet, Family};
use crate::report::{Finding, Severity};
use crate::security::{self, Guard, Probe};

pub(super) const RULE: Rule = Rule {
    code: "NSG106",
    slug: "pod-cidr-denied",
    severity: Severity::High,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "For clusters with an overlay: whether a rule that somebody wrote denies traffic from nodes or pods to \
               the pod range, or from the pod range to nodes (R1.83).",
        why: "The pod range is no part of the virtual network, so a broad deny catches it although `VirtualNetwork` is \
              allowed. Pods then lose CoreDNS and each other across nodes.",
        evidence: "The denying rule, its priority, level and security group, and the pod range.",
        fix: "Allow the pod range above the rule, in both directions, or remove the rule.",
        how_sure: "Certain about rules that somebody wrote. Azure's own default rules do not stop overlay traffic and \
                   do not count.",
        references: &["https://learn.microsoft.com/azure/aks/concepts-network-azure-cni-overlay"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if ctx.network().is_none() {
        return Outcome::undecided("the cluster's body has no network profile");
    }
    let overlay = ctx.network().is_some_and(|network| {
        let mode = network.plugin_mode.as_deref();
        mode.is_some_and(|mode| mode.eq_ignore_ascii_case("overlay"))
    });
    if !overlay {
        return Outcome::not_applicable("the cluster has no overlay network");
    }
    let ranges = ctx
        .network()
        .map(|n| n.pod_cidrs.clone())
        .unwrap_or_default();
    let pods = match AddressSet::parse_all(ranges.iter().map(String::as_str)) {
        Ok(set) if !set.is_empty() => set.of(Family::V4),
        _ => return Outcome::undecided("the pod range could not be read"),
    };
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        let both = guard.sources().union(&pods);
        let ways = Probe::PODS
            .classes(&both, &pods)
            .map(|class| (Direction::Outbound, class))
            .chain(
                Probe::PODS
                    .classes(&pods, &both)
                    .map(|class| (Direction::Inbound, class)),
            );
        for (direction, class) in ways {
            let result = guard.addressed(direction, &class);
            for (rule, _) in result.by_custom_rule() {
                let word = match direction {
                    Direction::Inbound => "from",
                    Direction::Outbound => "to",
                };
                hits.add(&guard, rule, RULE.severity, true, word);
            }
            // The default rules let an overlay work, whatever tag VirtualNetwork holds: only a rule somebody wrote counts.
            note(&mut outcome.undecided, result.open_to_custom);
        }
    }
    let finding = |hit: &Hit| finding(ctx, hit, &ranges);
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(finding).collect();
    outcome
}

fn finding(ctx: &Context<'_>, hit: &Hit, ranges: &[String]) -> Finding {
    let range = ranges.join(", ");
    let title = format!(
        "{} of {} denies traffic {} the pod range {range}",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        hit.what.join(" and "),
    );
    let found = denied(ctx, &RULE, title, hit).explain(
        "Overlay pods send from the pod range, which is no part of the virtual network. The rule drops their packets \
         between nodes: they lose CoreDNS and with it every name, and each other.",
    );
    let inbound = hit.what.iter().any(|what| what == "from");
    let (any, pods) = (Vec::new(), ranges.to_vec());
    let admit = Admit {
        name: "AllowPodRange",
        direction: if inbound {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        protocol: "*",
        sources: if inbound { &pods } else { &any },
        destinations: if inbound { &any } else { &pods },
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
    use crate::testing::{
        codes, kubenet, load_balancer, network_mut, outcome, security_rule, subnet_nsg,
    };

    fn with(rules: Vec<SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    #[test]
    fn r1_83_fires() {
        for to in ["*", "10.244.0.0/16", "10.0.0.0/8"] {
            let found = outcome(
                &RULE,
                &with(vec![
                    security_rule("vnet", 100, Allow, "*", "VirtualNetwork", "*"),
                    security_rule("deny", 200, Deny, "*", to, "*"),
                ]),
            );
            assert_eq!(codes(&found), ["NSG106"], "{to}");
            assert!(found.findings[0].title.contains("10.244.0.0/16"));
        }
    }

    #[test]
    fn r1_83_default_rules_alone_leave_nothing_open_under_a_default_route() {
        let facts = crate::testing::firewall_routing();
        let outcome = outcome(&RULE, &facts);
        assert!(outcome.undecided.is_empty(), "{:?}", outcome.undecided);
        assert!(outcome.findings.is_empty());
    }

    #[test]
    fn r1_83_does_not_fire() {
        for rules in [
            vec![],
            vec![security_rule("internet", 200, Deny, "*", "Internet", "*")],
            vec![
                security_rule("pods", 100, Allow, "*", "10.244.0.0/16", "*"),
                security_rule("deny", 200, Deny, "*", "*", "*"),
            ],
        ] {
            assert_eq!(outcome(&RULE, &with(rules)), Outcome::passed());
        }
        assert!(outcome(&RULE, &kubenet()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(vec![]);
        network_mut(&mut facts).pod_cidrs = vec!["all".to_owned()];
        assert!(outcome(&RULE, &facts).is_open());
    }
}
