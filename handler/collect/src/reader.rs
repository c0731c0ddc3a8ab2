//! One report's reads: every call ends as a datum, at the latest at the deadline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use egress_arm::read::{Field, Tolerant};
use egress_arm::{ArmError, Operation, ResourceId, Session, model, operations};
use egress_diagnosis::facts::{Cloud, Datum, Features, Id, Window};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::outcome::{datum_of, malformed, timed_out};
use crate::{Progress, Request};

/// What the waves share.
pub(crate) struct Shared<'a> {
    session: &'a Session,
    request: &'a Request,
    cloud: egress_arm::Cloud,
    begun: AtomicUsize,
    done: AtomicUsize,
    waves: AtomicUsize,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(
        session: &'a Session,
        request: &'a Request,
        cloud: egress_arm::Cloud,
    ) -> Self {
        Self {
            session,
            request,
            cloud,
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            waves: AtomicUsize::new(USUAL_WAVES),
        }
    }

    /// The reader of the first wave.
    pub(crate) fn first_wave(&'a self) -> Reader<'a> {
        Reader {
            shared: self,
            wave: 1,
            last: usize::MAX,
        }
    }

    /// The reader for what depends on all that was read.
    pub(crate) fn after_all(&'a self) -> Reader<'a> {
        self.first_wave().after_all_so_far()
    }
}

/// Dependent waves of a plan in which everything is where AKS puts it.
const USUAL_WAVES: usize = 3;
/// Dependent waves that no plan exceeds.
const MOST_WAVES: usize = 5;

/// Reads for one wave of the plan.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    shared: &'a Shared<'a>,
    wave: usize,
    /// The last wave that may ask anything.
    last: usize,
}

/// Why a reader beyond its last wave asks nothing.
const TOO_LATE: &str =
    "it became known too late: reading it would take one more round trip than the plan allows";

impl Reader<'_> {
    /// The reader for what depends on this wave's answers.
    pub(crate) fn next_wave(self) -> Self {
        Self {
            wave: self.wave + 1,
            ..self
        }
    }

    /// The reader for what depends on everything of which anything was heard so far, if the plan still has a wave for it.
    pub(crate) fn after_all_so_far(self) -> Self {
        Self {
            wave: self.shared.waves.load(Ordering::Relaxed) + 1,
            last: MOST_WAVES,
            ..self
        }
    }

    /// This reader, of whose followers the one `further` waves on is the last that asks anything. What later ones are asked
    /// for is *not asked*, with that reason.
    pub(crate) fn until(self, further: usize) -> Self {
        Self {
            last: self.wave + further,
            ..self
        }
    }

    /// What is known beside the cluster's body: the cloud that is asked. Extensions have no read in the plan.
    pub(crate) fn features(self) -> Features {
        let cloud = match self.shared.cloud {
            egress_arm::Cloud::Public => Cloud::Public,
            egress_arm::Cloud::China => Cloud::China,
            egress_arm::Cloud::UsGov => Cloud::UsGov,
        };
        Features {
            cloud: Some(cloud),
            extensions: None,
        }
    }

    /// The metrics window.
    pub(crate) fn window(self) -> Window {
        self.shared.request.window
    }

    /// The time of asking.
    pub(crate) fn asked_at(self) -> Timestamp {
        self.shared.request.asked_at
    }

    /// How long until the deadline.
    pub(crate) fn time_left(self) -> Duration {
        let deadline = self.shared.request.deadline;
        deadline.saturating_duration_since(Instant::now())
    }

    /// Reads one answer, errors as they are: only the cluster's own read needs them.
    pub(crate) async fn try_get<T: DeserializeOwned>(
        self,
        operation: &'static Operation,
        id: &ResourceId,
    ) -> Result<T, ArmError> {
        self.counted(operation, self.shared.session.get(operation, id, &[]))
            .await
    }

    /// Reads one answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        self,
        operation: &'static Operation,
        id: &Id,
        query: &[(&str, &str)],
    ) -> Datum<T> {
        let Some(asked) = resource_id(operation, id) else {
            return malformed();
        };
        let call = self.shared.session.get(operation, &asked, query);
        self.datum(operation, &asked, call).await
    }

    /// Reads the part of an answer that `read` takes out of it.
    pub(crate) async fn get_part<T>(
        self,
        operation: &'static Operation,
        id: &Id,
        query: &[(&str, &str)],
        read: impl FnOnce(&[u8]) -> serde_json::Result<T> + Send,
    ) -> Datum<T> {
        let Some(asked) = resource_id(operation, id) else {
            return malformed();
        };
        let call = self.shared.session.get_part(operation, &asked, query, read);
        self.datum(operation, &asked, call).await
    }

    /// Whether resources of this region can be asked for their metrics together.
    pub(crate) fn has_metrics_batch(self, region: &str) -> bool {
        let endpoints = self.shared.session.endpoints();
        endpoints.metrics().origin(region).is_some()
    }

    /// Reads metrics of several resources of one type and region at once.
    pub(crate) async fn metrics_batch(
        self,
        region: &str,
        subscription: &Id,
        query: &[(&str, &str)],
        resources: &[&Id],
    ) -> Datum<model::MetricsBatch> {
        let operation = &operations::METRICS_BATCH;
        let Some(asked) = resource_id(operation, subscription) else {
            return malformed();
        };
        let ids: Vec<&str> = resources.iter().map(|id| id.as_str()).collect();
        let session = self.shared.session;
        let call = session.metrics_batch(region, &asked, query, &ids);
        self.datum(operation, &asked, call).await
    }

    /// Asks a question that goes in a body.
    pub(crate) async fn query<T: DeserializeOwned>(
        self,
        operation: &'static Operation,
        id: &Id,
        body: &serde_json::Value,
    ) -> Datum<T> {
        let Some(asked) = resource_id(operation, id) else {
            return malformed();
        };
        let call = self.shared.session.query(operation, &asked, body);
        self.datum(operation, &asked, call).await
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: Tolerant>(
        self,
        operation: &'static Operation,
        id: &Id,
    ) -> Datum<Vec<Field<T>>> {
        self.list_where(operation, id, &[]).await
    }

    /// Reads the part of a list that `query` asks for, to its end.
    pub(crate) async fn list_where<T: Tolerant>(
        self,
        operation: &'static Operation,
        id: &Id,
        query: &[(&str, &str)],
    ) -> Datum<Vec<Field<T>>> {
        let Some(asked) = resource_id(operation, id) else {
            return malformed();
        };
        let call = self.shared.session.list(operation, &asked, query);
        self.datum(operation, &asked, call).await
    }

    /// Reads the first pages of a list, at most so many; also whether there is more.
    pub(crate) async fn list_begin<T: Tolerant>(
        self,
        operation: &'static Operation,
        id: &Id,
        query: &[(&str, &str)],
        pages: usize,
    ) -> Datum<(Vec<Field<T>>, bool)> {
        let Some(asked) = resource_id(operation, id) else {
            return malformed();
        };
        let session = self.shared.session;
        let call = session.list_begin(operation, &asked, query, pages);
        self.datum(operation, &asked, call).await
    }

    async fn datum<T>(
        self,
        operation: &'static Operation,
        asked: &ResourceId,
        call: impl Future<Output = Result<T, ArmError>>,
    ) -> Datum<T> {
        if self.wave > self.last {
            return Datum::not_asked(TOO_LATE);
        }
        let deadline = self.shared.request.deadline;
        if Instant::now() >= deadline {
            return timed_out();
        }
        // The client keeps to the deadline too; this holds it to it.
        match self.counted(operation, timeout_at(deadline, call)).await {
            Ok(Ok(answer)) => Datum::Known(answer),
            Ok(Err(error)) => {
                tracing::info!(
                    operation = operation.name,
                    request_id = error.request_id(),
                    "{}",
                    error.detail()
                );
                datum_of(&error, operation, asked)
            }
            Err(_elapsed) => timed_out(),
        }
    }

    /// Runs a call between two progress reports.
    async fn counted<T>(self, operation: &'static Operation, call: impl Future<Output = T>) -> T {
        let shared = self.shared;
        shared.begun.fetch_add(1, Ordering::Relaxed);
        shared.waves.fetch_max(self.wave, Ordering::Relaxed);
        self.report(operation);
        let outcome = call.await;
        shared.done.fetch_add(1, Ordering::Relaxed);
        self.report(operation);
        outcome
    }

    fn report(self, operation: &'static Operation) {
        if let Some(report) = &self.shared.request.progress {
            report(Progress {
                wave: self.wave,
                waves: self.shared.waves.load(Ordering::Relaxed),
                what: operation.name,
                done: self.shared.done.load(Ordering::Relaxed),
                total: self.shared.begun.load(Ordering::Relaxed),
            });
        }
    }
}

/// Answers by what they answer. One by one: collecting would bring a sort of its own for every type into the binary.
pub(crate) fn keyed<K: Ord, T>(answers: impl IntoIterator<Item = (K, T)>) -> BTreeMap<K, T> {
    let mut all = BTreeMap::new();
    all.extend(answers);
    all
}

/// An id from a body as one that may be asked for: well-formed, and of the operation's type.
fn resource_id(operation: &'static Operation, id: &Id) -> Option<ResourceId> {
    match operation.target {
        Some(target) => ResourceId::parse_type(id.as_str(), target),
        None => ResourceId::parse(id.as_str()),
    }
    .ok()
}
