use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::{Access, Direction, SecurityRule};
use crate::order::Order as _;
use crate::report::{Confidence, Finding, Severity};
use crate::security::{self, Block, Guard, Probe, Service, Standing};

pub(super) const RULE: Rule = Rule {
    code: "NSG107",
    slug: "allow-list-missing-dependency",
    severity: Severity::High,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Security groups that deny the internet and allow service tags above that: whether the tags that the \
               allowed ones depend on are allowed too (R4.16, R4.33). `MicrosoftContainerRegistry` needs \
               `AzureFrontDoor.FirstParty`, `AzureKeyVault` needs `AzureActiveDirectory`, `AzureMonitor` needs \
               `Storage`, `AzureBackup` needs both of the latter.",
        why: "The registry answers from behind Azure Front Door: with its own tag alone, image pulls fail although the \
              registry seems to be allowed.",
        evidence: "The denying rule, its priority, level and security group, and the tags that are missing.",
        fix: "Allow the missing tags above the denying rule. Denying the internet in a security group is not \
              recommended at all, since AKS's dependencies are host names; a firewall can tell them apart.",
        how_sure: "Likely: which tags depend on which is documented; that no other rule holds the same addresses is \
                   judged by the tags' names. A dependency that `AzureCloud` may or may not hold leaves the check open.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/service-tags-overview",
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let location = ctx.cluster().location.as_deref();
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        for service in dependencies(ctx, &guard) {
            match guard.standing(service, Probe::HTTPS, location) {
                Standing::Allowed => {}
                Standing::Denied(blocks) => {
                    for Block { rule, .. } in blocks {
                        hits.add(&guard, rule, RULE.severity, false, service.tag(location));
                    }
                }
                Standing::Unknown(why) => note(&mut outcome.undecided, why),
            }
        }
        // Whether an allow-list lacks the front door then rests on what the network's tags hold.
        if let Standing::Unknown(why) = guard.standing(Service::FrontDoor, Probe::HTTPS, location) {
            let space = why.into_iter().filter(|why| security::about_space(why));
            note(&mut outcome.undecided, space);
        }
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(|hit| finding(ctx, hit)).collect();
    outcome
}

/// What the allowed tags need beside themselves. A service that every cluster needs is NSG101's business.
fn dependencies(ctx: &Context<'_>, guard: &Guard<'_, '_>) -> Vec<Service> {
    let location = ctx.cluster().location.as_deref();
    let isolated = security::isolated(ctx);
    let mut all: Vec<Service> = guard
        .nsgs()
        .flat_map(|(_, nsg)| &nsg.rules)
        .filter(|rule| rule.access == Some(Access::Allow) && is_outbound(rule))
        .flat_map(|rule| &rule.destinations)
        .flat_map(|tag| Service::dependencies(tag.trim()))
        .copied()
        .filter(|service| isolated || !Service::REQUIRED.contains(service))
        .collect();
    let registry = guard.standing(Service::Registry, Probe::HTTPS, location);
    let listed = guard.standing(Service::FrontDoor, Probe::HTTPS, location);
    // An allow-list may hold the registry by another tag, and its front door by none.
    if !isolated
        && matches!(
            (registry, listed),
            (
                Standing::Allowed | Standing::Unknown(_),
                Standing::Denied(_)
            )
        )
    {
        all.push(Service::FrontDoor);
    }
    all.order();
    all.dedup();
    all
}

fn is_outbound(rule: &SecurityRule) -> bool {
    rule.direction != Some(Direction::Inbound)
}

fn finding(ctx: &Context<'_>, hit: &Hit) -> Finding {
    let tags = hit.what.join(", ");
    let title = format!(
        "{} of {} denies {tags}, which the allowed tags of {} depend on",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        pools_label(&hit.pools()),
    );
    let found = denied(ctx, &RULE, title, hit)
        .confidence(Confidence::Likely)
        .explain(format!(
            "The rules above the denial let service tags through that do not work alone: their services answer from \
             addresses of {tags} too. Connections to those are dropped, for instance while images are pulled."
        ));
    let destinations: Vec<[String; 1]> = hit.what.iter().map(|tag| [tag.clone()]).collect();
    let names: Vec<String> = hit
        .what
        .iter()
        .map(|tag| format!("Allow{}443", tag.replace('.', "")))
        .collect();
    let ports = ["443".to_owned()];
    let admits: Vec<Admit<'_>> = names
        .iter()
        .zip(&destinations)
        .map(|(name, tag)| Admit {
            name,
            direction: Direction::Outbound,
            protocol: "Tcp",
            sources: &[],
            destinations: tag,
            ports: &ports,
        })
        .collect();
    fixes(ctx, &hit.rule, &admits)
        .into_iter()
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::Facts;
    use crate::testing::{codes, load_balancer, outcome, security_rule, subnet_nsg};

    /// An allow-list of these tags.
    fn with(tags: &[&str]) -> Facts {
        let mut facts = load_balancer();
        let mut rules: Vec<SecurityRule> = tags
            .iter()
            .zip(100..)
            .map(|(tag, priority)| security_rule(tag, priority, Allow, "Tcp", tag, "443"))
            .collect();
        rules.push(security_rule("deny", 4000, Deny, "*", "Internet", "*"));
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    const BASE: [&str; 4] = [
        "MicrosoftContainerRegistry",
        "AzureResourceManager",
        "AzureActiveDirectory",
        "AzureCloud.westeurope",
    ];

    #[test]
    fn r4_16_fires() {
        let found = outcome(&RULE, &with(&BASE));
        assert_eq!(codes(&found), ["NSG107"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::High);
        assert!(finding.title.contains("AzureFrontDoor.FirstParty"));
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.contains("--priority 3999") && command.contains("AzureFrontDoor.FirstParty"),
            "{command}"
        );
    }

    #[test]
    fn r4_16_fires_for_a_feature_tag() {
        let found = outcome(&RULE, &with(&["AzureActiveDirectory", "AzureMonitor"]));
        assert!(found.findings[0].title.contains("Storage"));
        // The region's tag may hold its storage accounts.
        let open = outcome(&RULE, &with(&["AzureMonitor", "AzureCloud.westeurope"]));
        assert!(open.is_open());
    }

    #[test]
    fn r4_16_does_not_fire() {
        let complete = [&BASE[..], &["AzureFrontDoor.FirstParty"]].concat();
        for facts in [load_balancer(), with(&complete)] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
        // Nothing is allowed at all: that is NSG101.
        assert!(outcome(&RULE, &with(&[])).findings.is_empty());
    }

    #[test]
    fn r4_15_cannot_tell_whether_azure_cloud_holds_the_front_door() {
        let open = outcome(&RULE, &with(&["MicrosoftContainerRegistry", "AzureCloud"]));
        assert!(open.findings.is_empty());
        assert!(open.undecided.iter().any(|u| u.contains("AzureCloud")));
    }
}
