//! Azure Firewalls, their policies and IP groups.

use egress_arm::model;
use egress_arm::read::{Field, List};
use egress_diagnosis::facts::{
    ApplicationRule, ApplicationTarget, AzureFirewall, FirewallPolicy, Id, IpGroup, NatRule,
    NetworkRule, RuleAction, RuleCollection, RuleCollectionGroup, RuleCollectionRules,
    ThreatIntelMode,
};

use super::{all, id, texts};

const PRIVATE_RANGES: &str = "Network.SNAT.PrivateRanges";
const DNS_PROXY: &str = "Network.DNS.EnableProxy";

/// An Azure Firewall.
pub(crate) fn azure_firewall(answer: &model::AzureFirewall) -> Option<AzureFirewall> {
    let p = answer.properties.as_ref()?;
    let configurations = all(&p.ip_configurations, |ip| ip.properties.0.clone())?;
    let own_ips = configurations
        .iter()
        .filter_map(|ip| ip.private_ip_address.0.clone());
    let hub_ip = p.hub_ip_addresses.private_ip_address.0.clone();
    let hub_public = all(&p.hub_ip_addresses.public_ips.addresses, |ip| {
        ip.address.0.clone()
    })?;
    let mut classic = Vec::new();
    for (collections, kind) in [
        (&p.network_rule_collections, Kind::Network),
        (&p.application_rule_collections, Kind::Application),
        (&p.nat_rule_collections, Kind::Nat),
    ] {
        classic.extend(all(collections, |collection| {
            classic_collection(collection, kind)
        })?);
    }
    let additional = |name: &str| {
        let properties = p.additional_properties.iter().flatten();
        let mut named = properties.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    };
    Some(AzureFirewall {
        id: id(&answer.id)?,
        sku: p.sku.name.0.clone(),
        tier: p.sku.tier.0.clone(),
        provisioning_state: p.provisioning_state.0.clone(),
        private_ips: own_ips.chain(hub_ip).collect(),
        public_ip_ids: configurations
            .iter()
            .filter_map(|ip| id(&ip.public_ip_address.id))
            .collect(),
        hub_public_ips: hub_public,
        subnet_id: configurations.iter().find_map(|ip| id(&ip.subnet.id)),
        virtual_hub_id: id(&p.virtual_hub.id),
        policy_id: id(&p.firewall_policy.id),
        classic_collections: classic,
        threat_intel: p.threat_intel_mode.as_deref().map(threat_intel),
        private_ranges: additional(PRIVATE_RANGES)
            .into_iter()
            .flat_map(|ranges| ranges.split(','))
            .map(|range| range.trim().to_owned())
            .filter(|range| !range.is_empty())
            .collect(),
        dns_proxy: additional(DNS_PROXY).map(|value| value.trim().eq_ignore_ascii_case("true")),
    })
}

/// A firewall policy.
pub(crate) fn firewall_policy(answer: &model::FirewallPolicy) -> Option<FirewallPolicy> {
    let p = answer.properties.as_ref()?;
    Some(FirewallPolicy {
        id: id(&answer.id)?,
        base_policy_id: id(&p.base_policy.id),
        threat_intel: p.threat_intel_mode.as_deref().map(threat_intel),
        threat_intel_allowed_fqdns: texts(&p.threat_intel_whitelist.fqdns)?,
        dns_proxy: *p.dns_settings.enable_proxy,
        private_ranges: texts(&p.snat.private_ranges)?,
        tls_inspection: p.transport_security.is_some(),
    })
}

/// A rule collection group.
pub(crate) fn rule_collection_group(
    answer: &model::RuleCollectionGroup,
) -> Option<RuleCollectionGroup> {
    let p = answer.properties.as_ref()?;
    Some(RuleCollectionGroup {
        id: id(&answer.id)?,
        priority: *p.priority,
        collections: all(&p.rule_collections, |collection| {
            Some(RuleCollection {
                name: collection.name.0.clone()?,
                priority: *collection.priority,
                action: action(&collection.action),
                rules: rules(&collection.rules, None)?,
            })
        })?,
    })
}

/// An IP group.
pub(crate) fn ip_group(answer: &model::IpGroup) -> Option<IpGroup> {
    let p = answer.properties.as_ref()?;
    Some(IpGroup {
        id: id(&answer.id)?,
        addresses: texts(&p.ip_addresses)?,
    })
}

fn threat_intel(word: &str) -> ThreatIntelMode {
    match word {
        _ if word.eq_ignore_ascii_case("off") => ThreatIntelMode::Off,
        _ if word.eq_ignore_ascii_case("alert") => ThreatIntelMode::Alert,
        _ if word.eq_ignore_ascii_case("deny") => ThreatIntelMode::Deny,
        _ => ThreatIntelMode::Other(word.to_owned()),
    }
}

/// `Snat` beside `Dnat` is what old NAT collections may still say; no other word is guessed at.
fn action(action: &model::CollectionAction) -> Option<RuleAction> {
    match action.word.as_deref()? {
        word if word.eq_ignore_ascii_case("allow") => Some(RuleAction::Allow),
        word if word.eq_ignore_ascii_case("deny") => Some(RuleAction::Deny),
        word if word.eq_ignore_ascii_case("dnat") => Some(RuleAction::Dnat),
        _ => None,
    }
}

/// What a rule is about.
#[derive(Clone, Copy)]
enum Kind {
    Network,
    Application,
    Nat,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            _ if word.eq_ignore_ascii_case("NetworkRule") => Some(Self::Network),
            _ if word.eq_ignore_ascii_case("ApplicationRule") => Some(Self::Application),
            _ if word.eq_ignore_ascii_case("NatRule") => Some(Self::Nat),
            _ => None,
        }
    }
}

fn classic_collection(answer: &model::ClassicCollection, kind: Kind) -> Option<RuleCollection> {
    let p = answer.properties.as_ref()?;
    Some(RuleCollection {
        name: answer.name.0.clone()?,
        priority: *p.priority,
        action: action(&p.action),
        rules: rules(&p.rules, Some(kind))?,
    })
}

/// The rules of a collection, of one kind or each of its own. Rules that cannot be used are counted.
fn rules(answer: &List<model::FirewallRule>, kind: Option<Kind>) -> Option<RuleCollectionRules> {
    let mut rules = RuleCollectionRules::default();
    for rule in answer.whole()? {
        let kind = kind.or_else(|| Kind::parse(rule.rule_type.as_deref()?));
        let read = match kind {
            Some(Kind::Network) => network_rule(rule).map(|rule| rules.network.push(rule)),
            Some(Kind::Application) => {
                application_rule(rule).map(|rule| rules.application.push(rule))
            }
            Some(Kind::Nat) => nat_rule(rule).map(|rule| rules.nat.push(rule)),
            None => None,
        };
        if read.is_none() {
            rules.unreadable += 1;
        }
    }
    Some(rules)
}

/// `ipProtocols` of a policy's rule, `protocols` of a classic one.
fn words(rule: &model::FirewallRule) -> Option<Vec<String>> {
    let mut words = texts(&rule.ip_protocols)?;
    words.extend(all(&rule.protocols, |it| it.protocol_type.0.clone())?);
    Some(words)
}

fn groups(list: &List<String>) -> Option<Vec<Id>> {
    all(list, |text| Some(Id::new(text.as_str())))
}

fn name(name: &Field<String>) -> String {
    name.iter().cloned().collect()
}

fn network_rule(rule: &model::FirewallRule) -> Option<NetworkRule> {
    Some(NetworkRule {
        name: name(&rule.name),
        protocols: words(rule)?,
        sources: texts(&rule.source_addresses)?,
        source_ip_groups: groups(&rule.source_ip_groups)?,
        destinations: texts(&rule.destination_addresses)?,
        destination_ip_groups: groups(&rule.destination_ip_groups)?,
        destination_fqdns: texts(&rule.destination_fqdns)?,
        destination_ports: texts(&rule.destination_ports)?,
    })
}

fn application_rule(rule: &model::FirewallRule) -> Option<ApplicationRule> {
    let protocols = all(&rule.protocols, |it| {
        // A port beyond 65535 is no port: the rule cannot be used.
        let port = match *it.port {
            None => None,
            Some(port) => Some(u16::try_from(port).ok()?),
        };
        Some((it.protocol_type.0.clone()?, port))
    })?;
    let mut targets = Vec::new();
    for (list, target) in [
        (
            &rule.target_fqdns,
            ApplicationTarget::Fqdn as fn(String) -> ApplicationTarget,
        ),
        (&rule.fqdn_tags, ApplicationTarget::FqdnTag),
        (&rule.target_urls, ApplicationTarget::Url),
        (&rule.web_categories, ApplicationTarget::WebCategory),
    ] {
        targets.extend(texts(list)?.into_iter().map(target));
    }
    Some(ApplicationRule {
        name: name(&rule.name),
        protocols,
        sources: texts(&rule.source_addresses)?,
        source_ip_groups: groups(&rule.source_ip_groups)?,
        targets,
        terminate_tls: *rule.terminate_tls == Some(true),
    })
}

fn nat_rule(rule: &model::FirewallRule) -> Option<NatRule> {
    Some(NatRule {
        name: name(&rule.name),
        protocols: words(rule)?,
        sources: texts(&rule.source_addresses)?,
        destinations: texts(&rule.destination_addresses)?,
        destination_ports: texts(&rule.destination_ports)?,
        translated: rule
            .translated_address
            .0
            .clone()
            .or_else(|| rule.translated_fqdn.0.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_firewall_in_a_network() {
        let firewall = azure_firewall(&read(
            r#"{"id":"/fw","properties":{"sku":{"name":"AZFW_VNet","tier":"Premium"},"threatIntelMode":"deny",
                "firewallPolicy":{"id":"/p"},"additionalProperties":{"Network.SNAT.PrivateRanges":"IANAPrivateRanges, 0.0.0.0/0",
                "Network.DNS.EnableProxy":"true"},"ipConfigurations":[
                {"properties":{"subnet":{"id":"/v/subnets/AzureFirewallSubnet"},"privateIPAddress":"10.1.0.4","publicIPAddress":{"id":"/ip1"}}},
                {"properties":{"publicIPAddress":{"id":"/ip2"}}}]}}"#,
        ))
        .unwrap();
        assert_eq!(firewall.private_ips, ["10.1.0.4"]);
        assert_eq!(firewall.public_ip_ids, [Id::new("/ip1"), Id::new("/ip2")]);
        assert_eq!(
            firewall.subnet_id,
            Some(Id::new("/v/subnets/AzureFirewallSubnet"))
        );
        assert_eq!(firewall.threat_intel, Some(ThreatIntelMode::Deny));
        assert_eq!(firewall.private_ranges, ["IANAPrivateRanges", "0.0.0.0/0"]);
        assert_eq!(firewall.dns_proxy, Some(true));
        assert_eq!(firewall.policy_id, Some(Id::new("/p")));
    }

    #[test]
    fn a_firewall_in_a_hub_and_a_deallocated_one() {
        let hub = azure_firewall(&read(
            r#"{"id":"/fw","properties":{"virtualHub":{"id":"/hub"},"hubIPAddresses":{"privateIPAddress":"10.9.0.132",
                "publicIPs":{"count":1,"addresses":[{"address":"20.0.0.1"}]}}}}"#,
        ))
        .unwrap();
        assert_eq!(hub.private_ips, ["10.9.0.132"]);
        assert_eq!(hub.hub_public_ips, ["20.0.0.1"]);
        let gone = azure_firewall(&read(
            r#"{"id":"/fw","properties":{"ipConfigurations":[]}}"#,
        ));
        assert!(gone.unwrap().private_ips.is_empty());
        let spoilt = r#"{"id":"/fw","properties":{"ipConfigurations":[7]}}"#;
        assert_eq!(azure_firewall(&read(spoilt)), None);
    }

    #[test]
    fn r5_7_classic_collections_say_what_their_rules_are() {
        let firewall = azure_firewall(&read(
            r#"{"id":"/fw","properties":{"networkRuleCollections":[{"name":"n","properties":{"priority":200,"action":{"type":"Deny"},
                "rules":[{"name":"r","protocols":["TCP"],"sourceAddresses":["*"],"destinationAddresses":["1.2.3.4"],"destinationPorts":["443"]}]}}],
                "applicationRuleCollections":[{"name":"a","properties":{"priority":100,"action":{"type":"Allow"},
                "rules":[{"name":"r","protocols":[{"protocolType":"Https","port":443}],"targetFqdns":["mcr.microsoft.com"],"sourceAddresses":["*"]}]}}]}}"#,
        ))
        .unwrap();
        let [network, application] = firewall.classic_collections.as_slice() else {
            panic!("two collections")
        };
        assert_eq!(network.action, Some(RuleAction::Deny));
        assert_eq!(network.rules.network[0].protocols, ["TCP"]);
        let rule = &application.rules.application[0];
        assert_eq!(rule.protocols, [("Https".to_owned(), Some(443))]);
        let target = ApplicationTarget::Fqdn("mcr.microsoft.com".to_owned());
        assert_eq!(rule.targets, [target]);
    }

    #[test]
    fn a_policys_rules_are_told_apart_and_what_is_newer_is_counted() {
        let group = rule_collection_group(&read(
            r#"{"id":"/p/ruleCollectionGroups/g","properties":{"priority":200,"ruleCollections":[{"name":"c","priority":"100",
                "action":{"type":"Allow"},"rules":[
                {"ruleType":"networkRule","name":"n","ipProtocols":["UDP"],"sourceIpGroups":["/g1"],"destinationFqdns":["a.b"],"destinationPorts":["123"]},
                {"ruleType":"ApplicationRule","name":"a","protocols":[{"protocolType":"Http","port":80}],"fqdnTags":["AzureKubernetesService"],"terminateTLS":true},
                {"ruleType":"QuantumRule","name":"q"},
                {"ruleType":"ApplicationRule","name":"bad","protocols":[{"protocolType":"Https","port":99999}]},
                {"ruleType":"NetworkRule","name":"bad","sourceAddresses":[{}]}]}]}}"#,
        ))
        .unwrap();
        let collection = &group.collections[0];
        assert_eq!(
            (group.priority, collection.priority),
            (Some(200), Some(100))
        );
        let rules = &collection.rules;
        assert_eq!(rules.network[0].source_ip_groups, [Id::new("/g1")]);
        assert!(rules.application[0].terminate_tls);
        assert_eq!(rules.unreadable, 3);
        let spoilt = r#"{"id":"/g","properties":{"ruleCollections":[null]}}"#;
        assert_eq!(rule_collection_group(&read(spoilt)), None);
    }

    #[test]
    fn a_policy_and_an_ip_group() {
        let policy = firewall_policy(&read(
            r#"{"id":"/p","properties":{"basePolicy":{"id":"/base"},"snat":{"privateRanges":["0.0.0.0/0"]},
                "dnsSettings":{"enableProxy":false},"transportSecurity":{"certificateAuthority":{"name":"c"}}}}"#,
        ))
        .unwrap();
        assert_eq!(policy.base_policy_id, Some(Id::new("/base")));
        assert_eq!(policy.private_ranges, ["0.0.0.0/0"]);
        assert_eq!(policy.dns_proxy, Some(false));
        assert!(policy.tls_inspection);
        let group = ip_group(&read(
            r#"{"id":"/g","properties":{"ipAddresses":["10.0.0.0/24","10.1.0.1"]}}"#,
        ));
        assert_eq!(group.unwrap().addresses, ["10.0.0.0/24", "10.1.0.1"]);
    }
}
