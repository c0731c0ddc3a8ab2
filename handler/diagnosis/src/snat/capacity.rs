//! Port arithmetic of a Standard Load Balancer's outbound rule and of a NAT gateway (R1.21–R1.27, R1.40, R6.31, R6.32).
//! Whole numbers only, no Azure types.

/// SNAT ports of one load balancer frontend address (R1.21).
pub const LOAD_BALANCER_PORTS_PER_IP: u32 = 64_000;
/// SNAT ports of one NAT gateway address (R1.40).
pub const NAT_GATEWAY_PORTS_PER_IP: u32 = 64_512;
/// Connections that one NAT gateway address holds to one destination at a time (R1.42).
pub const NAT_GATEWAY_CONNECTIONS_PER_DESTINATION: u32 = 50_000;
/// SNAT ports of one Azure Firewall address on one instance (R5.30).
pub const FIREWALL_PORTS_PER_IP: u32 = 2_496;
/// Port allocations come in multiples of this (R1.22).
pub const PORT_STEP: u32 = 8;

/// Upper end of each band of the automatic allocation, with the ports per node inside it (R1.23).
const BANDS: [(u64, u32); 6] = [
    (50, 1024),
    (100, 512),
    (200, 256),
    (400, 128),
    (800, 64),
    (1000, 32),
];

/// Ports per node that automatic allocation gives to a backend pool of `nodes` (R1.23). `None` outside the documented
/// table: no nodes, or more than 1000.
pub fn automatic_ports(nodes: u64) -> Option<u32> {
    if nodes == 0 {
        return None;
    }
    BANDS
        .iter()
        .find(|(last, _)| nodes <= *last)
        .map(|(_, ports)| *ports)
}

/// The largest pool that still has the ports per node of a pool of `nodes` (R1.24); `None` outside the table.
pub fn band_end(nodes: u64) -> Option<u64> {
    automatic_ports(nodes)?;
    BANDS
        .iter()
        .map(|(last, _)| *last)
        .find(|last| nodes <= *last)
}

/// Ports that `nodes` nodes take with `ports` each.
pub fn required_ports(nodes: u64, ports: u32) -> u64 {
    nodes.saturating_mul(u64::from(ports))
}

/// Ports of `ips` load balancer addresses.
pub fn total_ports(ips: u64) -> u64 {
    ips.saturating_mul(u64::from(LOAD_BALANCER_PORTS_PER_IP))
}

/// Whether Azure accepts explicit `ports` for `nodes` nodes on `ips` addresses (R6.31).
pub fn fits(nodes: u64, ports: u32, ips: u64) -> bool {
    required_ports(nodes, ports) <= total_ports(ips)
}

/// Addresses needed for `nodes` with `ports` each (R6.32).
pub fn required_ips(nodes: u64, ports: u32) -> u64 {
    required_ports(nodes, ports).div_ceil(u64::from(LOAD_BALANCER_PORTS_PER_IP))
}

/// Most ports per node that `ips` addresses give to `nodes`: a multiple of 8, at most 64,000 (R6.32). `None` for no nodes.
pub fn max_ports(nodes: u64, ips: u64) -> Option<u32> {
    let step = u64::from(PORT_STEP);
    let each = total_ports(ips).checked_div(nodes)? / step * step;
    u32::try_from(each.min(u64::from(LOAD_BALANCER_PORTS_PER_IP))).ok()
}

/// Most nodes that fit with `ports` each on `ips` addresses, rounded down (R1.26, R6.32). `None` for zero ports, which
/// means automatic allocation.
pub fn max_nodes(ports: u32, ips: u64) -> Option<u64> {
    total_ports(ips).checked_div(u64::from(ports))
}

/// IPv4 addresses of a prefix of this length (R1.21).
pub fn prefix_addresses(length: u8) -> Option<u64> {
    32_u32
        .checked_sub(u32::from(length))
        .map(|bits| 1_u64 << bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r1_21_prefix_sizes() {
        assert_eq!(prefix_addresses(28), Some(16));
        assert_eq!(prefix_addresses(31), Some(2));
        assert_eq!(prefix_addresses(32), Some(1));
        assert_eq!(prefix_addresses(33), None);
    }

    #[test]
    fn r1_23_bands_at_their_edges() {
        for (nodes, ports) in [
            (1, 1024),
            (50, 1024),
            (51, 512),
            (100, 512),
            (101, 256),
            (200, 256),
            (201, 128),
            (400, 128),
            (401, 64),
            (800, 64),
            (801, 32),
            (1000, 32),
        ] {
            assert_eq!(automatic_ports(nodes), Some(ports), "{nodes} nodes");
        }
        assert_eq!(automatic_ports(0), None);
        assert_eq!(automatic_ports(1001), None);
    }

    #[test]
    fn r1_24_the_documented_cliff_halves_the_ports() {
        assert_eq!(
            (automatic_ports(48), automatic_ports(52)),
            (Some(1024), Some(512))
        );
    }

    #[test]
    fn r1_24_a_band_ends_where_the_ports_halve() {
        for (nodes, end) in [(1, 50), (50, 50), (51, 100), (801, 1000)] {
            assert_eq!(band_end(nodes), Some(end));
            let after = automatic_ports(end + 1);
            assert!(after < automatic_ports(nodes), "{nodes}");
        }
        assert_eq!((band_end(0), band_end(1001)), (None, None));
    }

    #[test]
    fn r1_26_vectors() {
        assert_eq!(max_nodes(1000, 2), Some(128));
        assert_eq!(max_nodes(1000, 7), Some(448));
        assert_eq!(max_nodes(4000, 2), Some(32));
        assert_eq!(max_nodes(4000, 7), Some(112));
        assert_eq!(max_nodes(0, 2), None);
    }

    #[test]
    fn r1_27_a_hundred_nodes_and_two_surge_fit_on_seven_addresses() {
        assert_eq!(required_ports(102, 4000), 408_000);
        assert_eq!(total_ports(7), 448_000);
        assert!(fits(102, 4000, 7));
    }

    #[test]
    fn r6_30_rejections_seen_in_the_wild() {
        assert!(!fits(4, 42_664, 2));
        assert_eq!(required_ports(4, 42_664), 170_656);
    }

    #[test]
    fn r6_31_vectors() {
        assert_eq!((required_ports(9, 8000), total_ports(1)), (72_000, 64_000));
        assert!(!fits(9, 8000, 1));
        assert!(!fits(63, 1024, 1));
        assert!(fits(62, 1024, 1));
    }

    #[test]
    fn r6_32_vectors() {
        assert_eq!(max_ports(25, 1), Some(2560));
        assert_eq!(max_ports(50, 2), Some(2560));
        assert_eq!(max_ports(4, 2), Some(32_000));
        assert_eq!(max_ports(1, 100), Some(64_000));
        assert_eq!(max_ports(0, 1), None);
        assert_eq!(required_ips(102, 4000), 7);
        assert_eq!(max_nodes(1024, 1), Some(62));
    }

    proptest! {
        #[test]
        fn r6_32_required_ips_are_enough_and_one_less_is_not(nodes in 1_u64..5000, ports in 1_u32..=64_000) {
            let ips = required_ips(nodes, ports);
            prop_assert!(fits(nodes, ports, ips));
            prop_assert!(!fits(nodes, ports, ips - 1));
        }

        #[test]
        fn r6_32_max_ports_fit_and_the_next_step_does_not(nodes in 1_u64..5000, ips in 1_u64..=100) {
            let ports = max_ports(nodes, ips).unwrap();
            prop_assert_eq!(ports % PORT_STEP, 0);
            prop_assert!(fits(nodes, ports, ips));
            prop_assert!(ports == LOAD_BALANCER_PORTS_PER_IP || !fits(nodes, ports + PORT_STEP, ips));
        }

        #[test]
        fn r6_32_max_nodes_fit_and_one_more_does_not(ports in 1_u32..=64_000, ips in 1_u64..=100) {
            let nodes = max_nodes(ports, ips).unwrap();
            prop_assert!(fits(nodes, ports, ips));
            prop_assert!(!fits(nodes + 1, ports, ips));
        }

        #[test]
        fn r1_23_automatic_allocation_never_grows_with_the_pool(nodes in 1_u64..1000) {
            prop_assert!(automatic_ports(nodes + 1) <= automatic_ports(nodes));
        }

        #[test]
        fn arithmetic_never_overflows(nodes in any::<u64>(), ports in any::<u32>(), ips in any::<u64>()) {
            let _ = (fits(nodes, ports, ips), required_ips(nodes, ports), max_ports(nodes, ips), max_nodes(ports, ips));
        }
    }
}
