//! A report and an engine to test the outside with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress_collect::Located;
use egress_diagnosis::diagnose;
use egress_diagnosis::facts::{Facts, Id};
use egress_diagnosis::report::{
    Affected, CloserLook, ClusterSummary, Confidence, Disks, EgressEndpoints, Finding, Gap,
    GapCause, NatGatewaySection, Nodes, Outbound, Pattern, Report, ReportWindow, SCHEMA_VERSION,
    Severity, Snat, SnatDevice, Stats, Status, Verdict,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::engine::{
    ClustersWanted, Diagnosis, DiagnosisError, DiagnosisRequest, Engine, Progress, Sought,
};
use crate::fleet::rows::Rows;
use crate::http::{App, Health};
use crate::jobs::ids::Ids;
use crate::jobs::local::Local;
use crate::jobs::{Delivery, Jobs};
use crate::reports::{Policy, Reports};

pub(crate) const SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";
pub(crate) const CLUSTER: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/shop";

/// What the fake engine does when asked.
type Behaviour = Box<dyn Fn(&DiagnosisRequest) -> Result<Diagnosis, DiagnosisError> + Send + Sync>;

/// An engine that never leaves the process.
pub(crate) struct FakeEngine {
    behaviour: Behaviour,
    /// Each run takes one permit before it goes on, so that tests decide when runs end.
    pub(crate) gate: Semaphore,
    started: AtomicUsize,
    pub(crate) asked: Mutex<Vec<DiagnosisRequest>>,
    /// What a list of clusters gives.
    pub(crate) listed: Mutex<Located>,
    pub(crate) lists_asked: Mutex<Vec<ClustersWanted>>,
    /// What every search finds.
    pub(crate) located: Mutex<Located>,
    pub(crate) sought: Mutex<Vec<Sought>>,
}

impl FakeEngine {
    /// Answers at once.
    pub(crate) fn new(
        behaviour: impl Fn(&DiagnosisRequest) -> Result<Report, DiagnosisError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::with_gate(behaviour, Semaphore::MAX_PERMITS)
    }

    /// Answers as many runs as there are permits; the others wait for more.
    pub(crate) fn with_gate(
        behaviour: impl Fn(&DiagnosisRequest) -> Result<Report, DiagnosisError> + Send + Sync + 'static,
        permits: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            behaviour: Box::new(move |request| {
                Ok(Diagnosis {
                    report: Arc::new(behaviour(request)?),
                    facts: Arc::new(egress_diagnosis::testing::load_balancer()),
                })
            }),
            gate: Semaphore::new(permits),
            started: AtomicUsize::new(0),
            asked: Mutex::default(),
            listed: Mutex::default(),
            lists_asked: Mutex::default(),
            located: Mutex::default(),
            sought: Mutex::default(),
        })
    }

    /// Reads these facts, and diagnoses them.
    pub(crate) fn of_facts(facts: Facts) -> Arc<Self> {
        let diagnosis = Diagnosis {
            report: Arc::new(diagnose(&facts)),
            facts: Arc::new(facts),
        };
        Arc::new(Self {
            behaviour: Box::new(move |_| Ok(diagnosis.clone())),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            started: AtomicUsize::new(0),
            asked: Mutex::default(),
            listed: Mutex::default(),
            lists_asked: Mutex::default(),
            located: Mutex::default(),
            sought: Mutex::default(),
        })
    }

    pub(crate) fn healthy() -> Arc<Self> {
        Self::new(|request| Ok(report(request.cluster.as_str())))
    }

    /// How many runs were started.
    pub(crate) fn runs(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// Lets other tasks go on until this many runs were started.
    pub(crate) async fn wait_for_runs(&self, runs: usize) {
        while self.runs() < runs {
            tokio::task::yield_now().await;
        }
    }
}

impl Engine for FakeEngine {
    fn diagnose(
        &self,
        request: DiagnosisRequest,
        _progress: Progress,
    ) -> BoxFuture<'_, Result<Diagnosis, DiagnosisError>> {
        async move {
            self.started.fetch_add(1, Ordering::SeqCst);
            self.asked.lock().unwrap().push(request.clone());
            self.gate.acquire().await.unwrap().forget();
            (self.behaviour)(&request)
        }
        .boxed()
    }

    fn list_clusters(&self, wanted: ClustersWanted) -> BoxFuture<'_, Located> {
        self.lists_asked.lock().unwrap().push(wanted);
        let listed = self.listed.lock().unwrap().clone();
        async move { listed }.boxed()
    }

    fn locate(&self, sought: Sought) -> BoxFuture<'_, Located> {
        async move {
            self.sought.lock().unwrap().push(sought);
            self.located.lock().unwrap().clone()
        }
        .boxed()
    }
}

/// Limits that no test meets by accident.
pub(crate) fn policy() -> Policy {
    Policy {
        cache: Duration::from_hours(1),
        concurrent_runs: 32,
        allowed_subscriptions: BTreeSet::new(),
    }
}

/// The app in front of an engine.
pub(crate) fn app(engine: Arc<FakeEngine>, policy: Policy) -> App {
    App {
        jobs: Jobs {
            ids: Ids::new(Some("a key")),
            share_seconds: policy.cache.as_secs(),
            delivery: Delivery::Local(Local::new()),
            notify: None,
            sweep: true,
        },
        reports: Ok(Reports::new(engine, policy)),
        health: Health::ok(Some("managedIdentity")),
        fleet: Arc::new(Rows::Nowhere),
    }
}

/// The same app, as the Functions host starts it.
pub(crate) fn hosted(engine: Arc<FakeEngine>, policy: Policy) -> App {
    let mut app = app(engine, policy);
    app.jobs.delivery = Delivery::Host;
    app
}

/// A report with one finding per family that sections tell apart, and two gaps.
pub(crate) fn report(cluster: &str) -> Report {
    let id = Id::new(cluster);
    Report {
        schema_version: SCHEMA_VERSION.to_owned(),
        generated_at: Timestamp::UNIX_EPOCH,
        window: ReportWindow {
            start: Timestamp::UNIX_EPOCH,
            end: Timestamp::UNIX_EPOCH,
        },
        cluster: summary(&id),
        verdict: Verdict {
            status: Status::Blocked,
            headline: "The headline".to_owned(),
            pattern: Pattern::Persistent,
            pattern_evidence: Vec::new(),
            complete: false,
        },
        outbound: Outbound {
            declared_type: Some("userAssignedNATGateway".to_owned()),
            agrees_with_actual: Some(false),
            paths: Vec::new(),
        },
        egress_endpoints: EgressEndpoints {
            source: None,
            items: Vec::new(),
            notes: Vec::new(),
        },
        nat_gateway: NatGatewaySection {
            expected: true,
            gateways: Vec::new(),
            associations: Vec::new(),
        },
        snat: Snat {
            device: SnatDevice::NatGateway,
            resource_ids: Vec::new(),
            failed_connections: None,
            failed_windows: None,
            failed_window_minutes: None,
            allocated_per_node: None,
            used_peak: None,
            utilization_peak: None,
            backends: Vec::new(),
            series: Vec::new(),
            capacity: None,
            recommendation: None,
        },
        nodes: Nodes {
            closer_look: CloserLook {
                taken: false,
                why: "not asked for".to_owned(),
            },
            cpu_peak_percent: None,
            memory_peak_percent: None,
            disk_peak_percent: None,
            not_ready: Vec::new(),
            hottest: Vec::new(),
            conditions: Vec::new(),
            health: Vec::new(),
            series: Vec::new(),
        },
        disks: Disks::default(),
        findings: ["CLS101", "NSG101", "NAT101", "SNT101"].map(finding).into(),
        checks: Vec::new(),
        gaps: vec![gap("about SNAT", &["SNT101"]), gap("about anything", &[])],
        next_steps: Vec::new(),
        stats: Stats::default(),
    }
}

fn summary(id: &Id) -> ClusterSummary {
    ClusterSummary {
        id: id.clone(),
        name: id.name().to_owned(),
        resource_group: "rg".to_owned(),
        subscription_id: SUBSCRIPTION.to_owned(),
        location: None,
        kubernetes_version: None,
        node_resource_group: None,
        network_plugin: None,
        network_plugin_mode: None,
        network_dataplane: None,
        private_cluster: None,
        power_state: None,
        provisioning_state: None,
        node_pools: None,
    }
}

fn finding(code: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        slug: "slug".to_owned(),
        severity: Severity::Critical,
        confidence: Confidence::Certain,
        title: "title".to_owned(),
        explanation: "explanation".to_owned(),
        seen_at: None,
        evidence: Vec::new(),
        affected: Affected::default(),
        remediation: Vec::new(),
        docs: Vec::new(),
        blocks_egress: true,
    }
}

fn gap(what: &str, checks: &[&str]) -> Gap {
    Gap {
        what: what.to_owned(),
        cause: GapCause::Forbidden,
        http_status: Some(403),
        error_code: None,
        needs: None,
        checks: checks.iter().map(ToString::to_string).collect(),
    }
}

/// Query parameters, encoded.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let byte = |b: u8| match char::from(b) {
            plain if plain.is_ascii_alphanumeric() => plain.to_string(),
            _ => format!("%{b:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// A JSON body with these string fields.
pub(crate) fn body(pairs: &[(&str, &str)]) -> String {
    serde_json::to_string(&pairs.iter().copied().collect::<BTreeMap<_, _>>()).unwrap()
}
