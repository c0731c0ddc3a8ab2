//! The appliances that default routes lead to, for the rules about them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::context::{Context, texts};
use crate::facts::{AzureFirewall, Datum, HopNic, HopOwner, Id, Missing, lookup};
use crate::network::routes::Hop;
use crate::path::{Path, Via};

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

    /// Pools whose packets go there.
    pub(crate) fn pools(&self) -> Vec<&'c str> {
        let mut pools: Vec<&str> = self
            .paths
            .iter()
            .flat_map(|p| p.used.pools.iter().copied())
            .collect();
        pools.sort_unstable();
        pools.dedup();
        pools
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

    /// The network interface that has the address.
    pub(crate) fn nic(&self) -> Option<&'f HopNic> {
        match self.owner.as_ref().ok()? {
            HopOwner::VirtualMachineNic(nic) => Some(nic),
            _ => None,
        }
    }

    /// Whether nobody in what was read has the address.
    pub(crate) fn is_nobodys(&self) -> bool {
        matches!(self.owner, Ok(HopOwner::Nobody { .. }))
    }

    /// The subnet that the address lies in when nobody has it; `None` also when it lies in no network that was read.
    pub(crate) fn vacant_in(&self) -> Option<&'f Id> {
        match self.owner.as_ref().ok()? {
            HopOwner::Nobody { subnet } => subnet.as_ref(),
            _ => None,
        }
    }
}

fn owner<'f>(ctx: &Context<'f>, address: IpAddr) -> Result<&'f HopOwner, Missing> {
    let what = || format!("owner of next hop {address}");
    match ctx.facts.hops.get(&address) {
        Some(owner) => owner.known(what),
        None => Err(Missing {
            what: what(),
            how: Datum::not_asked("not part of the plan"),
        }),
    }
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
