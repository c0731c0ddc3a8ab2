//! The reads of one search: what fails is remembered, in words for the caller.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use egress_arm::read::{Field, Tolerant};
use egress_arm::{ArmError, Failure, Operation, ResourceId, Session, operations};
use serde::de::{DeserializeOwned, IgnoredAny};

pub(super) struct Ask<'a> {
    session: &'a Session,
    allowed: &'a BTreeSet<String>,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    reasons: Vec<String>,
    passing: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn new(session: &'a Session, allowed: &'a BTreeSet<String>) -> Self {
        Self {
            session,
            allowed,
            noted: Mutex::default(),
        }
    }

    /// Whether the id is in a subscription that may be asked; if not, that is noted.
    pub(super) fn may_ask(&self, id: &ResourceId) -> bool {
        let subscription = id.subscription().to_ascii_lowercase();
        let may = self.allowed.is_empty() || self.allowed.contains(&subscription);
        if !may {
            self.note(format!(
                "subscription {subscription} is not on this app's allow-list"
            ));
        }
        may
    }

    /// Reads one resource.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
    ) -> Option<T> {
        if !self.may_ask(id) {
            return None;
        }
        let answer = self.session.get(operation, id, &[]).await;
        answer
            .map_err(|error| self.failed(operation, id, &error))
            .ok()
    }

    /// Reads a list to its end. Items that cannot be used are left out, and noted.
    pub(super) async fn list<T: Tolerant>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
    ) -> Option<Vec<T>> {
        if !self.may_ask(id) {
            return None;
        }
        let answer: Result<Vec<Field<T>>, _> = self.session.list(operation, id, &[]).await;
        let items = answer
            .map_err(|error| self.failed(operation, id, &error))
            .ok()?;
        let whole = items.len();
        let items: Vec<T> = items.into_iter().filter_map(|item| item.0).collect();
        if items.len() < whole {
            self.note(format!(
                "{} of {}: some items could not be read",
                operation.name,
                id.name()
            ));
        }
        Some(items)
    }

    /// Whether there is such a cluster, as far as can be told: only a plain no is a no.
    pub(super) async fn exists(&self, cluster: &ResourceId) -> bool {
        if !self.may_ask(cluster) {
            return false;
        }
        let operation = &operations::CLUSTER_GET;
        let answer = self
            .session
            .get::<IgnoredAny>(operation, cluster, &[])
            .await;
        match answer {
            Err(error) if matches!(error.failure(), Failure::NotFound { .. }) => {
                self.failed(operation, cluster, &error);
                false
            }
            _ => true,
        }
    }

    fn failed(&self, operation: &'static Operation, id: &ResourceId, error: &ArmError) {
        tracing::info!(
            operation = operation.name,
            request_id = error.request_id(),
            "{}",
            error.detail()
        );
        let passing = matches!(
            error.failure(),
            Failure::Throttled { .. }
                | Failure::TimedOut
                | Failure::Unreachable
                | Failure::IdentityFailed
        );
        // Lists are asked of a scope; what they list says more than the scope's own type.
        let what = operation
            .action
            .rsplit_once('/')
            .map_or("", |(what, _)| what);
        self.note(format!("{what} of {}: {error}", id.name()));
        if passing {
            self.lock().passing = true;
        }
    }

    pub(super) fn note(&self, reason: String) {
        let mut noted = self.lock();
        if !noted.reasons.contains(&reason) {
            noted.reasons.push(reason);
        }
    }

    /// The reasons, and whether some of them may be over soon.
    pub(super) fn noted(self) -> (Vec<String>, bool) {
        let noted = self
            .noted
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        (noted.reasons, noted.passing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
