//! Virtual hubs: which one a pool's network is connected to, what default route the hub gives it (R3.14), and whether the
//! firewall of a hub can be a next hop at all.
//!
//! The network of a hub belongs to Azure: it lies in a subscription of Azure's own and nobody can be given rights on it.
//! The hub itself is looked for in the subscriptions of the networks that are connected to one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use egress_arm::operations;
use egress_diagnosis::facts::{
    AzureFirewall, Datum, HopOwner, HubRouting, Id, Peering, RouteTable, Subnet,
};
use futures::future::join_all;
use ipnet::{IpNet, Ipv4Net};

use super::space::{Listings, Space, connected, listings, subscription};
use crate::convert::{self, Connection, Hub};
use crate::networks::Networks;
use crate::outcome::{Listing, converted, converted_list, unknown};
use crate::reader::{Reader, keyed};

/// A pool's network that is connected to a virtual hub.
#[derive(Debug, Clone)]
pub(super) struct Spoke {
    pub(super) network: Id,
    /// The hub's name, as far as the peering tells it.
    hub: Option<String>,
    /// The hub's address space.
    prefixes: Vec<IpNet>,
}

/// Whether a peering is one that a connection to a virtual hub made.
pub(super) fn is_hub(peering: &Peering) -> bool {
    peering.remote.as_ref().and_then(hub_name).is_some()
        || starts_with(&peering.name, "RemoteVnetToHubPeering_")
}

/// The name of the hub whose network this is: Azure calls it `HV_{hub}_{id}`, in resource group `RG_{hub}_{id}`.
fn hub_name(network: &Id) -> Option<&str> {
    let group = network.resource_group()?;
    let (name, _) = network.name().get(3..)?.rsplit_once('_')?;
    let is_one = starts_with(network.name(), "HV_") && starts_with(group, "RG_");
    (is_one && !name.is_empty()).then_some(name)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The pools' networks that are connected to a hub.
pub(super) fn spokes(networks: &Networks) -> Vec<Spoke> {
    let known = networks.vnets.values().filter_map(Datum::as_known);
    known
        .flat_map(|network| {
            let peerings = network.peerings.iter();
            let hubs = peerings.filter(|peering| is_hub(peering) && connected(peering));
            hubs.map(|peering| Spoke {
                network: network.id.clone(),
                hub: peering
                    .remote
                    .as_ref()
                    .and_then(hub_name)
                    .map(str::to_owned),
                prefixes: peering
                    .remote_address_prefixes
                    .iter()
                    .filter_map(|prefix| prefix.parse().ok())
                    .collect(),
            })
        })
        .collect()
}

impl Spoke {
    /// Whether the default route of one of its pools' subnets is the hub's to give: nothing in a route table comes before.
    pub(super) fn depends(
        &self,
        networks: &Networks,
        tables: &BTreeMap<Id, Datum<RouteTable>>,
    ) -> bool {
        let subnets = networks.subnets.iter();
        subnets
            .filter(|(id, _)| id.parent().as_ref() == Some(&self.network))
            .filter_map(|(_, subnet)| subnet.as_known())
            .any(|subnet: &Subnet| match &subnet.route_table_id {
                None => true,
                Some(id) => {
                    let table = tables.get(id).and_then(Datum::as_known);
                    table.is_some_and(|table| {
                        table.disable_bgp_route_propagation != Some(true) && !has_default(table)
                    })
                }
            })
    }

    fn holds(&self, hop: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&hop))
    }
}

/// Whether an address lies in a hub that one of these networks is connected to.
pub(super) fn holds(spokes: &[Spoke], hop: IpAddr) -> bool {
    spokes.iter().any(|spoke| spoke.holds(hop))
}

fn has(firewall: &AzureFirewall, hop: IpAddr) -> bool {
    let mut addresses = firewall.private_ips.iter();
    addresses.any(|text| text.parse() == Ok(hop))
}

fn has_default(table: &RouteTable) -> bool {
    let mut routes = table.routes.iter();
    routes.any(|route| route.address_prefix.trim().parse() == Ok(Ipv4Net::default()))
}

/// The hubs of the subscriptions that the connected networks are in.
#[derive(Debug, Default)]
pub(super) struct Hubs(Listings<Hub>);

impl Hubs {
    pub(super) async fn list(reader: Reader<'_>, spokes: &[Spoke]) -> Self {
        let subscriptions: BTreeSet<String> = spokes
            .iter()
            .filter_map(|spoke| subscription(&spoke.network))
            .collect();
        let operation = &operations::VIRTUAL_HUBS_LIST;
        Self(listings(reader, operation, &subscriptions, convert::virtual_hub).await)
    }

    /// The hubs that may be the one a network is connected to: by name and address space, as far as each is known.
    fn of(&self, spoke: &Spoke) -> Vec<&Hub> {
        let listed = self.0.values().flat_map(|list| list.items.values());
        listed
            .filter_map(Datum::as_known)
            .filter(|hub| {
                let name = spoke.hub.as_deref();
                let named = name.map(|name| hub.id.name().eq_ignore_ascii_case(name));
                let prefix: Option<IpNet> =
                    hub.prefix.as_deref().and_then(|text| text.parse().ok());
                let placed = prefix
                    .filter(|_| !spoke.prefixes.is_empty())
                    .map(|prefix| spoke.prefixes.contains(&prefix));
                // Hubs of one name exist in several resource groups; without either nothing ties the two together.
                named != Some(false) && placed != Some(false) && named.or(placed).is_some()
            })
            .collect()
    }

    /// Why the hub of a network is not known.
    fn missing<T>(&self, spoke: &Spoke) -> Datum<T> {
        let list = subscription(&spoke.network).and_then(|id| self.0.get(&id));
        match list.map(Listing::rest) {
            // The whole list was read, and the hub exists: it is hidden, or in another subscription.
            None | Some(Datum::Absent) => Datum::Denied {
                action: Some(operations::VIRTUAL_HUBS_LIST.action.to_owned()),
                scope: None,
            },
            Some(other) => other,
        }
    }

    /// The hubs that give a default route to one of these networks, or in whose address space a hop lies.
    pub(super) fn wanted(
        &self,
        spokes: &[Spoke],
        dependent: &[Spoke],
        hops: &BTreeSet<IpAddr>,
    ) -> Wanted {
        let giving: Vec<&Hub> = dependent.iter().flat_map(|spoke| self.of(spoke)).collect();
        let holding = spokes
            .iter()
            .filter(|spoke| hops.iter().any(|hop| spoke.holds(*hop)))
            .flat_map(|spoke| self.of(spoke));
        let firewalls = giving.iter().copied().chain(holding);
        Wanted {
            firewalls: firewalls.filter_map(|hub| hub.firewall.clone()).collect(),
            giving: giving.iter().map(|hub| hub.id.clone()).collect(),
        }
    }

    /// Who has an address in a hub's address space.
    pub(super) fn owner(
        &self,
        spokes: &[Spoke],
        firewalls: &BTreeMap<Id, Datum<AzureFirewall>>,
        hop: IpAddr,
    ) -> Datum<HopOwner> {
        let holding: Vec<&Spoke> = spokes.iter().filter(|spoke| spoke.holds(hop)).collect();
        let hubs: Vec<&Hub> = holding.iter().flat_map(|spoke| self.of(spoke)).collect();
        let own = hubs.iter().filter_map(|hub| hub.firewall.as_ref());
        let mut unread = None;
        for (id, body) in own.filter_map(|id| Some((id, firewalls.get(id)?))) {
            match body {
                Datum::Known(body) if has(body, hop) => {
                    return Datum::Known(HopOwner::AzureFirewall(id.clone()));
                }
                Datum::Known(_) => {}
                other => unread = unread.or(Some(unknown(other))),
            }
        }
        let hidden = holding.iter().find(|spoke| self.of(spoke).is_empty());
        unread
            .or_else(|| Some(self.missing(hidden?)))
            .unwrap_or_else(|| {
                Datum::not_asked(
                    "the address is in a virtual hub, of which only the Azure Firewall is looked at",
                )
            })
    }
}

/// What is to be read of hubs.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Hubs whose default route some pool takes.
    pub(super) giving: BTreeSet<Id>,
    /// Firewalls of hubs that may own a hop.
    pub(super) firewalls: BTreeSet<Id>,
}

/// What was read of hubs, by hub.
#[derive(Debug, Default)]
pub(super) struct Routing {
    connections: BTreeMap<Id, Datum<Vec<Connection>>>,
    internet: BTreeMap<Id, Datum<Vec<Id>>>,
}

impl Routing {
    /// Reads the connections of these hubs and of the firewalls' hubs, and the routing intent of those that give a default route.
    pub(super) async fn read(
        reader: Reader<'_>,
        wanted: &Wanted,
        firewalls: &[&AzureFirewall],
    ) -> Self {
        let others = firewalls.iter();
        let others = others.filter_map(|firewall| firewall.virtual_hub_id.clone());
        let hubs = &wanted.giving | &others.collect();
        let connections = hubs.iter().map(|hub| async move {
            let operation = &operations::HUB_CONNECTIONS_LIST;
            let answer = reader.list(operation, hub).await;
            (hub.clone(), converted_list(answer, convert::hub_connection))
        });
        let internet = wanted.giving.iter().map(|hub| async move {
            let operation = &operations::ROUTING_INTENT_LIST;
            let answer = reader.list(operation, hub).await;
            let next_hops = converted_list(answer, convert::internet_next_hops);
            (hub.clone(), next_hops.map(|all| all.concat()))
        });
        let (connections, internet) = futures::join!(join_all(connections), join_all(internet));
        Self {
            connections: keyed(connections),
            internet: keyed(internet),
        }
    }

    /// What the hub of a network does with its internet traffic.
    pub(super) fn of(&self, hubs: &Hubs, spoke: &Spoke) -> Datum<HubRouting> {
        let mut unread = None;
        for hub in hubs.of(spoke) {
            let Some(connections) = self.connections.get(&hub.id) else {
                continue;
            };
            let Datum::Known(connections) = connections else {
                unread = unread.or(Some(unknown(connections)));
                continue;
            };
            let mut connections = connections.iter();
            if let Some(connection) = connections.find(|it| it.network == spoke.network) {
                return self.by(&hub.id, connection.internet_security);
            }
        }
        unread.unwrap_or_else(|| hubs.missing(spoke))
    }

    fn by(&self, hub: &Id, internet_security: Option<bool>) -> Datum<HubRouting> {
        let internet = match self.internet.get(hub) {
            // Without a default route from the hub it does not matter where the hub would send the traffic.
            _ if internet_security == Some(false) => None,
            Some(Datum::Known(next_hops)) => next_hops.first().cloned(),
            Some(other) => return unknown(other),
            None => None,
        };
        Datum::Known(HubRouting {
            hub: hub.clone(),
            internet_security,
            internet,
        })
    }

    /// The owner of a hop that a hub's firewall was taken for, now that the connections of its hub are known. Without one
    /// the address says nothing: hubs may repeat each other's address spaces.
    pub(super) fn confirmed(
        &self,
        owner: Datum<HopOwner>,
        firewalls: &BTreeMap<Id, Datum<AzureFirewall>>,
        pools: impl Fn(&Id) -> bool,
    ) -> Datum<HopOwner> {
        let Datum::Known(HopOwner::AzureFirewall(id)) = &owner else {
            return owner;
        };
        let firewall = firewalls.get(id).and_then(Datum::as_known);
        let hub = firewall.and_then(|firewall| firewall.virtual_hub_id.as_ref());
        match hub.and_then(|hub| self.connections.get(hub)) {
            None => owner,
            Some(Datum::Known(all)) if all.iter().any(|it| pools(&it.network)) => owner,
            Some(Datum::Known(_)) => Datum::not_asked(
                "the address is a firewall's in a virtual hub that none of the pools' networks is connected to",
            ),
            Some(other) => unknown(other),
        }
    }
}

/// The firewalls of hubs that the lists do not hold.
pub(super) async fn unlisted(
    reader: Reader<'_>,
    space: &Space,
    firewalls: &BTreeSet<Id>,
) -> BTreeMap<Id, Datum<AzureFirewall>> {
    let unlisted = firewalls.iter().filter(|id| !space.lists(id));
    let each = unlisted.map(|id| async move {
        let answer = reader.get(&operations::AZURE_FIREWALL_GET, id, &[]).await;
        (id.clone(), converted(answer, convert::azure_firewall))
    });
    keyed(join_all(each).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_names_a_hubs_network_after_the_hub() {
        let id = |group: &str, name: &str| {
            Id::new(format!(
                "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks/{name}"
            ))
        };
        let name = |id: &Id| hub_name(id).map(str::to_owned);
        assert_eq!(
            name(&id("RG_hub_we_1b2c", "HV_hub_we_1b2c")).as_deref(),
            Some("hub_we")
        );
        assert_eq!(name(&id("rg_HUB_1", "hv_HUB_1")).as_deref(), Some("HUB"));
        for (group, network) in [
            ("rg-net", "HV_hub_1"),
            ("RG_hub_1", "vnet-hub"),
            ("RG_hub_1", "HV__1"),
            ("RG_hub_1", "HV_hub"),
            ("RG_hub_1", "HV"),
        ] {
            assert_eq!(name(&id(group, network)), None, "{network}");
        }
    }
}
