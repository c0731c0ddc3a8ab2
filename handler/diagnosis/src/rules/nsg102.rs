use std::net::Ipv4Addr;

use super::nsg_platform::{self, Platform};
use super::{Docs, Outcome, Rule, Step, dns_servers};
use crate::context::Context;
use crate::report::Severity;
use crate::security::Guard;

pub(super) const RULE: Rule = Rule {
    code: "NSG102",
    slug: "platform-dns-denied",
    severity: Severity::Critical,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether an outbound rule denies service tag `AzurePlatformDNS` at the network interfaces or the subnet \
               (R4.10).",
        why: "Azure DNS answers at 168.63.129.16. Ordinary rules do not filter that address; a deny of this tag does, \
              and then no name is resolved any more.",
        evidence: "The denying rule, its priority, level and security group.",
        fix: "Remove the rule, or allow the tag above it.",
        how_sure: "Certain. Medium instead of critical where the network names custom DNS servers only: nodes then ask \
                   those, and Azure DNS is not on their way.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/service-tags-overview",
            "https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    nsg_platform::check(ctx, &AZURE_DNS)
}

const AZURE_DNS: Platform = Platform {
    rule: &RULE,
    tag: "AzurePlatformDNS",
    address: Ipv4Addr::new(168, 63, 129, 16),
    port: 53,
    allow: "AllowAzurePlatformDNS",
    effect: "names cannot be resolved by Azure DNS",
    why: "This tag is the only way to filter Azure DNS, and the rule uses it: questions to 168.63.129.16 are dropped.",
    severity,
};

fn severity(guard: &Guard<'_, '_>) -> Severity {
    match guard.path.routes.network {
        Ok(network) if dns_servers::custom_only(network) => Severity::Medium,
        _ => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::testing::{
        codes, denied, load_balancer, nsg_id, outcome, security_rule, subnet_nsg, vnet_mut,
    };

    fn with(destination: &str) -> crate::facts::Facts {
        let mut facts = load_balancer();
        let rule = security_rule("no-dns", 300, Deny, "*", destination, "53");
        subnet_nsg(&mut facts, "nodes", vec![rule]);
        facts
    }

    #[test]
    fn r4_10_fires() {
        let found = outcome(&RULE, &with("AzurePlatformDNS"));
        assert_eq!(codes(&found), ["NSG102"]);
        assert_eq!(found.findings[0].severity, Severity::Critical);
        assert!(found.findings[0].blocks_egress);
        let command = &found.findings[0].remediation[0].commands[0];
        assert!(
            command.contains("--priority 299") && command.contains("AzurePlatformDNS"),
            "{command}"
        );
    }

    #[test]
    fn fires_as_medium_where_nodes_ask_custom_servers_only() {
        let mut facts = with("AzurePlatformDNS");
        vnet_mut(&mut facts).dns_servers = vec!["10.0.0.10".to_owned()];
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].severity, Severity::Medium);
        vnet_mut(&mut facts)
            .dns_servers
            .push("168.63.129.16".to_owned());
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].severity, Severity::Critical);
    }

    #[test]
    fn r4_10_does_not_fire_for_ordinary_rules() {
        for destination in ["*", "Internet", "168.63.129.16", "AzurePlatformIMDS"] {
            assert_eq!(outcome(&RULE, &with(destination)), Outcome::passed());
        }
        let mut facts = load_balancer();
        let rules = vec![
            security_rule("dns", 100, Allow, "*", "AzurePlatformDNS", "*"),
            security_rule("no-dns", 300, Deny, "*", "AzurePlatformDNS", "*"),
        ];
        subnet_nsg(&mut facts, "nodes", rules);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with("AzurePlatformDNS");
        let action = "Microsoft.Network/networkSecurityGroups/read";
        facts.nsgs.insert(nsg_id("nsg-nodes"), denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
