//! The effective routes of a subnet from what Azure's answers say.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Bgp, EffectiveRoute, EffectiveRoutes, Hop, OpenRoute, RouteSource, SystemRoute};
use crate::facts::{Peering, Route, RouteTable, ServiceEndpoint, VirtualNetwork};
use crate::network::{AddressSet, AddressTerm, Doubt, Family, ServiceTags};
use crate::order::Order as _;

/// What the effective routes of a subnet are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The subnet's virtual network.
    pub network: &'a VirtualNetwork,
    /// The subnet's route table; `None`: it has none.
    pub table: Option<&'a RouteTable>,
    /// The subnet's service endpoints.
    pub service_endpoints: &'a [ServiceEndpoint],
    /// What gateways taught the subnet.
    pub bgp: &'a Bgp,
    /// ARM's service tags.
    pub tags: &'a ServiceTags,
}

/// Routes gathered so far.
struct Gathered<'a> {
    tags: &'a ServiceTags,
    routes: Vec<EffectiveRoute>,
    open: Vec<OpenRoute>,
}

/// The private ranges that system routes drop (R3.3).
const PRIVATE_RANGES: [([u8; 4], u8); 4] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
];

impl EffectiveRoutes {
    /// Computes the effective routes.
    pub fn compute(inputs: &Inputs<'_>) -> Self {
        let mut gathered = Gathered {
            tags: inputs.tags,
            routes: Vec::new(),
            open: Vec::new(),
        };
        for prefix in &inputs.network.address_prefixes {
            gathered.space(
                "",
                prefix,
                SystemRoute::VirtualNetwork,
                &Hop::VirtualNetwork,
            );
        }
        for peering in &inputs.network.peerings {
            gathered.peering(peering);
        }
        for endpoint in inputs.service_endpoints {
            gathered.service_endpoint(endpoint);
        }
        for route in inputs
            .table
            .map(|t| t.routes.as_slice())
            .unwrap_or_default()
        {
            gathered.user(route);
        }
        gathered.contradictions();
        gathered.system_defaults();
        match inputs.bgp {
            Bgp::None => {}
            Bgp::Known(prefixes) => {
                for prefix in prefixes {
                    gathered.add("", *prefix, RouteSource::Bgp, &Hop::VirtualNetworkGateway);
                }
            }
            Bgp::Unknown => gathered.learned(),
            Bgp::Hub { hub, default } => {
                let prefix = Ipv4Net::default().into();
                gathered.add(hub, prefix, RouteSource::Bgp, default);
                gathered.learned();
            }
        }
        Self::new(gathered.routes, gathered.open)
    }
}

impl Gathered<'_> {
    fn add(&mut self, name: &str, prefix: IpNet, source: RouteSource, hop: &Hop) {
        self.routes.push(EffectiveRoute {
            name: name.to_owned(),
            prefix: prefix.trunc(),
            tag: None,
            source,
            hop: hop.clone(),
        });
    }

    /// Whatever a gateway may have learned.
    fn learned(&mut self) {
        self.open.push(OpenRoute {
            name: String::new(),
            source: RouteSource::Bgp,
            hop: Some(Hop::VirtualNetworkGateway),
            within: AddressSet::all(),
            doubt: None,
        });
    }

    fn doubt(
        &mut self,
        name: &str,
        source: RouteSource,
        hop: &Hop,
        within: AddressSet,
        doubt: Doubt,
    ) {
        self.open.push(OpenRoute {
            name: name.to_owned(),
            source,
            hop: Some(hop.clone()),
            within,
            doubt: Some(doubt),
        });
    }

    /// A prefix of an address space. An unreadable one could be anywhere.
    fn space(&mut self, name: &str, prefix: &str, kind: SystemRoute, hop: &Hop) {
        let source = RouteSource::System(kind);
        match prefix.trim().parse::<IpNet>() {
            Ok(net) => self.add(name, net, source, hop),
            Err(_) => self.doubt(
                name,
                source,
                hop,
                AddressSet::all(),
                Doubt::InvalidAddress(prefix.to_owned()),
            ),
        }
    }

    /// Only a connected peering carries traffic. One whose state is not told may.
    fn peering(&mut self, peering: &Peering) {
        let hop = Hop::Peering(peering.remote.clone());
        match peering.state.as_deref() {
            Some(state) if state.eq_ignore_ascii_case("Connected") => {
                for prefix in &peering.remote_address_prefixes {
                    self.space(&peering.name, prefix, SystemRoute::Peering, &hop);
                }
            }
            Some(_) => {}
            None => {
                let texts = peering.remote_address_prefixes.iter().map(String::as_str);
                let within = AddressSet::parse_all(texts).unwrap_or_else(|_| AddressSet::all());
                self.doubt(
                    &peering.name,
                    RouteSource::System(SystemRoute::Peering),
                    &hop,
                    within,
                    Doubt::VirtualNetworkUnknown,
                );
            }
        }
    }

    /// A service endpoint's routes are the prefixes of the service's tag (R3.4); unknown without the tag's contents.
    fn service_endpoint(&mut self, endpoint: &ServiceEndpoint) {
        let source = RouteSource::System(SystemRoute::ServiceEndpoint);
        let hop = Hop::ServiceEndpoint(endpoint.service.clone());
        for tag in endpoint_tags(endpoint) {
            let known = tag.as_deref().and_then(|tag| self.tags.prefixes(tag));
            if let Some(prefixes) = known {
                for prefix in prefixes {
                    self.add(&endpoint.service, *prefix, source, &hop);
                }
            } else {
                let name = tag.unwrap_or_else(|| endpoint.service.clone());
                self.doubt(
                    &endpoint.service,
                    source,
                    &hop,
                    AddressSet::public(),
                    Doubt::UnresolvedTag(name),
                );
            }
        }
    }

    fn user(&mut self, route: &Route) {
        let hop = Hop::of(route);
        let source = RouteSource::User;
        if let Ok(prefix) = route.address_prefix.trim().parse::<IpNet>() {
            self.add(&route.name, prefix, source, &hop);
            return;
        }
        let Ok(AddressTerm::Name(tag)) = AddressTerm::parse(&route.address_prefix) else {
            let doubt = Doubt::InvalidAddress(route.address_prefix.clone());
            self.doubt(&route.name, source, &hop, AddressSet::all(), doubt);
            return;
        };
        let Some(prefixes) = self.tags.prefixes(&tag) else {
            let doubt = Doubt::UnresolvedTag(tag);
            self.doubt(&route.name, source, &hop, AddressSet::public(), doubt);
            return;
        };
        self.routes
            .extend(prefixes.iter().map(|prefix| EffectiveRoute {
                name: route.name.clone(),
                prefix: prefix.trunc(),
                tag: Some(tag.clone()),
                source,
                hop: hop.clone(),
            }));
    }

    /// Two user routes for one prefix with different hops: Azure refuses them, so which one holds is not known.
    fn contradictions(&mut self) {
        let mut users: Vec<&EffectiveRoute> = self
            .routes
            .iter()
            .filter(|route| route.source == RouteSource::User && route.tag.is_none())
            .collect();
        users.order_by_key(|route| route.prefix);
        let open: Vec<OpenRoute> = users
            .chunk_by(|a, b| a.prefix == b.prefix)
            .filter(|same| {
                same.iter()
                    .any(|r| same.first().is_some_and(|f| f.hop != r.hop))
            })
            .flatten()
            .map(|route| OpenRoute {
                name: route.name.clone(),
                source: route.source,
                hop: Some(route.hop.clone()),
                within: route.prefix.into(),
                doubt: Some(Doubt::SamePriority),
            })
            .collect();
        self.open.extend(open);
    }

    /// 0.0.0.0/0 to the internet, `::/0` where the network has IPv6, and the private ranges, which a user-defined
    /// default route removes (R3.3).
    fn system_defaults(&mut self) {
        let has_user_default = self.routes.iter().any(|route| {
            route.source == RouteSource::User && route.prefix == IpNet::V4(Ipv4Net::default())
        });
        let has_v6 = self.routes.iter().any(|route| {
            matches!(route.prefix, IpNet::V6(_))
                && route.source == RouteSource::System(SystemRoute::VirtualNetwork)
        });
        let source = RouteSource::System(SystemRoute::Default);
        self.add("", Ipv4Net::default().into(), source, &Hop::Internet);
        if has_v6 {
            self.add("", Ipv6Net::default().into(), source, &Hop::Internet);
        }
        if has_user_default {
            return;
        }
        for (address, length) in PRIVATE_RANGES {
            if let Ok(net) = Ipv4Net::new(address.into(), length) {
                let source = RouteSource::System(SystemRoute::PrivateRange);
                self.add("", net.into(), source, &Hop::None);
            }
        }
    }
}

/// The service tags whose prefixes a service endpoint routes, one per location; `None` for a service whose tag is not
/// known.
fn endpoint_tags(endpoint: &ServiceEndpoint) -> Vec<Option<String>> {
    const TAGS: [(&str, &str); 10] = [
        ("Microsoft.AzureActiveDirectory", "AzureActiveDirectory"),
        ("Microsoft.AzureCosmosDB", "AzureCosmosDB"),
        ("Microsoft.ContainerRegistry", "AzureContainerRegistry"),
        ("Microsoft.EventHub", "EventHub"),
        ("Microsoft.KeyVault", "AzureKeyVault"),
        ("Microsoft.ServiceBus", "ServiceBus"),
        ("Microsoft.Sql", "Sql"),
        ("Microsoft.Storage", "Storage"),
        ("Microsoft.Storage.Global", "Storage"),
        ("Microsoft.Web", "AppService"),
    ];
    let tag = TAGS
        .iter()
        .find(|(service, _)| service.eq_ignore_ascii_case(&endpoint.service))
        .map(|(_, tag)| *tag);
    let everywhere =
        endpoint.locations.is_empty() || endpoint.locations.iter().any(|l| l.trim() == "*");
    if everywhere {
        return vec![tag.map(str::to_owned)];
    }
    endpoint
        .locations
        .iter()
        .map(|location| tag.map(|tag| format!("{tag}.{}", location.replace(' ', ""))))
        .collect()
}

/// Whether a prefix is the default route of a family.
pub(super) fn is_default(prefix: IpNet, family: Family) -> bool {
    prefix.prefix_len() == 0 && matches!(prefix, IpNet::V4(_)) == (family == Family::V4)
}
