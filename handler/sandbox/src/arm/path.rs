//! What an ARM path addresses. Everything is compared without case.

/// Types the sandbox knows, with Azure's casing.
const TYPES: &[&str] = &[
    RECOMMENDATIONS,
    SKUS,
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/virtualMachines/instanceView",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces",
    "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.ContainerService/managedClusters/agentPools",
    "Microsoft.ContainerService/managedClusters/outboundNetworkDependenciesEndpoints",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/azureFirewalls",
    "Microsoft.Network/firewallPolicies",
    "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
    "Microsoft.Network/ipGroups",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/loadBalancers/backendAddressPools",
    "Microsoft.Network/loadBalancers/frontendIPConfigurations",
    "Microsoft.Network/loadBalancers/outboundRules",
    SERVICE_TAGS,
    "Microsoft.Network/natGateways",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/networkSecurityGroups/securityRules",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/publicIPPrefixes",
    "Microsoft.Network/routeTables",
    "Microsoft.Network/routeTables/routes",
    "Microsoft.Network/virtualHubs",
    "Microsoft.Network/virtualHubs/hubVirtualNetworkConnections",
    "Microsoft.Network/virtualHubs/routingIntent",
    "Microsoft.Network/virtualNetworks",
    ADMIN_RULES,
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
];

/// The security admin rules that apply to a virtual network: an action.
pub(super) const ADMIN_RULES: &str =
    "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules";
/// Azure Advisor's recommendations, of a subscription.
pub(super) const RECOMMENDATIONS: &str = "Microsoft.Advisor/recommendations";
/// What VM sizes can do, of a subscription.
pub(super) const SKUS: &str = "Microsoft.Compute/skus";
/// The list of a cloud's service tags, asked of any region.
pub(super) const SERVICE_TAGS: &str = "Microsoft.Network/locations/serviceTags";

/// The type with Azure's casing, if the sandbox knows it.
pub(super) fn known_type(kind: &str) -> Option<&'static str> {
    TYPES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
        .copied()
}

/// What another provider has below a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extension {
    Metrics,
    Definitions,
    /// Resource Health, now.
    Health,
}

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tenants,
    Subscriptions,
    /// A query over all subscriptions.
    Graph,
    Subscription(String),
    Groups,
    Group(String),
    /// Every resource of the subscription or of a group.
    Resources {
        group: Option<String>,
    },
    /// The activity log, and the resource group that the query asks for: it is not in the path.
    ActivityLog(Option<String>),
    /// The metrics data plane, and the resource group of the resources that the body names.
    MetricsBatch(Option<String>),
    /// A type or one resource, with its metrics or without.
    Typed(Typed),
    Unknown,
}

/// Something below `/providers/{namespace}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) group: Option<String>,
    pub(super) provider: String,
    /// Full type in the caller's case.
    pub(super) kind: String,
    /// The names, one per part of the type but, for a list, the last.
    pub(super) names: Vec<String>,
    /// The path without the extension.
    pub(super) path: String,
    pub(super) extension: Option<Extension>,
}

impl Typed {
    /// Whether it is asked for with a POST.
    pub(super) fn is_action(&self) -> bool {
        self.kind.eq_ignore_ascii_case(ADMIN_RULES)
    }

    pub(super) fn is_list(&self) -> bool {
        self.kind.split('/').count() > self.names.len() + 1
    }

    /// The owner of a child resource or list.
    pub(super) fn parent(&self) -> Option<&str> {
        if self.names.len() + usize::from(self.is_list()) < 2 {
            return None;
        }
        let up = |path: &'_ str| path.rfind('/').and_then(|at| path.get(..at)).map(str::len);
        let collection = if self.is_list() {
            self.path.len()
        } else {
            up(&self.path)?
        };
        let end = up(self.path.get(..collection)?)?;
        self.path.get(..end)
    }
}

/// Takes a decoded path apart.
pub(super) fn target(path: &str) -> Target {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let lower: Vec<String> = segments
        .iter()
        .map(|segment| segment.to_ascii_lowercase())
        .collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let name = |index: usize| segments.get(index).copied().unwrap_or_default().to_owned();
    match lower.as_slice() {
        ["tenants"] => Target::Tenants,
        ["subscriptions"] => Target::Subscriptions,
        ["providers", "microsoft.resourcegraph", "resources"] => Target::Graph,
        ["subscriptions", _] => Target::Subscription(name(1)),
        ["subscriptions", _, "resourcegroups"] => Target::Groups,
        ["subscriptions", _, "resources"] => Target::Resources { group: None },
        ["subscriptions", _, "resourcegroups", _] => Target::Group(name(3)),
        ["subscriptions", _, "resourcegroups", _, "resources"] => Target::Resources {
            group: Some(name(3)),
        },
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            rest @ ..,
        ] => typed(&segments, 5, Some(name(3)), rest),
        [
            "subscriptions",
            _,
            "providers",
            "microsoft.insights",
            "eventtypes",
            "management",
            "values",
        ] => Target::ActivityLog(None),
        ["subscriptions", _, "metrics:getbatch"] => Target::MetricsBatch(None),
        ["subscriptions", _, "providers", rest @ ..] => typed(&segments, 3, None, rest),
        _ => Target::Unknown,
    }
}

fn typed(segments: &[&str], start: usize, group: Option<String>, lower: &[&str]) -> Target {
    let (length, extension) = match lower {
        [own @ .., "providers", "microsoft.insights", "metrics"] => {
            (own.len(), Some(Extension::Metrics))
        }
        [
            own @ ..,
            "providers",
            "microsoft.insights",
            "metricdefinitions",
        ] => (own.len(), Some(Extension::Definitions)),
        [
            own @ ..,
            "providers",
            "microsoft.resourcehealth",
            "availabilitystatuses",
            "current",
        ] => (own.len(), Some(Extension::Health)),
        own => (own.len(), None),
    };
    let own: Vec<&str> = segments.iter().skip(start).take(length).copied().collect();
    let Some((provider, rest)) = own.split_first() else {
        return Target::Unknown;
    };
    let types: Vec<&str> = rest.iter().step_by(2).copied().collect();
    if types.is_empty() {
        return Target::Unknown;
    }
    Target::Typed(Typed {
        group,
        provider: (*provider).to_owned(),
        kind: format!("{provider}/{}", types.join("/")),
        names: rest
            .iter()
            .skip(1)
            .step_by(2)
            .map(|name| (*name).to_owned())
            .collect(),
        path: format!(
            "/{}",
            segments
                .iter()
                .take(start + length)
                .copied()
                .collect::<Vec<_>>()
                .join("/")
        ),
        extension,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Typed {
        match target(path) {
            Target::Typed(typed) => typed,
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn a_child_resource_has_its_parent() {
        let subnet = read(
            "/subscriptions/s/RESOURCEGROUPS/g/providers/Microsoft.Network/virtualNetworks/v/subnets/a",
        );
        assert_eq!(subnet.kind, "Microsoft.Network/virtualNetworks/subnets");
        assert!(!subnet.is_list());
        assert_eq!(
            subnet.parent(),
            Some("/subscriptions/s/RESOURCEGROUPS/g/providers/Microsoft.Network/virtualNetworks/v")
        );
        let list = read(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets",
        );
        assert!(list.is_list());
        assert!(list.parent().unwrap().ends_with("/virtualNetworks/v"));
    }

    #[test]
    fn a_top_level_resource_has_none() {
        let network =
            read("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v");
        assert_eq!((network.parent(), network.is_list()), (None, false));
        let list = read("/subscriptions/s/providers/Microsoft.Network/virtualNetworks");
        assert_eq!((list.parent(), list.is_list()), (None, true));
    }

    #[test]
    fn metrics_belong_to_the_resource_before_them() {
        let metrics = read(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/natGateways/n/providers/MICROSOFT.insights/metrics",
        );
        assert_eq!(metrics.extension, Some(Extension::Metrics));
        assert!(metrics.path.ends_with("/natGateways/n"));
    }
}
