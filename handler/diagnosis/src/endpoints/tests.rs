use super::testing::{facts, isolated, listed, pool, private};
use super::*;
use crate::facts::{AgentPool, Facts, Features};

const API: &str = "c-1234.hcp.westeurope.azmk8s.io";

fn public() -> Features {
    Features {
        cloud: Some(Cloud::Public),
        extensions: Some(false),
    }
}

fn of(facts: &Facts, extra: &Features) -> Requirements {
    required(&View::of(facts, extra))
}

fn find<'a>(list: &'a Requirements, name: &str) -> &'a RequiredEndpoint {
    let mut found = list.endpoints.iter().filter(|e| e.domain_name == name);
    let first = found.next().unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!(found.next(), None, "{name} twice");
    first
}

fn has(list: &Requirements, name: &str) -> bool {
    list.endpoints.iter().any(|e| e.domain_name == name)
}

/// A list as a public cluster gets it, with the given extra entries.
fn with_list(more: Vec<EgressEndpoint>) -> Facts {
    let mut facts = facts();
    facts.cluster.api_server.fqdn = Some(API.to_owned());
    let mut list = vec![
        listed("azure-resource-management", "management.azure.com"),
        listed("images", "mcr.microsoft.com"),
        listed("images", "*.data.mcr.microsoft.com"),
        listed("artifacts", LEGACY_MIRROR),
        listed("artifacts", CURRENT_MIRROR),
        listed("apiserver", API),
    ];
    list.extend(more);
    facts.egress_endpoints = Datum::Known(list);
    facts
}

#[test]
fn r1_9_arms_list_comes_first_in_its_order_and_is_completed() {
    let list = of(&with_list(vec![]), &public());
    let names: Vec<_> = list
        .endpoints
        .iter()
        .map(|e| e.domain_name.as_str())
        .collect();
    assert_eq!(
        names[..6],
        [
            "management.azure.com",
            "mcr.microsoft.com",
            "*.data.mcr.microsoft.com",
            LEGACY_MIRROR,
            CURRENT_MIRROR,
            API
        ]
    );
    let sources: Vec<_> = list.endpoints.iter().map(|e| e.source).collect();
    assert!(sources[..6].iter().all(|s| *s == EndpointSource::Arm));
    assert!(sources[6..].iter().all(|s| *s == EndpointSource::Catalogue));
    // Documented, and absent from ARM's list.
    assert_eq!(find(&list, "mcr-0001.mcr-msedge.net").need, Need::Required);
    assert_eq!(find(&list, "snapshot.ubuntu.com").need, Need::Optional);
    assert!(list.open.is_empty(), "{:?}", list.open);
}

#[test]
fn r1_9_without_arms_list_the_table_serves_and_says_so() {
    let list = of(&facts(), &public());
    assert!(
        list.endpoints
            .iter()
            .all(|e| e.source == EndpointSource::Catalogue)
    );
    assert!(has(&list, "*.hcp.westeurope.azmk8s.io"));
    assert!(has(&list, "mcr.microsoft.com"));
    assert_eq!(list.open.len(), 1);
    assert!(list.open[0].contains("ARM's list"));
}

#[test]
fn r1_2_the_clusters_own_api_server_replaces_the_wildcard() {
    let list = of(&with_list(vec![]), &public());
    assert_eq!(find(&list, API).need, Need::Required);
    assert_eq!(
        find(&list, API).alternative,
        Some(NetworkAlternative::ApiServerAddress)
    );
    assert!(!has(&list, "*.hcp.westeurope.azmk8s.io"));
    // ARM's list alone knows the name.
    let mut facts = with_list(vec![]);
    facts.cluster.api_server.fqdn = None;
    assert!(!has(&of(&facts, &public()), "*.hcp.westeurope.azmk8s.io"));
    // The cluster's body alone knows it, in another case.
    facts.egress_endpoints = Datum::not_asked("test");
    facts.cluster.api_server.fqdn = Some(API.to_uppercase());
    let list = of(&facts, &public());
    assert_eq!(find(&list, API).need, Need::Required);
}

#[test]
fn r1_2_private_clusters_do_not_need_the_api_servers_public_name() {
    let list = of(&private(with_list(vec![])), &public());
    assert_eq!(find(&list, API).need, Need::Optional);
    let list = of(&private(facts()), &public());
    assert!(!list.endpoints.iter().any(|e| e.category == "apiserver"));
    let gov = Features {
        cloud: Some(Cloud::UsGov),
        ..public()
    };
    let list = of(&private(facts()), &gov);
    let name = "*.hcp.westeurope.cx.aks.containerservice.azure.us";
    assert_eq!(find(&list, name).need, Need::Optional);
}

#[test]
fn r1_9_conditional_categories() {
    let udp = EgressEndpoint {
        port: Some(123),
        protocol: Some("udp".to_owned()),
        ..listed("time-sync", "ntp.ubuntu.com")
    };
    let facts = with_list(vec![
        listed("ubuntu-optional", "security.ubuntu.com"),
        listed("gpu", "nvidia.github.io"),
        listed("windows", "go.microsoft.com"),
        listed("tunnel-classic", "c.tun.westeurope.azmk8s.io"),
        udp,
    ]);
    let list = of(&facts, &public());
    assert!(!has(&list, "nvidia.github.io"));
    assert!(!has(&list, "go.microsoft.com"));
    let port = |name: &str, port: u16| {
        list.endpoints
            .iter()
            .find(|e| e.domain_name == name && e.port == Some(port))
            .unwrap()
    };
    assert_eq!(port("security.ubuntu.com", 443).need, Need::Optional);
    assert_eq!(
        find(&list, "c.tun.westeurope.azmk8s.io").need,
        Need::Required
    );
    // R1.3: NTP is waived in the public cloud, whatever ARM lists.
    let ntp = find(&list, "ntp.ubuntu.com");
    assert_eq!(ntp.need, Need::Optional);
    assert_eq!(ntp.protocol, Some(Protocol::Udp));
    assert_eq!(ntp.alternative, Some(NetworkAlternative::Anywhere));
    let gov = Features {
        cloud: Some(Cloud::UsGov),
        ..public()
    };
    assert_eq!(
        find(&of(&facts, &gov), "ntp.ubuntu.com").need,
        Need::Required
    );
}

#[test]
fn r1_9_gpu_and_windows_follow_the_pools() {
    let mut facts = with_list(vec![
        listed("GPU", "nvidia.github.io"),
        listed("windows", "go.microsoft.com"),
    ]);
    facts.agent_pools = Datum::Known(vec![
        AgentPool {
            vm_size: Some("Standard_NC6s_v3".to_owned()),
            ..pool("gpu")
        },
        AgentPool {
            os_type: Some("Windows".to_owned()),
            ..pool("win")
        },
    ]);
    let list = of(&facts, &public());
    assert_eq!(find(&list, "nvidia.github.io").need, Need::Feature);
    assert_eq!(find(&list, "nvidia.github.io").source, EndpointSource::Arm);
    assert_eq!(find(&list, "go.microsoft.com").need, Need::Feature);
    // Completed from the table.
    assert_eq!(find(&list, "us.download.nvidia.com").need, Need::Feature);
    assert_eq!(find(&list, "ctldl.windowsupdate.com").port, Some(80));

    facts.agent_pools = Datum::not_asked("test");
    let list = of(&facts, &public());
    assert_eq!(find(&list, "nvidia.github.io").need, Need::Optional);
    assert!(!has(&list, "us.download.nvidia.com"));
    assert!(list.open.iter().any(|o| o.contains("gpu")));
    assert!(list.open.iter().any(|o| o.contains("windows")));
}

#[test]
fn r1_10_the_retired_mirror_is_never_required() {
    for facts in [facts(), with_list(vec![])] {
        let list = of(&facts, &public());
        assert_eq!(find(&list, LEGACY_MIRROR).need, Need::Optional);
        assert_eq!(find(&list, CURRENT_MIRROR).need, Need::Required);
    }
}

#[test]
fn r1_2_features_that_are_on_add_their_endpoints_once() {
    let mut facts = with_list(vec![]);
    facts.cluster.enabled_addons = vec![
        "azurepolicy".to_owned(),
        "omsagent".to_owned(),
        "securityProfile.workloadIdentity".to_owned(),
    ];
    let list = of(&facts, &public());
    let policy = find(&list, "data.policy.core.windows.net");
    assert_eq!(
        (policy.need, policy.category.as_str(), policy.port),
        (Need::Feature, "azure-policy", Some(443))
    );
    assert!(has(&list, "westeurope.handler.control.monitor.azure.com"));
    assert!(!has(&list, "*.vault.azure.net"));
    // Every cluster needs it: the feature does not weaken it.
    assert_eq!(
        find(&list, "login.microsoftonline.com").need,
        Need::Required
    );
    // Azure Monitor alone: its service tag serves as well.
    assert_eq!(
        find(&list, "*.ods.opinsights.azure.com").alternative,
        Some(NetworkAlternative::ServiceTag("AzureMonitor"))
    );
}

#[test]
fn r1_2_extensions_by_their_switch() {
    let on = Features {
        extensions: Some(true),
        ..public()
    };
    let name = "westeurope.dp.kubernetesconfiguration.azure.com";
    assert_eq!(find(&of(&facts(), &on), name).need, Need::Feature);
    let unknown = Features {
        extensions: None,
        ..public()
    };
    let list = of(&facts(), &unknown);
    assert!(!has(&list, name));
    assert!(list.open.iter().any(|o| o.contains("cluster-extensions")));
}

#[test]
fn a_feature_without_documented_rows_in_its_cloud_is_an_open_question() {
    let mut facts = facts();
    facts.cluster.enabled_addons = vec!["azureKeyvaultSecretsProvider".to_owned()];
    let china = Features {
        cloud: Some(Cloud::China),
        ..public()
    };
    let list = of(&facts, &china);
    assert!(list.open.iter().any(|o| o.contains("key-vault")));
    assert!(
        !list
            .endpoints
            .iter()
            .any(|e| e.domain_name.contains("vault"))
    );
}

#[test]
fn r4_30_nothing_is_required_of_an_isolated_cluster() {
    for facts in [isolated(facts()), isolated(with_list(vec![]))] {
        let list = of(&facts, &public());
        assert!(!list.endpoints.is_empty());
        assert!(list.endpoints.iter().all(|e| e.need == Need::Optional));
    }
}

#[test]
fn clouds_are_told_by_the_clusters_own_names() {
    let cloud = |fqdn: Option<&str>, location: Option<&str>| {
        let mut facts = facts();
        facts.cluster.api_server.fqdn = fqdn.map(str::to_owned);
        facts.cluster.location = location.map(str::to_owned);
        let extra = Features::default();
        View::of(&facts, &extra).cloud
    };
    assert_eq!(cloud(Some(API), None), Some(Cloud::Public));
    assert_eq!(
        cloud(Some("c.hcp.chinaeast2.cx.prod.service.azk8s.cn"), None),
        Some(Cloud::China)
    );
    assert_eq!(
        cloud(
            Some("c.hcp.usgovvirginia.cx.aks.containerservice.azure.us"),
            None
        ),
        Some(Cloud::UsGov)
    );
    assert_eq!(cloud(None, Some("ChinaNorth3")), Some(Cloud::China));
    assert_eq!(cloud(None, Some("usdodeast")), Some(Cloud::UsGov));
    assert_eq!(cloud(None, Some("westeurope")), None);
    assert_eq!(cloud(Some("c.hcp.x.example"), None), None);
    let mut facts = with_list(vec![]);
    facts.cluster.api_server.fqdn = None;
    let extra = Features::default();
    assert_eq!(View::of(&facts, &extra).cloud, Some(Cloud::Public));
}

#[test]
fn an_unknown_cloud_or_region_is_an_open_question_not_a_guess() {
    let extra = Features::default();
    let list = of(&facts(), &extra);
    assert!(list.endpoints.is_empty());
    assert!(list.open.iter().any(|o| o.contains("cloud")));
    let mut facts = facts();
    facts.cluster.location = Some("  ".to_owned());
    let list = of(&facts, &public());
    assert!(list.open.iter().any(|o| o.contains("region")));
    assert!(!list.endpoints.iter().any(|e| e.domain_name.contains('{')));
    assert!(has(&list, "mcr.microsoft.com"));
}

#[test]
fn hostile_entries_of_arms_list() {
    let entry = |category: &str, name: &str, port, protocol: Option<&str>| EgressEndpoint {
        port,
        protocol: protocol.map(str::to_owned),
        ..listed(category, name)
    };
    let mut facts = facts();
    facts.egress_endpoints = Datum::Known(vec![
        entry("images", "", Some(443), None),
        entry("Images", " MCR.Microsoft.com. ", None, None),
        entry("images", "mcr.microsoft.com", Some(443), Some("HTTPS")),
        entry("images", "odd.example", Some(0), Some("QUIC")),
        entry("brand-new", "new.example", Some(443), Some("Https")),
        entry(
            "brand-new",
            "data.policy.core.windows.net",
            Some(443),
            Some("Https"),
        ),
        entry(
            "brand-new-optional",
            "nice.example",
            Some(443),
            Some("Https"),
        ),
        entry("artifacts", "mcr.microsoft.com", Some(80), Some("Http")),
    ]);
    let list = of(&facts, &public());
    assert!(list.open.iter().any(|o| o.contains("no name")));
    let mcr: Vec<_> = list
        .endpoints
        .iter()
        .filter(|e| e.domain_name == "mcr.microsoft.com")
        .map(|e| (e.port, e.protocol, e.category.as_str()))
        .collect();
    assert_eq!(
        mcr,
        [
            (Some(443), Some(Protocol::Https), "Images"),
            (Some(80), Some(Protocol::Http), "artifacts")
        ]
    );
    assert_eq!(find(&list, "odd.example").protocol, None);
    // Unknown categories are required, unless the documentation knows the name as a feature's.
    assert_eq!(find(&list, "new.example").need, Need::Required);
    assert_eq!(
        find(&list, "data.policy.core.windows.net").need,
        Need::Feature
    );
    assert_eq!(find(&list, "nice.example").need, Need::Optional);
}

#[test]
fn no_endpoint_stands_in_the_list_twice() {
    let mut facts = with_list(vec![listed("images", "MCR.MICROSOFT.COM")]);
    facts.cluster.enabled_addons = [
        "azurepolicy",
        "omsagent",
        "azureKeyvaultSecretsProvider",
        "securityProfile.defender.securityMonitoring",
        "securityProfile.workloadIdentity",
        "metricsProfile.costAnalysis",
    ]
    .map(str::to_owned)
    .to_vec();
    for cloud in [Cloud::Public, Cloud::China, Cloud::UsGov] {
        let extra = Features {
            cloud: Some(cloud),
            extensions: Some(true),
        };
        let list = of(&facts, &extra);
        let keys: std::collections::BTreeSet<_> = list
            .endpoints
            .iter()
            .map(|e| (&e.domain_name, e.port, e.protocol.map(Protocol::as_str)))
            .collect();
        assert_eq!(keys.len(), list.endpoints.len(), "{cloud:?}");
    }
}

#[test]
fn protocols_are_read_in_any_case() {
    assert_eq!(Protocol::parse(" https "), Some(Protocol::Https));
    assert_eq!(Protocol::parse("udp"), Some(Protocol::Udp));
    assert_eq!(Protocol::parse("QUIC"), None);
    assert_eq!(Protocol::Udp.transport(), Transport::Udp);
    assert_eq!(Protocol::Http.transport(), Transport::Tcp);
}
