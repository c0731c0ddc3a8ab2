//! Security rules in words, and the commands that put them right (R9.10).

use super::Rule;
use super::nsg_hits::Hit;
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Access, Direction, Id, Nsg, SecurityRule};
use crate::network::nsg::{Level, RuleName};
use crate::report::{Finding, Remediation};
use crate::security;

/// Highest priority of a rule that somebody writes (R4.1).
const LAST_PRIORITY: u32 = 4096;
const FIRST_PRIORITY: u32 = 100;

/// Traffic that a new rule lets through.
pub(super) struct Admit<'a> {
    /// Name of the new rule.
    pub(super) name: &'a str,
    pub(super) direction: Direction,
    /// `Tcp`, `Udp` or `*`.
    pub(super) protocol: &'a str,
    /// Sources; empty = any.
    pub(super) sources: &'a [String],
    /// Prefixes or one service tag.
    pub(super) destinations: &'a [String],
    /// Ports; `*` = any.
    pub(super) ports: &'a [String],
}

/// `network security group nsg on the subnet`
pub(super) fn place(rule: &RuleName) -> String {
    let level = match rule.level {
        Level::Nic => " on the network interfaces",
        Level::Subnet => " on the subnet",
        Level::Network => "",
    };
    format!("{}{level}", rule.holder())
}

/// `rule deny-all (priority 200)`
pub(super) fn rule_label(rule: &RuleName) -> String {
    match rule.priority {
        Some(priority) => format!("rule {} (priority {priority})", rule.rule),
        None => format!("rule {}", rule.rule),
    }
}

/// A finding about one denying rule, with the rule as evidence.
pub(super) fn denied(ctx: &Context<'_>, code: &Rule, title: String, hit: &Hit) -> Finding {
    let by = &hit.rule;
    let mut finding = code.finding(title).pools(hit.pools());
    if let Some(id) = &by.nsg
        && by.level != Level::Network
    {
        finding = finding.resource(id);
    }
    let admin = || admin_rule(ctx, by).map(describe);
    let words = body(ctx, by).map(|(_, rule)| describe(rule)).or_else(admin);
    finding.evidence(
        format!("{} of {}", rule_label(by), place(by)),
        by.nsg.as_ref(),
        words,
    )
}

/// The group and the rule of that name.
pub(super) fn body<'f>(ctx: &Context<'f>, name: &RuleName) -> Option<(&'f Nsg, &'f SecurityRule)> {
    let nsg = security::nsg(ctx, name.nsg.as_ref()?)?;
    let rule = nsg
        .rules
        .iter()
        .find(|r| r.name == name.rule && Some(r.priority) == name.priority)?;
    Some((nsg, rule))
}

/// The security admin rule of that name.
fn admin_rule<'f>(ctx: &Context<'f>, name: &RuleName) -> Option<&'f SecurityRule> {
    let of_networks = ctx.facts.admin_rules.values();
    let mut rules = of_networks.filter_map(|rules| rules.as_known()).flatten();
    let own = rules.find(|it| Some(&it.id) == name.nsg.as_ref())?;
    Some(&own.rule)
}

/// `Deny Outbound Tcp from * to Internet ports 443`
pub(super) fn describe(rule: &SecurityRule) -> String {
    let access = match rule.access {
        Some(Access::Allow) => "Allow",
        Some(Access::Deny) => "Deny",
        None => "an action this version does not know",
    };
    let side = |texts: &[String], groups: &[Id]| {
        let names = groups.iter().map(|id| id.name().to_owned());
        let all: Vec<String> = texts.iter().cloned().chain(names).collect();
        all.join(",")
    };
    format!(
        "{access} {} {} from {} to {} ports {}",
        direction(rule),
        rule.protocol,
        side(&rule.sources, &rule.source_asgs),
        side(&rule.destinations, &rule.destination_asgs),
        rule.destination_ports.join(",")
    )
}

fn direction(rule: &SecurityRule) -> &'static str {
    match rule.direction {
        Some(Direction::Inbound) => "Inbound",
        Some(Direction::Outbound) | None => "Outbound",
    }
}

/// The ways to lift a denial, best first: admit the traffic above the rule, or take the rule away. A group of AKS's own
/// gets no rules beside AKS's (R1.84), so there only the latter is left.
pub(super) fn fixes(ctx: &Context<'_>, by: &RuleName, admits: &[Admit<'_>]) -> Vec<Remediation> {
    if by.level == Level::Network {
        return vec![Remediation::new(format!(
            "Have the owners of {} admit the traffic: narrow the rule, or put one with action Allow or AlwaysAllow before \
             it. No network security group can override it",
            by.holder()
        ))];
    }
    let Some((nsg, rule)) = body(ctx, by) else {
        return vec![
            Remediation::new(format!("Read the rules of {}", place(by))).command(show(ctx, by)),
        ];
    };
    let mut fixes = Vec::new();
    if !nsg.aks_managed {
        fixes.extend(admit(nsg, rule, admits));
    }
    fixes.push(remove(nsg, rule));
    fixes
}

fn show(ctx: &Context<'_>, by: &RuleName) -> String {
    let group = ctx.cluster().node_resource_group.as_deref();
    by.nsg.as_ref().map_or_else(
        || {
            Az::new("network nsg list")
                .opt("--subscription", &ctx.cluster().subscription_id)
                .opt("--resource-group", group.unwrap_or_default())
                .build()
        },
        |id| {
            Az::new("network nsg show")
                .opt("--ids", id.as_str())
                .build()
        },
    )
}

/// Free priorities before this one, the nearest first.
fn free_above(nsg: &Nsg, priority: u32, way: Direction) -> impl Iterator<Item = u32> {
    (FIRST_PRIORITY..priority.min(LAST_PRIORITY))
        .rev()
        .filter(move |free| {
            let mut rules = nsg.rules.iter();
            !rules.any(|r| r.priority == *free && r.direction.is_none_or(|d| d == way))
        })
}

/// The ways to deal with an allow rule that never fires: move it before the rule that denies, or take it away.
pub(super) fn unshadow(nsg: &Nsg, allow: &SecurityRule, first_deny: u32) -> Vec<Remediation> {
    let name = &allow.name;
    let update = |priority: u32| {
        on(nsg, "update", name)
            .number("--priority", u64::from(priority))
            .build()
    };
    let moved = free_above(nsg, first_deny, Direction::Outbound)
        .next()
        .map(|free| {
            Remediation::new(format!("Move rule {name} before the rule that denies"))
                .command(update(free))
                .side_effect("What the rule allows is open to new connections")
                .undo(update(allow.priority))
        });
    let gone = take_away(
        nsg,
        allow,
        format!("Or remove rule {name}, which has no effect"),
    )
    .side_effect("None while the rules before it stay");
    moved.into_iter().chain([gone]).collect()
}

/// One allow rule per kind of traffic, each in a free place right above the denying rule.
fn admit(nsg: &Nsg, deny: &SecurityRule, admits: &[Admit<'_>]) -> Option<Remediation> {
    let way = admits.first()?.direction;
    let free: Vec<u32> = free_above(nsg, deny.priority, way)
        .take(admits.len())
        .collect();
    if free.len() < admits.len() {
        return None;
    }
    let mut fix = Remediation::new(format!(
        "Allow the traffic above rule {} of network security group {}",
        deny.name,
        nsg.id.name()
    ))
    .side_effect("Only new connections see the change");
    let stricter = admits.iter().any(|a| {
        a.destinations
            .iter()
            .any(|d| d.eq_ignore_ascii_case("Internet"))
    });
    if stricter {
        fix = fix.side_effect(
            "Opens the port to every public address: AKS's dependencies have no fixed addresses that a security group could list",
        );
    }
    for (wanted, priority) in admits.iter().zip(free) {
        let clash = nsg
            .rules
            .iter()
            .any(|r| r.name.eq_ignore_ascii_case(wanted.name));
        let name = if clash {
            format!("{}-{priority}", wanted.name)
        } else {
            wanted.name.to_owned()
        };
        let direction = match wanted.direction {
            Direction::Inbound => "Inbound",
            Direction::Outbound => "Outbound",
        };
        let texts = |values: &[String]| values.to_vec();
        let (sources, destinations, ports) = (
            texts(wanted.sources),
            texts(wanted.destinations),
            texts(wanted.ports),
        );
        fix = fix
            .command(
                on(nsg, "create", &name)
                    .opt("--direction", direction)
                    .number("--priority", u64::from(priority))
                    .opt("--access", "Allow")
                    .opt("--protocol", wanted.protocol)
                    .opts(
                        "--source-address-prefixes",
                        sources.iter().map(String::as_str),
                    )
                    .opts(
                        "--destination-address-prefixes",
                        destinations.iter().map(String::as_str),
                    )
                    .opts(
                        "--destination-port-ranges",
                        ports.iter().map(String::as_str),
                    )
                    .build(),
            )
            .undo(on(nsg, "delete", &name).build());
    }
    Some(fix)
}

/// Takes a rule away; the undo writes it again as it was.
pub(super) fn remove(nsg: &Nsg, rule: &SecurityRule) -> Remediation {
    let name = nsg.id.name();
    let summary = if nsg.aks_managed {
        format!(
            "Remove rule {} from {name}: the group is AKS's own and gets no other rules",
            rule.name
        )
    } else {
        format!(
            "Remove rule {} from network security group {name}",
            rule.name
        )
    };
    take_away(nsg, rule, summary)
        .side_effect("Everything that only this rule denied is open to new connections")
}

/// Deletes a rule; the undo writes it again as it was.
fn take_away(nsg: &Nsg, rule: &SecurityRule, summary: String) -> Remediation {
    let strs = |texts: &[String]| texts.to_vec();
    let ids = |ids: &[Id]| -> Vec<String> { ids.iter().map(|id| id.as_str().to_owned()).collect() };
    let mut undo = on(nsg, "create", &rule.name)
        .opt("--direction", direction(rule))
        .number("--priority", u64::from(rule.priority))
        .opt(
            "--access",
            if rule.access == Some(Access::Allow) {
                "Allow"
            } else {
                "Deny"
            },
        )
        .opt("--protocol", &rule.protocol);
    for (option, values) in [
        ("--source-address-prefixes", strs(&rule.sources)),
        ("--source-asgs", ids(&rule.source_asgs)),
        ("--source-port-ranges", strs(&rule.source_ports)),
        ("--destination-address-prefixes", strs(&rule.destinations)),
        ("--destination-asgs", ids(&rule.destination_asgs)),
        ("--destination-port-ranges", strs(&rule.destination_ports)),
    ] {
        undo = undo.opts(option, values.iter().map(String::as_str));
    }
    Remediation::new(summary)
        .command(on(nsg, "delete", &rule.name).build())
        .undo(undo.build())
}

fn on(nsg: &Nsg, verb: &str, rule: &str) -> Az {
    Az::beside(&format!("network nsg rule {verb}"), &nsg.id)
        .opt("--nsg-name", nsg.id.name())
        .opt("--name", rule)
}
