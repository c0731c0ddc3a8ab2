//! FWL103: the Azure Firewall at the next hop is deallocated or failed (R2.39).

use super::appliance::{Appliance, deallocated, is_firewall_subnet, serves};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{AzureFirewall, HopOwner, Id};
use crate::report::{Confidence, Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL103",
    slug: "firewall-not-serving",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the Azure Firewall at the next hop's address is provisioned and has its IP configuration.",
        why: "A deallocated firewall has no address: the route leads to nothing and every packet is dropped. One in state Failed may have lost its rules or its instances.",
        evidence: "The firewall with its provisioning state, or without an IP configuration; the route that leads to its address.",
        fix: "Give a deallocated firewall its IP configuration back with `az network firewall ip-config create`; let Azure settle a failed one with `az network firewall update`.",
        how_sure: "Certain for a firewall that has the address. Likely for a deallocated one: it no longer says where it belongs and is taken to be the one missing from the firewall subnet of its resource group. That nothing has the address the route leads to is certain either way.",
        references: &[
            "https://learn.microsoft.com/azure/firewall/firewall-faq",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check(ctx, |appliance, owner| match owner {
        HopOwner::AzureFirewall(_) => match appliance.firewall(ctx) {
            Some(Ok(firewall)) if !serves(firewall) => {
                Outcome::found(appliance.subnets(failed(appliance, firewall)))
            }
            Some(Err(missing)) => Outcome::missing(missing),
            _ => Outcome::passed(),
        },
        HopOwner::Nobody {
            subnet: Some(subnet),
        } if is_firewall_subnet(subnet) => match deallocated(ctx, subnet).first() {
            Some(firewall) => {
                Outcome::found(appliance.subnets(stopped(appliance, firewall, subnet)))
            }
            None => Outcome::passed(),
        },
        _ => Outcome::passed(),
    })
}

fn failed(appliance: &Appliance<'_, '_>, firewall: &AzureFirewall) -> Finding {
    let name = firewall.id.name();
    let state = firewall.provisioning_state.clone();
    RULE.finding(format!(
        "Azure Firewall {name}, which should carry the egress of {}, is in state Failed",
        appliance.pools_label()
    ))
    .explain(format!(
        "{} leads to {}, the private address of Azure Firewall {name}. Its provisioning state is Failed.",
        super::out106::capital(&appliance.via.label()),
        appliance.address
    ))
    .evidence("provisioningState", Some(&firewall.id), state)
    .pools(appliance.pools())
    .resource(&firewall.id)
    .fix(
        Remediation::new("Let Azure apply the firewall's settings again")
            .command(Az::beside("network firewall update", &firewall.id).opt("--name", name).build())
            .side_effect("The activity log of the firewall names the error that keeps it in this state")
            .undo("Nothing to take back: the settings stay as they are"),
    )
}

fn stopped(appliance: &Appliance<'_, '_>, firewall: &AzureFirewall, subnet: &Id) -> Finding {
    let name = firewall.id.name();
    let network = subnet.parent();
    let network = network.as_ref().map_or("", Id::name);
    let configuration = |verb: &str| {
        Az::beside(verb, &firewall.id)
            .opt("--firewall-name", name)
            .opt("--name", "ipconfig1")
    };
    RULE.finding(format!(
        "Azure Firewall {name} is deallocated: nothing takes the egress of {} at {}",
        appliance.pools_label(),
        appliance.address
    ))
    .confidence(Confidence::Likely)
    .explain(format!(
        "{} leads to {} in {}, where no firewall has an address. Azure Firewall {name} in the same resource group has no IP configuration, as a deallocated firewall has none.",
        super::out106::capital(&appliance.via.label()),
        appliance.address,
        subnet.name()
    ))
    .evidence("ipConfigurations of the firewall", Some(&firewall.id), Some("none".to_owned()))
    .evidence("no firewall in the subnet", Some(subnet), None)
    .pools(appliance.pools())
    .resource(&firewall.id)
    .fix(
        Remediation::new("Give the firewall its IP configuration back; put in the public IP address that allow-lists know")
            .command(
                configuration("network firewall ip-config create")
                    .opt("--public-ip-address", &format!("{name}-pip"))
                    .opt("--vnet-name", network)
                    .build(),
            )
            .side_effect("The firewall is charged for from then on")
            .side_effect(format!("Its private address may differ from before: the route must lead to it, now to {}", appliance.address))
            .undo(configuration("network firewall ip-config delete").build()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::report::{FinalState, TrafficVerdict};
    use crate::testing::{
        codes, denied, firewall_id, firewall_mut, firewall_subnet_id, firewalled, load_balancer,
        outcome, with_hop,
    };

    #[test]
    fn r2_39_fires_on_a_failed_firewall() {
        let mut facts = firewalled();
        firewall_mut(&mut facts).provisioning_state = Some("failed".to_owned());
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL103"]);
        assert!(found.findings[0].blocks_egress);
        let command = &found.findings[0].remediation[0].commands[0];
        assert!(
            command.starts_with("az network firewall update --subscription"),
            "{command}"
        );
    }

    #[test]
    fn r2_39_fires_on_a_deallocated_firewall() {
        let mut facts = firewalled();
        let firewall = firewall_mut(&mut facts);
        firewall.private_ips.clear();
        firewall.subnet_id = None;
        facts.hops.insert(
            "10.1.0.4".parse().unwrap(),
            Datum::Known(HopOwner::Nobody {
                subnet: Some(firewall_subnet_id()),
            }),
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL103"]);
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
        // The command takes the network's name, and looks for it in the firewall's resource group.
        let command = &found.findings[0].remediation[0].commands[0];
        assert!(command.ends_with(" --vnet-name hub"), "{command}");
        assert_eq!(
            outcome(&super::super::fwl104::RULE, &facts).findings.len(),
            0
        );
    }

    #[test]
    fn r2_39_the_path_ends_at_a_firewall_that_does_not_serve() {
        let mut facts = firewalled();
        firewall_mut(&mut facts).provisioning_state = Some("Failed".to_owned());
        let mut gone = firewalled();
        let firewall = firewall_mut(&mut gone);
        firewall.private_ips.clear();
        firewall.subnet_id = None;
        let nobody = HopOwner::Nobody {
            subnet: Some(firewall_subnet_id()),
        };
        let hop = "10.1.0.4".parse().unwrap();
        gone.hops.insert(hop, Datum::Known(nobody));
        for facts in [facts, gone] {
            let report = crate::diagnose(&facts);
            let path = &report.outbound.paths[0];
            assert_eq!(path.final_state, FinalState::Dropped);
            assert_eq!(path.cause.as_deref(), Some("FWL103"));
            for item in &report.egress_endpoints.items {
                assert_eq!(
                    item.verdict,
                    TrafficVerdict::Blocked,
                    "{}",
                    item.domain_name
                );
            }
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &firewalled()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = firewalled();
        facts.firewalls.insert(
            firewall_id(),
            denied("Microsoft.Network/azureFirewalls/read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let unknown = with_hop(denied("Microsoft.Network/virtualNetworks/read"));
        assert_eq!(outcome(&RULE, &unknown).missing.len(), 1);
    }
}
