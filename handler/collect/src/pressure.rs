//! The nodes: one look at their CPU, memory and disk space in every report, and a closer one where it is asked for or where
//! these figures give a reason.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::{model, operations};
use egress_diagnosis::facts::{
    AgentPool, CloserLook, Cluster, Datum, Health, HopOwner, Id, LoadBalancer, Machine, Metric,
    NO_CLOSER_LOOK, Pressure, Recommendation, ResourceMetrics, ScaleSet, VmSize,
};
use egress_diagnosis::pressure::suspicion;
use futures::future::join_all;

use crate::batch;
use crate::convert;
use crate::metrics::{
    MACHINE_DISKS, NODE_CONDITIONS, NODE_LOADS, SCALE_SET_DISKS, STOPPED, ask, is_stopped,
    not_asked,
};
use crate::outcome::{converted, converted_list, unknown};
use crate::plan::{Once, once};
use crate::reader::{Reader, keyed};

/// Single machines that are asked for their disks one by one.
const MOST_MACHINES: usize = 10;

/// Metrics of one resource.
type Loads = BTreeMap<String, Datum<Metric>>;

/// The looks at the nodes of one cluster. Nothing is read before it is waited for.
pub(crate) struct Nodes<'a> {
    cluster: &'a Cluster,
    /// Nodes that the agent pools say they have.
    expected: usize,
    loads: Once<'a, Loads>,
    /// Whether they are looked at closely.
    pub(crate) look: Once<'a, CloserLook>,
}

/// What the closer look needs of the rest of the plan.
pub(crate) struct Around<'a, P> {
    pub(crate) group: Option<&'a Id>,
    /// Gives the agent pools, and the NAT gateways of their subnets.
    pub(crate) pools: P,
    pub(crate) scale_sets: Once<'a, Datum<Vec<ScaleSet>>>,
    pub(crate) load_balancer: Once<'a, Datum<LoadBalancer>>,
}

/// What was seen.
pub(crate) struct Seen {
    pub(crate) pressure: Pressure,
    pub(crate) metrics: ResourceMetrics,
}

impl<'a> Nodes<'a> {
    /// The looks to take. What was asked for does not wait for the first look.
    pub(crate) fn of(
        reader: Reader<'a>,
        asked: bool,
        cluster: &'a Cluster,
        properties: &model::ManagedClusterProperties,
    ) -> Self {
        let pools = convert::agent_pool_profiles(&properties.agent_pool_profiles);
        let counts = pools.into_iter().flatten().filter_map(|pool| pool.count);
        let expected = counts.filter_map(|count| usize::try_from(count).ok()).sum();
        let loads = once(async move {
            if is_stopped(cluster) {
                not_asked(&[&NODE_LOADS], STOPPED)
            } else {
                ask(reader, &cluster.id, &[(&NODE_LOADS, expected)]).await
            }
        });
        let first = loads.clone();
        let look = once(async move {
            if is_stopped(cluster) {
                CloserLook::NotTaken(STOPPED)
            } else if asked {
                CloserLook::Asked
            } else {
                suspicion(&*first.await)
                    .map_or(CloserLook::NotTaken(NO_CLOSER_LOOK), CloserLook::Suspected)
            }
        });
        Self {
            cluster,
            expected,
            loads,
            look,
        }
    }

    /// Takes the first look, and the closer one or says why not.
    pub(crate) async fn seen(
        self,
        reader: Reader<'_>,
        around: Around<'_, impl Future<Output = (Datum<Vec<AgentPool>>, BTreeSet<Id>)> + Send>,
    ) -> Seen {
        let cluster = self.cluster;
        let closer = async {
            let look = (*self.look.clone().await).clone();
            let reader = match look {
                CloserLook::Asked => reader,
                CloserLook::Suspected(_) => reader.next_wave(),
                CloserLook::NotTaken(why) => {
                    return not_taken(cluster, around.scale_sets, why).await;
                }
            };
            closer_look(reader, cluster, self.expected, look, around).await
        };
        let (loads, mut seen) = futures::join!(self.loads.clone(), closer);
        let of_cluster = seen.metrics.entry(cluster.id.clone()).or_default();
        of_cluster.extend((*loads).clone());
        seen
    }
}

async fn closer_look(
    reader: Reader<'_>,
    cluster: &Cluster,
    nodes: usize,
    look: CloserLook,
    around: Around<'_, impl Future<Output = (Datum<Vec<AgentPool>>, BTreeSet<Id>)> + Send>,
) -> Seen {
    let next = reader.next_wave();
    let of_pools = async {
        let (pools, gateways) = around.pools.await;
        futures::join!(
            vm_sizes(next, cluster, &pools),
            machines(next, &pools, around.group),
            healths(next, gateways),
        )
    };
    let balancer = async {
        let balancer = around.load_balancer.await;
        let id = balancer.as_known().map(|balancer| balancer.id.clone());
        healths(next, id).await
    };
    // Five conditions in three states.
    let conditions = [(&NODE_CONDITIONS, nodes.saturating_mul(15))];
    let (of_pools, of_sets, conditions, advisor, of_cluster, of_balancer) = futures::join!(
        of_pools,
        set_disks(next, cluster, around.scale_sets),
        ask(reader, &cluster.id, &conditions),
        advisor(reader, cluster, around.group),
        healths(reader, [cluster.id.clone()]),
        balancer,
    );
    let (vm_sizes, (machines, of_machines), mut health) = of_pools;
    health.extend(of_cluster);
    health.extend(of_balancer);
    let mut metrics = of_sets;
    metrics.extend(of_machines);
    metrics.insert(cluster.id.clone(), conditions);
    Seen {
        pressure: Pressure {
            look,
            machines,
            vm_sizes,
            advisor,
            health,
        },
        metrics,
    }
}

async fn not_taken(
    cluster: &Cluster,
    sets: Once<'_, Datum<Vec<ScaleSet>>>,
    why: &'static str,
) -> Seen {
    let sets = sets.await;
    let sets = sets.as_known().into_iter().flatten();
    let mut metrics: ResourceMetrics = sets
        .map(|set| (set.id.clone(), not_asked(&[&SCALE_SET_DISKS], why)))
        .collect();
    metrics.insert(cluster.id.clone(), not_asked(&[&NODE_CONDITIONS], why));
    Seen {
        pressure: Pressure::not_taken_because(why),
        metrics,
    }
}

/// Instances that a scale set can have: so many are expected of one that does not say how many it has.
const MOST_INSTANCES: usize = 1_000;

/// The disks of each scale set's instances.
async fn set_disks(
    reader: Reader<'_>,
    cluster: &Cluster,
    sets: Once<'_, Datum<Vec<ScaleSet>>>,
) -> ResourceMetrics {
    let sets = sets.await;
    let each = sets.as_known().into_iter().flatten().map(|set| {
        let instances = set.capacity.and_then(|n| usize::try_from(n).ok());
        (&set.id, instances.unwrap_or(MOST_INSTANCES))
    });
    let each: Vec<_> = each.collect();
    batch::ask_scale_sets(reader, cluster, &SCALE_SET_DISKS, &each).await
}

/// The machines of pools without a scale set, and their disks.
async fn machines(
    reader: Reader<'_>,
    pools: &Datum<Vec<AgentPool>>,
    group: Option<&Id>,
) -> (Datum<Vec<Machine>>, ResourceMetrics) {
    let (Datum::Known(pools), Some(group)) = (pools, group) else {
        return (unknown(pools), ResourceMetrics::new());
    };
    let single = |pool: &AgentPool| {
        let kind = pool.pool_type.as_deref();
        kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("VirtualMachineScaleSets"))
    };
    if !pools.iter().any(single) {
        return (Datum::Known(Vec::new()), ResourceMetrics::new());
    }
    let answer = reader.list(&operations::VIRTUAL_MACHINES_LIST, group).await;
    let machines = converted_list(answer, convert::machine);
    let next = reader.next_wave();
    let all = machines.as_known().into_iter().flatten();
    let each = all.enumerate().map(|(index, machine)| async move {
        let disks = if index < MOST_MACHINES {
            ask(next, &machine.id, &[(&MACHINE_DISKS, 1)]).await
        } else {
            not_asked(
                &[&MACHINE_DISKS],
                "the disks of ten single machines are looked at, not of all",
            )
        };
        (machine.id.clone(), disks)
    });
    let metrics = keyed(join_all(each).await);
    (machines, metrics)
}

/// What the pools' VM sizes can do (R7.8).
async fn vm_sizes(
    reader: Reader<'_>,
    cluster: &Cluster,
    pools: &Datum<Vec<AgentPool>>,
) -> Datum<BTreeMap<String, VmSize>> {
    let Datum::Known(pools) = pools else {
        return unknown(pools);
    };
    let wanted: BTreeSet<String> = pools
        .iter()
        .filter_map(|pool| pool.vm_size.as_ref())
        .map(|size| size.to_ascii_lowercase())
        .collect();
    let Some(region) = batch::region(cluster) else {
        return Datum::not_asked("the cluster names no region whose VM sizes could be asked for");
    };
    let id = Id::new(format!("/subscriptions/{}", cluster.subscription_id));
    let filter = format!("location eq '{region}'");
    let answer = reader
        .get_part(
            &operations::SKUS_LIST,
            &id,
            &[("$filter", &filter)],
            move |body| model::VmSizes::read(body, &wanted),
        )
        .await;
    converted(answer, |list| Some(convert::vm_sizes(list)))
}

/// Advisor's open recommendations on the cluster and on what is in its node resource group.
async fn advisor(
    reader: Reader<'_>,
    cluster: &Cluster,
    group: Option<&Id>,
) -> Datum<Vec<Recommendation>> {
    let of_group = |name: &str| format!("ResourceGroup eq '{}'", name.replace('\'', "''"));
    let mut filter = of_group(&cluster.resource_group);
    if let Some(group) = group {
        filter = format!("{filter} or {}", of_group(group.name()));
    }
    let id = Id::new(format!("/subscriptions/{}", cluster.subscription_id));
    let answer = reader
        .list_where::<model::Recommendation>(
            &operations::RECOMMENDATIONS_LIST,
            &id,
            &[("$filter", &filter)],
        )
        .await;
    let all = converted_list(answer, convert::recommendation);
    let concerns = |recommendation: &Recommendation| {
        let resource = &recommendation.resource;
        let in_group = |group: &Id| {
            let name = resource.resource_group();
            name.is_some_and(|name| name.eq_ignore_ascii_case(group.name()))
        };
        *resource == cluster.id || group.is_some_and(in_group)
    };
    all.map(|all| all.into_iter().flatten().filter(concerns).collect())
}

/// Resource Health of each of these.
pub(crate) async fn healths(
    reader: Reader<'_>,
    ids: impl IntoIterator<Item = Id>,
) -> BTreeMap<Id, Datum<Health>> {
    let each = ids.into_iter().map(|id| async move {
        let operation = &operations::AVAILABILITY_STATUS_GET;
        let answer = reader
            .get::<model::AvailabilityStatus>(operation, &id, &[])
            .await;
        (id, converted(answer, convert::health))
    });
    keyed(join_all(each).await)
}

/// Resource Health of the firewalls that own next hops, where a closer look is taken.
pub(crate) async fn firewall_health<'o>(
    reader: Reader<'_>,
    look: Once<'_, CloserLook>,
    owners: impl IntoIterator<Item = &'o Datum<HopOwner>>,
) -> BTreeMap<Id, Datum<Health>> {
    if matches!(*look.await, CloserLook::NotTaken(_)) {
        return BTreeMap::new();
    }
    let firewalls: BTreeSet<Id> = owners
        .into_iter()
        .filter_map(|owner| match owner {
            Datum::Known(HopOwner::AzureFirewall(id)) => Some(id.clone()),
            _ => None,
        })
        .collect();
    healths(reader, firewalls).await
}
