//! NAT106: a managed NAT gateway in the caller's own virtual network.

use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{AgentPool, Id, OutboundType};
use crate::report::{Remediation, Severity};

/// A managed NAT gateway in the caller's own virtual network.
pub(super) const RULE: Rule = Rule {
    code: "NAT106",
    slug: "managed-gateway-in-own-vnet",
    severity: Severity::High,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `managedNATGateway`: whether an agent pool names a subnet outside the node resource group.",
        why: "AKS manages a NAT gateway only in the virtual network that it manages itself. In a network of your own it \
              does not associate the gateway, and updates of the cluster are refused.",
        evidence: "The pool and its `vnetSubnetID`.",
        fix: "Create a new cluster with outbound type `userAssignedNATGateway` in a subnet that has a NAT gateway of your own: \
              AKS lets no cluster change from a managed NAT gateway to one of your own (R1.70–R1.72).",
        how_sure: "Certain that the combination is not supported.",
        references: &[
            "https://learn.microsoft.com/azure/aks/nat-gateway",
            "https://learn.microsoft.com/azure/aks/egress-outboundtype",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let managed = [
        OutboundType::ManagedNatGateway,
        OutboundType::ManagedNatGatewayV2,
    ];
    if let Some(outcome) = only_for(
        ctx,
        &managed,
        "the outbound type is not a managed NAT gateway",
    ) {
        return outcome;
    }
    let pools = match ctx.pools() {
        Ok(pools) => pools,
        Err(missing) => return Outcome::missing(missing),
    };
    let own: Vec<(&AgentPool, &Id)> = pools
        .iter()
        .filter_map(|pool| Some((pool, pool.vnet_subnet_id.as_ref()?)))
        .filter(|(_, subnet)| !in_node_resource_group(ctx, subnet))
        .collect();
    if own.is_empty() {
        return Outcome::passed();
    }
    if ctx.cluster().node_resource_group.is_none() {
        return Outcome::undecided(NO_NODE_GROUP);
    }
    let names: Vec<&str> = own.iter().map(|(pool, _)| pool.name.as_str()).collect();
    let mut found = RULE
        .finding(format!(
            "Managed NAT gateway with {} in a virtual network of your own",
            crate::context::pools_label(&names)
        ))
        .explain("AKS manages a NAT gateway only in the network that it manages itself. This combination is not supported: the gateway may be missing on the subnet, and updates may be refused.")
        .pools(names.iter().copied());
    for (pool, subnet) in &own {
        let text = format!("vnetSubnetID of node pool {}", pool.name);
        found = found.evidence(text, Some(subnet), None).resource(subnet);
    }
    // No outbound type that AKS allows from here keeps egress in a network of one's own (R1.70–R1.72).
    Outcome::found(
        found.fix(
            Remediation::new("Create a new cluster with outbound type userAssignedNATGateway in a subnet that has a NAT gateway of your own, move the workloads there, and delete this one: AKS has no way from a managed NAT gateway to one of your own. Put the new names in place of the words in capitals")
                .command("az network vnet subnet update --ids NEW_SUBNET_ID --nat-gateway NAT_GATEWAY_ID".to_owned())
                .command(new_cluster(ctx, "userAssignedNATGateway"))
                .side_effect("The NAT gateway has to be on the subnet before the cluster is created")
                .side_effect("The new cluster leaves by another address: authorized IP ranges and allow-lists elsewhere must know it first")
                .side_effect("Without its other settings the command makes a plain cluster: take them over from this one")
                .undo("Delete the new cluster; this one stays as it is until you delete it"),
        ),
    )
}

/// `az aks create` beside this cluster, in a subnet of the caller's.
pub(super) fn new_cluster(ctx: &Context<'_>, outbound_type: &str) -> String {
    let cluster = ctx.cluster();
    crate::commands::Az::new("aks create")
        .opt("--subscription", &cluster.subscription_id)
        .opt("--resource-group", &cluster.resource_group)
        .opt("--name", "NEW_NAME")
        .opt("--vnet-subnet-id", "NEW_SUBNET_ID")
        .opt("--outbound-type", outbound_type)
        .build()
}

/// Without the node resource group's name nobody can tell AKS's own network from another.
pub(super) const NO_NODE_GROUP: &str = "the cluster's body names no node resource group";

/// Whether a subnet lies in the node resource group, which AKS manages.
pub(super) fn in_node_resource_group(ctx: &Context<'_>, subnet: &Id) -> bool {
    match (&ctx.cluster().node_resource_group, subnet.resource_group()) {
        (Some(group), Some(of)) => group.eq_ignore_ascii_case(of),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, nat_gateway, network_mut, outcome, pools_mut};

    fn managed() -> crate::facts::Facts {
        let mut facts = nat_gateway();
        network_mut(&mut facts).outbound_type = Some(OutboundType::ManagedNatGateway);
        facts
    }

    #[test]
    fn r2_50_fires() {
        let found = outcome(&RULE, &managed());
        assert_eq!(codes(&found), ["NAT106"]);
        assert_eq!(found.findings[0].affected.node_pools, ["system", "user"]);
    }

    #[test]
    fn does_not_fire() {
        let mut facts = managed();
        for pool in pools_mut(&mut facts) {
            pool.vnet_subnet_id = None;
        }
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = managed();
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn r2_50_cannot_tell_without_the_node_resource_group() {
        let mut facts = managed();
        facts.cluster.node_resource_group = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
