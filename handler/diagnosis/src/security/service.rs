//! The services that every cluster needs, known to a security group by service tag only (R1.1, R4.16, R4.33).

use std::borrow::Cow;

/// A service that has names and no fixed addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Images: `mcr.microsoft.com`, `*.data.mcr.microsoft.com`.
    Registry,
    /// The front door that the registry and the package hosts stand behind (R4.16).
    FrontDoor,
    /// Binaries and packages: `packages.microsoft.com`, `packages.aks.azure.com`.
    Packages,
    /// Azure Resource Manager.
    ResourceManager,
    /// Sign-in.
    Identity,
    /// The API server's public address.
    ApiServer,
    /// Storage accounts; a dependency of other tags only (R4.16).
    Storage,
    /// A time server: a host outside Azure, which no service tag holds.
    Time,
    /// Operating system updates: hosts outside Azure, and a mirror inside it (R4.30 P6).
    Updates,
}

/// Whether a service tag holds a service's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// All of them.
    Yes,
    /// The documentation does not say.
    Maybe,
    /// None.
    No,
}

impl Service {
    /// What every cluster needs by a tag of its own. The registry's front door is a dependency, judged apart.
    pub(crate) const REQUIRED: [Self; 4] = [
        Self::Registry,
        Self::ResourceManager,
        Self::Identity,
        Self::ApiServer,
    ];

    /// In words.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Registry => "the container registry mcr.microsoft.com",
            Self::FrontDoor => "the front door of the registry and the package hosts",
            Self::Packages => "the package hosts packages.aks.azure.com and packages.microsoft.com",
            Self::ResourceManager => "Azure Resource Manager",
            Self::Identity => "Microsoft Entra ID sign-in",
            Self::ApiServer => "the API server",
            Self::Storage => "Azure Storage",
            Self::Time => "the time server",
            Self::Updates => "the hosts of operating system updates",
        }
    }

    /// The tag that admits it.
    pub(crate) fn tag(self, location: Option<&str>) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Registry => "MicrosoftContainerRegistry",
            Self::FrontDoor | Self::Packages => "AzureFrontDoor.FirstParty",
            Self::ResourceManager => "AzureResourceManager",
            Self::Identity => "AzureActiveDirectory",
            Self::ApiServer => match location {
                Some(region) => return Cow::Owned(format!("AzureCloud.{region}")),
                None => "AzureCloud",
            },
            Self::Storage => "Storage",
            Self::Time | Self::Updates => "Internet",
        })
    }

    /// Whether a tag holds it (R4.15, R4.17, R4.33). Regional forms count for the cluster's own region only, and for a
    /// service that is not regional they leave it open.
    pub(crate) fn held_by(self, tag: &str, location: Option<&str>) -> Holds {
        let tag = tag.trim();
        if self == Self::Time {
            return Holds::No;
        }
        if self == Self::Updates {
            let cloud = tag.split('.').next().unwrap_or_default();
            return if cloud.eq_ignore_ascii_case("AzureCloud") {
                Holds::Maybe
            } else {
                Holds::No
            };
        }
        if tag.eq_ignore_ascii_case(&self.tag(location)) {
            // Which tag holds the package hosts is not documented.
            return if self == Self::Packages {
                Holds::Maybe
            } else {
                Holds::Yes
            };
        }
        if tag.eq_ignore_ascii_case("AzureCloud") {
            return if matches!(self, Self::FrontDoor | Self::Packages) {
                Holds::Maybe
            } else {
                Holds::Yes
            };
        }
        let Some((name, region)) = tag.split_once('.') else {
            return Holds::No;
        };
        let own_region = location.is_some_and(|l| l.eq_ignore_ascii_case(region));
        let of_cloud = name.eq_ignore_ascii_case("AzureCloud");
        match self {
            Self::ApiServer if location.is_none() && of_cloud => Holds::Maybe,
            Self::FrontDoor | Self::ApiServer => Holds::No,
            _ if of_cloud => Holds::Maybe,
            _ if name.eq_ignore_ascii_case(&self.tag(None)) && own_region => Holds::Maybe,
            _ => Holds::No,
        }
    }

    /// The services behind a host, as far as a service tag stands for them (R4.33).
    pub(crate) fn of_host(category: &str, host: &str) -> &'static [Self] {
        let is = |name: &str| category.eq_ignore_ascii_case(name);
        if is("apiserver") || is("tunnel-classic") {
            return &[Self::ApiServer];
        }
        match host {
            "mcr.microsoft.com" | "*.data.mcr.microsoft.com" => &[Self::Registry, Self::FrontDoor],
            "mcr-0001.mcr-msedge.net" => &[Self::FrontDoor],
            "packages.microsoft.com" | "packages.aks.azure.com" => &[Self::Packages],
            "management.azure.com"
            | "management.chinacloudapi.cn"
            | "management.usgovcloudapi.net" => &[Self::ResourceManager],
            "login.microsoftonline.com" | "login.chinacloudapi.cn" | "login.microsoftonline.us" => {
                &[Self::Identity]
            }
            _ => &[],
        }
    }

    /// The tag whose addresses are the service's. None is documented for the package hosts (R4.33), and `Internet` says
    /// nothing about an address.
    pub(crate) fn addresses_tag(self, location: Option<&str>) -> Option<String> {
        match self {
            Self::Packages | Self::Time | Self::Updates => None,
            _ => Some(self.tag(location).into_owned()),
        }
    }

    /// What a tag that is allowed needs beside itself (R4.16).
    pub(crate) fn dependencies(tag: &str) -> &'static [Self] {
        let name = tag.split_once('.').map_or(tag, |(name, _)| name);
        let table: [(&str, &'static [Self]); 4] = [
            ("MicrosoftContainerRegistry", &[Self::FrontDoor]),
            ("AzureKeyVault", &[Self::Identity]),
            ("AzureMonitor", &[Self::Storage]),
            ("AzureBackup", &[Self::Storage, Self::Identity]),
        ];
        table
            .into_iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map_or(&[], |(_, needs)| needs)
    }
}

/// The tags that stand for what every cluster in a region needs: worth reading beside those that rules name.
pub fn tags_of_services(location: Option<&str>) -> impl Iterator<Item = String> {
    let services = Service::REQUIRED.into_iter();
    let services = services.chain([Service::FrontDoor, Service::Storage]);
    services.map(move |service| service.tag(location).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_33_tags_that_admit_a_service() {
        let here = Some("westeurope");
        for (service, tag, holds) in [
            (Service::Registry, "microsoftcontainerregistry", Holds::Yes),
            (Service::Registry, "AzureFrontDoor.FirstParty", Holds::No),
            (Service::FrontDoor, "AzureFrontDoor.FirstParty", Holds::Yes),
            (Service::ApiServer, "AzureCloud.westeurope", Holds::Yes),
            (Service::ApiServer, "AzureCloud.WestEurope", Holds::Yes),
            (Service::ApiServer, "AzureCloud.northeurope", Holds::No),
            (Service::ApiServer, "AzureCloud", Holds::Yes),
            (Service::Identity, "AzureActiveDirectory", Holds::Yes),
            (Service::Identity, "AzureResourceManager", Holds::No),
            (Service::ResourceManager, "Storage", Holds::No),
        ] {
            assert_eq!(service.held_by(tag, here), holds, "{service:?} {tag}");
        }
    }

    #[test]
    fn r4_15_front_door_in_azure_cloud_is_not_documented() {
        let here = Some("westeurope");
        assert_eq!(Service::FrontDoor.held_by("AzureCloud", here), Holds::Maybe);
        assert_eq!(
            Service::FrontDoor.held_by("AzureCloud.westeurope", here),
            Holds::No
        );
    }

    #[test]
    fn r4_17_a_region_leaves_services_without_a_region_open() {
        let here = Some("westeurope");
        assert_eq!(
            Service::Identity.held_by("AzureCloud.westeurope", here),
            Holds::Maybe
        );
        assert_eq!(
            Service::Registry.held_by("MicrosoftContainerRegistry.westeurope", here),
            Holds::Maybe
        );
        assert_eq!(
            Service::Registry.held_by("MicrosoftContainerRegistry.eastus", here),
            Holds::No
        );
        assert_eq!(
            Service::ApiServer.held_by("AzureCloud.westeurope", None),
            Holds::Maybe
        );
    }

    #[test]
    fn r4_16_dependencies() {
        assert_eq!(
            Service::dependencies("MicrosoftContainerRegistry"),
            [Service::FrontDoor]
        );
        assert_eq!(
            Service::dependencies("azurekeyvault.westeurope"),
            [Service::Identity]
        );
        assert_eq!(Service::dependencies("AzureMonitor"), [Service::Storage]);
        assert_eq!(
            Service::dependencies("AzureBackup"),
            [Service::Storage, Service::Identity]
        );
        assert!(Service::dependencies("Sql").is_empty());
    }
}
