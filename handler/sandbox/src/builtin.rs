//! The scenarios that come with the sandbox.

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),*]
    };
}

/// Name and text of every file in `scenarios/`.
pub(crate) const SCENARIOS: &[(&str, &str)] = scenarios![
    "advisor-recommendation",
    "authorized-ranges-exclude-egress",
    "basic-load-balancer",
    "bypass-test-on-private-subnet",
    "cluster-stopped",
    "connections-failing",
    "default-route-blackhole",
    "failed-provisioning",
    "firewall-deallocated",
    "firewall-denies-mcr",
    "firewall-few-addresses",
    "firewall-inspects-tls",
    "firewall-never-snats",
    "firewall-retired-mirror",
    "firewall-snat-exhausted",
    "firewall-source-gap",
    "firewall-without-api-server-rule",
    "firewall-without-dns-proxy",
    "forced-tunnel",
    "foreign-outbound-rule",
    "healthy-automatic",
    "healthy-dual-stack",
    "healthy-kubenet",
    "healthy-lb-overlay",
    "healthy-managed-nat",
    "healthy-pod-subnet",
    "healthy-private-cluster",
    "healthy-udr-firewall",
    "healthy-udr-own-vnet",
    "healthy-user-nat",
    "internal-lb-down",
    "internal-lb-without-ha-ports",
    "isolated-none",
    "isolated-without-cache",
    "isolation-hole",
    "kubenet-route-table-detached",
    "kubenet-route-table-shared",
    "load-balancer-bypassed",
    "managed-nat-in-own-vnet",
    "mixed-egress",
    "nat-gateway-bypassed",
    "nat-gateway-failed",
    "nat-gateway-undersized",
    "nat-gateway-without-address",
    "nat-missing-on-one-subnet",
    "nat-missing-on-pod-subnet",
    "nat-overrides-load-balancer",
    "nat-zone-mismatch",
    "next-hop-without-owner",
    "no-rights-on-node-rg",
    "no-traffic-seen",
    "node-cpu-peak",
    "node-not-ready",
    "node-public-ips",
    "nsg-allow-list-incomplete",
    "nsg-denies-custom-dns",
    "nsg-denies-internet",
    "nsg-denies-os-updates",
    "nsg-denies-platform-dns",
    "nva-forwarding-off",
    "nva-not-running",
    "os-disk-throttled",
    "outbound-ip-deleted",
    "outbound-rule-drift",
    "outbound-rule-missing",
    "route-changed-to-nowhere",
    "snat-exhausted-one-node",
    "snat-failures-after-scale-out",
    "snat-nearly-exhausted",
    "snat-port-cliff",
    "snat-scale-out-rejected",
    "static-egress-gateway",
    "throttled",
    "udr-asymmetric-ingress",
    "udr-default-to-internet",
    "udr-gateway-routes-suppressed",
    "udr-internet-route-on-private-subnet",
    "udr-next-hop-in-node-subnet",
    "udr-next-hop-unreachable",
    "udr-pools-route-differently",
    "udr-split-default-route",
    "udr-without-default-route",
    "udr-without-route-table",
    "unknown-outbound-type",
    "vm-disk-cap",
    "wrong-next-hop-ip",
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn no_scenario_file_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let table: BTreeSet<String> = SCENARIOS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        assert_eq!(table, files);
    }
}
