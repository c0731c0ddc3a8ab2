//! The network security groups that a subnet's packets meet, in order: NIC, then subnet (R4.4), behind the network's security
//! admin rules (R4.11).

use std::collections::{BTreeMap, BTreeSet};

use super::{LevelGroup, Routes};
use crate::context::SubnetUse;
use crate::facts::{AgentPool, Datum, Facts, Id, Missing, SecurityAdminRule, lookup};
use crate::network::nsg::{FlowClass, Level, PathPart, evaluate_levels};
use crate::network::{
    AddressSet, OnPremises, Outcome, PortSet, ProtocolSet, ServiceTags, TagContext,
    VirtualNetworkSpace,
};

/// The security groups of a path.
#[derive(Debug, Clone)]
pub(crate) struct Security {
    /// The network's security admin rules, which come first (R4.11); `None`: none are known.
    pub(crate) admin: Option<LevelGroup>,
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
        let network = used.id.parent();
        let admin = network.and_then(|id| lookup(&facts.admin_rules, &id).as_known());
        let admin = admin.map_or(&[][..], Vec::as_slice);
        let subnet = LevelGroup::of(
            facts,
            pool_names(used),
            used.subnet
                .as_ref()
                .map(|s| s.nsg_id.clone())
                .map_err(Clone::clone),
            (Level::Subnet, admin),
            &tags,
        );
        Self {
            admin: LevelGroup::of_network(pool_names(used), admin, &tags),
            nic: nic_groups(facts, used, admin, &tags),
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
                parts: self.behind_admin(evaluate_levels(
                    nic.rules.rules(),
                    self.subnet.rules.rules(),
                    &class,
                )),
            })
            .collect()
    }

    /// The parts cut once more by what the network's security admin rules do with each (R4.11).
    fn behind_admin(&self, parts: Vec<PathPart>) -> Vec<PathPart> {
        let Some(admin) = &self.admin else {
            return parts;
        };
        let cut = parts.into_iter().flat_map(|part| {
            let by_admin = admin.rules.evaluate(&part.class);
            let cut = by_admin.iter().map(|first| PathPart {
                class: first.class.clone(),
                admin: Some(first.decision.clone()),
                ..part.clone()
            });
            cut.collect::<Vec<_>>()
        });
        cut.collect()
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

/// The groups on the nodes' NICs (R1.84), pools with the same group together.
fn nic_groups(
    facts: &Facts,
    used: &SubnetUse<'_>,
    admin: &[SecurityAdminRule],
    tags: &TagContext,
) -> Vec<LevelGroup> {
    let level = (Level::Nic, admin);
    let mut groups: BTreeMap<Option<&Id>, Vec<String>> = BTreeMap::new();
    let mut open: BTreeMap<NicGap, Vec<String>> = BTreeMap::new();
    for pool in &used.pools {
        let (ids, gap) = nic_nsgs(facts, pool);
        for id in ids {
            groups.entry(id).or_default().push((*pool).to_owned());
        }
        if let Some(gap) = gap {
            open.entry(gap).or_default().push((*pool).to_owned());
        }
    }
    let known = groups
        .into_iter()
        .map(|(id, pools)| LevelGroup::of(facts, pools, Ok(id.cloned()), level, tags));
    let open = open.into_iter().map(|(gap, pools)| {
        let names: Vec<&str> = pools.iter().map(String::as_str).collect();
        let missing = gap.missing(facts, &crate::context::pools_label(&names));
        LevelGroup::of(facts, pools, Err(missing), level, tags)
    });
    known.chain(open).collect()
}

/// Why the groups on a pool's NICs are not known, or not all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NicGap {
    /// The scale sets could not be read.
    ScaleSets,
    /// No scale set is the pool's.
    ScaleSet,
    /// The NICs of the machines could not be read.
    Interfaces,
    /// No NIC is the pool's.
    Interface,
    /// The pool has more nodes than NICs were found.
    SomeInterfaces,
}

impl NicGap {
    fn missing(self, facts: &Facts, label: &str) -> Missing {
        let unnamed = |what: &str, how: &'static str| Missing {
            what: format!("{what} of {label}"),
            how: Datum::not_asked(how),
        };
        match self {
            Self::ScaleSets => Missing {
                what: "scale sets of the node resource group".to_owned(),
                how: facts.scale_sets.status(),
            },
            Self::ScaleSet => unnamed(
                "scale set",
                "no scale set of the node resource group names the pool",
            ),
            Self::Interfaces => Missing {
                what: "network interfaces of the node resource group".to_owned(),
                how: facts.machine_nics.status(),
            },
            Self::Interface => unnamed(
                "network interfaces of the virtual machines",
                "no network interface of the node resource group is of a machine of the pool",
            ),
            Self::SomeInterfaces => unnamed(
                "network interfaces of some virtual machines",
                "the node resource group has fewer network interfaces of the pool than the pool has nodes",
            ),
        }
    }
}

/// The groups on a pool's NICs, each once; `None` among them: NICs without one.
fn nic_nsgs<'f>(facts: &'f Facts, pool: &str) -> (BTreeSet<Option<&'f Id>>, Option<NicGap>) {
    let is = |name: Option<&str>| name.is_some_and(|name| name.eq_ignore_ascii_case(pool));
    let mut pools = facts.agent_pools.as_known().into_iter().flatten();
    if let Some(pool) = pools.find(|body| is(Some(&body.name)) && body.is_machines()) {
        return machine_nsgs(facts, pool);
    }
    let Some(sets) = facts.scale_sets.as_known() else {
        return (BTreeSet::new(), Some(NicGap::ScaleSets));
    };
    let own = sets.iter().filter(|set| is(set.pool_name.as_deref()));
    let ids: BTreeSet<Option<&Id>> = own
        .flat_map(|set| {
            let none = set.nsg_ids.is_empty().then_some(None);
            set.nsg_ids.iter().map(Some).chain(none)
        })
        .collect();
    let gap = ids.is_empty().then_some(NicGap::ScaleSet);
    (ids, gap)
}

/// The same for a pool without a scale set, from its machines' own NICs.
fn machine_nsgs<'f>(
    facts: &'f Facts,
    pool: &AgentPool,
) -> (BTreeSet<Option<&'f Id>>, Option<NicGap>) {
    let Some(nics) = facts.machine_nics.as_known() else {
        return (BTreeSet::new(), Some(NicGap::Interfaces));
    };
    let own: Vec<_> = nics
        .iter()
        .filter(|nic| {
            let name = nic.pool_name.as_deref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(&pool.name))
        })
        .collect();
    let machines: BTreeSet<&Id> = own.iter().filter_map(|n| n.machine_id.as_ref()).collect();
    let gap = match pool.count.and_then(|count| usize::try_from(count).ok()) {
        _ if own.is_empty() => Some(NicGap::Interface),
        Some(count) if machines.len() < count => Some(NicGap::SomeInterfaces),
        _ => None,
    };
    (own.iter().map(|nic| nic.nsg_id.as_ref()).collect(), gap)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::testing::{denied, load_balancer, machine_pool, nsg};

    /// The name of a group, if there is one, or what is missing.
    type Group = Result<Option<String>, String>;

    /// The groups at the NICs, with their pools.
    fn levels(facts: &Facts) -> Vec<(Vec<String>, Group)> {
        let ctx = Context::new(facts);
        let groups = ctx.paths.iter().flat_map(|path| &path.security.nic);
        let named = groups.map(|group| {
            let nsg = group.nsg.as_ref().map_err(|missing| missing.what.clone());
            let nsg = nsg.map(|id| id.as_ref().map(|id| id.name().to_owned()));
            (group.pools.clone(), nsg)
        });
        named.collect()
    }

    fn pool(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn r1_84_machines_have_the_groups_of_their_own_nics() {
        let mut facts = load_balancer();
        let id = nsg(&mut facts, "nsg-nic", Vec::new(), false);
        let nics = [
            ("10.0.0.7", Some(id.clone())),
            ("10.0.0.8", Some(id)),
            ("10.0.0.9", None),
        ];
        machine_pool(&mut facts, "user", &nics);
        let levels = levels(&facts);
        assert!(levels.contains(&(pool("user"), Ok(Some("nsg-nic".to_owned())))));
        assert!(
            levels
                .iter()
                .any(|(pools, nsg)| pools.contains(&"user".to_owned()) && *nsg == Ok(None))
        );
        assert!(levels.iter().all(|(_, nsg)| nsg.is_ok()), "{levels:?}");
    }

    #[test]
    fn nics_that_are_not_found_are_unknown_not_absent() {
        let unknown = |facts: &Facts| {
            let levels = levels(facts);
            let open = levels.into_iter().find(|(_, nsg)| nsg.is_err());
            open.map(|(pools, nsg)| (pools, nsg.unwrap_err()))
        };
        let mut facts = load_balancer();
        machine_pool(&mut facts, "user", &[("10.0.0.7", None)]);
        let (pools, what) = unknown(&facts).unwrap();
        assert_eq!(pools, pool("user"), "one of three");
        assert!(what.contains("some virtual machines"), "{what}");
        machine_pool(&mut facts, "user", &[]);
        let (_, what) = unknown(&facts).unwrap();
        assert!(
            what.starts_with("network interfaces of the virtual machines"),
            "{what}"
        );
        facts.machine_nics = denied("Microsoft.Network/networkInterfaces/read");
        let (_, what) = unknown(&facts).unwrap();
        assert_eq!(what, "network interfaces of the node resource group");
    }
}
