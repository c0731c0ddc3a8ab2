//! Exact sets of IPv4 and IPv6 addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

use super::ranges::Ranges;

/// An IP version. The two never match each other (R4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// A text that is no address, prefix or range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no IP address, prefix or range")]
pub struct InvalidAddress(pub String);

/// A set of IP addresses, as sorted disjoint ranges per IP version.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AddressSet {
    v4: Ranges<Ipv4Addr>,
    v6: Ranges<Ipv6Addr>,
}

impl AddressSet {
    /// No address.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every address of both IP versions.
    pub fn all() -> Self {
        Self {
            v4: Ranges::all(),
            v6: Ranges::all(),
        }
    }

    /// Every address of one IP version.
    pub fn all_of(family: Family) -> Self {
        Self::all().of(family)
    }

    /// Addresses that can be public internet destinations: everything but the private, shared, loopback, link-local,
    /// benchmark, documentation (192.0.2.0/24), multicast and reserved ranges; for IPv6, 2000::/3.
    pub fn public() -> Self {
        static PUBLIC: LazyLock<AddressSet> = LazyLock::new(AddressSet::make_public);
        PUBLIC.clone()
    }

    fn make_public() -> Self {
        const NOT_PUBLIC: [(u32, u8); 10] = [
            (0x0000_0000, 8),  // this network
            (0x0a00_0000, 8),  // RFC 1918
            (0x6440_0000, 10), // RFC 6598
            (0x7f00_0000, 8),  // loopback
            (0xa9fe_0000, 16), // link-local
            (0xac10_0000, 12), // RFC 1918
            (0xc000_0200, 24), // documentation
            (0xc0a8_0000, 16), // RFC 1918
            (0xc612_0000, 15), // benchmark
            (0xe000_0000, 3),  // multicast and reserved
        ];
        let mut set = Self::all_of(Family::V4);
        set.v6 = Ranges::from(
            Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)
                ..=Ipv6Addr::new(
                    0x3fff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
                ),
        );
        for (bits, length) in NOT_PUBLIC {
            if let Ok(net) = Ipv4Net::new(Ipv4Addr::from_bits(bits), length) {
                set = set.difference(&IpNet::V4(net).into());
            }
        }
        set
    }

    /// Reads prefixes, single addresses and ranges, all of which must be valid.
    ///
    /// # Errors
    /// [`InvalidAddress`] naming the first text that is none of these.
    pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidAddress> {
        let mut set = Self::empty();
        for text in texts {
            match AddressTerm::parse(text)? {
                AddressTerm::Set(part) => set.insert_all(&part),
                AddressTerm::Any | AddressTerm::Name(_) => {
                    return Err(InvalidAddress(text.to_owned()));
                }
            }
        }
        Ok(set)
    }

    /// Whether no address is in the set.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether the address is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address),
            IpAddr::V6(address) => self.v6.contains(address),
        }
    }

    /// Whether every address of `other` is in the set.
    pub fn contains_all(&self, other: &Self) -> bool {
        self.v4.covers(&other.v4) && self.v6.covers(&other.v6)
    }

    /// Whether the two share an address.
    pub fn intersects(&self, other: &Self) -> bool {
        self.v4.meets(&other.v4) || self.v6.meets(&other.v6)
    }

    /// Addresses in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.union(&other.v4),
            v6: self.v6.union(&other.v6),
        }
    }

    /// Addresses in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.common(&other.v4),
            v6: self.v6.common(&other.v6),
        }
    }

    /// Addresses in this set and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.remove_all(other);
        rest
    }

    /// Takes every address of `other` out.
    pub(super) fn remove_all(&mut self, other: &Self) {
        self.v4.remove_all(&other.v4);
        self.v6.remove_all(&other.v6);
    }

    /// Adds every address of `other`.
    pub fn insert_all(&mut self, other: &Self) {
        self.v4.insert_all(&other.v4);
        self.v6.insert_all(&other.v6);
    }

    /// The set's addresses of one IP version.
    #[must_use]
    pub fn of(&self, family: Family) -> Self {
        match family {
            Family::V4 => Self {
                v4: self.v4.clone(),
                ..Self::default()
            },
            Family::V6 => Self {
                v6: self.v6.clone(),
                ..Self::default()
            },
        }
    }

    /// The set as the fewest prefixes, IPv4 first, ascending.
    pub fn prefixes(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = self
            .v4
            .iter()
            .flat_map(|r| Ipv4Subnets::new(*r.start(), *r.end(), 0))
            .map(IpNet::V4);
        let v6 = self
            .v6
            .iter()
            .flat_map(|r| Ipv6Subnets::new(*r.start(), *r.end(), 0))
            .map(IpNet::V6);
        v4.chain(v6)
    }

    pub(super) fn from_v4_range(range: RangeInclusive<Ipv4Addr>) -> Self {
        Self {
            v4: range.into(),
            ..Self::default()
        }
    }

    pub(super) fn from_v6_range(range: RangeInclusive<Ipv6Addr>) -> Self {
        Self {
            v6: range.into(),
            ..Self::default()
        }
    }

    /// The IPv4 part as ascending disjoint ranges.
    pub fn v4_ranges(&self) -> impl Iterator<Item = RangeInclusive<Ipv4Addr>> + '_ {
        self.v4.iter()
    }

    /// The IPv6 part as ascending disjoint ranges.
    pub fn v6_ranges(&self) -> impl Iterator<Item = RangeInclusive<Ipv6Addr>> + '_ {
        self.v6.iter()
    }
}

impl From<IpNet> for AddressSet {
    /// The whole prefix, host bits ignored.
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::from_v4_range(net.network()..=net.broadcast()),
            IpNet::V6(net) => Self::from_v6_range(net.network()..=net.broadcast()),
        }
    }
}

impl From<IpAddr> for AddressSet {
    fn from(address: IpAddr) -> Self {
        IpNet::from(address).into()
    }
}

impl FromIterator<IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match net {
                IpNet::V4(net) => v4.push(net.network()..=net.broadcast()),
                IpNet::V6(net) => v6.push(net.network()..=net.broadcast()),
            }
        }
        Self {
            v4: v4.into_iter().collect(),
            v6: v6.into_iter().collect(),
        }
    }
}

impl fmt::Debug for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.prefixes()).finish()
    }
}

/// One text of an address field: a rule's source or destination, a route's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressTerm {
    /// `*` or `Any`: every address of both IP versions (R4.8).
    Any,
    /// A prefix, an address or a range `a-b`.
    Set(AddressSet),
    /// A word: a service tag.
    Name(String),
}

impl AddressTerm {
    /// Reads one text. Host bits of a prefix are ignored, as Azure ignores them.
    ///
    /// # Errors
    /// [`InvalidAddress`] for anything that is neither addresses nor the name of a service tag.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let text = text.trim();
        if text == "*" || text.eq_ignore_ascii_case("any") {
            return Ok(Self::Any);
        }
        if let Some((address, length)) = text.split_once('/') {
            return parse_prefix(address, length)
                .map(|net| Self::Set(net.into()))
                .ok_or_else(invalid);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Set(address.into()));
        }
        if let Some((low, high)) = text.split_once('-') {
            return parse_range(low.trim(), high.trim())
                .map(Self::Set)
                .ok_or_else(invalid);
        }
        let mut chars = text.chars();
        let is_name = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        if is_name {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(invalid())
        }
    }
}

fn parse_prefix(address: &str, length: &str) -> Option<IpNet> {
    // `u8::from_str` takes a leading plus sign.
    if !length.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let length = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) => Ipv4Net::new(address, length).ok().map(IpNet::V4),
        IpAddr::V6(address) => Ipv6Net::new(address, length).ok().map(IpNet::V6),
    }
}

fn parse_range(low: &str, high: &str) -> Option<AddressSet> {
    match (low.parse().ok()?, high.parse().ok()?) {
        (IpAddr::V4(low), IpAddr::V4(high)) if low <= high => {
            Some(AddressSet::from_v4_range(low..=high))
        }
        (IpAddr::V6(low), IpAddr::V6(high)) if low <= high => {
            Some(AddressSet::from_v6_range(low..=high))
        }
        _ => None,
    }
}
