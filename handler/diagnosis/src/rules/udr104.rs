//! UDR104: the appliance lies in no network that the subnet reaches directly.

use std::net::IpAddr;

use super::routing::{by_default, find, to_appliance};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Id, Peering, VirtualNetwork};
use crate::network::AddressSet;
use crate::network::routes::Hop;
use crate::report::{Remediation, Severity};

/// The appliance lies in no network that the subnet reaches directly.
pub(super) const RULE: Rule = Rule {
    code: "UDR104",
    slug: "next-hop-unreachable",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "Whether the appliance's address of a pool's default route lies in the address space of the subnet's virtual network or of a directly peered, connected one.",
        why: "Azure hands packets only to appliances that it reaches directly. Packets to any other next hop are dropped.",
        evidence: "The route with the appliance's address, and the address spaces that the subnet reaches.",
        fix: "Correct the address, or connect the appliance's network with the cluster's: by a peering in both directions, \
              or by a connection of its virtual hub.",
        how_sure: "Certain when the network and all its peerings could be read. Networks behind a gateway do not count: a next hop there does not work.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/virtual-network/virtual-network-peering-overview",
        ],
    },
    check,
};

/// Whether a network reaches an address directly; the reason when that is not known.
fn reaches(network: &VirtualNetwork, address: IpAddr) -> Result<bool, String> {
    let mut open = None;
    let inside = |texts: &[String], what: &str, open: &mut Option<String>| {
        let set = AddressSet::parse_all(texts.iter().map(String::as_str));
        match set {
            Ok(set) if !texts.is_empty() => set.contains(address),
            _ => {
                *open = Some(format!("the address space of {what} could not be read"));
                false
            }
        }
    };
    let mut reached = inside(
        &network.address_prefixes,
        &format!("virtual network {}", network.id.name()),
        &mut open,
    );
    for peering in &network.peerings {
        let state = peering.state.as_deref();
        if state.is_some_and(|state| !state.eq_ignore_ascii_case("Connected")) {
            continue;
        }
        let what = format!("the network behind peering {}", peering.name);
        let within = inside(&peering.remote_address_prefixes, &what, &mut open);
        if within && state.is_none() {
            open = Some(format!(
                "whether peering {} is connected is not said",
                peering.name
            ));
        }
        reached |= within && state.is_some();
    }
    match open {
        Some(reason) if !reached => Err(reason),
        _ => Ok(reached),
    }
}

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    let appliances = by_default(ctx, &mut outcome, |via| {
        matches!(via.hop, Hop::VirtualAppliance(_))
    });
    if appliances.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no default route leads to an appliance");
    }
    for mut routed in appliances {
        let Hop::VirtualAppliance(Some(address)) = routed.via.hop else {
            outcome.undecided.push(format!(
                "{} has no readable address of its appliance",
                routed.via.label()
            ));
            continue;
        };
        routed.paths.retain(|path| match &path.routes.network {
            Err(missing) => {
                outcome.missing.push(missing.clone());
                false
            }
            Ok(network) => match reaches(network, address) {
                Ok(reached) => !reached,
                Err(reason) => {
                    outcome.undecided.push(reason);
                    false
                }
            },
        });
        let Some(path) = routed.paths.first() else {
            continue;
        };
        let mut found = RULE
            .finding(format!(
                "{} cannot reach the internet: {} leads to {address}, which no directly connected network has",
                routed.who(),
                routed.via.label()
            ))
            .explain("Azure hands packets only to a next hop in the subnet's own network or in one that is directly peered with it. It drops these.");
        let network = path.routes.network.as_ref().ok().copied();
        let broken = network.and_then(|network| broken_peering(network, address));
        if let Some(network) = network {
            let mut spaces = network.address_prefixes.clone();
            for peering in network
                .peerings
                .iter()
                .filter(|peering| is_connected(peering))
            {
                spaces.extend(peering.remote_address_prefixes.iter().cloned());
            }
            found = found.evidence(
                "address spaces of the network and of its connected peerings",
                Some(&network.id),
                Some(spaces.join(", ")),
            );
            if let Some((peering, _)) = broken {
                found = found.evidence(
                    format!("peering {}, whose network has the address", peering.name),
                    Some(&network.id),
                    peering.state.clone(),
                );
            }
        }
        found = routed.show(found);
        let route = find(ctx, routed.via);
        let correct = route.map(|(table, route)| to_appliance(ctx, table, route, Some(address)));
        let connect = network.map(|network| match broken {
            Some((peering, remote)) => reconnect(network, peering, remote),
            None => connect(network, address),
        });
        // A peering that broke is likelier than a wrong address.
        let fixes = if broken.is_some() {
            [connect, correct]
        } else {
            [correct, connect]
        };
        for fix in fixes.into_iter().flatten() {
            found = found.fix(fix);
        }
        outcome.findings.push(found);
    }
    outcome
}

fn is_connected(peering: &Peering) -> bool {
    let state = peering.state.as_deref();
    state.is_none_or(|state| state.eq_ignore_ascii_case("Connected"))
}

/// A peering that is not connected, with a network that has the address.
fn broken_peering(network: &VirtualNetwork, address: IpAddr) -> Option<(&Peering, &Id)> {
    let mut peerings = network.peerings.iter().filter(|peering| {
        let space = peering.remote_address_prefixes.iter().map(String::as_str);
        let space = AddressSet::parse_all(space);
        !is_connected(peering) && space.is_ok_and(|space| space.contains(address))
    });
    peerings.find_map(|peering| Some((peering, peering.remote.as_ref()?)))
}

fn az_peering(verb: &str, at: &Id, name: &str) -> Az {
    Az::beside(&format!("network vnet peering {verb}"), at)
        .opt("--vnet-name", at.name())
        .opt("--name", name)
}

fn create(at: &Id, name: &str, remote: &str) -> String {
    az_peering("create", at, name)
        .opt("--remote-vnet", remote)
        .flag("--allow-vnet-access")
        .flag("--allow-forwarded-traffic")
        .build()
}

/// Makes both sides of a peering again.
fn reconnect(network: &VirtualNetwork, broken: &Peering, remote: &Id) -> Remediation {
    let own = &network.id;
    let state = broken.state.as_deref().unwrap_or("not connected");
    let back = format!("to-{}", own.name());
    let mut fix = Remediation::new(format!(
        "Connect peering {} with virtual network {} again: it is {state}",
        broken.name,
        remote.name()
    ));
    // A peering that lost its other side cannot be brought back: it is made anew.
    if state.eq_ignore_ascii_case("Disconnected") {
        fix = fix
            .command(az_peering("delete", own, &broken.name).build())
            .command(create(own, &broken.name, remote.as_str()));
    }
    fix.command(create(remote, &back, own.as_str()))
        .side_effect("The last command needs rights on the other network")
        .side_effect("The two networks reach each other, as far as their security groups allow")
        .undo(az_peering("delete", remote, &back).build())
}

/// Brings the address within reach, where it is the right one.
fn connect(network: &VirtualNetwork, address: IpAddr) -> Remediation {
    let own = &network.id;
    let name = "to-appliance-network";
    Remediation::new(format!(
        "Or, where {address} is right, connect its network: peer it with virtual network {} (put its id in place of \
         NETWORK_ID), or connect this network to its virtual hub",
        own.name()
    ))
    .command(create(own, name, "NETWORK_ID"))
    .side_effect("The other network needs a peering back before packets pass; a virtual hub takes a connection in its place")
    .side_effect("The address spaces of the two networks must not overlap")
    .undo(az_peering("delete", own, name).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, firewall_routing, load_balancer, outcome, route_table_mut, vnet_id, vnet_mut,
    };

    fn to(ip: &str) -> crate::facts::Facts {
        let mut facts = firewall_routing();
        route_table_mut(&mut facts).routes[0].next_hop_ip = Some(ip.to_owned());
        facts
    }

    #[test]
    fn r2_36_fires() {
        let found = outcome(&RULE, &to("172.20.0.4"));
        assert_eq!(codes(&found), ["UDR104"]);
        assert!(found.findings[0].blocks_egress);
        assert!(found.findings[0].title.contains("172.20.0.4"));
        // A peering that is not connected carries nothing.
        let mut facts = to("10.1.0.4");
        vnet_mut(&mut facts).peerings[0].state = Some("Disconnected".to_owned());
        assert_eq!(codes(&outcome(&RULE, &facts)), ["UDR104"]);
    }

    #[test]
    fn r2_36_a_network_that_is_not_connected_is_to_be_connected() {
        let remedy =
            |facts: &crate::facts::Facts| outcome(&RULE, facts).findings.remove(0).remediation;
        let elsewhere = remedy(&to("172.20.0.4")).remove(1);
        assert!(elsewhere.commands[0].contains(" --remote-vnet NETWORK_ID "));
        assert!(elsewhere.summary.contains("virtual hub"));
        let mut facts = to("10.1.0.4");
        for (state, commands) in [("Initiated", 1), ("Disconnected", 3)] {
            vnet_mut(&mut facts).peerings[0].state = Some(state.to_owned());
            // What broke comes before a guess at another address.
            let broken = remedy(&facts).remove(0);
            assert!(broken.summary.contains("hub") && broken.summary.contains(state));
            assert_eq!(broken.commands.len(), commands, "{:?}", broken.commands);
            let back = broken.commands.last().expect("a command");
            assert!(
                back.contains("--resource-group rg-hub --vnet-name hub "),
                "{back}"
            );
            assert!(
                back.contains(&format!("--remote-vnet {}", vnet_id())),
                "{back}"
            );
        }
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &to("10.0.9.4")), Outcome::passed());
        assert_eq!(outcome(&RULE, &firewall_routing()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = to("172.20.0.4");
        vnet_mut(&mut facts).peerings[0]
            .remote_address_prefixes
            .clear();
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.undecided[0].contains("peering hub"));
        facts
            .virtual_networks
            .insert(vnet_id(), Datum::not_asked("test"));
        assert!(outcome(&RULE, &facts).is_open());
        assert!(outcome(&RULE, &to("no address")).is_open());
    }

    #[test]
    fn r2_36_cannot_tell_without_the_peerings_state() {
        let mut facts = to("10.1.0.4");
        vnet_mut(&mut facts).peerings[0].state = None;
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.undecided[0].contains("peering hub"));
    }
}
