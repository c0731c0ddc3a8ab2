//! Which route decides for an address, and for every address of a set.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use range_set_blaze::{Integer, RangeMapBlaze, RangeSetBlaze};

use super::build::is_default;
use super::{EffectiveRoute, Hop, OpenRoute, RouteSource, SystemRoute};
use crate::network::{AddressSet, Family};
use crate::order::Order as _;

/// The effective routes of a subnet, flattened to the route that decides for each range of addresses.
#[derive(Debug, Clone)]
pub struct EffectiveRoutes {
    /// From the weakest to the strongest.
    routes: Vec<EffectiveRoute>,
    open: Vec<OpenRoute>,
    v4: RangeMapBlaze<Ipv4Addr, usize>,
    v6: RangeMapBlaze<Ipv6Addr, usize>,
}

/// Addresses with the same fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided<'r> {
    /// The addresses.
    pub destinations: AddressSet,
    /// The route that decides; `None`: no route at all, the packet is dropped.
    pub route: Option<&'r EffectiveRoute>,
    /// Routes that may exist and lead elsewhere. Not empty: the route above decides only if none of them does.
    pub open: Vec<&'r OpenRoute>,
}

/// How a subnet's traffic to anywhere is routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultHop<'r> {
    /// One default route.
    Route(&'r EffectiveRoute),
    /// Two routes for half of the addresses each, in place of one (R2.52).
    Split {
        /// For the lower half: 0.0.0.0/1.
        low: &'r EffectiveRoute,
        /// For the upper half: 128.0.0.0/1.
        high: &'r EffectiveRoute,
    },
    /// None.
    Missing,
}

impl EffectiveRoutes {
    /// From routes and from what is open, in any order.
    pub fn new(mut routes: Vec<EffectiveRoute>, open: Vec<OpenRoute>) -> Self {
        routes.order_by_key(strength);
        // System routes of the network, its peerings and service endpoints beat BGP even where BGP is more specific.
        let exempt: AddressSet = routes
            .iter()
            .filter(|route| beats_bgp(route))
            .map(|route| route.prefix)
            .collect();
        let (mut v4, mut v6) = (RangeMapBlaze::new(), RangeMapBlaze::new());
        for (index, route) in routes.iter().enumerate() {
            let mut reach = AddressSet::from(route.prefix);
            if route.source == RouteSource::Bgp {
                reach = reach.difference(&exempt);
            }
            for range in reach.v4_ranges() {
                v4.ranges_insert(range, index);
            }
            for range in reach.v6_ranges() {
                v6.ranges_insert(range, index);
            }
        }
        Self {
            routes,
            open,
            v4,
            v6,
        }
    }

    /// Every effective route, the overridden ones included, from the weakest to the strongest.
    pub fn routes(&self) -> &[EffectiveRoute] {
        &self.routes
    }

    /// What could not be read.
    pub fn open(&self) -> &[OpenRoute] {
        &self.open
    }

    /// The route for one address.
    pub fn select(&self, destination: IpAddr) -> Decided<'_> {
        let index = match destination {
            IpAddr::V4(address) => self.v4.get(address),
            IpAddr::V6(address) => self.v6.get(address),
        };
        let route = index.and_then(|index| self.routes.get(*index));
        let open = self
            .open
            .iter()
            .filter(|open| open.within.contains(destination) && could_win(open, route))
            .collect();
        Decided {
            destinations: destination.into(),
            route,
            open,
        }
    }

    /// Cuts a set of addresses into parts with the same route and the same open routes. The parts are disjoint and
    /// together are the set.
    pub fn decide(&self, destinations: &AddressSet) -> Vec<Decided<'_>> {
        let mut by_route: BTreeMap<usize, AddressSet> = BTreeMap::new();
        for family in [Family::V4, Family::V6] {
            for (index, part) in self.overlaps(destinations, family) {
                by_route.entry(index).or_default().insert_all(&part);
            }
        }
        let covered = by_route
            .values()
            .fold(AddressSet::empty(), |all, part| all.union(part));
        let unrouted = destinations.difference(&covered);
        let mut parts = Vec::new();
        if !unrouted.is_empty() {
            parts.extend(self.split(unrouted, None));
        }
        for (index, part) in by_route {
            parts.extend(self.split(part, self.routes.get(index)));
        }
        parts
    }

    /// The default route, or the two halves that stand in for it.
    pub fn default_hop(&self, family: Family) -> DefaultHop<'_> {
        let strongest = |wanted: &dyn Fn(IpNet) -> bool| {
            self.routes.iter().rev().find(|route| wanted(route.prefix))
        };
        let half = |upper: bool| {
            strongest(&move |prefix: IpNet| {
                let is_upper = match prefix.network() {
                    IpAddr::V4(a) => a.to_bits() != 0,
                    IpAddr::V6(a) => a.to_bits() != 0,
                };
                prefix.prefix_len() == 1
                    && matches!(prefix, IpNet::V4(_)) == (family == Family::V4)
                    && is_upper == upper
            })
        };
        if let (Some(low), Some(high)) = (half(false), half(true)) {
            return DefaultHop::Split { low, high };
        }
        strongest(&|prefix| is_default(prefix, family))
            .map_or(DefaultHop::Missing, DefaultHop::Route)
    }

    fn overlaps(&self, wanted: &AddressSet, family: Family) -> Vec<(usize, AddressSet)> {
        match family {
            Family::V4 => wanted
                .v4_ranges()
                .flat_map(|range| overlapping(&self.v4, *range.start(), *range.end()))
                .map(|(low, high, index)| (index, AddressSet::from_v4_range(low..=high)))
                .collect(),
            Family::V6 => wanted
                .v6_ranges()
                .flat_map(|range| overlapping(&self.v6, *range.start(), *range.end()))
                .map(|(low, high, index)| (index, AddressSet::from_v6_range(low..=high)))
                .collect(),
        }
    }

    /// Cuts addresses with one route by the open routes that could win.
    fn split<'r>(
        &'r self,
        destinations: AddressSet,
        route: Option<&'r EffectiveRoute>,
    ) -> Vec<Decided<'r>> {
        let mut parts = vec![Decided {
            destinations,
            route,
            open: Vec::new(),
        }];
        for open in self.open.iter().filter(|open| could_win(open, route)) {
            parts = parts
                .into_iter()
                .flat_map(|part| {
                    let inside = part.destinations.intersection(&open.within);
                    let outside = part.destinations.difference(&open.within);
                    let mut opened = part.open.clone();
                    opened.push(open);
                    [
                        Decided {
                            destinations: inside,
                            route,
                            open: opened,
                        },
                        Decided {
                            destinations: outside,
                            ..part
                        },
                    ]
                })
                .filter(|part| !part.destinations.is_empty())
                .collect();
        }
        parts
    }
}

/// The pieces of a flattened table that meet a range.
fn overlapping<T: Integer>(map: &RangeMapBlaze<T, usize>, low: T, high: T) -> Vec<(T, T, usize)> {
    let wanted = RangeSetBlaze::from_iter([low..=high]);
    (map & &wanted)
        .range_values()
        .map(|(range, index)| (*range.start(), *range.end(), *index))
        .collect()
}

/// Longest prefix, then User over BGP over System (R3.1); among user routes with one prefix an explicit one over a tag,
/// and the narrower tag over the wider (R3.7); among system routes the network's own over the rest (R3.3).
fn strength(route: &EffectiveRoute) -> (u8, u8, u8) {
    let (source, kind) = match route.source {
        RouteSource::User => (2, tag_strength(route.tag.as_deref())),
        RouteSource::Bgp => (1, 0),
        RouteSource::System(SystemRoute::VirtualNetwork) => (0, 3),
        RouteSource::System(SystemRoute::Peering) => (0, 2),
        RouteSource::System(SystemRoute::ServiceEndpoint) => (0, 1),
        RouteSource::System(SystemRoute::Default | SystemRoute::PrivateRange) => (0, 0),
    };
    (route.prefix.prefix_len(), source, kind)
}

fn tag_strength(tag: Option<&str>) -> u8 {
    let Some(tag) = tag else { return 4 };
    let (name, region) = tag
        .split_once('.')
        .map_or((tag, None), |(n, r)| (n, Some(r)));
    match (name.eq_ignore_ascii_case("AzureCloud"), region) {
        (false, Some(_)) => 3,
        (false, None) => 2,
        (true, Some(_)) => 1,
        (true, None) => 0,
    }
}

/// R3.2
fn beats_bgp(route: &EffectiveRoute) -> bool {
    matches!(
        route.source,
        RouteSource::System(
            SystemRoute::VirtualNetwork | SystemRoute::Peering | SystemRoute::ServiceEndpoint
        )
    )
}

/// Whether a route that may exist could take a packet elsewhere than the route that decides otherwise.
fn could_win(open: &OpenRoute, decided: Option<&EffectiveRoute>) -> bool {
    let Some(decided) = decided else { return true };
    let same_hop = open.hop.as_ref() == Some(&decided.hop) && !matches!(decided.hop, Hop::Other(_));
    if same_hop {
        return false;
    }
    if open.source == RouteSource::Bgp {
        // A learned route needs a longer prefix to beat a user route.
        let longest = decided.prefix.prefix_len() == decided.prefix.max_prefix_len();
        return !(beats_bgp(decided) || decided.source == RouteSource::User && longest);
    }
    true
}
