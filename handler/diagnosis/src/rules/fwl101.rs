//! FWL101: the network interface of the appliance drops what is not for itself (R2.38).

use super::appliance::Appliance;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::HopNic;
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL101",
    slug: "appliance-forwarding-off",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the network interface that has the next hop's address forwards packets (`enableIPForwarding`).",
        why: "Azure hands a packet that is not addressed to the interface to the machine only with IP forwarding on. Without it every packet of the node pools is dropped before the appliance sees it.",
        evidence: "The network interface with `enableIPForwarding` false, and the route that leads to its address.",
        fix: "`az network nic update --ip-forwarding true`; the operating system of the appliance must forward too.",
        how_sure: "Certain about the interface. Whether the operating system forwards cannot be seen from Azure.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/virtual-network/virtual-network-network-interface",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check_nics(ctx, |appliance, nic| match nic.ip_forwarding {
        Some(false) => Outcome::found(appliance.subnets(finding(appliance, nic))),
        Some(true) => Outcome::passed(),
        None => Outcome::undecided(format!(
            "network interface {} does not say whether it forwards",
            nic.id.name()
        )),
    })
}

fn finding(appliance: &Appliance<'_, '_>, nic: &HopNic) -> Finding {
    let name = nic.id.name();
    let update = |value: &str| {
        Az::new("network nic update")
            .opt("--ids", nic.id.as_str())
            .opt("--ip-forwarding", value)
            .build()
    };
    RULE.finding(format!(
        "Network interface {name} drops the egress of {}: IP forwarding is off",
        appliance.pools_label()
    ))
    .explain(format!(
        "{} leads to {}, the address of network interface {name}. With IP forwarding off Azure drops every packet that is not addressed to it.",
        super::out106::capital(&appliance.via.label()),
        appliance.address
    ))
    .evidence("enableIPForwarding", Some(&nic.id), Some("false".to_owned()))
    .pools(appliance.pools())
    .resource(&nic.id)
    .fix(
        Remediation::new("Turn IP forwarding on")
            .command(update("true"))
            .side_effect("The machine's operating system must forward too; Azure cannot show whether it does")
            .undo(update("false")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, HopOwner};
    use crate::testing::{codes, hop_nic, load_balancer, outcome, with_hop};

    #[test]
    fn r2_38_fires() {
        let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(hop_nic(
            Some(false),
            "running",
        ))));
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL101"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.ends_with("networkInterfaces/nva-nic --ip-forwarding true"),
            "{command}"
        );
    }

    #[test]
    fn does_not_fire() {
        let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(hop_nic(
            Some(true),
            "running",
        ))));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let silent = with_hop(Datum::Known(HopOwner::VirtualMachineNic(hop_nic(
            None, "running",
        ))));
        assert!(outcome(&RULE, &silent).is_open());
        let denied = with_hop(crate::testing::denied(
            "Microsoft.Network/networkInterfaces/read",
        ));
        assert_eq!(outcome(&RULE, &denied).missing.len(), 1);
    }
}
