//! Which outbound types a cluster can change to (R1.70–R1.72).

use super::routing::own_network;
use crate::context::Context;
use crate::facts::OutboundType;

/// Whether a remediation may tell this cluster to change to another outbound type.
pub(super) fn may_become(ctx: &Context<'_>, to: &OutboundType) -> bool {
    ctx.outbound_type()
        .is_some_and(|from| allowed(own_network(ctx), from, to))
}

/// Whether AKS lets a cluster change, by whose network its pools are in. Moves on which Azure's own sources disagree
/// (from `managedNATGatewayV2`, and from `managedNATGateway` to `loadBalancer`) are not allowed here (R1.70).
fn allowed(own_network: bool, from: &OutboundType, to: &OutboundType) -> bool {
    use OutboundType::{
        Block, LoadBalancer, ManagedNatGateway, ManagedNatGatewayV2, None as Isolated,
        UserAssignedNatGateway, UserDefinedRouting,
    };
    let targets: &[OutboundType] = match (own_network, from) {
        (true, LoadBalancer) => &[UserAssignedNatGateway, UserDefinedRouting, Isolated],
        (true, UserAssignedNatGateway) => &[LoadBalancer, UserDefinedRouting, Isolated],
        (true, UserDefinedRouting) => &[LoadBalancer, UserAssignedNatGateway, Isolated],
        (true, Isolated) => &[LoadBalancer, UserAssignedNatGateway, UserDefinedRouting],
        (false, LoadBalancer) => &[ManagedNatGatewayV2, ManagedNatGateway, Isolated, Block],
        (false, ManagedNatGateway) => &[ManagedNatGatewayV2, Isolated, Block],
        (false, Isolated) => &[LoadBalancer, ManagedNatGatewayV2, ManagedNatGateway, Block],
        (false, Block) => &[
            LoadBalancer,
            ManagedNatGatewayV2,
            ManagedNatGateway,
            Isolated,
        ],
        _ => &[],
    };
    targets.contains(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [&str; 7] = [
        "loadBalancer",
        "managedNATGatewayV2",
        "managedNATGateway",
        "userAssignedNATGateway",
        "userDefinedRouting",
        "none",
        "block",
    ];

    /// The types one can change to.
    fn targets(own_network: bool, from: &str) -> Vec<&'static str> {
        let may = |to: &&str| {
            allowed(
                own_network,
                &OutboundType::parse(from),
                &OutboundType::parse(to),
            )
        };
        TYPES.into_iter().filter(may).collect()
    }

    #[test]
    fn r1_70_vectors_in_a_network_that_aks_manages() {
        let of = |from| targets(false, from);
        assert_eq!(
            of("loadBalancer"),
            ["managedNATGatewayV2", "managedNATGateway", "none", "block"]
        );
        assert_eq!(
            of("managedNATGateway"),
            ["managedNATGatewayV2", "none", "block"]
        );
        assert_eq!(
            of("none"),
            [
                "loadBalancer",
                "managedNATGatewayV2",
                "managedNATGateway",
                "block"
            ]
        );
        assert_eq!(
            of("block"),
            [
                "loadBalancer",
                "managedNATGatewayV2",
                "managedNATGateway",
                "none"
            ]
        );
        // The sources disagree, so nothing is recommended.
        assert!(of("managedNATGatewayV2").is_empty());
    }

    #[test]
    fn r1_71_vectors_in_a_network_of_ones_own() {
        let of = |from| targets(true, from);
        assert_eq!(
            of("loadBalancer"),
            ["userAssignedNATGateway", "userDefinedRouting", "none"]
        );
        assert_eq!(
            of("userAssignedNATGateway"),
            ["loadBalancer", "userDefinedRouting", "none"]
        );
        assert_eq!(
            of("userDefinedRouting"),
            ["loadBalancer", "userAssignedNATGateway", "none"]
        );
        assert_eq!(
            of("none"),
            [
                "loadBalancer",
                "userAssignedNATGateway",
                "userDefinedRouting"
            ]
        );
        assert!(of("block").is_empty());
    }

    #[test]
    fn r1_72_no_move_crosses_the_ownership_of_the_network() {
        for from in TYPES {
            let managed = targets(false, from);
            assert!(!managed.contains(&"userAssignedNATGateway"), "{from}");
            assert!(!managed.contains(&"userDefinedRouting"), "{from}");
            let own = targets(true, from);
            assert!(!own.iter().any(|to| to.starts_with("managed")), "{from}");
            assert!(!own.contains(&"block"), "{from}");
        }
        assert!(targets(true, "someFutureType").is_empty());
        assert!(targets(false, "someFutureType").is_empty());
    }
}
