//! Virtual networks, what is attached to their subnets, public addresses.

use std::collections::BTreeMap;

use egress_arm::model;
use egress_arm::read::{Field, List};
use egress_diagnosis::facts::{
    Access, Direction, Id, NatGateway, NextHopType, Nsg, Peering, PublicIp, PublicIpPrefix, Route,
    RouteTable, SecurityAdminRule, SecurityRule, ServiceEndpoint, Subnet, VirtualNetwork,
};

use super::{all, id, ids, plural_or_singular, texts};

/// A virtual network; its subnets are converted one by one with [`subnet`].
pub(crate) fn virtual_network(answer: &model::VirtualNetwork) -> Option<VirtualNetwork> {
    let p = answer.properties.as_ref()?;
    Some(VirtualNetwork {
        id: id(&answer.id)?,
        location: answer.location.0.clone(),
        address_prefixes: texts(&p.address_space.address_prefixes)?,
        dns_servers: texts(&p.dhcp_options.dns_servers)?,
        peerings: all(&p.virtual_network_peerings, peering)?,
        subnet_ids: all(&p.subnets, |s| id(&s.id))?,
    })
}

fn peering(answer: &model::Peering) -> Option<Peering> {
    let p = answer.properties.as_ref()?;
    let mut remote_address_prefixes = texts(&p.remote_address_space.address_prefixes)?;
    if remote_address_prefixes.is_empty() {
        remote_address_prefixes = texts(&p.remote_virtual_network_address_space.address_prefixes)?;
    }
    Some(Peering {
        name: answer.name.clone().0?,
        state: p.peering_state.0.clone(),
        remote: id(&p.remote_virtual_network.id),
        remote_address_prefixes,
        allow_forwarded_traffic: *p.allow_forwarded_traffic,
        allow_gateway_transit: *p.allow_gateway_transit,
        use_remote_gateways: *p.use_remote_gateways,
    })
}

/// A subnet, from its own answer or from its virtual network's.
pub(crate) fn subnet(answer: &model::Subnet) -> Option<Subnet> {
    let p = answer.properties.as_ref()?;
    Some(Subnet {
        id: id(&answer.id)?,
        address_prefixes: plural_or_singular(&p.address_prefixes, &p.address_prefix)?,
        nsg_id: id(&p.network_security_group.id),
        route_table_id: id(&p.route_table.id),
        nat_gateway_id: id(&p.nat_gateway.id),
        service_endpoints: all(&p.service_endpoints, |e| {
            Some(ServiceEndpoint {
                service: e.service.clone().0?,
                locations: texts(&e.locations)?,
            })
        })?,
        default_outbound_access: *p.default_outbound_access,
        delegations: all(&p.delegations, |d| {
            d.properties.as_ref()?.service_name.clone().0
        })?,
    })
}

/// A route table.
pub(crate) fn route_table(answer: &model::RouteTable) -> Option<RouteTable> {
    let p = answer.properties.as_ref()?;
    let id = id(&answer.id)?;
    Some(RouteTable {
        routes: all(&p.routes, route)?,
        subnet_ids: ids(&p.subnets)?,
        disable_bgp_route_propagation: *p.disable_bgp_route_propagation,
        aks_managed: is_aks_managed(&id, &answer.tags),
        id,
    })
}

fn route(answer: &model::Route) -> Option<Route> {
    let p = answer.properties.as_ref()?;
    Some(Route {
        name: answer.name.clone().0?,
        address_prefix: p.address_prefix.clone().0?,
        next_hop_type: next_hop_type(p.next_hop_type.as_deref()?),
        next_hop_ip: p.next_hop_ip_address.0.clone(),
    })
}

fn next_hop_type(word: &str) -> NextHopType {
    match word.to_ascii_lowercase().as_str() {
        "virtualappliance" => NextHopType::VirtualAppliance,
        "virtualnetworkgateway" => NextHopType::VirtualNetworkGateway,
        "vnetlocal" => NextHopType::VnetLocal,
        "internet" => NextHopType::Internet,
        "none" => NextHopType::None,
        _ => NextHopType::Other(word.to_owned()),
    }
}

/// A network security group.
pub(crate) fn nsg(answer: &model::NetworkSecurityGroup) -> Option<Nsg> {
    let p = answer.properties.as_ref()?;
    let id = id(&answer.id)?;
    Some(Nsg {
        rules: all(&p.security_rules, security_rule)?,
        default_rules: all(&p.default_security_rules, security_rule)?,
        aks_managed: is_aks_managed(&id, &answer.tags),
        id,
    })
}

/// A rule without a priority has no place among the others; one without a protocol matches nothing known.
fn security_rule(answer: &model::SecurityRule) -> Option<SecurityRule> {
    let p = answer.properties.as_ref()?;
    Some(SecurityRule {
        name: answer.name.clone().0?,
        priority: (*p.priority)?,
        direction: direction(&p.direction),
        access: access(&p.access),
        protocol: p.protocol.clone().0?,
        sources: united(&p.source_address_prefix, &p.source_address_prefixes)?,
        source_asgs: ids(&p.source_application_security_groups)?,
        source_ports: united(&p.source_port_range, &p.source_port_ranges)?,
        destinations: united(
            &p.destination_address_prefix,
            &p.destination_address_prefixes,
        )?,
        destination_asgs: ids(&p.destination_application_security_groups)?,
        destination_ports: united(&p.destination_port_range, &p.destination_port_ranges)?,
    })
}

fn direction(word: &Field<String>) -> Option<Direction> {
    word.as_deref().and_then(|word| match word {
        _ if word.eq_ignore_ascii_case("inbound") => Some(Direction::Inbound),
        _ if word.eq_ignore_ascii_case("outbound") => Some(Direction::Outbound),
        _ => None,
    })
}

fn access(word: &Field<String>) -> Option<Access> {
    word.as_deref().and_then(|word| match word {
        _ if word.eq_ignore_ascii_case("allow") => Some(Access::Allow),
        _ if word.eq_ignore_ascii_case("deny") => Some(Access::Deny),
        _ => None,
    })
}

/// A security admin rule. An answer may leave its name to its id.
pub(crate) fn security_admin_rule(answer: &model::SecurityAdminRule) -> Option<SecurityAdminRule> {
    let p = answer.properties.as_ref()?;
    let id = id(&answer.id)?;
    let prefixes =
        |list: &List<model::AddressPrefixItem>| all(list, |item| item.address_prefix.0.clone());
    let always = p
        .access
        .as_deref()
        .is_some_and(|word| word.eq_ignore_ascii_case("AlwaysAllow"));
    Some(SecurityAdminRule {
        rule: SecurityRule {
            name: id.name().to_owned(),
            priority: (*p.priority)?,
            direction: direction(&p.direction),
            access: if always {
                Some(Access::Allow)
            } else {
                access(&p.access)
            },
            protocol: p.protocol.clone().0?,
            sources: prefixes(&p.sources)?,
            source_asgs: Vec::new(),
            source_ports: texts(&p.source_port_ranges)?,
            destinations: prefixes(&p.destinations)?,
            destination_asgs: Vec::new(),
            destination_ports: texts(&p.destination_port_ranges)?,
        },
        always,
        id,
    })
}

/// Singular and plural form of a rule's field together (R4.7).
fn united(singular: &Field<String>, plural: &List<String>) -> Option<Vec<String>> {
    let mut values: Vec<String> = singular.iter().cloned().collect();
    for value in texts(plural)? {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values)
}

/// AKS names its own network resources `aks-agentpool-…` and tags what it makes with `aks-managed-…` (R1.84).
fn is_aks_managed(id: &Id, tags: &Field<BTreeMap<String, String>>) -> bool {
    let starts_with = |text: &str, prefix: &str| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts_with(id.name(), "aks-agentpool-")
        || tags
            .iter()
            .flatten()
            .any(|(key, _)| starts_with(key, "aks-managed-"))
}

/// A NAT gateway.
pub(crate) fn nat_gateway(answer: &model::NatGateway) -> Option<NatGateway> {
    let p = answer.properties.as_ref()?;
    let both = |v4: &List<model::Reference>, v6: &List<model::Reference>| {
        let mut all = ids(v4)?;
        all.extend(ids(v6)?);
        Some(all)
    };
    Some(NatGateway {
        id: id(&answer.id)?,
        sku: answer.sku.name.0.clone(),
        provisioning_state: p.provisioning_state.0.clone(),
        zones: texts(&answer.zones)?,
        idle_timeout_minutes: *p.idle_timeout_in_minutes,
        public_ips: both(&p.public_ip_addresses, &p.public_ip_addresses_v6)?,
        public_ip_prefixes: both(&p.public_ip_prefixes, &p.public_ip_prefixes_v6)?,
        subnet_ids: ids(&p.subnets)?,
    })
}

/// A public IP address.
pub(crate) fn public_ip(answer: &model::PublicIpAddress) -> Option<PublicIp> {
    let p = answer.properties.as_ref()?;
    Some(PublicIp {
        id: id(&answer.id)?,
        address: p.ip_address.0.clone(),
        version: p.version.0.clone(),
        sku: answer.sku.name.0.clone(),
        zones: texts(&answer.zones)?,
    })
}

/// A public IP prefix.
pub(crate) fn public_ip_prefix(answer: &model::PublicIpPrefix) -> Option<PublicIpPrefix> {
    let p = answer.properties.as_ref()?;
    Some(PublicIpPrefix {
        id: id(&answer.id)?,
        prefix: p.ip_prefix.0.clone(),
        length: p.prefix_length.and_then(|length| u8::try_from(length).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn r4_7_singular_and_plural_are_united() {
        let nsg = nsg(&read(
            r#"{"id":"/n","properties":{"securityRules":[{"name":"r","properties":{"priority":"100","direction":"outbound",
                "access":"DENY","protocol":"Tcp","destinationAddressPrefix":"Internet","destinationAddressPrefixes":["Internet","10.0.0.0/8"],
                "destinationPortRange":"443","sourceAddressPrefixes":[],"sourcePortRange":"*"}}]}}"#,
        ))
        .unwrap();
        let rule = &nsg.rules[0];
        assert_eq!(rule.priority, 100);
        assert_eq!(rule.direction, Some(Direction::Outbound));
        assert_eq!(rule.access, Some(Access::Deny));
        assert_eq!(rule.destinations, ["Internet", "10.0.0.0/8"]);
        assert_eq!(rule.destination_ports, ["443"]);
        assert!(rule.sources.is_empty());
        assert!(nsg.default_rules.is_empty());
    }

    #[test]
    fn a_rule_that_cannot_be_placed_spoils_the_group() {
        for rule in [
            r#"{"name":"r","properties":{"protocol":"*"}}"#,
            r#"{"name":"r"}"#,
            "null",
            r#"{"name":"r","properties":{"priority":1,"protocol":"*","destinationAddressPrefixes":[{}]}}"#,
        ] {
            let body = format!(r#"{{"id":"/n","properties":{{"securityRules":[{rule}]}}}}"#);
            assert_eq!(nsg(&read(&body)), None, "{rule}");
        }
        assert_eq!(nsg(&read(r#"{"id":"/n"}"#)), None);
    }

    #[test]
    fn routes_keep_unknown_next_hops_and_spoil_the_table_when_unreadable() {
        let table = |route: &str| {
            route_table(&read(&format!(
                r#"{{"id":"/t","properties":{{"routes":[{route}]}}}}"#
            )))
        };
        let known = table(
            r#"{"name":"d","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"virtualappliance","nextHopIpAddress":"10.1.0.4"}}"#,
        )
        .unwrap();
        assert_eq!(known.routes[0].next_hop_type, NextHopType::VirtualAppliance);
        let newer = table(
            r#"{"name":"d","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"VirtualApplianceEcmp"}}"#,
        )
        .unwrap();
        assert_eq!(
            newer.routes[0].next_hop_type,
            NextHopType::Other("VirtualApplianceEcmp".to_owned())
        );
        assert_eq!(
            table(r#"{"name":"d","properties":{"addressPrefix":"0.0.0.0/0"}}"#),
            None
        );
    }

    #[test]
    fn r1_84_aks_marks_its_own() {
        let nsg_of = |id: &str, tags: &str| {
            nsg(&read(&format!(
                r#"{{"id":"{id}","tags":{tags},"properties":{{"securityRules":[]}}}}"#
            )))
            .unwrap()
            .aks_managed
        };
        assert!(nsg_of("/x/AKS-agentpool-1234-nsg", "null"));
        assert!(nsg_of("/x/other", r#"{"aks-managed-cluster-name":"c"}"#));
        assert!(!nsg_of("/x/mine", r#"{"team":"aks-managed"}"#));
    }

    #[test]
    fn a_subnet_says_what_is_attached() {
        let s = subnet(&read(
            r#"{"id":"/v/subnets/s","properties":{"addressPrefix":"10.0.0.0/24","natGateway":{"id":"/n"},"routeTable":null,
                "defaultOutboundAccess":"False","networkSecurityGroup":{"id":""}}}"#,
        ))
        .unwrap();
        assert_eq!(s.address_prefixes, ["10.0.0.0/24"]);
        assert_eq!(s.nat_gateway_id, Some(Id::new("/n")));
        assert_eq!((s.route_table_id, s.nsg_id), (None, None));
        assert_eq!(s.default_outbound_access, Some(false));
    }

    #[test]
    fn a_nat_gateway_counts_both_families() {
        let n = nat_gateway(&read(
            r#"{"id":"/n","zones":[1],"sku":{"name":"StandardV2"},"properties":{"publicIpAddresses":[{"id":"/a"}],
                "publicIpAddressesV6":[{"id":"/b"}],"publicIpPrefixesV6":[{"id":"/p"}],"subnets":null}}"#,
        ))
        .unwrap();
        assert_eq!(n.public_ips, [Id::new("/a"), Id::new("/b")]);
        assert_eq!(n.public_ip_prefixes, [Id::new("/p")]);
        assert_eq!(n.zones, ["1"]);
        // An address that cannot be named may be the only one.
        let spoilt = r#"{"id":"/n","properties":{"publicIpAddresses":[{"id":null}]}}"#;
        assert_eq!(nat_gateway(&read(spoilt)), None);
    }

    #[test]
    fn r4_11_security_admin_rules_keep_what_they_match_and_what_they_do() {
        let rule = |access: &str| {
            let body = format!(
                r#"{{"id":"/s/providers/Microsoft.Network/networkManagers/nm/securityAdminConfigurations/c/ruleCollections/rc/rules/web","kind":"Custom",
                    "properties":{{"protocol":"Any","priority":5,"direction":"Outbound","access":"{access}","sourcePortRanges":["0-65535"],
                    "destinationPortRanges":["443"],"sources":[{{"addressPrefix":"*","addressPrefixType":"IPPrefix"}}],
                    "destinations":[{{"addressPrefix":"Internet","addressPrefixType":"ServiceTag"}}]}}}}"#
            );
            security_admin_rule(&read(&body)).unwrap()
        };
        let always = rule("alwaysallow");
        assert!(always.always);
        assert_eq!(always.rule.access, Some(Access::Allow));
        assert_eq!(always.rule.name, "web");
        assert_eq!(always.rule.destinations, ["Internet"]);
        let denies = rule("Deny");
        assert_eq!(
            (denies.always, denies.rule.access),
            (false, Some(Access::Deny))
        );
        // A word of a later version is not taken for either.
        assert_eq!(rule("Audit").rule.access, None);
        let nameless = r#"{"properties":{"priority":5,"protocol":"Tcp"}}"#;
        assert!(security_admin_rule(&read(nameless)).is_none());
    }
}
