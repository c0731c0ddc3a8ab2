//! Azure Firewall, its policies and IP groups (`Microsoft.Network`).

use super::Id;

/// `threatIntelMode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreatIntelMode {
    /// `Off`
    Off,
    /// `Alert`
    Alert,
    /// `Deny`
    Deny,
    /// Any other word, as Azure spelled it.
    Other(String),
}

/// An Azure Firewall.
#[derive(Debug, Clone, PartialEq)]
pub struct AzureFirewall {
    /// ARM id.
    pub id: Id,
    /// `sku.name`: `AZFW_VNet` or `AZFW_Hub`.
    pub sku: Option<String>,
    /// `sku.tier`: `Basic`, `Standard` or `Premium`.
    pub tier: Option<String>,
    /// `provisioningState`.
    pub provisioning_state: Option<String>,
    /// `privateIPAddress` of its IP configurations, or the hub's.
    pub private_ips: Vec<String>,
    /// Ids of the public IPs of its IP configurations.
    pub public_ip_ids: Vec<Id>,
    /// Addresses of a hub firewall (`hubIPAddresses.publicIPs.addresses`).
    pub hub_public_ips: Vec<String>,
    /// The subnet of its IP configurations (`AzureFirewallSubnet`).
    pub subnet_id: Option<Id>,
    /// `virtualHub.id`.
    pub virtual_hub_id: Option<Id>,
    /// `firewallPolicy.id`; `None` = classic rules.
    pub policy_id: Option<Id>,
    /// Classic rule collections.
    pub classic_collections: Vec<RuleCollection>,
    /// `threatIntelMode` of a classic firewall.
    pub threat_intel: Option<ThreatIntelMode>,
    /// Classic `Network.SNAT.PrivateRanges` of `additionalProperties`.
    pub private_ranges: Vec<String>,
    /// Classic `Network.DNS.EnableProxy` of `additionalProperties`.
    pub dns_proxy: Option<bool>,
}

/// A firewall policy.
#[derive(Debug, Clone, PartialEq)]
pub struct FirewallPolicy {
    /// ARM id.
    pub id: Id,
    /// `basePolicy.id`: the parent, whose groups come first (R5.3).
    pub base_policy_id: Option<Id>,
    /// `threatIntelMode`.
    pub threat_intel: Option<ThreatIntelMode>,
    /// `threatIntelWhitelist.fqdns`.
    pub threat_intel_allowed_fqdns: Vec<String>,
    /// `dnsSettings.enableProxy`.
    pub dns_proxy: Option<bool>,
    /// `snat.privateRanges`.
    pub private_ranges: Vec<String>,
    /// Whether TLS inspection is set up (`transportSecurity`).
    pub tls_inspection: bool,
}

/// A rule collection group of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleCollectionGroup {
    /// ARM id.
    pub id: Id,
    /// `priority`, 100–65000, low first.
    pub priority: Option<u32>,
    /// Its collections.
    pub collections: Vec<RuleCollection>,
}

/// `action` of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
    /// `Dnat`
    Dnat,
}

/// A rule collection, classic or of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleCollection {
    /// Name.
    pub name: String,
    /// `priority`, low first.
    pub priority: Option<u32>,
    /// `action.type`; `None` when Azure's word was not understood.
    pub action: Option<RuleAction>,
    /// Its rules.
    pub rules: RuleCollectionRules,
}

/// The rules of one collection. A policy's filter collection may mix network and application rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleCollectionRules {
    /// Network rules in order.
    pub network: Vec<NetworkRule>,
    /// Application rules in order.
    pub application: Vec<ApplicationRule>,
    /// NAT rules in order.
    pub nat: Vec<NatRule>,
    /// Rules of a type this version does not know.
    pub unreadable: usize,
}

/// A network rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRule {
    /// Name.
    pub name: String,
    /// `ipProtocols`: `TCP`, `UDP`, `ICMP`, `Any`.
    pub protocols: Vec<String>,
    /// `sourceAddresses`.
    pub sources: Vec<String>,
    /// `sourceIpGroups`.
    pub source_ip_groups: Vec<Id>,
    /// `destinationAddresses`: CIDRs, ranges or service tags.
    pub destinations: Vec<String>,
    /// `destinationIpGroups`.
    pub destination_ip_groups: Vec<Id>,
    /// `destinationFqdns`: needs DNS proxy (R5.13).
    pub destination_fqdns: Vec<String>,
    /// `destinationPorts`.
    pub destination_ports: Vec<String>,
}

/// What an application rule aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationTarget {
    /// `targetFqdns`
    Fqdn(String),
    /// `fqdnTags`
    FqdnTag(String),
    /// `targetUrls`
    Url(String),
    /// `webCategories`
    WebCategory(String),
}

/// An application rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationRule {
    /// Name.
    pub name: String,
    /// `protocols`: (`Http` | `Https` | `Mssql`, port).
    pub protocols: Vec<(String, Option<u16>)>,
    /// `sourceAddresses`.
    pub sources: Vec<String>,
    /// `sourceIpGroups`.
    pub source_ip_groups: Vec<Id>,
    /// Its targets.
    pub targets: Vec<ApplicationTarget>,
    /// `terminateTLS`.
    pub terminate_tls: bool,
}

/// A NAT rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatRule {
    /// Name.
    pub name: String,
    /// `ipProtocols`.
    pub protocols: Vec<String>,
    /// `sourceAddresses`.
    pub sources: Vec<String>,
    /// `destinationAddresses`.
    pub destinations: Vec<String>,
    /// `destinationPorts`.
    pub destination_ports: Vec<String>,
    /// `translatedAddress` or `translatedFqdn`.
    pub translated: Option<String>,
}

/// An IP group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpGroup {
    /// ARM id.
    pub id: Id,
    /// `ipAddresses`: addresses, ranges and CIDRs.
    pub addresses: Vec<String>,
}
