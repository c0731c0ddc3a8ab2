//! `Microsoft.Network/azureFirewalls`, `firewallPolicies` and `ipGroups`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;

use super::{Reference, Resource, Sku};
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part, Tolerant};

/// An Azure Firewall.
pub type AzureFirewall = Resource<AzureFirewallProperties>;
/// An IP configuration of a firewall; only the first one names the subnet and the private address.
pub type FirewallIpConfiguration = Resource<FirewallIpConfigurationProperties>;
/// A classic rule collection.
pub type ClassicCollection = Resource<ClassicCollectionProperties>;
/// A firewall policy.
pub type FirewallPolicy = Resource<FirewallPolicyProperties>;
/// A rule collection group of a policy.
pub type RuleCollectionGroup = Resource<RuleCollectionGroupProperties>;
/// A virtual network's connection to a virtual hub.
pub type HubConnection = Resource<HubConnectionProperties>;
/// A virtual hub.
pub type VirtualHub = Resource<VirtualHubProperties>;
/// Where a virtual hub sends internet and private traffic.
pub type RoutingIntent = Resource<RoutingIntentProperties>;
/// An IP group.
pub type IpGroup = Resource<IpGroupProperties>;

arm_objects! {
    /// `properties` of an Azure Firewall.
    AzureFirewallProperties {
        sku: Part<Sku>,
        provisioning_state: Field<String>,
        ip_configurations: List<FirewallIpConfiguration>,
        #[serde(rename = "hubIPAddresses")]
        hub_ip_addresses: Part<HubIpAddresses>,
        virtual_hub: Part<Reference>,
        firewall_policy: Part<Reference>,
        threat_intel_mode: Field<String>,
        additional_properties: Field<BTreeMap<String, String>>,
        network_rule_collections: List<ClassicCollection>,
        application_rule_collections: List<ClassicCollection>,
        nat_rule_collections: List<ClassicCollection>,
    }

    /// `properties` of a firewall's IP configuration.
    FirewallIpConfigurationProperties {
        subnet: Part<Reference>,
        #[serde(rename = "publicIPAddress")]
        public_ip_address: Part<Reference>,
        #[serde(rename = "privateIPAddress")]
        private_ip_address: Field<String>,
    }

    /// `hubIPAddresses` of a firewall in a virtual hub.
    HubIpAddresses {
        #[serde(rename = "privateIPAddress")]
        private_ip_address: Field<String>,
        #[serde(rename = "publicIPs")]
        public_ips: Part<HubPublicIps>,
    }

    /// `publicIPs` of a firewall in a virtual hub.
    HubPublicIps {
        addresses: List<HubPublicIp>,
    }

    /// A public address of a firewall in a virtual hub.
    HubPublicIp {
        address: Field<String>,
    }

    /// `properties` of a classic rule collection.
    ClassicCollectionProperties {
        priority: Field<u32>,
        action: Part<CollectionAction>,
        rules: List<FirewallRule>,
    }

    /// `action` of a collection.
    CollectionAction {
        #[serde(rename = "type")]
        word: Field<String>,
    }

    /// `properties` of a firewall policy.
    FirewallPolicyProperties {
        base_policy: Part<Reference>,
        child_policies: List<Reference>,
        firewalls: List<Reference>,
        threat_intel_mode: Field<String>,
        threat_intel_whitelist: Part<ThreatIntelWhitelist>,
        dns_settings: Part<DnsSettings>,
        snat: Part<PolicySnat>,
        transport_security: Field<TransportSecurity>,
    }

    /// `threatIntelWhitelist`.
    ThreatIntelWhitelist {
        fqdns: List<String>,
    }

    /// `dnsSettings`.
    DnsSettings {
        enable_proxy: Field<bool>,
    }

    /// `snat`.
    PolicySnat {
        private_ranges: List<String>,
    }

    /// `transportSecurity`: TLS inspection is set up.
    TransportSecurity {
        certificate_authority: Field<Reference>,
    }

    /// `properties` of a rule collection group.
    RuleCollectionGroupProperties {
        priority: Field<u32>,
        rule_collections: List<RuleCollection>,
    }

    /// A rule collection of a policy.
    RuleCollection {
        rule_collection_type: Field<String>,
        name: Field<String>,
        priority: Field<u32>,
        action: Part<CollectionAction>,
        rules: List<FirewallRule>,
    }

    /// A rule of any type: of a policy, told apart by `ruleType`, or classic, where the collection says what it is. Policy
    /// rules name protocols `ipProtocols` or `protocols`, classic ones always `protocols`: words or objects.
    FirewallRule {
        rule_type: Field<String>,
        name: Field<String>,
        ip_protocols: List<String>,
        protocols: List<RuleProtocol>,
        source_addresses: List<String>,
        source_ip_groups: List<String>,
        destination_addresses: List<String>,
        destination_ip_groups: List<String>,
        destination_fqdns: List<String>,
        destination_ports: List<String>,
        target_fqdns: List<String>,
        fqdn_tags: List<String>,
        target_urls: List<String>,
        web_categories: List<String>,
        #[serde(rename = "terminateTLS")]
        terminate_tls: Field<bool>,
        translated_address: Field<String>,
        translated_fqdn: Field<String>,
    }

    /// `properties` of a virtual network's connection to a virtual hub.
    HubConnectionProperties {
        remote_virtual_network: Part<Reference>,
        enable_internet_security: Field<bool>,
    }

    /// `properties` of a virtual hub.
    VirtualHubProperties {
        address_prefix: Field<String>,
        azure_firewall: Part<Reference>,
    }

    /// `properties` of a hub's routing intent.
    RoutingIntentProperties {
        routing_policies: List<RoutingPolicy>,
    }

    /// A routing policy: destinations are `Internet` and `PrivateTraffic`, the next hop is a resource's id.
    RoutingPolicy {
        name: Field<String>,
        destinations: List<String>,
        next_hop: Field<String>,
    }

    /// `properties` of an IP group.
    IpGroupProperties {
        ip_addresses: List<String>,
    }
}

/// A protocol of a rule: an object with a port in application rules, a word elsewhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuleProtocol {
    /// `Http`, `Https`, `Mssql`; `TCP`, `UDP`, `ICMP`, `Any`.
    pub protocol_type: Field<String>,
    /// The port of an application rule's protocol.
    pub port: Field<u32>,
}

impl Tolerant for RuleProtocol {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self {
            protocol_type: Field(String::from_text(text)),
            port: Field(None),
        })
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
