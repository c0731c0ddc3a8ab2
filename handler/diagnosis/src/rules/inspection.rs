//! What the Azure Firewall at a next hop does with the endpoints that the cluster needs, worked out once for all rules
//! that ask (R5.21).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;

use super::Outcome;
use super::appliance::{Appliance, serves};
use crate::context::{Context, SubnetUse};
use crate::endpoints::{RequiredEndpoint, View, catalogue};
use crate::facts::{AzureFirewall, Datum, HopOwner, Id, Missing, Route, lookup};
use crate::network::firewall::{
    Caveat, FirewallPart, FirewallRules, FirewallView, FlowProtocol, RuleName, Target,
};
use crate::network::routes::Hop;
use crate::network::{AddressSet, Doubt, Family, Outcome as Fate};
use crate::order::Order as _;
use crate::path::Path;
use crate::report::Need;
use crate::sections;
use crate::security::Service;
use crate::security::lies_in;

/// The FQDN tag that AKS's documentation recommends (R5.14).
pub(crate) const AKS_TAG: &str = "AzureKubernetesService";

/// A firewall that serves, at one next hop.
#[derive(Debug)]
pub(crate) struct Inspection<'f> {
    address: IpAddr,
    pub(crate) firewall: &'f AzureFirewall,
    pub(crate) rules: Rc<FirewallRules>,
    /// The endpoints in the order of the context's list.
    pub(crate) endpoints: Vec<Judged>,
    /// Policies, rules and IP groups that could not be read.
    pub(crate) unread: Vec<Missing>,
    /// Policies that are their own ancestors, in words: which rules apply, and in which order, is then not known.
    cycle: Option<String>,
}

/// An endpoint, and what becomes of it for each of the appliance's paths.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) endpoint: RequiredEndpoint,
    /// `None`: it has no port or protocol that could be asked about.
    pub(crate) parts: Option<Vec<Part>>,
}

/// Some of a path's senders, and what happens to their traffic.
#[derive(Debug)]
pub(crate) struct Part {
    /// Place of the path among the appliance's.
    pub(crate) path: usize,
    pub(crate) sources: AddressSet,
    pub(crate) fate: Fate,
    /// What the rules say; one and the same for all senders that the rules do not tell apart.
    pub(crate) answer: Rc<Answer>,
    /// A route beside the default may take it past the firewall.
    pub(crate) may_pass_by: bool,
}

impl<'f> Inspection<'f> {
    /// All of them.
    pub(crate) fn all(ctx: &Context<'f>) -> Vec<Self> {
        let appliances = Appliance::all(ctx);
        let serving = appliances.iter().filter_map(|appliance| {
            let firewall = appliance.firewall(ctx)?.ok()?;
            serves(firewall).then_some((appliance, firewall))
        });
        serving
            .map(|(appliance, firewall)| Self::of(ctx, appliance, firewall))
            .collect()
    }

    fn of(ctx: &Context<'f>, appliance: &Appliance<'_, 'f>, firewall: &'f AzureFirewall) -> Self {
        let rules = ready(ctx, firewall);
        let senders = Senders::of(ctx, appliance);
        let endpoints = ctx.needed.endpoints.iter();
        let endpoints = endpoints
            .map(|endpoint| Judged {
                parts: target(endpoint).map(|target| {
                    let targets = by_services(ctx, endpoint, target);
                    let parts = targets.iter();
                    parts
                        .flat_map(|target| senders.ask(ctx, &rules, target, Some(endpoint)))
                        .collect()
                }),
                endpoint: endpoint.clone(),
            })
            .collect();
        Self {
            address: appliance.address,
            firewall,
            rules: Rc::new(rules),
            endpoints,
            unread: unread(ctx, firewall),
            cycle: cycle(ctx, firewall),
        }
    }

    /// What keeps the rules from being known although they were read, to follow a sentence; nothing otherwise.
    pub(crate) fn because(&self) -> String {
        let cycle = self.cycle.as_ref();
        cycle.map_or(String::new(), |words| format!(": {words}"))
    }

    /// Asks `look` about every Azure Firewall at a next hop that serves. What a firewall that does not serve would
    /// allow is nobody's question; FWL103 explains what becomes of everything.
    pub(super) fn check<'c>(
        ctx: &'c Context<'f>,
        mut look: impl FnMut(&Appliance<'c, 'f>, &'c Self) -> Outcome,
    ) -> Outcome {
        let mut inspected = false;
        let outcome = Appliance::check(ctx, |appliance, owner| {
            let HopOwner::AzureFirewall(id) = owner else {
                return Outcome::passed();
            };
            if let Err(missing) = firewall(ctx, id) {
                return Outcome::missing(missing);
            }
            let mut here = ctx.inspections.iter();
            match here.find(|it| it.address == appliance.address) {
                Some(inspection) => {
                    inspected = true;
                    look(appliance, inspection)
                }
                None => Outcome::passed(),
            }
        });
        if inspected || outcome.is_open() || outcome.not_applicable.is_some() {
            outcome
        } else {
            Outcome::not_applicable("no default route leads to an Azure Firewall that serves")
        }
    }

    /// The firewall at a path's hop, and the path's place among those of the appliance.
    pub(crate) fn of_path<'c>(ctx: &'c Context<'f>, path: &Path<'f>) -> Option<(&'c Self, usize)> {
        let hop = |path: &Path<'_>| match path.routes.default.via()?.hop {
            Hop::VirtualAppliance(address) => address,
            _ => None,
        };
        let address = hop(path)?;
        let inspection = ctx.inspections.iter().find(|it| it.address == address)?;
        let mut sharing = ctx.paths.iter().filter(|it| hop(it) == Some(address));
        let place = sharing.position(|it| std::ptr::eq(it, path))?;
        Some((inspection, place))
    }

    /// What becomes of traffic to a target, for each of the appliance's paths.
    pub(super) fn ask(
        &self,
        ctx: &Context<'_>,
        appliance: &Appliance<'_, '_>,
        target: &Target,
    ) -> Vec<Part> {
        Senders::of(ctx, appliance).ask(ctx, &self.rules, target, None)
    }

    /// The endpoints that the cluster or a feature of it needs.
    pub(super) fn needed(&self) -> impl Iterator<Item = &Judged> {
        let judged = self.endpoints.iter();
        judged.filter(|judged| judged.endpoint.need != Need::Optional)
    }

    /// What has to be known to say what it does with these endpoints: its rules, the list, and who sends.
    pub(super) fn open(&self, ctx: &Context<'_>, appliance: &Appliance<'_, '_>) -> Outcome {
        let listed = ctx
            .facts
            .egress_endpoints
            .known(|| "list of required egress endpoints".to_owned());
        let subnets = appliance.paths.iter();
        let subnets = subnets.filter_map(|path| path.used.subnet.as_ref().err().cloned());
        Outcome {
            missing: listed
                .err()
                .into_iter()
                .chain(subnets)
                .chain(self.unread.clone())
                .collect(),
            ..Outcome::passed()
        }
    }
}

fn firewall<'f>(ctx: &Context<'f>, id: &Id) -> Result<&'f AzureFirewall, Missing> {
    lookup(&ctx.facts.firewalls, id).known(|| format!("Azure Firewall {}", id.name()))
}

/// Who sends on one of the appliance's paths.
struct Sender<'f> {
    /// Azure Firewall takes IPv4 alone.
    sources: AddressSet,
    known: bool,
    /// Routes beside the default, which may take some of it past the firewall.
    aside: Vec<&'f Route>,
}

impl<'f> Sender<'f> {
    fn of(ctx: &Context<'f>, path: &Path<'f>) -> Self {
        Self {
            sources: path.security.sources.of(Family::V4),
            known: senders_known(&path.used),
            aside: sections::diversions(ctx, path),
        }
    }

    /// The routes that may take this endpoint, or an unnamed target, past the firewall.
    fn past(&self, ctx: &Context<'_>, endpoint: Option<&RequiredEndpoint>) -> Vec<&'f Route> {
        let mut aside = self.aside.clone();
        if let Some(endpoint) = endpoint {
            aside.retain(|route| {
                let (category, host) = (&endpoint.category, &endpoint.domain_name);
                lies_in(ctx, category, host, &route.address_prefix) != Some(false)
            });
        }
        aside
    }
}

/// Who sends on the appliance's paths, in their order.
struct Senders<'f> {
    each: Vec<Sender<'f>>,
    everyone: AddressSet,
}

impl<'f> Senders<'f> {
    fn of(ctx: &Context<'f>, appliance: &Appliance<'_, 'f>) -> Self {
        let paths = appliance.paths.iter();
        let each: Vec<Sender<'f>> = paths.map(|path| Sender::of(ctx, path)).collect();
        let mut everyone = AddressSet::empty();
        for sender in &each {
            everyone.insert_all(&sender.sources);
        }
        Self { each, everyone }
    }

    fn ask(
        &self,
        ctx: &Context<'_>,
        rules: &FirewallRules,
        target: &Target,
        endpoint: Option<&RequiredEndpoint>,
    ) -> Vec<Part> {
        let question = rules.ask(target);
        // Most rules do not tell one subnet from another: then all senders share one answer.
        let same = match question.answer(&self.everyone).as_slice() {
            [one] => Some(Rc::new(Answer::of(one))),
            _ => None,
        };
        let mut all = Vec::with_capacity(self.each.len());
        for (path, sender) in self.each.iter().enumerate() {
            let answers: Vec<(AddressSet, Rc<Answer>)> = if let Some(answer) = &same {
                vec![(sender.sources.clone(), Rc::clone(answer))]
            } else {
                let parts = question.answer(&sender.sources);
                let parts = parts.into_iter();
                parts
                    .map(|part| (part.sources.clone(), Rc::new(Answer::of(&part))))
                    .collect()
            };
            let first = answers.first().map(|(_, answer)| answer.outcome);
            let mixed = answers
                .iter()
                .any(|(_, answer)| Some(answer.outcome) != first);
            // Which of the parts the senders are in is not known where their addresses are not.
            let open = mixed && !sender.known;
            let aside = sender.past(ctx, endpoint);
            // A service tag may well hold the host, a prefix hardly.
            let by_tag = aside
                .iter()
                .any(|route| route.address_prefix.parse::<IpNet>().is_err());
            let answers = answers
                .into_iter()
                .filter(|(sources, _)| !sources.is_empty());
            all.extend(answers.map(|(sources, answer)| Part {
                path,
                sources,
                fate: if open || by_tag && answer.outcome == Fate::Denied {
                    Fate::Undecidable
                } else {
                    answer.outcome
                },
                answer,
                may_pass_by: !aside.is_empty(),
            }));
        }
        all
    }
}

/// Whether the subnet's prefixes could be read and are prefixes.
fn senders_known(used: &SubnetUse<'_>) -> bool {
    let prefixes = used
        .subnet
        .as_ref()
        .ok()
        .map(|subnet| &subnet.address_prefixes);
    prefixes.is_some_and(|texts| {
        !texts.is_empty() && AddressSet::parse_all(texts.iter().map(String::as_str)).is_ok()
    })
}

/// What the rules do with some senders' traffic.
#[derive(Debug)]
pub(crate) struct Answer {
    outcome: Fate,
    /// The first rule that certainly matches.
    pub(crate) by: RuleName,
    /// Rules before it that may match.
    pub(crate) maybe: Vec<RuleName>,
    /// Undecided because nobody said which addresses a service tag holds.
    pub(crate) about_tags: bool,
    pub(crate) by_tag_contents: bool,
}

impl Answer {
    fn of(part: &FirewallPart<'_>) -> Self {
        let decision = &part.decision;
        let maybe = decision.open.iter();
        Self {
            outcome: decision.outcome,
            by: decision.by.clone(),
            about_tags: decision.open.iter().any(|open| is_about_tags(&open.doubts)),
            maybe: maybe.map(|open| open.rule.clone()).collect(),
            by_tag_contents: part
                .caveats
                .iter()
                .any(|caveat| matches!(caveat, Caveat::FqdnTagContents(_))),
        }
    }
}

/// The rules of a firewall, ready for questions.
pub(crate) fn rules_of(ctx: &Context<'_>, firewall: &AzureFirewall) -> Rc<FirewallRules> {
    let mut inspected = ctx.inspections.iter();
    if let Some(inspection) = inspected.find(|it| it.firewall.id == firewall.id) {
        return Rc::clone(&inspection.rules);
    }
    Rc::new(ready(ctx, firewall))
}

fn ready(ctx: &Context<'_>, firewall: &AzureFirewall) -> FirewallRules {
    let view = View::of(ctx.facts, &ctx.facts.features);
    let hosts = tag_hosts(&view, &ctx.needed.endpoints);
    FirewallRules::new(&FirewallView {
        firewall,
        policies: &ctx.facts.firewall_policies,
        groups: &ctx.facts.rule_collection_groups,
        ip_groups: &ctx.facts.ip_groups,
        tags: &ctx.tags,
        fqdn_tags: &BTreeMap::from([(AKS_TAG.to_ascii_lowercase(), hosts)]),
    })
}

/// Policies, rules and IP groups of the firewall that could not be read.
fn unread(ctx: &Context<'_>, firewall: &AzureFirewall) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut next = firewall.policy_id.as_ref();
    let mut seen: Vec<&Id> = Vec::new();
    while let Some(id) = next.filter(|id| !seen.contains(id)) {
        seen.push(id);
        let rules = lookup(&ctx.facts.rule_collection_groups, id)
            .known(|| format!("rules of firewall policy {}", id.name()));
        missing.extend(rules.err());
        match lookup(&ctx.facts.firewall_policies, id)
            .known(|| format!("firewall policy {}", id.name()))
        {
            Ok(policy) => next = policy.base_policy_id.as_ref(),
            Err(other) => {
                missing.push(other);
                next = None;
            }
        }
    }
    let groups = ctx.facts.ip_groups.iter();
    let groups = groups.filter(|(_, group)| !matches!(group, Datum::Known(_)));
    missing.extend(
        groups.filter_map(|(id, group)| group.known(|| format!("IP group {}", id.name())).err()),
    );
    missing
}

/// A chain of parent policies that comes back to one of its own (R5.3).
fn cycle(ctx: &Context<'_>, firewall: &AzureFirewall) -> Option<String> {
    let parent = |id: &Id| {
        let policy = lookup(&ctx.facts.firewall_policies, id).as_known()?;
        policy.base_policy_id.as_ref()
    };
    let mut seen: Vec<&Id> = Vec::new();
    let mut next = firewall.policy_id.as_ref();
    while let Some(id) = next {
        if let Some(start) = seen.iter().position(|other| *other == id) {
            let names = seen.iter().skip(start).map(|id| id.name().to_owned());
            let names: Vec<String> = names.collect();
            return Some(match names.as_slice() {
                [one] => format!("firewall policy {one} is its own parent"),
                _ => format!(
                    "the parents of firewall policies {} form a cycle, so which of their rules come first is not known",
                    crate::context::listed(&names)
                ),
            });
        }
        seen.push(id);
        next = parent(id);
    }
    None
}

/// The hosts that the documentation, and ARM's list, give to the FQDN tag (R5.14).
fn tag_hosts(view: &View<'_>, needed: &[RequiredEndpoint]) -> Vec<String> {
    let listed = needed.iter().map(|endpoint| endpoint.domain_name.clone());
    let table = view.cloud.map(catalogue);
    let base = table
        .into_iter()
        .flat_map(|t| t.base.iter().flat_map(|group| group.endpoints));
    let features = table
        .into_iter()
        .flat_map(|t| t.features.iter().flat_map(|(_, rows)| *rows));
    let documented = base.chain(features).filter_map(|endpoint| {
        let name = endpoint.domain_name;
        if !name.contains("{location}") {
            return Some(name.to_owned());
        }
        let location = view.location?.trim().to_ascii_lowercase();
        Some(name.replace("{location}", &location))
    });
    let mut hosts: Vec<String> = listed.chain(documented).collect();
    hosts.order();
    hosts.dedup();
    hosts
}

fn target(endpoint: &RequiredEndpoint) -> Option<Target> {
    let protocol = FlowProtocol::parse(endpoint.protocol?.as_str())?;
    Some(Target::host(
        &endpoint.domain_name,
        endpoint.port?,
        protocol,
    ))
}

/// The host once for each service behind it, with the addresses of the service's tag: it needs them all (R4.16, R4.33).
/// Once with any address where they are not known.
fn by_services(ctx: &Context<'_>, endpoint: &RequiredEndpoint, target: Target) -> Vec<Target> {
    let location = ctx.cluster().location.as_deref();
    let services = Service::of_host(&endpoint.category, &endpoint.domain_name);
    let known = services.iter().map(|service| {
        let addresses = ctx
            .tags
            .get(&service.addresses_tag(location)?)?
            .of(Family::V4);
        (!addresses.is_empty()).then(|| Target {
            addresses,
            ..target.clone()
        })
    });
    match known.collect::<Option<Vec<Target>>>() {
        Some(targets) if !targets.is_empty() => targets,
        _ => vec![target],
    }
}

fn is_about_tags(doubts: &[Doubt]) -> bool {
    doubts
        .iter()
        .any(|doubt| matches!(doubt, Doubt::UnresolvedTag(_)))
}

/// `host:port`
pub(super) fn label(endpoint: &RequiredEndpoint) -> String {
    match endpoint.port {
        Some(port) => format!("{}:{port}", endpoint.domain_name),
        None => endpoint.domain_name.clone(),
    }
}

/// `rule a of collection b (priority 300) in group c (priority 200)`
pub(crate) fn rule_label(rule: &RuleName) -> String {
    let priority = |p: Option<u32>| p.map_or(String::new(), |p| format!(" (priority {p})"));
    let group = rule.group.as_ref().map_or(String::new(), |group| {
        format!(
            " in group {}{}",
            group.name(),
            priority(rule.group_priority)
        )
    });
    format!(
        "rule {} of collection {}{}{group}",
        rule.rule,
        rule.collection,
        priority(rule.collection_priority)
    )
}

/// The resource that holds a rule: its group, else its policy, else the firewall.
pub(crate) fn holder<'r>(rule: &'r RuleName, firewall: &'r AzureFirewall) -> &'r Id {
    let policy = rule.group.as_ref().or(rule.policy.as_ref());
    policy.unwrap_or(&firewall.id)
}

/// The first three, and how many more.
pub(super) fn named(mut names: Vec<String>) -> String {
    names.order();
    names.dedup();
    let (first, more) = names.split_at(names.len().min(3));
    match more.len() {
        0 => first.join(", "),
        n => format!("{} and {n} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fwl108, fwl109};
    use super::*;
    use crate::facts::{Facts, RuleAction, RuleCollectionGroup, RuleCollectionRules};
    use crate::testing::{
        admits, codes, firewall_rules, firewalled, network_rule, outcome, policy_id, policy_mut,
        subnet_mut,
    };

    /// Everything is allowed, but first comes a network rule that denies, changed into something odd.
    fn odd(change: impl FnOnce(&mut RuleCollectionRules)) -> Facts {
        let mut facts = firewalled();
        let mut odd = network_rule(&["*"], "TCP", "443");
        change(&mut odd);
        firewall_rules(&mut facts, RuleAction::Deny, odd);
        let Some(Datum::Known(groups)) = facts.rule_collection_groups.remove(&policy_id()) else {
            panic!("the test policy has rules")
        };
        firewall_rules(&mut facts, RuleAction::Allow, admits(&["*"], "*"));
        if let Some(Datum::Known(all)) = facts.rule_collection_groups.get_mut(&policy_id()) {
            all.extend(groups.into_iter().map(|group| RuleCollectionGroup {
                priority: Some(100),
                ..group
            }));
        }
        facts
    }

    type Change<'a> = (&'a str, Box<dyn FnOnce(&mut RuleCollectionRules)>);

    /// Neither a denial nor a passed check.
    fn assert_open(facts: &Facts, what: &str) {
        for rule in [&fwl108::RULE, &fwl109::RULE] {
            let open = outcome(rule, facts);
            assert!(open.findings.is_empty(), "{}: {what}: {open:?}", rule.code);
            assert!(open.is_open(), "{}: {what}", rule.code);
        }
    }

    #[test]
    fn r5_21_fields_that_cannot_be_read_neither_deny_nor_pass() {
        let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.into()).collect() };
        let changes: [Change<'_>; 9] = [
            (
                "no prefix",
                Box::new(move |r| r.network[0].destinations = texts(&["20.0.0.0/33"])),
            ),
            (
                "no destination",
                Box::new(|r| r.network[0].destinations.clear()),
            ),
            ("no source", Box::new(|r| r.network[0].sources.clear())),
            (
                "source that is none",
                Box::new(move |r| r.network[0].sources = texts(&["10.0.0.0/8x"])),
            ),
            (
                "ports out of order",
                Box::new(move |r| r.network[0].destination_ports = texts(&["9000-400"])),
            ),
            (
                "no port",
                Box::new(|r| r.network[0].destination_ports.clear()),
            ),
            (
                "unknown protocol",
                Box::new(move |r| r.network[0].protocols = texts(&["QUIC"])),
            ),
            ("no protocol", Box::new(|r| r.network[0].protocols.clear())),
            (
                "newer rules",
                Box::new(|r| (r.unreadable, r.network) = (2, Vec::new())),
            ),
        ];
        for (what, change) in changes {
            assert_open(&odd(change), what);
        }
        // Several destinations that overlap are one set.
        let plural = odd(move |r| {
            r.network[0].destinations = texts(&["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0-10.9.9.9"]);
        });
        assert_eq!(outcome(&fwl108::RULE, &plural), Outcome::passed());
        let all = odd(move |r| {
            r.network[0].destinations = texts(&["0.0.0.0/1", "64.0.0.0/2", "128.0.0.0/1"]);
        });
        assert_eq!(codes(&outcome(&fwl108::RULE, &all)), ["FWL108"]);
    }

    #[test]
    fn r5_3_parents_that_come_back_to_the_child_are_open() {
        let mut facts = firewalled();
        let parent = Id::new(format!("{}-parent", policy_id()));
        let mut body = policy_mut(&mut facts).clone();
        body.id = parent.clone();
        body.base_policy_id = Some(policy_id());
        policy_mut(&mut facts).base_policy_id = Some(parent.clone());
        facts
            .firewall_policies
            .insert(parent.clone(), Datum::Known(body));
        facts
            .rule_collection_groups
            .insert(parent, Datum::Known(Vec::new()));
        assert_open(&facts, "cycle");
        let reason = outcome(&fwl108::RULE, &facts).reason().unwrap();
        assert!(reason.contains("form a cycle"), "{reason}");
        let report = crate::diagnose(&facts);
        for item in report.egress_endpoints.items {
            let why = &item.by_pool[0].why;
            assert!(why.contains("form a cycle"), "{}: {why}", item.domain_name);
        }
    }

    #[test]
    fn r5_16_senders_without_known_addresses_are_not_split() {
        for prefixes in [vec![], vec!["10.0.0.0/99".to_owned()]] {
            let mut facts = firewalled();
            firewall_rules(&mut facts, RuleAction::Allow, admits(&["*"], "10.0.0.0/16"));
            subnet_mut(&mut facts, "nodes").address_prefixes = prefixes;
            assert_open(&facts, "senders");
        }
    }

    #[test]
    fn dual_stack_subnets_send_to_the_firewall_by_ipv4_alone() {
        let mut facts = firewalled();
        firewall_rules(&mut facts, RuleAction::Allow, admits(&["*"], "10.0.0.0/16"));
        let prefixes = &mut subnet_mut(&mut facts, "nodes").address_prefixes;
        prefixes.push("fd00:10::/64".to_owned());
        assert_eq!(outcome(&fwl108::RULE, &facts), Outcome::passed());
    }

    #[test]
    fn five_thousand_rules_about_other_hosts_deny_by_none_of_them() {
        let mut facts = firewalled();
        let hosts: Vec<String> = (0..5_000).map(|n| format!("h{n}.example")).collect();
        let mut rules = RuleCollectionRules::default();
        for host in &hosts {
            rules.application.extend(admits(&[host], "*").application);
        }
        firewall_rules(&mut facts, RuleAction::Allow, rules.clone());
        let found = outcome(&fwl108::RULE, &facts);
        assert_eq!(codes(&found), ["FWL108"]);
        assert!(!found.is_open());
        rules.application.extend(admits(&["*"], "*").application);
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        assert_eq!(outcome(&fwl108::RULE, &facts), Outcome::passed());
    }
}
