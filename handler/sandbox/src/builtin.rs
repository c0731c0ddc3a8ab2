//! The scenarios that come with the sandbox.

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),*]
    };
}

/// Name and text of every file in `scenarios/`.
pub(crate) const SCENARIOS: &[(&str, &str)] = scenarios![
    "basic-load-balancer",
    "cluster-stopped",
    "connections-failing",
    "failed-provisioning",
    "firewall-deallocated",
    "firewall-denies-mcr",
    "healthy-kubenet",
    "healthy-lb-overlay",
    "healthy-managed-nat",
    "healthy-udr-firewall",
    "healthy-user-nat",
    "isolated-none",
    "managed-nat-in-own-vnet",
    "nat-gateway-failed",
    "nat-gateway-without-address",
    "nat-missing-on-one-subnet",
    "nat-missing-on-pod-subnet",
    "nat-zone-mismatch",
    "no-rights-on-node-rg",
    "no-traffic-seen",
    "nva-forwarding-off",
    "outbound-ip-deleted",
    "outbound-rule-missing",
    "snat-exhausted-one-node",
    "snat-nearly-exhausted",
    "throttled",
    "unknown-outbound-type",
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
