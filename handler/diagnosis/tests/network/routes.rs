use egress_diagnosis::facts::*;
use egress_diagnosis::network::routes::*;
use egress_diagnosis::network::*;

use super::build::*;

struct Given {
    network: VirtualNetwork,
    table: Option<RouteTable>,
    endpoints: Vec<ServiceEndpoint>,
    bgp: Bgp,
    tags: ServiceTags,
}

fn given(prefixes: &[&str], routes: Vec<Route>) -> Given {
    Given {
        network: vnet(prefixes),
        table: Some(table(routes)),
        endpoints: Vec::new(),
        bgp: Bgp::None,
        tags: ServiceTags::unknown(),
    }
}

impl Given {
    fn compute(&self) -> EffectiveRoutes {
        EffectiveRoutes::compute(&Inputs {
            network: &self.network,
            table: self.table.as_ref(),
            service_endpoints: &self.endpoints,
            bgp: &self.bgp,
            tags: &self.tags,
        })
    }

    /// The hop that certainly decides.
    fn hop(&self, address: &str) -> Hop {
        let routes = self.compute();
        let decided = routes.select(ip(address));
        assert!(decided.open.is_empty(), "{address}: {:?}", decided.open);
        decided.route.unwrap().hop.clone()
    }
}

fn appliance() -> Hop {
    Hop::VirtualAppliance(Some(ip("10.1.0.4")))
}

fn to_appliance(prefix: &str) -> Route {
    route(prefix, NextHopType::VirtualAppliance, Some("10.1.0.4"))
}

fn storage() -> ServiceEndpoint {
    ServiceEndpoint {
        service: "Microsoft.Storage".to_owned(),
        locations: strings(&["westeurope"]),
    }
}

/// The table of the rule text.
fn vectors() -> Given {
    let mut given = given(
        &["10.0.0.0/8"],
        vec![
            to_appliance("0.0.0.0/0"),
            route("20.0.0.0/8", NextHopType::Internet, None),
        ],
    );
    given.bgp = Bgp::Known(vec!["20.40.0.0/16".parse().unwrap()]);
    given.endpoints = vec![storage()];
    given.tags = ServiceTags::new([("Storage.WestEurope", ["20.60.0.0/14"])]);
    given
}

#[test]
fn r3_1_vectors() {
    let given = vectors();
    assert_eq!(given.hop("8.8.8.8"), appliance());
    assert_eq!(given.hop("20.1.1.1"), Hop::Internet);
    assert_eq!(given.hop("20.40.1.1"), Hop::VirtualNetworkGateway);
    assert_eq!(
        given.hop("20.61.0.1"),
        Hop::ServiceEndpoint("Microsoft.Storage".to_owned())
    );
    assert_eq!(given.hop("10.9.9.9"), Hop::VirtualNetwork);
    assert_eq!(
        given.compute().default_hop(Family::V4),
        DefaultHop::Route(given.compute().select(ip("8.8.8.8")).route.unwrap())
    );
}

#[test]
fn r3_1_user_beats_bgp_on_the_same_prefix() {
    let mut given = vectors();
    let routes = &mut given.table.as_mut().unwrap().routes;
    routes.push(route("20.40.0.0/16", NextHopType::None, None));
    assert_eq!(given.hop("20.40.1.1"), Hop::None);
}

#[test]
fn r3_1_user_beats_system_on_the_same_prefix() {
    let given = given(&["10.0.0.0/16"], vec![to_appliance("10.0.0.0/16")]);
    assert_eq!(given.hop("10.0.0.9"), appliance());
}

#[test]
fn r3_2_network_peering_and_endpoint_routes_beat_narrower_bgp() {
    let mut given = vectors();
    given.network.peerings = vec![peering("hub", Some("Connected"), &["172.20.0.0/16"])];
    given.bgp = Bgp::Known(
        [
            "10.9.9.0/24",
            "172.20.1.0/24",
            "20.61.0.0/24",
            "20.40.0.0/16",
        ]
        .map(|p| p.parse().unwrap())
        .to_vec(),
    );
    assert_eq!(given.hop("10.9.9.9"), Hop::VirtualNetwork);
    assert_eq!(given.hop("172.20.1.1"), Hop::Peering(None));
    assert!(matches!(given.hop("20.61.0.1"), Hop::ServiceEndpoint(_)));
    assert_eq!(given.hop("20.40.1.1"), Hop::VirtualNetworkGateway);
}

#[test]
fn r3_3_system_defaults() {
    let given = given(&["10.0.0.0/16"], Vec::new());
    assert_eq!(given.hop("8.8.8.8"), Hop::Internet);
    assert_eq!(given.hop("10.0.1.1"), Hop::VirtualNetwork);
    for private in ["10.200.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"] {
        assert_eq!(given.hop(private), Hop::None, "{private}");
    }
}

#[test]
fn r3_3_a_private_range_that_the_network_uses_is_local() {
    let given = given(&["10.0.0.0/8"], Vec::new());
    assert_eq!(given.hop("10.200.0.1"), Hop::VirtualNetwork);
}

#[test]
fn r3_3_a_user_default_removes_the_private_drops() {
    let given = given(&["10.0.0.0/16"], vec![to_appliance("0.0.0.0/0")]);
    for private in [
        "10.200.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "8.8.8.8",
    ] {
        assert_eq!(given.hop(private), appliance(), "{private}");
    }
}

#[test]
fn r2_52_split_defaults_keep_the_private_drops() {
    let given = given(
        &["10.0.0.0/16"],
        vec![
            to_appliance("0.0.0.0/1"),
            route("128.0.0.0/1", NextHopType::Internet, None),
        ],
    );
    assert_eq!(given.hop("8.8.8.8"), appliance());
    assert_eq!(given.hop("200.1.1.1"), Hop::Internet);
    assert_eq!(given.hop("192.168.1.1"), Hop::None);
    let routes = given.compute();
    let DefaultHop::Split { low, high } = routes.default_hop(Family::V4) else {
        panic!("split expected");
    };
    assert_eq!((&low.hop, &high.hop), (&appliance(), &Hop::Internet));
}

#[test]
fn r3_7_explicit_prefix_beats_tag_and_narrow_tag_beats_wide() {
    let mut given = given(
        &["10.0.0.0/16"],
        vec![
            to_appliance("0.0.0.0/0"),
            route("AzureCloud", NextHopType::None, None),
            route("AzureCloud.westeurope", NextHopType::Internet, None),
            route("Storage", NextHopType::VirtualNetworkGateway, None),
            route("Storage.westeurope", NextHopType::VnetLocal, None),
            route(
                "20.5.0.0/16",
                NextHopType::VirtualAppliance,
                Some("10.0.0.9"),
            ),
        ],
    );
    given.tags = ServiceTags::new([
        (
            "AzureCloud",
            &[
                "20.1.0.0/16",
                "20.2.0.0/16",
                "20.3.0.0/16",
                "20.4.0.0/16",
                "20.5.0.0/16",
            ][..],
        ),
        (
            "AzureCloud.westeurope",
            &["20.2.0.0/16", "20.3.0.0/16", "20.4.0.0/16", "20.5.0.0/16"],
        ),
        ("Storage", &["20.3.0.0/16", "20.4.0.0/16", "20.5.0.0/16"]),
        ("Storage.westeurope", &["20.4.0.0/16", "20.5.0.0/16"]),
    ]);
    assert_eq!(given.hop("20.1.0.1"), Hop::None);
    assert_eq!(given.hop("20.2.0.1"), Hop::Internet);
    assert_eq!(given.hop("20.3.0.1"), Hop::VirtualNetworkGateway);
    assert_eq!(given.hop("20.4.0.1"), Hop::VirtualNetwork);
    assert_eq!(
        given.hop("20.5.0.1"),
        Hop::VirtualAppliance(Some(ip("10.0.0.9")))
    );
}

#[test]
fn r3_7_tag_prefixes_keep_their_own_length() {
    let mut given = given(
        &["10.0.0.0/16"],
        vec![
            to_appliance("20.0.0.0/23"),
            route("Storage", NextHopType::Internet, None),
        ],
    );
    given.tags = ServiceTags::new([("Storage", ["20.0.0.0/24", "20.0.1.0/24"])]);
    assert_eq!(given.hop("20.0.1.1"), Hop::Internet);
}

#[test]
fn r3_7_an_unknown_tag_leaves_public_addresses_open_and_no_others() {
    let given = given(
        &["10.0.0.0/16"],
        vec![
            to_appliance("0.0.0.0/0"),
            route("Storage", NextHopType::Internet, None),
        ],
    );
    let routes = given.compute();
    let public = routes.select(ip("20.1.1.1"));
    assert_eq!(public.route.unwrap().hop, appliance());
    assert_eq!(
        public.open[0].doubt,
        Some(Doubt::UnresolvedTag("Storage".to_owned()))
    );
    assert_eq!(given.hop("10.0.1.1"), Hop::VirtualNetwork);
}

#[test]
fn r3_7_an_unknown_tag_to_the_same_hop_changes_nothing() {
    let given = given(
        &["10.0.0.0/16"],
        vec![to_appliance("0.0.0.0/0"), to_appliance("Storage")],
    );
    assert_eq!(given.hop("20.1.1.1"), appliance());
}

#[test]
fn r3_9_propagation_off_means_no_bgp() {
    let mut network = vnet(&["10.0.0.0/16"]);
    network.subnet_ids.push(Id::new("/v/subnets/GatewaySubnet"));
    let mut table = table(Vec::new());
    assert_eq!(Bgp::of(&network, Some(&table)), Bgp::Unknown);
    assert_eq!(Bgp::of(&network, None), Bgp::Unknown);
    table.disable_bgp_route_propagation = Some(true);
    assert_eq!(Bgp::of(&network, Some(&table)), Bgp::None);
}

#[test]
fn r3_9_bgp_needs_a_gateway_of_its_own_or_of_a_peer() {
    let mut network = vnet(&["10.0.0.0/16"]);
    assert_eq!(Bgp::of(&network, None), Bgp::None);
    network.peerings = vec![peering("hub", Some("Connected"), &["10.1.0.0/16"])];
    assert_eq!(Bgp::of(&network, None), Bgp::None);
    network.peerings[0].use_remote_gateways = Some(true);
    assert_eq!(Bgp::of(&network, None), Bgp::Unknown);
    network.peerings[0].use_remote_gateways = None;
    assert_eq!(Bgp::of(&network, None), Bgp::Unknown);
}

#[test]
fn r3_12_unknown_bgp_is_open_except_where_it_cannot_win() {
    let mut given = given(
        &["10.0.0.0/16"],
        vec![
            to_appliance("0.0.0.0/0"),
            to_appliance("9.9.9.9/32"),
            route("11.0.0.0/8", NextHopType::VirtualNetworkGateway, None),
        ],
    );
    given.bgp = Bgp::Unknown;
    let routes = given.compute();
    assert_eq!(routes.select(ip("8.8.8.8")).open.len(), 1);
    assert_eq!(
        routes.select(ip("8.8.8.8")).open[0].source,
        RouteSource::Bgp
    );
    assert_eq!(given.hop("10.0.1.1"), Hop::VirtualNetwork);
    assert_eq!(given.hop("9.9.9.9"), appliance());
    assert_eq!(given.hop("11.1.1.1"), Hop::VirtualNetworkGateway);
}

#[test]
fn peerings_carry_traffic_only_when_connected() {
    let mut given = given(&["10.0.0.0/16"], vec![to_appliance("0.0.0.0/0")]);
    given.network.peerings = vec![
        peering("up", Some("connected"), &["10.1.0.0/16"]),
        peering("down", Some("Disconnected"), &["10.2.0.0/16"]),
        peering("untold", None, &["10.3.0.0/16"]),
    ];
    assert_eq!(given.hop("10.1.0.1"), Hop::Peering(None));
    assert_eq!(given.hop("10.2.0.1"), appliance());
    assert_eq!(given.compute().select(ip("10.3.0.1")).open.len(), 1);
}

#[test]
fn ipv6_has_a_default_only_with_an_ipv6_network() {
    let four = given(&["10.0.0.0/16"], Vec::new());
    assert_eq!(four.compute().select(ip("2603::1")).route, None);
    assert_eq!(four.compute().default_hop(Family::V6), DefaultHop::Missing);
    let dual = given(
        &["10.0.0.0/16", "fd00::/48"],
        vec![to_appliance("0.0.0.0/0")],
    );
    assert_eq!(dual.hop("2603::1"), Hop::Internet);
    assert_eq!(dual.hop("fd00::5"), Hop::VirtualNetwork);
}

#[test]
fn r1_80_kubenet_node_routes_are_no_appliance_routes() {
    let pods = set(&["10.244.0.0/16"]);
    let nodes = set(&["10.224.0.0/24"]);
    let node = |prefix, hop| {
        is_kubenet_node_route(
            &route(prefix, NextHopType::VirtualAppliance, hop),
            &pods,
            &nodes,
        )
    };
    assert!(node("10.244.3.0/24", Some("10.224.0.7")));
    assert!(!node("10.244.3.0/24", Some("10.1.0.4")));
    assert!(!node("0.0.0.0/0", Some("10.224.0.7")));
    assert!(!node("10.244.3.0/24", None));
    assert!(!is_kubenet_node_route(
        &route("10.244.3.0/24", NextHopType::None, None),
        &pods,
        &nodes
    ));
}

#[test]
fn bad_prefixes_and_contradictions_leave_it_open() {
    let given = given(
        &["10.0.0.0/16"],
        vec![
            route("10.0.0.0/99", NextHopType::None, None),
            to_appliance("20.0.0.0/8"),
            route("20.0.0.0/8", NextHopType::Internet, None),
            route(
                "0.0.0.0/0",
                NextHopType::VirtualAppliance,
                Some("not an address"),
            ),
        ],
    );
    let routes = given.compute();
    let anywhere = routes.select(ip("8.8.8.8"));
    assert_eq!(anywhere.route.unwrap().hop, Hop::VirtualAppliance(None));
    assert_eq!(
        anywhere.open[0].doubt,
        Some(Doubt::InvalidAddress("10.0.0.0/99".to_owned()))
    );
    let contradicted = routes.select(ip("20.1.1.1"));
    assert!(
        contradicted
            .open
            .iter()
            .any(|o| o.doubt == Some(Doubt::SamePriority))
    );
}

#[test]
fn four_hundred_routes_are_decided() {
    let routes = (0..400)
        .map(|n| {
            route(
                &format!("10.{}.{}.0/24", 100 + n / 256, n % 256),
                NextHopType::None,
                None,
            )
        })
        .chain([to_appliance("0.0.0.0/0")])
        .collect();
    let given = given(&["10.0.0.0/16"], routes);
    let effective = given.compute();
    let parts = effective.decide(&AddressSet::all_of(Family::V4));
    let whole = parts.iter().fold(AddressSet::empty(), |all, part| {
        all.union(&part.destinations)
    });
    assert_eq!(whole, AddressSet::all_of(Family::V4));
    assert_eq!(parts.len(), 402);
}

#[test]
fn r3_13_next_hops_have_network_watchers_words() {
    let of = |hop: Hop| hop.next_hop_type();
    assert_eq!(of(appliance()), NextHopType::VirtualAppliance);
    assert_eq!(
        of(Hop::VirtualNetworkGateway),
        NextHopType::VirtualNetworkGateway
    );
    assert_eq!(of(Hop::Internet), NextHopType::Internet);
    assert_eq!(of(Hop::None), NextHopType::None);
    // What Network Watcher calls VirtualNetwork is VnetLocal in a route table.
    assert_eq!(of(Hop::VirtualNetwork), NextHopType::VnetLocal);
    for (hop, word) in [
        (Hop::Peering(None), "VirtualNetworkPeering"),
        (
            Hop::ServiceEndpoint("Microsoft.Storage".to_owned()),
            "VirtualNetworkServiceEndpoint",
        ),
        (Hop::Other("MicrosoftEdge".to_owned()), "MicrosoftEdge"),
    ] {
        assert_eq!(of(hop), NextHopType::Other(word.to_owned()));
    }
}
