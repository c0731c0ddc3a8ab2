//! SNAT capacity of what the cluster declares (R6.30–R6.32, R6.37).

use super::{Context, balancer::count_ipv4};
use crate::facts::{Missing, NatGateway};
use crate::report::{Allocation, Capacity};
use crate::snat::capacity::{
    LOAD_BALANCER_PORTS_PER_IP, NAT_GATEWAY_PORTS_PER_IP, automatic_ports, required_ports,
    total_ports,
};
use crate::snat::recommend::Situation;

/// What AKS makes of a profile without `allocatedOutboundPorts` (R1.22).
const AUTOMATIC: u32 = 0;

impl Context<'_> {
    /// IPv4 addresses of the load balancer's outbound rules; from the cluster's own list while the load balancer cannot
    /// be read.
    pub(crate) fn balancer_ips(&self) -> Result<u64, Missing> {
        let addresses = self.balancer.outbound_addresses();
        let effective = self
            .network()
            .and_then(|n| n.load_balancer_profile.as_ref())
            .map(|p| p.effective_outbound_ips.as_slice())
            .unwrap_or_default();
        match addresses {
            Err(_) if !effective.is_empty() => count_ipv4(
                effective
                    .iter()
                    .map(|id| self.balancer.either(id))
                    .collect(),
            ),
            other => count_ipv4(other?),
        }
    }

    /// Ports that the outbound rule, else the profile, gives to each node; 0 = automatic.
    pub(crate) fn configured_ports(&self) -> Option<u32> {
        let rule = self.balancer.outbound_rule().ok().flatten();
        rule.and_then(|r| r.allocated_outbound_ports).or_else(|| {
            self.network()?
                .load_balancer_profile
                .as_ref()?
                .allocated_outbound_ports
        })
    }

    /// Ports per node as the cluster's own profile declares them, which is what AKS checks; else as the outbound rule
    /// does. 0 = automatic.
    pub(crate) fn declared_ports(&self) -> Option<u32> {
        let profile = self.network()?.load_balancer_profile.as_ref();
        profile
            .and_then(|p| p.allocated_outbound_ports)
            .or_else(|| self.configured_ports())
            .or_else(|| self.profile_ports())
    }

    /// Ports per node that AKS writes into its outbound rule: the profile's, and 0 where the profile names none (R1.22).
    pub(crate) fn profile_ports(&self) -> Option<u32> {
        let profile = self.network()?.load_balancer_profile.as_ref()?;
        Some(profile.allocated_outbound_ports.unwrap_or(AUTOMATIC))
    }

    /// Ports per node, nodes and addresses as a recommendation needs them; the error says which figure lacks.
    pub(crate) fn situation(&self, ports: Option<u32>) -> Result<Situation, String> {
        let nodes = self
            .demand()
            .counted()
            .ok_or("the node counts, autoscaler bounds or upgrade settings are not all readable")?;
        if nodes == 0 {
            return Err("the cluster has no nodes".to_owned());
        }
        let ips = self
            .balancer_ips()
            .map_err(|missing| format!("{} could not be read", missing.what))?;
        Ok(Situation {
            nodes: u64::from(nodes),
            ips,
            reserved: self.balancer.reserved_ports(),
            ports: ports
                .or_else(|| self.ports_per_node())
                .ok_or("how many ports a node has is not known")?,
        })
    }

    /// Ports per node now: the explicit number, else the band of the live node count.
    pub(crate) fn ports_per_node(&self) -> Option<u32> {
        match self.configured_ports()? {
            0 => automatic_ports(u64::from(self.demand().live?)),
            explicit => Some(explicit),
        }
    }

    /// Capacity of the load balancer; `None` while it is not known how ports are handed out.
    pub(crate) fn balancer_capacity(&self) -> Option<Capacity> {
        let explicit = self.configured_ports()?;
        let demand = self.demand();
        let ips = self.balancer_ips().ok();
        let counted = demand.counted().map(u64::from);
        let at_maximum = if explicit == 0 {
            counted.and_then(automatic_ports)
        } else {
            Some(explicit)
        };
        let required = counted.zip(at_maximum).map(|(n, p)| required_ports(n, p));
        let total = ips.map(total_ports);
        Some(Capacity {
            public_ips: ips.and_then(|n| u32::try_from(n).ok()),
            ports_per_ip: LOAD_BALANCER_PORTS_PER_IP,
            total_ports: total,
            allocation: if explicit == 0 {
                Allocation::Automatic
            } else {
                Allocation::Explicit
            },
            ports_per_node: self.ports_per_node(),
            live_nodes: demand.live,
            max_nodes: demand.max,
            surge_nodes: demand.surge,
            required_ports: required,
            fits: required
                .zip(total)
                .map(|(required, total)| required <= total),
        })
    }

    /// IPv4 addresses of a NAT gateway.
    pub(crate) fn gateway_ips(&self, gateway: &NatGateway) -> Result<u64, Missing> {
        count_ipv4(self.balancer.of_gateway(gateway))
    }

    /// Capacity of a NAT gateway with this many addresses: shared by all nodes (R1.43).
    pub(crate) fn gateway_capacity(&self, ips: Option<u64>, peak: Option<u64>) -> Capacity {
        let demand = self.demand();
        let total = ips.map(|n| n.saturating_mul(u64::from(NAT_GATEWAY_PORTS_PER_IP)));
        Capacity {
            public_ips: ips.and_then(|n| u32::try_from(n).ok()),
            ports_per_ip: NAT_GATEWAY_PORTS_PER_IP,
            total_ports: total,
            allocation: Allocation::OnDemand,
            ports_per_node: None,
            live_nodes: demand.live,
            max_nodes: demand.max,
            surge_nodes: demand.surge,
            required_ports: peak,
            fits: peak.zip(total).map(|(peak, total)| peak <= total),
        }
    }
}
