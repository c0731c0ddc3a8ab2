//! FWL108: the Azure Firewall denies an endpoint that the cluster needs (R5.21).

use super::appliance::{Appliance, own_routes};
use super::firewall_fix::{self, Allow, Purpose};
use super::inspection::{Inspection, holder, label, named, rule_label};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::endpoints::{Protocol, RequiredEndpoint};
use crate::network::Outcome as Fate;
use crate::network::firewall::{RuleName, Stage};
use crate::order::Order as _;
use crate::report::{Confidence, Finding, Need, Remediation, Severity};
use crate::security;

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
                   documented ones are used. A service tag in a network rule leaves the check open when it decides, and so does a route \
                   table on the firewall's own subnet that leads elsewhere than to Internet, or may.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/firewall/rule-processing",
        ],
    },
    check,
};

/// Evidence for so many endpoints; the others are counted.
const SHOWN: usize = 10;

fn check(ctx: &Context<'_>) -> Outcome {
    Inspection::check(ctx, |appliance, inspection| {
        let mut outcome = inspection.open(ctx, appliance);
        let mut open = Vec::new();
        let mut denied = Vec::new();
        let mut by_tags = false;
        for judged in inspection.needed() {
            let Some(parts) = &judged.parts else {
                open.push(label(&judged.endpoint));
                continue;
            };
            let mut undecided = parts
                .iter()
                .filter(|part| part.fate == Fate::Undecidable)
                .peekable();
            if undecided.peek().is_some() {
                open.push(label(&judged.endpoint));
            }
            by_tags |= undecided.any(|part| part.answer.about_tags);
            let mut hits = parts
                .iter()
                .filter(|part| part.fate == Fate::Denied)
                .peekable();
            if let Some(first) = hits.peek() {
                denied.push(Denied {
                    endpoint: &judged.endpoint,
                    by: &first.answer.by,
                    certain: !first.answer.by_tag_contents && !first.may_pass_by,
                    pools: hits
                        .filter_map(|part| appliance.paths.get(part.path))
                        .flat_map(|path| path.used.pools.iter().copied())
                        .collect(),
                });
            }
        }
        if by_tags {
            outcome.missing.extend(security::unread_tags(ctx));
        }
        match own_routes(ctx, inspection.firewall) {
            Ok(None) => {}
            Ok(Some(table)) => outcome.undecided.push(format!(
                "route table {} of Azure Firewall {}'s own subnet leads elsewhere than to Internet; what becomes there of what the firewall allows is not known",
                table.name(),
                inspection.firewall.id.name()
            )),
            Err(missing) => outcome.missing.push(missing),
        }
        if !open.is_empty() {
            let because = inspection.because();
            outcome.undecided.push(format!(
                "whether Azure Firewall {} allows {} {}",
                inspection.firewall.id.name(),
                named(open),
                if because.is_empty() {
                    "depends on what its rules' service tags hold or on rules that could not be read"
                        .to_owned()
                } else {
                    format!("is not known{because}")
                }
            ));
        }
        if !denied.is_empty() {
            outcome
                .findings
                .push(finding(ctx, appliance, inspection, &denied));
        }
        outcome
    })
}

/// An endpoint that is denied, by what, and for whom.
struct Denied<'a> {
    endpoint: &'a RequiredEndpoint,
    by: &'a RuleName,
    certain: bool,
    pools: Vec<&'a str>,
}

/// What denies, in words.
fn by(rule: &RuleName) -> String {
    if rule.is_implicit() {
        "no rule allows it".to_owned()
    } else {
        format!("denied by {}", rule_label(rule))
    }
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    denied: &[Denied<'_>],
) -> Finding {
    let firewall = inspection.firewall;
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
    let confidence = if decisive.iter().any(|d| d.certain) {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    let mut pools: Vec<&str> = decisive
        .iter()
        .flat_map(|d| d.pools.iter().copied())
        .collect();
    pools.order();
    pools.dedup();
    let whom = if pools == appliance.pools() {
        String::new()
    } else {
        format!("{} ", pools_label(&pools))
    };
    let mut found = RULE
        .finding(format!("Azure Firewall {name} denies {whom}{first}{more}, which {kind}"))
        .severity(severity)
        .confidence(confidence)
        .explain(format!(
            "{} leads to {}, the private address of Azure Firewall {name}. Its rules do not let these subnets reach {first}{more}.",
            super::out106::capital(&appliance.via.label()),
            appliance.address
        ))
        .pools(pools)
        .resource(&firewall.id);
    for denied in denied.iter().take(SHOWN) {
        let at = holder(denied.by, firewall);
        found = found.evidence(label(denied.endpoint), Some(at), Some(by(denied.by)));
    }
    if denied.len() > SHOWN {
        found = found.evidence(
            "further denied endpoints",
            Some(&firewall.id),
            Some((denied.len() - SHOWN).to_string()),
        );
    }
    for fix in fixes(ctx, appliance, inspection, denied) {
        found = found.fix(fix);
    }
    found
}

/// Explicit denials first: an application rule cannot undo a network rule (R5.4).
fn fixes(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    denied: &[Denied<'_>],
) -> Vec<Remediation> {
    let mut fixes = Vec::new();
    let explicit = denied.iter().find(|d| d.by.stage != Stage::Implicit);
    if let Some(rule) = explicit.map(|d| d.by)
        && let Some((show, remove)) = firewall_fix::remove(inspection.firewall, rule)
    {
        fixes.push(
            Remediation::new(format!(
                "Remove or narrow rule {}, which denies before any later rule can allow",
                rule.rule
            ))
            .command(show)
            .command(remove)
            .side_effect("Whatever else the rule kept back is then up to the rules after it")
            .side_effect("Every network behind the firewall is affected")
            .undo("Add the rule again as the first command showed it"),
        );
    }
    // A rule after one that denies would allow nothing.
    let implicit: Vec<&Denied<'_>> = denied.iter().filter(|d| d.by.is_implicit()).collect();
    if !implicit.is_empty() {
        fixes.push(allow(ctx, appliance, inspection, &implicit));
    } else if fixes.is_empty() {
        let denied: Vec<&Denied<'_>> = denied.iter().collect();
        fixes.push(allow(ctx, appliance, inspection, &denied));
    }
    fixes
}

/// A rule that allows the denied names, for exactly the subnets that need them.
fn allow(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    denied: &[&Denied<'_>],
) -> Remediation {
    let web =
        |d: &&&Denied<'_>| matches!(d.endpoint.protocol, Some(Protocol::Http | Protocol::Https));
    let mut names: Vec<&str> = denied
        .iter()
        .filter(web)
        .map(|d| d.endpoint.domain_name.as_str())
        .collect();
    names.order();
    names.dedup();
    let firewall = inspection.firewall;
    if !names.is_empty() {
        let fix =
            Remediation::new("Allow the endpoints with an application rule for these subnets");
        return firewall_fix::allow(
            ctx,
            appliance,
            firewall,
            (Purpose::Endpoints, &Allow::Hosts(&names)),
            fix,
        );
    }
    // No application rule can allow these.
    let mut ports: Vec<String> = denied
        .iter()
        .filter_map(|d| d.endpoint.port)
        .map(|port| port.to_string())
        .collect();
    ports.order();
    ports.dedup();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let udp = denied
        .iter()
        .any(|d| d.endpoint.protocol == Some(Protocol::Udp));
    let rule = Allow::Network {
        protocol: if udp { "UDP" } else { "TCP" },
        destination: "AzureCloud",
        ports: &ports,
    };
    let fix = Remediation::new("Allow the endpoints with a network rule for their port");
    firewall_fix::allow(ctx, appliance, firewall, (Purpose::Endpoints, &rule), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{
        Datum, Facts, Id, NetworkRule, NextHopType, Route, RouteTable, RuleAction,
        RuleCollectionRules,
    };
    use crate::testing::{
        admits, codes, denied as refused, firewall_mut, firewall_rules, firewall_subnet_id,
        firewalled, load_balancer, outcome, policy_id, route, route_table_id, with_hop,
    };

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
    fn r5_7_fires_for_a_classic_rule_with_the_command_that_deletes_it() {
        let mut facts = firewalled();
        let firewall = firewall_mut(&mut facts);
        firewall.policy_id = None;
        firewall.classic_collections = vec![crate::facts::RuleCollection {
            name: "classic".to_owned(),
            priority: Some(100),
            action: Some(RuleAction::Deny),
            rules: crate::testing::network_rule(&["*"], "TCP", "443"),
        }];
        let found = outcome(&RULE, &facts);
        let commands = &found.findings[0].remediation[0].commands;
        assert!(
            commands[1].ends_with("--firewall-name fw --collection-name classic --name some"),
            "{commands:?}"
        );
        assert!(commands[1].starts_with("az network firewall network-rule delete"));
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
    fn cannot_tell_where_the_firewalls_own_subnet_leads() {
        let judged = |facts: &Facts| {
            let outcome = outcome(&RULE, facts);
            (outcome.missing.len(), outcome.undecided.len())
        };
        // Nothing about the subnet: a route table of its own may lead into a tunnel.
        let mut facts = firewalled();
        let network = firewall_subnet_id().parent().unwrap();
        facts.subnets.remove(&firewall_subnet_id());
        let refusal = refused("Microsoft.Network/virtualNetworks/read");
        facts.virtual_networks.insert(network, refusal);
        assert_eq!(judged(&facts), (1, 0));
        // It has one, which was not read, leads out, leads out but for private networks, or leads elsewhere.
        let mut facts = firewalled();
        let own = Id::new(format!("{}-fw", route_table_id()));
        if let Some(Datum::Known(subnet)) = facts.subnets.get_mut(&firewall_subnet_id()) {
            subnet.route_table_id = Some(own.clone());
        }
        assert_eq!(judged(&facts), (1, 0));
        let mut with = |routes: Vec<Route>| {
            let body = RouteTable {
                id: own.clone(),
                routes,
                subnet_ids: Vec::new(),
                disable_bgp_route_propagation: None,
                aks_managed: false,
            };
            facts.route_tables.insert(own.clone(), Datum::Known(body));
            judged(&facts)
        };
        let out = || route("out", "0.0.0.0/0", NextHopType::Internet, None);
        let gateway = |prefix| {
            route(
                "on-premises",
                prefix,
                NextHopType::VirtualNetworkGateway,
                None,
            )
        };
        assert_eq!(with(vec![out()]), (0, 0));
        assert_eq!(with(vec![out(), gateway("10.0.0.0/8")]), (0, 0));
        assert_eq!(with(vec![gateway("0.0.0.0/0")]), (0, 1));
        assert_eq!(with(vec![out(), gateway("20.0.0.0/8")]), (0, 1));
        assert_eq!(with(vec![out(), gateway("AzureMonitor")]), (0, 1));
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
