//! Agent pools by the subnets that their nodes and pods use.

use std::collections::BTreeMap;

use crate::facts::{AgentPool, Datum, Facts, Id, Missing, Subnet, lookup};
use crate::report::Scope;

/// One distinct subnet and the pools that use it.
#[derive(Debug, Clone)]
pub(crate) struct SubnetUse<'f> {
    pub(crate) id: &'f Id,
    pub(crate) scope: Scope,
    /// Pools in name order.
    pub(crate) pools: Vec<&'f str>,
    /// Those of them that give their nodes public addresses of their own; `None` when a pool's body was not read.
    pub(crate) with_node_ips: Option<Vec<&'f str>>,
    pub(crate) subnet: Result<&'f Subnet, Missing>,
}

impl<'f> SubnetUse<'f> {
    /// The pools whose nodes have public addresses of their own, and the others; nothing where all pools are alike.
    pub(crate) fn by_node_ips(&self) -> Option<[Self; 2]> {
        let with = self.with_node_ips.as_ref()?;
        let (own, other): (Vec<&str>, Vec<&str>) =
            self.pools.iter().partition(|pool| with.contains(pool));
        if own.is_empty() || other.is_empty() {
            return None;
        }
        let part = |pools: Vec<&'f str>, with_node_ips: Vec<&'f str>| Self {
            pools,
            with_node_ips: Some(with_node_ips),
            ..self.clone()
        };
        Some([part(own.clone(), own), part(other, Vec::new())])
    }

    /// `subnet nodes of virtual network v`
    pub(crate) fn label(&self) -> String {
        subnet_label(self.id)
    }

    /// `node pool a` or `node pools a, b`
    pub(crate) fn pools_label(&self) -> String {
        pools_label(&self.pools)
    }
}

/// `a, b and c`
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `node pool a` or `node pools a, b`
pub(crate) fn pools_label(pools: &[&str]) -> String {
    let plural = if pools.len() == 1 { "" } else { "s" };
    format!("node pool{plural} {}", pools.join(", "))
}

fn subnet_label(id: &Id) -> String {
    match id.parent() {
        Some(network) => format!("subnet {}/{}", network.name(), id.name()),
        None => format!("subnet {}", id.name()),
    }
}

/// All pool subnets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subnets<'f> {
    /// Distinct subnets: node subnets first, then pod subnets, each by id.
    pub(crate) uses: Vec<SubnetUse<'f>>,
    /// What is missing where a pool's subnet could not be found out.
    pub(crate) unresolved: Vec<Missing>,
}

impl<'f> Subnets<'f> {
    pub(crate) fn of(facts: &'f Facts) -> Self {
        let mut grouped: BTreeMap<(Scope, &'f Id), Vec<&'f str>> = BTreeMap::new();
        let mut unresolved = Vec::new();
        for (pool, subnets) in &facts.pool_subnets {
            match subnets.node.known(|| format!("subnet of node pool {pool}")) {
                Ok(id) => grouped.entry((Scope::Node, id)).or_default().push(pool),
                Err(missing) => unresolved.push(missing),
            }
            if let Some(id) = &subnets.pod {
                grouped.entry((Scope::Pod, id)).or_default().push(pool);
            }
        }
        match facts.agent_pools.known(|| "agent pools".to_owned()) {
            Err(missing) => unresolved.push(missing),
            Ok(pools) => unresolved.extend(
                pools
                    .iter()
                    .filter(|pool| !facts.pool_subnets.contains_key(&pool.name))
                    .map(|pool| Missing {
                        what: format!("subnet of node pool {}", pool.name),
                        how: Datum::not_asked("not part of the plan"),
                    }),
            ),
        }
        let uses = grouped
            .into_iter()
            .map(|((scope, id), pools)| SubnetUse {
                id,
                scope,
                with_node_ips: node_ips(facts, &pools),
                pools,
                subnet: lookup(&facts.subnets, id).known(|| subnet_label(id)),
            })
            .collect();
        Self { uses, unresolved }
    }

    /// Everything that could not be read about the pools' subnets.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Missing> {
        self.unresolved
            .iter()
            .chain(self.uses.iter().filter_map(|u| u.subnet.as_ref().err()))
            .cloned()
    }

    /// The subnets that could be read.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (&SubnetUse<'f>, &'f Subnet)> {
        self.uses
            .iter()
            .filter_map(|u| Some((u, *u.subnet.as_ref().ok()?)))
    }
}

fn node_ips<'f>(facts: &'f Facts, names: &[&str]) -> Option<Vec<&'f str>> {
    let pools = facts.agent_pools.as_known()?;
    let body = |name: &&str| pools.iter().find(|pool: &&AgentPool| pool.name == **name);
    let bodies: Option<Vec<_>> = names.iter().map(body).collect();
    let own = |pool: &&AgentPool| pool.node_public_ip == Some(true);
    let with = bodies?.into_iter().filter(own);
    Some(with.map(|pool| pool.name.as_str()).collect())
}
