//! What is read, in which order. Each read starts as soon as what it needs is there; nothing waits for a whole wave.
//!
//! | wave | needs | reads |
//! |---|---|---|
//! | 1 | the request | the cluster; the endpoints it requires |
//! | 2 | the cluster | node resource group; its load balancers, scale sets, public IPs; the pools' virtual networks; addresses that the profiles name in other groups |
//! | 3 | networks, scale sets, load balancer | route tables; security groups; NAT gateways and the addresses of their groups; scale set NICs; metrics |
//!
//! A wave is added only where Azure's answers force it: a cluster body without agent pools (the pool list comes first), a
//! virtual network that may not be read (its subnets are asked one by one), a NAT gateway with an address in yet another
//! resource group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use egress_arm::{ArmError, model, operations};
use egress_diagnosis::facts::{
    AgentPool, Cluster, Datum, EgressEndpoint, Facts, Id, LoadBalancer, NatGateway, Nsg,
    ResourceGroup, RouteTable, ScaleSet, ScaleSetNic,
};
use futures::future::join_all;
use futures::{FutureExt, try_join};

use crate::Request;
use crate::addresses::{self, Addresses};
use crate::convert;
use crate::metrics::{load_balancer_metrics, nat_gateway_metrics};
use crate::networks::{self, Networks};
use crate::outcome::{Listing, converted, converted_list, malformed, unknown};
use crate::reader::Reader;

const NO_NODE_GROUP: &str = "the cluster names no node resource group";

/// The first wave, and everything that follows from the cluster.
pub(crate) async fn facts(reader: Reader<'_>, request: &Request) -> Result<Facts, ArmError> {
    let cluster = async {
        let answer = reader
            .try_get(&operations::CLUSTER_GET, &request.cluster)
            .await?;
        Ok(of_cluster(reader.next_wave(), request, &answer).await)
    };
    let endpoints = egress_endpoints(reader, request).map(Ok);
    let (facts, egress_endpoints) = try_join!(cluster.boxed(), endpoints.boxed())?;
    Ok(Facts {
        egress_endpoints,
        ..facts
    })
}

async fn egress_endpoints(reader: Reader<'_>, request: &Request) -> Datum<Vec<EgressEndpoint>> {
    let cluster = Id::new(request.cluster.as_str());
    let answer = reader
        .list::<model::EgressEndpointCategory>(&operations::EGRESS_ENDPOINTS_LIST, &cluster)
        .await;
    let categories = converted_list(answer, |category| Some(category.clone()));
    converted(categories, |categories| {
        convert::egress_endpoints(categories)
    })
}

/// The second wave and what follows from each of its answers.
async fn of_cluster(
    reader: Reader<'_>,
    request: &Request,
    answer: &model::Whole<model::ManagedClusterProperties>,
) -> Facts {
    let cluster = convert::cluster(&request.cluster, answer);
    let group = cluster
        .node_resource_group
        .as_deref()
        .map(|group| addresses::group_id(&cluster.subscription_id, group));
    let group = group.as_ref();
    let named = addresses::named_by_profiles(&cluster);

    // Shared: more than one read waits for each of these.
    let networks = networks_of(reader, &cluster, &answer.properties, group)
        .map(Arc::new)
        .boxed()
        .shared();
    let scale_sets = scale_sets(reader, group).map(Arc::new).boxed().shared();
    let load_balancer = load_balancer(reader, group).map(Arc::new).boxed().shared();

    let scale_set_nics = async {
        let sets = scale_sets.clone().await;
        scale_set_nics(reader.next_wave(), &sets).await
    };
    let route_tables = async {
        let pools = networks.clone().await;
        route_tables(pools.next, &pools.networks).await
    };
    let nsgs = async {
        let pools = networks.clone().await;
        let of_subnets = pools.networks.attached(|subnet| &subnet.nsg_id);
        let of_models = async {
            let sets = scale_sets.clone().await;
            let sets = sets.as_known().into_iter().flatten();
            let others = sets.flat_map(|set| &set.nsg_ids).cloned().collect();
            let others: BTreeSet<Id> = &others - &of_subnets;
            nsgs(pools.next, others).await
        };
        let (mut all, of_models) = futures::join!(nsgs(pools.next, of_subnets.clone()), of_models);
        all.extend(of_models);
        all
    };
    let load_balancer_metrics = async {
        let lb = load_balancer.clone().await;
        load_balancer_metrics(reader.next_wave(), &cluster, &lb).await
    };
    let nat_gateway_metrics = async {
        let pools = networks.clone().await;
        let gateways = pools.networks.attached(|subnet| &subnet.nat_gateway_id);
        nat_gateway_metrics(pools.next, &cluster, &gateways).await
    };

    // Addresses: of the node resource group by list, of other groups by id as soon as something names them.
    let node_ips = node_group_ips(reader, group).map(Arc::new).boxed().shared();
    let of_profiles = {
        let others = named
            .iter()
            .filter(|id| !addresses::is_listed_in(id, group));
        addresses::by_id(reader, others.cloned().collect::<Vec<_>>())
    }
    .map(Arc::new)
    .boxed()
    .shared();
    let of_frontends = async {
        let lb = load_balancer.clone().await;
        let ids = addresses::named_by_frontends(&lb);
        let others = ids
            .iter()
            .filter(|id| !addresses::is_listed_in(id, group) && !named.contains(id));
        let others: Vec<Id> = others.cloned().collect();
        let others = addresses::by_id(reader.next_wave(), others).await;
        (ids, others)
    };
    let nat_gateways = async {
        let pools = networks.clone().await;
        let ids = pools.networks.attached(|subnet| &subnet.nat_gateway_id);
        let groups: BTreeSet<Id> = ids
            .iter()
            .filter_map(addresses::group_of)
            .filter(|of_gateway| Some(of_gateway) != group)
            .collect();
        let (gateways, groups) = futures::join!(
            nat_gateways(pools.next, ids),
            addresses::of_groups(pools.next, groups)
        );
        let named = addresses::named_by_gateways(gateways.values());
        let (in_node_group, others): (BTreeSet<Id>, BTreeSet<Id>) = named
            .into_iter()
            .partition(|id| addresses::is_listed_in(id, group));
        let read_already = of_profiles.clone().await;
        let others =
            addresses::of_gateways(pools.next.next_wave(), others, &groups, &read_already).await;
        (gateways, in_node_group, others)
    };

    let (first, second, third) = futures::join!(
        async {
            futures::join!(
                node_resource_group(reader, group),
                node_ips.clone(),
                of_profiles.clone(),
                networks.clone(),
                scale_sets.clone(),
                load_balancer.clone(),
            )
        }
        .boxed(),
        async {
            futures::join!(
                route_tables,
                nsgs,
                scale_set_nics,
                nat_gateways,
                of_frontends
            )
        }
        .boxed(),
        async { futures::join!(load_balancer_metrics, nat_gateway_metrics) }.boxed(),
    );
    let (node_resource_group, node_ips, of_profiles, pools, scale_sets, load_balancer) = first;
    let (route_tables, nsgs, scale_set_nics, nat_gateways, of_frontends) = second;
    let (mut metrics, nat_gateway_metrics) = third;
    metrics.extend(nat_gateway_metrics);

    let (nat_gateways, of_gateways, gateway_addresses) = nat_gateways;
    let (of_frontends, frontend_addresses) = of_frontends;
    let mut all = Addresses {
        ips: node_ips.items.clone(),
        prefixes: BTreeMap::new(),
    };
    // Named, in the node resource group, and not in its list: absent, or as unknown as the list is.
    let listed = named.iter().chain(&of_frontends).chain(&of_gateways);
    for id in listed.filter(|id| addresses::is_listed_in(id, group)) {
        all.ips.insert(id.clone(), node_ips.of(id));
    }
    all.extend((*of_profiles).clone());
    all.extend(frontend_addresses);
    all.extend(gateway_addresses);

    Facts {
        asked_at: request.asked_at,
        window: request.window,
        cluster: cluster.clone(),
        agent_pools: pools.agent_pools.clone(),
        egress_endpoints: Datum::not_asked("read beside the cluster"),
        node_resource_group,
        pool_subnets: pools.networks.pool_subnets.clone(),
        virtual_networks: pools.networks.virtual_networks.clone(),
        subnets: pools.networks.subnets.clone(),
        route_tables,
        nsgs,
        nat_gateways,
        public_ips: all.ips,
        public_ip_prefixes: all.prefixes,
        load_balancer: (*load_balancer).clone(),
        scale_sets: (*scale_sets).clone(),
        scale_set_nics,
        metrics,
    }
}

/// The pools, their networks, and the reader for what hangs on them.
struct PoolNetworks<'a> {
    agent_pools: Datum<Vec<AgentPool>>,
    networks: Networks,
    next: Reader<'a>,
}

async fn networks_of<'a>(
    reader: Reader<'a>,
    cluster: &Cluster,
    properties: &model::ManagedClusterProperties,
    group: Option<&Id>,
) -> PoolNetworks<'a> {
    let of_body = convert::agent_pool_profiles(&properties.agent_pool_profiles)
        .filter(|pools| !pools.is_empty());
    let (agent_pools, reader) = match of_body {
        Some(pools) => (Datum::Known(pools), reader),
        None => (
            listed_agent_pools(reader, cluster).await,
            reader.next_wave(),
        ),
    };
    let networks = match &agent_pools {
        Datum::Known(pools) => {
            let api_server = cluster.api_server.subnet_id.as_ref();
            networks::read(reader, pools, api_server, group).await
        }
        _ => Networks::default(),
    };
    // Subnets that had to be asked one by one took a wave of their own.
    let one_by_one = networks
        .virtual_networks
        .values()
        .any(|network| matches!(network, Datum::Denied { .. }));
    let next = if one_by_one {
        reader.next_wave().next_wave()
    } else {
        reader.next_wave()
    };
    PoolNetworks {
        agent_pools,
        networks,
        next,
    }
}

async fn listed_agent_pools(reader: Reader<'_>, cluster: &Cluster) -> Datum<Vec<AgentPool>> {
    let answer = reader
        .list(&operations::AGENT_POOLS_LIST, &cluster.id)
        .await;
    converted_list(answer, convert::agent_pool)
}

async fn node_resource_group(reader: Reader<'_>, group: Option<&Id>) -> Datum<ResourceGroup> {
    let Some(group) = group else {
        return Datum::not_asked(NO_NODE_GROUP);
    };
    let answer: Datum<model::ResourceGroup> = reader
        .get(&operations::RESOURCE_GROUP_GET, group, &[])
        .await;
    converted(answer, |answer| {
        Some(convert::resource_group(group.name(), answer))
    })
}

async fn node_group_ips(
    reader: Reader<'_>,
    group: Option<&Id>,
) -> Listing<egress_diagnosis::facts::PublicIp> {
    match group {
        Some(group) => addresses::ips_of_group(reader, group).await,
        None => Listing::unread(&Datum::<()>::not_asked(NO_NODE_GROUP)),
    }
}

async fn scale_sets(reader: Reader<'_>, group: Option<&Id>) -> Datum<Vec<ScaleSet>> {
    let Some(group) = group else {
        return Datum::not_asked(NO_NODE_GROUP);
    };
    let answer = reader.list(&operations::SCALE_SETS_LIST, group).await;
    converted_list(answer, convert::scale_set)
}

async fn load_balancer(reader: Reader<'_>, group: Option<&Id>) -> Datum<LoadBalancer> {
    let Some(group) = group else {
        return Datum::not_asked(NO_NODE_GROUP);
    };
    let answer = reader.list(&operations::LOAD_BALANCERS_LIST, group).await;
    let listing = Listing::new(answer, convert::load_balancer);
    aks_load_balancer(&listing)
}

/// AKS calls the load balancer that carries outbound traffic `kubernetes`.
fn aks_load_balancer(listing: &Listing<LoadBalancer>) -> Datum<LoadBalancer> {
    listing
        .items
        .iter()
        .find(|(id, _)| id.name().eq_ignore_ascii_case("kubernetes"))
        .map_or_else(
            || listing.of(&Id::new("kubernetes")),
            |(_, load_balancer)| load_balancer.clone(),
        )
}

async fn scale_set_nics(
    reader: Reader<'_>,
    sets: &Datum<Vec<ScaleSet>>,
) -> BTreeMap<Id, Datum<Vec<ScaleSetNic>>> {
    let each = sets.as_known().into_iter().flatten().map(|set| async move {
        let answer = reader.list(&operations::SCALE_SET_NICS_LIST, &set.id).await;
        (
            set.id.clone(),
            converted_list(answer, convert::scale_set_nic),
        )
    });
    join_all(each).await.into_iter().collect()
}

async fn route_tables(reader: Reader<'_>, networks: &Networks) -> BTreeMap<Id, Datum<RouteTable>> {
    let ids = networks.attached(|subnet| &subnet.route_table_id);
    let each = ids.into_iter().map(|id| async move {
        let answer = reader.get(&operations::ROUTE_TABLE_GET, &id, &[]).await;
        (id, converted(answer, convert::route_table))
    });
    join_all(each).await.into_iter().collect()
}

async fn nsgs(reader: Reader<'_>, ids: BTreeSet<Id>) -> BTreeMap<Id, Datum<Nsg>> {
    let each = ids.into_iter().map(|id| async move {
        let operation = &operations::NETWORK_SECURITY_GROUP_GET;
        let answer = reader.get(operation, &id, &[]).await;
        (id, converted(answer, convert::nsg))
    });
    join_all(each).await.into_iter().collect()
}

async fn nat_gateways(reader: Reader<'_>, ids: BTreeSet<Id>) -> BTreeMap<Id, Datum<NatGateway>> {
    let each = ids.into_iter().map(|id| async move {
        let answer = reader.get(&operations::NAT_GATEWAY_GET, &id, &[]).await;
        (id, converted(answer, convert::nat_gateway))
    });
    join_all(each).await.into_iter().collect()
}
