//! IP protocols as security rules know them (R4.1).

/// An IP protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// ICMP
    Icmp,
    /// IPsec ESP
    Esp,
    /// IPsec AH
    Ah,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 5] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Esp, Self::Ah];

    /// Reads Azure's word, in any case. `None` for another word; `*` is no single protocol.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        [
            ("tcp", Self::Tcp),
            ("udp", Self::Udp),
            ("icmp", Self::Icmp),
            ("icmpv6", Self::Icmp),
            ("esp", Self::Esp),
            ("ah", Self::Ah),
        ]
        .into_iter()
        .find_map(|(word, protocol)| text.eq_ignore_ascii_case(word).then_some(protocol))
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProtocolSet(u8);

impl ProtocolSet {
    /// Every protocol: `*`.
    pub const ALL: Self = Self((1 << Protocol::ALL.len()) - 1);
    /// No protocol.
    pub const EMPTY: Self = Self(0);
    /// Those with ports. The others ignore a rule's ports (R4.9).
    pub const WITH_PORTS: Self = Self(Protocol::Tcp.bit() | Protocol::Udp.bit());

    /// Whether the protocol is in it.
    pub fn contains(self, protocol: Protocol) -> bool {
        self.0 & protocol.bit() != 0
    }

    /// Whether there is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Protocols in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Protocols in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Protocols in this set and not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The protocols in it.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        Protocol::ALL.into_iter().filter(move |p| self.contains(*p))
    }
}

impl From<Protocol> for ProtocolSet {
    fn from(protocol: Protocol) -> Self {
        Self(protocol.bit())
    }
}
