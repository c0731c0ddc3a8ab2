//! What a rule's field certainly and possibly matches, with the reason for the gap between the two.

use super::{AddressSet, AddressTerm, Doubt, PortSet};

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
