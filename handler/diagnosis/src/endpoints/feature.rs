//! Features with endpoints of their own, and whether they are on (R1.2).

use crate::facts::{AgentPool, Cluster, Features};

/// A feature with endpoints of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Pools on NVIDIA GPU sizes.
    Gpu,
    /// Windows pools.
    Windows,
    /// Workload identity.
    WorkloadIdentity,
    /// Microsoft Defender for Containers.
    Defender,
    /// Key Vault provider of the secrets store CSI driver.
    KeyVaultSecretsProvider,
    /// Container insights or managed Prometheus.
    AzureMonitor,
    /// Azure Policy.
    AzurePolicy,
    /// Cost analysis.
    CostAnalysis,
    /// Cluster extensions.
    Extensions,
}

impl Feature {
    /// All, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Gpu,
        Self::Windows,
        Self::WorkloadIdentity,
        Self::Defender,
        Self::KeyVaultSecretsProvider,
        Self::AzureMonitor,
        Self::AzurePolicy,
        Self::CostAnalysis,
        Self::Extensions,
    ];

    /// The category under which its endpoints are listed; for GPU and Windows pools ARM's own.
    pub fn category(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Windows => "windows",
            Self::WorkloadIdentity => "workload-identity",
            Self::Defender => "defender",
            Self::KeyVaultSecretsProvider => "key-vault-secrets-provider",
            Self::AzureMonitor => "azure-monitor",
            Self::AzurePolicy => "azure-policy",
            Self::CostAnalysis => "cost-analysis",
            Self::Extensions => "cluster-extensions",
        }
    }

    /// Whether the feature is on; `None` when it cannot be told.
    pub fn is_on(
        self,
        cluster: &Cluster,
        pools: Option<&[AgentPool]>,
        extra: &Features,
    ) -> Option<bool> {
        let addon = |names: &[&str]| {
            Some(
                cluster
                    .enabled_addons
                    .iter()
                    .any(|on| names.iter().any(|name| on.eq_ignore_ascii_case(name))),
            )
        };
        match self {
            Self::Gpu => any_pool(pools, |p| p.vm_size.as_deref().map(is_nvidia_size)),
            Self::Windows => any_pool(pools, |p| {
                p.os_type
                    .as_deref()
                    .map(|os| os.eq_ignore_ascii_case("Windows"))
            }),
            Self::WorkloadIdentity => addon(&["securityProfile.workloadIdentity"]),
            Self::Defender => addon(&["securityProfile.defender.securityMonitoring"]),
            Self::KeyVaultSecretsProvider => addon(&["azureKeyvaultSecretsProvider"]),
            Self::AzureMonitor => addon(&[
                "omsagent",
                "azureMonitorProfile.metrics",
                "azureMonitorProfile.containerInsights",
            ]),
            Self::AzurePolicy => addon(&["azurepolicy"]),
            Self::CostAnalysis => addon(&["metricsProfile.costAnalysis"]),
            Self::Extensions => extra.extensions,
        }
    }
}

/// Whether some pool is one: yes on the first that is, unknown when none is and one cannot be told.
fn any_pool(
    pools: Option<&[AgentPool]>,
    is_one: impl Fn(&AgentPool) -> Option<bool>,
) -> Option<bool> {
    let mut all_known = true;
    for pool in pools? {
        match is_one(pool) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(false)
}

/// NC, ND and NV sizes carry NVIDIA GPUs; NG (AMD) and NP (FPGA) need other drivers.
fn is_nvidia_size(vm_size: &str) -> bool {
    let size = vm_size.to_ascii_lowercase();
    let series = size.strip_prefix("standard_").unwrap_or(&size);
    ["nc", "nd", "nv"]
        .iter()
        .any(|family| series.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cluster, pool};
    use super::*;

    fn gpu(sizes: &[Option<&str>]) -> Option<bool> {
        let pools: Vec<_> = sizes
            .iter()
            .map(|size| AgentPool {
                vm_size: size.map(str::to_owned),
                ..pool("p")
            })
            .collect();
        Feature::Gpu.is_on(&cluster(), Some(&pools), &Features::default())
    }

    #[test]
    fn r1_2_gpu_pools_by_size() {
        assert_eq!(gpu(&[Some("Standard_NC24ads_A100_v4")]), Some(true));
        assert_eq!(gpu(&[Some("standard_nd96asr_v4")]), Some(true));
        assert_eq!(gpu(&[Some("Standard_NV36ads_A10_v5")]), Some(true));
        assert_eq!(gpu(&[Some("Standard_NP10s")]), Some(false));
        assert_eq!(gpu(&[Some("Standard_D4s_v5")]), Some(false));
        assert_eq!(gpu(&[]), Some(false));
    }

    #[test]
    fn a_pool_without_a_size_leaves_it_open_unless_another_decides() {
        assert_eq!(gpu(&[Some("Standard_D4s_v5"), None]), None);
        assert_eq!(gpu(&[None, Some("Standard_NC6s_v3")]), Some(true));
        assert_eq!(
            Feature::Gpu.is_on(&cluster(), None, &Features::default()),
            None
        );
    }

    #[test]
    fn r1_2_windows_pools_in_any_case() {
        let windows = |os: Option<&str>| {
            let pools = [AgentPool {
                os_type: os.map(str::to_owned),
                ..pool("p")
            }];
            Feature::Windows.is_on(&cluster(), Some(&pools), &Features::default())
        };
        assert_eq!(windows(Some("windows")), Some(true));
        assert_eq!(windows(Some("Linux")), Some(false));
        assert_eq!(windows(None), None);
    }

    #[test]
    fn r1_2_addons_as_arm_spells_them_in_any_case() {
        let on = |name: &str| {
            let cluster = Cluster {
                enabled_addons: vec![name.to_owned()],
                ..cluster()
            };
            Feature::ALL
                .into_iter()
                .filter(|f| f.is_on(&cluster, Some(&[]), &Features::default()) == Some(true))
                .collect::<Vec<_>>()
        };
        assert_eq!(on("azurePolicy"), [Feature::AzurePolicy]);
        assert_eq!(on("azurepolicy"), [Feature::AzurePolicy]);
        assert_eq!(on("omsAgent"), [Feature::AzureMonitor]);
        assert_eq!(on("azureMonitorProfile.metrics"), [Feature::AzureMonitor]);
        assert_eq!(
            on("azureKeyvaultSecretsProvider"),
            [Feature::KeyVaultSecretsProvider]
        );
        assert_eq!(
            on("securityProfile.defender.securityMonitoring"),
            [Feature::Defender]
        );
        assert_eq!(
            on("securityProfile.workloadIdentity"),
            [Feature::WorkloadIdentity]
        );
        assert_eq!(on("metricsProfile.costAnalysis"), [Feature::CostAnalysis]);
        assert_eq!(on("httpApplicationRouting"), []);
    }
}
