//! Azure Firewall's rules, classic or by policy (R5.1–R5.21).

mod compile;
mod evaluate;
mod fqdn;
mod hosts;
mod target;

use std::collections::BTreeMap;

use super::{AddressBounds, AddressSet, Doubt};
use crate::facts::{AzureFirewall, Datum, FirewallPolicy, Id, IpGroup, RuleCollectionGroup};

pub use evaluate::{Caveat, FirewallPart, Question};
pub use target::{FlowProtocol, Host, Target};

use compile::{ApplicationReady, NetworkReady, PortIndex};
use fqdn::FqdnIndex;

/// A firewall and what hangs on it, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct FirewallView<'a> {
    /// The firewall.
    pub firewall: &'a AzureFirewall,
    /// Policies by id: the firewall's and its parents.
    pub policies: &'a BTreeMap<Id, Datum<FirewallPolicy>>,
    /// Rule collection groups by policy id.
    pub groups: &'a BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
    /// IP groups by id.
    pub ip_groups: &'a BTreeMap<Id, Datum<IpGroup>>,
    /// ARM's service tags.
    pub tags: &'a super::ServiceTags,
    /// Hosts of FQDN tags, by tag name in lower case: host names, possibly with a leading wildcard (R5.14).
    pub fqdn_tags: &'a BTreeMap<String, Vec<String>>,
}

/// Which kind of rule decides; in the order of processing (R5.2, R5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A DNAT rule, which allows what it translates (R5.6).
    Nat,
    /// A network rule; ends the processing (R5.4).
    Network,
    /// An application rule.
    Application,
    /// No rule: the implicit denial (R5.5).
    Implicit,
}

/// The rule that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    /// Its stage.
    pub stage: Stage,
    /// The policy; `None` for classic rules and the implicit denial.
    pub policy: Option<Id>,
    /// The rule collection group; `None` for classic rules.
    pub group: Option<Id>,
    /// The group's priority.
    pub group_priority: Option<u32>,
    /// The collection's name; empty when no rule decides.
    pub collection: String,
    /// The collection's priority.
    pub collection_priority: Option<u32>,
    /// The rule's name; empty when no rule decides.
    pub rule: String,
}

/// The implicit denial (R5.5).
static IMPLICIT: RuleName = RuleName {
    stage: Stage::Implicit,
    policy: None,
    group: None,
    group_priority: None,
    collection: String::new(),
    collection_priority: None,
    rule: String::new(),
};

/// A firewall's rules made ready for many questions.
#[derive(Debug, Clone)]
pub struct FirewallRules {
    /// NAT rules, then network rules, in order of processing.
    network: Vec<NetworkReady>,
    ports: PortIndex,
    /// Application rules in order of processing.
    application: Vec<ApplicationReady>,
    index: FqdnIndex,
    dns_proxy: Option<bool>,
    tls_inspection: bool,
    threat_intel_denies: bool,
    threat_intel_allowed: Vec<hosts::Pattern>,
    /// `None`: the policy could not be read.
    private_ranges: Option<Vec<String>>,
}

impl FirewallRules {
    /// Whether threat intelligence drops what it knows as malicious, before any rule (R5.1).
    pub fn threat_intel_denies(&self) -> bool {
        self.threat_intel_denies
    }

    /// Whether DNS proxy is on; `None`: not told (R5.13).
    pub fn dns_proxy(&self) -> Option<bool> {
        self.dns_proxy
    }

    /// Whether the firewall never translates to its public address: its private ranges hold every IPv4 address
    /// (R5.19). `None` when the policy or a range cannot be read.
    pub fn never_snats(&self) -> Option<bool> {
        let ranges: Vec<&str> = self
            .private_ranges
            .as_ref()?
            .iter()
            .map(String::as_str)
            // The default ranges by name: RFC 1918 and RFC 6598.
            .filter(|text| !text.eq_ignore_ascii_case("IANAPrivateRanges"))
            .collect();
        AddressSet::parse_all(ranges)
            .ok()
            .map(|set| set.contains_all(&AddressSet::all_of(super::Family::V4)))
    }

    /// Network rules that name hosts (R5.13), in order of processing, each with its hosts in lower case and its sources.
    pub fn host_rules(&self) -> impl Iterator<Item = (&RuleName, &[String], &AddressBounds)> {
        let named = self.network.iter().filter(|rule| !rule.fqdns.is_empty());
        named.map(|rule| (&rule.name, rule.fqdns.as_slice(), &*rule.sources))
    }

    /// Whether rules could not be read, or are of a kind this version does not know.
    pub fn has_unreadable_rules(&self) -> bool {
        let mut doubts = self.network.iter().flat_map(|rule| &rule.doubts);
        doubts.any(|doubt| {
            matches!(
                doubt,
                Doubt::UnreadableRules | Doubt::UnreadablePolicy(_) | Doubt::PolicyCycle(_)
            )
        })
    }

    /// Whether the rule of this name opens TLS: it says so, and the policy has what that takes (R1.6).
    pub fn inspects_tls(&self, rule: &RuleName) -> bool {
        let mut same = self.application.iter().filter(|other| other.name == *rule);
        self.tls_inspection && same.any(|rule| rule.terminates_tls)
    }
}
