//! FWL110: a network rule names hosts and the firewall is not a DNS proxy (R5.13).

use super::appliance::Appliance;
use super::firewall_fix;
use super::inspection::{Inspection, holder, rule_label};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::network::firewall::RuleName;
use crate::network::{AddressBounds, AddressSet};
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL110",
    slug: "fqdn-network-rule-without-dns-proxy",
    severity: Severity::High,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the Azure Firewall is a DNS proxy where a network rule for the node pools' subnets names hosts \
               (`destinationFqdns`).",
        why: "A network rule is matched by address. The firewall resolves the host itself; only when the nodes ask the \
              firewall for names do both see the same addresses. Without DNS proxy the rule misses addresses at random, and \
              the same destination works and fails by turns.",
        evidence: "The firewall's or its policy's DNS settings, and each network rule with the hosts that it names.",
        fix: "Turn the DNS proxy on (`--enable-dns-proxy true`) and let the virtual network use the firewall's private address \
              as its DNS server; or allow the hosts by an application rule where they speak HTTP or HTTPS.",
        how_sure: "Certain about the setting. Whether the nodes ask the firewall for names is a setting of their network and \
                   not part of this check.",
        references: &[
            "https://learn.microsoft.com/azure/firewall/fqdn-filtering-network-rules",
            "https://learn.microsoft.com/azure/firewall/dns-settings",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Inspection::check(ctx, |appliance, inspection| {
        if inspection.rules.dns_proxy() == Some(true) {
            return Outcome::passed();
        }
        let mut outcome = Outcome {
            missing: inspection.unread.clone(),
            ..Outcome::passed()
        };
        let name = inspection.firewall.id.name();
        if inspection.rules.has_unreadable_rules() {
            outcome.undecided.push(format!(
                "Azure Firewall {name} has rules that could not be read; whether they name hosts is not known"
            ));
        }
        let reach = |sources: &AddressBounds| Reach::of(appliance, sources);
        let rules = inspection.rules.host_rules();
        let rules: Vec<_> = rules
            .map(|(rule, hosts, sources)| (rule, hosts, reach(sources)))
            .filter(|(_, _, reach)| *reach != Reach::Never)
            .collect();
        let certain = rules.iter().any(|(_, _, reach)| *reach == Reach::Certain);
        // A parent that could not be read might turn the proxy on.
        if certain && inspection.unread.is_empty() {
            let rules = rules.iter().map(|(rule, hosts, _)| (*rule, *hosts));
            outcome.findings.push(finding(appliance, inspection, rules));
        } else if let Some((rule, _, _)) = rules.first() {
            outcome.undecided.push(format!(
                "whether {} of Azure Firewall {name}, which names hosts without DNS proxy, is for these subnets is not known",
                rule_label(rule)
            ));
        }
        outcome
    })
}

/// Whether a rule is for the senders of an appliance's paths.
#[derive(PartialEq, Eq)]
enum Reach {
    Certain,
    Possible,
    Never,
}

impl Reach {
    fn of(appliance: &Appliance<'_, '_>, sources: &AddressBounds) -> Self {
        let meets = |set: &AddressSet| {
            let mut paths = appliance.paths.iter();
            paths.any(|path| path.security.sources.intersects(set))
        };
        if meets(&sources.certain) {
            Self::Certain
        } else if meets(&sources.possible) {
            Self::Possible
        } else {
            Self::Never
        }
    }
}

fn finding<'r>(
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
    rules: impl Iterator<Item = (&'r RuleName, &'r [String])>,
) -> Finding {
    let firewall = inspection.firewall;
    let name = firewall.id.name();
    let at = firewall.policy_id.as_ref().unwrap_or(&firewall.id);
    let proxy = match inspection.rules.dns_proxy() {
        Some(_) => "false",
        None => "not set, which is off",
    };
    let mut found = RULE
        .finding(format!(
            "Azure Firewall {name} matches host names in network rules without being a DNS proxy"
        ))
        .explain(
            "Network rules that name hosts are matched by the addresses that the firewall resolves. Without DNS proxy the \
             nodes may hold other addresses of the same host, which the rules then do not match.",
        )
        .evidence("enableProxy of the DNS settings", Some(at), Some(proxy.to_owned()))
        .pools(appliance.pools())
        .resource(at);
    for (rule, hosts) in rules.take(SHOWN) {
        found = found.evidence(
            rule_label(rule),
            Some(holder(rule, firewall)),
            Some(hosts.join(", ")),
        );
    }
    let update = |value: &str| {
        firewall_fix::update(firewall)
            .opt("--enable-dns-proxy", value)
            .build()
    };
    found.fix(
        Remediation::new("Turn the firewall's DNS proxy on and let the nodes' network ask it for names")
            .command(update("true"))
            .side_effect(format!(
                "It takes effect once the virtual network's DNS server is {}; nodes take that over when they restart",
                appliance.address
            ))
            .undo(update("false")),
    )
}

/// So many rules are shown.
const SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, RuleAction};
    use crate::testing::{
        codes, denied, firewall_mut, firewall_rules, firewalled, load_balancer, network_rule,
        outcome, policy_id, policy_mut,
    };

    /// A network rule for a host, from this source, with this setting of the DNS proxy.
    fn named(source: &str, proxy: Option<bool>) -> Facts {
        let mut facts = firewalled();
        let mut rules = network_rule(&[], "UDP", "123");
        rules.network[0].sources = vec![source.to_owned()];
        rules.network[0].destination_fqdns = vec!["ntp.ubuntu.com".to_owned()];
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        policy_mut(&mut facts).dns_proxy = proxy;
        facts
    }

    #[test]
    fn r5_13_fires() {
        for proxy in [None, Some(false)] {
            let found = outcome(&RULE, &named("10.0.0.0/16", proxy));
            assert_eq!(codes(&found), ["FWL110"]);
            let finding = &found.findings[0];
            assert_eq!(finding.evidence[1].value.as_deref(), Some("ntp.ubuntu.com"));
            let fix = &finding.remediation[0];
            assert!(
                fix.commands[0].ends_with("--name fw-policy --enable-dns-proxy true"),
                "{}",
                fix.commands[0]
            );
            assert!(fix.undo[0].ends_with("--enable-dns-proxy false"));
        }
    }

    #[test]
    fn r5_13_fires_for_a_classic_firewall() {
        let mut facts = named("*", Some(true));
        let firewall = firewall_mut(&mut facts);
        firewall.policy_id = None;
        firewall.classic_collections = vec![crate::facts::RuleCollection {
            name: "classic".to_owned(),
            priority: Some(200),
            action: Some(RuleAction::Allow),
            rules: network_rule(&["20.0.0.0/8"], "TCP", "443"),
        }];
        assert_eq!(
            outcome(&RULE, &facts),
            Outcome::passed(),
            "it names no host"
        );
        let rules = &mut firewall_mut(&mut facts).classic_collections[0].rules;
        rules.network[0].destination_fqdns = vec!["a.b".to_owned()];
        let found = outcome(&RULE, &facts);
        let command = &found.findings[0].remediation[0].commands[0];
        assert!(
            command.starts_with("az network firewall update --subscription"),
            "{command}"
        );
        firewall_mut(&mut facts).dns_proxy = Some(true);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn r5_13_does_not_fire() {
        assert_eq!(outcome(&RULE, &named("*", Some(true))), Outcome::passed());
        // A rule for other networks of the same hub.
        assert_eq!(
            outcome(&RULE, &named("10.99.0.0/16", None)),
            Outcome::passed()
        );
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let invalid = outcome(&RULE, &named("some/where", None));
        assert!(invalid.findings.is_empty() && invalid.is_open());
        let mut unread = named("*", None);
        let refused = denied("Microsoft.Network/firewallPolicies/read");
        unread.firewall_policies.insert(policy_id(), refused);
        let open = outcome(&RULE, &unread);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        let mut newer = firewalled();
        let mut rules = network_rule(&["*"], "TCP", "443");
        rules.unreadable = 1;
        firewall_rules(&mut newer, RuleAction::Allow, rules);
        policy_mut(&mut newer).dns_proxy = None;
        assert!(outcome(&RULE, &newer).is_open());
    }
}
