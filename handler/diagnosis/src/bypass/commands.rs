//! The commands of a plan.

use super::{by_name, taken};
use crate::commands::{Az, quote};
use crate::context::Context;
use crate::endpoints::Transport;
use crate::facts::{Route, RouteTable};
use crate::rules::routing::az_route;
use crate::trace::{Called, Destination};

/// Name of the route that is added for one destination.
pub(super) const TEST_ROUTE: &str = "egress-bypass-test";
/// Stands for the address that a person looks up.
const ADDRESS: &str = "ADDRESS";

/// All commands of a plan.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) before: Vec<String>,
    pub(super) commands: Vec<String>,
    pub(super) test: Vec<String>,
    pub(super) undo: Vec<String>,
}

impl Steps {
    pub(super) fn of(
        ctx: &Context<'_>,
        table: &RouteTable,
        replaced: &[&Route],
        destination: Option<&Destination>,
    ) -> Self {
        let mut steps = Self {
            test: test(destination),
            ..Self::default()
        };
        if let Some(host) = by_name(destination) {
            // The cluster's own resolver decides which address its pods call.
            steps.before.push(format!("nslookup {}", quote(host)));
        }
        for route in replaced {
            steps
                .before
                .push(az_route("show", &table.id, &route.name).build());
            steps.commands.push(
                to_internet(
                    az_route("create", &table.id, &route.name),
                    &route.address_prefix,
                )
                .build(),
            );
            steps.undo.push(as_it_is(table, route));
        }
        if replaced.is_empty() {
            let name = free_name(ctx, table);
            steps.before.push(list(table));
            steps.commands.push(
                to_internet(az_route("create", &table.id, &name), &prefix(destination)).build(),
            );
            steps
                .undo
                .push(az_route("delete", &table.id, &name).build());
        }
        steps
    }
}

/// `create` replaces a route of the same name as a whole. `update` would keep the appliance's address, which Azure takes
/// with next hop VirtualAppliance only.
fn to_internet(az: Az, prefix: &str) -> Az {
    az.opt("--address-prefix", prefix)
        .opt("--next-hop-type", "Internet")
}

/// The command that writes a route as it is now.
fn as_it_is(table: &RouteTable, route: &Route) -> String {
    let az = az_route("create", &table.id, &route.name)
        .opt("--address-prefix", &route.address_prefix)
        .opt("--next-hop-type", route.next_hop_type.as_str());
    match &route.next_hop_ip {
        Some(ip) => az.opt("--next-hop-ip-address", ip),
        None => az,
    }
    .build()
}

fn list(table: &RouteTable) -> String {
    Az::beside("network route-table route list", &table.id)
        .opt("--route-table-name", table.id.name())
        .build()
}

/// A name that no route of the table has: `create` would replace it.
fn free_name(ctx: &Context<'_>, table: &RouteTable) -> String {
    let numbered = (2..).map(|number| format!("{TEST_ROUTE}-{number}"));
    std::iter::once(TEST_ROUTE.to_owned())
        .chain(numbered)
        .find(|name| !taken(ctx, &table.id, name))
        .unwrap_or_default()
}

fn prefix(destination: Option<&Destination>) -> String {
    match destination.map(|d| &d.called) {
        Some(Called::Address(address)) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            format!("{address}/{bits}")
        }
        _ => format!("{ADDRESS}/32"),
    }
}

/// What to try from a pod.
fn test(destination: Option<&Destination>) -> Vec<String> {
    let Some(destination) = destination else {
        return vec!["curl -Iv --max-time 10 https://mcr.microsoft.com/v2/".to_owned()];
    };
    let port = destination.port;
    let place = match &destination.called {
        Called::Host(host) => host.clone(),
        Called::Address(ip) if ip.is_ipv6() => format!("[{ip}]"),
        Called::Address(ip) => ip.to_string(),
    };
    let scheme = match (destination.transport, port) {
        (Transport::Udp, _) => {
            let place = place.trim_matches(['[', ']']);
            let called = by_name(Some(destination)).map_or(place, |_| ADDRESS);
            return vec![format!("nc -u -z -v -w 10 {} {port}", quote(called))];
        }
        (Transport::Tcp, 80) => "http",
        (Transport::Tcp, _) => "https",
    };
    let url = quote(&format!("{scheme}://{place}:{port}/"));
    vec![match by_name(Some(destination)) {
        Some(host) => format!("curl -Iv --max-time 10 --resolve {host}:{port}:{ADDRESS} {url}"),
        None => format!("curl -kIv --max-time 10 {url}"),
    }]
}
