//! What becomes of TCP 443 to the internet (probe P1, R4.30).

use std::net::{IpAddr, Ipv4Addr};

use super::{Carrier, DefaultRoute, PoolParts, Security, Summary};
use crate::context::{Address, Balancer};
use crate::facts::{Facts, lookup};
use crate::network::{AddressSet, Family, PortSet, Protocol};
use crate::report::{FinalState, Method};

/// The host's virtual address: Azure DNS and health probes.
const PLATFORM: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

/// Where a packet to the internet ends, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It reaches the internet.
    Delivered,
    /// An appliance or gateway takes it.
    Forwarded,
    /// Security groups drop it.
    DroppedByRules,
    /// The default route drops it.
    DroppedByRoute,
    /// The next hop cannot be reached.
    DroppedAtHop,
    /// No method gives it a public address.
    NoMethod,
    /// Not enough is known.
    Undetermined,
}

impl Reach {
    /// The report's word.
    pub(crate) fn final_state(self) -> FinalState {
        match self {
            Self::Delivered => FinalState::Delivered,
            Self::Forwarded => FinalState::Forwarded,
            Self::DroppedByRules | Self::DroppedByRoute | Self::DroppedAtHop | Self::NoMethod => {
                FinalState::Dropped
            }
            Self::Undetermined => FinalState::Undetermined,
        }
    }
}

/// The fate of TCP 443 to public addresses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Internet {
    /// What the security groups do, pools with the same NIC group together.
    pub(crate) rules: Vec<PoolParts>,
    pub(crate) reach: Reach,
}

impl Internet {
    pub(crate) fn of(
        facts: &Facts,
        balancer: Balancer<'_>,
        security: &Security,
        carrier: &Carrier,
        default: &DefaultRoute,
    ) -> Self {
        let public = public(security);
        let rules = security.evaluate(&public, Protocol::Tcp, PortSet::one(443));
        let all = |wanted: Summary| rules.iter().all(|pool| pool.summary() == wanted);
        let reach = if !rules.is_empty() && all(Summary::Denied) {
            Reach::DroppedByRules
        } else if default
            .via()
            .is_some_and(|via| via.hop == crate::network::routes::Hop::None)
        {
            Reach::DroppedByRoute
        } else if !all(Summary::Allowed) {
            Reach::Undetermined
        } else {
            translated(facts, balancer, carrier)
        };
        Self { rules, reach }
    }
}

/// The public IPv4 addresses outside the networks. The platform's own address is public in form only, and security
/// groups spare it (R4.10).
pub(super) fn public(security: &Security) -> AddressSet {
    let space = &security.tags.space;
    AddressSet::public()
        .of(Family::V4)
        .difference(&PLATFORM.into())
        .difference(&space.own)
        .difference(&space.peered)
}

/// Where a packet that no rule and no route drops ends.
pub(crate) fn translated(facts: &Facts, balancer: Balancer<'_>, carrier: &Carrier) -> Reach {
    match carrier.method {
        Method::Unknown => Reach::Undetermined,
        Method::None => Reach::NoMethod,
        Method::VirtualAppliance | Method::AzureFirewall | Method::VirtualNetworkGateway => {
            Reach::Forwarded
        }
        Method::LoadBalancer | Method::InstancePublicIp | Method::DefaultOutboundAccess => {
            Reach::Delivered
        }
        Method::NatGateway => {
            let gateway = carrier
                .device
                .as_ref()
                .and_then(|id| lookup(&facts.nat_gateways, id).as_known());
            let Some(gateway) = gateway else {
                return Reach::Undetermined;
            };
            let succeeded = gateway
                .provisioning_state
                .as_deref()
                .is_some_and(|s| s.eq_ignore_ascii_case("Succeeded"));
            let gone_or_v6 = |a: &Address| !a.carries_ipv4() && !matches!(a, Address::Unread(_));
            let addresses = balancer.of_gateway(gateway);
            if addresses.iter().all(gone_or_v6) {
                Reach::NoMethod
            } else if succeeded && addresses.iter().any(Address::carries_ipv4) {
                Reach::Delivered
            } else {
                Reach::Undetermined
            }
        }
    }
}
