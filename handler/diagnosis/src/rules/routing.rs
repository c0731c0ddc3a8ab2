//! What the route rules share: paths by their default route, and the commands that change routes.

use std::net::IpAddr;

use super::Outcome;
use super::snt_addresses::create_beside;
use crate::commands::Az;
use crate::context::{Context, pools_label};
use crate::facts::{Id, OutboundType, Route, RouteTable, lookup};
use crate::network::routes::Hop;
use crate::order::Order as _;
use crate::path::{DefaultRoute, HubDefault, Path, Via};
use crate::report::{Finding, Remediation};

/// Paths with the same default route.
pub(super) struct Routed<'c, 'f> {
    pub(super) via: &'c Via,
    pub(super) paths: Vec<&'c Path<'f>>,
    /// The route is for half of the addresses only, and the other half goes elsewhere.
    pub(super) half: bool,
}

impl<'f> Routed<'_, 'f> {
    /// Pools in name order.
    pub(super) fn pools(&self) -> Vec<&'f str> {
        pools(self.paths.iter().copied())
    }

    /// `Node pools a, b`
    pub(super) fn who(&self) -> String {
        super::out106::capital(&pools_label(&self.pools()))
    }

    /// Adds the route, the subnets and the pools to a finding.
    pub(super) fn show(&self, mut found: Finding) -> Finding {
        let value = Some(self.via.hop_label());
        let given = self.paths.iter().find_map(|path| hub(path));
        let at = self.via.table.as_ref().or(given);
        found = found.evidence(self.via.label(), at, value);
        if self.half {
            let text = "the route is for one half of all addresses; the other half goes elsewhere";
            found = found.evidence(text, self.via.table.as_ref(), None);
        }
        if let Some(id) = at {
            found = found.resource(id);
        }
        show_subnets(found, &self.paths)
    }
}

/// The virtual hub that gives a path its default route.
fn hub<'p>(path: &'p Path<'_>) -> Option<&'p Id> {
    match &path.routes.hub {
        Some(HubDefault::Given { hub, .. }) => Some(hub),
        _ => None,
    }
}

/// Pools of some paths, in name order.
pub(super) fn pools<'c, 'f: 'c>(paths: impl IntoIterator<Item = &'c Path<'f>>) -> Vec<&'f str> {
    let mut pools: Vec<&str> = paths
        .into_iter()
        .flat_map(|path| path.used.pools.iter().copied())
        .collect();
    pools.order();
    pools.dedup();
    pools
}

/// Adds the subnets and pools of some paths to a finding.
pub(super) fn show_subnets(mut found: Finding, paths: &[&Path<'_>]) -> Finding {
    for path in paths {
        found = found.resource(path.used.id);
    }
    found.pools(pools(paths.iter().copied()))
}

/// Paths whose default route is wanted, those with the same route together. Paths whose default route is not known
/// leave the outcome open.
pub(super) fn by_default<'c, 'f>(
    ctx: &'c Context<'f>,
    outcome: &mut Outcome,
    wanted: impl Fn(&Via) -> bool,
) -> Vec<Routed<'c, 'f>> {
    let mut groups: Vec<Routed<'c, 'f>> = Vec::new();
    let mut add = |via: &'c Via, path: &'c Path<'f>, half: bool| {
        if !wanted(via) {
            return;
        }
        match groups.iter_mut().find(|group| group.via == via) {
            Some(group) => group.paths.push(path),
            None => groups.push(Routed {
                via,
                paths: vec![path],
                half,
            }),
        }
    };
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    for path in &ctx.paths {
        match &path.routes.default {
            DefaultRoute::Decided { via, .. } => add(via, path, false),
            DefaultRoute::Halves { low, high } => {
                add(low, path, true);
                add(high, path, true);
            }
            DefaultRoute::Open(reason) => outcome
                .undecided
                .push(format!("{}: {reason}", path.used.label())),
            DefaultRoute::Unread(missing) => outcome.missing.push(missing.clone()),
        }
    }
    groups
}

/// The paths with a route table. Subnets and tables that could not be read leave the outcome open.
pub(super) fn with_table<'c, 'f>(
    ctx: &'c Context<'f>,
    outcome: &mut Outcome,
) -> Vec<(&'c Path<'f>, &'f RouteTable)> {
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    let mut with = Vec::new();
    for path in &ctx.paths {
        match &path.routes.table {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(None) => {}
            Ok(Some(table)) => with.push((path, *table)),
        }
    }
    with
}

/// Paths whose carrier is wanted. Paths whose carrier is not known leave the outcome open.
pub(super) fn by_carrier<'c, 'f>(
    ctx: &'c Context<'f>,
    outcome: &mut Outcome,
    wanted: impl Fn(&Path<'f>) -> bool,
) -> Vec<&'c Path<'f>> {
    by_carrier_where(ctx, outcome, |_| true, wanted)
}

/// The same for a carrier that only some paths can have: whatever else is not known of the others does not matter.
pub(super) fn by_carrier_where<'c, 'f>(
    ctx: &'c Context<'f>,
    outcome: &mut Outcome,
    possible: impl Fn(&Path<'f>) -> bool,
    wanted: impl Fn(&Path<'f>) -> bool,
) -> Vec<&'c Path<'f>> {
    outcome
        .missing
        .extend(ctx.subnets.unresolved.iter().cloned());
    for path in ctx.paths.iter().filter(|path| possible(path)) {
        open_carrier(path, outcome);
    }
    ctx.paths.iter().filter(|path| wanted(path)).collect()
}

/// Leaves the outcome open where it is not known what carries a path.
pub(super) fn open_carrier(path: &Path<'_>, outcome: &mut Outcome) {
    let carrier = &path.carrier;
    if let Some(missing) = &carrier.missing {
        outcome.missing.push(missing.clone());
    } else if carrier.method == crate::report::Method::Unknown {
        outcome
            .undecided
            .push(format!("{}: {}", path.used.label(), carrier.why));
    }
}

/// The types that want no egress.
pub(super) const ISOLATED: [OutboundType; 2] = [OutboundType::None, OutboundType::Block];

/// The types that promise a NAT gateway.
pub(super) const NAT_GATEWAY: [OutboundType; 3] = [
    OutboundType::ManagedNatGateway,
    OutboundType::ManagedNatGatewayV2,
    OutboundType::UserAssignedNatGateway,
];

/// The outcome of a check about some outbound types where the cluster's is another one, or its body names none.
pub(super) fn only_for(
    ctx: &Context<'_>,
    types: &[OutboundType],
    otherwise: &str,
) -> Option<Outcome> {
    match ctx.outbound_type() {
        None => Some(no_type()),
        Some(declared) if types.contains(declared) => None,
        Some(_) => Some(Outcome::not_applicable(otherwise)),
    }
}

/// Without an outbound type nothing says what should carry the packets.
pub(super) fn no_type() -> Outcome {
    Outcome::undecided("the cluster's body has no outbound type")
}

/// Whether the type wants no egress at all.
pub(super) fn isolated(ctx: &Context<'_>) -> bool {
    matches!(
        ctx.outbound_type(),
        Some(OutboundType::None | OutboundType::Block)
    )
}

/// Whether the outbound type is one that this version knows.
pub(super) fn known_type(ctx: &Context<'_>) -> bool {
    !matches!(ctx.outbound_type(), None | Some(OutboundType::Other(_)))
}

pub(super) fn is_udr(ctx: &Context<'_>) -> bool {
    ctx.outbound_type() == Some(&OutboundType::UserDefinedRouting)
}

/// Whether all pools use subnets that AKS does not manage itself (R1.70, R1.71).
pub(super) fn own_network(ctx: &Context<'_>) -> bool {
    let node_group = ctx.cluster().node_resource_group.as_deref();
    let managed = |path: &Path<'_>| match (node_group, path.used.id.resource_group()) {
        (Some(group), Some(of)) => group.eq_ignore_ascii_case(of),
        _ => false,
    };
    !ctx.paths.iter().any(managed)
}

/// `az network route-table route {verb}`
pub(crate) fn az_route(verb: &str, table: &Id, name: &str) -> Az {
    Az::beside(&format!("network route-table route {verb}"), table)
        .opt("--route-table-name", table.name())
        .opt("--name", name)
}

/// The next hop options of a route.
fn with_hop(az: Az, route: &Route) -> Az {
    let az = az.opt("--next-hop-type", route.next_hop_type.as_str());
    match &route.next_hop_ip {
        Some(ip) => az.opt("--next-hop-ip-address", ip),
        None => az,
    }
}

/// The table and the route behind a default route.
pub(super) fn find<'f>(ctx: &Context<'f>, via: &Via) -> Option<(&'f RouteTable, &'f Route)> {
    let table = lookup(&ctx.facts.route_tables, via.table.as_ref()?).as_known()?;
    let name = via.name.as_deref()?;
    let route = table.routes.iter().find(|r| r.name == name)?;
    Some((table, route))
}

/// Who else follows a change of this table.
pub(super) fn shared(table: &RouteTable) -> String {
    let names: Vec<&str> = table.subnet_ids.iter().map(Id::name).collect();
    format!(
        "Every subnet with route table {} follows: {}",
        table.id.name(),
        names.join(", ")
    )
}

/// Deletes a route.
pub(super) fn delete(summary: impl Into<String>, table: &RouteTable, route: &Route) -> Remediation {
    Remediation::new(summary)
        .command(az_route("delete", &table.id, &route.name).build())
        .side_effect(shared(table))
        .side_effect("Open connections break, and the egress address changes: authorized IP ranges and allow-lists elsewhere first")
        .undo(create_again(table, route))
}

/// The command that makes a route as it is.
pub(super) fn create_again(table: &RouteTable, route: &Route) -> String {
    let create =
        az_route("create", &table.id, &route.name).opt("--address-prefix", &route.address_prefix);
    with_hop(create, route).build()
}

/// Sends a route to an appliance, but not to the `wrong` one.
pub(super) fn to_appliance(
    ctx: &Context<'_>,
    table: &RouteTable,
    route: &Route,
    wrong: Option<IpAddr>,
) -> Remediation {
    let (ip, known) = appliance(ctx, wrong);
    let summary = if known {
        format!(
            "Send route {} to the appliance that the other route tables use",
            route.name
        )
    } else {
        format!(
            "Send route {} to your firewall: put its private address in place of {ip}",
            route.name
        )
    };
    Remediation::new(summary)
        .command(
            az_route("update", &table.id, &route.name)
                .opt("--next-hop-type", "VirtualAppliance")
                .opt("--next-hop-ip-address", &ip)
                .build(),
        )
        .side_effect(shared(table))
        .side_effect("What the firewall does not allow stops working; open connections break")
        .undo(with_hop(az_route("update", &table.id, &route.name), route).build())
}

/// Adds a default route to an appliance.
pub(super) fn create_default(ctx: &Context<'_>, table: &RouteTable) -> Remediation {
    let (ip, known) = appliance(ctx, None);
    let summary = if known {
        "Add a default route to the appliance that the other route tables use".to_owned()
    } else {
        format!("Add a default route to your firewall: put its private address in place of {ip}")
    };
    let name = "default-to-appliance";
    Remediation::new(summary)
        .command(
            az_route("create", &table.id, name)
                .opt("--address-prefix", "0.0.0.0/0")
                .opt("--next-hop-type", "VirtualAppliance")
                .opt("--next-hop-ip-address", &ip)
                .build(),
        )
        .side_effect(shared(table))
        .side_effect("What the firewall does not allow stops working; open connections break")
        .undo(az_route("delete", &table.id, name).build())
}

/// The appliance that some pool's default route names; else a word to be replaced.
fn appliance(ctx: &Context<'_>, wrong: Option<IpAddr>) -> (String, bool) {
    let known = ctx
        .paths
        .iter()
        .filter_map(|path| path.routes.default.via())
        .find_map(|via| match via.hop {
            Hop::VirtualAppliance(ip) => ip.filter(|ip| Some(*ip) != wrong),
            _ => None,
        });
    known.map_or_else(
        || ("FIREWALL_PRIVATE_IP".to_owned(), false),
        |ip| (ip.to_string(), true),
    )
}

/// Whether the table has a default route, or both halves of one.
pub(super) fn has_default(table: &RouteTable) -> bool {
    let has = |prefix: &str| {
        table
            .routes
            .iter()
            .any(|r| r.address_prefix.trim() == prefix)
    };
    has("0.0.0.0/0") || (has("0.0.0.0/1") && has("128.0.0.0/1"))
}

/// A load balancing rule that translates outbound flows implicitly (R1.35).
pub(super) fn implicit_rule<'f>(ctx: &Context<'f>) -> Option<&'f str> {
    let lb = ctx.facts.load_balancer.as_known()?;
    lb.rules
        .iter()
        .find(|rule| rule.disable_outbound_snat != Some(true))
        .map(|rule| rule.name.as_str())
}

/// Ways to give subnets the method that the outbound type promises.
pub(super) fn explicit_method(ctx: &Context<'_>, paths: &[&Path<'_>]) -> Vec<Remediation> {
    let mut fixes: Vec<Remediation> = Vec::new();
    for path in paths {
        let table = path.routes.table.as_ref().ok().copied().flatten();
        let new = match (ctx.outbound_type(), &path.used.subnet, table) {
            (Some(OutboundType::UserDefinedRouting), _, Some(table)) if !has_default(table) => {
                vec![create_default(ctx, table)]
            }
            (Some(OutboundType::UserDefinedRouting), _, Some(table)) => path
                .routes
                .default
                .via()
                .and_then(|via| find(ctx, via))
                .map(|(_, route)| to_appliance(ctx, table, route, None))
                .into_iter()
                .collect(),
            (Some(OutboundType::UserDefinedRouting), Ok(subnet), None) => {
                vec![create_table(ctx, &subnet.id)]
            }
            (Some(OutboundType::LoadBalancer), _, _) => vec![
                Remediation::new("Let AKS write its outbound rule again")
                    .command(ctx.az_aks("update").build())
                    .side_effect("AKS applies its own view of the load balancer: rules and frontends added by hand are removed")
                    .undo("None needed: the call restores what the cluster's settings say"),
            ],
            (_, Ok(subnet), _) => super::nat101::fixes(ctx, subnet),
            (_, Err(_), _) => Vec::new(),
        };
        fixes.extend(
            new.into_iter()
                .filter(|fix| !fixes.contains(fix))
                .collect::<Vec<_>>(),
        );
    }
    fixes
}

/// Gives a subnet a route table with a default route: the one that another pool subnet of the network uses, else a new
/// one.
pub(super) fn create_table(ctx: &Context<'_>, subnet: &Id) -> Remediation {
    let network = subnet.parent();
    let update = || super::nat101::subnet_update(subnet);
    let sibling = ctx
        .paths
        .iter()
        .filter(|path| path.used.id.parent() == network)
        .filter_map(|path| path.routes.table.as_ref().ok().copied().flatten())
        .find(|table| has_default(table));
    let undo = format!("{} --remove routeTable", update().build());
    if let Some(table) = sibling {
        return Remediation::new(format!(
            "Associate route table {} with the subnet",
            table.id.name()
        ))
        .command(update().opt("--route-table", table.id.as_str()).build())
        .side_effect("What the firewall does not allow stops working; open connections break")
        .undo(undo);
    }
    let name = new_table(ctx);
    let (ip, _) = appliance(ctx, None);
    Remediation::new(format!(
        "Create a route table with a default route to your firewall ({ip}) and associate it"
    ))
    .command(create_beside(ctx, "network route-table create", subnet, &name).build())
    .command(
        Az::beside("network route-table route create", subnet)
            .opt("--route-table-name", &name)
            .opt("--name", "default")
            .opt("--address-prefix", "0.0.0.0/0")
            .opt("--next-hop-type", "VirtualAppliance")
            .opt("--next-hop-ip-address", &ip)
            .build(),
    )
    .command(update().opt("--route-table", &name).build())
    .side_effect("What the firewall does not allow stops working; open connections break")
    .undo(undo)
}

/// The name of a route table that is proposed.
fn new_table(ctx: &Context<'_>) -> String {
    format!("{}-egress", ctx.cluster().name)
}

/// Leads what a virtual hub's default route takes straight to the internet instead: a user route comes before the hub's
/// (R3.1).
pub(super) fn past_hub(ctx: &Context<'_>, paths: &[&Path<'_>]) -> Remediation {
    let mut fix = Remediation::new(
        "Lead the subnets' default route to Internet, which comes before the hub's: packets then leave by the load balancer",
    )
    .side_effect("The hub's firewall no longer sees this traffic")
    .side_effect("Open connections break, and the egress address changes: authorized IP ranges and allow-lists elsewhere first");
    let name = "default-to-internet";
    let to_internet = |az: Az| {
        let az = az.opt("--address-prefix", "0.0.0.0/0");
        az.opt("--next-hop-type", "Internet").build()
    };
    let tables = paths.iter().filter_map(|path| table(path));
    let mut known: Vec<&Id> = tables.map(|table| &table.id).collect();
    known.order();
    known.dedup();
    for id in known {
        fix = fix
            .command(to_internet(az_route("create", id, name)))
            .undo(az_route("delete", id, name).build());
    }
    let without = paths.iter().filter(|path| table(path).is_none());
    let without: Vec<&Id> = without.map(|path| path.used.id).collect();
    if let Some(network) = without.first().and_then(|subnet| subnet.parent()) {
        let new = network.beside("Microsoft.Network/routeTables", &new_table(ctx));
        fix = fix
            .command(create_beside(ctx, "network route-table create", &new, new.name()).build())
            .command(to_internet(az_route("create", &new, name)));
        for subnet in without {
            let update = || super::nat101::subnet_update(subnet);
            fix = fix
                .command(update().opt("--route-table", new.as_str()).build())
                .undo(format!("{} --remove routeTable", update().build()));
        }
    }
    fix
}

fn table<'f>(path: &Path<'f>) -> Option<&'f RouteTable> {
    path.routes.table.as_ref().ok().copied().flatten()
}

/// Writes down in route tables what a virtual hub does already, and declares it: AKS looks at route tables only (R3.14).
pub(super) fn declare_hub(ctx: &Context<'_>, paths: &[&Path<'_>]) -> Remediation {
    let mut fix = Remediation::new(
        "Leave the way as it is and declare it: route tables with the same default route, then outbound type userDefinedRouting",
    )
    .side_effect("Open connections break and the load balancer's outbound address is released: authorized IP ranges and allow-lists first");
    let declare = |word: &str| ctx.az_aks("update").opt("--outbound-type", word).build();
    fix = fix.undo(declare("loadBalancer"));
    for path in paths {
        let given = match table(path) {
            Some(table) => create_default(ctx, table),
            None => create_table(ctx, path.used.id),
        };
        let new = given.commands.into_iter();
        let new: Vec<String> = new.filter(|it| !fix.commands.contains(it)).collect();
        fix.commands.extend(new);
        let back = given.undo.into_iter();
        let back: Vec<String> = back.filter(|it| !fix.undo.contains(it)).collect();
        fix.undo.extend(back);
    }
    fix.command(declare("userDefinedRouting"))
}

/// The gateway whose routes the table keeps from a subnet without default route (R2.45).
pub(super) fn suppressed_gateway(path: &Path<'_>) -> Option<String> {
    let table = path.routes.table.as_ref().ok().copied().flatten()?;
    let network = path.routes.network.as_ref().ok().copied()?;
    let off = table.disable_bgp_route_propagation == Some(true);
    if !off || has_default(table) {
        return None;
    }
    crate::path::gateway(network)
}
