use super::nsg_hits::note;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label, texts};
use crate::facts::{Missing, OutboundType};
use crate::network::AddressSet;
use crate::order::Order as _;
use crate::path::Path;
use crate::report::{Finding, Method, Remediation, Severity};
use crate::sections;

pub(super) const RULE: Rule = Rule {
    code: "API101",
    slug: "authorized-ranges-exclude-egress",
    severity: Severity::Critical,
    step: Step::ApiServer,
    docs: Docs {
        what: "Whether the authorized IP ranges of a public API server admit the addresses that its own nodes leave \
               with (R1.88, R2.55).",
        why: "Nodes reach a public API server through their egress path. If their own egress address is not admitted, \
              they lose the API server: new nodes do not join and running ones turn NotReady.",
        evidence: "The authorized ranges, and the egress addresses of each subnet.",
        fix: "Add the egress addresses with `az aks update --api-server-authorized-ip-ranges`, which replaces the whole \
              list.",
        how_sure: "Certain where the egress addresses can be read. AKS admits its own load balancer's outbound \
                   addresses by itself. An Azure Firewall may use any of its addresses, so all of them count. High \
                   instead of critical where some of the addresses are admitted. The addresses of another appliance \
                   leave the check open. Nodes with public addresses of their own are judged by those that they have now.",
        references: &["https://learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges"],
    },
    check,
};

/// The range by which a cluster admits nothing but its load balancer's outbound addresses (R1.88).
const LOAD_BALANCER_ONLY: &str = "0.0.0.0/32";

fn check(ctx: &Context<'_>) -> Outcome {
    let api = &ctx.cluster().api_server;
    if api.authorized_ip_ranges.is_empty() {
        return Outcome::not_applicable("the API server has no authorized IP ranges");
    }
    if api.private_cluster == Some(true) || api.vnet_integration == Some(true) {
        return Outcome::not_applicable("nodes reach the API server inside the network");
    }
    let ranges = api.authorized_ip_ranges.iter().map(String::as_str);
    let Ok(ranges) = AddressSet::parse_all(ranges) else {
        return Outcome::undecided("an authorized IP range is no address range");
    };
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    let mut missed: Vec<Missed<'_>> = Vec::new();
    for path in &ctx.paths {
        match judge(ctx, path, &ranges) {
            Judged::Admitted => {}
            Judged::Open(why) => note(&mut outcome.undecided, [why]),
            Judged::Unread(missing) => outcome.missing.push(missing),
            Judged::Missed(addresses, severity) => {
                let pools = path.used.pools.iter().copied();
                match missed.iter_mut().find(|old| old.addresses == addresses) {
                    Some(old) => old.pools.extend(pools),
                    None => missed.push(Missed {
                        addresses,
                        severity,
                        by_node: path.carrier.method == Method::InstancePublicIp,
                        pools: pools.collect(),
                    }),
                }
            }
        }
    }
    outcome.findings = missed.iter().map(|missed| finding(ctx, missed)).collect();
    outcome
}

/// Addresses that are not admitted, and who leaves by them.
struct Missed<'f> {
    addresses: Vec<String>,
    severity: Severity,
    /// Each is the address of one node.
    by_node: bool,
    pools: Vec<&'f str>,
}

enum Judged {
    Admitted,
    Open(String),
    /// What was missing to know the addresses.
    Unread(Missing),
    /// These addresses are not admitted.
    Missed(Vec<String>, Severity),
}

fn judge(ctx: &Context<'_>, path: &Path<'_>, ranges: &AddressSet) -> Judged {
    let label = path.used.label();
    match path.carrier.method {
        // AKS adds the load balancer's own outbound addresses (R1.88).
        Method::LoadBalancer if ctx.outbound_type() == Some(&OutboundType::LoadBalancer) => {
            return Judged::Admitted;
        }
        // Nothing leaves: another finding's business.
        Method::None => return Judged::Admitted,
        _ => {}
    }
    let known = if path.carrier.method == Method::InstancePublicIp {
        match ctx.balancer.of_nodes(&path.used.pools).and_then(texts) {
            Ok(addresses) => Some(addresses),
            Err(missing) => return Judged::Unread(missing),
        }
    } else {
        sections::public_ips(ctx, path)
    };
    let known = known.map(ipv4).filter(|addresses| !addresses.is_empty());
    let Some(addresses) = known else {
        return Judged::Open(format!(
            "the egress addresses of {label} are not known, and the API server admits authorized IP ranges only"
        ));
    };
    let mut missed = Vec::new();
    for address in &addresses {
        match AddressSet::parse_all([address.as_str()]) {
            Ok(set) if ranges.contains_all(&set) => {}
            Ok(_) => missed.push(address.clone()),
            Err(_) => return Judged::Open(format!("`{address}` of {label} is no address")),
        }
    }
    if missed.is_empty() {
        return Judged::Admitted;
    }
    let severity = if missed.len() < addresses.len() || any_part(&missed, ranges) {
        Severity::High
    } else {
        Severity::Critical
    };
    Judged::Missed(missed, severity)
}

/// Authorized IP ranges are IPv4 only, as is the public way to the API server.
fn ipv4(mut addresses: Vec<String>) -> Vec<String> {
    addresses.retain(|address| !address.contains(':'));
    addresses
}

/// Whether the ranges admit part of a prefix.
fn any_part(missed: &[String], ranges: &AddressSet) -> bool {
    let sets = missed
        .iter()
        .map(|text| AddressSet::parse_all([text.as_str()]));
    sets.flatten().any(|set| set.intersects(ranges))
}

fn finding(ctx: &Context<'_>, missed: &Missed<'_>) -> Finding {
    let Missed {
        addresses,
        severity,
        by_node,
        pools,
    } = missed;
    let (severity, by_node) = (*severity, *by_node);
    let api = &ctx.cluster().api_server;
    let mut pools = pools.clone();
    pools.order();
    pools.dedup();
    let old = &api.authorized_ip_ranges;
    let range = |address: &String| {
        if address.contains('/') {
            address.clone()
        } else {
            format!("{address}/32")
        }
    };
    let new: Vec<String> = old
        .iter()
        .filter(|range| range.trim() != LOAD_BALANCER_ONLY)
        .cloned()
        .chain(addresses.iter().map(range))
        .collect();
    let set = |ranges: &[String]| {
        ctx.az_aks("update")
            .opt("--api-server-authorized-ip-ranges", &ranges.join(","))
            .build()
    };
    let list = addresses.join(", ");
    let whole = severity == Severity::Critical;
    let (who, some) = match (by_node, whole) {
        (true, false) => (format!("some nodes of {}", pools_label(&pools)), ""),
        (_, true) => (pools_label(&pools), ""),
        (false, false) => (pools_label(&pools), " part of the time"),
    };
    let mut remediation =
        Remediation::new("Admit the egress addresses; the command names the whole list, since it replaces the old one")
            .command(set(&new))
            .side_effect("Takes up to two minutes")
            .side_effect("Whoever else leaves by these addresses may reach the API server too");
    if by_node {
        remediation = remediation.side_effect(
            "New nodes get other addresses: a node pool with a public IP prefix takes them from one range that can be admitted as a whole",
        );
    }
    RULE.finding(format!(
        "{} cannot reach the API server{some}: egress address {} is not in its authorized IP ranges",
        super::out106::capital(&who),
        shortened(addresses)
    ))
    .severity(severity)
    .explain(format!(
        "Nodes call the public API server from {list}, and the server admits {} only. Their calls are dropped: nodes \
         turn NotReady and new ones do not join.",
        old.join(", ")
    ))
    .evidence(
        "apiServerAccessProfile.authorizedIPRanges",
        Some(&ctx.cluster().id),
        Some(old.join(", ")),
    )
    .evidence("egress addresses", None, Some(list.clone()))
    .pools(pools)
    .resource(&ctx.cluster().id)
    .fix(remediation.undo(set(old)))
}

/// The first few: a pool with public addresses of its nodes has as many as nodes.
fn shortened(addresses: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = addresses.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = addresses.iter().take(SHOWN).map(String::as_str).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{
        codes, denied, firewall_routing, firewalled, load_balancer, nat_gateway, nat_id,
        node_public_ips, outcome, public_ip_id,
    };

    fn with(mut facts: Facts, ranges: &[&str]) -> Facts {
        facts.cluster.api_server.authorized_ip_ranges =
            ranges.iter().map(|&r| r.to_owned()).collect();
        facts
    }

    #[test]
    fn r1_88_fires() {
        for (range, kept) in [("198.51.100.0/24", "198.51.100.0/24,"), ("0.0.0.0/32", "")] {
            let found = outcome(&RULE, &with(nat_gateway(), &[range]));
            assert_eq!(codes(&found), ["API101"]);
            let finding = &found.findings[0];
            assert_eq!(finding.severity, Severity::Critical);
            assert!(finding.blocks_egress);
            assert_eq!(finding.affected.node_pools, ["system", "user"]);
            assert_eq!(
                finding.remediation[0].commands[0],
                format!(
                    "az aks update --subscription 00000000-0000-0000-0000-000000000001 --resource-group rg --name shop \
                     --api-server-authorized-ip-ranges {kept}20.9.8.7/32"
                )
            );
            assert!(finding.remediation[0].undo[0].ends_with(range));
        }
    }

    #[test]
    fn r2_55_fires_where_a_nat_gateway_overrides_the_load_balancer() {
        let mut facts = with(load_balancer(), &["198.51.100.0/24"]);
        let nat = nat_gateway();
        facts.nat_gateways = nat.nat_gateways;
        facts.public_ips.extend(nat.public_ips);
        crate::testing::subnet_mut(&mut facts, "nodes").nat_gateway_id = Some(nat_id("ng1"));
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("20.9.8.7"));
    }

    #[test]
    fn fires_as_high_when_part_of_the_addresses_is_admitted() {
        let mut facts = with(nat_gateway(), &["20.9.8.7/32"]);
        let mut second = facts.public_ips[&public_ip_id("nat-1")].clone();
        if let crate::facts::Datum::Known(ip) = &mut second {
            ip.address = Some("20.9.8.9".to_owned());
        }
        facts.public_ips.insert(public_ip_id("nat-2"), second);
        crate::testing::nat_mut(&mut facts, "ng1")
            .public_ips
            .push(public_ip_id("nat-2"));
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(found.findings[0].title.contains("20.9.8.9"));
    }

    #[test]
    fn r1_88_ipv6_addresses_need_not_be_admitted() {
        let mut facts = with(nat_gateway(), &["20.9.8.7/32"]);
        let mut second = facts.public_ips[&public_ip_id("nat-1")].clone();
        if let crate::facts::Datum::Known(ip) = &mut second {
            ip.address = Some("2603:1020::7".to_owned());
            ip.version = Some("IPv6".to_owned());
        }
        facts.public_ips.insert(public_ip_id("nat-6"), second);
        crate::testing::nat_mut(&mut facts, "ng1")
            .public_ips
            .push(public_ip_id("nat-6"));
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn r1_88_does_not_fire() {
        for facts in [
            with(nat_gateway(), &["198.51.100.0/24", "20.9.8.0/29"]),
            with(load_balancer(), &["198.51.100.0/24"]),
            with(load_balancer(), &["0.0.0.0/32"]),
        ] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
        let mut private = with(nat_gateway(), &["198.51.100.0/24"]);
        private.cluster.api_server.private_cluster = Some(true);
        assert!(outcome(&RULE, &private).not_applicable.is_some());
    }

    #[test]
    fn r2_55_an_azure_firewalls_addresses_are_those_that_must_be_admitted() {
        let firewalled = || {
            let mut facts = firewalled();
            for firewall in facts.firewalls.values_mut() {
                if let crate::facts::Datum::Known(firewall) = firewall {
                    firewall.subnet_id = None;
                }
            }
            facts
        };
        let own = crate::diagnose(&firewalled()).outbound.paths[0]
            .public_ips
            .clone()
            .unwrap();
        assert!(!own.is_empty());
        let admitted: Vec<String> = own.iter().map(|ip| format!("{ip}/32")).collect();
        let admitted: Vec<&str> = admitted.iter().map(String::as_str).collect();
        assert_eq!(
            outcome(&RULE, &with(firewalled(), &admitted)),
            Outcome::passed()
        );
        let found = outcome(&RULE, &with(firewalled(), &["198.51.100.0/24"]));
        assert_eq!(codes(&found), ["API101"]);
        assert!(found.findings[0].title.contains(&own[0]));
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(nat_gateway(), &["198.51.100.0/24"]);
        let action = "Microsoft.Network/natGateways/read";
        facts.nat_gateways.insert(nat_id("ng1"), denied(action));
        for facts in [
            facts,
            with(firewall_routing(), &["198.51.100.0/24"]),
            with(nat_gateway(), &["anything"]),
        ] {
            let open = outcome(&RULE, &facts);
            assert!(open.findings.is_empty() && !open.undecided.is_empty());
        }
    }

    #[test]
    fn r1_89_the_nodes_own_addresses_have_to_be_admitted() {
        let found = |ranges: &[&str], own: Option<&[&str]>| {
            let mut facts = with(load_balancer(), ranges);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
            node_public_ips(&mut facts, "user", own);
            outcome(&RULE, &facts)
        };
        let own: Option<&[&str]> = Some(&["20.62.4.1", "20.62.4.2"]);
        assert_eq!(found(&["20.62.4.0/28"], own), Outcome::passed());
        let part = found(&["20.62.4.1/32"], own);
        assert_eq!(part.findings[0].severity, Severity::High);
        let title = &part.findings[0].title;
        assert!(title.starts_with("Some nodes of node pool user"), "{title}");
        assert!(title.contains("20.62.4.2") && !title.contains("20.62.4.1"));
        let none = found(&["198.51.100.0/24"], own);
        assert_eq!(none.findings[0].severity, Severity::Critical);
        assert_eq!(none.findings[0].affected.node_pools, ["user"]);
        let fix = &none.findings[0].remediation[0];
        assert!(fix.commands[0].ends_with("20.62.4.1/32,20.62.4.2/32"));
        assert!(fix.side_effects.iter().any(|text| text.contains("prefix")));
        // Unread addresses name what has to be granted.
        let unread = found(&["198.51.100.0/24"], None);
        assert!(unread.is_open() && !unread.missing.is_empty());
    }
}
