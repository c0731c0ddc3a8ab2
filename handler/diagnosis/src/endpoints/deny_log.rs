//! What a host name in a firewall's deny log means to the cluster (R1.7, R5.43).

use super::{RequiredEndpoint, normalized};
use crate::report::Need;

/// A denied name that does no harm (R1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harmless {
    /// `md-*.blob.storage.azure.net`: internals of managed disks; leave it out.
    ManagedDisk,
    /// `umsa*.blob.core.windows.net`: manifests of the VM agent and extensions; worth knowing at most.
    VmAgent,
}

/// Whether a denied host is one whose denial does no harm.
pub fn harmless(host: &str) -> Option<Harmless> {
    let host = normalized(host);
    let first_label_of = |suffix: &str| {
        host.strip_suffix(suffix)
            .filter(|label| !label.contains('.'))
    };
    if first_label_of(".blob.storage.azure.net").is_some_and(|l| l.starts_with("md-")) {
        Some(Harmless::ManagedDisk)
    } else if first_label_of(".blob.core.windows.net").is_some_and(|l| l.starts_with("umsa")) {
        Some(Harmless::VmAgent)
    } else {
        None
    }
}

/// What a denied name is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeniedName<'a> {
    /// An endpoint of the list; its need gives the weight.
    Endpoint(&'a RequiredEndpoint),
    /// A name that does no harm.
    Harmless(Harmless),
    /// Not the cluster's own: some application's destination.
    Application,
}

/// What a host in the deny log is to the cluster (R5.43): the list first, the strongest need first. `matches` tells
/// whether a pattern of the list covers the host (R5.11).
pub fn denied_name<'a>(
    host: &str,
    endpoints: &'a [RequiredEndpoint],
    matches: impl Fn(&str, &str) -> bool,
) -> DeniedName<'a> {
    let host = normalized(host);
    let of = |need: Need| {
        endpoints
            .iter()
            .find(|e| e.need == need && matches(&e.domain_name, &host))
    };
    let listed = of(Need::Required)
        .or_else(|| of(Need::Feature))
        .or_else(|| of(Need::Optional));
    match (listed, harmless(&host)) {
        (Some(endpoint), _) => DeniedName::Endpoint(endpoint),
        (None, Some(harmless)) => DeniedName::Harmless(harmless),
        (None, None) => DeniedName::Application,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::endpoint;
    use super::*;

    #[test]
    fn r1_7_harmless_names() {
        let disk = Some(Harmless::ManagedDisk);
        assert_eq!(harmless("md-abc123.blob.storage.azure.net"), disk);
        assert_eq!(harmless("MD-ABC.BLOB.storage.azure.net."), disk);
        assert_eq!(
            harmless("umsa4qt1.blob.core.windows.net"),
            Some(Harmless::VmAgent)
        );
        for other in [
            "",
            "blob.storage.azure.net",
            "md-abc.blob.core.windows.net",
            "data.blob.core.windows.net",
            "md-x.evil.example",
            "md-x.blob.storage.azure.net.evil.example",
            "evil.md-x.blob.storage.azure.net",
        ] {
            assert_eq!(harmless(other), None, "{other}");
        }
    }

    #[test]
    fn r5_43_the_strongest_need_wins_and_the_rest_is_an_application() {
        let list = [
            endpoint("o.example", Need::Optional),
            endpoint("f.example", Need::Feature),
            endpoint("r.example", Need::Required),
            endpoint("f.example", Need::Required),
        ];
        let class = |host: &str| match denied_name(host, &list, |pattern, host| pattern == host) {
            DeniedName::Endpoint(e) => Some(e.need),
            _ => None,
        };
        assert_eq!(class("R.example"), Some(Need::Required));
        assert_eq!(class("f.example"), Some(Need::Required));
        assert_eq!(class("o.example"), Some(Need::Optional));
        let class = |host: &str| denied_name(host, &list, |_, _| false);
        assert_eq!(
            class("md-a.blob.storage.azure.net"),
            DeniedName::Harmless(Harmless::ManagedDisk)
        );
        assert_eq!(class("shop.example"), DeniedName::Application);
    }
}
