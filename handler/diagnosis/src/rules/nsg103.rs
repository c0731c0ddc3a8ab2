use std::net::Ipv4Addr;

use super::nsg_platform::{self, Platform};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::Severity;

pub(super) const RULE: Rule = Rule {
    code: "NSG103",
    slug: "instance-metadata-denied",
    severity: Severity::High,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether an outbound rule denies service tag `AzurePlatformIMDS` at the network interfaces or the subnet \
               (R4.10).",
        why: "The instance metadata service at 169.254.169.254 hands nodes their identity's tokens. Without it they \
              cannot sign in to the registry, to Azure Resource Manager or to anything else by managed identity.",
        evidence: "The denying rule, its priority, level and security group.",
        fix: "Remove the rule, or allow the tag above it.",
        how_sure: "Certain. Ordinary rules do not filter the address, so only rules with this tag count.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/service-tags-overview",
            "https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    nsg_platform::check(ctx, &METADATA)
}

const METADATA: Platform = Platform {
    rule: &RULE,
    tag: "AzurePlatformIMDS",
    address: Ipv4Addr::new(169, 254, 169, 254),
    port: 80,
    allow: "AllowAzurePlatformIMDS",
    effect: "nodes cannot sign in with their managed identity",
    why: "This tag is the only way to filter the instance metadata service, and the rule uses it: requests to \
          169.254.169.254 are dropped.",
    severity: |_| Severity::High,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::Deny;
    use crate::testing::{
        codes, denied, load_balancer, nsg_id, outcome, security_rule, subnet_nsg,
    };

    fn with(destination: &str) -> crate::facts::Facts {
        let mut facts = load_balancer();
        let rule = security_rule("no-imds", 300, Deny, "*", destination, "*");
        subnet_nsg(&mut facts, "nodes", vec![rule]);
        facts
    }

    #[test]
    fn r4_10_fires() {
        let found = outcome(&RULE, &with("AzurePlatformIMDS"));
        assert_eq!(codes(&found), ["NSG103"]);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn r4_10_does_not_fire_for_ordinary_rules() {
        for destination in ["*", "Internet", "169.254.169.254", "AzurePlatformDNS"] {
            assert_eq!(outcome(&RULE, &with(destination)), Outcome::passed());
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with("AzurePlatformIMDS");
        let action = "Microsoft.Network/networkSecurityGroups/read";
        facts.nsgs.insert(nsg_id("nsg-nodes"), denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
