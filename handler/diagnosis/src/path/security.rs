//! The network security groups that a subnet's packets meet, in order: NIC, then subnet (R4.4).

use std::collections::BTreeMap;

use super::{LevelGroup, Routes};
use crate::context::SubnetUse;
use crate::facts::{Datum, Facts, Id, Missing};
use crate::network::nsg::{FlowClass, Level, PathPart, evaluate_levels};
use crate::network::{
    AddressSet, OnPremises, Outcome, PortSet, ProtocolSet, ServiceTags, TagContext,
    VirtualNetworkSpace,
};

/// The security groups of a path.
#[derive(Debug, Clone)]
pub(crate) struct Security {
    /// NIC level, one entry per distinct group among the pools.
    pub(crate) nic: Vec<LevelGroup>,
    /// Subnet level, for all pools.
    pub(crate) subnet: LevelGroup,
    /// The addresses that send: the subnet's (R4.6).
    pub(crate) sources: AddressSet,
    /// What tags mean here; for rules that evaluate more than outbound traffic.
    pub(crate) tags: TagContext,
}

/// What both levels do with a class of traffic, for some pools.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PoolParts {
    /// The pools.
    pub(crate) pools: Vec<String>,
    /// Disjoint parts of the class, each with the decisions of both levels.
    pub(crate) parts: Vec<PathPart>,
}

/// Parts in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Summary {
    /// Every packet passes.
    Allowed,
    /// No packet passes.
    Denied,
    /// Some pass and some do not.
    Partly,
    /// None is known to be denied, and not all are known to pass.
    Undecidable,
}

impl PoolParts {
    /// All parts in one word.
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(self.parts.iter().map(PathPart::outcome))
    }
}

impl Summary {
    /// Outcomes of all parts of a class in one word.
    pub(crate) fn of(outcomes: impl Iterator<Item = Outcome>) -> Self {
        let (mut allowed, mut denied, mut open) = (false, false, false);
        for outcome in outcomes {
            match outcome {
                Outcome::Allowed => allowed = true,
                Outcome::Denied => denied = true,
                Outcome::Undecidable => open = true,
            }
        }
        match (allowed, denied, open) {
            (false, true, false) => Self::Denied,
            (_, true, _) => Self::Partly,
            (_, false, true) => Self::Undecidable,
            (_, false, false) => Self::Allowed,
        }
    }

    /// As a step's decision.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Partly => "partly denied",
            Self::Undecidable => "unknown",
        }
    }
}

impl Security {
    pub(crate) fn of(
        facts: &Facts,
        used: &SubnetUse<'_>,
        routes: &Routes<'_>,
        service_tags: &ServiceTags,
    ) -> Self {
        let tags = tags(routes, service_tags);
        let prefixes = used.subnet.as_ref().ok().map(|s| &s.address_prefixes);
        let sources = prefixes
            .filter(|texts| !texts.is_empty())
            .and_then(|texts| AddressSet::parse_all(texts.iter().map(String::as_str)).ok())
            // A rule that names sources then stays undecided.
            .unwrap_or_else(AddressSet::all);
        let subnet = LevelGroup::of(
            facts,
            pool_names(used),
            used.subnet
                .as_ref()
                .map(|s| s.nsg_id.clone())
                .map_err(Clone::clone),
            Level::Subnet,
            &tags,
        );
        Self {
            nic: nic_groups(facts, used, &tags),
            subnet,
            sources,
            tags,
        }
    }

    /// What the groups do with packets of this path to these destinations, pools with the same NIC group together.
    pub(crate) fn evaluate(
        &self,
        destinations: &AddressSet,
        protocols: impl Into<ProtocolSet>,
        ports: PortSet,
    ) -> Vec<PoolParts> {
        let class = FlowClass::new(self.sources.clone(), destinations.clone(), protocols, ports);
        self.nic
            .iter()
            .map(|nic| PoolParts {
                pools: nic.pools.clone(),
                parts: evaluate_levels(nic.rules.rules(), self.subnet.rules.rules(), &class),
            })
            .collect()
    }

    /// What could not be read, each once.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        for group in self.nic.iter().chain([&self.subnet]) {
            if let Err(new) = &group.nsg
                && !missing.contains(new)
            {
                missing.push(new.clone());
            }
        }
        missing
    }
}

fn pool_names(used: &SubnetUse<'_>) -> Vec<String> {
    used.pools.iter().map(|p| (*p).to_owned()).collect()
}

/// The groups that the scale sets' models put on the NICs (R1.84).
fn nic_groups(facts: &Facts, used: &SubnetUse<'_>, tags: &TagContext) -> Vec<LevelGroup> {
    let sets = match facts
        .scale_sets
        .known(|| "scale sets of the node resource group".to_owned())
    {
        Ok(sets) => sets,
        Err(missing) => {
            return vec![LevelGroup::of(
                facts,
                pool_names(used),
                Err(missing),
                Level::Nic,
                tags,
            )];
        }
    };
    let mut groups: BTreeMap<Option<&Id>, Vec<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for pool in &used.pools {
        let mut own = sets
            .iter()
            .filter(|set| {
                let name = set.pool_name.as_deref();
                name.is_some_and(|name| name.eq_ignore_ascii_case(pool))
            })
            .peekable();
        if own.peek().is_none() {
            unknown.push((*pool).to_owned());
        }
        for set in own {
            if set.nsg_ids.is_empty() {
                groups.entry(None).or_default().push((*pool).to_owned());
            }
            for id in &set.nsg_ids {
                groups.entry(Some(id)).or_default().push((*pool).to_owned());
            }
        }
    }
    let mut levels: Vec<LevelGroup> = groups
        .into_iter()
        .map(|(id, mut pools)| {
            pools.dedup();
            LevelGroup::of(facts, pools, Ok(id.cloned()), Level::Nic, tags)
        })
        .collect();
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let label = crate::context::pools_label(&names);
        let machines = facts.agent_pools.as_known().into_iter().flatten();
        let mut machines = machines
            .filter(|pool| unknown.contains(&pool.name))
            .map(|pool| {
                let kind = pool.pool_type.as_deref();
                kind.is_some_and(|kind| kind.eq_ignore_ascii_case("VirtualMachines"))
            });
        let missing = if machines.any(|machine| machine) {
            Missing {
                what: format!("network interfaces of the virtual machines of {label}"),
                how: Datum::not_asked(
                    "pools of type VirtualMachines have no scale set, and their machines' interfaces are not read",
                ),
            }
        } else {
            Missing {
                what: format!("scale set of {label}"),
                how: Datum::not_asked("no scale set of the node resource group names the pool"),
            }
        };
        levels.push(LevelGroup::of(
            facts,
            unknown,
            Err(missing),
            Level::Nic,
            tags,
        ));
    }
    levels
}

/// What tags mean for this subnet. A service tag that was not read stays undecidable (R4.18).
fn tags(routes: &Routes<'_>, service_tags: &ServiceTags) -> TagContext {
    let on_premises = if routes.gateway.is_some() {
        OnPremises::Unknown
    } else {
        OnPremises::Known(AddressSet::empty())
    };
    let space = match (&routes.network, &routes.table) {
        (Ok(network), Ok(table)) => VirtualNetworkSpace::of(network, *table, on_premises),
        (Ok(network), Err(_)) => VirtualNetworkSpace {
            incomplete: true,
            ..VirtualNetworkSpace::of(network, None, on_premises)
        },
        (Err(_), _) => VirtualNetworkSpace {
            own: AddressSet::empty(),
            peered: AddressSet::empty(),
            routed: AddressSet::empty(),
            default_routes: Vec::new(),
            on_premises: OnPremises::Unknown,
            incomplete: true,
        },
    };
    TagContext {
        service_tags: service_tags.clone(),
        space,
        application_groups: BTreeMap::new(),
    }
}
