//! FWL108: the Azure Firewall denies an endpoint that the cluster needs (R5.21).

use std::collections::BTreeMap;

use super::appliance::{Appliance, serves};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::endpoints::{RequiredEndpoint, View, catalogue, required};
use crate::facts::{AzureFirewall, Features, Id};
use crate::network::firewall::{
    Caveat, FirewallPart, FirewallRules, FirewallView, FlowProtocol, RuleName, Stage, Target,
};
use crate::network::{Outcome as Fate, ServiceTags};
use crate::report::{Confidence, Finding, Need, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL108",
    slug: "required-endpoint-denied",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "For every endpoint that ARM and AKS's documentation list for this cluster: whether the Azure Firewall at the \
               next hop lets each node and pod subnet reach it. Rules are evaluated in Azure's order: parent policies \
               first, DNAT, network, then application rules, the first match decides, and what nothing allows is denied.",
        why: "A required endpoint that is denied keeps nodes from starting, images from being pulled or the API server from \
              being reached, often only at the next scale-out.",
        evidence: "Each denied endpoint with the rule, collection and priority that denies it, or that no rule allows it.",
        fix: "Allow the names with an application rule, by the FQDN tag `AzureKubernetesService` where many are missing. A \
              network rule that denies comes before every application rule and must be changed itself.",
        how_sure: "Certain where rules name hosts and addresses. Likely where the contents of an FQDN tag decide: the \
                   documented ones are used. A service tag in a network rule leaves the check open when it decides.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/firewall/rule-processing",
        ],
    },
    check,
};

/// More denied names than this are allowed by the FQDN tag instead of one by one.
const NAMED: usize = 5;
/// Evidence for so many endpoints; the others are counted.
const SHOWN: usize = 10;
/// The FQDN tag of AKS.
pub(crate) const AKS_TAG: &str = "AzureKubernetesService";

fn check(ctx: &Context<'_>) -> Outcome {
    let appliances = Appliance::all(ctx);
    if appliances.is_empty() {
        return Outcome::not_applicable("no default route leads to an appliance");
    }
    let mut outcome = Outcome::passed();
    let mut evaluated = false;
    for appliance in &appliances {
        match appliance.firewall(ctx) {
            // Whose the hop is, is asked by others; without an owner there is nothing to evaluate.
            None => {
                if let Err(missing) = &appliance.owner {
                    outcome.missing.push(missing.clone());
                    evaluated = true;
                }
            }
            Some(Err(missing)) => {
                outcome.missing.push(missing);
                evaluated = true;
            }
            Some(Ok(firewall)) if serves(firewall) => {
                evaluated = true;
                outcome.absorb(evaluate(ctx, appliance, firewall));
            }
            // FWL103 explains what becomes of everything.
            Some(Ok(_)) => {}
        }
    }
    if evaluated {
        outcome
    } else {
        Outcome::not_applicable("no default route leads to an Azure Firewall that serves")
    }
}

/// An endpoint that is denied, by what, and for whom.
#[derive(Clone)]
struct Denied<'e> {
    endpoint: &'e RequiredEndpoint,
    by: RuleName,
    pools: Vec<String>,
    confidence: Confidence,
}

fn evaluate(ctx: &Context<'_>, appliance: &Appliance<'_, '_>, firewall: &AzureFirewall) -> Outcome {
    let features = Features::default();
    let view = View::of(ctx.facts, &features);
    let needed = required(&view);
    let mut outcome = Outcome::passed();
    let listed = ctx
        .facts
        .egress_endpoints
        .known(|| "list of required egress endpoints".to_owned());
    outcome.missing.extend(listed.err());
    for path in &appliance.paths {
        outcome
            .missing
            .extend(path.used.subnet.as_ref().err().cloned());
    }
    let tags = BTreeMap::from([(
        AKS_TAG.to_ascii_lowercase(),
        tag_hosts(&view, &needed.endpoints),
    )]);
    let service_tags = ServiceTags::unknown();
    outcome.missing.extend(unread(ctx, firewall));
    let rules = FirewallRules::new(&FirewallView {
        firewall,
        policies: &ctx.facts.firewall_policies,
        groups: &ctx.facts.rule_collection_groups,
        ip_groups: &ctx.facts.ip_groups,
        tags: &service_tags,
        fqdn_tags: &tags,
    });
    // Allowed is not delivered: a private source address does not come back from the internet (R5.19).
    if rules.never_snats() == Some(true) {
        outcome.undecided.push(format!(
            "Azure Firewall {} translates no address, its private ranges hold 0.0.0.0/0; whether something behind it does is not known",
            firewall.id.name()
        ));
    }
    let mut denied: Vec<Denied<'_>> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for endpoint in &needed.endpoints {
        let Some(target) = target(endpoint) else {
            if endpoint.need == Need::Required {
                open.push(endpoint.domain_name.clone());
            }
            continue;
        };
        let question = rules.ask(&target);
        let mut stays_open = false;
        let mut hit: Option<Denied<'_>> = None;
        for path in &appliance.paths {
            for part in question.answer(&path.security.sources) {
                match part.decision.outcome {
                    Fate::Allowed => {}
                    Fate::Undecidable => stays_open = true,
                    Fate::Denied => {
                        let hit = hit.get_or_insert_with(|| denial(endpoint, &part));
                        hit.pools
                            .extend(path.used.pools.iter().map(|p| (*p).to_owned()));
                    }
                }
            }
        }
        denied.extend(hit);
        if stays_open && endpoint.need != Need::Optional {
            open.push(label(endpoint));
        }
    }
    if !open.is_empty() {
        open.sort();
        open.dedup();
        let (first, more) = open.split_at(open.len().min(3));
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(" and {} more", more.len())
        };
        outcome.undecided.push(format!(
            "whether Azure Firewall {} allows {}{more} depends on what its rules' service tags hold or on rules that could not be read",
            firewall.id.name(),
            first.join(", ")
        ));
    }
    denied.retain(|d| d.endpoint.need != Need::Optional);
    if !denied.is_empty() {
        outcome
            .findings
            .push(finding(ctx, appliance, firewall, &denied));
    }
    outcome
}

/// Policies, rules and IP groups of the firewall that could not be read.
fn unread(ctx: &Context<'_>, firewall: &AzureFirewall) -> Vec<crate::facts::Missing> {
    use crate::facts::lookup;
    let mut missing = Vec::new();
    let mut next = firewall.policy_id.as_ref();
    let mut seen: Vec<&Id> = Vec::new();
    while let Some(id) = next.filter(|id| !seen.contains(id)) {
        seen.push(id);
        let rules = lookup(&ctx.facts.rule_collection_groups, id)
            .known(|| format!("rules of firewall policy {}", id.name()));
        missing.extend(rules.err());
        match lookup(&ctx.facts.firewall_policies, id)
            .known(|| format!("firewall policy {}", id.name()))
        {
            Ok(policy) => next = policy.base_policy_id.as_ref(),
            Err(other) => {
                missing.push(other);
                next = None;
            }
        }
    }
    let groups = ctx.facts.ip_groups.iter();
    missing.extend(
        groups.filter_map(|(id, group)| group.known(|| format!("IP group {}", id.name())).err()),
    );
    missing
}

/// The hosts that the documentation, and ARM's list, give to the FQDN tag (R5.14).
pub(crate) fn tag_hosts(view: &View<'_>, needed: &[RequiredEndpoint]) -> Vec<String> {
    let listed = needed.iter().map(|endpoint| endpoint.domain_name.clone());
    let table = view.cloud.map(catalogue);
    let base = table
        .into_iter()
        .flat_map(|t| t.base.iter().flat_map(|group| group.endpoints));
    let features = table
        .into_iter()
        .flat_map(|t| t.features.iter().flat_map(|(_, rows)| *rows));
    let documented = base.chain(features).filter_map(|endpoint| {
        let name = endpoint.domain_name;
        if !name.contains("{location}") {
            return Some(name.to_owned());
        }
        let location = view.location?.trim().to_ascii_lowercase();
        Some(name.replace("{location}", &location))
    });
    let mut hosts: Vec<String> = listed.chain(documented).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn target(endpoint: &RequiredEndpoint) -> Option<Target> {
    let protocol = FlowProtocol::parse(endpoint.protocol?.as_str())?;
    Some(Target::host(
        &endpoint.domain_name,
        endpoint.port?,
        protocol,
    ))
}

fn label(endpoint: &RequiredEndpoint) -> String {
    match endpoint.port {
        Some(port) => format!("{}:{port}", endpoint.domain_name),
        None => endpoint.domain_name.clone(),
    }
}

fn denial<'e>(endpoint: &'e RequiredEndpoint, part: &FirewallPart<'_>) -> Denied<'e> {
    let by_tag = part
        .caveats
        .iter()
        .any(|c| matches!(c, Caveat::FqdnTagContents(_)));
    Denied {
        endpoint,
        by: part.decision.by.clone(),
        pools: Vec::new(),
        confidence: if by_tag {
            Confidence::Likely
        } else {
            Confidence::Certain
        },
    }
}

/// What denies, in words.
fn by(rule: &RuleName) -> String {
    let priority = |p: Option<u32>| p.map_or(String::new(), |p| format!(" (priority {p})"));
    match rule.stage {
        Stage::Implicit => "no rule allows it".to_owned(),
        _ => format!(
            "denied by rule {} of collection {}{}{}",
            rule.rule,
            rule.collection,
            priority(rule.collection_priority),
            match &rule.group {
                Some(group) => format!(
                    " in group {}{}",
                    group.name(),
                    priority(rule.group_priority)
                ),
                None => String::new(),
            }
        ),
    }
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    denied: &[Denied<'_>],
) -> Finding {
    let name = firewall.id.name();
    let required = denied.iter().filter(|d| d.endpoint.need == Need::Required);
    let required: Vec<&Denied<'_>> = required.collect();
    let (severity, kind) = if required.is_empty() {
        (Severity::Medium, "a feature of the cluster needs")
    } else {
        (Severity::Critical, "the cluster needs")
    };
    let decisive: Vec<&Denied<'_>> = if required.is_empty() {
        denied.iter().collect()
    } else {
        required
    };
    let first = decisive
        .first()
        .map_or(String::new(), |d| label(d.endpoint));
    let more = match decisive.len() {
        0 | 1 => String::new(),
        2 => " and 1 other endpoint".to_owned(),
        n => format!(" and {} other endpoints", n - 1),
    };
    let confidence = if decisive.iter().any(|d| d.confidence == Confidence::Certain) {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    let mut found = RULE
        .finding(format!("Azure Firewall {name} denies {first}{more}, which {kind}"))
        .severity(severity)
        .confidence(confidence)
        .explain(format!(
            "{} leads to {}, the private address of Azure Firewall {name}. Its rules do not let these subnets reach {first}{more}.",
            super::out106::capital(&appliance.via.label()),
            appliance.address
        ))
        .pools(decisive.iter().flat_map(|d| d.pools.iter().map(String::as_str)))
        .resource(&firewall.id);
    for denied in denied.iter().take(SHOWN) {
        let at = denied
            .by
            .group
            .as_ref()
            .or(denied.by.policy.as_ref())
            .unwrap_or(&firewall.id);
        found = found.evidence(label(denied.endpoint), Some(at), Some(by(&denied.by)));
    }
    if denied.len() > SHOWN {
        found = found.evidence(
            "further denied endpoints",
            Some(&firewall.id),
            Some((denied.len() - SHOWN).to_string()),
        );
    }
    for fix in fixes(ctx, appliance, firewall, denied) {
        found = found.fix(fix);
    }
    found
}

/// Explicit denials first: an application rule cannot undo a network rule (R5.4).
fn fixes(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    denied: &[Denied<'_>],
) -> Vec<Remediation> {
    let mut fixes = Vec::new();
    let explicit = denied.iter().find(|d| d.by.stage != Stage::Implicit);
    if let Some(rule) = explicit.map(|d| &d.by)
        && let (Some(policy), Some(group)) = (&rule.policy, &rule.group)
    {
        let collection = |verb: &str| {
            az(verb, policy)
                .opt("--policy-name", policy.name())
                .opt("--rule-collection-group-name", group.name())
        };
        let remove =
            collection("network firewall policy rule-collection-group collection rule remove")
                .opt("--collection-name", &rule.collection)
                .opt("--name", &rule.rule);
        let show = collection("network firewall policy rule-collection-group show").build();
        fixes.push(
            Remediation::new(format!(
                "Remove or narrow rule {}, which denies before any later rule can allow",
                rule.rule
            ))
            .command(show.replace("--rule-collection-group-name", "--name"))
            .command(remove.build())
            .side_effect("Whatever else the rule kept back is then up to the rules after it")
            .side_effect("Every network behind the firewall is affected")
            .undo("Add the rule again as the first command showed it"),
        );
    }
    // A rule after one that denies would allow nothing.
    let implicit = denied.iter().filter(|d| d.by.stage == Stage::Implicit);
    let implicit: Vec<Denied<'_>> = implicit.cloned().collect();
    if !implicit.is_empty() {
        fixes.push(allow(ctx, appliance, firewall, &implicit));
    } else if fixes.is_empty() {
        fixes.push(allow(ctx, appliance, firewall, denied));
    }
    fixes
}

fn az(verb: &str, of: &Id) -> Az {
    let part = |text: Option<&str>| text.map_or(String::new(), str::to_owned);
    Az::new(verb)
        .opt("--subscription", &part(of.subscription()))
        .opt("--resource-group", &part(of.resource_group()))
}

/// A rule that allows the denied names, for exactly the subnets that need them.
fn allow(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    denied: &[Denied<'_>],
) -> Remediation {
    let web = |d: &&Denied<'_>| {
        d.endpoint.protocol.is_some_and(|p| {
            matches!(
                FlowProtocol::parse(p.as_str()),
                Some(FlowProtocol::Http | FlowProtocol::Https)
            )
        })
    };
    let mut names: Vec<&str> = denied
        .iter()
        .filter(web)
        .map(|d| d.endpoint.domain_name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let sources: Vec<&str> = appliance
        .paths
        .iter()
        .filter_map(|path| path.used.subnet.as_ref().ok())
        .flat_map(|subnet| subnet.address_prefixes.iter().map(String::as_str))
        .collect();
    let base = Remediation::new(if names.is_empty() {
        "Allow the endpoints with a network rule for their port".to_owned()
    } else {
        "Allow the endpoints with an application rule for these subnets".to_owned()
    })
    .side_effect("Only new connections see the rule");
    if names.is_empty() {
        return network_fix(ctx, firewall, denied, &sources, base);
    }
    let targets = |az: Az| {
        if names.len() > NAMED {
            az.opt("--fqdn-tags", AKS_TAG)
        } else {
            list(az, "--target-fqdns", &names)
        }
    };
    if let Some(policy) = &firewall.policy_id {
        let (group, priority) = place(ctx, policy);
        let collection = |verb: &str| {
            az(verb, policy)
                .opt("--policy-name", policy.name())
                .opt("--rule-collection-group-name", &group)
                .opt("--name", "allow-aks-egress")
        };
        let add = collection(
            "network firewall policy rule-collection-group collection add-filter-collection",
        )
        .number("--collection-priority", priority)
        .opt("--action", "Allow")
        .opt("--rule-name", "aks-egress")
        .opt("--rule-type", "ApplicationRule");
        let add = list(
            list(add, "--protocols", &["Http=80", "Https=443"]),
            "--source-addresses",
            &sources,
        );
        base.command(targets(add).build()).undo(
            collection("network firewall policy rule-collection-group collection remove").build(),
        )
    } else {
        let rule = |verb: &str| {
            az(verb, &firewall.id)
                .opt("--firewall-name", firewall.id.name())
                .opt("--collection-name", "allow-aks-egress")
                .opt("--name", "aks-egress")
        };
        let add = rule("network firewall application-rule create")
            .opt("--action", "Allow")
            .number("--priority", 100);
        let add = list(
            list(add, "--protocols", &["Http=80", "Https=443"]),
            "--source-addresses",
            &sources,
        );
        base.command(targets(add).build())
            .undo(rule("network firewall application-rule delete").build())
    }
}

/// For endpoints that no application rule can allow.
fn network_fix(
    ctx: &Context<'_>,
    firewall: &AzureFirewall,
    denied: &[Denied<'_>],
    sources: &[&str],
    base: Remediation,
) -> Remediation {
    let ports: Vec<String> = denied
        .iter()
        .filter_map(|d| d.endpoint.port)
        .map(|p| p.to_string())
        .collect();
    let mut ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    ports.sort_unstable();
    ports.dedup();
    let udp = denied
        .iter()
        .any(|d| d.endpoint.protocol.is_some_and(|p| p.as_str() == "UDP"));
    let protocol = if udp { "UDP" } else { "TCP" };
    let Some(policy) = &firewall.policy_id else {
        let rule = |verb: &str| {
            az(verb, &firewall.id)
                .opt("--firewall-name", firewall.id.name())
                .opt("--collection-name", "allow-aks-network")
                .opt("--name", "aks-network")
        };
        let add = rule("network firewall network-rule create")
            .opt("--action", "Allow")
            .number("--priority", 100);
        let add = list(
            list(add, "--protocols", &[protocol]),
            "--source-addresses",
            sources,
        );
        let add = list(
            add.opt("--destination-addresses", "AzureCloud"),
            "--destination-ports",
            &ports,
        );
        return base
            .command(add.build())
            .undo(rule("network firewall network-rule delete").build());
    };
    let (group, priority) = place(ctx, policy);
    let collection = |verb: &str| {
        az(verb, policy)
            .opt("--policy-name", policy.name())
            .opt("--rule-collection-group-name", &group)
            .opt("--name", "allow-aks-network")
    };
    let add = collection(
        "network firewall policy rule-collection-group collection add-filter-collection",
    )
    .number("--collection-priority", priority)
    .opt("--action", "Allow")
    .opt("--rule-name", "aks-network")
    .opt("--rule-type", "NetworkRule")
    .opt("--ip-protocols", protocol);
    let add = list(add, "--source-addresses", sources).opt("--destination-addresses", "AzureCloud");
    base.command(list(add, "--destination-ports", &ports).build())
        .undo(collection("network firewall policy rule-collection-group collection remove").build())
}

/// An option with several values.
fn list(az: Az, name: &str, values: &[&str]) -> Az {
    match values.split_first() {
        None => az.opt(name, "*"),
        Some((first, rest)) => rest
            .iter()
            .fold(az.opt(name, first), |az, value| az.value(value)),
    }
}

/// A rule collection group of the policy, and a free priority before all its collections.
fn place(ctx: &Context<'_>, policy: &Id) -> (String, u64) {
    let groups = crate::facts::lookup(&ctx.facts.rule_collection_groups, policy).as_known();
    let first = groups.and_then(|groups| groups.iter().min_by_key(|group| group.priority));
    let Some(group) = first else {
        return ("DefaultApplicationRuleCollectionGroup".to_owned(), 100);
    };
    let taken: Vec<u32> = group
        .collections
        .iter()
        .filter_map(|c| c.priority)
        .collect();
    let free = (100..=65000).find(|priority| !taken.contains(priority));
    (group.id.name().to_owned(), free.map_or(100, u64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{
        ApplicationRule, ApplicationTarget, Datum, NetworkRule, RuleAction, RuleCollectionRules,
    };
    use crate::testing::{
        codes, denied as refused, firewall_mut, firewall_rules, firewalled, load_balancer, outcome,
        policy_id, with_hop,
    };

    fn admits(fqdns: &[&str], source: &str) -> RuleCollectionRules {
        RuleCollectionRules {
            application: vec![ApplicationRule {
                name: "some".to_owned(),
                protocols: vec![
                    ("Https".to_owned(), Some(443)),
                    ("Http".to_owned(), Some(80)),
                ],
                sources: vec![source.to_owned()],
                targets: fqdns
                    .iter()
                    .map(|f| ApplicationTarget::Fqdn((*f).to_owned()))
                    .collect(),
                ..ApplicationRule::default()
            }],
            ..RuleCollectionRules::default()
        }
    }

    #[test]
    fn r5_19_a_firewall_that_never_translates_is_not_called_fine() {
        let mut facts = firewalled();
        assert!(!outcome(&RULE, &facts).is_open());
        if let Some(Datum::Known(policy)) = facts.firewall_policies.get_mut(&policy_id()) {
            policy.private_ranges = vec!["0.0.0.0/0".to_owned()];
        }
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r5_5_fires_where_no_rule_allows() {
        let mut facts = firewalled();
        let rules = admits(
            &[
                "*.azmk8s.io",
                "management.azure.com",
                "login.microsoftonline.com",
                "*.data.mcr.microsoft.com",
            ],
            "*",
        );
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL108"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert!(finding.blocks_egress);
        assert!(
            finding.title.contains("mcr.microsoft.com:443"),
            "{}",
            finding.title
        );
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        assert!(
            finding
                .evidence
                .iter()
                .any(|e| e.value.as_deref() == Some("no rule allows it"))
        );
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.contains("--source-addresses 10.0.0.0/24"),
            "{command}"
        );
        assert!(command.contains("mcr.microsoft.com"), "{command}");
    }

    #[test]
    fn r5_4_fires_for_a_network_rule_that_denies_before_the_application_rule() {
        let mut facts = firewalled();
        let deny = RuleCollectionRules {
            network: vec![NetworkRule {
                name: "no-web".to_owned(),
                protocols: vec!["TCP".to_owned()],
                sources: vec!["10.0.0.0/8".to_owned()],
                destinations: vec!["*".to_owned()],
                destination_ports: vec!["443".to_owned()],
                ..NetworkRule::default()
            }],
            ..RuleCollectionRules::default()
        };
        firewall_rules(&mut facts, RuleAction::Deny, deny);
        let found = outcome(&RULE, &facts);
        let finding = &found.findings[0];
        assert!(
            finding.evidence[0].value.as_deref().is_some_and(
                |v| v.contains("rule no-web of collection egress-rules (priority 300)")
            ),
            "{finding:?}"
        );
        assert!(
            finding.remediation[0].commands[1]
                .contains("--collection-name egress-rules --name no-web")
        );
    }

    #[test]
    fn r5_16_fires_for_the_subnets_that_the_rule_leaves_out() {
        let mut facts = firewalled();
        firewall_rules(
            &mut facts,
            RuleAction::Allow,
            admits(&["*"], "10.99.0.0/16"),
        );
        assert_eq!(codes(&outcome(&RULE, &facts)), ["FWL108"]);
        firewall_rules(&mut facts, RuleAction::Allow, admits(&["*"], "10.0.0.0/16"));
        assert!(outcome(&RULE, &facts).findings.is_empty());
    }

    #[test]
    fn r5_14_does_not_fire_with_the_fqdn_tag() {
        let passed = outcome(&RULE, &firewalled());
        assert_eq!(passed, Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        let mut failed = firewalled();
        firewall_mut(&mut failed).provisioning_state = Some("Failed".to_owned());
        assert!(
            outcome(&RULE, &failed).not_applicable.is_some(),
            "FWL103 explains that"
        );
    }

    #[test]
    fn cannot_tell() {
        let unknown_hop = with_hop(refused("Microsoft.Network/virtualNetworks/read"));
        assert_eq!(outcome(&RULE, &unknown_hop).missing.len(), 1);
        let mut no_rules = firewalled();
        no_rules.rule_collection_groups.insert(
            policy_id(),
            refused("Microsoft.Network/firewallPolicies/ruleCollectionGroups/read"),
        );
        let open = outcome(&RULE, &no_rules);
        assert!(open.findings.is_empty() && open.is_open(), "{open:?}");
        assert_eq!(open.missing.len(), 1);
        let mut no_list = firewalled();
        no_list.egress_endpoints = Datum::Absent;
        assert!(outcome(&RULE, &no_list).is_open());
        let mut by_tag = firewalled();
        let rules = RuleCollectionRules {
            network: vec![NetworkRule {
                name: "cloud".to_owned(),
                protocols: vec!["TCP".to_owned()],
                sources: vec!["*".to_owned()],
                destinations: vec!["AzureCloud".to_owned()],
                destination_ports: vec!["443".to_owned()],
                ..NetworkRule::default()
            }],
            ..RuleCollectionRules::default()
        };
        firewall_rules(&mut by_tag, RuleAction::Allow, rules);
        let open = outcome(&RULE, &by_tag);
        assert!(
            open.is_open(),
            "whether a service tag holds a host's addresses is not known: {open:?}"
        );
    }
}
