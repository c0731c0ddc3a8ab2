//! A class of traffic: a box in the space of addresses, protocols and ports.

use crate::network::{AddressSet, PortSet, ProtocolSet};

/// A class of traffic: every packet whose five properties lie in these sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowClass {
    /// Source addresses, before SNAT (R4.6).
    pub sources: AddressSet,
    /// Destination addresses; the real public ones (R4.6).
    pub destinations: AddressSet,
    /// Protocols.
    pub protocols: ProtocolSet,
    /// Source ports. Meaningless for protocols without ports.
    pub source_ports: PortSet,
    /// Destination ports. Meaningless for protocols without ports.
    pub ports: PortSet,
}

impl FlowClass {
    /// From any source port.
    pub fn new(
        sources: AddressSet,
        destinations: AddressSet,
        protocols: impl Into<ProtocolSet>,
        ports: PortSet,
    ) -> Self {
        Self {
            sources,
            destinations,
            protocols: protocols.into(),
            source_ports: PortSet::all(),
            ports,
        }
    }

    /// Whether no packet is in it.
    pub fn is_empty(&self) -> bool {
        self.protocols.is_empty()
            || self.sources.is_empty()
            || self.destinations.is_empty()
            || self.source_ports.is_empty()
            || self.ports.is_empty()
    }

    /// Whether some packet is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        !self.protocols.intersection(other.protocols).is_empty()
            && self.ports.intersects(&other.ports)
            && self.destinations.intersects(&other.destinations)
            && self.sources.intersects(&other.sources)
            && self.source_ports.intersects(&other.source_ports)
    }

    /// The packets in both; `None` when there is none.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        self.intersects(other).then(|| Self {
            sources: self.sources.intersection(&other.sources),
            destinations: self.destinations.intersection(&other.destinations),
            protocols: self.protocols.intersection(other.protocols),
            source_ports: self.source_ports.intersection(&other.source_ports),
            ports: self.ports.intersection(&other.ports),
        })
    }

    /// The packets in this class and not in `part`, as disjoint classes. `part` must be an intersection with this
    /// class: each of its sets a subset.
    pub fn minus(mut self, part: &Self) -> Vec<Self> {
        let mut rest = Vec::new();
        let mut cut = |outside: Self| {
            if !outside.is_empty() {
                rest.push(outside);
            }
        };
        // Peel one property at a time: outside the part in this property, inside it in the earlier ones.
        if self.protocols != part.protocols {
            cut(Self {
                protocols: self.protocols.difference(part.protocols),
                ..self.clone()
            });
            self.protocols = part.protocols;
        }
        if self.ports != part.ports {
            cut(Self {
                ports: self.ports.difference(&part.ports),
                ..self.clone()
            });
            self.ports = part.ports.clone();
        }
        if self.source_ports != part.source_ports {
            cut(Self {
                source_ports: self.source_ports.difference(&part.source_ports),
                ..self.clone()
            });
            self.source_ports = part.source_ports.clone();
        }
        if self.sources != part.sources {
            cut(Self {
                sources: self.sources.difference(&part.sources),
                ..self.clone()
            });
            self.sources = part.sources.clone();
        }
        // The set that most rules cut, and that grows with each: changed in place where nobody else holds it.
        self.destinations.remove_all(&part.destinations);
        cut(self);
        rest
    }

    /// The part of the class with ports, and the part without, whose ports are set to all since rules ignore them
    /// (R4.9).
    pub(super) fn split_by_ports(self) -> impl Iterator<Item = Self> {
        let with = Self {
            protocols: self.protocols.intersection(ProtocolSet::WITH_PORTS),
            ..self.clone()
        };
        let without = Self {
            protocols: self.protocols.difference(ProtocolSet::WITH_PORTS),
            source_ports: PortSet::all(),
            ports: PortSet::all(),
            ..self
        };
        [with, without]
            .into_iter()
            .filter(|class| !class.is_empty())
    }
}
