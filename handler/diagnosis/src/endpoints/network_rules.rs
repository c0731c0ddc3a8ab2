//! The network rules that a cluster needs beside its host names (R1.3, R1.4).

use super::view::View;
use crate::facts::{Cloud, Datum};

/// What carries a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A destination of a network rule; any one of a rule's destinations suffices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Any address.
    Anywhere,
    /// A service tag, e.g. `AzureCloud.westeurope`, or its prefixes.
    ServiceTag(String),
    /// The API server's public address.
    ApiServerAddress,
    /// A host name; usable in network rules of a firewall only.
    HostName(&'static str),
    /// These addresses, all of them.
    Addresses(Vec<String>),
}

/// Whether this cluster needs the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// It does.
    Required,
    /// It depends on something that cannot be read.
    Conditional,
    /// It does not.
    Waived,
}

/// One row of the documented table, as it applies to this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Protocol.
    pub transport: Transport,
    /// Destination port.
    pub port: u16,
    /// Any one of these suffices.
    pub destinations: Vec<Destination>,
    /// Whether this cluster needs it.
    pub requirement: Requirement,
    /// Why.
    pub why: &'static str,
}

/// Whether the documentation still requires NTP in this cloud (R1.3); not known counts as not required, since only the
/// older clouds' tables carry no waiver.
pub(super) fn time_sync_is_required(cloud: Option<Cloud>) -> bool {
    matches!(cloud, Some(Cloud::China | Cloud::UsGov))
}

/// The documented network rules of the cluster's cloud; `None` when the cloud is not known.
pub fn network_rules(view: &View<'_>) -> Option<Vec<NetworkRule>> {
    let cloud = view.cloud?;
    let mut rules = vec![
        tunnel(view, cloud, Transport::Udp, 1194),
        tunnel(view, cloud, Transport::Tcp, 9000),
    ];
    if cloud == Cloud::China {
        rules.push(NetworkRule {
            transport: Transport::Tcp,
            port: 22,
            destinations: tunnel_destinations(view),
            requirement: Requirement::Required,
            why: "21Vianet's table asks for it",
        });
    }
    rules.extend([time(cloud), dns(view), api_server(view, cloud)]);
    if view.isolated {
        for rule in &mut rules {
            if !matches!(rule.destinations.as_slice(), [Destination::Addresses(_)]) {
                rule.requirement = Requirement::Waived;
                rule.why = "a network isolated cluster needs no outbound endpoint";
            }
        }
    }
    Some(rules)
}

fn tunnel_destinations(view: &View<'_>) -> Vec<Destination> {
    let tag = view
        .location
        .map(|l| Destination::ServiceTag(format!("AzureCloud.{}", l.trim().to_ascii_lowercase())));
    [
        Some(Destination::Anywhere),
        tag,
        Some(Destination::ApiServerAddress),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The node tunnel to the control plane. The waivers are printed for the public cloud only.
fn tunnel(view: &View<'_>, cloud: Cloud, transport: Transport, port: u16) -> NetworkRule {
    let classic = match view.arm {
        Datum::Known(list) => Some(
            list.iter()
                .any(|e| e.category.trim().eq_ignore_ascii_case("tunnel-classic")),
        ),
        _ => None,
    };
    let (requirement, why) = match (cloud, classic) {
        (_, Some(true)) => (
            Requirement::Required,
            "ARM lists the classic tunnel for this cluster",
        ),
        (Cloud::China | Cloud::UsGov, _) => {
            (Requirement::Required, "this cloud's table has no exception")
        }
        (Cloud::Public, _) if view.private_cluster == Some(true) => {
            (Requirement::Waived, "private cluster")
        }
        (Cloud::Public, Some(false)) => (
            Requirement::Waived,
            "the cluster runs konnectivity: ARM lists no classic tunnel",
        ),
        (Cloud::Public, None) => (
            Requirement::Conditional,
            "today's clusters run konnectivity; ARM's list, which would tell, could not be read",
        ),
    };
    NetworkRule {
        transport,
        port,
        destinations: tunnel_destinations(view),
        requirement,
        why,
    }
}

fn time(cloud: Cloud) -> NetworkRule {
    let (requirement, why) = if time_sync_is_required(Some(cloud)) {
        (Requirement::Required, "this cloud's table has no exception")
    } else {
        (
            Requirement::Waived,
            "nodes provisioned after March 2021 take the time from their host",
        )
    };
    NetworkRule {
        transport: Transport::Udp,
        port: 123,
        destinations: vec![
            Destination::Anywhere,
            Destination::HostName("ntp.ubuntu.com"),
        ],
        requirement,
        why,
    }
}

fn dns(view: &View<'_>) -> NetworkRule {
    let (destinations, requirement, why) = match view.custom_dns.as_deref() {
        Some([]) => (vec![], Requirement::Waived, "no custom DNS servers"),
        Some(servers) => (
            vec![Destination::Addresses(servers.to_vec())],
            Requirement::Required,
            "the network uses custom DNS servers",
        ),
        None => (
            vec![],
            Requirement::Conditional,
            "whether the network uses custom DNS servers is not known",
        ),
    };
    NetworkRule {
        transport: Transport::Udp,
        port: 53,
        destinations,
        requirement,
        why,
    }
}

fn api_server(view: &View<'_>, cloud: Cloud) -> NetworkRule {
    let (requirement, why) = if cloud == Cloud::Public && view.private_cluster == Some(true) {
        (Requirement::Waived, "private cluster")
    } else {
        (
            Requirement::Conditional,
            "needed when pods call the API server through its address in the cluster",
        )
    };
    NetworkRule {
        transport: Transport::Tcp,
        port: 443,
        destinations: vec![Destination::ApiServerAddress],
        requirement,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, listed, private};
    use super::*;
    use crate::facts::{Facts, Features};

    fn rule(facts: &Facts, cloud: Cloud, transport: Transport, port: u16) -> NetworkRule {
        let extra = Features {
            cloud: Some(cloud),
            ..Features::default()
        };
        let rules = network_rules(&View::of(facts, &extra)).unwrap();
        rules
            .into_iter()
            .find(|r| r.transport == transport && r.port == port)
            .unwrap()
    }

    #[test]
    fn r1_3_public_waives_the_tunnel_for_konnectivity_and_private_clusters() {
        let mut facts = facts();
        facts.egress_endpoints = Datum::Known(vec![listed("images", "mcr.microsoft.com")]);
        for (transport, port) in [(Transport::Udp, 1194), (Transport::Tcp, 9000)] {
            let r = rule(&facts, Cloud::Public, transport, port);
            assert_eq!(r.requirement, Requirement::Waived);
            assert_eq!(
                r.destinations,
                [
                    Destination::Anywhere,
                    Destination::ServiceTag("AzureCloud.westeurope".to_owned()),
                    Destination::ApiServerAddress
                ]
            );
        }
        facts.egress_endpoints = Datum::not_asked("test");
        let r = rule(&facts, Cloud::Public, Transport::Tcp, 9000);
        assert_eq!(r.requirement, Requirement::Conditional);
        let r = rule(&private(facts), Cloud::Public, Transport::Tcp, 9000);
        assert_eq!(r.requirement, Requirement::Waived);
    }

    #[test]
    fn r1_4_a_classic_tunnel_in_arms_list_makes_it_required() {
        let mut facts = facts();
        facts.egress_endpoints = Datum::Known(vec![listed("Tunnel-Classic", "x.tun.example")]);
        let r = rule(&facts, Cloud::Public, Transport::Udp, 1194);
        assert_eq!(r.requirement, Requirement::Required);
    }

    #[test]
    fn r1_3_china_and_usgov_have_no_waivers() {
        let facts = private(facts());
        for cloud in [Cloud::China, Cloud::UsGov] {
            for (transport, port) in [
                (Transport::Udp, 1194),
                (Transport::Tcp, 9000),
                (Transport::Udp, 123),
            ] {
                let r = rule(&facts, cloud, transport, port);
                assert_eq!(r.requirement, Requirement::Required, "{cloud:?} {port}");
            }
            let api = rule(&facts, cloud, Transport::Tcp, 443);
            assert_eq!(api.requirement, Requirement::Conditional);
        }
    }

    #[test]
    fn r1_3_only_china_asks_for_port_22() {
        let facts = facts();
        let asks = |cloud| {
            let extra = Features {
                cloud: Some(cloud),
                ..Features::default()
            };
            let rules = network_rules(&View::of(&facts, &extra)).unwrap();
            rules.iter().any(|r| r.port == 22)
        };
        assert!(asks(Cloud::China));
        assert!(!asks(Cloud::UsGov));
        assert!(!asks(Cloud::Public));
    }

    #[test]
    fn r1_3_time_is_waived_in_the_public_cloud() {
        let r = rule(&facts(), Cloud::Public, Transport::Udp, 123);
        assert_eq!(r.requirement, Requirement::Waived);
        assert_eq!(
            r.destinations,
            [
                Destination::Anywhere,
                Destination::HostName("ntp.ubuntu.com")
            ]
        );
    }

    #[test]
    fn r1_3_dns_follows_the_networks_servers() {
        let dns = |servers: Option<&[&str]>| {
            let facts = match servers {
                Some(servers) => super::super::testing::with_dns(facts(), servers),
                None => facts(),
            };
            rule(&facts, Cloud::Public, Transport::Udp, 53)
        };
        assert_eq!(dns(Some(&[])).requirement, Requirement::Waived);
        let custom = dns(Some(&["10.0.0.4", "10.0.0.5"]));
        assert_eq!(custom.requirement, Requirement::Required);
        assert_eq!(
            custom.destinations,
            [Destination::Addresses(vec![
                "10.0.0.4".to_owned(),
                "10.0.0.5".to_owned()
            ])]
        );
        assert_eq!(dns(None).requirement, Requirement::Conditional);
    }

    #[test]
    fn r1_3_api_server_by_address_is_waived_for_private_public_cloud_clusters() {
        let r = rule(&private(facts()), Cloud::Public, Transport::Tcp, 443);
        assert_eq!(r.requirement, Requirement::Waived);
        let r = rule(&facts(), Cloud::Public, Transport::Tcp, 443);
        assert_eq!(r.requirement, Requirement::Conditional);
        assert_eq!(r.destinations, [Destination::ApiServerAddress]);
    }

    #[test]
    fn r4_30_isolated_clusters_need_only_their_dns() {
        let facts = super::super::testing::with_dns(
            super::super::testing::isolated(facts()),
            &["10.0.0.4"],
        );
        for port in [1194, 9000, 123, 443] {
            let transport = if matches!(port, 1194 | 123) {
                Transport::Udp
            } else {
                Transport::Tcp
            };
            let r = rule(&facts, Cloud::UsGov, transport, port);
            assert_eq!(r.requirement, Requirement::Waived, "{port}");
        }
        let dns = rule(&facts, Cloud::UsGov, Transport::Udp, 53);
        assert_eq!(dns.requirement, Requirement::Required);
    }
}
