//! Azure public cloud.

use super::super::LEGACY_MIRROR;
use super::super::catalogue::{Catalogue, Group};
use super::super::feature::Feature;
use super::{DATED, SOURCE, api_server, http, https, monitor, optional};

pub(crate) const PUBLIC: Catalogue = Catalogue {
    source: SOURCE,
    dated: DATED,
    base: &[
        Group {
            category: "apiserver",
            endpoints: &[api_server("*.hcp.{location}.azmk8s.io")],
        },
        Group {
            category: "images",
            endpoints: &[
                https("mcr.microsoft.com"),
                https("*.data.mcr.microsoft.com"),
                https("mcr-0001.mcr-msedge.net"),
            ],
        },
        Group {
            category: "azure-resource-management",
            endpoints: &[
                https("management.azure.com"),
                https("login.microsoftonline.com"),
            ],
        },
        Group {
            category: "artifacts",
            endpoints: &[
                https("packages.microsoft.com"),
                https("packages.aks.azure.com"),
                optional(https(LEGACY_MIRROR)),
            ],
        },
        Group {
            category: "ubuntu-optional",
            endpoints: &[
                optional(http("security.ubuntu.com")),
                optional(http("azure.archive.ubuntu.com")),
                optional(http("changelogs.ubuntu.com")),
                optional(https("snapshot.ubuntu.com")),
            ],
        },
    ],
    features: &[
        (
            Feature::Gpu,
            &[
                https("nvidia.github.io"),
                https("us.download.nvidia.com"),
                https("download.docker.com"),
            ],
        ),
        (
            Feature::Windows,
            &[
                https("onegetcdn.azureedge.net"),
                https("go.microsoft.com"),
                http("*.mp.microsoft.com"),
                http("www.msftconnecttest.com"),
                http("ctldl.windowsupdate.com"),
            ],
        ),
        (
            Feature::WorkloadIdentity,
            &[https("login.microsoftonline.com")],
        ),
        (
            Feature::Defender,
            &[
                https("login.microsoftonline.com"),
                https("*.ods.opinsights.azure.com"),
                https("*.oms.opinsights.azure.com"),
                https("*.cloud.defender.microsoft.com"),
            ],
        ),
        // The page prints `vault.azure.net`; every vault's own host is one label below it.
        (
            Feature::KeyVaultSecretsProvider,
            &[https("*.vault.azure.net")],
        ),
        (
            Feature::AzureMonitor,
            &[
                monitor("*.ods.opinsights.azure.com"),
                monitor("*.oms.opinsights.azure.com"),
                monitor("dc.services.visualstudio.com"),
                monitor("*.in.applicationinsights.azure.com"),
                monitor("*.monitoring.azure.com"),
                https("login.microsoftonline.com"),
                monitor("global.handler.control.monitor.azure.com"),
                monitor("*.ingest.monitor.azure.com"),
                monitor("*.metrics.ingest.monitor.azure.com"),
                monitor("{location}.handler.control.monitor.azure.com"),
            ],
        ),
        (
            Feature::AzurePolicy,
            &[
                https("data.policy.core.windows.net"),
                https("store.policy.core.windows.net"),
                https("dc.services.visualstudio.com"),
            ],
        ),
        (
            Feature::CostAnalysis,
            &[
                https("management.azure.com"),
                https("login.microsoftonline.com"),
            ],
        ),
        (
            Feature::Extensions,
            &[
                https("{location}.dp.kubernetesconfiguration.azure.com"),
                https("mcr.microsoft.com"),
                https("*.data.mcr.microsoft.com"),
                https("arcmktplaceprod.azurecr.io"),
                https("arcmktplaceprod.centralindia.data.azurecr.io"),
                https("arcmktplaceprod.japaneast.data.azurecr.io"),
                https("arcmktplaceprod.westus2.data.azurecr.io"),
                https("arcmktplaceprod.westeurope.data.azurecr.io"),
                https("arcmktplaceprod.eastus.data.azurecr.io"),
                https("*.ingestion.msftcloudes.com"),
                https("*.microsoftmetrics.com"),
                https("marketplaceapi.microsoft.com"),
            ],
        ),
    ],
};
