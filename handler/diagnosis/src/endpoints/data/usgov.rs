//! Azure Government.

use super::super::LEGACY_MIRROR;
use super::super::catalogue::{Catalogue, Group};
use super::super::feature::Feature;
use super::{DATED, SOURCE, api_server, http, https, monitor, optional};

pub(crate) const USGOV: Catalogue = Catalogue {
    source: SOURCE,
    dated: DATED,
    base: &[
        Group {
            category: "apiserver",
            endpoints: &[api_server(
                "*.hcp.{location}.cx.aks.containerservice.azure.us",
            )],
        },
        Group {
            category: "images",
            endpoints: &[
                https("mcr.microsoft.com"),
                https("*.data.mcr.microsoft.com"),
            ],
        },
        Group {
            category: "azure-resource-management",
            endpoints: &[
                https("management.usgovcloudapi.net"),
                https("login.microsoftonline.us"),
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
            &[https("login.microsoftonline.us")],
        ),
        (
            Feature::Defender,
            &[
                https("login.microsoftonline.us"),
                https("*.ods.opinsights.azure.us"),
                https("*.oms.opinsights.azure.us"),
                https("*.cloud.defender.microsoft.com"),
            ],
        ),
        (
            Feature::KeyVaultSecretsProvider,
            &[https("*.vault.usgovcloudapi.net")],
        ),
        (
            Feature::AzureMonitor,
            &[
                monitor("*.ods.opinsights.azure.us"),
                monitor("*.oms.opinsights.azure.us"),
                monitor("dc.services.visualstudio.com"),
                monitor("*.in.applicationinsights.azure.com"),
                monitor("global.handler.control.monitor.azure.us"),
                monitor("*.ingest.monitor.azure.us"),
                monitor("*.metrics.ingest.monitor.azure.us"),
                monitor("{location}.handler.control.monitor.azure.us"),
            ],
        ),
        (
            Feature::AzurePolicy,
            &[
                https("data.policy.azure.us"),
                https("store.policy.azure.us"),
            ],
        ),
        (
            Feature::CostAnalysis,
            &[
                https("management.usgovcloudapi.net"),
                https("login.microsoftonline.us"),
            ],
        ),
        (
            Feature::Extensions,
            &[
                https("{location}.dp.kubernetesconfiguration.azure.us"),
                https("mcr.microsoft.com"),
                https("*.data.mcr.microsoft.com"),
            ],
        ),
    ],
};
