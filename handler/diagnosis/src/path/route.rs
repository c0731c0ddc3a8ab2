//! The effective routes of a pool subnet, and its default route (section 3).

use ipnet::{IpNet, Ipv4Net};

use super::HubDefault;
use crate::context::SubnetUse;
use crate::facts::{Facts, Id, Missing, Route, RouteTable, VirtualNetwork, lookup};
use crate::network::routes::{
    self, Bgp, EffectiveRoute, EffectiveRoutes, Hop, Inputs, OpenRoute, SystemRoute,
};
use crate::network::{AddressSet, Doubt, Family, ServiceTags};
use crate::report::RouteSource;

/// One route as a path takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Via {
    pub(crate) hop: Hop,
    pub(crate) source: RouteSource,
    /// The route table, for a user route.
    pub(crate) table: Option<Id>,
    /// The route's name in the table, or that of the virtual hub that gives it.
    pub(crate) name: Option<String>,
}

impl Via {
    /// `route default of route table rt` or `Azure's own default route`
    pub(crate) fn label(&self) -> String {
        match (&self.name, &self.table) {
            (Some(name), Some(table)) => format!("route {name} of route table {}", table.name()),
            (Some(hub), None) if self.source == RouteSource::Bgp => {
                format!("the default route of virtual hub {hub}")
            }
            _ => "Azure's own default route".to_owned(),
        }
    }

    /// Azure's word for the next hop, with the appliance's address.
    pub(crate) fn hop_label(&self) -> String {
        match &self.hop {
            Hop::VirtualAppliance(Some(ip)) => format!("VirtualAppliance {ip}"),
            other => other.next_hop_type().as_str().to_owned(),
        }
    }
}

/// Where packets without a more specific route go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DefaultRoute {
    /// One route, or two halves with the same hop (R2.52).
    Decided { via: Via, split: bool },
    /// Two halves that lead to different hops.
    Halves { low: Via, high: Via },
    /// The facts leave it open; the reason.
    Open(String),
    /// Something on the way could not be read.
    Unread(Missing),
}

impl DefaultRoute {
    /// The one route that decides.
    pub(crate) fn via(&self) -> Option<&Via> {
        match self {
            Self::Decided { via, .. } => Some(via),
            _ => None,
        }
    }
}

/// The routes of a pool subnet.
#[derive(Debug, Clone)]
pub(crate) struct Routes<'f> {
    /// The subnet's virtual network.
    pub(crate) network: Result<&'f VirtualNetwork, Missing>,
    /// The subnet's route table; `None`: it has none.
    pub(crate) table: Result<Option<&'f RouteTable>, Missing>,
    /// Why a gateway may have taught the subnet routes; `None`: it cannot have.
    pub(crate) gateway: Option<String>,
    /// What the virtual hub that the network is connected to does with its default route; `None`: there is none, or its
    /// routes do not reach the subnet.
    pub(crate) hub: Option<HubDefault>,
    /// All effective routes, computed.
    pub(crate) effective: Result<EffectiveRoutes, Missing>,
    /// The IPv4 default route.
    pub(crate) default: DefaultRoute,
}

impl<'f> Routes<'f> {
    pub(crate) fn of(facts: &'f Facts, used: &SubnetUse<'f>, tags: &ServiceTags) -> Self {
        let network = network(facts, used);
        let table = table(facts, used);
        let gateway = match (&network, &table) {
            (_, Ok(Some(table))) if table.disable_bgp_route_propagation == Some(true) => None,
            (Ok(network), _) => gateway(network),
            (Err(missing), _) => Some(format!("{} could not be read", missing.what)),
        };
        let hub = match &network {
            Ok(network) if gateway.is_some() && !has_own_gateway(network) => {
                HubDefault::of(facts, network)
            }
            _ => None,
        };
        let bgp = match (&hub, &gateway) {
            (Some(hub), _) => hub.bgp(),
            (None, Some(_)) => Bgp::Unknown,
            (None, None) => Bgp::None,
        };
        let effective = effective(used, &network, &table, &bgp, tags);
        let default = default_route(&table, gateway.as_deref(), hub.as_ref(), &effective);
        Self {
            network,
            table,
            gateway,
            hub,
            effective,
            default,
        }
    }

    /// User routes beside the default that lead public addresses elsewhere than the default does, each once.
    pub(crate) fn diversions(&self) -> Vec<&'f Route> {
        let (Ok(Some(table)), Some(default)) = (&self.table, self.default.via()) else {
            return Vec::new();
        };
        let public = AddressSet::public();
        table
            .routes
            .iter()
            .filter(|route| Hop::of(route) != default.hop)
            .filter(|route| match route.address_prefix.trim().parse::<IpNet>() {
                Ok(prefix) => prefix.prefix_len() > 0 && public.intersects(&prefix.into()),
                // A service tag stands for public addresses; an unreadable text may.
                Err(_) => true,
            })
            .collect()
    }
}

fn network<'f>(facts: &'f Facts, used: &SubnetUse<'f>) -> Result<&'f VirtualNetwork, Missing> {
    let id = used.id.parent().ok_or_else(|| Missing {
        what: format!("virtual network of {}", used.label()),
        how: crate::facts::Datum::not_asked("the subnet's id names none"),
    })?;
    lookup(&facts.virtual_networks, &id).known(|| format!("virtual network {}", id.name()))
}

fn table<'f>(facts: &'f Facts, used: &SubnetUse<'f>) -> Result<Option<&'f RouteTable>, Missing> {
    let subnet = used.subnet.clone()?;
    let Some(id) = &subnet.route_table_id else {
        return Ok(None);
    };
    lookup(&facts.route_tables, id)
        .known(|| format!("route table {}", id.name()))
        .map(Some)
}

/// Why a gateway may announce routes to this network.
pub(crate) fn gateway(network: &VirtualNetwork) -> Option<String> {
    if Bgp::of(network, None) == Bgp::None {
        return None;
    }
    let name = network.id.name();
    let own = own_gateway(network);
    let remote = network
        .peerings
        .iter()
        .find(|p| p.use_remote_gateways != Some(false));
    Some(match (own, remote) {
        (Some(subnet), _) => format!("virtual network {name} has a {subnet}"),
        (None, Some(peering)) if peering.use_remote_gateways == Some(true) => format!(
            "peering {} of virtual network {name} uses the remote network's gateway",
            peering.name
        ),
        (None, Some(peering)) => format!(
            "peering {} of virtual network {name} does not say whether it uses the remote network's gateway",
            peering.name
        ),
        (None, None) => format!("the subnets of virtual network {name} are not listed"),
    })
}

/// The subnet of a gateway or route server that the network has itself.
fn own_gateway(network: &VirtualNetwork) -> Option<&'static str> {
    ["GatewaySubnet", "RouteServerSubnet"]
        .into_iter()
        .find(|g| {
            let mut subnets = network.subnet_ids.iter();
            subnets.any(|s| s.name().eq_ignore_ascii_case(g))
        })
}

/// Whether the network may have a gateway of its own, beside any that its peerings use.
fn has_own_gateway(network: &VirtualNetwork) -> bool {
    network.subnet_ids.is_empty() || own_gateway(network).is_some()
}

fn effective(
    used: &SubnetUse<'_>,
    network: &Result<&VirtualNetwork, Missing>,
    table: &Result<Option<&RouteTable>, Missing>,
    bgp: &Bgp,
    tags: &ServiceTags,
) -> Result<EffectiveRoutes, Missing> {
    let subnet = used.subnet.clone()?;
    Ok(EffectiveRoutes::compute(&Inputs {
        network: network.clone()?,
        table: table.clone()?,
        service_endpoints: &subnet.service_endpoints,
        bgp,
        tags,
    }))
}

fn default_route(
    table: &Result<Option<&RouteTable>, Missing>,
    gateway: Option<&str>,
    hub: Option<&HubDefault>,
    effective: &Result<EffectiveRoutes, Missing>,
) -> DefaultRoute {
    let table = match table {
        Ok(table) => *table,
        Err(missing) => return DefaultRoute::Unread(missing.clone()),
    };
    let effective = match effective {
        Ok(effective) => effective,
        // A user route decides whatever the network is.
        Err(missing) => {
            return user_default(table).unwrap_or_else(|| DefaultRoute::Unread(missing.clone()));
        }
    };
    if let Some(reason) = effective.open().iter().find_map(|open| doubt(open, table)) {
        return DefaultRoute::Open(reason);
    }
    let via = |route: &EffectiveRoute| Via {
        hop: route.hop.clone(),
        source: source(route),
        table: table
            .filter(|_| route.source == routes::RouteSource::User)
            .map(|t| t.id.clone()),
        name: (!route.name.is_empty()).then(|| route.name.clone()),
    };
    let (decided, system) = match effective.default_hop(Family::V4) {
        routes::DefaultHop::Missing => {
            return DefaultRoute::Open("no default route is known".to_owned());
        }
        routes::DefaultHop::Route(route) => {
            let system = route.source == routes::RouteSource::System(SystemRoute::Default);
            let decided = DefaultRoute::Decided {
                via: via(route),
                split: false,
            };
            (decided, system)
        }
        routes::DefaultHop::Split { low, high } if low.hop == high.hop => {
            let decided = DefaultRoute::Decided {
                via: via(low),
                split: true,
            };
            (decided, false)
        }
        routes::DefaultHop::Split { low, high } => {
            let decided = DefaultRoute::Halves {
                low: via(low),
                high: via(high),
            };
            (decided, false)
        }
    };
    match (gateway, hub) {
        _ if !system => decided,
        (None, _) | (Some(_), Some(HubDefault::None)) => decided,
        (Some(_), Some(HubDefault::Unread(missing))) => DefaultRoute::Unread(missing.clone()),
        (Some(_), Some(HubDefault::Open(reason))) => DefaultRoute::Open(reason.clone()),
        (Some(reason), _) => {
            DefaultRoute::Open(format!("{reason}, which may announce a default route"))
        }
    }
}

/// The user-defined default route of a table.
fn user_default(table: Option<&RouteTable>) -> Option<DefaultRoute> {
    let table = table?;
    let route = table
        .routes
        .iter()
        .find(|r| r.address_prefix.trim().parse() == Ok(Ipv4Net::default()))?;
    Some(DefaultRoute::Decided {
        via: Via {
            hop: Hop::of(route),
            source: RouteSource::User,
            table: Some(table.id.clone()),
            name: Some(route.name.clone()),
        },
        split: false,
    })
}

/// Why an open route may be the default route; `None`: it cannot be, or only as a gateway's.
fn doubt(open: &OpenRoute, table: Option<&RouteTable>) -> Option<String> {
    let table = table.map_or_else(
        || "the route table".to_owned(),
        |t| format!("route table {}", t.id.name()),
    );
    let whole = open.within.contains_all(&AddressSet::all_of(Family::V4));
    match open.doubt.as_ref()? {
        Doubt::UnresolvedTag(tag) if tag.eq_ignore_ascii_case("Internet") => Some(format!(
            "route {} of {table} is for the tag Internet, which routes do not know",
            open.name
        )),
        _ if !whole => None,
        Doubt::SamePriority => Some(format!(
            "{table} has two default routes with different next hops"
        )),
        Doubt::InvalidAddress(text) => Some(format!(
            "`{text}` of route {} is no address prefix, so what it routes is not known",
            open.name
        )),
        _ => None,
    }
}

fn source(route: &EffectiveRoute) -> RouteSource {
    match route.source {
        routes::RouteSource::User => RouteSource::User,
        routes::RouteSource::Bgp => RouteSource::Bgp,
        routes::RouteSource::System(_) => RouteSource::System,
    }
}
