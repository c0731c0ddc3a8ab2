//! FWL109: a firewall rule that is needed is for some of the cluster's subnets only (R5.16).

use super::appliance::Appliance;
use super::firewall_fix;
use super::inspection::{Inspection, Judged, Part, holder, label, named, rule_label};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Context, pools_label};
use crate::facts::{AzureFirewall, Id, lookup};
use crate::network::Outcome as Fate;
use crate::network::firewall::RuleName;
use crate::order::Order as _;
use crate::report::{Finding, Need, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL109",
    slug: "firewall-source-gap",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the Azure Firewall treats all node and pod subnets alike: an endpoint that a rule allows for some of \
               them, and that no rule allows for others.",
        why: "A pool in a new subnet behaves unlike the pools beside it: its nodes do not register or cannot pull images, \
              while everything that was there before works.",
        evidence: "The rule with its sources, the subnets that it leaves out, and the endpoints that no other rule allows for these.",
        fix: "Add the missing prefixes to the rule's source addresses, or to the IP group that it names.",
        how_sure: "Certain: rules, IP groups and subnets are compared address by address. It stands beside FWL108, which \
                   says what is denied; this says why.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/firewall/rule-processing",
            "https://learn.microsoft.com/azure/firewall/ip-groups",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Inspection::check(ctx, |appliance, inspection| {
        let mut outcome = inspection.open(ctx, appliance);
        let undecided = |judged: &&Judged| {
            let mut parts = judged.parts.iter().flatten();
            parts.any(|part| part.fate == Fate::Undecidable)
        };
        let open = inspection.needed().filter(undecided);
        let open: Vec<String> = open.map(|judged| label(&judged.endpoint)).collect();
        if !open.is_empty() {
            outcome.undecided.push(format!(
                "whether Azure Firewall {} allows {} for all node and pod subnets is not known{}",
                inspection.firewall.id.name(),
                named(open),
                inspection.because()
            ));
        }
        let firewall = inspection.firewall;
        let findings = gaps(inspection)
            .iter()
            .map(|gap| finding(ctx, appliance, firewall, gap))
            .collect::<Vec<_>>();
        outcome.findings.extend(findings);
        outcome
    })
}

/// The rules that leave out senders whom no other rule lets through.
fn gaps<'i>(inspection: &'i Inspection<'_>) -> Vec<Gap<'i>> {
    let mut gaps: Vec<Gap<'i>> = Vec::new();
    for judged in inspection.needed() {
        let Some(parts) = &judged.parts else {
            continue;
        };
        let allowed = parts.iter().find(|part| part.fate == Fate::Allowed);
        let left_out = |part: &&Part| part.fate == Fate::Denied && part.answer.by.is_implicit();
        let left_out: Vec<&Part> = parts.iter().filter(left_out).collect();
        let (Some(allowed), false) = (allowed, left_out.is_empty()) else {
            continue;
        };
        let rule = &allowed.answer.by;
        let at = gaps.iter().position(|gap| gap.rule == rule);
        let at = at.unwrap_or_else(|| {
            gaps.push(Gap::of(rule));
            gaps.len() - 1
        });
        if let Some(gap) = gaps.get_mut(at) {
            gap.endpoints.push(label(&judged.endpoint));
            gap.required |= judged.endpoint.need == Need::Required;
            gap.left_out.extend(left_out);
        }
    }
    gaps
}

/// Whether this check tells that a rule leaves out the senders of a path.
pub(super) fn tells(inspection: &Inspection<'_>, rule: &RuleName, path: usize) -> bool {
    let mut gaps = gaps(inspection).into_iter();
    gaps.any(|gap| gap.rule == rule && gap.left_out.iter().any(|part| part.path == path))
}

/// A rule, and who it leaves out.
struct Gap<'i> {
    rule: &'i RuleName,
    endpoints: Vec<String>,
    required: bool,
    left_out: Vec<&'i Part>,
}

impl<'i> Gap<'i> {
    fn of(rule: &'i RuleName) -> Self {
        Self {
            rule,
            endpoints: Vec::new(),
            required: false,
            left_out: Vec::new(),
        }
    }
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    gap: &Gap<'_>,
) -> Finding {
    let name = firewall.id.name();
    let rule = &gap.rule.rule;
    let at = holder(gap.rule, firewall);
    let mut places: Vec<usize> = gap.left_out.iter().map(|part| part.path).collect();
    places.order();
    places.dedup();
    let paths: Vec<_> = places
        .iter()
        .filter_map(|place| appliance.paths.get(*place))
        .collect();
    let pools: Vec<&str> = paths
        .iter()
        .flat_map(|path| path.used.pools.iter().copied())
        .collect();
    let subnets: Vec<String> = paths.iter().map(|path| path.used.label()).collect();
    let sources = firewall_fix::sources_of(ctx, firewall, gap.rule);
    let mut found = RULE
        .finding(format!(
            "Rule {rule} of Azure Firewall {name} leaves out {}",
            pools_label(&pools)
        ))
        .severity(if gap.required { Severity::High } else { Severity::Medium })
        .explain(format!(
            "{} allows {} for other senders. Its sources do not hold all of {}, and for what they leave out no rule allows it.",
            super::out106::capital(&rule_label(gap.rule)),
            named(gap.endpoints.clone()),
            subnets.join(" and ")
        ))
        .pools(pools)
        .resource(at);
    if let Some((addresses, groups)) = sources {
        let groups = groups.iter().map(|id| format!("IP group {}", id.name()));
        let all: Vec<String> = addresses.iter().cloned().chain(groups).collect();
        found = found.evidence(
            format!("sources of rule {rule}"),
            Some(at),
            Some(all.join(", ")),
        );
    }
    let mut missing = Vec::new();
    for path in paths {
        let parts = gap.left_out.iter();
        let parts = parts.filter(|part| {
            appliance
                .paths
                .get(part.path)
                .is_some_and(|it| it.used.id == path.used.id)
        });
        let mut prefixes: Vec<String> = parts
            .flat_map(|part| part.sources.prefixes())
            .map(|prefix| prefix.to_string())
            .collect();
        prefixes.order();
        prefixes.dedup();
        found = found.evidence(
            "not among the rule's sources",
            Some(path.used.id),
            Some(prefixes.join(", ")),
        );
        missing.extend(prefixes);
    }
    match fix(ctx, gap.rule, sources, &missing) {
        Some(fix) => found.fix(fix),
        None => found.fix(
            Remediation::new(format!("Add {} to the sources of rule {rule}", missing.join(", ")))
                .command(
                    Az::beside("network firewall show", &firewall.id)
                        .opt("--name", name)
                        .build(),
                )
                .side_effect("Classic rules are changed by deleting a rule and creating it again: its connections break for a moment")
                .undo("Create the rule with its former sources again"),
        ),
    }
}

/// Widens the rule's sources, or its IP group; `None` for a classic rule with addresses.
fn fix(
    ctx: &Context<'_>,
    rule: &RuleName,
    sources: Option<(&[String], &[Id])>,
    missing: &[String],
) -> Option<Remediation> {
    let (addresses, groups) = sources?;
    let widened = |now: &[String]| -> Vec<String> { now.iter().chain(missing).cloned().collect() };
    if let Some(group) = groups.first() {
        let now = &lookup(&ctx.facts.ip_groups, group).as_known()?.addresses;
        let update = |addresses: &[String]| {
            Az::beside("network ip-group update", group)
                .opt("--name", group.name())
                .opts("--ip-addresses", addresses.iter().map(String::as_str))
                .build()
        };
        return Some(
            Remediation::new(format!(
                "Add the missing prefixes to IP group {}",
                group.name()
            ))
            .command(update(&widened(now)))
            .side_effect("Every rule that names the IP group changes with it")
            .undo(update(now)),
        );
    }
    let update = |addresses: &[String]| {
        let update = firewall_fix::rule("update", rule)?;
        let addresses = addresses.iter().map(String::as_str);
        Some(update.opts("--source-addresses", addresses).build())
    };
    Some(
        Remediation::new(format!(
            "Add the missing prefixes to the sources of rule {}",
            rule.rule
        ))
        .command(update(&widened(addresses))?)
        .side_effect("Only new connections see the change")
        .undo(update(addresses)?),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, IpGroup, RuleAction};
    use crate::testing::{
        admits, codes, denied, firewall_mut, firewall_rules, firewalled, load_balancer, outcome,
        split_pools,
    };

    /// Pool `system` in 10.0.0.0/24, pool `user` in 10.0.50.0/24, and a rule for everything from these sources.
    fn allowed_from(sources: &[&str]) -> Facts {
        let mut facts = split_pools(firewalled());
        let mut rules = admits(&["*"], "");
        rules.application[0].sources = sources.iter().map(|s| (*s).to_owned()).collect();
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        facts
    }

    #[test]
    fn r5_16_fires_for_the_pool_that_the_rule_leaves_out() {
        let found = outcome(&RULE, &allowed_from(&["10.0.0.0/24"]));
        assert_eq!(codes(&found), ["FWL109"]);
        let finding = &found.findings[0];
        assert_eq!(finding.affected.node_pools, ["user"]);
        assert!(
            !finding.blocks_egress,
            "FWL108 is the finding, this explains it"
        );
        assert_eq!(finding.evidence[0].value.as_deref(), Some("10.0.0.0/24"));
        assert_eq!(finding.evidence[1].value.as_deref(), Some("10.0.50.0/24"));
        let fix = &finding.remediation[0];
        assert!(
            fix.commands[0].ends_with(
                "--rule-collection-group-name egress --collection-name egress-rules --name some --source-addresses 10.0.0.0/24 10.0.50.0/24"
            ),
            "{}",
            fix.commands[0]
        );
        assert!(fix.undo[0].ends_with("--source-addresses 10.0.0.0/24"));
    }

    #[test]
    fn r5_16_fires_for_half_a_subnet() {
        let found = outcome(&RULE, &allowed_from(&["10.0.0.0/24", "10.0.50.0/25"]));
        let left_out = found.findings[0].evidence[1].value.as_deref();
        assert_eq!(left_out, Some("10.0.50.128/25"));
    }

    #[test]
    fn r5_15_fires_with_the_ip_group_as_what_to_change() {
        let mut facts = allowed_from(&[]);
        let id = Id::new(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/ipGroups/spokes",
        );
        let mut rules = admits(&["*"], "");
        rules.application[0].sources.clear();
        rules.application[0].source_ip_groups = vec![id.clone()];
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        let group = IpGroup {
            id: id.clone(),
            addresses: vec!["10.0.0.0/24".to_owned()],
        };
        facts.ip_groups.insert(id.clone(), Datum::Known(group));
        let found = outcome(&RULE, &facts);
        let command = &found.findings[0].remediation[0].commands[0];
        assert!(
            command.ends_with("--name spokes --ip-addresses 10.0.0.0/24 10.0.50.0/24"),
            "{command}"
        );
        facts
            .ip_groups
            .insert(id, denied("Microsoft.Network/ipGroups/read"));
        let open = outcome(&RULE, &facts);
        assert!(
            open.findings.is_empty() && !open.missing.is_empty(),
            "cannot tell"
        );
    }

    #[test]
    fn r5_7_fires_for_a_classic_rule() {
        let mut facts = allowed_from(&["10.0.0.0/24"]);
        let groups = std::mem::take(&mut facts.rule_collection_groups);
        let Some(Datum::Known(groups)) = groups.into_values().next() else {
            panic!("the test policy has rules")
        };
        let firewall = firewall_mut(&mut facts);
        firewall.policy_id = None;
        firewall.classic_collections = groups.into_iter().flat_map(|it| it.collections).collect();
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL109"]);
        let fix = &found.findings[0].remediation[0];
        assert!(fix.summary.contains("10.0.50.0/24"), "{fix:?}");
    }

    #[test]
    fn r5_16_does_not_fire_when_the_sources_hold_every_subnet() {
        for sources in [
            &["10.0.0.0/16"][..],
            &["10.0.0.0/24", "10.0.50.0-10.0.50.255"],
        ] {
            assert_eq!(outcome(&RULE, &allowed_from(sources)), Outcome::passed());
        }
        // A rule for other networks is no gap: nothing is allowed for anybody, which FWL108 says.
        let elsewhere = outcome(&RULE, &allowed_from(&["10.99.0.0/16"]));
        assert!(elsewhere.findings.is_empty());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell_without_the_subnets_or_with_sources_that_are_no_addresses() {
        let mut facts = allowed_from(&["10.0.0.0/24"]);
        for subnet in facts.subnets.values_mut() {
            *subnet = denied("Microsoft.Network/virtualNetworks/subnets/read");
        }
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty(), "{open:?}");
        let invalid = outcome(&RULE, &allowed_from(&["10.0.0.0/24", "not an address"]));
        assert!(
            invalid.findings.is_empty() && invalid.is_open(),
            "{invalid:?}"
        );
    }
}
