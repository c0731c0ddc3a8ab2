//! The endpoints a cluster needs (R1.1–R1.12): ARM's own list first, completed by the documented tables.

mod bootstrap;
mod catalogue;
mod data;
mod deny_log;
mod feature;
mod network_rules;
#[cfg(test)]
mod testing;
mod view;

pub use bootstrap::{BootstrapExit, bootstrap_exit};
pub use catalogue::{Catalogue, Endpoint, Group, NetworkAlternative, Role, catalogue};
pub use deny_log::{DeniedName, Harmless, denied_name, harmless};
pub use feature::Feature;
pub use network_rules::{Destination, NetworkRule, Requirement, Transport, network_rules};
pub use view::View;

use crate::facts::{Cloud, Datum, EgressEndpoint};
use crate::report::{EndpointSource, Need};

/// The retired host of node binaries (R1.10).
pub const LEGACY_MIRROR: &str = "acs-mirror.azureedge.net";
/// Its successor, needed since 2025-03-31 (R1.10).
pub const CURRENT_MIRROR: &str = "packages.aks.azure.com";

/// Protocol of an endpoint, as ARM's list tells them apart (R1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTPS.
    Https,
    /// HTTP.
    Http,
    /// Plain TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Reads ARM's spelling in any case; `None` for a word this version does not know.
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Https, Self::Http, Self::Tcp, Self::Udp]
            .into_iter()
            .find(|p| p.as_str().eq_ignore_ascii_case(value.trim()))
    }

    /// ARM's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "Https",
            Self::Http => "Http",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// What carries it.
    pub fn transport(self) -> Transport {
        match self {
            Self::Udp => Transport::Udp,
            Self::Https | Self::Http | Self::Tcp => Transport::Tcp,
        }
    }
}

/// One endpoint that the cluster needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredEndpoint {
    /// ARM's category, or the feature's.
    pub category: String,
    /// Host name in lower case, possibly with a leading wildcard.
    pub domain_name: String,
    /// Destination port; `None` when ARM gave none and no table knows it.
    pub port: Option<u16>,
    /// Protocol; `None` when ARM gave none, or a word this version does not know.
    pub protocol: Option<Protocol>,
    /// Who needs it.
    pub need: Need,
    /// Who says so.
    pub source: EndpointSource,
    /// A network rule that serves instead of a rule for the name.
    pub alternative: Option<NetworkAlternative>,
    /// Why the need is not what the category suggests.
    pub note: Option<&'static str>,
}

/// What a cluster needs to reach, and which questions about it stay open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The endpoints, ARM's in ARM's order, then the documented ones; no (name, port, protocol) twice.
    pub endpoints: Vec<RequiredEndpoint>,
    /// What may be missing from the list, in words for the report.
    pub open: Vec<String>,
}

/// The endpoints this cluster needs (R1.9, R1.2).
pub fn required(view: &View<'_>) -> Requirements {
    let mut list = Requirements::default();
    match view.arm {
        Datum::Known(arm) => {
            for endpoint in arm {
                list.add_listed(endpoint, view);
            }
        }
        _ => list.open.push(
            "ARM's list of required endpoints could not be read: only the documented table is used"
                .to_owned(),
        ),
    }
    let Some(cloud) = view.cloud else {
        list.open.push(
            "the cluster's cloud is not known: the documented endpoints are left out".to_owned(),
        );
        return list;
    };
    let table = catalogue(cloud);
    for group in table.base {
        for endpoint in group.endpoints {
            list.add_documented(group.category, endpoint, endpoint.need, view);
        }
    }
    for feature in Feature::ALL {
        match (view.is_on(feature), table.of_feature(feature)) {
            (Some(false), _) => {}
            (None, _) => list.open.push(format!(
                "whether {} is on is not known: its endpoints are left out",
                feature.category()
            )),
            (Some(true), None) => list.open.push(format!(
                "{} is on and its endpoints are not documented for this cloud",
                feature.category()
            )),
            (Some(true), Some(endpoints)) => {
                for endpoint in endpoints {
                    list.add_documented(feature.category(), endpoint, Need::Feature, view);
                }
            }
        }
    }
    list
}

const MIRROR_NOTE: &str = "retired on 2025-05-31 in favour of packages.aks.azure.com";
const TIME_NOTE: &str = "nodes provisioned after March 2021 take the time from their host";
// The waiver is printed for the public cloud only (R1.3); elsewhere the name stays in the list without being required.
const PRIVATE_NOTE: &str = "the API server of a private cluster is reached inside the network";
const ISOLATED_NOTE: &str = "a network isolated cluster needs no outbound endpoint";
const POOLS_NOTE: &str = "whether the cluster has such pools is not known";

impl Requirements {
    fn add_listed(&mut self, listed: &EgressEndpoint, view: &View<'_>) {
        let domain_name = normalized(&listed.domain_name);
        if domain_name.is_empty() {
            self.open.push(format!(
                "an endpoint of ARM's category {:?} has no name",
                listed.category
            ));
            return;
        }
        let Some((need, note)) = need_of_listed(&listed.category, &domain_name, view) else {
            return;
        };
        let protocol = listed.protocol.as_deref().and_then(Protocol::parse);
        let category = listed.category.trim().to_owned();
        let alternative = match category.to_ascii_lowercase().as_str() {
            "apiserver" | "tunnel-classic" => Some(NetworkAlternative::ApiServerAddress),
            "time-sync" => Some(NetworkAlternative::Anywhere),
            _ => None,
        };
        self.merge(RequiredEndpoint {
            category,
            domain_name,
            port: listed.port,
            protocol,
            need,
            source: EndpointSource::Arm,
            alternative,
            note,
        });
    }

    fn add_documented(&mut self, category: &str, endpoint: &Endpoint, need: Need, view: &View<'_>) {
        let is_inside = endpoint.role != Role::Plain && view.private_cluster == Some(true);
        if is_inside && view.cloud == Some(Cloud::Public) {
            return;
        }
        let domain_name = match (endpoint.role, view.api_server_fqdn) {
            // The cluster's own name is what its nodes ask for; a wildcard is for those who do not know it yet.
            (Role::ApiServer, Some(fqdn)) => normalized(fqdn),
            (Role::ApiServer, None) if self.lists_category("apiserver") => return,
            _ => match (endpoint.domain_name.contains("{location}"), view.location) {
                (false, _) => endpoint.domain_name.to_owned(),
                (true, Some(location)) => endpoint
                    .domain_name
                    .replace("{location}", &location.trim().to_ascii_lowercase()),
                (true, None) => {
                    self.open.push(format!(
                        "{} depends on the cluster's region, which is not known",
                        endpoint.domain_name
                    ));
                    return;
                }
            },
        };
        let (need, note) = if view.isolated {
            (Need::Optional, Some(ISOLATED_NOTE))
        } else if is_inside {
            (Need::Optional, Some(PRIVATE_NOTE))
        } else if domain_name == LEGACY_MIRROR {
            (Need::Optional, Some(MIRROR_NOTE))
        } else {
            (need, None)
        };
        self.merge(RequiredEndpoint {
            category: category.to_owned(),
            domain_name,
            port: Some(endpoint.port),
            protocol: Some(endpoint.protocol),
            need,
            source: EndpointSource::Catalogue,
            alternative: endpoint.alternative,
            note,
        });
    }

    /// Whether ARM's list holds an endpoint of this category.
    fn lists_category(&self, category: &str) -> bool {
        self.endpoints
            .iter()
            .any(|e| e.source == EndpointSource::Arm && e.category.eq_ignore_ascii_case(category))
    }

    /// Adds an endpoint, or joins it with the entry for the same name, port and protocol. An entry whose port or
    /// protocol ARM left out takes them from the documented row; the stronger need stands.
    fn merge(&mut self, new: RequiredEndpoint) {
        fn fits<T: PartialEq + Copy>(old: Option<T>, new: Option<T>) -> bool {
            old.is_none() || new.is_none() || old == new
        }
        let same = self.endpoints.iter_mut().find(|old| {
            old.domain_name == new.domain_name
                && fits(old.port, new.port)
                && fits(old.protocol, new.protocol)
        });
        let Some(old) = same else {
            self.endpoints.push(new);
            return;
        };
        old.port = old.port.or(new.port);
        old.protocol = old.protocol.or(new.protocol);
        // With a stronger need the name is indispensable for another reason, and only that reason's network rule
        // could stand in for it.
        if rank(new.need) > rank(old.need) {
            old.need = new.need;
            old.note = new.note;
            old.alternative = new.alternative;
        } else if old.need == new.need {
            old.alternative = old.alternative.or(new.alternative);
        }
    }
}

/// The need of an entry of ARM's list by its category, with the reason where it is not the category's own; `None` when
/// it is for pools that this cluster does not have.
fn need_of_listed(
    category: &str,
    domain_name: &str,
    view: &View<'_>,
) -> Option<(Need, Option<&'static str>)> {
    let category = category.trim().to_ascii_lowercase();
    let pools = match category.as_str() {
        "gpu" => Some(Feature::Gpu),
        "windows" => Some(Feature::Windows),
        _ => None,
    };
    if let Some(feature) = pools {
        return match view.is_on(feature) {
            Some(true) => Some((Need::Feature, None)),
            Some(false) => None,
            None => Some((Need::Optional, Some(POOLS_NOTE))),
        };
    }
    if view.isolated {
        return Some((Need::Optional, Some(ISOLATED_NOTE)));
    }
    if category.ends_with("-optional") {
        return Some((Need::Optional, None));
    }
    if domain_name == LEGACY_MIRROR {
        return Some((Need::Optional, Some(MIRROR_NOTE)));
    }
    Some(match category.as_str() {
        "time-sync" if !network_rules::time_sync_is_required(view.cloud) => {
            (Need::Optional, Some(TIME_NOTE))
        }
        "apiserver" if view.private_cluster == Some(true) => (Need::Optional, Some(PRIVATE_NOTE)),
        "azure-resource-management"
        | "images"
        | "artifacts"
        | "time-sync"
        | "apiserver"
        | "tunnel-classic" => (Need::Required, None),
        // A category newer than this version: what the documentation gives to a feature alone stays the feature's.
        _ if view.is_feature_only(domain_name) => (Need::Feature, None),
        _ => (Need::Required, None),
    })
}

fn rank(need: Need) -> u8 {
    match need {
        Need::Required => 2,
        Need::Feature => 1,
        Need::Optional => 0,
    }
}

/// A host name as the list holds it: lower case, no spaces, no root dot.
fn normalized(name: &str) -> String {
    name.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
