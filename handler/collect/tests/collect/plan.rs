//! What is asked, how often, and what becomes of refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use egress_arm::{Failure, ResourceId};
use egress_collect::{Collected, Progress, Request, collect};
use egress_diagnosis::facts::{Cause, CloserLook, Datum, Facts, Id, Window};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Server, json_answer};

const SUB: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
const NODE_GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/MC_rg_c";

fn cluster_id() -> String {
    format!("{SUB}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c")
}

fn network(group: &str, rest: &str) -> String {
    format!("{group}/providers/Microsoft.Network/{rest}")
}

fn scale_set(name: &str) -> String {
    format!("{NODE_GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}")
}

/// Answers by path in lower case; what is not there is `otherwise`.
struct Azure {
    answers: BTreeMap<String, (u16, Value)>,
    otherwise: (u16, Value),
    /// A path that begins an answer and never ends it.
    endless: Option<String>,
    /// How long collecting may take.
    patience: Duration,
}

fn not_found() -> (u16, Value) {
    (
        404,
        json!({"error": {"code": "ResourceNotFound", "message": "not found"}}),
    )
}

fn forbidden() -> (u16, Value) {
    (
        403,
        json!({"error": {"code": "AuthorizationFailed", "message": "no"}}),
    )
}

impl Azure {
    fn new(answers: impl IntoIterator<Item = (String, Value)>) -> Self {
        let answers = answers
            .into_iter()
            .map(|(path, body)| (path.to_lowercase(), (200, body)));
        Self {
            answers: answers.collect(),
            otherwise: not_found(),
            endless: None,
            patience: Duration::from_mins(1),
        }
    }

    fn answer(&self, path: &str) -> Response {
        let path = path.split('?').next().unwrap().to_lowercase();
        if self.endless.as_ref() == Some(&path) {
            let nothing = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
            return Body::from_stream(nothing).into_response();
        }
        let (status, body) = self.answers.get(&path).unwrap_or(&self.otherwise);
        json_answer(*status, &[], body)
    }

    fn with(mut self, path: &str, answer: (u16, Value)) -> Self {
        self.answers.insert(path.to_lowercase(), answer);
        self
    }
}

/// The outcome, the paths that were asked, and the deepest wave.
struct Run {
    collected: Result<Collected, egress_arm::ArmError>,
    asked: Vec<String>,
    waves: usize,
}

impl Run {
    fn facts(&self) -> &Facts {
        &self
            .collected
            .as_ref()
            .expect("the cluster was readable")
            .facts
    }
}

async fn run(azure: Azure) -> Run {
    let deadline = Instant::now() + azure.patience;
    let server = Server::start(move |seen| azure.answer(&seen.path)).await;
    let asked_at: Timestamp = "2026-01-01T06:00:00Z".parse().unwrap();
    let deepest = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&deepest);
    let request = Request {
        cluster: ResourceId::parse(&cluster_id()).unwrap(),
        window: Window {
            start: asked_at - SignedDuration::from_hours(6),
            end: asked_at,
        },
        asked_at,
        pressure: false,
        deadline,
        progress: Some(Arc::new(move |progress: Progress| {
            assert!(progress.wave <= progress.waves && progress.done <= progress.total);
            // The activity log comes after the plan, where something was found.
            if progress.what != "ACTIVITY_LOG_LIST" {
                let mut deepest = seen.lock().unwrap();
                *deepest = progress.wave.max(*deepest);
            }
        })),
    };
    let collected = collect(&server.client(), &request).await;
    let waves = *deepest.lock().unwrap();
    Run {
        collected,
        asked: server.seen().into_iter().map(|seen| seen.path).collect(),
        waves,
    }
}

fn list(items: &[Value]) -> Value {
    json!({"value": items})
}

/// Two pools behind AKS's load balancer, in AKS's own network.
fn load_balancer_cluster() -> Azure {
    let subnet = network(NODE_GROUP, "virtualNetworks/aks-vnet-1/subnets/aks-subnet");
    let nsg = network(NODE_GROUP, "networkSecurityGroups/aks-agentpool-1-nsg");
    let lb = network(NODE_GROUP, "loadBalancers/kubernetes");
    let ip = network(NODE_GROUP, "publicIPAddresses/out");
    let sets = ["one", "two"].map(|pool| {
        json!({"id": scale_set(pool), "tags": {"aks-managed-poolName": pool}, "sku": {"capacity": 1},
            "properties": {"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations":
                [{"properties": {"networkSecurityGroup": {"id": nsg.to_uppercase()},
                    "ipConfigurations": [{"properties": {"subnet": {"id": subnet}}}]}}]}}}})
    });
    let nics = list(&[
        json!({"properties": {"ipConfigurations": [{"properties": {"privateIPAddress": "10.224.0.4"}}]}}),
    ]);
    Azure::new([
        (
            cluster_id(),
            json!({"id": cluster_id().to_uppercase(), "name": "c", "location": "westeurope", "properties": {
                "powerState": {"code": "Running"}, "nodeResourceGroup": "MC_rg_c",
                "networkProfile": {"outboundType": "loadBalancer", "networkPlugin": "azure", "loadBalancerSku": "standard",
                    "loadBalancerProfile": {"managedOutboundIPs": {"count": 1}, "effectiveOutboundIPs": [{"id": ip}]}},
                "agentPoolProfiles": [{"name": "one", "count": 1}, {"name": "two", "count": 1}]}}),
        ),
        (
            format!("{}/outboundNetworkDependenciesEndpoints", cluster_id()),
            list(&[
                json!({"category": "images", "endpoints": [{"domainName": "mcr.example", "endpointDetails": [{"port": 443}]}]}),
            ]),
        ),
        (NODE_GROUP.to_owned(), json!({"name": "MC_rg_c"})),
        (
            lb.clone(),
            json!({"id": lb, "sku": {"name": "Standard"}, "properties": {
                "frontendIPConfigurations": [{"id": format!("{lb}/frontendIPConfigurations/f"), "properties": {"publicIPAddress": {"id": ip}}}],
                "outboundRules": [{"name": "aksOutboundRule", "properties": {"allocatedOutboundPorts": 0}}]}}),
        ),
        (
            format!("{NODE_GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets"),
            list(&sets),
        ),
        (
            network(NODE_GROUP, "publicIPAddresses"),
            list(&[json!({"id": ip, "properties": {"ipAddress": "20.0.0.1"}})]),
        ),
        (
            network(NODE_GROUP, "virtualNetworks"),
            list(&[
                json!({"id": network(NODE_GROUP, "virtualNetworks/aks-vnet-1"), "properties": {
                "subnets": [{"id": subnet, "properties": {"addressPrefix": "10.224.0.0/16", "networkSecurityGroup": {"id": nsg}}}]}}),
            ]),
        ),
        (
            nsg.clone(),
            json!({"id": nsg, "properties": {"securityRules": []}}),
        ),
        (
            format!("{}/networkInterfaces", scale_set("one")),
            nics.clone(),
        ),
        (format!("{}/networkInterfaces", scale_set("two")), nics),
        (
            format!("{lb}/providers/Microsoft.Insights/metrics"),
            json!({"interval": "PT1M", "value": [
                {"name": {"value": "SnatConnectionCount"}, "unit": "Count", "timeseries": []},
                {"name": {"value": "UsedSnatPorts"}, "unit": "Count", "timeseries": []},
                {"name": {"value": "AllocatedSnatPorts"}, "unit": "Count", "timeseries": []}]}),
        ),
    ])
}

#[tokio::test]
async fn a_load_balancer_cluster_takes_three_waves_and_no_call_twice() {
    let run = run(load_balancer_cluster()).await;
    let facts = run.facts();
    assert_eq!(run.waves, 3);
    assert!(run.asked.len() <= 15, "{:#?}", run.asked);
    let distinct: BTreeSet<_> = run.asked.iter().map(|path| path.to_lowercase()).collect();
    assert_eq!(distinct.len(), run.asked.len(), "{:#?}", run.asked);
    let stats = &run.collected.as_ref().unwrap().stats;
    assert_eq!(stats.calls, run.asked.len() as u64);

    let subnet = Id::new(network(
        NODE_GROUP,
        "virtualNetworks/aks-vnet-1/subnets/aks-subnet",
    ));
    for pool in ["one", "two"] {
        assert_eq!(facts.pool_subnets[pool].node, Datum::Known(subnet.clone()));
    }
    assert!(facts.subnets[&subnet].as_known().is_some());
    assert_eq!(facts.nsgs.len(), 1, "named twice, in two casings");
    assert!(
        facts
            .nsgs
            .values()
            .all(|nsg| nsg.as_known().unwrap().aks_managed)
    );
    let lb = facts.load_balancer.as_known().unwrap();
    assert_eq!(lb.id.name(), "kubernetes");
    let ip = facts
        .public_ips
        .values()
        .next()
        .unwrap()
        .as_known()
        .unwrap();
    assert_eq!(ip.address.as_deref(), Some("20.0.0.1"));
    assert_eq!(facts.scale_set_nics.len(), 2);
    assert_eq!(facts.egress_endpoints.as_known().unwrap().len(), 1);
    assert_eq!(facts.metrics[&lb.id].len(), 3);
    assert!(
        facts.metrics[&lb.id]
            .values()
            .all(|m| m.as_known().is_some())
    );
}

#[tokio::test]
async fn metrics_are_asked_by_the_documented_parameters() {
    let run = run(load_balancer_cluster()).await;
    let metrics: Vec<_> = run
        .asked
        .iter()
        .filter(|p| p.contains("/metrics?"))
        .collect();
    // The load balancer's connections and ports, and the nodes' figures in one call.
    assert_eq!(metrics.len(), 3);
    for path in metrics {
        for part in [
            "interval=PT1M",
            "top=1000",
            "filter=",
            "timespan=2026-01-01T00",
        ] {
            assert!(path.contains(part), "{part} in {path}");
        }
    }
}

#[tokio::test]
async fn a_refused_call_is_asked_again_metric_by_metric_and_then_unsupported() {
    let lb = network(NODE_GROUP, "loadBalancers/kubernetes");
    let metrics = format!("{lb}/providers/Microsoft.Insights/metrics");
    let refusal = json!({"code": "BadRequest", "message": "Failed to find metric configuration"});
    let run = run(load_balancer_cluster().with(&metrics, (400, refusal))).await;
    let of_balancer = |path: &&String| path.contains("/metrics?") && path.contains("kubernetes");
    let asked = run.asked.iter().filter(of_balancer);
    // One call for connections; one for both port metrics, then each of them alone.
    assert_eq!(asked.count(), 4);
    let read = &run.facts().metrics[&Id::new(lb)];
    assert_eq!(read.len(), 3);
    assert!(read.values().all(|metric| matches!(
        metric,
        Datum::Failed {
            cause: Cause::Unsupported,
            ..
        }
    )));
}

/// The cluster's metrics with one node at this share of its CPU.
fn node_cpu(percent: f64) -> Value {
    let point = |minute: usize| json!({"timeStamp": format!("2026-01-01T05:{minute:02}:00Z"), "average": percent});
    let points: Vec<Value> = (0..30).map(point).collect();
    json!({"interval": "PT1M", "value": [{"name": {"value": "node_cpu_usage_percentage"}, "unit": "Percent", "errorCode": "Success",
        "timeseries": [{"metadatavalues": [{"name": {"value": "node"}, "value": "aks-one-vmss000000"},
            {"name": {"value": "nodepool"}, "value": "one"}], "data": points}]}]})
}

#[tokio::test]
async fn r7_1_the_nodes_are_looked_at_closely_only_where_their_figures_give_a_reason() {
    let metrics = format!("{}/providers/Microsoft.Insights/metrics", cluster_id());
    for (percent, closely) in [(90.0, false), (91.0, true)] {
        let run = run(load_balancer_cluster().with(&metrics, (200, node_cpu(percent)))).await;
        let asked = |part: &str| run.asked.iter().any(|path| path.contains(part));
        for part in [
            "kube_node_status_condition",
            "/virtualMachineScaleSets/",
            "/Microsoft.Advisor/recommendations",
            "/availabilityStatuses/current",
        ] {
            let of_disks = part == "/virtualMachineScaleSets/";
            let seen = if of_disks {
                run.asked
                    .iter()
                    .any(|path| path.contains(part) && path.contains("/metrics?"))
            } else {
                asked(part)
            };
            assert_eq!(seen, closely, "{percent} {part}");
        }
        assert!(run.waves <= 4, "{} waves", run.waves);
        let taken = !matches!(run.facts().pressure.look, CloserLook::NotTaken(_));
        assert_eq!(taken, closely);
        assert_eq!(
            matches!(run.facts().pressure.advisor, Datum::NotAsked { .. }),
            !closely
        );
    }
}

#[tokio::test]
async fn r1_30_an_address_that_the_list_lacks_is_absent() {
    let ips = network(NODE_GROUP, "publicIPAddresses");
    let run = run(load_balancer_cluster().with(&ips, (200, list(&[])))).await;
    let out = Id::new(network(NODE_GROUP, "publicIPAddresses/out"));
    assert_eq!(run.facts().public_ips[&out], Datum::Absent);
}

#[tokio::test]
async fn a_stopped_cluster_is_not_asked_for_metrics() {
    let azure = load_balancer_cluster();
    let (_, mut body) = azure.answers[&cluster_id().to_lowercase()].clone();
    body["properties"]["powerState"]["code"] = json!("Stopped");
    let run = run(azure.with(&cluster_id(), (200, body))).await;
    assert!(!run.asked.iter().any(|path| path.contains("/metrics?")));
    let mut metrics = run.facts().metrics.values().flat_map(BTreeMap::values);
    assert!(metrics.all(|metric| matches!(metric, Datum::NotAsked { .. })));
}

#[tokio::test]
async fn a_body_without_pools_costs_one_list_and_one_wave() {
    let azure = load_balancer_cluster();
    let (_, mut body) = azure.answers[&cluster_id().to_lowercase()].clone();
    body["properties"]["agentPoolProfiles"] = Value::Null;
    let pools = list(&[json!({"name": "one", "properties": {"count": 2}})]);
    let azure = azure
        .with(&cluster_id(), (200, body))
        .with(&format!("{}/agentPools", cluster_id()), (200, pools));
    let run = run(azure).await;
    assert_eq!(
        run.facts().agent_pools.as_known().unwrap()[0].count,
        Some(2)
    );
    assert_eq!(run.facts().nsgs.len(), 1);
    assert_eq!(run.waves, 4);
}

/// Two pools in a caller's own network, the NAT gateway and its address in a third group.
fn own_nat_cluster() -> (Azure, String, String) {
    let vnet = network(&format!("{SUB}/resourceGroups/net"), "virtualNetworks/v");
    let nat_group = format!("{SUB}/resourceGroups/nat");
    let nat = network(&nat_group, "natGateways/ng");
    let ip = network(&nat_group, "publicIPAddresses/p");
    let subnet = |name: &str| json!({"id": format!("{vnet}/subnets/{name}"), "properties": {"addressPrefix": "10.0.0.0/24", "natGateway": {"id": nat}}});
    let azure = Azure::new([
        (
            cluster_id(),
            json!({"id": cluster_id(), "properties": {"nodeResourceGroup": "MC_rg_c", "powerState": {"code": "Running"},
                "networkProfile": {"outboundType": "userAssignedNATGateway"},
                "agentPoolProfiles": [{"name": "a", "vnetSubnetID": format!("{vnet}/subnets/a")},
                    {"name": "b", "vnetSubnetID": format!("{vnet}/subnets/b")}]}}),
        ),
        (
            vnet.clone(),
            json!({"id": vnet, "properties": {"subnets": [subnet("a"), subnet("b")]}}),
        ),
        (format!("{vnet}/subnets/a"), subnet("a")),
        (format!("{vnet}/subnets/b"), subnet("b")),
        (
            nat.clone(),
            json!({"id": nat, "properties": {"publicIpAddresses": [{"id": ip}]}}),
        ),
        (
            network(&nat_group, "publicIPAddresses"),
            list(&[json!({"id": ip, "properties": {"ipAddress": "20.0.0.9"}})]),
        ),
        (network(&nat_group, "publicIPPrefixes"), list(&[])),
    ]);
    (azure, vnet, ip)
}

#[tokio::test]
async fn a_nat_gateway_in_another_group_takes_three_waves() {
    let (azure, _, ip) = own_nat_cluster();
    let run = run(azure).await;
    assert_eq!(run.waves, 3);
    let facts = run.facts();
    assert_eq!(facts.nat_gateways.len(), 1);
    let address = facts.public_ips[&Id::new(ip)].as_known().unwrap();
    assert_eq!(address.address.as_deref(), Some("20.0.0.9"));
    let metrics = facts.metrics.values().next().unwrap();
    assert_eq!(metrics["SNATConnectionCount"], Datum::Absent);
    assert_eq!(metrics.len(), 4);
    // The node resource group answers 404.
    assert_eq!(facts.load_balancer, Datum::Absent);
}

#[tokio::test]
async fn subnets_are_asked_one_by_one_where_only_they_may_be_read() {
    let (azure, vnet, _) = own_nat_cluster();
    let run = run(azure.with(&vnet, forbidden())).await;
    let facts = run.facts();
    let Datum::Denied { action, scope } = &facts.virtual_networks[&Id::new(vnet.as_str())] else {
        panic!("the network may not be read")
    };
    assert_eq!(
        action.as_deref(),
        Some("Microsoft.Network/virtualNetworks/read")
    );
    assert_eq!(scope.as_deref(), Some(vnet.as_str()));
    assert_eq!(facts.subnets.len(), 2);
    assert!(facts.subnets.values().all(|s| s.as_known().is_some()));
    assert_eq!(facts.nat_gateways.len(), 1);
    assert_eq!(run.waves, 4);
}

fn denied<T>(datum: &Datum<T>) -> bool {
    matches!(datum.status(), Datum::Denied { .. })
}

#[tokio::test]
async fn without_any_other_right_the_cluster_alone_is_known() {
    let mut azure = load_balancer_cluster();
    let cluster = azure.answers[&cluster_id().to_lowercase()].clone();
    azure.answers.clear();
    azure.otherwise = forbidden();
    let run = run(azure.with(&cluster_id(), cluster)).await;
    let facts = run.facts();
    assert!(denied(&facts.egress_endpoints));
    assert!(denied(&facts.load_balancer));
    assert!(denied(&facts.scale_sets));
    assert!(denied(&facts.pool_subnets["one"].node));
    let out = Id::new(network(NODE_GROUP, "publicIPAddresses/out"));
    assert!(denied(&facts.public_ips[&out]), "not absent");
}

#[tokio::test]
async fn nonsense_everywhere_is_malformed_and_nothing_else() {
    for nonsense in [
        json!([]),
        json!("x"),
        json!({"value": "x"}),
        json!({"value": [7]}),
    ] {
        let mut azure = load_balancer_cluster();
        let cluster = azure.answers[&cluster_id().to_lowercase()].clone();
        azure.answers.clear();
        azure.otherwise = (200, nonsense.clone());
        let run = run(azure.with(&cluster_id(), cluster)).await;
        for datum in [
            run.facts().egress_endpoints.status(),
            run.facts().load_balancer.status(),
            run.facts().scale_sets.status(),
            run.facts().pool_subnets["two"].node.status(),
        ] {
            assert!(
                matches!(
                    datum,
                    Datum::Failed {
                        cause: Cause::Malformed,
                        ..
                    }
                ),
                "{nonsense}: {datum:?}"
            );
        }
    }
}

#[tokio::test]
async fn only_an_unreadable_cluster_is_an_error() {
    let failure = |run: Run| run.collected.unwrap_err().failure().clone();
    let missing = failure(run(Azure::new([])).await);
    assert!(matches!(missing, Failure::NotFound { .. }), "{missing:?}");
    let refused = failure(run(Azure::new([]).with(&cluster_id(), forbidden())).await);
    assert!(matches!(refused, Failure::Forbidden { .. }), "{refused:?}");
    let empty = failure(run(Azure::new([]).with(&cluster_id(), (200, json!({})))).await);
    assert_eq!(empty, Failure::Malformed);
}

#[tokio::test]
async fn one_answer_that_never_ends_costs_itself_only() {
    let mut azure = load_balancer_cluster();
    azure.endless = Some(network(NODE_GROUP, "virtualNetworks").to_lowercase());
    azure.patience = Duration::from_secs(4);
    let run = run(azure).await;
    let facts = run.facts();
    let node = &facts.pool_subnets["one"].node;
    let timed_out = Cause::TimedOut;
    assert!(
        matches!(node, Datum::Failed { cause, .. } if *cause == timed_out),
        "{node:?}"
    );
    assert!(facts.load_balancer.as_known().is_some());
    assert!(facts.egress_endpoints.as_known().is_some());
    let balancer = Id::new(network(NODE_GROUP, "loadBalancers/kubernetes"));
    assert!(facts.metrics.contains_key(&balancer));
    assert_eq!(facts.scale_set_nics.len(), 2);
}
