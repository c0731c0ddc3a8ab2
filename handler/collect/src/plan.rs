//! What is read, in which order. Each read starts as soon as what it needs is there; nothing waits for a whole wave.
//!
//! | wave | needs | reads |
//! |---|---|---|
//! | 1 | the request | the cluster; the endpoints it requires |
//! | 2 | the cluster | the node resource group's load balancer, scale sets, public IPs; the pools' virtual networks; addresses that the profiles name in other groups; the node resource group's NICs where a pool has no scale set; CPU, memory and disk space of the nodes |
//! | 3 | networks, scale sets, load balancer | route tables; security groups; security admin rules of the networks; NAT gateways and the addresses of their groups; scale set NICs, and the public addresses of their instances where these have some; metrics |
//!
//! Where a default route leads to an appliance, its owner is looked for as described in `hops`, from wave 3 on: where a
//! pool's subnet has a route table, or the outbound type is `userDefinedRouting`, or a pool's network is connected to a
//! virtual hub.
//!
//! The nodes are looked at closely where the caller asks for it or where their figures give a reason: conditions and Advisor
//! in wave 2 or 3, disks, VM sizes and Resource Health in wave 3 or 4. Nothing else waits for that.
//!
//! Service tags are read in the wave after the rules that name one whose addresses decide something: wave 4, or 5 with a
//! firewall's rules.
//!
//! Where something was found, the activity log of the resource groups that hold it is read after all others, see `changes`.
//!
//! A wave is added only where Azure's answers force it: a cluster body without agent pools (the pool list comes first), a
//! virtual network that may not be read (its subnets are asked one by one), a NAT gateway with an address in yet another
//! resource group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use egress_arm::{ArmError, model, operations};
use egress_diagnosis::facts::{
    AgentPool, CloserLook, Cluster, Datum, EgressEndpoint, Facts, Health, Id, LoadBalancer,
    MachineNic, NatGateway, Nsg, OutboundType, PublicIp, ResourceMetrics, RouteTable, ScaleSet,
    ScaleSetNic, SecurityAdminRule, ServiceTagList,
};
use futures::future::{BoxFuture, Shared, join_all};
use futures::{FutureExt, try_join};
use tokio::sync::oneshot;

use crate::Request;
use crate::addresses::{self, Addresses};
use crate::admin_rules;
use crate::convert;
use crate::hops::{self, Hops, Search};
use crate::metrics::{load_balancer_metrics, nat_gateway_metrics};
use crate::networks::{self, Networks};
use crate::outcome::{Listing, converted, converted_list, unknown};
use crate::pressure::{self, Around, Nodes};
use crate::reader::{Reader, keyed};
use crate::tags::{self, Announced, Wanted};

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

/// A read whose answer more than one other read waits for.
pub(crate) type Once<'a, T> = Shared<BoxFuture<'a, Arc<T>>>;

pub(crate) fn once<'a, T: 'a>(read: impl Future<Output = T> + Send + 'a) -> Once<'a, T> {
    read.map(Arc::new).boxed().shared()
}

/// The second wave and what follows from each of its answers.
#[expect(
    clippy::too_many_lines,
    reason = "the plan, read from top to bottom; every read is a function of its own"
)]
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
    let named_elsewhere: Vec<Id> = named
        .iter()
        .filter(|id| !addresses::is_listed_in(id, group))
        .cloned()
        .collect();

    // Needs the cluster.
    let agent_pools = once(agent_pools(reader, &cluster, &answer.properties));
    let pools = once(pool_networks(agent_pools.clone(), &cluster, group));
    let machine_nics = once(machine_nics(agent_pools, group));
    let scale_sets = once(scale_sets(reader, group));
    let load_balancer = once(load_balancer(reader, group));
    let node_ips = once(node_group_ips(reader, group));
    let own_addresses = once(addresses::by_id(reader, named_elsewhere));
    let tables = once(pool_routes(pools.clone()));
    let nsgs = once(nsgs(
        pools.clone(),
        scale_sets.clone(),
        machine_nics.clone(),
    ));
    let (announce, firewall_tags) = oneshot::channel();
    let nodes = Nodes::of(reader, request.pressure, &cluster, &answer.properties);
    let look = nodes.look.clone();

    // Needs one of these, each as soon as it is there.
    let next = reader.next_wave();
    let of_group = async {
        futures::join!(
            // Asked for here: nothing else in this wave waits for them, and a read starts when it is first waited for.
            node_ips.clone(),
            own_addresses.clone(),
            machine_nics.clone(),
            scale_set_nics(next, scale_sets.clone()),
            scale_set_public_ips(next, scale_sets.clone()),
            frontend_addresses(next, load_balancer.clone(), group, &named),
            metrics_of_load_balancer(next, &cluster, load_balancer.clone()),
        )
    };
    let around = Around {
        group,
        pools: pools_and_gateways(pools.clone()),
        scale_sets: scale_sets.clone(),
        load_balancer: load_balancer.clone(),
    };
    let of_nodes = nodes.seen(reader, around);
    let of_subnets = async {
        futures::join!(
            hops_and_health(
                &cluster,
                pools.clone(),
                tables.clone(),
                group,
                announce,
                look.clone()
            ),
            service_tags(
                &cluster,
                pools.clone(),
                nsgs.clone(),
                tables.clone(),
                firewall_tags
            ),
            admin_rules(pools.clone()),
            gateways(pools.clone(), group, own_addresses.clone()),
            metrics_of_gateways(&cluster, pools.clone()),
        )
    };
    let (of_group, of_subnets, seen) =
        futures::join!(of_group.boxed(), of_subnets.boxed(), of_nodes.boxed());
    let (node_ips, own_addresses, _, scale_set_nics, scale_set_public_ips, frontends, mut metrics) =
        of_group;
    let ((hops, firewall_health), service_tags, admin_rules, gateways, gateway_metrics) =
        of_subnets;
    metrics.extend(gateway_metrics);
    metrics.extend(seen.metrics);
    let mut pressure = seen.pressure;
    pressure.health.extend(firewall_health);

    // All of these have ended by now.
    let (pools, scale_sets, load_balancer) = futures::join!(pools, scale_sets, load_balancer);
    let (tables, nsgs, machine_nics) = futures::join!(tables, nsgs, machine_nics);
    let named = named
        .iter()
        .chain(&frontends.named)
        .chain(&gateways.named)
        .filter(|id| addresses::is_listed_in(id, group));
    let mut addresses = addresses::of_list(&node_ips, named);
    addresses.extend((*own_addresses).clone());
    addresses.extend(frontends.elsewhere);
    addresses.extend(gateways.elsewhere);
    addresses.extend(hops.addresses);
    metrics.extend(hops.metrics);

    Facts {
        asked_at: request.asked_at,
        window: request.window,
        agent_pools: pools.agent_pools.clone(),
        egress_endpoints: Datum::not_asked("read beside the cluster"),
        pool_subnets: pools.networks.pool_subnets.clone(),
        virtual_networks: over(hops.vnets, &pools.networks.vnets),
        subnets: over(hops.subnets, &pools.networks.subnets),
        route_tables: over(hops.route_tables, &tables),
        nsgs: (*nsgs).clone(),
        admin_rules,
        nat_gateways: over(hops.nat_gateways, &gateways.by_id),
        public_ips: addresses.ips,
        public_ip_prefixes: addresses.prefixes,
        load_balancer: (*load_balancer).clone(),
        scale_sets: (*scale_sets).clone(),
        scale_set_nics,
        scale_set_public_ips,
        machine_nics: (*machine_nics).clone(),
        hub_routing: hops.hub_routing,
        metrics,
        firewalls: hops.firewalls,
        firewall_policies: hops.policies,
        rule_collection_groups: hops.groups,
        ip_groups: hops.ip_groups,
        hops: hops.owners,
        service_tags: tags::reduced(service_tags, &cluster, &nsgs, &tables, hops.tags),
        activity_logs: hops.activity_logs,
        features: reader.features(),
        pressure,
        cluster: cluster.clone(),
    }
}

/// What was read for hops, and over it what was read for the pools.
fn over<T: Clone>(
    hops: BTreeMap<Id, Datum<T>>,
    pools: &BTreeMap<Id, Datum<T>>,
) -> BTreeMap<Id, Datum<T>> {
    let mut all = hops;
    all.extend(pools.clone());
    all
}

/// The pools, and the reader for what they name.
struct Pools<'a> {
    agent_pools: Datum<Vec<AgentPool>>,
    next: Reader<'a>,
}

async fn agent_pools<'a>(
    reader: Reader<'a>,
    cluster: &Cluster,
    properties: &model::ManagedClusterProperties,
) -> Pools<'a> {
    let of_body = convert::agent_pool_profiles(&properties.agent_pool_profiles)
        .filter(|pools| !pools.is_empty());
    match of_body {
        Some(pools) => Pools {
            agent_pools: Datum::Known(pools),
            next: reader,
        },
        None => Pools {
            agent_pools: listed_agent_pools(reader, cluster).await,
            next: reader.next_wave(),
        },
    }
}

/// The NICs of the node resource group, where a pool's nodes are machines without a scale set.
async fn machine_nics(pools: Once<'_, Pools<'_>>, group: Option<&Id>) -> Datum<Vec<MachineNic>> {
    let pools = pools.await;
    let bodies = match &pools.agent_pools {
        Datum::Known(bodies) => bodies,
        other => return unknown(other),
    };
    if !bodies.iter().any(AgentPool::is_machines) {
        return Datum::not_asked("no pool is of type VirtualMachines");
    }
    let Some(group) = group else {
        return Datum::not_asked(NO_NODE_GROUP);
    };
    let operation = &operations::NETWORK_INTERFACES_LIST;
    let answer = pools.next.list(operation, group).await;
    converted_list(answer, convert::machine_nic)
}

async fn pools_and_gateways(
    pools: Once<'_, PoolNetworks<'_>>,
) -> (Datum<Vec<AgentPool>>, BTreeSet<Id>) {
    let pools = pools.await;
    let gateways = pools.networks.attached(|subnet| &subnet.nat_gateway_id);
    (pools.agent_pools.clone(), gateways)
}

/// The pools, their networks, and the reader for what hangs on them.
struct PoolNetworks<'a> {
    agent_pools: Datum<Vec<AgentPool>>,
    networks: Networks,
    next: Reader<'a>,
}

async fn pool_networks<'a>(
    pools: Once<'a, Pools<'a>>,
    cluster: &Cluster,
    group: Option<&Id>,
) -> PoolNetworks<'a> {
    let pools = pools.await;
    let (agent_pools, reader) = (pools.agent_pools.clone(), pools.next);
    let networks = match &agent_pools {
        Datum::Known(pools) => {
            let api_server = cluster.api_server.subnet_id.as_ref();
            networks::read(reader, pools, api_server, group).await
        }
        _ => Networks::default(),
    };
    // Subnets that had to be asked one by one took a wave of their own.
    let one_by_one = networks
        .vnets
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

async fn node_group_ips(reader: Reader<'_>, group: Option<&Id>) -> Listing<PublicIp> {
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

/// AKS calls the load balancer that carries outbound traffic `kubernetes` (R1.28, R1.32). Asked for by its name: a list
/// of load balancers ends in an empty page, which would cost the metrics another wave.
async fn load_balancer(reader: Reader<'_>, group: Option<&Id>) -> Datum<LoadBalancer> {
    let Some(group) = group else {
        return Datum::not_asked(NO_NODE_GROUP);
    };
    let id = Id::new(format!(
        "{group}/providers/Microsoft.Network/loadBalancers/kubernetes"
    ));
    let answer = reader.get(&operations::LOAD_BALANCER_GET, &id, &[]).await;
    converted(answer, convert::load_balancer)
}

async fn scale_set_nics(
    reader: Reader<'_>,
    sets: Once<'_, Datum<Vec<ScaleSet>>>,
) -> BTreeMap<Id, Datum<Vec<ScaleSetNic>>> {
    let sets = sets.await;
    let each = sets.as_known().into_iter().flatten().map(|set| async move {
        let operation = &operations::SCALE_SET_NICS_LIST;
        let answer = reader.list(operation, &set.id).await;
        (
            set.id.clone(),
            converted_list(answer, convert::scale_set_nic),
        )
    });
    keyed(join_all(each).await)
}

/// The nodes' own public addresses, where a scale set's model gives its instances one.
async fn scale_set_public_ips(
    reader: Reader<'_>,
    sets: Once<'_, Datum<Vec<ScaleSet>>>,
) -> BTreeMap<Id, Datum<Vec<PublicIp>>> {
    let sets = sets.await;
    let sets = sets.as_known().into_iter().flatten();
    let each = sets
        .filter(|set| set.instance_public_ip)
        .map(|set| async move {
            let operation = &operations::SCALE_SET_PUBLIC_IPS_LIST;
            let answer = reader.list(operation, &set.id).await;
            (set.id.clone(), converted_list(answer, convert::public_ip))
        });
    keyed(join_all(each).await)
}

async fn metrics_of_load_balancer(
    reader: Reader<'_>,
    cluster: &Cluster,
    load_balancer: Once<'_, Datum<LoadBalancer>>,
) -> ResourceMetrics {
    load_balancer_metrics(reader, cluster, &*load_balancer.await).await
}

/// Addresses that something names: what, and those that had to be read one by one.
struct Named {
    named: BTreeSet<Id>,
    elsewhere: Addresses,
}

/// The addresses of the load balancer's frontends, as far as they are neither in the node resource group nor among `known`.
async fn frontend_addresses(
    reader: Reader<'_>,
    load_balancer: Once<'_, Datum<LoadBalancer>>,
    group: Option<&Id>,
    known: &BTreeSet<Id>,
) -> Named {
    let named = addresses::named_by_frontends(&*load_balancer.await);
    let others: Vec<Id> = named
        .difference(known)
        .filter(|id| !addresses::is_listed_in(id, group))
        .cloned()
        .collect();
    let elsewhere = addresses::by_id(reader, others).await;
    Named { named, elsewhere }
}

async fn pool_routes(pools: Once<'_, PoolNetworks<'_>>) -> BTreeMap<Id, Datum<RouteTable>> {
    let pools = pools.await;
    let ids = pools.networks.attached(|subnet| &subnet.route_table_id);
    networks::route_tables(pools.next, ids).await
}

/// The owners of the addresses that default routes lead to, and Resource Health of the firewalls among them.
async fn hops_and_health<'a>(
    cluster: &Cluster,
    pools: Once<'a, PoolNetworks<'a>>,
    tables: Once<'_, BTreeMap<Id, Datum<RouteTable>>>,
    group: Option<&Id>,
    announce: oneshot::Sender<Announced<'a>>,
    look: Once<'_, CloserLook>,
) -> (Hops, BTreeMap<Id, Datum<Health>>) {
    let hops = hops(cluster, pools.clone(), tables, group, announce).await;
    let reader = pools.await.next.after_all_so_far();
    let health = pressure::firewall_health(reader, look, hops.owners.values()).await;
    (hops, health)
}

/// The owners of the addresses that default routes lead to.
async fn hops<'a>(
    cluster: &Cluster,
    pools: Once<'a, PoolNetworks<'a>>,
    tables: Once<'_, BTreeMap<Id, Datum<RouteTable>>>,
    group: Option<&Id>,
    announce: oneshot::Sender<Announced<'a>>,
) -> Hops {
    let pools = pools.await;
    let outbound = cluster
        .network
        .as_ref()
        .and_then(|n| n.outbound_type.as_ref());
    let attached = pools.networks.attached(|subnet| &subnet.route_table_id);
    let search = Search {
        cluster,
        networks: &pools.networks,
        expected: outbound == Some(&OutboundType::UserDefinedRouting) || !attached.is_empty(),
        node_group: group,
    };
    hops::read(pools.next, search, tables, announce).await
}

/// The service tags that security groups, route tables and the rules of firewalls name.
async fn service_tags(
    cluster: &Cluster,
    pools: Once<'_, PoolNetworks<'_>>,
    nsgs: Once<'_, BTreeMap<Id, Datum<Nsg>>>,
    tables: Once<'_, BTreeMap<Id, Datum<RouteTable>>>,
    of_firewalls: oneshot::Receiver<Announced<'_>>,
) -> Datum<ServiceTagList> {
    let (pools, nsgs, tables, of_firewalls) = futures::join!(pools, nsgs, tables, of_firewalls);
    let mut named = tags::named(&nsgs, &tables);
    // No announcement: no firewall was looked for whose rules could name one.
    let (reader, wanted) = match of_firewalls {
        Ok(Announced {
            reader,
            wanted: Wanted::Everything,
        }) => (reader, Wanted::Everything),
        Ok(Announced {
            reader,
            wanted: Wanted::Named(more),
        }) if !more.is_empty() => {
            named.extend(more);
            (reader, Wanted::Named(named))
        }
        _ => (pools.next.next_wave(), Wanted::Named(named)),
    };
    tags::read(reader, cluster, wanted).await
}

/// The groups of the subnets, and those that only the scale sets' models or the machines' NICs name.
async fn nsgs(
    pools: Once<'_, PoolNetworks<'_>>,
    sets: Once<'_, Datum<Vec<ScaleSet>>>,
    machines: Once<'_, Datum<Vec<MachineNic>>>,
) -> BTreeMap<Id, Datum<Nsg>> {
    let pools = pools.await;
    let of_subnets = pools.networks.attached(|subnet| &subnet.nsg_id);
    let of_nics = async {
        let (sets, machines) = futures::join!(sets, machines);
        let sets = sets.as_known().into_iter().flatten();
        let machines = machines.as_known().into_iter().flatten();
        // Other machines of the group are none of the cluster's.
        let machines = machines.filter(|nic| nic.pool_name.is_some());
        let named: BTreeSet<Id> = sets
            .flat_map(|set| &set.nsg_ids)
            .chain(machines.filter_map(|nic| nic.nsg_id.as_ref()))
            .cloned()
            .collect();
        read_nsgs(pools.next, &named - &of_subnets).await
    };
    let of_subnets = read_nsgs(pools.next, of_subnets.clone());
    let (mut all, of_nics) = futures::join!(of_subnets, of_nics);
    all.extend(of_nics);
    all
}

async fn read_nsgs(reader: Reader<'_>, ids: BTreeSet<Id>) -> BTreeMap<Id, Datum<Nsg>> {
    let each = ids.into_iter().map(|id| async move {
        let operation = &operations::NETWORK_SECURITY_GROUP_GET;
        let answer = reader.get(operation, &id, &[]).await;
        (id, converted(answer, convert::nsg))
    });
    keyed(join_all(each).await)
}

async fn metrics_of_gateways(
    cluster: &Cluster,
    pools: Once<'_, PoolNetworks<'_>>,
) -> ResourceMetrics {
    let pools = pools.await;
    let ids = pools.networks.attached(|subnet| &subnet.nat_gateway_id);
    nat_gateway_metrics(pools.next, cluster, &ids).await
}

async fn admin_rules(
    pools: Once<'_, PoolNetworks<'_>>,
) -> BTreeMap<Id, Datum<Vec<SecurityAdminRule>>> {
    let pools = pools.await;
    admin_rules::read(pools.next, pools.networks.vnets.keys().cloned()).await
}

/// NAT gateways, and the addresses they name.
struct Gateways {
    by_id: BTreeMap<Id, Datum<NatGateway>>,
    named: BTreeSet<Id>,
    elsewhere: Addresses,
}

/// The subnets' NAT gateways and, beside them, the addresses of their resource groups.
async fn gateways(
    pools: Once<'_, PoolNetworks<'_>>,
    group: Option<&Id>,
    own_addresses: Once<'_, Addresses>,
) -> Gateways {
    let pools = pools.await;
    let ids = pools.networks.attached(|subnet| &subnet.nat_gateway_id);
    let groups: BTreeSet<Id> = ids
        .iter()
        .filter_map(Id::resource_group_id)
        .filter(|of_gateway| Some(of_gateway) != group)
        .collect();
    let (by_id, groups) = futures::join!(
        read_gateways(pools.next, ids),
        addresses::of_groups(pools.next, groups)
    );
    let named = addresses::named_by_gateways(by_id.values());
    let others = named
        .iter()
        .filter(|id| !addresses::is_listed_in(id, group));
    let others = others.cloned().collect();
    let reader = pools.next.next_wave();
    let known = own_addresses.await;
    let elsewhere = addresses::of_gateways(reader, others, &groups, &known).await;
    Gateways {
        by_id,
        named,
        elsewhere,
    }
}

async fn read_gateways(reader: Reader<'_>, ids: BTreeSet<Id>) -> BTreeMap<Id, Datum<NatGateway>> {
    let each = ids.into_iter().map(|id| async move {
        let answer = reader.get(&operations::NAT_GATEWAY_GET, &id, &[]).await;
        (id, converted(answer, convert::nat_gateway))
    });
    keyed(join_all(each).await)
}
