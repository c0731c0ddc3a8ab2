//! Which outbound method really carries a packet to a public IPv4 destination (R2.1–R2.9, table T1–T9).

use crate::facts::NextHopType;
use crate::order::Order as _;

/// What the method depends on, for one node or pod subnet. `None` in a flag: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs<'a> {
    /// The effective next hop for the destination, or for 0.0.0.0/0; `None` when no single default route decides and
    /// each destination has its own (T9).
    pub next_hop: Option<&'a NextHopType>,
    /// A NAT gateway is attached to the subnet.
    pub nat_gateway: Option<bool>,
    /// The nodes have instance-level public IPs.
    pub instance_public_ip: Option<bool>,
    /// An outbound rule of a load balancer covers the nodes.
    pub outbound_rule: Option<bool>,
    /// The subnet is private: `defaultOutboundAccess` is false (R2.5).
    pub private_subnet: Option<bool>,
    /// The scale set is of orchestration mode Flexible, which never gets default outbound access (R2.9).
    pub flexible_scale_set: Option<bool>,
}

/// What carries the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// T1: the virtual appliance of the route.
    VirtualAppliance,
    /// T2: the virtual network gateway, or what it learned.
    VirtualNetworkGateway,
    /// T3: nothing, the route drops it.
    Dropped,
    /// T4: the NAT gateway.
    NatGateway,
    /// T5: the node's own public IP.
    InstancePublicIp,
    /// T6: the load balancer's outbound rule.
    LoadBalancer,
    /// T7: Azure's default outbound access: unsupported, its address changes.
    DefaultOutboundAccess,
    /// T8: nothing, the subnet is private and has no explicit method.
    NoEgress,
}

/// The outcome of the precedence table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// This method, whatever is not known.
    Decided(Method),
    /// T9: no single default route; ask again with the route of each destination.
    PerDestination,
    /// One of these, depending on what is not known. Ascending, at least two.
    OneOf(Vec<Method>),
    /// A next hop whose effect on public destinations is not documented, e.g. `VnetLocal`.
    UnknownNextHop,
}

/// The precedence: route to an appliance or gateway, NAT gateway, instance-level public IP, load balancer outbound rule,
/// default outbound access (R2.1).
pub fn carrier(inputs: &Inputs<'_>) -> Carrier {
    match inputs.next_hop {
        None => Carrier::PerDestination,
        Some(NextHopType::VirtualAppliance) => Carrier::Decided(Method::VirtualAppliance),
        Some(NextHopType::VirtualNetworkGateway) => Carrier::Decided(Method::VirtualNetworkGateway),
        Some(NextHopType::None) => Carrier::Decided(Method::Dropped),
        Some(NextHopType::Internet) => of_internet(inputs),
        Some(NextHopType::VnetLocal | NextHopType::Other(_)) => Carrier::UnknownNextHop,
    }
}

/// Walks down the precedence; an unknown flag keeps both ways open.
fn of_internet(inputs: &Inputs<'_>) -> Carrier {
    let explicit = [
        (inputs.nat_gateway, Method::NatGateway),
        (inputs.instance_public_ip, Method::InstancePublicIp),
        (inputs.outbound_rule, Method::LoadBalancer),
        (no_default_access(inputs), Method::NoEgress),
    ];
    let mut candidates = Vec::new();
    let mut settled = false;
    for (present, method) in explicit {
        if present != Some(false) {
            candidates.push(method);
        }
        if present == Some(true) {
            settled = true;
            break;
        }
    }
    if !settled {
        candidates.push(Method::DefaultOutboundAccess);
    }
    candidates.order();
    match candidates.as_slice() {
        [only] => Carrier::Decided(*only),
        _ => Carrier::OneOf(candidates),
    }
}

/// Whether default outbound access is ruled out (R2.5, R2.9).
fn no_default_access(inputs: &Inputs<'_>) -> Option<bool> {
    match (inputs.private_subnet, inputs.flexible_scale_set) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [Option<bool>; 3] = [Some(true), Some(false), None];

    fn inputs(
        next_hop: Option<&NextHopType>,
        [nat, ip, rule, private]: [Option<bool>; 4],
    ) -> Inputs<'_> {
        Inputs {
            next_hop,
            nat_gateway: nat,
            instance_public_ip: ip,
            outbound_rule: rule,
            private_subnet: private,
            flexible_scale_set: Some(false),
        }
    }

    /// Every combination of the flags after the first `fixed` ones.
    fn any_after(fixed: &[bool]) -> Vec<[Option<bool>; 4]> {
        let mut all = Vec::new();
        for a in FLAGS {
            for b in FLAGS {
                for c in FLAGS {
                    for d in FLAGS {
                        let flags = [a, b, c, d];
                        if fixed
                            .iter()
                            .zip(flags)
                            .all(|(want, got)| got == Some(*want))
                        {
                            all.push(flags);
                        }
                    }
                }
            }
        }
        all
    }

    fn always(next_hop: &NextHopType, fixed: &[bool], method: Method) {
        for flags in any_after(fixed) {
            let got = carrier(&inputs(Some(next_hop), flags));
            assert_eq!(got, Carrier::Decided(method), "{next_hop:?} {flags:?}");
        }
    }

    #[test]
    fn t1_appliance_beats_everything() {
        always(
            &NextHopType::VirtualAppliance,
            &[],
            Method::VirtualAppliance,
        );
    }

    #[test]
    fn t2_gateway_beats_everything() {
        always(
            &NextHopType::VirtualNetworkGateway,
            &[],
            Method::VirtualNetworkGateway,
        );
    }

    #[test]
    fn t3_none_drops_whatever_is_attached() {
        always(&NextHopType::None, &[], Method::Dropped);
    }

    #[test]
    fn t4_nat_gateway_beats_the_rest() {
        always(&NextHopType::Internet, &[true], Method::NatGateway);
    }

    #[test]
    fn t5_instance_ip_beats_the_load_balancer() {
        always(
            &NextHopType::Internet,
            &[false, true],
            Method::InstancePublicIp,
        );
    }

    #[test]
    fn t6_outbound_rule_on_private_or_open_subnet() {
        always(
            &NextHopType::Internet,
            &[false, false, true],
            Method::LoadBalancer,
        );
    }

    #[test]
    fn t7_default_outbound_access_on_an_open_subnet() {
        always(
            &NextHopType::Internet,
            &[false, false, false, false],
            Method::DefaultOutboundAccess,
        );
    }

    #[test]
    fn t8_nothing_on_a_private_subnet() {
        always(
            &NextHopType::Internet,
            &[false, false, false, true],
            Method::NoEgress,
        );
    }

    #[test]
    fn t9_no_default_route_is_asked_per_destination() {
        for flags in any_after(&[]) {
            assert_eq!(carrier(&inputs(None, flags)), Carrier::PerDestination);
        }
    }

    /// What carries when each method that comes before it is taken away in turn.
    #[test]
    fn r2_1_methods_follow_each_other_in_their_order() {
        let mut flags = [Some(true), Some(true), Some(true), Some(false)];
        let order = [
            Method::NatGateway,
            Method::InstancePublicIp,
            Method::LoadBalancer,
            Method::DefaultOutboundAccess,
        ];
        for (taken, method) in order.into_iter().enumerate() {
            let got = carrier(&inputs(Some(&NextHopType::Internet), flags));
            assert_eq!(got, Carrier::Decided(method), "{flags:?}");
            flags[taken] = Some(false);
        }
    }

    #[test]
    fn r2_2_a_nat_gateway_wins_only_what_leaves_to_internet() {
        let all = [Some(true); 4];
        for (hop, method) in [
            (NextHopType::Internet, Method::NatGateway),
            (NextHopType::VirtualAppliance, Method::VirtualAppliance),
            (
                NextHopType::VirtualNetworkGateway,
                Method::VirtualNetworkGateway,
            ),
            (NextHopType::None, Method::Dropped),
        ] {
            assert_eq!(carrier(&inputs(Some(&hop), all)), Carrier::Decided(method));
        }
    }

    #[test]
    fn r2_9_flexible_scale_sets_get_no_default_access() {
        let mut given = inputs(
            Some(&NextHopType::Internet),
            [Some(false), Some(false), Some(false), Some(false)],
        );
        given.flexible_scale_set = Some(true);
        assert_eq!(carrier(&given), Carrier::Decided(Method::NoEgress));
        given.flexible_scale_set = None;
        assert_eq!(
            carrier(&given),
            Carrier::OneOf(vec![Method::DefaultOutboundAccess, Method::NoEgress])
        );
    }

    #[test]
    fn an_unknown_flag_keeps_both_ways_open() {
        let given = inputs(
            Some(&NextHopType::Internet),
            [None, Some(false), Some(true), Some(true)],
        );
        assert_eq!(
            carrier(&given),
            Carrier::OneOf(vec![Method::NatGateway, Method::LoadBalancer])
        );
    }

    #[test]
    fn an_undocumented_next_hop_is_not_guessed() {
        for hop in [
            NextHopType::VnetLocal,
            NextHopType::Other("VirtualApplianceEcmp".to_owned()),
        ] {
            let given = inputs(Some(&hop), [Some(true); 4]);
            assert_eq!(carrier(&given), Carrier::UnknownNextHop);
        }
    }
}
