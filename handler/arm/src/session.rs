//! One report's use of the client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::http::headers::{ACCEPT, CONTENT_TYPE, Headers};
use azure_core::http::{
    Context, Method as HttpMethod, Pipeline, PipelineSendOptions, Request, Url,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::client::Client;
use crate::cloud::Endpoints;
use crate::error::{ArmError, Failure};
use crate::id::ResourceId;
use crate::long_running;
use crate::operations::{METRICS_BATCH, Method, Operation};
use crate::paging;
use crate::policy::Call;

const MAX_REQUEST_IDS: usize = 20;

/// One report's use of a [`Client`]: its deadline, its counters, its limit on concurrent requests. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
    call: Call,
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

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    retries: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl Counters {
    pub(crate) fn sent(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeated(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, request_id: Option<String>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() < MAX_REQUEST_IDS {
            failed.extend(request_id);
        }
    }

    fn stats(&self) -> Stats {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            failed_request_ids: failed.clone(),
        }
    }
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as `T`. What serde says of a wrong value quotes the value, so only the place is kept.
    pub(crate) fn read<T: DeserializeOwned>(&self, operation: &Operation) -> Result<T, ArmError> {
        self.read_by(operation, |body| serde_json::from_slice(body))
    }

    fn read_by<T>(
        &self,
        operation: &Operation,
        read: impl FnOnce(&[u8]) -> serde_json::Result<T>,
    ) -> Result<T, ArmError> {
        read(&self.body).map_err(|error| {
            let place = format!(
                "the body is not as documented ({:?}, line {}, column {})",
                error.classify(),
                error.line(),
                error.column()
            );
            ArmError::malformed(operation, place).with_answer(self.status, &self.headers)
        })
    }
}

impl Session {
    pub(crate) fn new(client: Client, deadline: Instant) -> Self {
        Self {
            client,
            call: Call {
                deadline,
                counters: Arc::default(),
                permits: None,
                reads: false,
            },
        }
    }

    /// At most this many requests of this session at the same time.
    #[must_use]
    pub fn with_concurrency(mut self, limit: usize) -> Self {
        self.call.permits = Some(Arc::new(Semaphore::new(limit.max(1))));
        self
    }

    /// When the session ends.
    pub fn deadline(&self) -> Instant {
        self.call.deadline
    }

    /// What the session has cost so far.
    pub fn stats(&self) -> Stats {
        self.call.counters.stats()
    }

    /// Where requests go.
    pub fn endpoints(&self) -> &Endpoints {
        self.client.endpoints()
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
        let url = self.url(operation, id, query)?;
        self.send(operation, id, url, None).await?.read(operation)
    }

    /// The same for an answer of which only a part is wanted: `read` takes it out of the whole body, so that the rest
    /// never exists as values.
    ///
    /// # Errors
    /// [`ArmError`]; malformed when `read` fails.
    pub async fn get_part<T>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        query: &[(&str, &str)],
        read: impl FnOnce(&[u8]) -> serde_json::Result<T> + Send,
    ) -> Result<T, ArmError> {
        let url = self.url(operation, id, query)?;
        let answer = self.send(operation, id, url, None).await?;
        answer.read_by(operation, read)
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
        let first = self.url(operation, id, query)?;
        paging::collect(self, operation, id, first).await
    }

    /// Asks a list operation for its first pages, at most so many: for a list of which the beginning tells most. Also gives
    /// whether there is more.
    ///
    /// # Errors
    /// [`ArmError`]; a page that fails fails the list.
    pub async fn list_begin<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        query: &[(&str, &str)],
        pages: usize,
    ) -> Result<(Vec<T>, bool), ArmError> {
        let first = self.url(operation, id, query)?;
        paging::begin(self, operation, id, first, pages).await
    }

    /// Asks a [`Method::Query`] operation and reads its answer.
    ///
    /// # Errors
    /// [`ArmError`].
    pub async fn query<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        body: &serde_json::Value,
    ) -> Result<T, ArmError> {
        let url = self.url(operation, id, &[])?;
        let body = Some(Bytes::from(body.to_string()));
        self.send(operation, id, url, body).await?.read(operation)
    }

    /// Asks the metrics data plane for metrics of several resources of one type in `region`, all in `subscription`. At
    /// most 50 are answered at once.
    ///
    /// # Errors
    /// [`ArmError`]; [`Failure::Unreachable`](crate::Failure::Unreachable) where no endpoint is configured for the region.
    pub async fn metrics_batch<T: DeserializeOwned>(
        &self,
        region: &str,
        subscription: &ResourceId,
        query: &[(&str, &str)],
        resources: &[&str],
    ) -> Result<T, ArmError> {
        let operation = &METRICS_BATCH;
        let plane = self.endpoints().metrics();
        let origin = plane.origin(region).ok_or_else(|| {
            let detail = format!("{}: no endpoint for {region:?}", operation.name);
            ArmError::new(Failure::Unreachable, detail)
        })?;
        let url = url(&origin, operation, subscription, query)?;
        let body = serde_json::json!({ "resourceids": resources }).to_string();
        let request = request(operation, url, Some(Bytes::from(body)));
        let pipeline = self.client.metrics_pipeline().await?;
        let answer = self.exchange(pipeline, operation, subscription, request);
        answer.await?.read(operation)
    }

    /// Starts a long-running operation and waits for its result, within the session's deadline.
    ///
    /// # Errors
    /// [`ArmError`].
    pub async fn post_long_running<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        id: &ResourceId,
        body: Option<&serde_json::Value>,
    ) -> Result<T, ArmError> {
        let url = self.url(operation, id, &[])?;
        let body = body.map(|body| Bytes::from(body.to_string()));
        let started = self.send(operation, id, url, body).await?;
        long_running::finish(self, operation, id, started).await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn url(
        &self,
        operation: &Operation,
        id: &ResourceId,
        query: &[(&str, &str)],
    ) -> Result<Url, ArmError> {
        url(self.endpoints().arm(), operation, id, query)
    }

    /// Sends one request, with a body as POST, and reads the answer. Anything but 2xx is an error.
    async fn send(
        &self,
        operation: &Operation,
        id: &ResourceId,
        url: Url,
        body: Option<Bytes>,
    ) -> Result<Answer, ArmError> {
        let pipeline = self.client.pipeline().await?;
        let request = request(operation, url, body);
        self.exchange(pipeline, operation, id, request).await
    }

    /// Follows a link that Azure gave, verbatim. Whoever calls this has checked where it points.
    pub(crate) async fn follow(
        &self,
        operation: &Operation,
        id: &ResourceId,
        link: Url,
    ) -> Result<Answer, ArmError> {
        let pipeline = self.client.pipeline().await?;
        let request = Request::new(link, HttpMethod::Get);
        self.exchange(pipeline, operation, id, request).await
    }

    async fn exchange(
        &self,
        pipeline: &Pipeline,
        operation: &Operation,
        id: &ResourceId,
        mut request: Request,
    ) -> Result<Answer, ArmError> {
        request.insert_header(ACCEPT, "application/json");
        let call = Call {
            reads: operation.method == Method::Query,
            ..self.call.clone()
        };
        let context = Context::new().with_value(call);
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let response = Box::pin(pipeline.send(&context, &mut request, Some(options)))
            .await
            .map_err(|error| ArmError::of_pipeline(operation, &error))?;
        let (status, headers, body) = response.deconstruct();
        let answer = Answer {
            status: status.into(),
            headers,
            body: body.into(),
        };
        if status.is_success() {
            Ok(answer)
        } else {
            let error =
                ArmError::of_answer(operation, id, answer.status, &answer.headers, &answer.body);
            tracing::debug!(
                detail = error.detail(),
                request_id = error.request_id(),
                "Azure answered with an error"
            );
            Err(error)
        }
    }
}

/// The operation's URL. Everything in its path has been validated by [`ResourceId`] or stands in the table.
fn url(
    origin: &str,
    operation: &Operation,
    id: &ResourceId,
    query: &[(&str, &str)],
) -> Result<Url, ArmError> {
    if let Some(target) = operation.target
        && !id.is_type(target)
    {
        return Err(ArmError::malformed(
            operation,
            format_args!("asked of a {}, not of a {target}", id.resource_type()),
        ));
    }
    let mut url = Url::parse(&format!("{origin}{id}{}", operation.suffix))
        .map_err(|error| ArmError::malformed(operation, error))?;
    url.query_pairs_mut()
        .append_pair("api-version", operation.api_version)
        .extend_pairs(query);
    // Form encoding writes spaces as +, which the metrics API takes literally in metric names.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Ok(url)
}

fn request(operation: &Operation, url: Url, body: Option<Bytes>) -> Request {
    let method = match operation.method {
        Method::Get => HttpMethod::Get,
        Method::Post | Method::Query => HttpMethod::Post,
    };
    let mut request = Request::new(url, method);
    if let Some(body) = body {
        request.insert_header(CONTENT_TYPE, "application/json");
        request.set_body(body);
    }
    request
}
