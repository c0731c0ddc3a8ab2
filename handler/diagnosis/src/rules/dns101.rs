use std::collections::BTreeMap;

use super::{Docs, Outcome, Rule, Step, dns_servers};
use crate::context::Context;
use crate::facts::{Id, VirtualNetwork};
use crate::report::{Finding, Remediation, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DNS101",
    slug: "custom-dns",
    severity: Severity::Info,
    step: Step::Dns,
    docs: Docs {
        what: "Whether the virtual network hands its nodes custom DNS servers (R0.10).",
        why: "With custom servers, a name that does not resolve looks like lost egress. Asking Azure DNS for the same \
              name tells the two apart.",
        evidence: "The servers that the virtual network names.",
        fix: "Nothing is wrong. When names fail: if 168.63.129.16 resolves what the custom server does not, the server \
              is the fault and not the egress path. It must forward private zones to 168.63.129.16.",
        how_sure: "Certain about the setting. Whether the servers answer is not visible from Azure Resource Manager.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-name-resolution-for-vms-and-role-instances",
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/basic-troubleshooting-outbound-connections",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    let mut networks: BTreeMap<&Id, (&VirtualNetwork, Vec<&str>)> = BTreeMap::new();
    for path in &ctx.paths {
        match path.routes.network.as_ref() {
            Err(missing) if outcome.missing.contains(missing) => {}
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(network) => {
                let entry = networks.entry(&network.id);
                let (_, pools) = entry.or_insert_with(|| (network, Vec::new()));
                pools.extend(path.used.pools.iter().copied());
            }
        }
    }
    outcome.findings = networks
        .into_values()
        .filter(|(network, _)| dns_servers::custom(network).next().is_some())
        .map(|(network, pools)| finding(network, pools))
        .collect();
    outcome
}

fn finding(network: &VirtualNetwork, pools: Vec<&str>) -> Finding {
    let servers: Vec<&str> = dns_servers::custom(network).collect();
    let plural = if servers.len() == 1 { "" } else { "s" };
    let servers = servers.join(", ");
    RULE.finding(format!(
        "Virtual network {} resolves names by custom DNS server{plural} {servers}",
        network.id.name()
    ))
    .explain(
        "A name that does not resolve looks like lost egress. If Azure DNS at 168.63.129.16 resolves what the custom \
         server does not, the server is the fault, not the egress path.",
    )
    .evidence("dhcpOptions.dnsServers", Some(&network.id), Some(servers))
    .pools(pools)
    .resource(&network.id)
    .fix(
        Remediation::new("Tell DNS from egress: ask both resolvers from a node or pod")
            .command("nslookup mcr.microsoft.com".to_owned())
            .command("nslookup mcr.microsoft.com 168.63.129.16".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, load_balancer, outcome, vnet_id, vnet_mut};

    #[test]
    fn r0_10_fires() {
        let mut facts = load_balancer();
        vnet_mut(&mut facts).dns_servers = vec!["10.0.0.10".to_owned()];
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["DNS101"]);
        assert_eq!(found.findings[0].affected.node_pools, ["system", "user"]);
        assert!(found.findings[0].title.contains("10.0.0.10"));
        assert!(!found.is_open());
    }

    #[test]
    fn does_not_fire() {
        let mut facts = load_balancer();
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        vnet_mut(&mut facts).dns_servers = vec!["168.63.129.16".to_owned()];
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        let action = "Microsoft.Network/virtualNetworks/read";
        facts.virtual_networks.insert(vnet_id(), denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
