//! The packet's path from each distinct node and pod subnet: security groups at the NIC and the subnet, route, method,
//! and what becomes of a packet to the internet. What could not be read is carried along as [`Missing`], never replaced.

mod carrier;
mod hub;
mod internet;
mod kubenet;
mod level;
mod route;
mod security;

pub(crate) use carrier::Carrier;
pub(crate) use hub::HubDefault;
pub(crate) use internet::{Internet, Reach, translated};
pub(crate) use kubenet::{PodRoute, in_pod_range, is_pod_route, pod_range_known, pod_route};
pub(crate) use level::{LevelGroup, LevelView};
pub(crate) use route::{DefaultRoute, Routes, Via, gateway};
pub(crate) use security::{PoolParts, Security, Summary};

use crate::context::{Balancer, SubnetUse};
use crate::facts::Facts;
use crate::network::nsg::PathPart;
use crate::network::{PortSet, ProtocolSet, ServiceTags};
use crate::report::Scope;

/// The way out of one subnet, for the packets of its nodes or of its pods.
#[derive(Debug, Clone)]
pub(crate) struct Path<'f> {
    /// The subnet and the pools that use it.
    pub(crate) used: SubnetUse<'f>,
    /// Its effective routes and its default route.
    pub(crate) routes: Routes<'f>,
    /// The network security groups that its packets meet.
    pub(crate) security: Security,
    /// What carries its packets to the internet when nothing drops them.
    pub(crate) carrier: Carrier,
    /// What becomes of TCP 443 to public addresses.
    pub(crate) internet: Internet,
}

impl<'f> Path<'f> {
    /// Walks the paths of one subnet: the nodes with public addresses of their own apart from the others where that
    /// makes another method carry them (R2.3).
    pub(crate) fn each(
        facts: &'f Facts,
        balancer: Balancer<'f>,
        used: &SubnetUse<'f>,
        tags: &ServiceTags,
    ) -> Vec<Self> {
        let of = |used: &SubnetUse<'f>| Self::of(facts, balancer, used, tags);
        if used.scope == Scope::Node
            && let Some(parts) = used.by_node_ips()
        {
            let [own, other] = parts.each_ref().map(of);
            if own.carrier.method != other.carrier.method {
                return vec![own, other];
            }
        }
        vec![of(used)]
    }

    fn of(
        facts: &'f Facts,
        balancer: Balancer<'f>,
        used: &SubnetUse<'f>,
        tags: &ServiceTags,
    ) -> Self {
        let routes = Routes::of(facts, used, tags);
        let security = Security::of(facts, used, &routes, tags);
        let carrier = Carrier::of(facts, balancer, used, &routes.default);
        let internet = Internet::of(facts, balancer, &security, &carrier, &routes.default);
        Self {
            used: used.clone(),
            routes,
            security,
            carrier,
            internet,
        }
    }

    /// What the security groups do with every kind of packet to public addresses.
    pub(crate) fn everything(&self) -> Summary {
        let public = internet::public(&self.security);
        let rules = self
            .security
            .evaluate(&public, ProtocolSet::ALL, PortSet::all());
        Summary::of(
            rules
                .iter()
                .flat_map(|pool| pool.parts.iter().map(PathPart::outcome)),
        )
    }
}
