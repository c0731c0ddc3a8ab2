//! FWL112: no network rule lets pods reach the API server by its address (R1.5).

use super::api_server::ApiServer;
use super::appliance::Appliance;
use super::firewall_fix::{self, Allow, Purpose};
use super::fwl109;
use super::inspection::{Inspection, Part, holder, rule_label};
use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::OutboundType;
use crate::network::Outcome as Fate;
use crate::network::Protocol;
use crate::network::firewall::FlowProtocol;
use crate::order::Order as _;
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL112",
    slug: "api-server-address-not-allowed",
    severity: Severity::Medium,
    step: Step::Appliance,
    docs: Docs {
        what: "With outbound type userDefinedRouting and a public API server: whether a network rule of the Azure Firewall \
               allows TCP 443 to the API server's address.",
        why: "Pods call the API server by its address inside the cluster, which ends at its public address without a host \
              name that an application rule could match. Operators, ingress controllers and everything else that uses the \
              Kubernetes API from a pod then fails, although nodes and images work.",
        evidence: "What decides TCP 443 to the API server: the rule that denies, or that no network rule allows it.",
        fix: "Allow TCP 443 to the service tag `AzureCloud` of the region by a network rule, or annotate pods with \
              `kubernetes.azure.com/set-kube-service-host-fqdn`, so that they call the API server by name. Do not \
              name the address itself: it may change in a maintenance, and the rule with it would have to (R1.8).",
        how_sure: "Certain for rules that name every address, the region's service tag or the API server's name. A rule about \
                   other addresses leaves the check open: ARM does not tell the API server's address. A rule that admits \
                   it for other pools only is FWL109's finding, which mends that rule.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::UserDefinedRouting],
        "only with outbound type userDefinedRouting",
    ) {
        return outcome;
    }
    let Some(server) = ApiServer::of(ctx) else {
        return Outcome::not_applicable("the cluster has no public API server");
    };
    let target = server.target(FlowProtocol::Plain(Protocol::Tcp));
    Inspection::check(ctx, |appliance, inspection| {
        let name = inspection.firewall.id.name();
        let parts = inspection.ask(ctx, appliance, &target);
        let mut denied: Vec<&Part> = parts.iter().filter(|it| it.fate == Fate::Denied).collect();
        let mut outcome = Outcome {
            missing: inspection.unread.clone(),
            ..Outcome::passed()
        };
        if let Some(open) = parts.iter().find(|part| part.fate == Fate::Undecidable) {
            let maybe = open
                .answer
                .maybe
                .first()
                .filter(|rule| !rule.rule.is_empty());
            outcome.undecided.push(match maybe {
                Some(rule) => format!(
                    "whether {} of Azure Firewall {name} holds the API server's address is not known",
                    rule_label(rule)
                ),
                None => format!(
                    "not all rules of Azure Firewall {name} are known, and with them whether one admits the API server's address{}",
                    inspection.because()
                ),
            });
        }
        // A rule that admits it for other senders is mended, not joined by a second one.
        let mut rules = parts.iter().filter(|part| part.fate == Fate::Allowed);
        let admits = rules.find(|rule| {
            let told = |part: &Part| {
                part.answer.by.is_implicit()
                    && fwl109::tells(inspection, &rule.answer.by, part.path)
            };
            denied.iter().any(|part| told(part))
        });
        if let Some(rule) = admits {
            denied.retain(|part| !fwl109::tells(inspection, &rule.answer.by, part.path));
            outcome.told_elsewhere = Some(format!(
                "{} admits the API server's address for other senders only; see FWL109",
                rule_label(&rule.answer.by)
            ));
        }
        if !denied.is_empty() {
            let found = finding(ctx, appliance, inspection, &server, &denied);
            outcome.findings.push(found);
        }
        outcome
    })
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    server: &ApiServer<'_>,
    denied: &[&Part],
) -> Finding {
    let firewall = inspection.firewall;
    let name = firewall.id.name();
    let paths = denied.iter();
    let paths = paths.filter_map(|part| appliance.paths.get(part.path));
    let mut pools: Vec<&str> = paths
        .flat_map(|path| path.used.pools.iter().copied())
        .collect();
    pools.order();
    pools.dedup();
    // Rules that admit other pools are there all the same.
    let whose = if pools == appliance.pools() {
        String::new()
    } else {
        format!(" for {}", pools_label(&pools))
    };
    let mut found = RULE
        .finding(format!(
            "Azure Firewall {name} has no network rule for the API server{whose}: pods cannot call it by address"
        ))
        .explain(format!(
            "Pods call the API server by an address inside the cluster, which ends at the public address of {}. They name no \
             host, so only a network rule for TCP 443 lets them through, and none does.",
            server.fqdn
        ))
        .pools(pools)
        .resource(&firewall.id);
    let explicit = denied.iter().find(|part| !part.answer.by.is_implicit());
    found = match explicit {
        Some(part) => found.evidence(
            format!("TCP 443 to {}", server.fqdn),
            Some(holder(&part.answer.by, firewall)),
            Some(format!("denied by {}", rule_label(&part.answer.by))),
        ),
        None => found.evidence(
            format!("TCP 443 to {}", server.fqdn),
            Some(firewall.policy_id.as_ref().unwrap_or(&firewall.id)),
            Some("no network rule allows it".to_owned()),
        ),
    };
    let tag = server.tag();
    let rule = Allow::Network {
        protocol: "TCP",
        destination: &tag,
        ports: &["443"],
    };
    let fix = Remediation::new(
        "Allow TCP 443 to the region's Azure addresses by a network rule, or annotate pods with kubernetes.azure.com/set-kube-service-host-fqdn",
    )
    .side_effect("The rule admits every Azure service of the region, not the API server alone");
    found.fix(firewall_fix::allow(
        ctx,
        appliance,
        firewall,
        (Purpose::ApiServer, &rule),
        fix,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, RuleAction};
    use crate::testing::{
        codes, denied, firewall_rules, firewalled, load_balancer, network_mut, network_rule,
        outcome, policy_id, policy_mut,
    };

    /// A network rule for TCP 443 to these destinations beside nothing else.
    fn to(destinations: &[&str], action: RuleAction) -> Facts {
        let mut facts = firewalled();
        let rules = network_rule(destinations, "TCP", "443");
        firewall_rules(&mut facts, action, rules);
        facts
    }

    #[test]
    fn r1_5_fires_when_only_application_rules_allow_it() {
        let found = outcome(&RULE, &firewalled());
        assert_eq!(codes(&found), ["FWL112"]);
        let finding = &found.findings[0];
        assert!(!finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.contains("--rule-type NetworkRule --ip-protocols TCP --source-addresses 10.0.0.0/24 --destination-addresses AzureCloud.westeurope --destination-ports 443"),
            "{command}"
        );
    }

    #[test]
    fn r1_5_fires_for_a_rule_that_denies() {
        let found = outcome(&RULE, &to(&["AzureCloud.westeurope"], RuleAction::Deny));
        let value = found.findings[0].evidence[0].value.as_deref();
        assert!(
            value.is_some_and(|v| v.starts_with("denied by rule some")),
            "{value:?}"
        );
    }

    #[test]
    fn r1_5_does_not_fire() {
        for destination in ["*", "0.0.0.0/0", "AzureCloud", "azurecloud.WestEurope"] {
            let facts = to(&[destination], RuleAction::Allow);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed(), "{destination}");
        }
        let mut by_name = to(&[], RuleAction::Allow);
        let mut rules = network_rule(&[], "TCP", "443");
        rules.network[0].destination_fqdns = vec!["shop-1.hcp.westeurope.azmk8s.io".to_owned()];
        firewall_rules(&mut by_name, RuleAction::Allow, rules);
        assert_eq!(outcome(&RULE, &by_name), Outcome::passed());
        let mut private = firewalled();
        private.cluster.api_server.private_cluster = Some(true);
        assert!(outcome(&RULE, &private).not_applicable.is_some());
        let mut other = firewalled();
        network_mut(&mut other).outbound_type = Some(OutboundType::LoadBalancer);
        assert!(outcome(&RULE, &other).not_applicable.is_some());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        for destination in ["20.50.1.2", "AzureCloud.northeurope", "nonsense/99"] {
            let open = outcome(&RULE, &to(&[destination], RuleAction::Allow));
            assert!(
                open.findings.is_empty() && open.is_open(),
                "{destination}: {open:?}"
            );
        }
        let mut unread = firewalled();
        let refused = denied("Microsoft.Network/firewallPolicies/ruleCollectionGroups/read");
        unread.rule_collection_groups.insert(policy_id(), refused);
        let open = outcome(&RULE, &unread);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        let mut no_proxy = to(&[], RuleAction::Allow);
        let mut rules = network_rule(&[], "TCP", "443");
        rules.network[0].destination_fqdns = vec!["shop-1.hcp.westeurope.azmk8s.io".to_owned()];
        firewall_rules(&mut no_proxy, RuleAction::Allow, rules);
        policy_mut(&mut no_proxy).dns_proxy = None;
        assert!(outcome(&RULE, &no_proxy).is_open());
    }
}
