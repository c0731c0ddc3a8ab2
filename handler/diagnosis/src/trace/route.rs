//! The route for a destination, and which others may hold in its place.

use crate::facts::{Id, NextHopType};
use crate::network::routes::{EffectiveRoute, Hop, OpenRoute, RouteSource as Source, SystemRoute};
use crate::network::{AddressSet, Doubt};
use crate::order::Order as _;
use crate::path::{HubDefault, Path, Via};
use crate::report::RouteSource;

/// One way that the packets may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) via: Via,
    /// The route in words.
    pub(super) label: String,
}

/// What route selection gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Routing {
    /// The ways, the one that holds as far as is known first; never empty.
    pub(super) ways: Vec<Way>,
    /// Why there is more than one.
    pub(super) doubts: Vec<String>,
    /// What may come before and is not counted as a way.
    pub(super) notes: Vec<String>,
}

/// Selects the routes for a set of addresses.
///
/// # Errors
/// What could not be read, in words.
pub(super) fn routing(path: &Path<'_>, addresses: &AddressSet) -> Result<Routing, String> {
    let routes = &path.routes;
    let effective = routes
        .effective
        .as_ref()
        .map_err(|missing| format!("{} could not be read", missing.what))?;
    let table = routes.table.as_ref().ok().copied().flatten();
    let table = table.map(|table| &table.id);
    let public = AddressSet::public().contains_all(addresses);
    let mut found = Routing::default();
    let mut parts = effective.decide(addresses);
    // The widest route first: it is what most of the addresses of a host would take.
    parts.order_by_key(|part| part.route.map_or(0, |route| route.prefix.prefix_len()));
    if parts.len() > 1 {
        found.doubts.push(
            "routes treat public addresses differently, and the host's are not known".to_owned(),
        );
    }
    for part in &parts {
        found.add(part.route.map_or_else(nowhere, |route| way(route, table)));
    }
    for part in &parts {
        let user = part.route.is_some_and(|r| r.source == Source::User);
        // A virtual hub that gives the default route, or does not, is known to do so.
        let hub = matches!(
            routes.hub,
            Some(HubDefault::None | HubDefault::Given { .. })
        );
        for open in &part.open {
            // A gateway that announces a part of the internet more closely than the default route is rare; that it
            // announces private ranges, or a default route of its own, is not.
            if open.source == Source::Bgp && (user || hub) && public {
                let gateway = routes.gateway.as_deref().unwrap_or("there is a gateway");
                found.note(format!(
                    "{gateway}: a more specific route that it announces would come first"
                ));
            } else {
                found.doubt(why(open, routes.gateway.as_deref()));
                found.add(open_way(open, table));
            }
        }
    }
    Ok(found)
}

impl Routing {
    fn add(&mut self, way: Way) {
        if !self.ways.contains(&way) {
            self.ways.push(way);
        }
    }

    fn doubt(&mut self, text: String) {
        if !self.doubts.contains(&text) {
            self.doubts.push(text);
        }
    }

    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}

fn way(route: &EffectiveRoute, table: Option<&Id>) -> Way {
    let user = route.source == Source::User;
    let (name, prefix) = (&route.name, route.prefix);
    let label = match route.source {
        Source::User => format!(
            "route {name} ({prefix}) of route table {}",
            table.map_or("", Id::name)
        ),
        Source::Bgp if !name.is_empty() => format!("the default route of virtual hub {name}"),
        Source::Bgp => format!("a route that the gateway learned ({prefix})"),
        Source::System(SystemRoute::VirtualNetwork) => {
            format!("the virtual network's own space ({prefix})")
        }
        Source::System(SystemRoute::Peering) => format!("peering {name} ({prefix})"),
        Source::System(SystemRoute::ServiceEndpoint) => {
            format!("service endpoint {name} ({prefix})")
        }
        Source::System(SystemRoute::Default) => "Azure's own default route".to_owned(),
        Source::System(SystemRoute::PrivateRange) => {
            format!("Azure's own route that drops the private range {prefix}")
        }
    };
    Way {
        via: Via {
            hop: route.hop.clone(),
            source: source(route.source),
            table: table.filter(|_| user).cloned(),
            name: (user || route.source == Source::Bgp && !name.is_empty()).then(|| name.clone()),
        },
        label,
    }
}

fn open_way(open: &OpenRoute, table: Option<&Id>) -> Way {
    let user = open.source == Source::User;
    let label = match open.source {
        Source::User => format!(
            "route {} of route table {}",
            open.name,
            table.map_or("", Id::name)
        ),
        Source::Bgp => "a route that the gateway may announce".to_owned(),
        Source::System(SystemRoute::ServiceEndpoint) => format!("service endpoint {}", open.name),
        Source::System(SystemRoute::Peering) => format!("peering {}", open.name),
        Source::System(_) => "the virtual network's own space".to_owned(),
    };
    Way {
        via: Via {
            hop: open
                .hop
                .clone()
                .unwrap_or_else(|| Hop::Other("unknown".to_owned())),
            source: source(open.source),
            table: table.filter(|_| user).cloned(),
            name: user.then(|| open.name.clone()),
        },
        label,
    }
}

/// No route: the packet goes nowhere.
fn nowhere() -> Way {
    Way {
        via: Via {
            hop: Hop::None,
            source: RouteSource::System,
            table: None,
            name: None,
        },
        label: "no route covers it".to_owned(),
    }
}

fn source(source: Source) -> RouteSource {
    match source {
        Source::User => RouteSource::User,
        Source::Bgp => RouteSource::Bgp,
        Source::System(_) => RouteSource::System,
    }
}

fn why(open: &OpenRoute, gateway: Option<&str>) -> String {
    let label = open_way(open, None).label;
    match &open.doubt {
        None => format!(
            "{}, which may announce a route",
            gateway.unwrap_or("there is a gateway")
        ),
        Some(Doubt::UnresolvedTag(tag)) => {
            format!("what service tag {tag} holds is not known ({label})")
        }
        Some(Doubt::InvalidAddress(text)) => {
            format!("`{text}` is no address prefix ({label})")
        }
        Some(Doubt::SamePriority) => {
            "two routes for the same prefix lead to different next hops".to_owned()
        }
        Some(Doubt::VirtualNetworkUnknown) => format!("whether {label} is connected is not told"),
        Some(_) => format!("whether {label} holds is not known"),
    }
}

/// The next hop in words, with Azure's own word first.
pub(super) fn hop_label(via: &Via) -> String {
    match via.hop.next_hop_type() {
        NextHopType::Other(_) => match &via.hop {
            Hop::Peering(Some(id)) => format!("VirtualNetworkPeering {}", id.name()),
            Hop::Peering(None) => "VirtualNetworkPeering".to_owned(),
            Hop::ServiceEndpoint(service) => format!("VirtualNetworkServiceEndpoint {service}"),
            _ => via.hop_label(),
        },
        _ => via.hop_label(),
    }
}
