//! The virtual networks and subnets that the agent pools use.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::read::Field;
use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    AgentPool, Datum, Id, PoolSubnets, RouteTable, Subnet, VirtualNetwork,
};
use futures::future::join_all;

use crate::convert;
use crate::hops::segment::{Segment, segments};
use crate::outcome::{Listing, converted, unknown};
use crate::reader::{Reader, keyed};

/// The pools' networks as far as they could be read.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    pub(crate) pool_subnets: BTreeMap<String, PoolSubnets>,
    pub(crate) vnets: BTreeMap<Id, Datum<VirtualNetwork>>,
    pub(crate) subnets: BTreeMap<Id, Datum<Subnet>>,
    /// All subnets of these networks, not only the pools'.
    pub(crate) segments: Vec<Segment>,
}

impl Networks {
    /// What is attached to the subnets, each resource once.
    pub(crate) fn attached(&self, which: impl Fn(&Subnet) -> &Option<Id>) -> BTreeSet<Id> {
        self.subnets
            .values()
            .filter_map(Datum::as_known)
            .filter_map(|subnet| which(subnet).clone())
            .collect()
    }
}

/// Reads route tables.
pub(crate) async fn route_tables(
    reader: Reader<'_>,
    ids: BTreeSet<Id>,
) -> BTreeMap<Id, Datum<RouteTable>> {
    let each = ids.into_iter().map(|id| async move {
        let answer = reader.get(&operations::ROUTE_TABLE_GET, &id, &[]).await;
        (id, converted(answer, convert::route_table))
    });
    keyed(join_all(each).await)
}

/// Reads the networks of `pools` and of an API server with a subnet of its own, each virtual network once: its answer
/// carries the subnets. Pools that name no subnet are in AKS's own network in the node resource group.
pub(crate) async fn read(
    reader: Reader<'_>,
    pools: &[AgentPool],
    api_server: Option<&Id>,
    node_group: Option<&Id>,
) -> Networks {
    let named: BTreeSet<Id> = pools
        .iter()
        .flat_map(|pool| [&pool.vnet_subnet_id, &pool.pod_subnet_id])
        .flatten()
        .chain(api_server)
        .cloned()
        .collect();
    let own = join_all(
        by_network(&named)
            .into_iter()
            .map(|(network, subnets)| read_network(reader, network, subnets)),
    );
    let aks_made = async {
        if pools.iter().any(|pool| pool.vnet_subnet_id.is_none()) {
            read_aks_network(reader, node_group).await
        } else {
            (
                Datum::not_asked("every pool names its subnet"),
                Networks::default(),
            )
        }
    };
    let (own, (aks_subnet, aks_made)) = futures::join!(own, aks_made);

    let mut all = aks_made;
    for network in own {
        all.vnets.extend(network.vnets);
        all.subnets.extend(network.subnets);
        all.segments.extend(network.segments);
    }
    all.pool_subnets = pools
        .iter()
        .map(|pool| {
            let node = match &pool.vnet_subnet_id {
                Some(id) => Datum::Known(id.clone()),
                None => aks_subnet.clone(),
            };
            let pod = pool.pod_subnet_id.clone();
            (pool.name.clone(), PoolSubnets { node, pod })
        })
        .collect();
    all
}

/// The subnets of each virtual network. An id that is no subnet's is its own network: reading it says so.
fn by_network(subnets: &BTreeSet<Id>) -> BTreeMap<Id, BTreeSet<Id>> {
    let mut networks: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    for subnet in subnets {
        let network = subnet.parent().unwrap_or_else(|| subnet.clone());
        networks.entry(network).or_default().insert(subnet.clone());
    }
    networks
}

async fn read_network(reader: Reader<'_>, network: Id, wanted: BTreeSet<Id>) -> Networks {
    let answer: Datum<model::VirtualNetwork> = reader
        .get(&operations::VIRTUAL_NETWORK_GET, &network, &[])
        .await;
    // Rights may be given on the subnets alone: AKS needs no more than that of a caller's own network.
    let subnets = if let Datum::Denied { .. } = &answer {
        read_subnets(reader.next_wave(), wanted).await
    } else {
        let inline = inline_subnets(&answer);
        wanted
            .into_iter()
            .map(|id| (id.clone(), inline.of(&id)))
            .collect()
    };
    Networks {
        pool_subnets: BTreeMap::new(),
        segments: segments(&answer),
        vnets: BTreeMap::from([(network, converted(answer, convert::virtual_network))]),
        subnets,
    }
}

async fn read_subnets(reader: Reader<'_>, ids: BTreeSet<Id>) -> BTreeMap<Id, Datum<Subnet>> {
    let each = ids.into_iter().map(|id| async move {
        let answer = reader.get(&operations::SUBNET_GET, &id, &[]).await;
        (id, converted(answer, convert::subnet))
    });
    keyed(join_all(each).await)
}

/// The subnets inside a virtual network's answer.
fn inline_subnets(answer: &Datum<model::VirtualNetwork>) -> Listing<Subnet> {
    match answer {
        Datum::Known(network) => match network.properties.as_ref() {
            Some(p) => {
                let damaged = p.subnets.is_damaged();
                Listing::of_items(p.subnets.iter().map(Some), damaged, convert::subnet)
            }
            None => Listing::unread(&crate::outcome::malformed::<()>()),
        },
        other => Listing::unread(other),
    }
}

/// The network that AKS made in the node resource group, and the id of its node subnet.
async fn read_aks_network(reader: Reader<'_>, node_group: Option<&Id>) -> (Datum<Id>, Networks) {
    let Some(node_group) = node_group else {
        let why = "the cluster names no node resource group";
        return (Datum::not_asked(why), Networks::default());
    };
    let answer = reader
        .list::<model::VirtualNetwork>(&operations::VIRTUAL_NETWORKS_LIST, node_group)
        .await;
    let networks = match answer {
        Datum::Known(networks) => networks,
        other => return (unknown(&other), Networks::default()),
    };
    let Some(network) = aks_network(&networks) else {
        let damaged = networks.iter().any(|network| network.is_none());
        let outcome = if damaged {
            crate::outcome::malformed()
        } else {
            Datum::Absent
        };
        return (outcome, Networks::default());
    };
    let answer = Datum::Known(network.clone());
    let inline = inline_subnets(&answer);
    let subnet = aks_subnet(&inline);
    let subnets = match &subnet {
        Datum::Known(id) => BTreeMap::from([(id.clone(), inline.of(id))]),
        _ => BTreeMap::new(),
    };
    let segments = segments(&answer);
    let vnets = convert::id(&network.id)
        .map(|id| (id, converted(answer, convert::virtual_network)))
        .into_iter()
        .collect();
    let networks = Networks {
        pool_subnets: BTreeMap::new(),
        vnets,
        subnets,
        segments,
    };
    (subnet, networks)
}

/// AKS calls its network `aks-vnet-…`.
fn aks_network(networks: &[Field<model::VirtualNetwork>]) -> Option<&model::VirtualNetwork> {
    networks.iter().filter_map(|n| n.as_ref()).find(|network| {
        let name = convert::id(&network.id).map(|id| id.name().to_ascii_lowercase());
        name.is_some_and(|name| name.starts_with("aks-vnet-"))
    })
}

/// AKS calls the nodes' subnet in it `aks-subnet`.
fn aks_subnet(subnets: &Listing<Subnet>) -> Datum<Id> {
    subnets
        .items
        .keys()
        .find(|id| id.name().eq_ignore_ascii_case("aks-subnet"))
        .map_or_else(
            || subnets.of(&Id::new("aks-subnet")).map(|subnet| subnet.id),
            |id| Datum::Known(id.clone()),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_is_read_once() {
        let subnets = [
            "/x/providers/Microsoft.Network/virtualNetworks/v/subnets/a",
            "/X/providers/Microsoft.Network/virtualNetworks/V/subnets/b",
            "/x/providers/Microsoft.Network/virtualNetworks/v/subnets/A",
            "/x/providers/Microsoft.Network/virtualNetworks/w/subnets/a",
        ];
        let networks = by_network(&subnets.into_iter().map(Id::new).collect());
        let sizes: Vec<_> = networks
            .iter()
            .map(|(network, subnets)| (network.name().to_ascii_lowercase(), subnets.len()))
            .collect();
        assert_eq!(sizes, [("v".to_owned(), 2), ("w".to_owned(), 1)]);
    }

    fn listed(body: &str) -> Vec<Field<model::VirtualNetwork>> {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn the_aks_network_is_found_in_any_case_among_others() {
        let networks = listed(
            r#"[null,{"id":"/g/mine","properties":{}},{"id":"/g/AKS-VNET-12345678","properties":{"subnets":[
                {"id":"/g/AKS-VNET-12345678/subnets/other","properties":{}},
                {"id":"/g/AKS-VNET-12345678/subnets/AKS-Subnet","properties":{"natGateway":{"id":"/ng"}}}]}}]"#,
        );
        let network = aks_network(&networks).unwrap();
        let inline = inline_subnets(&Datum::Known(network.clone()));
        let Datum::Known(id) = aks_subnet(&inline) else {
            panic!("the subnet is there")
        };
        assert_eq!(id.name(), "AKS-Subnet");
        let subnet = inline.of(&id);
        assert_eq!(
            subnet.as_known().unwrap().nat_gateway_id,
            Some(Id::new("/ng"))
        );
    }

    #[test]
    fn an_aks_network_without_its_subnet_is_not_guessed_about() {
        let whole = r#"{"id":"/g/aks-vnet-1","properties":{"subnets":[{"id":"/g/aks-vnet-1/subnets/other","properties":{}}]}}"#;
        let inline =
            |body: &str| inline_subnets(&Datum::Known(serde_json::from_str(body).unwrap()));
        assert_eq!(aks_subnet(&inline(whole)), Datum::Absent);
        let damaged = r#"{"id":"/g/aks-vnet-1","properties":{"subnets":"?"}}"#;
        assert_eq!(aks_subnet(&inline(damaged)), crate::outcome::malformed());
        assert!(aks_network(&listed(r#"[{"id":"/g/mine"}]"#)).is_none());
    }
}
