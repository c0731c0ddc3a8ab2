//! The AKS load balancer as a way out.

use crate::facts::{
    AgentPool, Cause, Datum, Facts, Frontend, Id, LoadBalancer, Missing, NatGateway, OutboundRule,
    PowerState, PublicIp, PublicIpPrefix, lookup,
};
use crate::snat::capacity::{PORT_STEP, prefix_addresses};

/// A frontend's public address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// It exists: the text that the internet sees (an address or a prefix; `None` while nothing is assigned), and how
    /// many IPv4 addresses it stands for.
    Alive { text: Option<String>, ipv4: u64 },
    /// Azure says that it does not exist.
    Gone(Id),
    /// It could not be read.
    Unread(Missing),
}

impl Address {
    /// A public IP address that was read.
    pub(super) fn of(ip: &PublicIp) -> Self {
        Self::Alive {
            text: ip.address.clone(),
            ipv4: u64::from(!is_v6(ip.version.as_deref())),
        }
    }

    /// Whether it exists and stands for an IPv4 address: one of IPv6 translates nothing of IPv4.
    pub(crate) fn carries_ipv4(&self) -> bool {
        matches!(self, Self::Alive { ipv4, .. } if *ipv4 > 0)
    }
}

/// Whether an outbound rule is for TCP: its protocol is `All`, `Tcp`, or one that this version does not know.
pub(crate) fn translates_tcp(rule: &OutboundRule) -> bool {
    let protocol = rule.protocol.as_deref();
    !protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("Udp"))
}

/// The AKS load balancer `kubernetes`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Balancer<'f> {
    pub(crate) facts: &'f Facts,
}

impl<'f> Balancer<'f> {
    /// The load balancer; `None` when Azure says that it does not exist.
    pub(crate) fn get(self) -> Result<Option<&'f LoadBalancer>, Missing> {
        match &self.facts.load_balancer {
            Datum::Absent => Ok(None),
            other => other
                .known(|| "load balancer kubernetes".to_owned())
                .map(Some),
        }
    }

    /// Frontends of an outbound rule that the load balancer has.
    pub(crate) fn frontends(
        lb: &'f LoadBalancer,
        rule: &'f OutboundRule,
    ) -> impl Iterator<Item = &'f Frontend> {
        lb.frontends
            .iter()
            .filter(|f| rule.frontends.contains(&f.id))
    }

    /// Public addresses of a frontend; none for a private one.
    pub(crate) fn addresses(self, frontend: &Frontend) -> Vec<Address> {
        let ip = frontend.public_ip.iter().map(|id| self.public_ip(id));
        let prefix = frontend.public_ip_prefix.iter().map(|id| self.prefix(id));
        ip.chain(prefix).collect()
    }

    /// A public IP address.
    pub(crate) fn public_ip(self, id: &Id) -> Address {
        match lookup(&self.facts.public_ips, id) {
            Datum::Absent => Address::Gone(id.clone()),
            other => match other.known(|| format!("public IP address {}", id.name())) {
                Err(missing) => Address::Unread(missing),
                Ok(ip) => Address::of(ip),
            },
        }
    }

    /// A public IP prefix.
    pub(crate) fn prefix(self, id: &Id) -> Address {
        match lookup(&self.facts.public_ip_prefixes, id) {
            Datum::Absent => Address::Gone(id.clone()),
            other => match other.known(|| format!("public IP prefix {}", id.name())) {
                Err(missing) => Address::Unread(missing),
                Ok(prefix) => match ipv4_addresses(prefix) {
                    Some(ipv4) => Address::Alive {
                        text: prefix.prefix.clone(),
                        ipv4,
                    },
                    // Its size is unknown: counting none would understate the capacity.
                    None => Address::Unread(Missing {
                        what: format!("size of public IP prefix {}", id.name()),
                        how: Datum::Failed {
                            cause: Cause::Malformed,
                            http_status: None,
                            error_code: None,
                        },
                    }),
                },
            },
        }
    }

    /// An address that may be either (R1.49): told apart by its resource type.
    pub(crate) fn either(self, id: &Id) -> Address {
        if id.is_type("Microsoft.Network/publicIPPrefixes") {
            self.prefix(id)
        } else {
            self.public_ip(id)
        }
    }

    /// Addresses and prefixes of a NAT gateway.
    pub(crate) fn of_gateway(self, gateway: &NatGateway) -> Vec<Address> {
        let ips = gateway.public_ips.iter().map(|id| self.public_ip(id));
        let prefixes = gateway.public_ip_prefixes.iter().map(|id| self.prefix(id));
        ips.chain(prefixes).collect()
    }

    /// Addresses of all outbound rules, each frontend once.
    pub(crate) fn outbound_addresses(self) -> Result<Vec<Address>, Missing> {
        let Some(lb) = self.get()? else {
            return Ok(Vec::new());
        };
        let used = |f: &&Frontend| {
            lb.outbound_rules
                .iter()
                .any(|r| r.frontends.contains(&f.id))
        };
        Ok(lb
            .frontends
            .iter()
            .filter(used)
            .flat_map(|f| self.addresses(f))
            .collect())
    }

    /// Ports that load balancing rules take from the outbound frontends: each a block of 8 (R1.34).
    pub(crate) fn reserved_ports(self) -> u64 {
        let Ok(Some(lb)) = self.get() else {
            return 0;
        };
        let outbound = |id: &Id| lb.outbound_rules.iter().any(|r| r.frontends.contains(id));
        let rules = lb
            .rules
            .iter()
            .filter(|rule| rule.frontend.as_ref().is_some_and(outbound))
            .count();
        u64::try_from(rules)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(PORT_STEP))
    }

    /// Whether an outbound rule is for some node: one whose backend pool is empty translates nothing (R1.36). While the
    /// cluster has no nodes its pool is empty for that reason.
    pub(crate) fn serves(self, lb: &LoadBalancer, rule: &OutboundRule) -> bool {
        let empty = rule.backend_pool.as_ref().is_some_and(|id| {
            let mut pools = lb.backend_pools.iter();
            pools.any(|pool| pool.id == *id && pool.members == 0)
        });
        !(empty && self.has_nodes())
    }

    fn has_nodes(self) -> bool {
        let running = self.facts.cluster.power_state == Some(PowerState::Running);
        let pools = self.facts.agent_pools.as_known().into_iter().flatten();
        let count = |pool: &AgentPool| pool.count;
        running && pools.filter_map(count).any(|nodes| nodes > 0)
    }

    /// Whether an outbound rule translates TCP to a living public IPv4 address. An address that could not be read leaves
    /// it open.
    pub(crate) fn usable(self) -> Result<bool, Missing> {
        let Some(lb) = self.get()? else {
            return Ok(false);
        };
        let addresses: Vec<Address> = lb
            .outbound_rules
            .iter()
            .filter(|rule| translates_tcp(rule) && self.serves(lb, rule))
            .flat_map(|rule| Self::frontends(lb, rule))
            .flat_map(|frontend| self.addresses(frontend))
            .collect();
        if addresses.iter().any(Address::carries_ipv4) {
            return Ok(true);
        }
        match addresses.into_iter().find_map(unread) {
            Some(missing) => Err(missing),
            None => Ok(false),
        }
    }

    /// AKS's own IPv4 outbound rule, else the first with frontends.
    pub(crate) fn outbound_rule(self) -> Result<Option<&'f OutboundRule>, Missing> {
        Ok(self.get()?.and_then(|lb| {
            let rules = &lb.outbound_rules;
            rules
                .iter()
                .find(|r| r.name.eq_ignore_ascii_case("aksOutboundRule"))
                .or_else(|| rules.iter().find(|r| !r.frontends.is_empty()))
        }))
    }
}

fn unread(address: Address) -> Option<Missing> {
    if let Address::Unread(missing) = address {
        Some(missing)
    } else {
        None
    }
}

fn is_v6(version: Option<&str>) -> bool {
    version.is_some_and(|v| v.eq_ignore_ascii_case("IPv6"))
}

/// What the internet sees of these addresses; missing as soon as one could not be read.
pub(crate) fn texts(addresses: Vec<Address>) -> Result<Vec<String>, Missing> {
    let mut texts = Vec::new();
    for address in addresses {
        match address {
            Address::Alive { text, .. } => texts.extend(text),
            Address::Gone(_) => {}
            Address::Unread(missing) => return Err(missing),
        }
    }
    Ok(texts)
}

/// How many IPv4 addresses these are; missing as soon as one could not be read.
pub(crate) fn count_ipv4(addresses: Vec<Address>) -> Result<u64, Missing> {
    let mut count = 0;
    for address in addresses {
        match address {
            Address::Alive { ipv4, .. } => count += ipv4,
            Address::Gone(_) => {}
            Address::Unread(missing) => return Err(missing),
        }
    }
    Ok(count)
}

/// How many IPv4 addresses a prefix gives; `None` when the answer does not say.
fn ipv4_addresses(prefix: &PublicIpPrefix) -> Option<u64> {
    let text = prefix.prefix.as_deref();
    if text.is_some_and(|p| p.contains(':')) {
        return Some(0);
    }
    let of_text = || text?.rsplit_once('/')?.1.parse().ok();
    prefix.length.or_else(of_text).and_then(prefix_addresses)
}
