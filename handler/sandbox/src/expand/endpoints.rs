//! ARM's list of the endpoints that a cluster needs.

use serde_json::{Value, json};

use super::plan::Plan;

/// The cloud of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    Public,
    China,
    UsGov,
}

impl Cloud {
    pub(super) fn of(region: &str) -> Self {
        if region.starts_with("china") {
            Self::China
        } else if region.starts_with("usgov") || region.starts_with("usdod") {
            Self::UsGov
        } else {
            Self::Public
        }
    }

    /// What follows the region in the API server's name.
    pub(super) fn api_server_suffix(self) -> &'static str {
        match self {
            Self::Public => "azmk8s.io",
            Self::China => "cx.prod.service.azk8s.cn",
            Self::UsGov => "cx.aks.containerservice.azure.us",
        }
    }

    fn management(self) -> [&'static str; 2] {
        match self {
            Self::Public => ["management.azure.com", "login.microsoftonline.com"],
            Self::China => ["management.chinacloudapi.cn", "login.chinacloudapi.cn"],
            Self::UsGov => ["management.usgovcloudapi.net", "login.microsoftonline.us"],
        }
    }

    fn images(self) -> &'static [&'static str] {
        match self {
            Self::Public | Self::UsGov => &["mcr.microsoft.com", "*.data.mcr.microsoft.com"],
            Self::China => &[
                "mcr.microsoft.com",
                "*.data.mcr.microsoft.com",
                "mcr.azure.cn",
                "*.data.mcr.azure.cn",
            ],
        }
    }

    fn artifacts(self) -> &'static [&'static str] {
        match self {
            Self::Public | Self::UsGov => &[
                "packages.microsoft.com",
                "acs-mirror.azureedge.net",
                "packages.aks.azure.com",
            ],
            Self::China => &["packages.microsoft.com", "*.azk8s.cn"],
        }
    }
}

fn endpoint(domain: &str, port: u16, protocol: &str) -> Value {
    json!({ "domainName": domain, "endpointDetails": [{ "port": port, "protocol": protocol }] })
}

fn category(name: &str, domains: &[&str], port: u16, protocol: &str) -> Value {
    let endpoints: Vec<Value> = domains
        .iter()
        .map(|domain| endpoint(domain, port, protocol))
        .collect();
    json!({ "category": name, "endpoints": endpoints })
}

/// `outboundNetworkDependenciesEndpoints`, with ARM's categories and spellings.
pub(super) fn list(plan: &Plan, api_server: &str) -> Value {
    let cloud = Cloud::of(&plan.scenario.cluster.region);
    let mut value = vec![
        category(
            "azure-resource-management",
            &cloud.management(),
            443,
            "Https",
        ),
        category("images", cloud.images(), 443, "Https"),
        category("artifacts", cloud.artifacts(), 443, "Https"),
        category("time-sync", &["ntp.ubuntu.com"], 123, "UDP"),
        category(
            "ubuntu-optional",
            &[
                "security.ubuntu.com",
                "azure.archive.ubuntu.com",
                "changelogs.ubuntu.com",
            ],
            80,
            "Http",
        ),
    ];
    let pools = || plan.scenario.pools.values();
    if pools().any(|pool| pool.vm_size.starts_with("Standard_N")) {
        let hosts = [
            "nvidia.github.io",
            "us.download.nvidia.com",
            "download.docker.com",
        ];
        value.push(category("gpu", &hosts, 443, "Https"));
    }
    if pools().any(|pool| pool.os == "Windows") {
        let mut windows = category(
            "windows",
            &["onegetcdn.azureedge.net", "go.microsoft.com"],
            443,
            "Https",
        );
        if let Some(endpoints) = windows["endpoints"].as_array_mut() {
            let hosts = [
                "*.mp.microsoft.com",
                "www.msftconnecttest.com",
                "ctldl.windowsupdate.com",
            ];
            endpoints.extend(hosts.map(|host| endpoint(host, 80, "Http")));
        }
        value.push(windows);
    }
    value.push(category("apiserver", &[api_server], 443, "Https"));
    if plan.scenario.cluster.classic_tunnel {
        let tunnel = [
            endpoint(api_server, 9000, "TCP"),
            endpoint(api_server, 1194, "UDP"),
        ];
        value.push(json!({ "category": "tunnel-classic", "endpoints": tunnel }));
    }
    json!({ "value": value })
}
