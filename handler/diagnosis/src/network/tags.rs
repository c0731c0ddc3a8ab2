//! Service tags, application security groups and the tags that depend on the virtual network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::{AddressBounds, AddressSet, AddressTerm, Doubt, Family};
use crate::facts::{Datum, Id, RouteTable, ServiceTagList, VirtualNetwork};

/// The host's virtual address: Azure DNS, health probes (R4.10, R4.14).
pub(super) const HOST_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));
/// The instance metadata service (R4.10).
pub(super) const METADATA_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
/// The link-local source of health probes over IPv6, as effective security rules expand `AzureLoadBalancer`.
const PROBE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x1234, 0x5678, 0x9abc));
/// Windows activation, the service behind `AzurePlatformLKM`.
const ACTIVATION: [Ipv4Addr; 3] = [
    Ipv4Addr::new(20, 118, 99, 224),
    Ipv4Addr::new(23, 102, 135, 246),
    Ipv4Addr::new(40, 83, 235, 53),
];

/// The contents of service tags as ARM lists them for a region. A tag that is not in it is *undecidable*, never empty
/// (R4.18). Cloning is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTags(Arc<BTreeMap<String, Tag>>);

/// One tag: its prefixes as listed, since routes go by prefix length (R3.7), and the set they make.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    prefixes: Vec<IpNet>,
    set: AddressSet,
}

impl ServiceTags {
    /// Nothing is known about any tag.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// From ARM's list: tag name (`AzureCloud.westeurope`, any case) and its prefixes. A tag with a prefix that cannot
    /// be read, or with none, stays unknown.
    pub fn new<'a, P>(tags: impl IntoIterator<Item = (&'a str, P)>) -> Self
    where
        P: IntoIterator<Item: AsRef<str>>,
    {
        Self(Arc::new(
            tags.into_iter()
                .filter_map(|(name, prefixes)| {
                    let prefixes = prefixes
                        .into_iter()
                        .map(|text| {
                            let text = text.as_ref();
                            text.parse().or_else(|_| text.parse().map(IpAddr::into))
                        })
                        .collect::<Result<Vec<IpNet>, _>>()
                        .ok()?;
                    let set: AddressSet = prefixes.iter().copied().collect();
                    (!set.is_empty()).then(|| (name.to_ascii_lowercase(), Tag { prefixes, set }))
                })
                .collect(),
        ))
    }

    /// From what was read; nothing is known when it was not.
    pub fn of(list: &Datum<ServiceTagList>) -> Self {
        let tags = list.as_known().map(|list| &list.tags);
        let tags = tags.into_iter().flatten();
        Self::new(tags.map(|(name, prefixes)| (name.as_str(), prefixes)))
    }

    /// The tag's addresses; `None` when not known.
    pub fn get(&self, name: &str) -> Option<&AddressSet> {
        self.tag(name).map(|tag| &tag.set)
    }

    /// The tag's prefixes as listed; `None` when not known.
    pub fn prefixes(&self, name: &str) -> Option<&[IpNet]> {
        self.tag(name).map(|tag| tag.prefixes.as_slice())
    }

    fn tag(&self, name: &str) -> Option<&Tag> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&name.to_ascii_lowercase())
    }

    /// The tag's bounds. An unknown tag possibly holds every public address: service tags hold no private ones.
    pub fn bounds(&self, name: &str) -> AddressBounds {
        self.get(name).map_or_else(
            || AddressBounds::at_most(AddressSet::public(), Doubt::UnresolvedTag(name.to_owned())),
            |set| AddressBounds::exactly(set.clone()),
        )
    }
}

/// What is reached through a virtual network gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnPremises {
    /// Exactly this; empty when nothing can be connected.
    Known(AddressSet),
    /// Not known: anything.
    Unknown,
}

/// What the tag `VirtualNetwork` is made of, for one subnet (R4.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualNetworkSpace {
    /// The network's own address space.
    pub own: AddressSet,
    /// Spaces of connected peered networks.
    pub peered: AddressSet,
    /// Prefixes of user-defined routes, default routes left out.
    pub routed: AddressSet,
    /// IP versions with a user-defined default route.
    pub default_routes: Vec<Family>,
    /// What is connected through a gateway.
    pub on_premises: OnPremises,
    /// Whether part of the above could not be read.
    pub incomplete: bool,
}

impl VirtualNetworkSpace {
    /// From the network and the subnet's route table (`None`: the subnet has none). Service tag routes and texts that
    /// are no prefix leave it incomplete, as does a peering whose state is not told.
    pub fn of(
        network: &VirtualNetwork,
        table: Option<&RouteTable>,
        on_premises: OnPremises,
    ) -> Self {
        let mut space = Self {
            own: AddressSet::empty(),
            peered: AddressSet::empty(),
            routed: AddressSet::empty(),
            default_routes: Vec::new(),
            on_premises,
            incomplete: false,
        };
        space.incomplete |= read_prefixes(&network.address_prefixes, &mut space.own);
        for peering in &network.peerings {
            match peering.state.as_deref() {
                Some(state) if state.eq_ignore_ascii_case("Connected") => {
                    space.incomplete |=
                        read_prefixes(&peering.remote_address_prefixes, &mut space.peered);
                }
                Some(_) => {}
                None => space.incomplete = true,
            }
        }
        for route in table.map(|t| t.routes.as_slice()).unwrap_or_default() {
            match AddressTerm::parse(&route.address_prefix) {
                Ok(AddressTerm::Set(set)) => {
                    let defaults = [Family::V4, Family::V6]
                        .into_iter()
                        .find(|family| set == AddressSet::all_of(*family));
                    match defaults {
                        Some(family) => space.default_routes.push(family),
                        None => space.routed.insert_all(&set),
                    }
                }
                // The effect of tag routes on the tag is not documented; their addresses are public.
                Ok(AddressTerm::Name(_)) => {}
                Ok(AddressTerm::Any) | Err(_) => space.incomplete = true,
            }
        }
        space
    }

    /// The bounds of `VirtualNetwork` (R4.13). A default route possibly widens it to everything, which rests on
    /// third-party evidence and so stays a doubt.
    pub fn virtual_network(&self) -> AddressBounds {
        let mut bounds = AddressBounds::exactly(self.own.union(&self.peered).union(&self.routed));
        bounds.add(&AddressBounds::exactly(HOST_VIP.into()));
        for family in &self.default_routes {
            bounds.add(&AddressBounds::at_most(
                AddressSet::all_of(*family),
                Doubt::DefaultRouteInVirtualNetwork,
            ));
        }
        match &self.on_premises {
            OnPremises::Known(set) => bounds.add(&AddressBounds::exactly(set.clone())),
            OnPremises::Unknown => bounds.add(&AddressBounds::at_most(
                AddressSet::all(),
                Doubt::OnPremisesUnknown,
            )),
        }
        if self.incomplete {
            bounds.add(&AddressBounds::at_most(
                AddressSet::all(),
                Doubt::VirtualNetworkUnknown,
            ));
        }
        bounds
    }

    /// The bounds of `Internet`: public addresses outside the virtual network, Azure's own included (R4.12).
    pub fn internet(&self) -> AddressBounds {
        let possible = AddressSet::public()
            .difference(&self.own)
            .difference(&self.peered);
        if self.incomplete {
            return AddressBounds::at_most(possible, Doubt::VirtualNetworkUnknown);
        }
        let certain = possible.difference(&self.routed);
        let doubts = if certain == possible {
            Vec::new()
        } else {
            vec![Doubt::RoutedPrefixInVirtualNetwork]
        };
        AddressBounds {
            certain,
            possible,
            doubts,
        }
    }
}

/// Reads prefixes into a set; true when one could not be read or there was none.
fn read_prefixes(texts: &[String], into: &mut AddressSet) -> bool {
    let mut incomplete = texts.is_empty();
    for text in texts {
        if let Ok(AddressTerm::Set(set)) = AddressTerm::parse(text) {
            into.insert_all(&set);
        } else {
            incomplete = true;
        }
    }
    incomplete
}

/// Everything that gives a name in a security rule its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagContext {
    /// ARM's service tags.
    pub service_tags: ServiceTags,
    /// What `VirtualNetwork` and `Internet` mean for the subnet.
    pub space: VirtualNetworkSpace,
    /// Addresses of the NICs in each application security group whose members are known (R4.19).
    pub application_groups: BTreeMap<Id, AddressSet>,
}

impl TagContext {
    /// The addresses of a tag in a security rule.
    pub fn tag(&self, name: &str) -> AddressBounds {
        if let Some(platform) = platform_tag(name) {
            return platform;
        }
        let is = |tag: &str| name.eq_ignore_ascii_case(tag);
        if is("Internet") {
            self.space.internet()
        } else if is("VirtualNetwork") {
            self.space.virtual_network()
        } else if is("AzureLoadBalancer") {
            AddressBounds::exactly(AddressSet::from(HOST_VIP).union(&AddressSet::from(PROBE_V6)))
        } else {
            self.service_tags.bounds(name)
        }
    }

    /// The addresses of an application security group. Members are NICs of the virtual network.
    pub fn application_group(&self, id: &Id) -> AddressBounds {
        self.application_groups.get(id).map_or_else(
            || {
                let possible = if self.space.incomplete {
                    AddressSet::all()
                } else {
                    self.space.own.clone()
                };
                AddressBounds::at_most(possible, Doubt::UnresolvedApplicationGroup(id.clone()))
            },
            |set| AddressBounds::exactly(set.clone()),
        )
    }
}

/// The tags that alone reach the platform's own addresses (R4.10).
pub(super) fn platform_tag(name: &str) -> Option<AddressBounds> {
    let is = |tag: &str| name.eq_ignore_ascii_case(tag);
    if is("AzurePlatformDNS") {
        Some(AddressBounds::exactly(HOST_VIP.into()))
    } else if is("AzurePlatformIMDS") {
        Some(AddressBounds::exactly(METADATA_VIP.into()))
    } else if is("AzurePlatformLKM") {
        let hosts = ACTIVATION.into_iter().map(|a| IpNet::from(IpAddr::V4(a)));
        let doubt = Doubt::UnresolvedTag("AzurePlatformLKM".to_owned());
        Some(AddressBounds::at_most(hosts.collect(), doubt))
    } else {
        None
    }
}
