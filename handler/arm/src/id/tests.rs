use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const SUB: &str = "00000000-0000-0000-0000-00000000000a";
const CLUSTERS: &str = "Microsoft.ContainerService/managedClusters";

fn in_rg(rest: &str) -> String {
    format!("/subscriptions/{SUB}/resourceGroups/rg{rest}")
}

fn cluster(name: &str) -> String {
    in_rg(&format!("/providers/{CLUSTERS}/{name}"))
}

fn refused(text: &str) -> IdError {
    ResourceId::parse(text).unwrap_err()
}

#[test]
fn parts_of_a_child_resource() {
    let text = in_rg("/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
    let subnet = ResourceId::parse(&text).unwrap();
    assert_eq!(subnet.as_str(), text);
    assert_eq!(subnet.subscription(), SUB);
    assert_eq!(subnet.resource_group(), Some("rg"));
    assert_eq!(
        subnet.resource_type(),
        "Microsoft.Network/virtualNetworks/subnets"
    );
    assert_eq!(subnet.name(), "s");
    let vnet = subnet.parent().unwrap();
    assert_eq!(
        vnet.as_str(),
        in_rg("/providers/Microsoft.Network/virtualNetworks/v")
    );
    assert_eq!(vnet.parent(), None);
    assert_eq!(vnet.child("subnets", "s").unwrap(), subnet);
    let group = subnet.group().unwrap();
    assert_eq!(group.as_str(), in_rg(""));
    assert_eq!(group.resource_type(), "Microsoft.Resources/resourceGroups");
    assert_eq!(group.group().unwrap(), group);
    assert_eq!(group.parent(), None);
}

#[test]
fn a_subscription_and_what_is_in_no_group() {
    let subscription = ResourceId::of_subscription(SUB).unwrap();
    assert_eq!(
        subscription.resource_type(),
        "Microsoft.Resources/subscriptions"
    );
    assert_eq!(
        (subscription.resource_group(), subscription.group()),
        (None, None)
    );
    let text = format!("/subscriptions/{SUB}/providers/Microsoft.Network/locations/eastus");
    let location = ResourceId::parse(&text).unwrap();
    assert_eq!(location.resource_type(), "Microsoft.Network/locations");
    assert_eq!(location.name(), "eastus");
    assert_eq!(location.group(), None);
}

#[test]
fn any_case_in_and_equal_without_case() {
    let lower =
        format!("/subscriptions/{SUB}/resourcegroups/rg/providers/{CLUSTERS}/c").to_lowercase();
    let upper = lower.to_uppercase();
    let (a, b) = (
        ResourceId::parse_type(&lower, CLUSTERS).unwrap(),
        ResourceId::parse_type(&upper, CLUSTERS).unwrap(),
    );
    assert_eq!(a, b);
    assert_eq!(a.cmp(&b), Ordering::Equal);
    assert_eq!(HashSet::from([a, b.clone()]).len(), 1);
    assert_eq!(b.to_string(), upper, "the casing is kept");
    assert_eq!(b.resource_group(), Some("RG"));
}

#[test]
fn another_type_is_told_apart_from_nonsense() {
    let error = ResourceId::parse_type(
        &in_rg("/providers/Microsoft.Network/natGateways/n"),
        CLUSTERS,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        format!("the id is a Microsoft.Network/natGateways, not a {CLUSTERS}")
    );
    let group = ResourceId::parse_type(&in_rg(""), CLUSTERS);
    assert!(matches!(group, Err(IdError::OtherType { .. })));
    let pool = ResourceId::parse_type(&format!("{}/agentPools/p", cluster("c")), CLUSTERS);
    assert!(matches!(pool, Err(IdError::OtherType { .. })));
    assert!(matches!(
        ResourceId::parse_type("x", CLUSTERS),
        Err(IdError::NotAbsolute)
    ));
}

#[test]
fn what_would_change_a_urls_meaning_is_refused() {
    for bad in [
        '?', '#', '%', '\\', ' ', '\t', '\n', '\0', '\u{7f}', '&', '=', ':', '@', ';', '"', '<',
        '\u{a0}', '\u{202e}',
    ] {
        let text = cluster(&format!("a{bad}b"));
        let error = refused(&text);
        assert!(
            matches!(error, IdError::Character { character, .. } if character == bad),
            "{bad:?}: {error}"
        );
        assert!(
            error.to_string().chars().all(|c| !c.is_control()),
            "{error}"
        );
    }
    assert_eq!(
        refused("/subscriptions/%2e%2e").to_string(),
        "the id holds the character % at position 16"
    );
}

#[test]
fn traversal_is_refused() {
    for name in [".", "..", "..."] {
        assert_eq!(refused(&cluster(name)), IdError::DotSegment);
        assert_eq!(
            refused(&format!("{}/../../natGateways/n", cluster(name))),
            IdError::DotSegment
        );
    }
    assert!(ResourceId::parse(&cluster("a..b")).is_ok());
}

#[test]
fn structure_is_checked() {
    let ok = cluster("c");
    assert_eq!(refused(""), IdError::Empty);
    assert_eq!(refused(ok.trim_start_matches('/')), IdError::NotAbsolute);
    assert_eq!(refused(&format!("https/{ok}")), IdError::NotAbsolute);
    assert_eq!(refused(&format!("/{ok}")), IdError::EmptySegment);
    assert_eq!(refused(&format!("{ok}/")), IdError::EmptySegment);
    assert_eq!(refused("/"), IdError::EmptySegment);
    assert_eq!(refused("/subscriptions"), IdError::Structure);
    assert_eq!(refused(&format!("/tenants/{SUB}")), IdError::NotAbsolute);
    assert_eq!(
        refused(&format!("/subscriptions/{SUB}/resourceGroups")),
        IdError::Structure
    );
    assert_eq!(refused(&in_rg("/providers")), IdError::Structure);
    assert_eq!(
        refused(&in_rg("/providers/Microsoft.Network")),
        IdError::Structure
    );
    assert_eq!(
        refused(&in_rg("/providers/Microsoft.Network/natGateways")),
        IdError::Structure
    );
    assert_eq!(
        refused(&in_rg("/other/Microsoft.Network/natGateways/n")),
        IdError::Structure
    );
    assert_eq!(refused(&format!("{ok}/agentPools")), IdError::Structure);
    assert_eq!(
        refused(&format!("{ok}/providers/Microsoft.Insights/metrics/m")),
        IdError::Structure
    );
}

#[test]
fn parts_are_checked() {
    let subscription = |text: &str| refused(&format!("/subscriptions/{text}"));
    for wrong in [
        "s",
        "{sub}",
        &SUB.replace('-', ""),
        "urn.uuid",
        &"g".repeat(36),
    ] {
        let error = subscription(wrong);
        assert!(
            matches!(error, IdError::Subscription(_) | IdError::Character { .. }),
            "{wrong}: {error}"
        );
    }
    let group = |text: &str| ResourceId::of_group(SUB, text);
    assert!(matches!(group("a."), Err(IdError::ResourceGroup(_))));
    assert!(matches!(
        group(&"a".repeat(91)),
        Err(IdError::ResourceGroup(_))
    ));
    assert!(group(&"a".repeat(90)).is_ok());
    assert!(group("groß_(1)-x.y").is_ok(), "letters of any script");
    assert!(matches!(
        refused(&in_rg("/providers/Network/natGateways/n")),
        IdError::Type(_)
    ));
    assert!(matches!(
        refused(&in_rg("/providers/Microsoft.Network/nat-x/n")),
        IdError::Type(_)
    ));
    assert!(matches!(refused(&cluster("ü")), IdError::Name(_)));
    assert!(matches!(
        refused(&cluster(&"a".repeat(261))),
        IdError::Name(_)
    ));
    assert_eq!(
        refused(&format!("/{}", "a".repeat(2048))),
        IdError::TooLong(2049)
    );
}

#[test]
fn a_part_cannot_smuggle_in_segments() {
    let vnet = ResourceId::parse(&in_rg("/providers/Microsoft.Network/virtualNetworks/v")).unwrap();
    for evil in ["a/b", "a/subnets/b", "..", "", "a/../b", "a%2fb", "a?x"] {
        assert!(
            ResourceId::in_group(SUB, "rg", "Microsoft.Network/natGateways", evil).is_err(),
            "{evil}"
        );
        assert!(ResourceId::of_group(SUB, evil).is_err(), "{evil}");
        assert!(ResourceId::of_subscription(evil).is_err(), "{evil}");
        assert!(vnet.child("subnets", evil).is_err(), "{evil}");
        assert!(vnet.child(evil, "s").is_err(), "{evil}");
    }
    assert!(ResourceId::in_group(SUB, "rg", "Microsoft.Network", "n").is_err());
    assert!(ResourceId::in_group(SUB, "rg", "Microsoft.Network/a/b", "n").is_err());
    assert!(
        ResourceId::of_group(SUB, "rg")
            .unwrap()
            .child("subnets", "s")
            .is_err()
    );
}

proptest! {
    /// Whatever is accepted is its own path in a URL: same host, same path, no query, no fragment.
    #[test]
    fn an_accepted_id_is_exactly_its_path(text in "(/(subscriptions|resourceGroups|providers|a\\.b|[!-~]{0,6}|00000000-0000-0000-0000-00000000000a)){0,9}") {
        if let Ok(id) = ResourceId::parse(&text) {
            let url = url::Url::parse(&format!("https://management.azure.com{id}")).unwrap();
            prop_assert_eq!(url.host_str(), Some("management.azure.com"));
            prop_assert_eq!(url.path(), &text);
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }

    #[test]
    fn hostile_text_never_panics(text in "\\PC{0,80}", tail in any::<String>()) {
        let _outcome = ResourceId::parse(&text);
        let _outcome = ResourceId::parse(&format!("/subscriptions/{SUB}/{tail}"));
    }

    #[test]
    fn what_was_built_is_read_back(group in "[a-zA-Z0-9_()-]{1,90}", name in "[a-zA-Z0-9][a-zA-Z0-9_.()-]{0,80}") {
        let id = ResourceId::in_group(SUB, &group, CLUSTERS, &name).unwrap();
        prop_assert_eq!(id.resource_group(), Some(&*group));
        prop_assert_eq!(id.name(), &name);
        prop_assert!(id.is_type(CLUSTERS));
        let again = ResourceId::parse(id.as_str()).unwrap();
        prop_assert_eq!(again.as_str(), id.as_str());
        prop_assert_eq!(ResourceId::parse(&id.as_str().to_uppercase()).unwrap(), id);
    }
}

#[test]
fn the_tenant_is_no_subscription() {
    let tenant = ResourceId::tenant();
    assert_eq!(tenant.to_string(), "");
    assert!(tenant.is_type("Microsoft.Resources/tenants"));
    assert_eq!((tenant.group(), tenant.parent()), (None, None));
    assert_eq!(tenant.child("a", "b"), Err(IdError::Structure));
}
