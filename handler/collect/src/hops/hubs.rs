//! Whether the pools' networks are connected to the virtual hub of a firewall. Without that, an address that the firewall
//! has in its hub says nothing: hubs may repeat each other's address spaces.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::{model, operations};
use egress_diagnosis::facts::{AzureFirewall, Datum, HopOwner, Id};
use futures::future::join_all;

use crate::convert;
use crate::outcome::{converted_list, unknown};
use crate::reader::Reader;

/// The networks connected to the hubs of these firewalls, by hub.
pub(super) async fn connections(
    reader: Reader<'_>,
    firewalls: &[&AzureFirewall],
) -> BTreeMap<Id, Datum<Vec<Id>>> {
    let hubs: BTreeSet<&Id> = firewalls
        .iter()
        .filter_map(|firewall| firewall.virtual_hub_id.as_ref())
        .collect();
    let each = hubs.into_iter().map(|hub| async move {
        let answer = reader
            .list::<model::HubConnection>(&operations::HUB_CONNECTIONS_LIST, hub)
            .await;
        let networks = converted_list(answer, |connection| {
            convert::id(&connection.properties.as_ref()?.remote_virtual_network.id)
        });
        (hub.clone(), networks)
    });
    join_all(each).await.into_iter().collect()
}

/// The owner of a hop that a hub's firewall was taken for, now that the connections of its hub are known.
pub(super) fn confirmed(
    owner: Datum<HopOwner>,
    firewalls: &[&AzureFirewall],
    connections: &BTreeMap<Id, Datum<Vec<Id>>>,
    pools: impl Fn(&Id) -> bool,
) -> Datum<HopOwner> {
    let Datum::Known(HopOwner::AzureFirewall(id)) = &owner else {
        return owner;
    };
    let firewall = firewalls.iter().find(|firewall| firewall.id == *id);
    let hub = firewall.and_then(|firewall| firewall.virtual_hub_id.as_ref());
    match hub.and_then(|hub| connections.get(hub)) {
        None => owner,
        Some(Datum::Known(networks)) if networks.iter().any(pools) => owner,
        Some(Datum::Known(_)) => Datum::not_asked(
            "the address is a firewall's in a virtual hub that none of the pools' networks is connected to",
        ),
        Some(other) => unknown(other),
    }
}
