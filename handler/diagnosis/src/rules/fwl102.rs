//! FWL102: the machine behind the next hop does not run (R2.38).

use super::appliance::Appliance;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::Id;
use crate::report::{Finding, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL102",
    slug: "appliance-not-running",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the virtual machine whose network interface has the next hop's address runs.",
        why: "A machine that does not run forwards nothing: every packet that the route hands to it is lost.",
        evidence: "The virtual machine with its power state, and the route that leads to its address.",
        fix: "`az vm start`; a second appliance behind an internal load balancer survives the loss of one.",
        how_sure: "Certain about the power state. A running machine may still drop everything by rules of its own.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/virtual-machines/states-billing",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Appliance::check_nics(ctx, |appliance, nic| {
        let Some(vm) = &nic.vm_id else {
            return Outcome::undecided(format!(
                "network interface {} belongs to no virtual machine",
                nic.id.name()
            ));
        };
        let power = || format!("power state of virtual machine {}", vm.name());
        match nic.power.known(power) {
            Ok(state) if state == "running" => Outcome::passed(),
            Ok(state) => Outcome::found(appliance.subnets(finding(appliance, vm, state))),
            Err(missing) => Outcome::missing(missing),
        }
    })
}

fn finding(appliance: &Appliance<'_, '_>, vm: &Id, state: &str) -> Finding {
    let name = vm.name();
    let az = |verb: &str| Az::new(verb).opt("--ids", vm.as_str()).build();
    RULE.finding(format!(
        "Virtual machine {name}, which should forward the egress of {}, is {state}",
        appliance.pools_label()
    ))
    .explain(format!(
        "{} leads to {}, an address of virtual machine {name}. The machine is {state}, so nothing forwards these packets.",
        super::out106::capital(&appliance.via.label()),
        appliance.address
    ))
    .evidence("power state", Some(vm), Some(state.to_owned()))
    .pools(appliance.pools())
    .resource(vm)
    .fix(
        Remediation::new("Start the virtual machine")
            .command(az("vm start"))
            .side_effect("The machine is charged for while it runs")
            .undo(az("vm deallocate")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, HopOwner};
    use crate::testing::{codes, denied, hop_nic, load_balancer, outcome, with_hop};

    #[test]
    fn r2_38_fires() {
        let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(hop_nic(
            Some(true),
            "deallocated",
        ))));
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["FWL102"]);
        let finding = &found.findings[0];
        assert!(finding.blocks_egress && finding.title.contains("is deallocated"));
        let command = &finding.remediation[0].commands[0];
        assert!(
            command.starts_with("az vm start --ids /subscriptions/"),
            "{command}"
        );
    }

    #[test]
    fn does_not_fire() {
        let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(hop_nic(
            Some(false),
            "running",
        ))));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut nic = hop_nic(Some(true), "running");
        nic.power = denied("Microsoft.Compute/virtualMachines/instanceView/read");
        let facts = with_hop(Datum::Known(HopOwner::VirtualMachineNic(nic)));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
