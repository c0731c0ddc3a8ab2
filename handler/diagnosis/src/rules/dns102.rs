use std::net::IpAddr;

use super::nsg_hits::note;
use super::{Docs, Outcome, Rule, Step, dns_servers};
use crate::commands::Az;
use crate::context::{Context, pools_label};
use crate::facts::VirtualNetwork;
use crate::network::routes::Hop;
use crate::path::Path;
use crate::report::{Finding, Remediation, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DNS102",
    slug: "custom-dns-unroutable",
    severity: Severity::High,
    step: Step::Dns,
    docs: Docs {
        what: "Whether each custom DNS server of the virtual network has a route from every pool subnet.",
        why: "Questions to a server without a route are dropped, and no name is resolved although the egress path may \
              be in order.",
        evidence: "The server, the subnet, and what the routes do with its address.",
        fix: "Peer the network with the one that holds the server, route to it, or name a server that can be reached.",
        how_sure: "Certain where no gateway can have taught the subnet a route. Where one can, what it announces is not \
                   readable and the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-name-resolution-for-vms-and-role-instances",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    for path in &ctx.paths {
        let network = match &path.routes.network {
            Ok(network) => *network,
            Err(missing) => {
                if !outcome.missing.contains(missing) {
                    outcome.missing.push(missing.clone());
                }
                continue;
            }
        };
        note(&mut outcome.undecided, dns_servers::unreadable(network));
        let servers = dns_servers::addresses(network);
        if servers.is_empty() {
            continue;
        }
        let routes = match &path.routes.effective {
            Ok(routes) => routes,
            Err(missing) => {
                if !outcome.missing.contains(missing) {
                    outcome.missing.push(missing.clone());
                }
                continue;
            }
        };
        for server in servers {
            let decided = routes.select(server);
            if !decided.open.is_empty() {
                let why = format!(
                    "whether DNS server {server} has a route from {} depends on routes that cannot be read",
                    path.used.label()
                );
                note(&mut outcome.undecided, [why]);
                continue;
            }
            let dropped = match decided.route {
                None => Some("no route holds its address"),
                Some(route) if route.hop == Hop::None => {
                    Some("the route for its address has next hop None")
                }
                Some(_) => None,
            };
            if let Some(why) = dropped {
                outcome.findings.push(finding(path, network, server, why));
            }
        }
    }
    outcome
}

fn finding(path: &Path<'_>, network: &VirtualNetwork, server: IpAddr, why: &str) -> Finding {
    let show = |command: &str| Az::new(command).opt("--ids", network.id.as_str());
    RULE.finding(format!(
        "{} cannot reach custom DNS server {server}: {why} in {}",
        super::out106::capital(&pools_label(&path.used.pools)),
        path.used.label()
    ))
    .explain(format!(
        "Virtual network {} hands its nodes {server} as DNS server, and packets to it are dropped: {why}. Names are \
         resolved only if another server answers.",
        network.id.name()
    ))
    .evidence(
        "dhcpOptions.dnsServers",
        Some(&network.id),
        Some(network.dns_servers.join(", ")),
    )
    .pools(path.used.pools.iter().copied())
    .resource(&network.id)
    .fix(
        Remediation::new("Connect the network to the one that holds the server; these are its peerings")
            .command(
                Az::beside("network vnet peering list", &network.id)
                    .opt("--vnet-name", network.id.name())
                    .build(),
            ),
    )
    .fix(
        Remediation::new("Let the nodes ask Azure DNS instead")
            .command(format!("{} --remove dhcpOptions.dnsServers", show("network vnet update").build()))
            .side_effect("Names that only the custom servers know are lost")
            .side_effect("Running nodes take the new server when their lease is renewed, or on restart")
            .undo(
                show("network vnet update")
                    .opts("--dns-servers", network.dns_servers.iter().map(String::as_str))
                    .build(),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{
        codes, denied, firewall_routing, load_balancer, outcome, vnet_id, vnet_mut, with_gateway,
    };

    fn with(mut facts: Facts, server: &str) -> Facts {
        vnet_mut(&mut facts).dns_servers = vec![server.to_owned()];
        facts
    }

    #[test]
    fn r3_3_fires_for_a_private_address_outside_the_network() {
        let found = outcome(&RULE, &with(load_balancer(), "172.16.0.4"));
        assert_eq!(codes(&found), ["DNS102"]);
        assert!(found.findings[0].title.contains("172.16.0.4"));
        assert_eq!(found.findings[0].severity, Severity::High);
    }

    #[test]
    fn does_not_fire() {
        for facts in [
            load_balancer(),
            with(load_balancer(), "10.0.5.4"),
            with(load_balancer(), "8.8.8.8"),
            with(load_balancer(), "168.63.129.16"),
            with(firewall_routing(), "172.16.0.4"),
        ] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(load_balancer(), "172.16.0.4");
        with_gateway(&mut facts);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
        let action = "Microsoft.Network/virtualNetworks/read";
        facts.virtual_networks.insert(vnet_id(), denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
