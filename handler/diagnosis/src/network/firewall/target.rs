//! What is asked of a firewall: a host or an address, with port and protocol.

use std::net::IpAddr;

use crate::network::{AddressSet, Family, Protocol};

/// A protocol as the caller of the destination speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowProtocol {
    /// HTTPS: TLS with the host's name in it.
    Https,
    /// Plain HTTP.
    Http,
    /// SQL Server's protocol.
    Mssql,
    /// Other traffic: application rules are not consulted (R5.4).
    Plain(Protocol),
}

impl FlowProtocol {
    /// Reads ARM's word for an egress endpoint: `Https`, `Http`, `TCP`, `UDP`; also `Mssql`.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.trim();
        if word.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else if word.eq_ignore_ascii_case("http") {
            Some(Self::Http)
        } else if word.eq_ignore_ascii_case("mssql") {
            Some(Self::Mssql)
        } else {
            Protocol::parse(word).map(Self::Plain)
        }
    }

    /// What it runs on.
    pub fn transport(self) -> Protocol {
        match self {
            Self::Https | Self::Http | Self::Mssql => Protocol::Tcp,
            Self::Plain(protocol) => protocol,
        }
    }

    /// The word an application rule uses for it; `None`: application rules are not consulted.
    pub(super) fn application_word(self) -> Option<&'static str> {
        match self {
            Self::Https => Some("https"),
            Self::Http => Some("http"),
            Self::Mssql => Some("mssql"),
            Self::Plain(_) => None,
        }
    }
}

/// A host name in lower case, or every host below a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// One host.
    Name(String),
    /// Every host that ends so, e.g. `.hcp.westeurope.azmk8s.io` for `*.hcp.westeurope.azmk8s.io`.
    Below(String),
}

impl Host {
    /// Reads a host name, possibly with a leading `*`. A trailing dot is not part of a name.
    pub fn parse(text: &str) -> Self {
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some(suffix) => Self::Below(suffix.to_owned()),
            None => Self::Name(text),
        }
    }
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host's name; `None` when the destination is called by address.
    pub host: Option<Host>,
    /// The addresses it has or may have. All of them, so that a rule about addresses is only *certain* when it covers
    /// every one.
    pub addresses: AddressSet,
    /// Service tags, in lower case, that are documented to hold all of its addresses, whatever these are.
    pub tags: Vec<String>,
    /// Destination port.
    pub port: u16,
    /// Protocol.
    pub protocol: FlowProtocol,
}

impl Target {
    /// A host whose addresses are not known: any public IPv4 address.
    pub fn host(name: &str, port: u16, protocol: FlowProtocol) -> Self {
        Self {
            host: Some(Host::parse(name)),
            addresses: AddressSet::public().of(Family::V4),
            tags: Vec::new(),
            port,
            protocol,
        }
    }

    /// An address called without a name.
    pub fn address(address: IpAddr, port: u16, protocol: FlowProtocol) -> Self {
        Self {
            host: None,
            addresses: address.into(),
            tags: Vec::new(),
            port,
            protocol,
        }
    }

    /// The same destination, whose addresses these service tags are documented to hold.
    #[must_use]
    pub fn in_tags<'t>(mut self, tags: impl IntoIterator<Item = &'t str>) -> Self {
        self.tags
            .extend(tags.into_iter().map(str::to_ascii_lowercase));
        self
    }
}
