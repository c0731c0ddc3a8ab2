//! The appliances that default routes lead to, for the rules about them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Outcome;
use crate::context::{Context, texts};
use crate::facts::{
    AzureFirewall, Datum, Frontend, HopNic, HopOwner, Id, LoadBalancer, Missing, NextHopType,
    Route, Subnet, lookup,
};
use crate::network::AddressSet;
use crate::network::routes::Hop;
use crate::order::Order as _;
use crate::path::{Path, Via};
use crate::report::Finding;

/// An appliance address, the route that leads there, and the paths that take it.
pub(crate) struct Appliance<'c, 'f> {
    pub(crate) address: IpAddr,
    pub(crate) via: &'c Via,
    pub(crate) paths: Vec<&'c Path<'f>>,
    pub(crate) owner: Result<&'f HopOwner, Missing>,
}

impl<'c, 'f> Appliance<'c, 'f> {
    /// All of them, in address order.
    pub(crate) fn all(ctx: &'c Context<'f>) -> Vec<Self> {
        let mut found: BTreeMap<IpAddr, (&'c Via, Vec<&'c Path<'f>>)> = BTreeMap::new();
        for path in &ctx.paths {
            if let Some(via) = path.routes.default.via()
                && let Hop::VirtualAppliance(Some(address)) = via.hop
            {
                found
                    .entry(address)
                    .or_insert((via, Vec::new()))
                    .1
                    .push(path);
            }
        }
        found
            .into_iter()
            .map(|(address, (via, paths))| Self {
                address,
                via,
                paths,
                owner: owner(ctx, address),
            })
            .collect()
    }

    /// Asks `look` about every appliance whose owner is known; the check stays open for the others.
    pub(crate) fn check(
        ctx: &'c Context<'f>,
        mut look: impl FnMut(&Self, &'f HopOwner) -> Outcome,
    ) -> Outcome {
        let appliances = Self::all(ctx);
        if appliances.is_empty() {
            return Outcome::not_applicable("no default route leads to an appliance");
        }
        let mut outcome = Outcome::passed();
        for appliance in &appliances {
            match &appliance.owner {
                Ok(owner) => outcome.absorb(look(appliance, owner)),
                Err(missing) => outcome.missing.push(missing.clone()),
            }
        }
        outcome
    }

    /// Asks `look` about every network interface that is a next hop.
    pub(crate) fn check_nics(
        ctx: &'c Context<'f>,
        mut look: impl FnMut(&Self, &'f HopNic) -> Outcome,
    ) -> Outcome {
        Self::check(ctx, |appliance, owner| match owner {
            HopOwner::VirtualMachineNic(nic) => look(appliance, nic),
            _ => Outcome::passed(),
        })
    }

    /// Asks `look` about every internal load balancer whose frontend is a next hop.
    pub(crate) fn check_balancers(
        ctx: &'c Context<'f>,
        mut look: impl FnMut(&Self, &'f LoadBalancer, &'f Frontend) -> Outcome,
    ) -> Outcome {
        let mut any = false;
        let outcome = Self::check(ctx, |appliance, owner| {
            let HopOwner::InternalLoadBalancer(balancer) = owner else {
                return Outcome::passed();
            };
            let has = |f: &&Frontend| {
                f.private_ip.as_deref().and_then(|ip| ip.parse().ok()) == Some(appliance.address)
            };
            any = true;
            match balancer.frontends.iter().find(has) {
                Some(frontend) => look(appliance, balancer, frontend),
                None => Outcome::passed(),
            }
        });
        if any || outcome.is_open() || outcome.not_applicable.is_some() {
            outcome
        } else {
            Outcome::not_applicable("no default route leads to an internal load balancer")
        }
    }

    /// Pools whose packets go there.
    pub(crate) fn pools(&self) -> Vec<&'c str> {
        let mut pools: Vec<&str> = self
            .paths
            .iter()
            .flat_map(|p| p.used.pools.iter().copied())
            .collect();
        pools.order();
        pools.dedup();
        pools
    }

    /// The subnets whose packets go there, added to what a finding is about.
    pub(crate) fn subnets(&self, finding: Finding) -> Finding {
        let ids = self.paths.iter().map(|path| path.used.id);
        ids.fold(finding, Finding::resource)
    }

    /// `node pools a, b`
    pub(crate) fn pools_label(&self) -> String {
        crate::context::pools_label(&self.pools())
    }

    /// The Azure Firewall that has the address.
    pub(crate) fn firewall(&self, ctx: &Context<'f>) -> Option<Result<&'f AzureFirewall, Missing>> {
        match self.owner.as_ref().ok()? {
            HopOwner::AzureFirewall(id) => Some(
                lookup(&ctx.facts.firewalls, id).known(|| format!("Azure Firewall {}", id.name())),
            ),
            _ => None,
        }
    }

    /// Public addresses of the Azure Firewall that has the address; `None` when something else has it, or nobody knows.
    pub(crate) fn public_addresses(&self, ctx: &Context<'f>) -> Option<Vec<IpAddr>> {
        let firewall = self.firewall(ctx)?.ok()?;
        let own = firewall
            .public_ip_ids
            .iter()
            .map(|id| ctx.balancer.public_ip(id));
        let mut texts = texts(own.collect()).ok()?;
        texts.extend(firewall.hub_public_ips.iter().cloned());
        Some(
            texts
                .iter()
                .filter_map(|ip| ip.trim().parse().ok())
                .collect(),
        )
    }
}

fn owner<'f>(ctx: &Context<'f>, address: IpAddr) -> Result<&'f HopOwner, Missing> {
    let what = || match behind(ctx, address) {
        Some(network) => {
            format!(
                "the owner of next hop {address} in virtual network {}",
                network.name()
            )
        }
        None => format!("the owner of next hop {address}"),
    };
    match ctx.facts.hops.get(&address) {
        Some(owner) => owner.known(what),
        None => Err(Missing {
            what: what(),
            how: Datum::not_asked("not part of the plan"),
        }),
    }
}

/// The peered network that an address lies in, where one of the cluster's networks says so.
fn behind<'f>(ctx: &Context<'f>, address: IpAddr) -> Option<&'f Id> {
    let networks = ctx
        .facts
        .virtual_networks
        .values()
        .filter_map(Datum::as_known);
    let mut peerings = networks.flat_map(|network| &network.peerings);
    let holds = |texts: &[String]| {
        let space = AddressSet::parse_all(texts.iter().map(String::as_str));
        space.is_ok_and(|space| space.contains(address))
    };
    let peering = peerings.find(|peering| holds(&peering.remote_address_prefixes))?;
    peering.remote.as_ref()
}

/// Whether Azure reserves this subnet for a firewall.
pub(crate) fn is_firewall_subnet(id: &Id) -> bool {
    id.name().eq_ignore_ascii_case("AzureFirewallSubnet")
}

/// Firewalls of the subnet's resource group that have no addresses and no hub: deallocated ones.
pub(crate) fn deallocated<'f>(ctx: &Context<'f>, subnet: &Id) -> Vec<&'f AzureFirewall> {
    let same_group = |id: &Id| {
        let same = |a: Option<&str>, b: Option<&str>| {
            a.zip(b).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        same(id.subscription(), subnet.subscription())
            && same(id.resource_group(), subnet.resource_group())
    };
    ctx.facts
        .firewalls
        .values()
        .filter_map(Datum::as_known)
        .filter(|f| f.private_ips.is_empty() && f.virtual_hub_id.is_none() && f.subnet_id.is_none())
        .filter(|f| same_group(&f.id))
        .collect()
}

/// Whether the firewall's state lets it pass traffic; a state that is not told does.
pub(crate) fn serves(firewall: &AzureFirewall) -> bool {
    let failed = firewall.provisioning_state.as_deref();
    !failed.is_some_and(|state| state.eq_ignore_ascii_case("Failed"))
}

/// The firewall's subnet. It comes with its network: where that was refused, it is the network that is missing.
pub(super) fn own_subnet<'f>(ctx: &Context<'f>, id: &Id) -> Result<&'f Subnet, Missing> {
    let own = lookup(&ctx.facts.subnets, id);
    let network = match own {
        Datum::NotAsked { .. } => id.parent(),
        _ => None,
    };
    if let Some(network) = network
        && let Some(answer) = ctx.facts.virtual_networks.get(&network)
    {
        answer.known(|| format!("virtual network {}", network.name()))?;
    }
    own.known(|| format!("subnet {}", id.name()))
}

/// The route table of the firewall's own subnet where it takes internet traffic elsewhere than out: into a tunnel to another
/// network, say. A secured hub's firewall has no subnet.
///
/// # Errors
/// What could not be read of it.
pub(crate) fn own_routes<'f>(
    ctx: &Context<'f>,
    firewall: &AzureFirewall,
) -> Result<Option<&'f Id>, Missing> {
    let Some(subnet) = &firewall.subnet_id else {
        return Ok(None);
    };
    let Some(id) = &own_subnet(ctx, subnet)?.route_table_id else {
        return Ok(None);
    };
    let table = lookup(&ctx.facts.route_tables, id)
        .known(|| format!("route table {} of the firewall's subnet", id.name()))?;
    let public = AddressSet::public();
    let leads_out = |route: &Route| {
        // A service tag stands for public addresses.
        let prefix: Option<IpNet> = route.address_prefix.trim().parse().ok();
        route.next_hop_type == NextHopType::Internet
            || prefix.is_some_and(|prefix| !public.intersects(&prefix.into()))
    };
    Ok((!table.routes.iter().all(leads_out)).then_some(id))
}
