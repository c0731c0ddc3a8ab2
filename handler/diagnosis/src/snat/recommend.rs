//! The number that fixes a port shortage on a load balancer (R6.34).

use super::capacity::{LOAD_BALANCER_PORTS_PER_IP, PORT_STEP, required_ips};

/// Most managed outbound addresses of one cluster (R1.20).
pub(crate) const MAX_MANAGED_IPS: u64 = 100;

/// Ports and addresses that carry an observed peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizing {
    /// Ports per node: the peak at three quarters, a multiple of 8, never less than now.
    pub(crate) ports_per_node: u32,
    /// Addresses for that many ports on every node that AKS counts; never fewer than now.
    pub(crate) public_ips: u64,
    /// Whether no port allocation carries the peak and a NAT gateway is the answer.
    pub(crate) nat_gateway: bool,
}

/// Sizes for `peak` ports on the busiest of `nodes` nodes (R6.34).
pub(crate) fn size_for_peak(peak: u64, current_ports: u32, nodes: u64, current_ips: u64) -> Sizing {
    let step = u64::from(PORT_STEP);
    // peak / 0.75, rounded up to the next multiple of 8, in whole numbers.
    let target = peak
        .saturating_mul(4)
        .div_ceil(3)
        .div_ceil(step)
        .saturating_mul(step);
    let limit = LOAD_BALANCER_PORTS_PER_IP;
    let ports_per_node = u32::try_from(target)
        .unwrap_or(u32::MAX)
        .clamp(current_ports.min(limit), limit);
    let public_ips = required_ips(nodes, ports_per_node).max(current_ips);
    Sizing {
        ports_per_node,
        public_ips,
        nat_gateway: public_ips > MAX_MANAGED_IPS || target > u64::from(limit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snat::capacity::fits;

    #[test]
    fn r6_34_peak_at_the_limit_of_a_small_cluster() {
        // 1024 / 0.75 = 1365.3 → 1368; 4 nodes × 1368 fit on one address.
        assert_eq!(
            size_for_peak(1024, 1024, 4, 1),
            Sizing {
                ports_per_node: 1368,
                public_ips: 1,
                nat_gateway: false
            }
        );
    }

    #[test]
    fn r6_34_more_than_a_hundred_addresses_means_a_nat_gateway() {
        assert!(size_for_peak(30_000, 1024, 500, 1).nat_gateway);
        assert!(size_for_peak(60_000, 1024, 1, 1).nat_gateway);
    }

    proptest! {
        #[test]
        fn r6_34_what_is_proposed_is_accepted(peak in 0_u64..48_000, current in 8_u32..64_000, nodes in 1_u64..1000, ips in 1_u64..100) {
            let current = current / PORT_STEP * PORT_STEP;
            let size = size_for_peak(peak, current, nodes, ips);
            prop_assert_eq!(size.ports_per_node % PORT_STEP, 0);
            prop_assert!(fits(nodes, size.ports_per_node, size.public_ips));
            prop_assert!(size.ports_per_node >= current && size.public_ips >= ips);
            prop_assert!(peak * 4 <= u64::from(size.ports_per_node) * 3);
        }
    }
}
