//! The traffic that AKS needs, as probes against security groups (R4.30).

use crate::network::nsg::FlowClass;
use crate::network::{AddressSet, PortSet, Protocol};

/// One probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Protocol and ports; no ports = any.
    pub(crate) flows: &'static [(Protocol, &'static [u16])],
}

const HTTPS: &[(Protocol, &[u16])] = &[(Protocol::Tcp, &[443])];

impl Probe {
    /// P1 and P3: what every cluster needs of the internet, unless it is network isolated.
    pub(crate) const HTTPS: (Protocol, u16) = (Protocol::Tcp, 443);
    /// P4: custom DNS.
    pub(crate) const CUSTOM_DNS: Self = Self {
        flows: &[(Protocol::Udp, &[53]), (Protocol::Tcp, &[53])],
    };
    /// P7: between nodes, on the ports that the cluster itself lives on.
    pub(crate) const NODES: Self = Self {
        flows: &[(Protocol::Tcp, &[53, 443, 10250]), (Protocol::Udp, &[53])],
    };
    /// P7 in full: anything between nodes (R1.2).
    pub(crate) const NODES_ANY: Self = Self {
        flows: &[(Protocol::Tcp, &[]), (Protocol::Udp, &[])],
    };
    /// R1.83: nodes and pods of an overlay.
    pub(crate) const PODS: Self = Self {
        flows: &[(Protocol::Tcp, &[]), (Protocol::Udp, &[])],
    };
    /// P8 and P10: private endpoints, of the API server and others.
    pub(crate) const PRIVATE_ENDPOINT: Self = Self { flows: HTTPS };
    /// P9: an API server inside the network (R1.85).
    pub(crate) const API_SERVER_SUBNET: Self = Self {
        flows: &[(Protocol::Tcp, &[443, 4443])],
    };

    /// The classes of traffic from these addresses to those.
    pub(crate) fn classes(
        &self,
        sources: &AddressSet,
        destinations: &AddressSet,
    ) -> impl Iterator<Item = FlowClass> {
        self.flows.iter().map(|(protocol, ports)| {
            let ports = if ports.is_empty() {
                PortSet::all()
            } else {
                let each = ports.iter().map(|port| PortSet::one(*port));
                each.fold(PortSet::empty(), |all, one| all.union(&one))
            };
            FlowClass::new(sources.clone(), destinations.clone(), *protocol, ports)
        })
    }
}
