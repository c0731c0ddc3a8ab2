//! The numbers that fix a port shortage (R6.32–R6.38). Whole numbers only; every proposal is checked against everything
//! Azure may refuse it for, and is the smallest of its kind that works.

use super::capacity::{
    FIREWALL_PORTS_PER_IP, LOAD_BALANCER_PORTS_PER_IP, NAT_GATEWAY_CONNECTIONS_PER_DESTINATION,
    NAT_GATEWAY_PORTS_PER_IP, PORT_STEP, fits, required_ports, total_ports,
};

/// Most managed outbound addresses of one cluster (R1.20).
pub(crate) const MAX_MANAGED_IPS: u64 = 100;
/// Most addresses of one NAT gateway (R1.40).
pub(crate) const MAX_GATEWAY_IPS: u64 = 16;
/// Most addresses of one Azure Firewall (R5.30).
pub(crate) const MAX_FIREWALL_IPS: u64 = 250;
/// Addresses that Azure advises to add to a firewall whose SNAT ports run out (R5.33).
const FIREWALL_IPS_ADDED: u64 = 5;

/// A load balancer's ports as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// Nodes that AKS counts: the autoscaler's maximum and the surge of every pool (R6.30).
    pub(crate) nodes: u64,
    /// IPv4 outbound addresses.
    pub(crate) ips: u64,
    /// Ports that load balancing rules take from these addresses (R1.34).
    pub(crate) reserved: u64,
    /// Ports per node now.
    pub(crate) ports: u32,
}

/// Explicit ports per node on a number of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) ports: u32,
    pub(crate) ips: u64,
}

impl Situation {
    /// Whether Azure takes the proposal: a multiple of 8 up to 64,000 (R1.22), no more ports than the addresses have
    /// (R6.31) after the rules' own (R1.34, R1.37), and each node's block on one address (R6.33).
    pub(crate) fn accepts(&self, proposal: Proposal) -> bool {
        let Proposal { ports, ips } = proposal;
        let whole_blocks = u64::from(LOAD_BALANCER_PORTS_PER_IP / ports.max(1)).saturating_mul(ips);
        ports > 0
            && ports.is_multiple_of(PORT_STEP)
            && ports <= LOAD_BALANCER_PORTS_PER_IP
            && fits(self.nodes, ports, ips)
            && required_ports(self.nodes, ports).saturating_add(self.reserved) <= total_ports(ips)
            && self.nodes <= whole_blocks
    }

    /// `ports` on the fewest addresses, never fewer than now; `None` when they are more than AKS manages.
    fn on_fewest(&self, ports: u32) -> Option<Proposal> {
        let per_ip = u64::from(LOAD_BALANCER_PORTS_PER_IP);
        let blocks = u64::from(LOAD_BALANCER_PORTS_PER_IP.checked_div(ports)?);
        let by_sum = required_ports(self.nodes, ports)
            .saturating_add(self.reserved)
            .div_ceil(per_ip);
        let by_block = self.nodes.div_ceil(blocks.max(1));
        let proposal = Proposal {
            ports,
            ips: by_sum.max(by_block).max(self.ips),
        };
        (proposal.ips <= MAX_MANAGED_IPS && self.accepts(proposal)).then_some(proposal)
    }

    /// The smallest allocation that keeps `peak` at three quarters, at least what nodes have now (R6.34). `None`: no
    /// allocation does, a NAT gateway is the answer.
    pub(crate) fn for_peak(&self, peak: u64) -> Option<Proposal> {
        let now = u64::from(self.ports).next_multiple_of(u64::from(PORT_STEP));
        self.on_fewest(u32::try_from(ports_for_peak(peak).max(now)).ok()?)
    }

    /// What nodes have now, on as many addresses as that takes at full size (R1.25, R6.32).
    pub(crate) fn room(&self) -> Option<Proposal> {
        self.on_fewest(self.ports.checked_next_multiple_of(PORT_STEP)?)
    }

    /// The most ports per node that the addresses of today give to every counted node (R6.32), when that still keeps
    /// `peak` at three quarters. `None` also for no nodes.
    pub(crate) fn without_new_address(&self, peak: u64) -> Option<Proposal> {
        let step = u64::from(PORT_STEP);
        let per_ip = u64::from(LOAD_BALANCER_PORTS_PER_IP);
        let by_sum = total_ports(self.ips)
            .checked_sub(self.reserved)?
            .checked_div(self.nodes)?;
        let blocks = self.nodes.div_ceil(self.ips.max(1));
        let by_block = per_ip.checked_div(blocks)?;
        let ports = u32::try_from(by_sum.min(by_block) / step * step).ok()?;
        let proposal = Proposal {
            ports,
            ips: self.ips,
        };
        (u64::from(ports) >= ports_for_peak(peak) && self.accepts(proposal)).then_some(proposal)
    }
}

/// Ports of which `peak` are three quarters at most, as a multiple of 8 (R6.34).
pub(crate) fn ports_for_peak(peak: u64) -> u64 {
    let step = u64::from(PORT_STEP);
    peak.saturating_mul(4)
        .div_ceil(3)
        .div_ceil(step)
        .saturating_mul(step)
}

/// Addresses of a NAT gateway for so many open connections (R6.37). How many go to one destination is not measured, so
/// all of them count as going to one: an upper bound.
pub(crate) fn gateway_ips(peak: u64) -> u64 {
    let by_ports = peak.div_ceil(u64::from(NAT_GATEWAY_PORTS_PER_IP));
    let by_destination = peak.div_ceil(u64::from(NAT_GATEWAY_CONNECTIONS_PER_DESTINATION));
    by_ports.max(by_destination).max(1)
}

/// Addresses that bring a firewall's peak utilisation down to three quarters, five more at least (R5.33, R6.38). `None`:
/// more than a firewall takes.
pub(crate) fn firewall_ips(now: u64, peak_percent: u64) -> Option<u64> {
    let needed = now.saturating_mul(peak_percent).div_ceil(75);
    let ips = needed.max(now.saturating_add(FIREWALL_IPS_ADDED));
    (ips <= MAX_FIREWALL_IPS).then_some(ips)
}

/// Ports of a firewall with so many addresses and instances (R5.30).
pub(crate) fn firewall_ports(ips: u64, instances: u64) -> u64 {
    ips.saturating_mul(instances)
        .saturating_mul(u64::from(FIREWALL_PORTS_PER_IP))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snat::rejection::Rejection;

    fn at(nodes: u64, ips: u64, ports: u32) -> Situation {
        Situation {
            nodes,
            ips,
            reserved: 0,
            ports,
        }
    }

    fn proposal(ports: u32, ips: u64) -> Proposal {
        Proposal { ports, ips }
    }

    #[test]
    fn r1_22_ports_are_multiples_of_eight_up_to_64000() {
        let taken = |ports| at(1, 1, 0).accepts(proposal(ports, 1));
        for ports in [8, 1024, 64_000] {
            assert!(taken(ports), "{ports}");
        }
        for ports in [0, 4, 1020, 1025, 64_008, u32::MAX] {
            assert!(!taken(ports), "{ports}");
        }
    }

    #[test]
    fn r1_37_azures_three_refusals_are_foreseen() {
        // No multiple of eight; more than a rule may have; more than the addresses have left.
        assert!(!at(1, 1, 0).accepts(proposal(1001, 1)));
        assert!(!at(1, 2, 0).accepts(proposal(64_008, 2)));
        let beside = |reserved| Situation {
            reserved,
            ..at(2, 1, 0)
        };
        assert!(beside(0).accepts(proposal(32_000, 1)));
        assert!(!beside(8).accepts(proposal(32_000, 1)));
        assert!(beside(8).accepts(proposal(31_992, 1)));
    }

    #[test]
    fn r6_34_peak_at_the_limit_of_a_small_cluster() {
        // 1024 / 0.75 = 1365.3 → 1368; 4 nodes × 1368 fit on one address.
        assert_eq!(at(4, 1, 1024).for_peak(1024), Some(proposal(1368, 1)));
        // A low peak never takes ports away.
        assert_eq!(at(4, 1, 1024).for_peak(10), Some(proposal(1024, 1)));
    }

    #[test]
    fn r6_34_ports_alone_while_they_fit_then_addresses_too() {
        // 46 × 1368 = 62,928; 47 × 1368 = 64,296.
        assert_eq!(at(46, 1, 1024).for_peak(1024), Some(proposal(1368, 1)));
        assert_eq!(at(47, 1, 1024).for_peak(1024), Some(proposal(1368, 2)));
    }

    #[test]
    fn r6_34_more_than_a_hundred_addresses_means_a_nat_gateway() {
        assert_eq!(at(500, 1, 1024).for_peak(30_000), None);
        assert_eq!(at(1, 1, 1024).for_peak(60_000), None);
        assert_eq!(at(1, 1, 1024).for_peak(48_000), Some(proposal(64_000, 1)));
    }

    #[test]
    fn r6_32_room_for_the_documented_cluster() {
        // 100 nodes and 2 surge with 4,000 ports: 7 addresses (R1.27).
        assert_eq!(at(102, 2, 4000).room(), Some(proposal(4000, 7)));
        // 9 nodes with 8,000 ports were refused on one address.
        assert_eq!(at(9, 1, 8000).room(), Some(proposal(8000, 2)));
    }

    #[test]
    fn r6_32_most_ports_without_a_new_address() {
        assert_eq!(at(25, 1, 0).without_new_address(0), Some(proposal(2560, 1)));
        assert_eq!(at(50, 2, 0).without_new_address(0), Some(proposal(2560, 2)));
        assert_eq!(
            at(4, 2, 0).without_new_address(0),
            Some(proposal(32_000, 2))
        );
        assert_eq!(
            at(1, 100, 0).without_new_address(0),
            Some(proposal(64_000, 100))
        );
        assert_eq!(at(0, 1, 0).without_new_address(0), None);
        // 2,560 ports carry a peak of 1,920 with headroom, not 1,921.
        assert!(at(25, 1, 0).without_new_address(1920).is_some());
        assert_eq!(at(25, 1, 0).without_new_address(1921), None);
    }

    #[test]
    fn r6_33_a_nodes_ports_stay_on_one_address() {
        // 93 × 1368 = 127,224 fit on two addresses by the sum, but each address holds 46 blocks.
        assert_eq!(at(93, 1, 1024).for_peak(1024), Some(proposal(1368, 3)));
        // Divisors of 64,000 leave nothing over: sum and blocks agree.
        for ports in [1000, 1600, 2000, 3200, 4000, 8000, 16_000] {
            let nodes = 128_000 / u64::from(ports);
            assert_eq!(
                at(nodes, 1, ports).room(),
                Some(proposal(ports, 2)),
                "{ports}"
            );
        }
    }

    #[test]
    fn r1_34_rules_on_the_outbound_addresses_take_ports_first() {
        let taken = Situation {
            reserved: 8,
            ..at(64, 1, 1000)
        };
        assert_eq!(at(64, 1, 1000).room(), Some(proposal(1000, 1)));
        assert_eq!(taken.room(), Some(proposal(1000, 2)));
        assert_eq!(taken.without_new_address(0), Some(proposal(992, 1)));
    }

    #[test]
    fn r6_37_nat_gateway_vectors() {
        for (peak, ips) in [
            (0, 1),
            (50_000, 1),
            (50_001, 2),
            (64_512, 2),
            (100_000, 2),
            (800_001, 17),
        ] {
            assert_eq!(gateway_ips(peak), ips, "{peak}");
        }
    }

    #[test]
    fn r6_38_firewall_vectors() {
        // 85 % of 2 addresses would be 57 % of 3; Azure advises 5 more.
        assert_eq!(firewall_ips(2, 85), Some(7));
        // 20 addresses at 97 % need 26 to be at three quarters.
        assert_eq!(firewall_ips(20, 97), Some(26));
        assert_eq!(firewall_ips(248, 50), None);
        // 250 × 2 × 2,496 (R5.30).
        assert_eq!(firewall_ports(250, 2), 1_248_000);
    }

    proptest! {
        #[test]
        fn r6_34_what_is_proposed_is_accepted_is_enough_and_nothing_smaller_is(
            peak in 0_u64..48_000, now in 1_u32..8_000, nodes in 1_u64..1000, ips in 1_u64..100, reserved in 0_u64..800,
        ) {
            let now = now * PORT_STEP;
            let situation = Situation { nodes, ips, reserved, ports: now };
            let Some(found) = situation.for_peak(peak) else {
                // Nothing within a hundred addresses carries it.
                let most = Proposal { ports: u32::try_from(ports_for_peak(peak).max(u64::from(now))).unwrap(), ips: MAX_MANAGED_IPS };
                prop_assert!(!situation.accepts(most));
                return Ok(());
            };
            prop_assert_eq!(Rejection::of(nodes, found.ports, found.ips), None);
            prop_assert!(situation.accepts(found));
            prop_assert!(found.ports >= now && found.ips >= ips);
            // Three quarters at most.
            prop_assert!(peak * 4 <= u64::from(found.ports) * 3);
            // One step fewer is below today's ports or above three quarters.
            let fewer = found.ports - PORT_STEP;
            prop_assert!(fewer < now || peak * 4 > u64::from(fewer) * 3);
            // One address fewer is fewer than today or refused.
            let one_less = Proposal { ips: found.ips - 1, ..found };
            prop_assert!(found.ips == ips || !situation.accepts(one_less));
        }

        #[test]
        fn r6_32_without_a_new_address_it_is_accepted_and_the_next_step_is_not(
            peak in 0_u64..48_000, nodes in 1_u64..1000, ips in 1_u64..=100, reserved in 0_u64..800,
        ) {
            let situation = Situation { nodes, ips, reserved, ports: 0 };
            if let Some(found) = situation.without_new_address(peak) {
                prop_assert_eq!(found.ips, ips);
                prop_assert!(situation.accepts(found));
                prop_assert!(peak * 4 <= u64::from(found.ports) * 3);
                let more = Proposal { ports: found.ports + PORT_STEP, ..found };
                prop_assert!(!situation.accepts(more));
            }
        }

        #[test]
        fn r1_25_room_keeps_the_ports_and_takes_the_fewest_addresses(
            ports in 1_u32..=8_000, nodes in 1_u64..1000, ips in 1_u64..100,
        ) {
            let situation = at(nodes, ips, ports * PORT_STEP);
            if let Some(found) = situation.room() {
                prop_assert_eq!(found.ports, ports * PORT_STEP);
                prop_assert!(situation.accepts(found));
                let one_less = Proposal { ips: found.ips - 1, ..found };
                prop_assert!(found.ips == ips || !situation.accepts(one_less));
            }
        }

        #[test]
        fn r6_37_gateway_addresses_are_enough_and_one_less_is_not(peak in 1_u64..2_000_000) {
            let ips = gateway_ips(peak);
            prop_assert!(peak <= ips * 50_000 && peak <= ips * 64_512);
            prop_assert!(ips == 1 || peak > (ips - 1) * 50_000);
        }

        #[test]
        fn proposals_never_overflow(nodes in any::<u64>(), ips in any::<u64>(), reserved in any::<u64>(), ports in any::<u32>(), peak in any::<u64>()) {
            let situation = Situation { nodes, ips, reserved, ports };
            let found = [situation.for_peak(peak), situation.room(), situation.without_new_address(peak)];
            for found in found.into_iter().flatten() {
                prop_assert!(situation.accepts(found));
            }
            let _ = (gateway_ips(peak), firewall_ips(ips, peak), firewall_ports(ips, peak));
        }
    }
}
