//! What the network security groups do with a destination, level by level (R4.4).

use super::Destination;
use super::cause::Blame;
use super::report::{TraceStep, TraceStepKind};
use crate::context::Context;
use crate::network::nsg::{FlowClass, Level, RuleName};
use crate::network::{AddressSet, Decision, Outcome, PortSet};
use crate::path::{LevelGroup, Summary};
use crate::report::DecidedBy;
use crate::sections;
use crate::security::{Guard, Service, Standing, open_words};

/// One level's answer.
pub(super) struct Gate {
    pub(super) step: TraceStep,
    pub(super) outcome: Outcome,
    /// The rule that denies.
    pub(super) by: Option<DecidedBy>,
    pub(super) blame: Blame,
}

/// The answers of the network's security admin rules where there are any, NIC and subnet, in this order. `services` are those behind a host that service tags stand for.
pub(super) fn gates(
    ctx: &Context<'_>,
    guard: &Guard<'_, '_>,
    destination: &Destination,
    (sources, addresses): (&AddressSet, &AddressSet),
    services: &[Service],
) -> Vec<Gate> {
    let class = FlowClass::new(
        sources.clone(),
        addresses.clone(),
        destination.protocol(),
        PortSet::one(destination.port),
    );
    guard
        .levels()
        .enumerate()
        .map(|(index, (level, group))| {
            let parts = group.rules.evaluate(&class);
            let decisions: Vec<&Decision<RuleName>> = parts.iter().map(|p| &p.decision).collect();
            let summary = Summary::of(decisions.iter().map(|d| d.outcome));
            let by_tag = match summary {
                Summary::Partly | Summary::Undecidable if group.nsg.is_ok() => {
                    by_services(ctx, guard, destination, services, index)
                }
                _ => None,
            };
            by_tag.map_or_else(
                || by_rules(level, group, summary, &decisions, destination),
                |found| gate_of(level, group, found),
            )
        })
        .collect()
}

struct Found {
    outcome: Outcome,
    why: String,
    rule: Option<RuleName>,
}

fn gate_of(level: Level, group: &LevelGroup, found: Found) -> Gate {
    let nsg = group.nsg.as_ref().ok().and_then(Option::as_ref);
    let denied = found.rule.filter(|_| found.outcome == Outcome::Denied);
    Gate {
        step: TraceStep {
            kind: TraceStepKind::Nsg,
            resource_id: nsg.cloned(),
            decision: match found.outcome {
                Outcome::Allowed if nsg.is_none() => "none",
                Outcome::Allowed => "allowed",
                Outcome::Denied => "denied",
                Outcome::Undecidable => "unknown",
            }
            .to_owned(),
            why: format!("{}: {}", level_word(level), found.why),
        },
        outcome: found.outcome,
        blame: denied.as_ref().map_or(Blame::Nothing, |rule| Blame::Part {
            families: &["NSG"],
            resource: rule.nsg.clone(),
            name: rule.rule.clone(),
        }),
        by: denied.map(|rule| DecidedBy {
            resource_id: rule.nsg,
            rule: Some(rule.rule).filter(|name| !name.is_empty()),
            priority: rule.priority,
        }),
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Nic => "on the nodes' NICs",
        Level::Subnet => "on the subnet",
        Level::Network => "in the virtual network",
    }
}

fn by_rules(
    level: Level,
    group: &LevelGroup,
    summary: Summary,
    decisions: &[&Decision<RuleName>],
    destination: &Destination,
) -> Gate {
    let mut names: Vec<String> = Vec::new();
    for decision in decisions {
        let name = sections::rule_name(decision);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names = names.join("; ");
    let first = decisions.iter().find(|d| d.outcome == Outcome::Denied);
    let (outcome, why) = match (&group.nsg, summary) {
        (Err(missing), _) => (
            Outcome::Undecidable,
            format!("{} could not be read", missing.what),
        ),
        (Ok(None), _) => (
            Outcome::Allowed,
            "no network security group, so everything passes".to_owned(),
        ),
        (_, Summary::Allowed) => (Outcome::Allowed, names),
        (_, Summary::Denied) => (Outcome::Denied, names),
        (_, Summary::Partly) if destination.host().is_some() => (
            Outcome::Undecidable,
            format!(
                "part of the internet is denied, and the host's addresses are not known: {names}"
            ),
        ),
        (_, Summary::Partly) => (
            Outcome::Undecidable,
            format!("denied for a part of the subnet's addresses: {names}"),
        ),
        (_, Summary::Undecidable) => {
            let open = decisions.iter().flat_map(|d| &d.open);
            let words = open_words(open);
            let why = words.first().cloned().unwrap_or(names);
            (Outcome::Undecidable, why)
        }
    };
    let rule = first.map(|decision| decision.by.clone());
    gate_of(level, group, Found { outcome, why, rule })
}

/// How the services behind a host stand at one level; `None` for a host that no service tag stands for.
fn by_services(
    ctx: &Context<'_>,
    guard: &Guard<'_, '_>,
    destination: &Destination,
    services: &[Service],
    level: usize,
) -> Option<Found> {
    let flow = (destination.protocol(), destination.port);
    let location = ctx.cluster().location.as_deref();
    let standings = services.iter().filter_map(|service| {
        let standing = guard.standing_by_level(*service, flow, location);
        Some((*service, standing.into_iter().nth(level)?))
    });
    let mut open: Option<Found> = None;
    let mut allowed = false;
    for (service, standing) in standings {
        match standing {
            Standing::Allowed => allowed = true,
            Standing::Denied(blocks) => {
                let rule = blocks.into_iter().next()?.rule;
                return Some(Found {
                    outcome: Outcome::Denied,
                    why: format!(
                        "{} denies {}",
                        crate::security::named(&rule),
                        service.label()
                    ),
                    rule: Some(rule),
                });
            }
            Standing::Unknown(why) => {
                let why = why
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| format!("how {} stands is not known", service.label()));
                open = open.or(Some(Found {
                    outcome: Outcome::Undecidable,
                    why,
                    rule: None,
                }));
            }
        }
    }
    open.or_else(|| {
        allowed.then(|| Found {
            outcome: Outcome::Allowed,
            why: "rules for the service's tag let it pass".to_owned(),
            rule: None,
        })
    })
}
