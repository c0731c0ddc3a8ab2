//! FWL105: nothing that can be read owns the next hop's address.

use super::appliance::{Appliance, is_firewall_subnet};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{HopOwner, Id};
use crate::report::{Confidence, Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL105",
    slug: "next-hop-owner-unknown",
    severity: Severity::Medium,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether an Azure Firewall, a network interface or an internal load balancer has the next hop's address. A hop in a firewall's subnet is FWL104's business.",
        why: "A route to an address that nobody has drops every packet. Outside Azure Firewall an owner may also be of a kind that this check does not read.",
        evidence: "The route with its next hop, and the subnet in which nobody has the address.",
        fix: "Point the route to the appliance's address with `az network route-table route update`, or bring the appliance back.",
        how_sure: "Possible: all interfaces, firewalls and load balancers of the subnet were read and none has the address. A hop in no network that was read may still exist elsewhere. What may not be read is a gap, not a finding.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check(ctx, |appliance, owner| match owner {
        HopOwner::Nobody { subnet } if !subnet.as_ref().is_some_and(is_firewall_subnet) => {
            Outcome::found(finding(appliance, subnet.as_ref()))
        }
        _ => Outcome::passed(),
    })
}

fn finding(appliance: &Appliance<'_, '_>, subnet: Option<&Id>) -> Finding {
    let hop = appliance.address.to_string();
    let searched = match subnet {
        Some(subnet) => format!("nothing in subnet {} has it", subnet.name()),
        None => "it lies in no virtual network of the node pools or peered with them".to_owned(),
    };
    let mut found = RULE
        .finding(format!("Nobody owns {hop}, where the egress of {} goes", appliance.pools_label()))
        .confidence(Confidence::Possible)
        .explain(format!(
            "{} leads to {hop}, and {searched}. If nothing else answers there, every packet is dropped.",
            super::out106::capital(&appliance.via.label())
        ))
        .evidence("nextHopIpAddress of the default route", appliance.via.table.as_ref(), Some(hop.clone()))
        .pools(appliance.pools());
    if let Some(subnet) = subnet {
        found = found.evidence("no owner of the address in the subnet", Some(subnet), None);
    }
    let mut fix =
        Remediation::new("Find the appliance and point the route to the address it has now")
            .side_effect("Every subnet that uses the route table follows at once");
    if let (Some(table), Some(name)) = (&appliance.via.table, &appliance.via.name) {
        let route = |verb: &str| {
            Az::beside(verb, table)
                .opt("--route-table-name", table.name())
                .opt("--name", name)
        };
        fix = fix
            .command(route("network route-table route show").build())
            .undo(
                route("network route-table route update")
                    .opt("--next-hop-ip-address", &hop)
                    .build(),
            );
        found = found.resource(table);
    }
    found.fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, denied, firewall_subnet_id, firewalled, load_balancer, outcome, with_hop,
    };

    fn nobody(subnet: Option<Id>) -> crate::facts::Facts {
        with_hop(Datum::Known(HopOwner::Nobody { subnet }))
    }

    #[test]
    fn fires() {
        for subnet in [None, Some(Id::new("/v/subnets/appliances"))] {
            let found = outcome(&RULE, &nobody(subnet));
            assert_eq!(codes(&found), ["FWL105"]);
            assert!(!found.findings[0].blocks_egress);
            assert!(found.findings[0].title.contains("10.1.0.4"));
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        assert!(
            outcome(&RULE, &nobody(Some(firewall_subnet_id())))
                .findings
                .is_empty()
        );
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell_when_something_may_not_be_read() {
        let open = outcome(
            &RULE,
            &with_hop(denied("Microsoft.Network/networkInterfaces/read")),
        );
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
