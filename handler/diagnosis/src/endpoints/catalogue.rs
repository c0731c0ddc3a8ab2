//! The shape of the documented endpoint tables, and the table of a cloud (R1.2).

use super::Protocol;
use super::data::{CHINA, PUBLIC, USGOV};
use super::feature::Feature;
use crate::facts::Cloud;
use crate::report::Need;

/// The documented endpoints of one cloud.
#[derive(Debug)]
pub struct Catalogue {
    /// The page.
    pub source: &'static str,
    /// Date of the page's version.
    pub dated: &'static str,
    /// What every cluster of the cloud needs, or may use, under ARM's category names.
    pub base: &'static [Group],
    /// What a feature needs in addition.
    pub features: &'static [(Feature, &'static [Endpoint])],
}

/// Endpoints of one category.
#[derive(Debug)]
pub struct Group {
    /// ARM's name for it.
    pub category: &'static str,
    /// The endpoints.
    pub endpoints: &'static [Endpoint],
}

/// One documented endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Host name; may start with `*.` and contain `{location}`.
    pub domain_name: &'static str,
    /// Destination port.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// [`Need::Optional`] or not; rows of a feature are [`Need::Feature`] whatever stands here.
    pub need: Need,
    /// What the endpoint is to the cluster.
    pub role: Role,
    /// A network rule that serves instead of the name.
    pub alternative: Option<NetworkAlternative>,
}

/// What an endpoint is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing that needs a special reading.
    Plain,
    /// The API server: a wildcard that the cluster's own name replaces; waived for private clusters.
    ApiServer,
    /// The API server's tunnel: waived like it, but its own name is nowhere to be read.
    ApiServerTunnel,
}

/// A network rule that serves instead of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkAlternative {
    /// This service tag on the same port.
    ServiceTag(&'static str),
    /// The API server's address on the same port (R1.5).
    ApiServerAddress,
    /// Any destination on the same port and transport.
    Anywhere,
}

/// The documented endpoints of this cloud.
pub fn catalogue(cloud: Cloud) -> &'static Catalogue {
    match cloud {
        Cloud::Public => &PUBLIC,
        Cloud::China => &CHINA,
        Cloud::UsGov => &USGOV,
    }
}

impl Catalogue {
    /// The rows of a feature; `None` when the page prints none for this cloud.
    pub fn of_feature(&self, feature: Feature) -> Option<&'static [Endpoint]> {
        self.features
            .iter()
            .find(|(f, _)| *f == feature)
            .map(|(_, endpoints)| *endpoints)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CURRENT_MIRROR, LEGACY_MIRROR};
    use super::*;
    use std::collections::BTreeSet;

    const CLOUDS: [Cloud; 3] = [Cloud::Public, Cloud::China, Cloud::UsGov];

    fn base_names(cloud: Cloud, need: Need) -> Vec<&'static str> {
        let groups = catalogue(cloud).base.iter();
        groups
            .flat_map(|g| g.endpoints)
            .filter(|e| e.need == need)
            .map(|e| e.domain_name)
            .collect()
    }

    fn feature_names(cloud: Cloud, feature: Feature) -> Vec<&'static str> {
        let rows = catalogue(cloud).of_feature(feature).unwrap();
        rows.iter().map(|e| e.domain_name).collect()
    }

    #[test]
    fn every_row_is_well_formed_and_every_table_dated() {
        for cloud in CLOUDS {
            let table = catalogue(cloud);
            assert!(table.source.starts_with("https://learn.microsoft.com/"));
            assert!(table.dated.parse::<jiff::civil::Date>().is_ok());
            let base = table.base.iter().map(|g| g.endpoints);
            for rows in base.chain(table.features.iter().map(|(_, rows)| *rows)) {
                assert!(!rows.is_empty());
                let distinct: BTreeSet<_> = rows.iter().map(|e| (e.domain_name, e.port)).collect();
                assert_eq!(distinct.len(), rows.len(), "{cloud:?}: a row twice");
                for row in rows {
                    let name = row.domain_name.replace("{location}", "westeurope");
                    let host = name.strip_prefix("*.").unwrap_or(&name);
                    assert!(
                        host.split('.').count() >= 2
                            && host.split('.').all(|label| !label.is_empty()
                                && label.bytes().all(|b| b.is_ascii_lowercase()
                                    || b.is_ascii_digit()
                                    || b == b'-')),
                        "{cloud:?}: {name}"
                    );
                    match row.protocol {
                        Protocol::Https => assert_eq!(row.port, 443, "{name}"),
                        Protocol::Http => assert_eq!(row.port, 80, "{name}"),
                        Protocol::Tcp | Protocol::Udp => {}
                    }
                }
            }
            let features: BTreeSet<_> = table.features.iter().map(|(f, _)| *f).collect();
            assert_eq!(features.len(), table.features.len());
        }
    }

    #[test]
    fn r1_2_required_names_of_each_cloud() {
        assert_eq!(
            base_names(Cloud::Public, Need::Required),
            [
                "*.hcp.{location}.azmk8s.io",
                "mcr.microsoft.com",
                "*.data.mcr.microsoft.com",
                "mcr-0001.mcr-msedge.net",
                "management.azure.com",
                "login.microsoftonline.com",
                "packages.microsoft.com",
                "packages.aks.azure.com",
            ]
        );
        assert_eq!(
            base_names(Cloud::China, Need::Required),
            [
                "*.hcp.{location}.cx.prod.service.azk8s.cn",
                "*.tun.{location}.cx.prod.service.azk8s.cn",
                "mcr.microsoft.com",
                "*.data.mcr.microsoft.com",
                "mcr.azure.cn",
                "*.data.mcr.azure.cn",
                "management.chinacloudapi.cn",
                "login.chinacloudapi.cn",
                "packages.microsoft.com",
                "*.azk8s.cn",
            ]
        );
        assert_eq!(
            base_names(Cloud::UsGov, Need::Required),
            [
                "*.hcp.{location}.cx.aks.containerservice.azure.us",
                "mcr.microsoft.com",
                "*.data.mcr.microsoft.com",
                "management.usgovcloudapi.net",
                "login.microsoftonline.us",
                "packages.microsoft.com",
                "packages.aks.azure.com",
            ]
        );
    }

    #[test]
    fn r1_2_features_by_cloud() {
        assert_eq!(
            feature_names(Cloud::Public, Feature::AzurePolicy),
            [
                "data.policy.core.windows.net",
                "store.policy.core.windows.net",
                "dc.services.visualstudio.com"
            ]
        );
        assert_eq!(
            feature_names(Cloud::China, Feature::AzurePolicy),
            ["data.policy.azure.cn", "store.policy.azure.cn"]
        );
        assert_eq!(
            feature_names(Cloud::UsGov, Feature::AzurePolicy),
            ["data.policy.azure.us", "store.policy.azure.us"]
        );
        assert_eq!(
            feature_names(Cloud::Public, Feature::AzureMonitor).len(),
            10
        );
        for cloud in [Cloud::China, Cloud::UsGov] {
            let names = feature_names(cloud, Feature::AzureMonitor);
            assert!(names.contains(&"dc.services.visualstudio.com"));
            assert!(names.contains(&"*.in.applicationinsights.azure.com"));
            assert!(!names.iter().any(|n| n.contains("monitoring.azure")));
            assert!(!names.iter().any(|n| n.starts_with("login.")));
        }
        assert_eq!(
            feature_names(Cloud::Public, Feature::KeyVaultSecretsProvider),
            ["*.vault.azure.net"]
        );
        assert_eq!(feature_names(Cloud::Public, Feature::Extensions).len(), 12);
    }

    #[test]
    fn r1_10_the_retired_mirror_is_optional_and_its_successor_required() {
        for cloud in [Cloud::Public, Cloud::UsGov] {
            assert!(base_names(cloud, Need::Optional).contains(&LEGACY_MIRROR));
            assert!(base_names(cloud, Need::Required).contains(&CURRENT_MIRROR));
        }
    }
}
