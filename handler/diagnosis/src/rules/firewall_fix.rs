//! Commands that change an Azure Firewall's rules, in its policy or as classic rules.

use std::collections::BTreeSet;

use super::appliance::Appliance;
use super::inspection::AKS_TAG;
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{AzureFirewall, Id, RuleCollection, lookup};
use crate::network::firewall::{RuleName, Stage};
use crate::order::Order as _;
use crate::report::Remediation;

/// More names than this are allowed by the FQDN tag instead of one by one.
const NAMED: usize = 5;

/// `az … rule-collection-group collection`, as all commands about collections of a policy begin.
const COLLECTION: &str = "network firewall policy rule-collection-group collection";

/// What a collection is proposed for. Several may be proposed in one report: each has a name and a priority of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Endpoints that are denied.
    Endpoints,
    /// The API server's address.
    ApiServer,
    /// The host that nodes start from.
    Mirror,
}

impl Purpose {
    /// The collection's name, and its place among the free priorities.
    fn place(self) -> (&'static str, usize) {
        match self {
            Self::Endpoints => ("allow-aks-egress", 0),
            Self::ApiServer => ("allow-aks-api-server", 1),
            Self::Mirror => ("allow-aks-packages", 2),
        }
    }
}

/// A rule that allows.
pub(super) enum Allow<'a> {
    /// An application rule for HTTP and HTTPS to these hosts.
    Hosts(&'a [&'a str]),
    /// A network rule.
    Network {
        protocol: &'a str,
        destination: &'a str,
        ports: &'a [&'a str],
    },
}

impl Allow<'_> {
    /// Its `--rule-type` in a policy, and the word of the commands for classic rules.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Hosts(_) => ("ApplicationRule", "application-rule"),
            Self::Network { .. } => ("NetworkRule", "network-rule"),
        }
    }

    /// What it matches; the option for network protocols is called differently for classic rules.
    fn matching(&self, az: Az, sources: &[&str], ip_protocols: &str) -> Az {
        match self {
            Self::Hosts(names) => {
                let az = az
                    .opts("--protocols", ["Http=80", "Https=443"])
                    .opts("--source-addresses", sources.iter().copied());
                if names.len() > NAMED {
                    az.opt("--fqdn-tags", AKS_TAG)
                } else {
                    az.opts("--target-fqdns", names.iter().copied())
                }
            }
            Self::Network {
                protocol,
                destination,
                ports,
            } => az
                .opt(ip_protocols, protocol)
                .opts("--source-addresses", sources.iter().copied())
                .opt("--destination-addresses", destination)
                .opts("--destination-ports", ports.iter().copied()),
        }
    }
}

/// Adds the command that makes the rule, for exactly the subnets behind the appliance, and the one that takes it back.
pub(super) fn allow(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    (purpose, rule): (Purpose, &Allow<'_>),
    fix: Remediation,
) -> Remediation {
    let sources = sources(appliance);
    let (collection, nth) = purpose.place();
    let (kind, classic) = rule.kind();
    let name = collection.trim_start_matches("allow-");
    let fix = fix.side_effect("Only new connections see the rule");
    let Some(policy) = &firewall.policy_id else {
        let own = |verb: &str| {
            Az::beside(&format!("network firewall {classic} {verb}"), &firewall.id)
                .opt("--firewall-name", firewall.id.name())
                .opt("--collection-name", collection)
                .opt("--name", name)
        };
        let add = own("create")
            .opt("--action", "Allow")
            .number("--priority", free(&firewall.classic_collections, nth));
        return fix
            .command(rule.matching(add, &sources, "--protocols").build())
            .undo(own("delete").build());
    };
    let (group, priority) = place(ctx, policy, nth);
    let own = |verb: &str| {
        Az::beside(&format!("{COLLECTION} {verb}"), policy)
            .opt("--policy-name", policy.name())
            .opt("--rule-collection-group-name", &group)
            .opt("--name", collection)
    };
    let add = own("add-filter-collection")
        .number("--collection-priority", priority)
        .opt("--action", "Allow")
        .opt("--rule-name", name)
        .opt("--rule-type", kind);
    fix.command(rule.matching(add, &sources, "--ip-protocols").build())
        .undo(own("remove").build())
}

/// Prefixes of the subnets behind the appliance.
fn sources<'f>(appliance: &Appliance<'_, 'f>) -> Vec<&'f str> {
    let subnets = appliance.paths.iter();
    let mut prefixes: Vec<&str> = subnets
        .filter_map(|path| path.used.subnet.as_ref().ok())
        .flat_map(|subnet| subnet.address_prefixes.iter().map(String::as_str))
        .collect();
    prefixes.order();
    prefixes.dedup();
    if prefixes.is_empty() {
        prefixes.push("*");
    }
    prefixes
}

/// A rule collection group of the policy, and a priority that is free in it.
fn place(ctx: &Context<'_>, policy: &Id, nth: usize) -> (String, u64) {
    let groups = lookup(&ctx.facts.rule_collection_groups, policy).as_known();
    let first = groups.and_then(|groups| groups.iter().min_by_key(|group| group.priority));
    let (name, collections) = match first {
        Some(group) => (group.id.name(), group.collections.as_slice()),
        None => ("DefaultApplicationRuleCollectionGroup", &[][..]),
    };
    (name.to_owned(), free(collections, nth))
}

/// A priority that no collection has: the first one, or so many after it.
fn free(collections: &[RuleCollection], nth: usize) -> u64 {
    let taken: BTreeSet<u32> = collections.iter().filter_map(|c| c.priority).collect();
    let mut free = (100..=65000).filter(|priority| !taken.contains(priority));
    free.nth(nth).map_or(100, u64::from)
}

/// `az network firewall policy rule-collection-group collection rule {verb}` on a rule of a policy; `None` for classic
/// rules, which have no such command.
pub(super) fn rule(verb: &str, rule: &RuleName) -> Option<Az> {
    let (policy, group) = rule.policy.as_ref().zip(rule.group.as_ref())?;
    Some(
        Az::beside(&format!("{COLLECTION} rule {verb}"), policy)
            .opt("--policy-name", policy.name())
            .opt("--rule-collection-group-name", group.name())
            .opt("--collection-name", &rule.collection)
            .opt("--name", &rule.rule),
    )
}

/// Shows a rule among its neighbours, and removes it; `None` where no rule can be removed.
pub(super) fn remove(firewall: &AzureFirewall, gone: &RuleName) -> Option<(String, String)> {
    if let Some((policy, group)) = gone.policy.as_ref().zip(gone.group.as_ref()) {
        let show = Az::beside("network firewall policy rule-collection-group show", policy)
            .opt("--policy-name", policy.name())
            .opt("--name", group.name());
        return Some((show.build(), rule("remove", gone)?.build()));
    }
    let verb = match gone.stage {
        Stage::Network if firewall.policy_id.is_none() => "network-rule",
        Stage::Application if firewall.policy_id.is_none() => "application-rule",
        _ => return None,
    };
    let show = Az::beside("network firewall show", &firewall.id).opt("--name", firewall.id.name());
    let delete = Az::beside(&format!("network firewall {verb} delete"), &firewall.id)
        .opt("--firewall-name", firewall.id.name())
        .opt("--collection-name", &gone.collection)
        .opt("--name", &gone.rule);
    Some((show.build(), delete.build()))
}

/// `az network firewall policy update` of the firewall's policy, or `az network firewall update` without one.
pub(super) fn update(firewall: &AzureFirewall) -> Az {
    match &firewall.policy_id {
        Some(policy) => {
            Az::beside("network firewall policy update", policy).opt("--name", policy.name())
        }
        None => {
            Az::beside("network firewall update", &firewall.id).opt("--name", firewall.id.name())
        }
    }
}

/// Source addresses and source IP groups of a rule.
pub(super) fn sources_of<'f>(
    ctx: &Context<'f>,
    firewall: &'f AzureFirewall,
    rule: &RuleName,
) -> Option<(&'f [String], &'f [Id])> {
    let collections: &[RuleCollection] = match (&rule.policy, &rule.group) {
        (Some(policy), Some(group)) => {
            let groups = lookup(&ctx.facts.rule_collection_groups, policy).as_known()?;
            &groups.iter().find(|it| it.id == *group)?.collections
        }
        _ => &firewall.classic_collections,
    };
    let mut same = collections.iter().filter(|it| it.name == rule.collection);
    same.find_map(|collection| match rule.stage {
        Stage::Network => {
            let mut rules = collection.rules.network.iter();
            let found = rules.find(|it| it.name == rule.rule)?;
            Some((found.sources.as_slice(), found.source_ip_groups.as_slice()))
        }
        Stage::Application => {
            let mut rules = collection.rules.application.iter();
            let found = rules.find(|it| it.name == rule.rule)?;
            Some((found.sources.as_slice(), found.source_ip_groups.as_slice()))
        }
        Stage::Nat | Stage::Implicit => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, RuleAction};
    use crate::testing::{firewall_rules, firewalled, network_rule, policy_id};

    #[test]
    fn r5_3_proposed_priorities_collide_with_nothing() {
        let mut facts = firewalled();
        // A network rule about something else: endpoints and the API server's address are denied.
        let rules = network_rule(&["192.0.2.1"], "TCP", "443");
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        let groups = facts.rule_collection_groups.get_mut(&policy_id());
        let Some(Datum::Known(groups)) = groups else {
            panic!("the test policy has rules");
        };
        groups[0].collections[0].priority = Some(100);
        let report = crate::diagnose(&facts);
        let commands = report.findings.iter().flat_map(|f| &f.remediation);
        let commands = commands.flat_map(|fix| &fix.commands);
        let value = |command: &str, option: &str| {
            let mut words = command.split(' ').skip_while(|word| *word != option);
            words.nth(1).unwrap().to_owned()
        };
        let mut proposed: Vec<(String, String)> = commands
            .filter(|command| command.contains("add-filter-collection"))
            .map(|c| (value(c, "--name"), value(c, "--collection-priority")))
            .collect();
        proposed.sort();
        assert_eq!(
            proposed,
            [
                ("allow-aks-api-server".to_owned(), "102".to_owned()),
                ("allow-aks-egress".to_owned(), "101".to_owned())
            ]
        );
    }

    #[test]
    fn r5_7_classic_collections_have_priorities_of_their_own() {
        let with = |priority| RuleCollection {
            name: format!("own-{priority}"),
            priority: Some(priority),
            action: Some(RuleAction::Allow),
            rules: network_rule(&["192.0.2.1"], "TCP", "443"),
        };
        let taken = vec![with(100), with(102)];
        assert_eq!([0, 1, 2].map(|n| free(&taken, n)), [101, 103, 104]);
    }
}
