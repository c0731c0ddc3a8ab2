//! Azure operated by 21Vianet. The page prints no rows for Key Vault and cluster extensions here.

use super::super::catalogue::{Catalogue, Group};
use super::super::feature::Feature;
use super::{DATED, SOURCE, api_server, http, https, monitor, optional, tunnel};

pub(crate) const CHINA: Catalogue = Catalogue {
    source: SOURCE,
    dated: DATED,
    base: &[
        Group {
            category: "apiserver",
            endpoints: &[
                api_server("*.hcp.{location}.cx.prod.service.azk8s.cn"),
                tunnel("*.tun.{location}.cx.prod.service.azk8s.cn"),
            ],
        },
        Group {
            category: "images",
            endpoints: &[
                https("mcr.microsoft.com"),
                https("*.data.mcr.microsoft.com"),
                https("mcr.azure.cn"),
                https("*.data.mcr.azure.cn"),
            ],
        },
        Group {
            category: "azure-resource-management",
            endpoints: &[
                https("management.chinacloudapi.cn"),
                https("login.chinacloudapi.cn"),
            ],
        },
        Group {
            category: "artifacts",
            endpoints: &[https("packages.microsoft.com"), https("*.azk8s.cn")],
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
            &[https("login.chinacloudapi.cn")],
        ),
        (
            Feature::Defender,
            &[
                https("login.microsoftonline.cn"),
                https("*.ods.opinsights.azure.cn"),
                https("*.oms.opinsights.azure.cn"),
                https("*.cloud.defender.microsoft.com"),
            ],
        ),
        (
            Feature::AzureMonitor,
            &[
                monitor("*.ods.opinsights.azure.cn"),
                monitor("*.oms.opinsights.azure.cn"),
                monitor("dc.services.visualstudio.com"),
                monitor("*.in.applicationinsights.azure.com"),
                monitor("global.handler.control.monitor.azure.cn"),
                monitor("*.ingest.monitor.azure.cn"),
                monitor("*.metrics.ingest.monitor.azure.cn"),
                monitor("{location}.handler.control.monitor.azure.cn"),
            ],
        ),
        (
            Feature::AzurePolicy,
            &[
                https("data.policy.azure.cn"),
                https("store.policy.azure.cn"),
            ],
        ),
        (
            Feature::CostAnalysis,
            &[
                https("management.chinacloudapi.cn"),
                https("login.chinacloudapi.cn"),
            ],
        ),
    ],
};
