//! FWL113: the firewall opens the TLS connections to the API server (R1.6).

use super::api_server::ApiServer;
use super::appliance::Appliance;
use super::firewall_fix;
use super::inspection::{Inspection, Part, holder, rule_label};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::network::Outcome as Fate;
use crate::network::firewall::{FlowProtocol, RuleName};
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL113",
    slug: "tls-inspection-on-api-server",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the application rule of the Azure Firewall that lets the nodes reach the public API server inspects TLS \
               (`terminateTLS` in a policy with TLS inspection set up).",
        why: "The tunnel between nodes and control plane negotiates its protocol inside TLS (ALPN). A device that opens the \
              connection strips that, and the tunnel breaks: `kubectl logs` and `exec`, webhooks and metrics fail, or nodes \
              do not register at all.",
        evidence: "The application rule that decides HTTPS to the API server's host name, with `terminateTLS` true.",
        fix: "Turn TLS inspection off for that rule, or allow the API server's host name by a rule of its own before it.",
        how_sure: "Certain about the rule. A network rule that allows the API server's address comes first and leaves TLS alone.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/firewall/premium-features",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let Some(server) = ApiServer::of(ctx) else {
        return Outcome::not_applicable("the cluster has no public API server");
    };
    let target = server.target(FlowProtocol::Https);
    Inspection::check(ctx, |appliance, inspection| {
        let name = inspection.firewall.id.name();
        let inspects = |rule: &RuleName| inspection.rules.inspects_tls(rule);
        let parts = inspection.ask(ctx, appliance, &target);
        let mut outcome = Outcome {
            missing: inspection.unread.clone(),
            ..Outcome::passed()
        };
        // When other rules may decide, it is not known whether the one that inspects does.
        let certain = |part: &&Part| {
            part.fate == Fate::Allowed
                && part.answer.maybe.iter().all(&inspects)
                && inspects(&part.answer.by)
        };
        let opened: Vec<&Part> = parts.iter().filter(certain).collect();
        let possible = |part: &Part| {
            part.fate != Fate::Denied
                && (inspects(&part.answer.by) || part.answer.maybe.iter().any(&inspects))
                && !certain(&part)
        };
        if parts.iter().any(possible) {
            outcome.undecided.push(format!(
                "whether a rule of Azure Firewall {name} that inspects TLS decides about the API server is not known"
            ));
        }
        if !opened.is_empty() {
            let found = finding(appliance, inspection, &server, &opened);
            outcome.findings.push(found);
        }
        outcome
    })
}

fn finding(
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    server: &ApiServer<'_>,
    opened: &[&Part],
) -> Finding {
    let firewall = inspection.firewall;
    let name = firewall.id.name();
    let paths = opened.iter();
    let paths = paths.filter_map(|part| appliance.paths.get(part.path));
    let mut found = RULE
        .finding(format!(
            "Azure Firewall {name} inspects the TLS connections of {} to the API server",
            appliance.pools_label()
        ))
        .explain(format!(
            "HTTPS to {} is allowed by an application rule with TLS inspection. The tunnel between nodes and control plane \
             does not survive that.",
            server.fqdn
        ))
        .pools(paths.flat_map(|path| path.used.pools.iter().copied()))
        .resource(&firewall.id);
    let mut rules: Vec<&RuleName> = opened.iter().map(|part| &part.answer.by).collect();
    rules.dedup();
    for rule in rules {
        found = found.evidence(
            format!("terminateTLS of {}", rule_label(rule)),
            Some(holder(rule, firewall)),
            Some("true".to_owned()),
        );
        let update = |value: &str| {
            let update = firewall_fix::rule("update", rule)?;
            Some(update.opt("--enable-tls-inspection", value).build())
        };
        // Classic rules have no TLS inspection.
        if let (Some(off), Some(on)) = (update("false"), update("true")) {
            found = found.fix(
                Remediation::new(format!("Turn TLS inspection off for rule {}", rule.rule))
                    .command(off)
                    .side_effect("The firewall no longer looks into any connection that this rule allows; a rule of its own for the API server before it keeps that")
                    .undo(on),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, RuleAction};
    use crate::testing::{
        admits, codes, denied, firewall_rules, firewalled, load_balancer, network_rule, outcome,
        policy_id, policy_mut,
    };

    /// An application rule for this host, with these settings of rule and policy.
    fn inspecting(host: &str, rule: bool, policy: bool) -> Facts {
        let mut facts = firewalled();
        let mut rules = admits(&[host], "*");
        rules.application[0].terminate_tls = rule;
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        policy_mut(&mut facts).tls_inspection = policy;
        facts
    }

    #[test]
    fn r1_6_fires() {
        for host in [
            "*",
            "*.hcp.westeurope.azmk8s.io",
            "shop-1.hcp.westeurope.azmk8s.io",
        ] {
            let found = outcome(&RULE, &inspecting(host, true, true));
            assert_eq!(codes(&found), ["FWL113"], "{host}");
            let fix = &found.findings[0].remediation[0];
            assert!(
                fix.commands[0].ends_with(
                    "--collection-name egress-rules --name some --enable-tls-inspection false"
                ),
                "{}",
                fix.commands[0]
            );
            assert!(fix.undo[0].ends_with("--enable-tls-inspection true"));
        }
    }

    #[test]
    fn r1_6_does_not_fire() {
        for (host, rule, policy) in [
            ("*", false, true),
            ("*", true, false),
            ("*.contoso.com", true, true),
        ] {
            let facts = inspecting(host, rule, policy);
            assert!(!outcome(&RULE, &facts).is_open());
            assert!(
                outcome(&RULE, &facts).findings.is_empty(),
                "{host} {rule} {policy}"
            );
        }
        // A network rule comes first and opens nothing.
        let mut network = inspecting("*", true, true);
        let mut rules = admits(&["*"], "*");
        rules.application[0].terminate_tls = true;
        rules.network = network_rule(&["AzureCloud"], "TCP", "443").network;
        firewall_rules(&mut network, RuleAction::Allow, rules);
        assert_eq!(outcome(&RULE, &network), Outcome::passed());
        let mut private = inspecting("*", true, true);
        private.cluster.api_server.private_cluster = Some(true);
        assert!(outcome(&RULE, &private).not_applicable.is_some());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut maybe = inspecting("*", true, true);
        let mut rules = admits(&["*"], "*");
        rules.application[0].terminate_tls = true;
        rules.network = network_rule(&["20.50.1.2"], "TCP", "443").network;
        firewall_rules(&mut maybe, RuleAction::Allow, rules);
        let open = outcome(&RULE, &maybe);
        assert!(open.findings.is_empty() && open.is_open(), "{open:?}");
        let mut unread = firewalled();
        let refused = denied("Microsoft.Network/firewallPolicies/read");
        unread.firewall_policies.insert(policy_id(), refused);
        let open = outcome(&RULE, &unread);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
    }
}
