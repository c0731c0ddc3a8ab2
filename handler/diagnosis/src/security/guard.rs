//! The security groups that a pool's packets meet: the NIC's and the subnet's.

use std::rc::Rc;

use super::Service;
use crate::context::Context;
use crate::facts::{Direction, Id, Missing, Nsg, lookup};
use crate::network::nsg::{FlowClass, Level, LevelRules, Part, SecurityRules};
use crate::network::{AddressSet, Family};
use crate::path::{LevelGroup, LevelView, Path};

/// The groups on the way out of one subnet, for the pools whose NICs carry the same group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard<'c, 'f> {
    ctx: &'c Context<'f>,
    /// The way out.
    pub(crate) path: &'c Path<'f>,
    nic: &'c LevelGroup,
}

impl<'c, 'f> Guard<'c, 'f> {
    /// Every guard of the cluster: per path, per distinct group on the NICs.
    pub(crate) fn all(ctx: &'c Context<'f>) -> Vec<Self> {
        ctx.paths
            .iter()
            .flat_map(|path| {
                let nics = path.security.nic.iter();
                nics.map(move |nic| Self { ctx, path, nic })
            })
            .collect()
    }

    /// The pools, in name order.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &'c str> {
        self.nic.pools.iter().map(String::as_str)
    }

    /// The IPv4 addresses that send.
    pub(crate) fn sources(&self) -> AddressSet {
        self.path.security.sources.of(Family::V4)
    }

    /// The network's own IPv4 space; empty when it could not be read.
    pub(crate) fn network(&self) -> AddressSet {
        self.path.security.tags.space.own.of(Family::V4)
    }

    /// What each level does with a class of traffic, whatever the other does.
    pub(crate) fn evaluate(
        &self,
        direction: Direction,
        class: &FlowClass,
    ) -> impl Iterator<Item = Rc<[Part]>> {
        let tags = &self.path.security.tags;
        self.levels().map(move |(level, group)| match direction {
            Direction::Outbound => group.rules.evaluate(class),
            Direction::Inbound => group.inbound(self.ctx.facts, level, tags).evaluate(class),
        })
    }

    /// The outbound rules of the groups that were read.
    pub(crate) fn outbound(&self) -> impl Iterator<Item = &'c SecurityRules> {
        let groups = self.levels().filter(|(level, _)| *level != Level::Network);
        groups.filter_map(|(_, group)| match group.rules.rules() {
            LevelRules::Known(rules) => Some(rules),
            LevelRules::Absent | LevelRules::Unreadable => None,
        })
    }

    /// The groups that were read, by level.
    pub(crate) fn nsgs(&self) -> impl Iterator<Item = (Level, &'f Nsg)> {
        let facts = self.ctx.facts;
        self.levels().filter_map(move |(level, group)| {
            let id = group.nsg.as_ref().ok()?.as_ref()?;
            Some((level, lookup(&facts.nsgs, id).as_known()?))
        })
    }

    /// What each level does with a class of traffic by the names of service tags, whatever they hold, and its rules by
    /// their addresses as far as these are known.
    pub(super) fn by_name_and_address(
        &self,
        class: &FlowClass,
    ) -> impl Iterator<Item = (Rc<[Part]>, &'c LevelView)> {
        self.levels()
            .map(|(_, group)| (group.by_name.evaluate(class), &*group.rules))
    }

    /// The IPv4 addresses of the tag that stands for a service; `None` when not known.
    pub(super) fn addresses_of(
        &self,
        service: Service,
        location: Option<&str>,
    ) -> Option<AddressSet> {
        // No tag is documented for the package hosts (R4.33), and `Internet` says nothing about an address.
        if matches!(
            service,
            Service::Packages | Service::Time | Service::Updates
        ) {
            return None;
        }
        let set = self.ctx.tags.get(&service.tag(location))?;
        Some(set.of(Family::V4)).filter(|set| !set.is_empty())
    }

    /// The network's security admin rules where there are any, NIC, then subnet.
    pub(crate) fn levels(&self) -> impl Iterator<Item = (Level, &'c LevelGroup)> {
        let security = &self.path.security;
        let admin = security.admin.iter().map(|group| (Level::Network, group));
        admin.chain([(Level::Nic, self.nic), (Level::Subnet, &security.subnet)])
    }
}

/// What could not be read about the groups of all pools, each once.
pub(crate) fn missing(ctx: &Context<'_>) -> Vec<Missing> {
    let groups = ctx.paths.iter().flat_map(|path| path.security.missing());
    once(ctx.subnets.missing().chain(groups))
}

/// Networks and route tables that could not be read, each once: what tags `VirtualNetwork` and `Internet` hold rests on
/// them (R4.13). Nothing else in a security group does.
pub(crate) fn missing_space(ctx: &Context<'_>) -> Vec<Missing> {
    let each = ctx.paths.iter().flat_map(|path| {
        let network = path.routes.network.as_ref().err().cloned();
        network
            .into_iter()
            .chain(path.routes.table.as_ref().err().cloned())
    });
    once(each)
}

fn once(all: impl Iterator<Item = Missing>) -> Vec<Missing> {
    let mut once: Vec<Missing> = Vec::new();
    for missing in all {
        if !once.contains(&missing) {
            once.push(missing);
        }
    }
    once
}

/// Azure's list of service tags, when a decision that needs it is open because it was not read.
pub(crate) fn unread_tags(ctx: &Context<'_>) -> Option<Missing> {
    let list = &ctx.facts.service_tags;
    list.known(|| "Azure's list of service tags".to_owned())
        .err()
}

/// The group with this id, when it was read.
pub(crate) fn nsg<'f>(ctx: &Context<'f>, id: &Id) -> Option<&'f Nsg> {
    lookup(&ctx.facts.nsgs, id).as_known()
}
