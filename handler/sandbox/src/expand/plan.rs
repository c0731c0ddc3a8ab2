//! A scenario with everything AKS adds to it, and the lookups by name that the expansion needs.

use std::collections::BTreeSet;

use super::{
    managed,
    names::{id, suffix},
};
use crate::{
    Error,
    scenario::{LoadBalancer, Scenario},
};

/// One scale set instance.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) pool: String,
    pub(super) index: u32,
    pub(super) ip: String,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) file: String,
    pub(super) scenario: Scenario,
    pub(super) name: String,
    pub(super) group: String,
    pub(super) node_group: String,
    pub(super) suffix: String,
    /// The network is AKS's own: the cluster body then names no subnet.
    pub(super) managed_network: bool,
    /// The outbound addresses of the load balancer are AKS's own.
    pub(super) managed_addresses: bool,
    pub(super) load_balancer: Option<LoadBalancer>,
    pub(super) nodes: Vec<Node>,
}

impl Plan {
    pub(super) fn new(file: &str, mut scenario: Scenario) -> Result<Self, Error> {
        let name = scenario
            .cluster
            .name
            .clone()
            .unwrap_or_else(|| file.to_owned());
        let group = scenario
            .cluster
            .resource_group
            .clone()
            .unwrap_or_else(|| format!("rg-{name}"));
        let cluster = &scenario.cluster;
        let node_group = cluster
            .node_resource_group
            .clone()
            .unwrap_or_else(|| format!("MC_{group}_{name}_{}", cluster.region));
        let suffix = suffix(&name);
        let managed_network = scenario.pools.values().all(|pool| pool.subnet.is_none());
        managed::add_nsg(&mut scenario, &node_group, &suffix);
        if managed_network {
            managed::add_network(&mut scenario, &node_group, &suffix);
        }
        managed::add_pod_routes(&mut scenario, &suffix);
        if managed::is_managed_nat(&scenario) {
            managed::add_nat_gateway(&mut scenario, &node_group);
        }
        let mut load_balancer = scenario.load_balancer.clone();
        let mut managed_addresses = false;
        if scenario
            .cluster
            .outbound_type
            .eq_ignore_ascii_case("loadBalancer")
        {
            let balancer = load_balancer.get_or_insert_with(LoadBalancer::default);
            if balancer.ips.is_empty() && balancer.prefixes.is_empty() {
                managed_addresses = true;
                balancer.ips = managed::add_outbound_ips(&mut scenario, &node_group, balancer);
            }
        } else if let Some(balancer) = &mut load_balancer {
            balancer.outbound_rule = false;
        }
        let mut plan = Self {
            file: file.to_owned(),
            scenario,
            name,
            group,
            node_group,
            suffix,
            managed_network,
            managed_addresses,
            load_balancer,
            nodes: Vec::new(),
        };
        plan.nodes = super::compute::nodes(&plan)?;
        plan.check()?;
        Ok(plan)
    }

    /// Refuses what would make a cloud that cannot be.
    fn check(&self) -> Result<(), Error> {
        const STATUSES: [&str; 5] = ["healthy", "atRisk", "degraded", "blocked", "unknown"];
        if self.scenario.pools.is_empty() {
            return Err(self.error("`pools`: a cluster has at least one; add `[pools.system]`"));
        }
        if self.node_group.len() > 90 {
            return Err(self.error(format!(
                "the node resource group `{}` is longer than the 90 characters that Azure allows; shorten the file's name or `cluster.name`",
                self.node_group
            )));
        }
        if let Some(status) = &self.scenario.expect
            && !STATUSES.contains(&status.as_str())
        {
            return Err(self.error(format!(
                "`expect`: `{status}` is no verdict; use one of {STATUSES:?}"
            )));
        }
        for (index, fault) in self.scenario.faults.iter().enumerate() {
            let ways = [
                fault.deny,
                fault.retry_after.is_some(),
                fault.status.is_some(),
                fault.delay_ms.is_some(),
                fault.truncate,
            ];
            if ways.iter().filter(|way| **way).count() != 1 {
                return Err(self.error(format!(
                    "`faults[{index}]`: give exactly one of deny, retry_after, status, delay_ms, truncate"
                )));
            }
            if let Some(status) = fault.status
                && !(400..600).contains(&status)
            {
                return Err(self.error(format!(
                    "`faults[{index}].status`: {status} is no error; use 400 to 599"
                )));
            }
            if let Some(group) = &fault.group
                && group != "node"
                && group != "subscription"
                && !self.groups().contains(group)
            {
                return Err(self.error(format!(
                    "`faults[{index}].group`: no group `{group}`; use `node` or one of {:?}",
                    self.groups()
                )));
            }
        }
        Ok(())
    }

    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::Scenario {
            file: self.file.clone(),
            message: message.into(),
        }
    }

    /// Every resource group of the scenario.
    pub(super) fn groups(&self) -> BTreeSet<String> {
        let scenario = &self.scenario;
        let own = [&self.group, &self.node_group].into_iter().cloned();
        let named = scenario
            .networks
            .values()
            .map(|it| &it.resource_group)
            .chain(scenario.route_tables.values().map(|it| &it.resource_group))
            .chain(scenario.nsgs.values().map(|it| &it.resource_group))
            .chain(scenario.nat_gateways.values().map(|it| &it.resource_group))
            .chain(scenario.public_ips.values().map(|it| &it.resource_group))
            .chain(
                scenario
                    .public_ip_prefixes
                    .values()
                    .map(|it| &it.resource_group),
            )
            .chain(scenario.firewalls.values().map(|it| &it.resource_group))
            .chain(scenario.ip_groups.values().map(|it| &it.resource_group))
            .chain(scenario.virtual_hubs.values().map(|it| &it.resource_group))
            .chain(scenario.appliances.values().map(|it| &it.resource_group))
            .chain(
                scenario
                    .internal_load_balancers
                    .values()
                    .map(|it| &it.resource_group),
            );
        own.chain(named.flatten().cloned()).collect()
    }

    pub(super) fn cluster_id(&self) -> String {
        id(
            &self.group,
            "Microsoft.ContainerService/managedClusters",
            &self.name,
        )
    }

    /// The group a part lies in: its own, else the cluster's.
    pub(super) fn group_of<'a>(&'a self, named: Option<&'a String>) -> &'a str {
        named.unwrap_or(&self.group)
    }

    pub(super) fn load_balancer_id(&self) -> String {
        id(
            &self.node_group,
            "Microsoft.Network/loadBalancers",
            "kubernetes",
        )
    }

    pub(super) fn scale_set_name(&self, pool: &str) -> String {
        format!("aks-{pool}-{}-vmss", self.suffix)
    }

    pub(super) fn scale_set_id(&self, pool: &str) -> String {
        id(
            &self.node_group,
            "Microsoft.Compute/virtualMachineScaleSets",
            &self.scale_set_name(pool),
        )
    }

    /// The id of `<section>/<name>` as the scenario spells it.
    pub(super) fn reference(&self, key: &str, reference: &str) -> Result<String, Error> {
        let scenario = &self.scenario;
        let (section, name) = reference.split_once('/').unwrap_or((reference, ""));
        let network = |kind: &str, group: Option<&Option<String>>| {
            group.map(|group| {
                id(
                    self.group_of(group.as_ref()),
                    &format!("Microsoft.Network/{kind}"),
                    name,
                )
            })
        };
        let found = match section {
            "cluster" => Some(self.cluster_id()),
            "load_balancer" => self
                .load_balancer
                .is_some()
                .then(|| self.load_balancer_id()),
            "managed_nat" => Some(id(
                &self.node_group,
                "Microsoft.Network/natGateways",
                managed::NAT_GATEWAY,
            )),
            "pools" => scenario
                .pools
                .contains_key(name)
                .then(|| self.scale_set_id(name)),
            "networks" => network(
                "virtualNetworks",
                scenario.networks.get(name).map(|it| &it.resource_group),
            ),
            "route_tables" => network(
                "routeTables",
                scenario.route_tables.get(name).map(|it| &it.resource_group),
            ),
            "nsgs" => network(
                "networkSecurityGroups",
                scenario.nsgs.get(name).map(|it| &it.resource_group),
            ),
            "internal_load_balancers" => network(
                "loadBalancers",
                scenario
                    .internal_load_balancers
                    .get(name)
                    .map(|it| &it.resource_group),
            ),
            "nat_gateways" => network(
                "natGateways",
                scenario.nat_gateways.get(name).map(|it| &it.resource_group),
            ),
            "public_ips" => network(
                "publicIPAddresses",
                scenario.public_ips.get(name).map(|it| &it.resource_group),
            ),
            "public_ip_prefixes" => network(
                "publicIPPrefixes",
                scenario
                    .public_ip_prefixes
                    .get(name)
                    .map(|it| &it.resource_group),
            ),
            "firewalls" => network(
                "azureFirewalls",
                scenario.firewalls.get(name).map(|it| &it.resource_group),
            ),
            "virtual_hubs" => network(
                "virtualHubs",
                scenario.virtual_hubs.get(name).map(|it| &it.resource_group),
            ),
            "ip_groups" => network(
                "ipGroups",
                scenario.ip_groups.get(name).map(|it| &it.resource_group),
            ),
            _ => {
                return Err(self.error(format!(
                    "`{key}`: `{reference}` names no section; use `<section>/<name>`, e.g. `public_ips/pip-out`"
                )));
            }
        };
        found.ok_or_else(|| {
            self.error(format!(
                "`{key}`: there is no `{name}` in this file; add `[{section}.{name}]` or correct it"
            ))
        })
    }

    /// The ids of `<section>/<name>` for many names.
    pub(super) fn references(
        &self,
        key: &str,
        section: &str,
        names: &[String],
    ) -> Result<Vec<String>, Error> {
        names
            .iter()
            .map(|name| self.reference(key, &format!("{section}/{name}")))
            .collect()
    }

    /// The id of `<network>/<subnet>`.
    pub(super) fn subnet_id(&self, key: &str, path: &str) -> Result<String, Error> {
        let found = path.split_once('/').and_then(|(network, subnet)| {
            let owner = self.scenario.networks.get(network)?;
            owner.subnets.contains_key(subnet).then_some(())?;
            let owner = id(
                self.group_of(owner.resource_group.as_ref()),
                "Microsoft.Network/virtualNetworks",
                network,
            );
            Some(format!("{owner}/subnets/{subnet}"))
        });
        found.ok_or_else(|| {
            self.error(format!(
                "`{key}`: there is no subnet `{path}`; write `<network>/<subnet>` and add `[networks.<network>.subnets.<subnet>]`"
            ))
        })
    }

    /// Whether nodes have IPv6 addresses too.
    pub(super) fn dual_stack(&self) -> bool {
        managed::is_dual_stack(&self.scenario)
    }

    pub(super) fn is_deleted(&self, section: &str, name: &str) -> bool {
        self.scenario.deleted.contains(&format!("{section}/{name}"))
    }

    pub(super) fn deleted_ids(&self) -> Result<Vec<String>, Error> {
        self.scenario
            .deleted
            .iter()
            .map(|reference| self.reference("deleted", reference))
            .collect()
    }

    /// Whether the cluster runs; a stopped one has pools but no nodes.
    pub(super) fn running(&self) -> bool {
        self.scenario.cluster.power_state == "Running"
    }
}
