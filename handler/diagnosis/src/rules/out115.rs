//! OUT115: outbound type block in a virtual network of your own.

use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::OutboundType;
use crate::report::{Remediation, Severity};

/// Outbound type block in a virtual network of your own.
pub(super) const RULE: Rule = Rule {
    code: "OUT115",
    slug: "block-in-own-vnet",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `block`: whether an agent pool names a subnet outside the node resource group.",
        why: "AKS blocks egress with security groups in the network that it manages itself. In a network of your own the type is not supported, and nothing says that egress is blocked.",
        evidence: "The pool and its `vnetSubnetID`.",
        fix: "Create a new cluster with outbound type `none` and deny egress with a security group of your own: in a network of \
              your own no move leads away from `block` (R1.71).",
        how_sure: "Certain that the combination is not supported.",
        references: &[
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
            "https://learn.microsoft.com/azure/aks/concepts-network-isolated",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::Block],
        "the outbound type is not block",
    ) {
        return outcome;
    }
    let pools = match ctx.pools() {
        Ok(pools) => pools,
        Err(missing) => return Outcome::missing(missing),
    };
    let own: Vec<_> = pools
        .iter()
        .filter_map(|pool| Some((pool.name.as_str(), pool.vnet_subnet_id.as_ref()?)))
        .filter(|(_, subnet)| !super::nat106::in_node_resource_group(ctx, subnet))
        .collect();
    if own.is_empty() {
        return Outcome::passed();
    }
    if ctx.cluster().node_resource_group.is_none() {
        return Outcome::undecided(super::nat106::NO_NODE_GROUP);
    }
    let names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    let mut found = RULE
        .finding(format!(
            "Outbound type block with {} in a virtual network of your own",
            pools_label(&names)
        ))
        .explain("AKS supports this type only in the network that it manages itself. Whatever blocks egress here today, AKS does not see to it.")
        .pools(names.iter().copied());
    for (name, subnet) in &own {
        let text = format!("vnetSubnetID of node pool {name}");
        found = found.evidence(text, Some(subnet), None).resource(subnet);
    }
    Outcome::found(
        found.fix(
            // In a network of one's own no move leads away from block (R1.71).
            Remediation::new("Create a new cluster with outbound type none, deny egress with a security group of your own on its subnet, move the workloads there, and delete this one: AKS lets no cluster in a network of your own change from block. Put the new names in place of the words in capitals")
                .command(super::nat106::new_cluster(ctx, "none"))
                .side_effect("Outbound type none needs a private cluster and a cache registry for what nodes fetch when they start")
                .side_effect("Without its other settings the command makes a plain cluster: take them over from this one")
                .undo("Delete the new cluster; this one stays as it is until you delete it"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, isolated, network_mut, outcome};

    fn blocked() -> crate::facts::Facts {
        let mut facts = isolated();
        network_mut(&mut facts).outbound_type = Some(OutboundType::Block);
        facts
    }

    #[test]
    fn r2_49_fires() {
        let found = outcome(&RULE, &blocked());
        assert_eq!(codes(&found), ["OUT115"]);
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn does_not_fire() {
        assert!(outcome(&RULE, &isolated()).not_applicable.is_some());
        let mut managed = blocked();
        crate::testing::pools_mut(&mut managed)[0].vnet_subnet_id = None;
        assert_eq!(outcome(&RULE, &managed), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = blocked();
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        assert!(outcome(&RULE, &facts).is_open());
    }
}
