//! What a plan says in words: what must be so before, what the outcomes prove, what else happens.

use super::{Detour, Passed, Precondition, Proof, Validity, by_name, carried_by, leaves_as};
use crate::context::Context;
use crate::facts::{Id, NetworkPlugin, OutboundType};
use crate::network::AddressSet;
use crate::order::Order as _;
use crate::path::{Reach, Summary};
use crate::report::Method;
use crate::trace::Destination;

fn must(text: impl Into<String>, met: Option<bool>) -> Precondition {
    Precondition {
        text: text.into(),
        met,
    }
}

/// What must be so before the test, the decisive first.
pub(super) fn preconditions(
    ctx: &Context<'_>,
    detour: &Detour<'_, '_>,
    destination: Option<&Destination>,
) -> Vec<Precondition> {
    let mut all = Vec::new();
    for passed in &detour.paths {
        all.push(method(passed));
        all.push(groups(passed));
    }
    if let Some(host) = by_name(destination) {
        all.push(must(
            format!(
                "put the IPv4 address that {host} resolves to inside the cluster in place of ADDRESS; a name with several \
                 addresses needs a route for each"
            ),
            None,
        ));
    }
    let others = others(ctx, detour);
    if !others.is_empty() {
        all.push(must(
            format!(
                "whoever runs these subnets agrees, for they follow route table {} too: {}",
                detour.table.id.name(),
                others.join(", ")
            ),
            None,
        ));
    }
    all.push(must(
        format!(
            "you may write to it: Microsoft.Network/routeTables/routes/write on route table {}",
            detour.table.id.name()
        ),
        None,
    ));
    if destination.is_none() {
        if ctx.outbound_type() == Some(&OutboundType::UserDefinedRouting) {
            all.push(must(
                "no AKS operation (update, upgrade, scale, autoscaler) starts before the undo: AKS refuses outbound type \
                 userDefinedRouting without a default route to an appliance or gateway (R1.63)",
                None,
            ));
        }
        all.extend(ranges(ctx, detour));
    }
    all
}

/// What carries the packets past the appliance (R2.6).
fn method(passed: &Passed<'_, '_>) -> Precondition {
    let from = passed.path.used.label();
    let by = carried_by(passed);
    match (passed.reach, passed.carrier.method) {
        (Reach::Delivered, Method::DefaultOutboundAccess) => must(
            format!(
                "packets of {from} have a way of their own to the internet: {by}, which is unsupported, has a changing \
                 address and carries no ICMP (R2.5)"
            ),
            Some(true),
        ),
        (Reach::Delivered, _) => must(
            format!("packets of {from} have a way of their own to the internet: {by}"),
            Some(true),
        ),
        (Reach::NoMethod, _) => must(
            format!(
                "packets of {from} have a way of their own to the internet: they have not, {}. Next hop Internet fails \
                 there whatever the appliance does (R2.6); put a NAT gateway on the subnet first, or test from another",
                passed.carrier.why
            ),
            Some(false),
        ),
        _ => must(
            format!(
                "packets of {from} have a way of their own to the internet: not known, {}",
                passed.carrier.why
            ),
            None,
        ),
    }
}

fn groups(passed: &Passed<'_, '_>) -> Precondition {
    let from = passed.path.used.label();
    match passed.groups {
        Summary::Allowed => must(
            format!("network security groups let the test's packets leave {from}"),
            Some(true),
        ),
        Summary::Denied => must(
            format!(
                "network security groups let the test's packets leave {from}: they deny them, before any route counts; \
                 mend that first"
            ),
            Some(false),
        ),
        Summary::Partly => must(
            format!(
                "network security groups let the test's packets leave {from}: they deny a part of the internet"
            ),
            None,
        ),
        Summary::Undecidable => must(
            format!("network security groups let the test's packets leave {from}: not known"),
            None,
        ),
    }
}

/// Subnets with the table that no pool of this cluster is in.
fn others(ctx: &Context<'_>, detour: &Detour<'_, '_>) -> Vec<String> {
    let own = |id: &Id| ctx.paths.iter().any(|path| path.used.id == id);
    detour
        .table
        .subnet_ids
        .iter()
        .filter(|id| !own(id))
        .map(|id| match id.parent() {
            Some(network) => format!("{}/{}", network.name(), id.name()),
            None => id.name().to_owned(),
        })
        .collect()
}

/// Nodes reach a public API server with the new address (R1.88).
fn ranges(ctx: &Context<'_>, detour: &Detour<'_, '_>) -> Option<Precondition> {
    let api = &ctx.cluster().api_server;
    if api.authorized_ip_ranges.is_empty() || api.private_cluster == Some(true) {
        return None;
    }
    let admitted = AddressSet::parse_all(api.authorized_ip_ranges.iter().map(String::as_str)).ok();
    let leaving: Option<Vec<String>> = detour
        .paths
        .iter()
        .map(|passed| leaves_as(ctx, passed))
        .collect::<Option<Vec<_>>>()
        .map(|all| all.concat());
    let covered = leaving.as_ref().zip(admitted).and_then(|(ips, admitted)| {
        let set = AddressSet::parse_all(ips.iter().map(String::as_str)).ok()?;
        Some(admitted.contains_all(&set))
    });
    let what = leaving.map_or("not known".to_owned(), |ips| ips.join(", "));
    Some(must(
        format!(
            "the API server's authorized ranges hold the address that packets then leave with ({what}); else the nodes lose \
             the API server"
        ),
        covered,
    ))
}

/// What each outcome proves.
pub(super) fn proves(validity: Validity) -> Vec<Proof> {
    let proof = |outcome: &str, proves: &str| Proof {
        outcome: outcome.to_owned(),
        proves: proves.to_owned(),
    };
    let mut all = vec![proof(
        "it works now and did not before",
        "the appliance is what stops it: its rules, its health or its SNAT ports. Undo, read its deny log and allow what is \
         missing",
    )];
    all.push(match validity {
        Validity::Valid => proof(
            "it fails the same way",
            "the appliance is not the only cause: what remains is name resolution, the destination, network policy in the \
             cluster, or SNAT on the new way",
        ),
        Validity::Invalid => proof(
            "it fails",
            "nothing: it would fail whatever the appliance does, see the preconditions that are not met",
        ),
        Validity::Unknown => proof(
            "it fails",
            "nothing yet: first make sure of the preconditions that are not known",
        ),
    });
    all.push(proof(
        "it fails in another way (an HTTP status, a TLS alert)",
        "packets now arrive: the destination may admit the appliance's address only, or fail for reasons of its own",
    ));
    all
}

/// What else happens until the undo (R9.8).
pub(super) fn side_effects(
    ctx: &Context<'_>,
    detour: &Detour<'_, '_>,
    destination: Option<&Destination>,
) -> Vec<String> {
    let names: Vec<&str> = detour.table.subnet_ids.iter().map(Id::name).collect();
    let who = if names.is_empty() {
        "every subnet with the table".to_owned()
    } else {
        names.join(", ")
    };
    let mut all = if destination.is_some() {
        vec![
            format!("Packets to this one destination go uninspected from {who}"),
            "Open connections to it break, when the route is added and when it is removed"
                .to_owned(),
        ]
    } else {
        vec![
            format!("Nothing is inspected and everything is let out, from {who}"),
            "Open connections break, at the change and at the undo".to_owned(),
            "The egress address changes: allow-lists of destinations no longer know the cluster"
                .to_owned(),
        ]
    };
    for passed in detour.paths.iter().filter(|p| p.reach == Reach::NoMethod) {
        let what = if destination.is_some() {
            "does not reach this destination"
        } else {
            "has no way to the internet"
        };
        all.insert(
            0,
            format!(
                "{} {what} at all",
                super::capital(&passed.path.used.label())
            ),
        );
    }
    let mut leaving: Vec<String> = detour
        .paths
        .iter()
        .filter_map(|passed| leaves_as(ctx, passed))
        .flatten()
        .collect();
    leaving.order();
    leaving.dedup();
    if !leaving.is_empty() {
        all.push(format!("Packets leave as {}", leaving.join(", ")));
    }
    let kubenet = ctx.network().and_then(|network| network.plugin.as_ref());
    if kubenet == Some(&NetworkPlugin::Kubenet) {
        all.push(
            "The table also holds the pods' routes, which AKS writes: change nothing else in it (R1.80)".to_owned(),
        );
    }
    all
}
