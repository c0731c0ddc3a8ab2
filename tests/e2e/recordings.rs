//! Recorded answers of real Azure clusters, given over a real socket to the real client.
//!
//! Skipped aloud when the recordings are not beside the checkout.

use std::time::Duration;

use egress_arm::{
    ArmError, Client, ClientSettings, Cloud, Endpoints, Failure, Identity, ResourceId, Secret,
    Session, Trust,
};
use egress_arm::{model, operations};
use egress_collect::{Collected, Request, collect};
use egress_diagnosis::facts::{Datum, NetworkProfile, Window};
use egress_diagnosis::report::{Report, Status};
use egress_tests::replay::{Recording, Replay, load, recordings};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

fn client(replay: &Replay) -> Client {
    let endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint(replay.endpoint())
        .expect("an endpoint");
    Client::new(ClientSettings {
        endpoints,
        identity: Identity::Fixed(Secret::new("recorded")),
        trust: Trust::Pem(replay.certificate().as_bytes().to_vec()),
    })
}

fn session(replay: &Replay) -> Session {
    client(replay).session(Instant::now() + Duration::from_mins(1))
}

fn id_of(recording: &Recording) -> ResourceId {
    let path = recording.path.split('?').next().unwrap_or_default();
    ResourceId::parse(path).unwrap_or_else(|e| panic!("{}: {e}", recording.file.display()))
}

async fn collected(replay: &Replay, cluster: ResourceId) -> Result<Collected, ArmError> {
    let asked_at: Timestamp = "2026-11-01T12:00:00Z".parse().expect("a time");
    let window = Window {
        start: asked_at - SignedDuration::from_hours(6),
        end: asked_at,
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    collect(
        &client(replay),
        &Request {
            cluster,
            window,
            asked_at,
            pressure: false,
            deadline,
            progress: None,
        },
    )
    .await
}

fn text(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn number(body: &Value, pointer: &str) -> Option<u32> {
    body.pointer(pointer)
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
}

/// Nodes of a recorded pool. Where it consists of machines without a scale set, they are counted by size.
fn nodes(pool: &Value) -> Option<u32> {
    let by_size = pool.pointer("/virtualMachineNodesStatus");
    let by_size = by_size.and_then(Value::as_array);
    number(pool, "/count").or_else(|| by_size?.iter().map(|size| number(size, "/count")).sum())
}

fn length(body: &Value, pointer: &str) -> usize {
    body.pointer(pointer)
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

const PROFILE: &str = "/properties/networkProfile/loadBalancerProfile";

/// Everything the report says about the cluster equals what the recorded body says.
fn assert_equals_body(collected: &Collected, report: &Report, recording: &Recording) {
    let (body, file) = (&recording.body, recording.file.display());
    let cluster = &collected.facts.cluster;
    let network = cluster
        .network
        .as_ref()
        .unwrap_or_else(|| panic!("{file}: no network profile"));
    assert_eq!(
        report.outbound.declared_type,
        text(body, "/properties/networkProfile/outboundType"),
        "{file}"
    );
    let json = serde_json::to_value(&report.cluster).expect("a summary");
    for (field, pointer) in [
        ("/networkPlugin", "/properties/networkProfile/networkPlugin"),
        (
            "/networkPluginMode",
            "/properties/networkProfile/networkPluginMode",
        ),
        (
            "/networkDataplane",
            "/properties/networkProfile/networkDataplane",
        ),
        ("/nodeResourceGroup", "/properties/nodeResourceGroup"),
        ("/powerState", "/properties/powerState/code"),
        ("/provisioningState", "/properties/provisioningState"),
        ("/location", "/location"),
    ] {
        assert_eq!(text(&json, field), text(body, pointer), "{file} {pointer}");
    }
    assert_profiles_equal_body(network, recording);
    assert_pools_equal_body(report, recording);
}

fn assert_profiles_equal_body(network: &NetworkProfile, recording: &Recording) {
    let (body, file) = (&recording.body, recording.file.display());
    let profile = network.load_balancer_profile.clone().unwrap_or_default();
    assert_eq!(
        profile.managed_outbound_ip_count,
        number(body, &format!("{PROFILE}/managedOutboundIPs/count")),
        "{file}"
    );
    assert_eq!(
        profile.managed_outbound_ipv6_count,
        number(body, &format!("{PROFILE}/managedOutboundIPs/countIPv6")),
        "{file}"
    );
    assert_eq!(
        profile.outbound_ips.len(),
        length(body, &format!("{PROFILE}/outboundIPs/publicIPs")),
        "{file}"
    );
    assert_eq!(
        profile.outbound_ip_prefixes.len(),
        length(
            body,
            &format!("{PROFILE}/outboundIPPrefixes/publicIPPrefixes")
        ),
        "{file}"
    );
    assert_eq!(
        profile.effective_outbound_ips.len(),
        length(body, &format!("{PROFILE}/effectiveOutboundIPs")),
        "{file}"
    );
    assert_eq!(
        profile.allocated_outbound_ports,
        number(body, &format!("{PROFILE}/allocatedOutboundPorts")),
        "{file}"
    );
    assert_eq!(
        profile.idle_timeout_minutes,
        number(body, &format!("{PROFILE}/idleTimeoutInMinutes")),
        "{file}"
    );
    let nat = network.nat_gateway_profile.clone().unwrap_or_default();
    let nat_profile = "/properties/networkProfile/natGatewayProfile";
    assert_eq!(
        nat.managed_outbound_ip_count,
        number(
            body,
            &format!("{nat_profile}/managedOutboundIPProfile/count")
        ),
        "{file}"
    );
    assert_eq!(
        nat.idle_timeout_minutes,
        number(body, &format!("{nat_profile}/idleTimeoutInMinutes")),
        "{file}"
    );
    assert_eq!(
        nat.effective_outbound_ips.len(),
        length(body, &format!("{nat_profile}/effectiveOutboundIPs")),
        "{file}"
    );
}

fn assert_pools_equal_body(report: &Report, recording: &Recording) {
    let (body, file) = (&recording.body, recording.file.display());
    let pools = report
        .cluster
        .node_pools
        .as_ref()
        .unwrap_or_else(|| panic!("{file}: no pools"));
    let recorded = body
        .pointer("/properties/agentPoolProfiles")
        .and_then(Value::as_array)
        .expect("pools");
    assert_eq!(pools.len(), recorded.len(), "{file}");
    for (pool, recorded) in pools.iter().zip(recorded) {
        assert_eq!(Some(&pool.name), text(recorded, "/name").as_ref(), "{file}");
        assert_eq!(pool.count, nodes(recorded), "{file} {}", pool.name);
        assert_eq!(pool.mode, text(recorded, "/mode"), "{file} {}", pool.name);
        assert_eq!(
            pool.os_type,
            text(recorded, "/osType"),
            "{file} {}",
            pool.name
        );
        if recorded.get("enableAutoScaling") == Some(&Value::Bool(true)) {
            assert_eq!(
                pool.min_count,
                number(recorded, "/minCount"),
                "{file} {}",
                pool.name
            );
            assert_eq!(
                pool.max_count,
                number(recorded, "/maxCount"),
                "{file} {}",
                pool.name
            );
        }
    }
}

#[tokio::test]
async fn every_recorded_cluster_gives_a_report_that_equals_its_body_and_invents_nothing() {
    let Some(folder) = recordings() else { return };
    let clusters = load(&folder.join("clusters"));
    assert!(
        clusters.len() >= 20,
        "only {} recorded clusters",
        clusters.len()
    );
    for recording in &clusters {
        let replay = Replay::start().await;
        replay.give(recording);
        let collected = collected(&replay, id_of(recording))
            .await
            .unwrap_or_else(|e| {
                panic!("{}: {e}: {}", recording.file.display(), e.detail());
            });
        let report = egress_diagnosis::diagnose(&collected.facts);
        assert_equals_body(&collected, &report, recording);
        // Nothing but the cluster exists here: whatever hangs on it is a gap or a fault, never "healthy".
        assert_ne!(
            report.verdict.status,
            Status::Healthy,
            "{}",
            recording.file.display()
        );
        assert!(!report.verdict.complete, "{}", recording.file.display());
        assert!(!report.gaps.is_empty(), "{}", recording.file.display());
        assert_eq!(
            report.snat.failed_connections,
            None,
            "{}",
            recording.file.display()
        );
        assert!(
            report
                .outbound
                .paths
                .iter()
                .all(|path| path.public_ips.is_none()),
            "{}",
            recording.file.display()
        );
    }
}

#[tokio::test]
async fn lists_that_end_in_an_empty_page_end() {
    let Some(folder) = recordings() else { return };
    let pages: Vec<Recording> = load(&folder.join("clusters-parts"))
        .into_iter()
        .filter(|page| page.path.contains("/agentPools?"))
        .collect();
    let replay = Replay::start().await;
    for page in &pages {
        replay.give(page);
    }
    let (first, next): (Vec<_>, Vec<_>) = pages
        .iter()
        .partition(|page| !page.path.contains("skipToken"));
    assert!(!next.is_empty(), "no recorded page follows another");
    for page in first {
        if let Some(link) = text(&page.body, "/nextLink") {
            let (_, path) = link
                .split_once("management.azure.com")
                .expect("a link to ARM");
            // Where the page that followed was not recorded: it was empty too.
            let empty = Recording {
                body: serde_json::json!({"value": []}),
                ..page.clone()
            };
            replay.give_at(path, &empty);
        }
        let (cluster, _) = page
            .path
            .split_once("/agentPools?")
            .expect("a cluster's agent pools");
        let pools: Vec<Value> = session(&replay)
            .list(
                &operations::AGENT_POOLS_LIST,
                &ResourceId::parse(cluster).expect("an id"),
                &[],
            )
            .await
            .unwrap_or_else(|e| panic!("{}: {e}: {}", page.file.display(), e.detail()));
        assert_eq!(
            pools.len(),
            length(&page.body, "/value"),
            "{}",
            page.file.display()
        );
    }
}

#[tokio::test]
async fn recorded_error_bodies_become_typed_errors() {
    let Some(folder) = recordings() else { return };
    let cluster = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/\
                   Microsoft.ContainerService/managedClusters/aks";
    for recording in load(&folder.join("errors")) {
        let replay = Replay::start().await;
        replay.give_at(cluster, &recording);
        let deadline = Instant::now() + Duration::from_millis(500);
        let error = client(&replay)
            .session(deadline)
            .get::<Value>(
                &operations::CLUSTER_GET,
                &ResourceId::parse(cluster).expect("an id"),
                &[],
            )
            .await
            .expect_err("an error");
        let file = recording.file.display();
        let code = text(&recording.body, "/error/code").or_else(|| text(&recording.body, "/code"));
        match (recording.status, error.failure()) {
            (
                403,
                Failure::Forbidden {
                    action: Some(action),
                    scope: Some(scope),
                },
            ) => {
                let message = text(&recording.body, "/error/message").expect("a message");
                assert!(
                    message.contains(&format!("action '{action}'")),
                    "{file}: {action}"
                );
                assert!(
                    message.contains(&format!("scope '{scope}'")),
                    "{file}: {scope}"
                );
            }
            (404, Failure::NotFound { code: found })
            | (400, Failure::BadRequest { code: found, .. }) => assert_eq!(found, &code, "{file}"),
            (429, Failure::Throttled { .. } | Failure::TimedOut) => {}
            (status, failure) => panic!("{file}: {status} became {failure:?}"),
        }
    }
}

#[tokio::test]
async fn the_recorded_aks_load_balancer_is_read_right() {
    let Some(folder) = recordings() else { return };
    let cluster = &load(&folder.join("clusters"))
        .into_iter()
        .find(|r| {
            text(&r.body, "/properties/networkProfile/outboundType").as_deref()
                == Some("loadBalancer")
        })
        .expect("a load balancer cluster");
    let mut seen = 0;
    for mut list in load(&folder.join("network")) {
        let balancers = list
            .body
            .pointer("/value")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let Some(aks) = balancers
            .iter()
            .find(|lb| text(lb, "/name").as_deref() == Some("kubernetes"))
        else {
            continue;
        };
        if !list.path.to_ascii_lowercase().contains("/loadbalancers") {
            continue;
        }
        let replay = Replay::start().await;
        replay.give(cluster);
        let id = id_of(cluster);
        let group =
            text(&cluster.body, "/properties/nodeResourceGroup").expect("a node resource group");
        let path = format!(
            "/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network/loadBalancers/kubernetes",
            id.subscription()
        );
        list.body = aks.clone();
        replay.give_at(&path, &list);
        let collected = collected(&replay, id).await.expect("facts");
        let Datum::Known(read) = &collected.facts.load_balancer else {
            panic!(
                "{}: {:?}",
                list.file.display(),
                collected.facts.load_balancer
            )
        };
        let rule = read
            .outbound_rules
            .iter()
            .find(|r| r.name == "aksOutboundRule")
            .expect("aksOutboundRule");
        let recorded = aks
            .pointer("/properties/outboundRules")
            .and_then(Value::as_array)
            .and_then(|rules| {
                rules
                    .iter()
                    .find(|r| text(r, "/name").as_deref() == Some("aksOutboundRule"))
            })
            .expect("aksOutboundRule");
        assert_eq!(
            rule.allocated_outbound_ports,
            number(recorded, "/properties/allocatedOutboundPorts")
        );
        assert_eq!(
            rule.idle_timeout_minutes,
            number(recorded, "/properties/idleTimeoutInMinutes")
        );
        assert_eq!(rule.protocol, text(recorded, "/properties/protocol"));
        assert_eq!(
            rule.frontends.len(),
            length(recorded, "/properties/frontendIPConfigurations")
        );
        assert_eq!(
            read.frontends.len(),
            length(aks, "/properties/frontendIPConfigurations")
        );
        seen += 1;
    }
    assert!(seen > 0, "no recorded list holds the AKS load balancer");
}

/// The sum of `aggregation` over all points of the first metric of a recorded body.
fn recorded_sum(body: &Value, aggregation: &str) -> (f64, usize) {
    let series = body
        .pointer("/value/0/timeseries")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let points = series.flat_map(|s| {
        s.pointer("/data")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    });
    let values = points
        .filter_map(|point| point.get(aggregation).and_then(Value::as_f64))
        .collect::<Vec<_>>();
    (values.iter().sum(), values.len())
}

#[tokio::test]
async fn recorded_metric_series_sum_right_and_gaps_are_not_zeros() {
    let Some(folder) = recordings() else { return };
    let mut with_gaps = 0;
    for recording in load(&folder.join("monitor")) {
        let path = recording.path.clone();
        let Some((resource, _)) = path
            .split_once("/providers/Microsoft.Insights/metrics?")
            .or_else(|| path.split_once("/providers/microsoft.insights/metrics?"))
        else {
            continue;
        };
        if recording.status != 200 {
            continue;
        }
        let replay = Replay::start().await;
        replay.give(&recording);
        let read: model::Metrics = session(&replay)
            .get(
                &operations::METRICS_GET,
                &ResourceId::parse(resource).expect("an id"),
                &[],
            )
            .await
            .unwrap_or_else(|e| panic!("{}: {e}: {}", recording.file.display(), e.detail()));
        for (name, of) in [
            (
                "average",
                (|p| *p.average) as fn(&model::DataPoint) -> Option<f64>,
            ),
            ("total", |p| *p.total),
            ("maximum", |p| *p.maximum),
        ] {
            let points = read
                .value
                .first()
                .into_iter()
                .flat_map(|m| m.timeseries.iter())
                .flat_map(|s| s.data.iter());
            let values = points.filter_map(of).collect::<Vec<_>>();
            let (sum, count) = recorded_sum(&recording.body, name);
            assert_eq!(values.len(), count, "{} {name}", recording.file.display());
            assert!(
                (values.iter().sum::<f64>() - sum).abs() < 1e-6,
                "{} {name}",
                recording.file.display()
            );
            with_gaps += usize::from(count == 0);
        }
    }
    assert!(with_gaps > 0, "no recorded series has gaps");
}
