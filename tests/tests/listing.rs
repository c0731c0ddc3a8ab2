//! All clusters of subscriptions, against the simulated Azure.

use std::collections::BTreeSet;
use std::time::Duration;

use egress_arm::ResourceId;
use egress_collect::{Listing, Located, list_clusters};
use egress_sandbox::{Options, Sandbox, Scenarios};
use egress_tests::reading;
use tokio::time::Instant;

const SUBSCRIPTION: &str = "00000000-0000-4000-8000-0000000005ab";
const OTHER: &str = "00000000-0000-4000-8000-0000000000ff";

/// A sandbox with this many clusters, one of them with these faults.
async fn sandbox(clusters: usize, faults: &str) -> Sandbox {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = |index: usize| {
        let faults = if index == 0 { faults } else { "" };
        format!("description = \"x\"\n[pools.system]\n{faults}")
    };
    let list = (0..clusters).map(|index| (format!("c{index:03}"), text(index)));
    Sandbox::start(Options {
        scenarios: Scenarios::List(list.collect()),
        ..Options::default()
    })
    .await
    .expect("the sandbox starts")
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

async fn listed(sandbox: &Sandbox, subscriptions: &[&str], allowed: &[&str]) -> Located {
    let listing = Listing {
        subscriptions: set(subscriptions),
        allowed: set(allowed),
        most: 1000,
        deadline: Instant::now() + Duration::from_mins(2),
    };
    list_clusters(&reading::client(sandbox), &listing).await
}

fn asked(sandbox: &Sandbox, part: &str) -> usize {
    let calls = sandbox.calls();
    calls.iter().filter(|call| call.path.contains(part)).count()
}

const GRAPH: &str = "Microsoft.ResourceGraph";
const LISTS: &str = "providers/Microsoft.ContainerService/managedClusters";

#[tokio::test]
async fn all_pages_of_the_graph_are_read_for_the_subscriptions_of_the_identity() {
    let sandbox = sandbox(45, "").await;
    let located = listed(&sandbox, &[], &[]).await;
    let expected: Vec<ResourceId> = sandbox
        .clusters()
        .iter()
        .map(|cluster| ResourceId::parse(&cluster.id).unwrap())
        .collect();
    assert_eq!(located.clusters, expected);
    assert_eq!((located.left_out, located.passing), (0, false));
    assert_eq!(located.reasons, Vec::<String>::new());
    assert_eq!(asked(&sandbox, GRAPH), 3, "20 rows are a page");
    assert_eq!(asked(&sandbox, LISTS), 0);
}

#[tokio::test]
async fn more_clusters_than_wanted_are_counted() {
    let sandbox = sandbox(3, "").await;
    let listing = Listing {
        subscriptions: BTreeSet::new(),
        allowed: BTreeSet::new(),
        most: 2,
        deadline: Instant::now() + Duration::from_mins(2),
    };
    let located = list_clusters(&reading::client(&sandbox), &listing).await;
    assert_eq!((located.clusters.len(), located.left_out), (2, 1));
}

#[tokio::test]
async fn a_graph_that_refuses_is_replaced_by_the_lists_of_the_subscriptions() {
    for fault in ["deny = true", "status = 503", "truncate = true"] {
        let faults =
            format!("[[faults]]\ngroup = \"subscription\"\npath = \"ResourceGraph\"\n{fault}\n");
        let sandbox = sandbox(3, &faults).await;
        let located = listed(&sandbox, &[], &[]).await;
        assert_eq!(located.clusters.len(), 3, "{fault}");
        assert!(
            located.reasons[0].starts_with("Resource Graph: "),
            "{located:?}"
        );
        assert!(!located.passing, "nothing is missing");
        assert!(asked(&sandbox, LISTS) > 0);
    }
}

#[tokio::test]
async fn what_may_not_be_asked_is_not_asked() {
    let sandbox = sandbox(1, "").await;
    let located = listed(&sandbox, &[SUBSCRIPTION], &[OTHER]).await;
    assert!(located.clusters.is_empty());
    assert!(located.reasons[0].contains("allow-list"), "{located:?}");
    assert_eq!(sandbox.calls().len(), 0);
}

/// Empty is not absent: Resource Graph leaves out what may not be read.
#[tokio::test]
async fn a_named_subscription_without_clusters_in_the_graph_is_listed_itself() {
    let sandbox = sandbox(2, "").await;
    let located = listed(&sandbox, &[SUBSCRIPTION, OTHER], &[]).await;
    assert_eq!(located.clusters.len(), 2);
    assert_eq!(asked(&sandbox, LISTS), 1);
    assert!(located.reasons[0].contains(OTHER), "{located:?}");
    let allowed = listed(&sandbox, &[], &[SUBSCRIPTION]).await;
    assert_eq!((allowed.clusters.len(), allowed.reasons.len()), (2, 0));
}

#[tokio::test]
async fn subscriptions_that_cannot_be_read_leave_nothing_and_a_reason() {
    let faults = "[[faults]]\ngroup = \"subscription\"\nends = \"/subscriptions\"\nstatus = 503\n";
    let sandbox = sandbox(1, faults).await;
    let located = listed(&sandbox, &[], &[]).await;
    assert!(
        located.clusters.is_empty() && located.passing,
        "{located:?}"
    );
    assert!(located.reasons[0].starts_with("Microsoft.Resources/subscriptions: "));
}
