//! FWL114: the firewall still allows the retired mirror and not its successor (R1.10).

use super::appliance::Appliance;
use super::firewall_fix::{self, Allow, Purpose};
use super::inspection::{Inspection, Part, holder, rule_label};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::endpoints::{CURRENT_MIRROR, LEGACY_MIRROR};
use crate::network::Outcome as Fate;
use crate::network::firewall::{FlowProtocol, Target};
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL114",
    slug: "retired-mirror-only",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the Azure Firewall allows acs-mirror.azureedge.net and denies packages.aks.azure.com.",
        why: "Nodes download Kubernetes itself from packages.aks.azure.com since March 2025; the old host was retired on \
              2025-05-31. Nodes that exist keep running. The next scale-out, upgrade or image update fails to provision.",
        evidence: "The rule that allows the retired host, and what denies its successor.",
        fix: "Allow packages.aks.azure.com with an application rule, or use the FQDN tag `AzureKubernetesService`.",
        how_sure: "Certain where rules name the hosts. It stands beside FWL108, which says what is denied; this says why.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let host = |name: &str| Target::host(name, 443, FlowProtocol::Https);
    Inspection::check(ctx, |appliance, inspection| {
        let mut needed = inspection.needed();
        if !needed.any(|judged| judged.endpoint.domain_name == CURRENT_MIRROR) {
            return Outcome::passed();
        }
        let old = inspection.ask(ctx, appliance, &host(LEGACY_MIRROR));
        let new = inspection.ask(ctx, appliance, &host(CURRENT_MIRROR));
        let mut outcome = Outcome {
            missing: inspection.unread.clone(),
            ..Outcome::passed()
        };
        // What becomes of both hosts, for the same senders.
        let pairs: Vec<(&Part, &Part)> = old
            .iter()
            .flat_map(|old| new.iter().map(move |new| (old, new)))
            .filter(|(old, new)| old.path == new.path && old.sources.intersects(&new.sources))
            .collect();
        let open = pairs.iter().any(|(old, new)| match (old.fate, new.fate) {
            (_, Fate::Allowed) | (Fate::Denied, _) => false,
            (old, new) => old == Fate::Undecidable || new == Fate::Undecidable,
        });
        let retired: Vec<(&Part, &Part)> = pairs
            .into_iter()
            .filter(|(old, new)| old.fate == Fate::Allowed && new.fate == Fate::Denied)
            .collect();
        if !retired.is_empty() {
            let found = finding(ctx, appliance, inspection, &retired);
            outcome.findings.push(found);
        } else if open {
            outcome.undecided.push(format!(
                "whether Azure Firewall {} allows {LEGACY_MIRROR} without {CURRENT_MIRROR} is not known",
                inspection.firewall.id.name()
            ));
        }
        outcome
    })
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    retired: &[(&Part, &Part)],
) -> Finding {
    let firewall = inspection.firewall;
    let name = firewall.id.name();
    let paths = retired.iter();
    let paths = paths.filter_map(|(part, _)| appliance.paths.get(part.path));
    let mut found = RULE
        .finding(format!(
            "Azure Firewall {name} allows the retired {LEGACY_MIRROR} and not its successor {CURRENT_MIRROR}"
        ))
        .explain(format!(
            "Nodes download what they need to start from {CURRENT_MIRROR} since March 2025. New nodes of these pools cannot be \
             provisioned."
        ))
        .pools(paths.flat_map(|path| path.used.pools.iter().copied()))
        .resource(&firewall.id);
    if let Some((old, new)) = retired.first() {
        found = found.evidence(
            format!("{LEGACY_MIRROR}:443"),
            Some(holder(&old.answer.by, firewall)),
            Some(format!("allowed by {}", rule_label(&old.answer.by))),
        );
        let denied = if new.answer.by.is_implicit() {
            "no rule allows it".to_owned()
        } else {
            format!("denied by {}", rule_label(&new.answer.by))
        };
        let at = holder(&new.answer.by, firewall);
        found = found.evidence(format!("{CURRENT_MIRROR}:443"), Some(at), Some(denied));
    }
    let fix = Remediation::new(format!(
        "Allow {CURRENT_MIRROR} beside what is allowed already"
    ));
    let rule = Allow::Hosts(&[CURRENT_MIRROR]);
    found.fix(firewall_fix::allow(
        ctx,
        appliance,
        firewall,
        (Purpose::Mirror, &rule),
        fix,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, RuleAction};
    use crate::testing::{
        admits, codes, denied, firewall_rules, firewalled, load_balancer, network_rule, outcome,
        policy_id,
    };

    fn allowing(hosts: &[&str]) -> Facts {
        let mut facts = firewalled();
        firewall_rules(&mut facts, RuleAction::Allow, admits(hosts, "*"));
        facts
    }

    #[test]
    fn r1_10_fires() {
        let found = outcome(&RULE, &allowing(&["mcr.microsoft.com", LEGACY_MIRROR]));
        assert_eq!(codes(&found), ["FWL114"]);
        let finding = &found.findings[0];
        assert!(
            !finding.blocks_egress,
            "FWL108 is the finding, this explains it"
        );
        let value = finding.evidence[0].value.as_deref();
        assert!(
            value.is_some_and(|v| v.starts_with("allowed by rule some")),
            "{value:?}"
        );
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.ends_with("--target-fqdns packages.aks.azure.com"),
            "{command}"
        );
    }

    #[test]
    fn r1_10_does_not_fire() {
        for hosts in [
            &["*"][..],
            &[LEGACY_MIRROR, CURRENT_MIRROR],
            &["mcr.microsoft.com"],
        ] {
            assert_eq!(
                outcome(&RULE, &allowing(hosts)),
                Outcome::passed(),
                "{hosts:?}"
            );
        }
        assert_eq!(
            outcome(&RULE, &firewalled()),
            Outcome::passed(),
            "the tag has both"
        );
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut maybe = allowing(&[]);
        let mut rules = admits(&[LEGACY_MIRROR], "*");
        rules.network = network_rule(&["AzureFrontDoor.FirstParty"], "TCP", "443").network;
        firewall_rules(&mut maybe, RuleAction::Allow, rules);
        let open = outcome(&RULE, &maybe);
        assert!(open.findings.is_empty() && open.is_open());
        let mut unread = firewalled();
        let refused = denied("Microsoft.Network/firewallPolicies/ruleCollectionGroups/read");
        unread.rule_collection_groups.insert(policy_id(), refused);
        let open = outcome(&RULE, &unread);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
