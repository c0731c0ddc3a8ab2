//! NAT105: the node subnet has a NAT gateway, the pod subnet does not.

use super::nat101::subnet_update;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{Facts, Id, Missing, Subnet, lookup};
use crate::report::{Finding, Remediation, Severity};

/// The node subnet has a NAT gateway, the pod subnet does not.
pub(super) const RULE: Rule = Rule {
    code: "NAT105",
    slug: "pod-subnet-not-associated",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For pools with a pod subnet: whether the pod subnet has a NAT gateway whenever the node subnet has one.",
        why: "With a pod subnet, packets of pods leave with the pod's own address, so the pod subnet decides how. Nodes \
              then reach the internet and pods do not, or pods leave with another address than allow-lists expect.",
        evidence: "Both subnets and the gateway that only one of them has.",
        fix: "Associate the same NAT gateway with the pod subnet.",
        how_sure: "Certain about the association. What carries the pods' packets instead is shown in the outbound section.",
        references: &[
            "https://learn.microsoft.com/azure/aks/nat-gateway",
            "https://learn.microsoft.com/azure/aks/configure-azure-cni-dynamic-ip-allocation",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    let mut pod_subnets = 0;
    for (pool, subnets) in &ctx.facts.pool_subnets {
        let (Some(node), Some(pod)) = (subnets.node.as_known(), &subnets.pod) else {
            continue;
        };
        pod_subnets += 1;
        match (subnet(ctx.facts, node), subnet(ctx.facts, pod)) {
            (Err(missing), _) | (_, Err(missing)) => outcome.missing.push(missing),
            (Ok(node), Ok(pod)) => {
                if let (Some(gateway), None) = (&node.nat_gateway_id, &pod.nat_gateway_id) {
                    merge(&mut outcome.findings, finding(pool, node, pod, gateway));
                }
            }
        }
    }
    if pod_subnets == 0 && !outcome.is_open() {
        return Outcome::not_applicable("no pool has a pod subnet");
    }
    outcome
}

fn subnet<'f>(facts: &'f Facts, id: &Id) -> Result<&'f Subnet, Missing> {
    lookup(&facts.subnets, id).known(|| format!("subnet {}", id.name()))
}

/// Pools that share both subnets share the finding.
fn merge(findings: &mut Vec<Finding>, new: Finding) {
    let same = |f: &&mut Finding| f.affected.resource_ids == new.affected.resource_ids;
    match findings.iter_mut().find(same) {
        Some(known) => known.affected.node_pools.extend(new.affected.node_pools),
        None => findings.push(new),
    }
}

fn finding(pool: &str, node: &Subnet, pod: &Subnet, gateway: &Id) -> Finding {
    RULE.finding(format!(
        "Pod subnet {} has no NAT gateway, node subnet {} has {}",
        pod.id.name(),
        node.id.name(),
        gateway.name()
    ))
    .explain("Pods leave with their own addresses, so the pod subnet decides how. They do not use the node subnet's NAT gateway.")
    .evidence("natGateway of the node subnet", Some(&node.id), Some(gateway.to_string()))
    .evidence("natGateway of the pod subnet", Some(&pod.id), Some("none".to_owned()))
    .pools([pool])
    .resource(&pod.id)
    .fix(
        Remediation::new("Associate the same NAT gateway with the pod subnet")
            .command(subnet_update(&pod.id).opt("--nat-gateway", gateway.as_str()).build())
            .side_effect("New connections of pods leave by the NAT gateway's address at once; open ones keep theirs")
            .undo(format!("{} --remove natGateway", subnet_update(&pod.id).build())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, nat_gateway, outcome, pod_subnet, subnet_id, subnet_mut};

    #[test]
    fn r2_30_fires() {
        let mut facts = nat_gateway();
        pod_subnet(&mut facts, "system", "pods");
        subnet_mut(&mut facts, "pods").nat_gateway_id = None;
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NAT105"]);
        assert_eq!(found.findings[0].affected.node_pools, ["system"]);
        // The same association is not reported twice.
        assert_eq!(
            codes(&outcome(&crate::rules::nat101::RULE, &facts)),
            [""; 0]
        );
    }

    #[test]
    fn does_not_fire() {
        let mut facts = nat_gateway();
        assert!(outcome(&RULE, &facts).not_applicable.is_some());
        pod_subnet(&mut facts, "system", "pods");
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = nat_gateway();
        pod_subnet(&mut facts, "system", "pods");
        facts.subnets.insert(
            subnet_id("pods"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
