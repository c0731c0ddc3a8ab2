//! One report's use of the client.

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::ArmError;
use crate::error::Failure;
use crate::id::ResourceId;
use crate::operations::Operation;

/// One report's use of a [`Client`]: its deadline, its counters, its limit on concurrent requests. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
    deadline: Instant,
}

/// What a session has cost so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent to Resource Manager, repeats and pages included.
    pub calls: u64,
    /// Requests that were repeats of a failed one.
    pub retries: u64,
    /// `x-ms-request-id` of answers that were errors; at most 20.
    pub failed_request_ids: Vec<String>,
}

impl Session {
    pub(crate) fn new(client: Client, deadline: Instant) -> Self {
        Self { client, deadline }
    }

    /// At most this many requests of this session at the same time.
    #[must_use]
    pub fn with_concurrency(self, _limit: usize) -> Self {
        self
    }

    /// When the session ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the session has cost so far.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// Asks one operation of `id` and reads its answer. `query` is added to `api-version`.
    ///
    /// A collection is asked of its scope: `…_LIST` operations of a group with the group's id.
    ///
    /// # Errors
    /// [`ArmError`].
    pub async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        query: &[(&str, &str)],
    ) -> Result<T, ArmError> {
        let _ = (operation, id, query, &self.client);
        Err(ArmError::new(Failure::Unreachable, "not connected yet"))
    }

    /// Asks a list operation and follows its pages to the end.
    ///
    /// # Errors
    /// [`ArmError`]; a page that fails fails the list, because a part would look like the whole.
    pub async fn list<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, ArmError> {
        let _ = (operation, id, query);
        Err(ArmError::new(Failure::Unreachable, "not connected yet"))
    }

    /// Starts a long-running operation and waits for its result.
    ///
    /// # Errors
    /// [`ArmError`].
    pub async fn post_long_running<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        body: Option<&serde_json::Value>,
    ) -> Result<T, ArmError> {
        let _ = (operation, id, body);
        Err(ArmError::new(Failure::Unreachable, "not connected yet"))
    }
}
