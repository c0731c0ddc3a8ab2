//! Our own links of the request pipeline: the fence round the token, and repeats that never outlive the deadline.

use std::sync::Arc;
use std::time::Duration;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{
    AUTHORIZATION, Headers, RETRY_AFTER, RETRY_AFTER_MS, USER_AGENT, X_MS_RETRY_AFTER_MS,
};
use azure_core::http::policies::{Policy, PolicyResult, get_retry_after};
use azure_core::http::{Context, Method, Request, StatusCode, Url};
use azure_core::time::OffsetDateTime;
use rand::RngExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::blobs::BlobEndpoint;
use crate::cloud::Endpoints;
use crate::credential::SharedCredential;
use crate::error::request_id;
use crate::metrics_plane::MetricsPlane;
use crate::session::Counters;

/// Longest wait for one answer; a report's deadline is longer.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_REPEATS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(400);
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// Spread over which requests that were told the same `Retry-After` come back.
const JITTER: Duration = Duration::from_millis(250);

const PRODUCT: &str = concat!("aks-egress-diagnostics/", env!("CARGO_PKG_VERSION"));

/// What a request knows of the session it belongs to; travels in the pipeline's context.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) deadline: Instant,
    pub(crate) counters: Arc<Counters>,
    pub(crate) permits: Option<Arc<Semaphore>>,
    /// Whether it only reads, so that even a POST may be repeated.
    pub(crate) reads: bool,
}

/// Why the pipeline itself ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("no answer before the deadline")]
    TimedOut,
    #[error("the token is not sent to a host other than the configured one")]
    ForeignHost,
}

impl Stopped {
    fn error(self) -> Error {
        Error::new(ErrorKind::Other, self)
    }
}

/// Lets nothing pass to another origin than the one the token is for, and names the product. Stands before the bearer
/// policy.
#[derive(Debug)]
pub(crate) enum Fence {
    /// Resource Manager.
    Arm(Endpoints),
    /// A storage account's blobs.
    Blobs(BlobEndpoint),
    /// The metrics data plane.
    Metrics(MetricsPlane),
}

impl Fence {
    fn lets_pass(&self, url: &Url) -> bool {
        match self {
            Self::Arm(endpoints) => endpoints.is_arm_or_regional(url),
            Self::Blobs(endpoint) => endpoint.has(url),
            Self::Metrics(plane) => plane.has(url),
        }
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature; a written '_ would be early-bound under async_trait and not match it"
)]
#[async_trait::async_trait]
impl Policy for Fence {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        if !self.lets_pass(request.url()) {
            return Err(Stopped::ForeignHost.error());
        }
        request.insert_header(USER_AGENT, PRODUCT);
        forward(ctx, request, next).await
    }
}

/// Stands between the bearer policy and the wire: of a token that Azure refuses (401), the credential hears before the
/// bearer policy drops its copy, so that the copy's successor cannot be the same token again.
#[derive(Debug)]
pub(crate) struct RefusedToken(pub(crate) Arc<SharedCredential>);

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature; a written '_ would be early-bound under async_trait and not match it"
)]
#[async_trait::async_trait]
impl Policy for RefusedToken {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let response = forward(ctx, request, next).await?;
        if response.status() == StatusCode::Unauthorized {
            let header = request.headers().get_optional_str(&AUTHORIZATION);
            if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
                self.0.refused(token).await;
            }
        }
        Ok(response)
    }
}

/// Repeats what may be repeated while the session's deadline allows.
#[derive(Debug)]
pub(crate) struct Repeat;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature; a written '_ would be early-bound under async_trait and not match it"
)]
#[async_trait::async_trait]
impl Policy for Repeat {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let Some(call) = ctx.value::<Call>() else {
            return forward(ctx, request, next).await;
        };
        let may_repeat = call.reads || request.method() == Method::Get;
        let mut repeats = 0;
        let mut renewed = false;
        loop {
            let outcome = one_try(call, ctx, request, next).await;
            if let Ok(response) = &outcome {
                if !response.status().is_success() {
                    call.counters.failed(request_id(response.headers()));
                }
                // A refused token says nothing of the request, so even an action may be sent again.
                if response.status() == StatusCode::Unauthorized && !renewed {
                    renewed = true;
                    call.counters.repeated();
                    continue;
                }
            }
            let Some(delay) = delay_before_repeat(may_repeat, &outcome, repeats) else {
                return outcome;
            };
            let in_time = Instant::now()
                .checked_add(delay)
                .is_some_and(|at| at < call.deadline);
            if repeats >= MAX_REPEATS || !in_time {
                return outcome;
            }
            sleep(delay).await;
            repeats += 1;
            call.counters.repeated();
        }
    }
}

async fn one_try(
    call: &Call,
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    let late = || Stopped::TimedOut.error();
    let _permit = match &call.permits {
        Some(permits) => timeout_at(call.deadline, permits.acquire())
            .await
            .map_err(|_| late())?
            .ok(),
        None => None,
    };
    let now = Instant::now();
    if now >= call.deadline {
        return Err(late());
    }
    call.counters.sent();
    timeout_at(
        call.deadline.min(now + TRY_TIMEOUT),
        forward(ctx, request, next),
    )
    .await
    .unwrap_or_else(|_| Err(late()))
}

/// How long to wait before asking again; `None` when asking again is of no use or not allowed.
fn delay_before_repeat(may_repeat: bool, outcome: &PolicyResult, repeats: u32) -> Option<Duration> {
    if !may_repeat {
        return None;
    }
    match outcome {
        Ok(response) => match u16::from(response.status()) {
            408 | 429 | 500 | 502 | 503 | 504 => {
                let told = retry_after(response.headers());
                Some(told.map_or_else(
                    || backoff(repeats),
                    |told| told.saturating_add(jitter(JITTER)),
                ))
            }
            _ => None,
        },
        Err(error) => {
            let unanswered = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io);
            let late = find::<Stopped>(error) == Some(&Stopped::TimedOut);
            (unanswered || late).then(|| backoff(repeats))
        }
    }
}

/// What the answer's headers ask to wait: `x-ms-retry-after-ms`, `retry-after-ms`, or `Retry-After` in seconds or as a
/// date.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let names = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER];
    Duration::try_from(get_retry_after(headers, OffsetDateTime::now_utc, &names)?).ok()
}

fn backoff(repeats: u32) -> Duration {
    let full = FIRST_BACKOFF
        .saturating_mul(1 << repeats.min(8))
        .min(MAX_BACKOFF);
    // Half fixed, half random: concurrent requests that failed together do not come back together.
    full / 2 + jitter(full / 2)
}

fn jitter(up_to: Duration) -> Duration {
    rand::rng().random_range(Duration::ZERO..=up_to)
}

/// The first error of this type in an error's chain of causes.
pub(crate) fn find<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

async fn forward(
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    let Some((first, rest)) = next.split_first() else {
        return Err(Error::with_message(
            ErrorKind::Other,
            "the pipeline has no transport",
        ));
    };
    first.send(ctx, request, rest).await
}

#[cfg(test)]
mod tests;
