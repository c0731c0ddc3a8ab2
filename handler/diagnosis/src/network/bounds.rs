//! What a rule's field certainly and possibly matches, with the reason for the gap between the two.

use super::{AddressSet, AddressTerm, PortSet};
use crate::facts::Id;

/// Why something cannot be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The contents of a service tag are not known (R4.18).
    UnresolvedTag(String),
    /// Who is in an application security group is not known (R4.19).
    UnresolvedApplicationGroup(Id),
    /// An IP group could not be read (R5.15).
    UnreadableIpGroup(Id),
    /// A default route may widen the tag `VirtualNetwork` to every address (R4.13).
    DefaultRouteInVirtualNetwork,
    /// Prefixes of user-defined routes belong to `VirtualNetwork` and may no longer be `Internet` (R4.12, R4.13).
    RoutedPrefixInVirtualNetwork,
    /// What is connected through a gateway is not known (R4.13).
    OnPremisesUnknown,
    /// The virtual network's own space could not be read.
    VirtualNetworkUnknown,
    /// A text that is no address, prefix, range or tag.
    InvalidAddress(String),
    /// A text that is no port or port range.
    InvalidPort(String),
    /// A protocol this version does not know.
    UnknownProtocol(String),
    /// A field that a rule must have is empty.
    EmptyField(&'static str),
    /// The rule's action is a word this version does not know.
    UnknownAction,
    /// The rule's direction is a word this version does not know.
    UnknownDirection,
    /// The priority is missing, so the rule's place is not known.
    UnknownPriority,
    /// Another rule with the same priority does the opposite.
    SamePriority,
    /// The host's addresses are not known closely enough for a rule about addresses.
    HostAddressesUnknown,
    /// A host pattern covers only part of the wanted hosts.
    HostsPartlyCovered(String),
    /// A rule about a host name decides on addresses, and the firewall is not known to be the DNS server (R5.13).
    DnsProxyNotEnabled,
    /// A rule about URLs: what it matches depends on the path or on TLS inspection (R5.12).
    Url(String),
    /// The contents of a web category are not known.
    WebCategory(String),
    /// The contents of an FQDN tag are not known (R5.14).
    FqdnTag(String),
    /// An FQDN target that is not valid, e.g. a wildcard that is not leftmost (R5.11).
    InvalidFqdn(String),
    /// A call by address without a host name (R5.10).
    NoHostName,
    /// Rules of a type this version does not know.
    UnreadableRules,
    /// The policy, or its rule collection groups, could not be read.
    UnreadablePolicy(Id),
    /// The chain of parent policies comes back to this one.
    PolicyCycle(Id),
    /// The firewall's built-in collection of platform hosts may cover the host (R5.5).
    InfrastructureCollection,
    /// The security group could not be read.
    UnreadableSecurityGroup,
    /// The rules cut the traffic in more parts than are followed.
    TooManyParts,
}

impl Doubt {
    /// Whether it is about what tag `VirtualNetwork` holds, and with it tag `Internet` (R4.12, R4.13).
    pub(crate) fn is_about_virtual_network(&self) -> bool {
        matches!(
            self,
            Self::DefaultRouteInVirtualNetwork
                | Self::RoutedPrefixInVirtualNetwork
                | Self::OnPremisesUnknown
                | Self::VirtualNetworkUnknown
        )
    }
}

/// The addresses a field certainly matches, those it possibly matches, and why they differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressBounds {
    /// Matched whatever the unknown turns out to be.
    pub certain: AddressSet,
    /// Everything that could be matched; includes `certain`.
    pub possible: AddressSet,
    /// Why they differ; empty when they do not.
    pub doubts: Vec<Doubt>,
}

impl AddressBounds {
    /// Exactly these addresses.
    pub fn exactly(set: AddressSet) -> Self {
        Self {
            possible: set.clone(),
            certain: set,
            doubts: Vec::new(),
        }
    }

    /// None for certain, and possibly these.
    pub fn at_most(possible: AddressSet, doubt: Doubt) -> Self {
        Self {
            certain: AddressSet::empty(),
            possible,
            doubts: vec![doubt],
        }
    }

    /// Adds what another term of the same field matches.
    pub fn add(&mut self, other: &Self) {
        self.certain.insert_all(&other.certain);
        self.possible.insert_all(&other.possible);
        self.doubts.extend_from_slice(&other.doubts);
    }

    /// The bounds of one field: the union of its terms. A term that is no address is possibly everything; a name is
    /// looked up with `tag`.
    pub fn of_terms<'a>(
        texts: impl IntoIterator<Item = &'a String>,
        mut tag: impl FnMut(&str) -> Self,
    ) -> Self {
        let mut bounds = Self::default();
        for text in texts {
            match AddressTerm::parse(text) {
                Ok(AddressTerm::Any) => bounds.add(&Self::exactly(AddressSet::all())),
                Ok(AddressTerm::Set(set)) => {
                    bounds.certain.insert_all(&set);
                    bounds.possible.insert_all(&set);
                }
                Ok(AddressTerm::Name(name)) => bounds.add(&tag(&name)),
                Err(invalid) => bounds.add(&Self::at_most(
                    AddressSet::all(),
                    Doubt::InvalidAddress(invalid.0),
                )),
            }
        }
        bounds
    }
}

/// The ports a field certainly matches, those it possibly matches, and why they differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortBounds {
    /// Matched whatever the unknown turns out to be.
    pub certain: PortSet,
    /// Everything that could be matched; includes `certain`.
    pub possible: PortSet,
    /// Why they differ; empty when they do not.
    pub doubts: Vec<Doubt>,
}

impl PortBounds {
    /// The bounds of one field. An empty field or an invalid range is possibly every port.
    pub fn of_texts(texts: &[String], field: &'static str) -> Self {
        let mut bounds = Self::default();
        if texts.is_empty() {
            bounds.possible = PortSet::all();
            bounds.doubts.push(Doubt::EmptyField(field));
        }
        for text in texts {
            match PortSet::parse(text) {
                Ok(ports) => {
                    bounds.certain = bounds.certain.union(&ports);
                    bounds.possible = bounds.possible.union(&ports);
                }
                Err(invalid) => {
                    bounds.possible = PortSet::all();
                    bounds.doubts.push(Doubt::InvalidPort(invalid.0));
                }
            }
        }
        bounds
    }
}
