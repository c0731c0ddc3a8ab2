//! Sets of TCP and UDP ports.

use std::fmt;
use std::ops::RangeInclusive;

use super::ranges::Ranges;

/// A text that is no port or port range, e.g. `http`, `70000` or `90-80`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no port or port range")]
pub struct InvalidPort(pub String);

/// A set of ports.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PortSet(Ranges<u16>);

impl PortSet {
    /// No port.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Every port.
    pub fn all() -> Self {
        Self(Ranges::all())
    }

    /// One port.
    pub fn one(port: u16) -> Self {
        Self((port..=port).into())
    }

    /// Reads `*`, `n` or `a-b` (R4.9).
    ///
    /// # Errors
    /// [`InvalidPort`] for anything else, a reversed range included.
    pub fn parse(text: &str) -> Result<Self, InvalidPort> {
        let invalid = || InvalidPort(text.to_owned());
        let trimmed = text.trim();
        if trimmed == "*" || trimmed.eq_ignore_ascii_case("any") {
            return Ok(Self::all());
        }
        let (low, high) = trimmed.split_once('-').unwrap_or((trimmed, trimmed));
        let number = |text: &str| {
            let text = text.trim();
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse::<u16>().ok())
                .flatten()
                .ok_or_else(invalid)
        };
        let (low, high) = (number(low)?, number(high)?);
        if low > high {
            return Err(invalid());
        }
        Ok(Self((low..=high).into()))
    }

    /// Whether there is no port in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the port is in it.
    pub fn contains(&self, port: u16) -> bool {
        self.0.contains(port)
    }

    /// Whether every port of `other` is in it.
    pub fn contains_all(&self, other: &Self) -> bool {
        self.0.covers(&other.0)
    }

    /// Whether the two share a port.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.meets(&other.0)
    }

    /// Ports in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0))
    }

    /// Ports in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.common(&other.0))
    }

    /// Ports in this set and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.0.remove_all(&other.0);
        rest
    }

    /// Ascending disjoint ranges.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        self.0.iter()
    }
}

impl From<RangeInclusive<u16>> for PortSet {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self(range.into())
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ranges()).finish()
    }
}
