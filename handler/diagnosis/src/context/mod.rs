//! Shared views over the facts, worked out once, so that rules stay short.

mod balancer;
mod capacity;
mod node_ips;
mod nodes;
mod snat;
mod subnets;

pub(crate) use balancer::{Address, Balancer, texts, translates_tcp};
pub(crate) use nodes::{Nodes, node_name};
pub(crate) use snat::{Carriers, Device, FirewallUse, owning_firewall};
pub(crate) use subnets::{SubnetUse, Subnets, listed, pools_label};

use crate::commands::Az;
use crate::endpoints::{self, Requirements};
use crate::facts::{AgentPool, Cluster, Facts, Missing, NetworkProfile, OutboundType, PowerState};
use crate::network::ServiceTags;
use crate::path::{Carrier, Path};
use crate::pressure::PressureView;
use crate::rules::inspection::Inspection;
use crate::snat::Demand;

/// The facts and what several rules make of them.
#[derive(Debug)]
pub struct Context<'f> {
    pub(crate) facts: &'f Facts,
    /// Agent pools grouped by distinct node and pod subnet.
    pub(crate) subnets: Subnets<'f>,
    /// The AKS load balancer.
    pub(crate) balancer: Balancer<'f>,
    /// What the cluster needs to reach.
    pub(crate) needed: Requirements,
    /// The packet's path from each of `subnets.uses`, in the same order; two where only some nodes of a subnet leave by
    /// public addresses of their own.
    pub(crate) paths: Vec<Path<'f>>,
    /// The devices that translate, with their usage.
    pub(crate) snat: Carriers,
    /// What the Azure Firewalls at next hops do with what the cluster needs.
    pub(crate) inspections: Vec<Inspection<'f>>,
    /// Azure's service tags, as far as they were read.
    pub(crate) tags: ServiceTags,
    /// Node names by address.
    pub(crate) nodes: Nodes,
    /// How much the nodes and their disks have to do.
    pub(crate) pressure: PressureView,
}

impl<'f> Context<'f> {
    /// Works the views out.
    pub fn new(facts: &'f Facts) -> Self {
        let subnets = Subnets::of(facts);
        let balancer = Balancer { facts };
        let tags = ServiceTags::of(&facts.service_tags);
        let paths: Vec<Path<'f>> = subnets
            .uses
            .iter()
            .flat_map(|used| Path::each(facts, balancer, used, &tags))
            .collect();
        let snat = Carriers::of(facts, &subnets, &paths);
        let mut ctx = Self {
            facts,
            subnets,
            balancer,
            needed: endpoints::required(&endpoints::View::of(facts, &facts.features)),
            paths,
            snat,
            inspections: Vec::new(),
            tags,
            nodes: Nodes::of(facts),
            pressure: PressureView::of(facts),
        };
        ctx.inspections = Inspection::all(&ctx);
        ctx
    }

    pub(crate) fn cluster(&self) -> &'f Cluster {
        &self.facts.cluster
    }

    pub(crate) fn network(&self) -> Option<&'f NetworkProfile> {
        self.facts.cluster.network.as_ref()
    }

    pub(crate) fn outbound_type(&self) -> Option<&'f OutboundType> {
        self.network()?.outbound_type.as_ref()
    }

    /// Whether the power state says that the cluster does not run. A body without a power state says nothing.
    pub(crate) fn stopped(&self) -> bool {
        matches!(&self.cluster().power_state, Some(state) if *state != PowerState::Running)
    }

    pub(crate) fn pools(&self) -> Result<&'f [AgentPool], Missing> {
        self.facts
            .agent_pools
            .known(|| "agent pools".to_owned())
            .map(Vec::as_slice)
    }

    /// Node counts over all pools; all unknown when the pools are.
    pub(crate) fn demand(&self) -> Demand {
        self.pools().map_or(
            Demand {
                live: None,
                max: None,
                surge: None,
            },
            Demand::of,
        )
    }

    /// Each distinct subnet with what carries it.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (&SubnetUse<'f>, &Carrier)> {
        self.paths.iter().map(|path| (&path.used, &path.carrier))
    }

    /// `az aks {verb}` on this cluster.
    pub(crate) fn az_aks(&self, verb: &str) -> Az {
        let cluster = self.cluster();
        Az::new(&format!("aks {verb}"))
            .opt("--subscription", &cluster.subscription_id)
            .opt("--resource-group", &cluster.resource_group)
            .opt("--name", &cluster.name)
    }
}
