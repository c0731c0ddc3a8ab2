use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, miss, note, unread_space};
use super::{Docs, Outcome, Rule, Step, dns_servers};
use crate::context::{Context, pools_label};
use crate::facts::Direction;
use crate::network::AddressSet;
use crate::report::{Finding, Severity};
use crate::security::{self, Guard, Probe};

pub(super) const RULE: Rule = Rule {
    code: "NSG104",
    slug: "custom-dns-denied",
    severity: Severity::Critical,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether the way from a pool subnet to the virtual network's custom DNS servers is open on port 53, UDP \
               and TCP, at the network interfaces and the subnet (R4.30 P4).",
        why: "A node that cannot ask its DNS server reaches nothing by name, whatever the egress path allows.",
        evidence: "The denying rule, its priority, level and security group, and the servers that it hits.",
        fix: "Allow port 53 to the servers above the rule, or remove the rule.",
        how_sure: "Certain. High instead of critical while another server, or UDP, still answers. Rules on the side of \
                   the servers are not part of this check.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-name-resolution-for-vms-and-role-instances",
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        let network = match &guard.path.routes.network {
            Ok(network) => network,
            Err(missing) => {
                miss(&mut outcome, [missing.clone()]);
                continue;
            }
        };
        note(&mut outcome.undecided, dns_servers::unreadable(network));
        let servers = dns_servers::addresses(network);
        let all: AddressSet = servers
            .iter()
            .fold(AddressSet::empty(), |set, ip| set.union(&(*ip).into()));
        for (class, main) in Probe::CUSTOM_DNS
            .classes(&guard.sources(), &all)
            .zip([true, false])
        {
            let result = guard.addressed(Direction::Outbound, &class);
            for (rule, parts) in result.by_custom_rule() {
                let hit = parts
                    .iter()
                    .fold(AddressSet::empty(), |set, p| set.union(&p.destinations));
                let complete = main && hit.contains_all(&all) && !dns_servers::also_azure(network);
                let severity = if complete {
                    Severity::Critical
                } else {
                    Severity::High
                };
                for server in servers.iter().filter(|ip| hit.contains(**ip)) {
                    hits.add(&guard, rule.clone(), severity, true, server.to_string());
                }
            }
            note(&mut outcome.undecided, result.open);
        }
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(|hit| finding(ctx, hit)).collect();
    outcome
}

fn finding(ctx: &Context<'_>, hit: &Hit) -> Finding {
    let servers = hit.what.join(", ");
    let plural = if hit.what.len() == 1 { "" } else { "s" };
    let title = format!(
        "{} cannot ask DNS server{plural} {servers}: {} of {} denies port 53",
        super::out106::capital(&pools_label(&hit.pools())),
        rule_label(&hit.rule),
        place(&hit.rule),
    );
    let found = denied(ctx, &RULE, title, hit)
        .severity(hit.severity)
        .explain(format!(
            "The virtual network hands its nodes {servers} as DNS server{plural}, and the rule drops their questions on port \
             53. Without a server that answers, no name is resolved."
        ));
    let admit = Admit {
        name: "AllowCustomDns",
        direction: Direction::Outbound,
        protocol: "*",
        sources: &[],
        destinations: &hit.what,
        ports: &["53".to_owned()],
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
        codes, load_balancer, outcome, security_rule, subnet_nsg, vnet_id, vnet_mut,
    };

    fn with(servers: &[&str], rules: Vec<SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        vnet_mut(&mut facts).dns_servers = servers.iter().map(|&s| s.to_owned()).collect();
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    fn no_dns(to: &str) -> SecurityRule {
        security_rule("no-dns", 100, Deny, "Udp", to, "53")
    }

    #[test]
    fn r4_30_p4_fires() {
        let found = outcome(&RULE, &with(&["10.0.0.10"], vec![no_dns("*")]));
        assert_eq!(codes(&found), ["NSG104"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Critical);
        assert!(finding.title.contains("10.0.0.10") && finding.title.contains("no-dns"));
        assert_eq!(finding.remediation.len(), 1, "no priority left above 100");
    }

    #[test]
    fn fires_as_high_while_another_server_answers() {
        for servers in [&["10.0.0.10", "10.0.9.10"], &["10.0.0.10", "168.63.129.16"]] {
            let found = outcome(&RULE, &with(servers, vec![no_dns("10.0.0.10/32")]));
            assert_eq!(found.findings[0].severity, Severity::High, "{servers:?}");
            assert!(!found.findings[0].blocks_egress);
        }
    }

    #[test]
    fn does_not_fire() {
        // R4.10: Azure DNS is not filtered by ordinary rules.
        for servers in [&[][..], &["168.63.129.16"]] {
            let facts = with(servers, vec![no_dns("*")]);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
        let allowed = vec![
            security_rule("dns", 100, Allow, "*", "10.0.0.10", "53"),
            security_rule("deny", 200, Deny, "*", "*", "*"),
        ];
        let facts = with(&["10.0.0.10"], allowed);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(&["10.0.0.10"], vec![no_dns("*")]);
        let action = "Microsoft.Network/virtualNetworks/read";
        facts
            .virtual_networks
            .insert(vnet_id(), crate::testing::denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert!(open.is_open());
    }

    #[test]
    fn r4_30_p4_cannot_tell_for_a_server_that_is_no_address() {
        let mut facts = load_balancer();
        vnet_mut(&mut facts).dns_servers = vec!["dns.corp.example".to_owned()];
        assert!(outcome(&RULE, &facts).is_open());
    }
}
