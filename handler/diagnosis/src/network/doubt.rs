//! Why something cannot be decided, and how a report says so.

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
    /// A security admin rule before it may leave the traffic to the security groups (R4.11).
    AfterAllow,
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
    /// In words that follow a rule: `rule a: its action is not known to this version`.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::UnresolvedTag(tag) => format!("what service tag {tag} holds is not known"),
            Self::UnresolvedApplicationGroup(id) => {
                let name = id.name();
                format!("who is in application security group {name} is not known")
            }
            Self::UnreadableIpGroup(id) => format!("IP group {} could not be read", id.name()),
            Self::DefaultRouteInVirtualNetwork => {
                "a default route may widen tag VirtualNetwork to every address".to_owned()
            }
            Self::RoutedPrefixInVirtualNetwork => {
                "prefixes of routes may count as VirtualNetwork rather than Internet".to_owned()
            }
            Self::OnPremisesUnknown => {
                "what tag VirtualNetwork holds behind a gateway is not known".to_owned()
            }
            Self::VirtualNetworkUnknown => {
                "what tag VirtualNetwork holds is not known, since a network, a route table or a prefix in it cannot \
                 be read"
                    .to_owned()
            }
            Self::InvalidAddress(text) => format!("`{text}` is no address, range or tag"),
            Self::InvalidPort(text) => format!("`{text}` is no port"),
            Self::UnknownProtocol(word) => format!("protocol {word} is not known to this version"),
            Self::EmptyField(field) => format!("its {field} is empty"),
            Self::UnknownAction => "its action is not known to this version".to_owned(),
            Self::UnknownDirection => "its direction is not known to this version".to_owned(),
            Self::UnknownPriority => "it has no priority, so its place is not known".to_owned(),
            Self::SamePriority => "another rule of the same priority does the opposite".to_owned(),
            Self::AfterAllow => {
                "a security admin rule before it may leave the traffic to the security groups".to_owned()
            }
            Self::HostAddressesUnknown => {
                "it is about addresses, and the host's are not known".to_owned()
            }
            Self::HostsPartlyCovered(pattern) => format!("{pattern} covers a part of the hosts"),
            Self::DnsProxyNotEnabled => {
                "it names a host, and the firewall's DNS proxy is not on".to_owned()
            }
            Self::Url(url) => format!("it is about the URL {url}, which depends on the path"),
            Self::WebCategory(name) => format!("what web category {name} holds is not known"),
            Self::FqdnTag(name) => format!("what FQDN tag {name} holds is not known"),
            Self::InvalidFqdn(text) => format!("`{text}` is no host name that a rule can be about"),
            Self::NoHostName => "a call by address carries no host name".to_owned(),
            Self::UnreadableRules => "it is of a type that this version does not know".to_owned(),
            Self::UnreadablePolicy(id) => {
                let name = id.name();
                format!("the rules of firewall policy {name} could not be read")
            }
            Self::PolicyCycle(id) => format!("firewall policy {} is its own ancestor", id.name()),
            Self::InfrastructureCollection => {
                "the firewall's built-in collection of platform hosts may allow it".to_owned()
            }
            Self::UnreadableSecurityGroup => "the security group could not be read".to_owned(),
            Self::TooManyParts => "the rules cut the traffic into too many parts".to_owned(),
        }
    }
}
