//! Writes in the activity log as evidence on the findings that they may explain. That something was written is certain, that
//! it is the reason is not: a change never makes a finding, and no change proves nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::context::Context;
use crate::diagnose::found;
use crate::facts::{Facts, Id, ResourceWrite, lookup};
use crate::order::Order as _;
use crate::report::{Evidence, Finding, Severity};

/// Resources named on one finding at most.
const SHOWN: usize = 3;

/// Types whose changes may explain a finding, each with what a report calls it.
const TYPES: &[(&str, &str)] = &[
    ("Microsoft.ContainerService/managedClusters", "cluster"),
    (
        "Microsoft.ContainerService/managedClusters/agentPools",
        "agent pool",
    ),
    ("Microsoft.Network/routeTables", "route table"),
    ("Microsoft.Network/routeTables/routes", "route"),
    (
        "Microsoft.Network/networkSecurityGroups",
        "network security group",
    ),
    (
        "Microsoft.Network/networkSecurityGroups/securityRules",
        "rule",
    ),
    ("Microsoft.Network/virtualNetworks", "virtual network"),
    ("Microsoft.Network/virtualNetworks/subnets", "subnet"),
    ("Microsoft.Network/natGateways", "NAT gateway"),
    ("Microsoft.Network/publicIPAddresses", "public IP address"),
    ("Microsoft.Network/publicIPPrefixes", "public IP prefix"),
    ("Microsoft.Network/loadBalancers", "load balancer"),
    ("Microsoft.Network/azureFirewalls", "Azure Firewall"),
    ("Microsoft.Network/firewallPolicies", "firewall policy"),
    (
        "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
        "rule collection group",
    ),
];

const NETWORK: &str = "Microsoft.Network/virtualNetworks";
const FIREWALL: &str = "Microsoft.Network/azureFirewalls";

/// The resource groups whose activity log may explain what was found, the gravest finding's first; none while nothing above
/// `low` was found.
pub fn groups_to_explain(facts: &Facts) -> Vec<Id> {
    let ctx = Context::new(facts);
    let mut findings: Vec<Finding> = found(&ctx).into_iter().filter(is_worth_it).collect();
    findings.order_by_key(|f| (Reverse(f.blocks_egress), Reverse(f.severity)));
    let mut groups = Vec::new();
    for id in findings.iter().flat_map(|finding| blamed(&ctx, finding)) {
        if let Some(group) = id.resource_group_id()
            && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    groups
}

/// Adds to each finding the last write to each resource that it is about.
pub(crate) fn explain(ctx: &Context<'_>, findings: &mut [Finding]) {
    if ctx.facts.activity_logs.is_empty() {
        return;
    }
    for finding in findings.iter_mut().filter(|f| is_worth_it(f)) {
        let blamed = blamed(ctx, finding);
        let until = finding.seen_at.unwrap_or(ctx.facts.asked_at);
        // The last write to each resource or part of one, before it showed.
        let mut last: BTreeMap<&Id, &ResourceWrite> = BTreeMap::new();
        for write in writes(ctx) {
            let known = last.get(&write.resource);
            let explains = write.at <= until && blamed.iter().any(|id| concerns(write, id));
            if explains && known.is_none_or(|known| known.at < write.at) {
                last.insert(&write.resource, write);
            }
        }
        let mut last: Vec<&ResourceWrite> = last.into_values().collect();
        last.order_by_key(|write| Reverse(write.at));
        let evidence: Vec<Evidence> = last
            .into_iter()
            .take(SHOWN)
            .map(|write| evidence(ctx, finding, write))
            .collect();
        finding.evidence.extend(evidence);
    }
}

fn is_worth_it(finding: &Finding) -> bool {
    finding.severity > Severity::Low
}

fn writes<'f>(ctx: &Context<'f>) -> impl Iterator<Item = &'f ResourceWrite> {
    let logs = ctx.facts.activity_logs.values();
    logs.filter_map(|log| log.as_known())
        .flat_map(|log| &log.writes)
}

/// What a finding is about: what it names, a firewall's policies where its rules decide, and the cluster where it is about
/// something that AKS itself writes.
fn blamed(ctx: &Context<'_>, finding: &Finding) -> BTreeSet<Id> {
    let of_evidence = finding
        .evidence
        .iter()
        .filter_map(|e| e.resource_id.as_ref());
    let named = finding.affected.resource_ids.iter().chain(of_evidence);
    let mut blamed: BTreeSet<Id> = named.filter(|id| kind(id).is_some()).cloned().collect();
    if finding.seen_at.is_none() {
        let firewalls = blamed.iter().filter(|id| id.is_type(FIREWALL));
        let policies: Vec<Id> = firewalls.flat_map(|id| policies(ctx.facts, id)).collect();
        blamed.extend(policies);
    }
    if finding.code == "SNT101" {
        blamed.extend(own_route_tables(ctx));
    }
    let cluster = ctx.cluster();
    let managed = cluster.node_resource_group.as_deref();
    let is_managed = |id: &Id| {
        let group = id.resource_group();
        group
            .zip(managed)
            .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if blamed.iter().any(is_managed) {
        blamed.insert(cluster.id.clone());
    }
    blamed
}

/// The route tables of the pools' subnets that people write: their routes decide how much a device has to translate. AKS
/// writes its own with every node.
fn own_route_tables(ctx: &Context<'_>) -> BTreeSet<Id> {
    let uses = ctx.subnets.uses.iter();
    let subnets = uses.filter_map(|used| used.subnet.as_ref().ok());
    let tables = subnets.filter_map(|subnet| subnet.route_table_id.as_ref());
    let is_own = |id: &&Id| {
        let table = lookup(&ctx.facts.route_tables, id).as_known();
        table.is_some_and(|table| !table.aks_managed)
    };
    tables.filter(is_own).cloned().collect()
}

/// A firewall's policy and its parents.
fn policies(facts: &Facts, firewall: &Id) -> Vec<Id> {
    let body = lookup(&facts.firewalls, firewall).as_known();
    let mut next = body.and_then(|firewall| firewall.policy_id.clone());
    let mut all: Vec<Id> = Vec::new();
    while let Some(id) = next.filter(|id| !all.contains(id)) {
        let policy = lookup(&facts.firewall_policies, &id).as_known();
        next = policy.and_then(|policy| policy.base_policy_id.clone());
        all.push(id);
    }
    all
}

/// Whether a write was to this resource, to a part of it, or to the network that a subnet is part of. A network's subnets
/// are resources of their own.
fn concerns(write: &ResourceWrite, id: &Id) -> bool {
    if kind(&write.resource).is_none() {
        return false;
    }
    let parent = write.resource.parent();
    write.resource == *id
        || (parent.as_ref() == Some(id) && !id.is_type(NETWORK))
        || (id.parent().as_ref() == Some(&write.resource) && write.resource.is_type(NETWORK))
}

fn kind(id: &Id) -> Option<&'static str> {
    let found = TYPES.iter().find(|(full, _)| id.is_type(full));
    found.map(|(_, word)| *word)
}

fn evidence(ctx: &Context<'_>, finding: &Finding, write: &ResourceWrite) -> Evidence {
    let verb = if write.deleted { "deleted" } else { "changed" };
    let until = finding.seen_at.unwrap_or(ctx.facts.asked_at);
    let before = match finding.seen_at {
        None => "this report",
        Some(_) if finding.code == "SNT101" => "failures began",
        Some(_) => "it was worst",
    };
    Evidence {
        text: format!(
            "{} was {verb} {} before {before}, which may or may not be the reason (activity log)",
            label(&write.resource),
            distance(until.duration_since(write.at))
        ),
        resource_id: Some(write.resource.clone()),
        value: Some(write.at.to_string()),
    }
}

/// `route default in route table rt-egress`
fn label(id: &Id) -> String {
    let own = format!("{} {}", kind(id).unwrap_or("resource"), id.name());
    match id.parent().filter(|parent| kind(parent).is_some()) {
        Some(parent) => format!("{own} in {}", label(&parent)),
        None => own,
    }
}

/// As people say it: minutes up to two hours, hours up to two days.
fn distance(time: SignedDuration) -> String {
    let (number, unit) = match time.as_mins() {
        0 => return "less than a minute".to_owned(),
        minutes @ 1..120 => (minutes, "minute"),
        minutes @ 120..2_880 => (minutes / 60, "hour"),
        minutes => (minutes / 1_440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::facts::{ActivityLog, Datum};
    use crate::report::{GapCause, Report};
    use crate::testing::*;
    use crate::{diagnose, facts::NextHopType};

    fn log(facts: &mut Facts, of: &Id, writes: Vec<ResourceWrite>) {
        let log = ActivityLog { writes, cut: false };
        let group = of.resource_group_id().unwrap();
        facts.activity_logs.insert(group, Datum::Known(log));
    }

    fn write(resource: impl AsRef<str>, at: Timestamp) -> ResourceWrite {
        ResourceWrite {
            at,
            resource: Id::new(resource),
            deleted: false,
        }
    }

    fn ago(time: Timestamp, minutes: i64) -> Timestamp {
        time - SignedDuration::from_mins(minutes)
    }

    /// A default route that leads to an appliance which nobody owns.
    fn bypassed() -> Facts {
        let mut facts = load_balancer();
        let to_appliance = route(
            "default",
            "0.0.0.0/0",
            NextHopType::VirtualAppliance,
            Some("10.9.9.9"),
        );
        route_table(&mut facts, vec![to_appliance]);
        facts
    }

    /// Fails from the third minute on.
    fn failing() -> (Facts, Timestamp) {
        let mut facts = load_balancer();
        let failed = connections("Failed", &[0.0, 0.0, 7.0, 9.0]);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        let began = diagnose(&facts).findings[0].seen_at.unwrap();
        (facts, began)
    }

    fn told(report: &Report) -> Vec<(&str, &str)> {
        let all = report.findings.iter();
        all.flat_map(|f| {
            f.evidence
                .iter()
                .map(|e| (f.code.as_str(), e.text.as_str()))
        })
        .filter(|(_, text)| text.contains("activity log"))
        .collect()
    }

    #[test]
    fn a_change_before_failures_began_is_evidence_with_its_distance() {
        let (mut facts, began) = failing();
        let cluster = facts.cluster.id.clone();
        let writes = vec![
            write(lb_id().as_str(), ago(began, 14)),
            write(lb_id().as_str(), ago(began, 300)),
            write(format!("{cluster}/agentPools/user"), ago(began, 200)),
        ];
        log(&mut facts, &lb_id(), writes);
        let report = diagnose(&facts);
        let of_snt101: Vec<&str> = told(&report)
            .into_iter()
            .filter(|(code, _)| *code == "SNT101")
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            of_snt101,
            [
                "load balancer kubernetes was changed 14 minutes before failures began, which may or may not be the reason (activity log)",
                "agent pool user in cluster shop was changed 3 hours before failures began, which may or may not be the reason (activity log)",
            ]
        );
    }

    #[test]
    fn a_route_that_changed_before_failures_began_is_evidence() {
        let (mut facts, began) = failing();
        let to_internet = route("default", "0.0.0.0/0", NextHopType::Internet, None);
        route_table(&mut facts, vec![to_internet]);
        let table = route_table_id();
        let write = write(format!("{table}/routes/default"), ago(began, 14));
        log(&mut facts, &table, vec![write]);
        let said = "route default in route table rt-egress was changed 14 minutes before failures began, which may or may not be the reason (activity log)";
        assert_eq!(told(&diagnose(&facts)), [("SNT101", said)]);
        // AKS writes its own table whenever a node comes.
        if let Some(Datum::Known(body)) = facts.route_tables.get_mut(&table) {
            body.aks_managed = true;
        }
        assert_eq!(told(&diagnose(&facts)), []);
    }

    #[test]
    fn what_changed_after_failures_began_did_not_begin_them() {
        let (mut facts, began) = failing();
        let after = began + SignedDuration::from_mins(1);
        log(&mut facts, &lb_id(), vec![write(lb_id().as_str(), after)]);
        assert_eq!(told(&diagnose(&facts)), []);
    }

    #[test]
    fn a_route_is_a_part_of_its_table_and_the_report_is_the_clock_of_what_has_no_time() {
        let mut facts = bypassed();
        let at = ago(facts.asked_at, 185);
        let route = format!("{}/routes/default", route_table_id());
        // Azure's own spelling of a group differs from one answer to the next.
        let route = route.replace("resourceGroups", "resourcegroups");
        log(&mut facts, &route_table_id(), vec![write(route, at)]);
        let report = diagnose(&facts);
        let found = told(&report);
        assert!(found.contains(&(
            "OUT102",
            "route default in route table rt-egress was changed 3 hours before this report, which may or may not be the reason (activity log)"
        )), "{found:?}");
    }

    #[test]
    fn another_resources_change_explains_nothing() {
        let mut facts = bypassed();
        let at = ago(facts.asked_at, 30);
        let beside = |rest: &str| write(format!("{}{rest}", route_table_id()), at);
        let others = vec![
            write(nsg_id("nodes").as_str(), at),
            beside("-other"),
            beside("/providers/Microsoft.Insights/diagnosticSettings/log"),
            beside("/providers/Microsoft.Authorization/locks/keep"),
        ];
        log(&mut facts, &route_table_id(), others);
        assert_eq!(told(&diagnose(&facts)), []);
        // A neighbouring subnet is another resource than the network that both are part of.
        let network = Id::new(vnet_id().as_str());
        let neighbour = write(format!("{network}/subnets/other"), at);
        assert!(!concerns(&neighbour, &network));
        let whole = write(network.as_str(), at);
        assert!(concerns(&whole, &subnet_id("nodes")));
    }

    #[test]
    fn the_log_is_asked_only_of_groups_that_hold_what_was_found() {
        assert_eq!(groups_to_explain(&load_balancer()), []);
        let names = |facts: &Facts| -> Vec<String> {
            let groups = groups_to_explain(facts);
            groups.iter().map(|group| group.name().to_owned()).collect()
        };
        // What AKS writes itself is explained by the cluster's own log.
        let (facts, _) = failing();
        assert_eq!(names(&facts), ["MC_rg_shop_westeurope", "rg"]);
        assert_eq!(names(&bypassed()), ["rg-net"]);
    }

    #[test]
    fn r5_3_a_firewalls_rules_are_in_its_policies() {
        let mut facts = firewalled();
        let rules = admits(&["nothing.example"], "*");
        facts.rule_collection_groups.clear();
        facts
            .rule_collection_groups
            .insert(policy_id(), Datum::Known(Vec::new()));
        firewall_rules(&mut facts, crate::facts::RuleAction::Allow, rules);
        let at = ago(facts.asked_at, 1);
        let group = format!("{}/ruleCollectionGroups/aks", policy_id());
        log(&mut facts, &policy_id(), vec![write(group, at)]);
        let report = diagnose(&facts);
        let found = told(&report);
        let (code, text) = found.first().unwrap();
        assert_eq!(*code, "FWL108", "{found:?}");
        assert!(text.starts_with("rule collection group aks in firewall policy "));
        assert!(text.contains(" was changed 1 minute before this report"));
    }

    #[test]
    fn a_log_that_was_not_read_is_a_gap_and_opens_no_check() {
        let (mut facts, _) = failing();
        let complete = diagnose(&facts).verdict.complete;
        let group = |id: &Id| id.resource_group_id().unwrap();
        let action = "Microsoft.Insights/eventtypes/values/Read";
        facts.activity_logs.insert(group(&lb_id()), denied(action));
        let cut = ActivityLog {
            writes: vec![write(lb_id().as_str(), facts.window.start)],
            cut: true,
        };
        facts
            .activity_logs
            .insert(group(&facts.cluster.id), Datum::Known(cut));
        let report = diagnose(&facts);
        assert_eq!(report.verdict.complete, complete);
        let gaps: Vec<(&str, GapCause)> = report
            .gaps
            .iter()
            .map(|gap| (gap.what.as_str(), gap.cause))
            .collect();
        let longer = format!(
            "activity log of resource group rg before {}",
            facts.window.start
        );
        assert_eq!(
            gaps,
            [
                (
                    "activity log of resource group MC_rg_shop_westeurope",
                    GapCause::Forbidden
                ),
                (longer.as_str(), GapCause::NotAsked),
            ]
        );
    }

    #[test]
    fn a_log_that_was_not_asked_for_says_why() {
        let (mut facts, _) = failing();
        let group = lb_id().resource_group_id().unwrap();
        let late = Datum::not_asked("it became known too late");
        facts.activity_logs.insert(group, late);
        let gaps = diagnose(&facts).gaps;
        assert_eq!(gaps.len(), 1);
        assert_eq!(
            gaps[0].what,
            "activity log of resource group MC_rg_shop_westeurope (it became known too late)"
        );
    }

    #[test]
    fn distances_are_said_as_people_say_them() {
        let said = |minutes| distance(SignedDuration::from_mins(minutes));
        assert_eq!(said(0), "less than a minute");
        assert_eq!(said(1), "1 minute");
        assert_eq!(said(119), "119 minutes");
        assert_eq!(said(185), "3 hours");
        assert_eq!(said(47 * 60), "47 hours");
        assert_eq!(said(49 * 60), "2 days");
    }
}
