//! FWL104: the next hop lies in the firewall's subnet but is not the firewall (R2.39).

use super::appliance::{Appliance, deallocated, is_firewall_subnet};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{AzureFirewall, Datum, HopOwner, Id};
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL104",
    slug: "next-hop-not-the-firewall",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether a next hop inside an `AzureFirewallSubnet` is the private address that a firewall has now.",
        why: "Nothing but the firewall answers in its subnet. A route to any other address there drops every packet; it happens when a firewall was made anew or was deallocated for a while and came back with another address.",
        evidence: "The route with its next hop, and the private addresses of the firewalls of that network.",
        fix: "Point the route to the firewall's private address with `az network route-table route update`.",
        how_sure: "Certain: everything that has an address in the subnet was read.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check(ctx, |appliance, owner| match owner {
        HopOwner::Nobody {
            subnet: Some(subnet),
        } if is_firewall_subnet(subnet) && deallocated(ctx, subnet).is_empty() => {
            Outcome::found(appliance.subnets(finding(ctx, appliance, subnet)))
        }
        _ => Outcome::passed(),
    })
}

fn finding(ctx: &Context<'_>, appliance: &Appliance<'_, '_>, subnet: &Id) -> Finding {
    let here: Vec<&AzureFirewall> = ctx
        .facts
        .firewalls
        .values()
        .filter_map(Datum::as_known)
        .filter(|firewall| firewall.subnet_id.as_ref() == Some(subnet))
        .collect();
    let addresses: Vec<&str> = here
        .iter()
        .flat_map(|f| &f.private_ips)
        .map(String::as_str)
        .collect();
    let instead = match addresses.as_slice() {
        [] => "no firewall is there".to_owned(),
        known => format!("the firewall there has {}", known.join(", ")),
    };
    let hop = appliance.address.to_string();
    let mut found = RULE
        .finding(format!(
            "The egress of {} goes to {hop} in {}, which is no firewall's address",
            appliance.pools_label(),
            subnet.name()
        ))
        .explain(format!(
            "{} leads to {hop}. The address lies in {} and {instead}, so every packet is dropped.",
            super::out106::capital(&appliance.via.label()),
            subnet.name()
        ))
        .evidence(
            "nextHopIpAddress of the default route",
            appliance.via.table.as_ref(),
            Some(hop.clone()),
        )
        .pools(appliance.pools());
    for firewall in &here {
        let addresses = firewall.private_ips.join(", ");
        found = found.evidence(
            "privateIPAddress of the firewall",
            Some(&firewall.id),
            Some(addresses),
        );
    }
    if let (Some(table), Some(name)) = (&appliance.via.table, &appliance.via.name) {
        let update = |address: &str| {
            Az::beside("network route-table route update", table)
                .opt("--route-table-name", table.name())
                .opt("--name", name)
                .opt("--next-hop-ip-address", address)
                .build()
        };
        found = found.resource(table);
        let fix = match addresses.first() {
            Some(address) => {
                Remediation::new("Point the route to the firewall").command(update(address))
            }
            None => Remediation::new(
                "Create a firewall in the subnet, then point the route to its private address",
            ),
        };
        found = found.fix(
            fix.side_effect("Every subnet that uses the route table follows at once")
                .undo(update(&hop)),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, firewall_subnet_id, firewalled, load_balancer, outcome, with_hop,
    };

    fn nobody(subnet: Id) -> crate::facts::Facts {
        let mut facts = firewalled();
        crate::testing::firewall_mut(&mut facts).private_ips = vec!["10.1.0.5".to_owned()];
        let owner = HopOwner::Nobody {
            subnet: Some(subnet),
        };
        facts
            .hops
            .insert("10.1.0.4".parse().unwrap(), Datum::Known(owner));
        facts
    }

    #[test]
    fn r2_39_fires() {
        let found = outcome(&RULE, &nobody(firewall_subnet_id()));
        assert_eq!(codes(&found), ["FWL104"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        let fix = &finding.remediation[0];
        assert!(
            fix.commands[0].ends_with(
                "--route-table-name rt-egress --name default --next-hop-ip-address 10.1.0.5"
            ),
            "{fix:?}"
        );
        assert!(fix.undo[0].ends_with("10.1.0.4"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        let elsewhere = nobody(Id::new("/v/subnets/appliances"));
        assert!(
            outcome(&RULE, &elsewhere).findings.is_empty(),
            "FWL105 is for that"
        );
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let open = outcome(
            &RULE,
            &with_hop(denied("Microsoft.Network/azureFirewalls/read")),
        );
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
