//! Reads blobs of one storage account: lists a container, gets a blob. Nothing is ever written.

mod endpoint;
mod page;

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Context, Method, PipelineSendOptions, Request, Url};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

pub use endpoint::BlobEndpoint;
pub use page::BlobItem;

use crate::client::Client;
use crate::error::{ArmError, Failure};
use crate::policy::{Call, Fence, Patience, retry_after};

/// What a token for the blobs of any account, in any cloud, is asked for.
const SCOPE: &str = "https://storage.azure.com/.default";
/// The pinned version of the service's interface.
const VERSION: &str = "2023-11-03";
/// Items on one page; the service gives up to 5,000.
const PAGE_ITEMS: &str = "1000";
/// More pages than anything that is listed here has.
const MAX_PAGES: usize = 200;
/// The right that reading needs, which a data role gives.
const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
/// Requests at the same time.
const CONCURRENT: usize = 32;

/// A storage account's blobs. Cloning shares the token.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    endpoint: BlobEndpoint,
    pipeline: OnceCell<azure_core::http::Pipeline>,
    permits: Arc<Semaphore>,
}

/// What a container holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The blobs, in the order of their names.
    pub blobs: Vec<BlobItem>,
    /// Whether there are more than were wanted.
    pub more: bool,
}

impl Client {
    /// The blobs of a storage account, read as the same identity over the same connections.
    pub fn blobs(&self, endpoint: BlobEndpoint) -> Blobs {
        Blobs(Arc::new(Shared {
            client: self.clone(),
            endpoint,
            pipeline: OnceCell::new(),
            permits: Arc::new(Semaphore::new(CONCURRENT)),
        }))
    }
}

impl Blobs {
    /// Lists a container, and stops when more than `most` are known.
    ///
    /// # Errors
    /// [`ArmError`]; a page that fails fails the list. [`Failure::NotFound`] when there is no such container.
    pub async fn list(
        &self,
        container: &str,
        most: usize,
        deadline: Instant,
    ) -> Result<Listed, ArmError> {
        let mut blobs = Vec::new();
        let mut marker: Option<String> = None;
        // A page may be empty and still not the last.
        for _ in 0..MAX_PAGES {
            let mut url = self.url(&[container])?;
            url.query_pairs_mut()
                .append_pair("restype", "container")
                .append_pair("comp", "list")
                .append_pair("maxresults", PAGE_ITEMS)
                .extend_pairs(marker.as_ref().map(|marker| ("marker", marker)));
            let body = self.get_url(url, None, deadline).await?;
            let page = page::read(&body).map_err(malformed)?;
            blobs.extend(page.blobs);
            if blobs.len() > most {
                blobs.truncate(most);
                return Ok(Listed { blobs, more: true });
            }
            if page.next.is_none() {
                return Ok(Listed { blobs, more: false });
            }
            if page.next == marker {
                return Err(malformed("the list runs in a circle"));
            }
            marker = page.next;
        }
        Err(malformed("the list does not end"))
    }

    /// Reads a blob, of a larger one only the first `most` bytes.
    ///
    /// # Errors
    /// [`ArmError`]. [`Failure::NotFound`] when there is no such blob.
    pub async fn get(
        &self,
        container: &str,
        name: &str,
        most: usize,
        deadline: Instant,
    ) -> Result<Bytes, ArmError> {
        let url = self.url(&[container, name])?;
        let body = self.get_url(url, Some(most), deadline).await?;
        Ok(body.slice(..most.min(body.len())))
    }

    fn url(&self, segments: &[&str]) -> Result<Url, ArmError> {
        let wrong = || malformed("the endpoint takes no path");
        let mut url = Url::parse(self.0.endpoint.as_str()).map_err(|_| wrong())?;
        // Each segment is encoded, a slash in it too.
        url.path_segments_mut()
            .map_err(|()| wrong())?
            .extend(segments);
        Ok(url)
    }

    async fn get_url(
        &self,
        url: Url,
        most: Option<usize>,
        deadline: Instant,
    ) -> Result<Bytes, ArmError> {
        let shared = &self.0;
        let mut request = Request::new(url, Method::Get);
        request.insert_header("x-ms-version", VERSION);
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        request.insert_header("x-ms-date", date.to_string());
        if let Some(last) = most.and_then(|most| most.checked_sub(1)) {
            request.insert_header("x-ms-range", format!("bytes=0-{last}"));
        }
        let context = Context::new().with_value(Call {
            deadline,
            counters: Arc::default(),
            permits: Some(Arc::clone(&shared.permits)),
            reads: true,
            patience: Patience::LONG,
        });
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let pipeline = shared.pipeline.get_or_try_init(|| async {
            let fence = Fence::Blobs(shared.endpoint.clone());
            shared.client.pipeline_to(SCOPE.to_owned(), fence).await
        });
        let response = Box::pin(pipeline.await?.send(&context, &mut request, Some(options)))
            .await
            .map_err(|error| ArmError::of_transport("blob", &error))?;
        let (status, headers, body) = response.deconstruct();
        match u16::from(status) {
            200 | 206 => Ok(body.into()),
            // The first bytes of a blob that has none.
            416 => Ok(Bytes::new()),
            status => Err(refused(status, &headers)),
        }
    }
}

fn malformed(what: &str) -> ArmError {
    ArmError::new(Failure::Malformed, format!("blob: {what}"))
}

/// An answer other than 2xx. Storage names its reason in a header.
fn refused(status: u16, headers: &Headers) -> ArmError {
    let code = headers
        .get_optional_str(&HeaderName::from_static("x-ms-error-code"))
        .filter(|code| code.len() <= 128 && code.bytes().all(|b| b.is_ascii_alphanumeric()))
        .map(str::to_owned);
    let detail = format!(
        "blob: HTTP {status}, {}",
        code.as_deref().unwrap_or("no error code")
    );
    let failure = match status {
        400 => Failure::BadRequest {
            code,
            message: None,
        },
        401 => Failure::IdentityFailed,
        403 => Failure::Forbidden {
            action: Some(READ.to_owned()),
            scope: None,
        },
        404 if code.is_some() => Failure::NotFound { code },
        300..=404 => Failure::Malformed,
        408 | 504 => Failure::TimedOut,
        429 => Failure::Throttled {
            retry_after: retry_after(headers),
        },
        500..=599 => Failure::Unreachable,
        _ => Failure::Other { status, code },
    };
    ArmError::new(failure, detail).with_answer(status, headers)
}
