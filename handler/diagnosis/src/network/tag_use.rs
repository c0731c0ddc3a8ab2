//! Which service tags decide something, so that their addresses are worth reading (R4.18).

use std::collections::BTreeSet;

use super::AddressTerm;
use super::tags::platform_tag;
use crate::facts::{Access, Direction, Nsg, RouteTable, RuleCollection};

/// Tags of a security group whose addresses decide about outbound traffic: of rules that deny, and of rules that allow
/// before a denial. A rule that allows what the default rules allow anyway decides nothing.
pub fn tags_of_nsg(nsg: &Nsg) -> BTreeSet<String> {
    let outbound = || {
        nsg.rules
            .iter()
            .filter(|rule| rule.direction.is_none_or(|d| d == Direction::Outbound))
    };
    let last_denial = outbound()
        .filter(|rule| rule.access != Some(Access::Allow))
        .map(|rule| rule.priority)
        .max();
    outbound()
        .filter(|rule| last_denial.is_some_and(|last| rule.priority <= last))
        .flat_map(|rule| service_tags(&rule.destinations))
        .collect()
}

/// Tags that routes of a table are for (R3.7).
pub fn tags_of_route_table(table: &RouteTable) -> BTreeSet<String> {
    let prefixes = table.routes.iter().map(|route| &route.address_prefix);
    service_tags(prefixes).collect()
}

/// Tags that network rules of an Azure Firewall are for: what no rule allows is denied, so that each decides.
pub fn tags_of_collection(collection: &RuleCollection) -> BTreeSet<String> {
    let rules = collection.rules.network.iter();
    rules
        .flat_map(|rule| service_tags(&rule.destinations))
        .collect()
}

/// The names among some addresses that only Azure's list gives addresses to.
fn service_tags<'a>(texts: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = String> {
    let names = texts
        .into_iter()
        .filter_map(|text| match AddressTerm::parse(text) {
            Ok(AddressTerm::Name(name)) => Some(name),
            _ => None,
        });
    names.filter(|name| !is_listed_nowhere(name))
}

/// Tags that stand for the virtual network or the platform.
fn is_listed_nowhere(name: &str) -> bool {
    platform_tag(name).is_some()
        || ["Internet", "VirtualNetwork", "AzureLoadBalancer"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Id, NetworkRule, NextHopType, RuleCollectionRules};
    use crate::testing::{route, security_rule};
    use Access::{Allow, Deny};

    fn of(rules: Vec<crate::facts::SecurityRule>) -> Vec<String> {
        let nsg = Nsg {
            id: Id::new("/n"),
            rules,
            default_rules: Vec::new(),
            aks_managed: false,
        };
        tags_of_nsg(&nsg).into_iter().collect()
    }

    fn rule(priority: u32, access: Access, to: &str) -> crate::facts::SecurityRule {
        security_rule("r", priority, access, "Tcp", to, "443")
    }

    #[test]
    fn r4_18_an_allowed_tag_decides_only_before_a_denial() {
        let allow = || rule(100, Allow, "Storage.WestEurope");
        assert!(of(vec![allow()]).is_empty());
        assert_eq!(
            of(vec![allow(), rule(200, Deny, "Internet")]),
            ["Storage.WestEurope"]
        );
        assert!(of(vec![rule(50, Deny, "Internet"), allow()]).is_empty());
    }

    #[test]
    fn r4_18_a_denied_tag_decides() {
        assert_eq!(of(vec![rule(100, Deny, "AzureCloud")]), ["AzureCloud"]);
        let mut unread = rule(100, Allow, "Sql");
        unread.access = None;
        assert_eq!(of(vec![unread]), ["Sql"]);
    }

    #[test]
    fn r4_12_tags_of_the_network_and_the_platform_are_not_looked_up() {
        for tag in [
            "internet",
            "VIRTUALNETWORK",
            "AzureLoadBalancer",
            "AzurePlatformDNS",
            "*",
            "10.0.0.0/8",
        ] {
            assert!(of(vec![rule(100, Deny, tag)]).is_empty(), "{tag}");
        }
    }

    #[test]
    fn inbound_rules_decide_nothing_here() {
        let mut inbound = rule(100, Deny, "AzureCloud");
        inbound.direction = Some(Direction::Inbound);
        assert!(of(vec![inbound]).is_empty());
    }

    #[test]
    fn r3_7_tag_routes_and_firewall_rules_decide() {
        let table = RouteTable {
            id: Id::new("/t"),
            routes: vec![
                route("a", "0.0.0.0/0", NextHopType::Internet, None),
                route("b", "Storage", NextHopType::Internet, None),
            ],
            subnet_ids: Vec::new(),
            disable_bgp_route_propagation: None,
            aks_managed: false,
        };
        assert_eq!(tags_of_route_table(&table), ["Storage".to_owned()].into());
        let collection = RuleCollection {
            name: "c".to_owned(),
            priority: Some(100),
            action: None,
            rules: RuleCollectionRules {
                network: vec![NetworkRule {
                    destinations: vec!["AzureCloud.westeurope".to_owned(), "10.0.0.4".to_owned()],
                    ..NetworkRule::default()
                }],
                ..RuleCollectionRules::default()
            },
        };
        assert_eq!(
            tags_of_collection(&collection),
            ["AzureCloud.westeurope".to_owned()].into()
        );
    }
}
