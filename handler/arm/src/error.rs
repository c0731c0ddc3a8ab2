//! Why an answer from Azure could not be used, as a type.

use std::time::Duration;

/// A read that gave no usable answer. Its `Display` is safe for the caller of the service; [`ArmError::detail`] is for
/// the log only.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct ArmError {
    failure: Failure,
    http_status: Option<u16>,
    error_code: Option<String>,
    request_id: Option<String>,
    detail: String,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// 403: the identity may not do this. Action and scope as far as Azure's message names them.
    #[error("the identity may not perform {} on {}", .action.as_deref().unwrap_or("this operation"), .scope.as_deref().unwrap_or("this scope"))]
    Forbidden {
        /// The missing RBAC action.
        action: Option<String>,
        /// The scope it is missing on.
        scope: Option<String>,
    },
    /// 404: it does not exist.
    #[error("Azure answered that it does not exist ({})", .code.as_deref().unwrap_or("404"))]
    NotFound {
        /// Azure's error code, e.g. `ResourceNotFound`, `ResourceGroupNotFound`.
        code: Option<String>,
    },
    /// 429 that outlived the retries or the deadline.
    #[error("Azure is throttling the requests")]
    Throttled {
        /// How long Azure asked to wait.
        retry_after: Option<Duration>,
    },
    /// No answer in time.
    #[error("Azure did not answer in time")]
    TimedOut,
    /// An answer that is not what the API documents, or that may not be followed.
    #[error("Azure's answer is not what the API documents")]
    Malformed,
    /// The endpoint could not be reached, or kept answering 5xx.
    #[error("Azure could not be reached")]
    Unreachable,
    /// No token could be had, or Azure refused it (401).
    #[error("the identity could not be authenticated")]
    IdentityFailed,
    /// 400: the request is not supported as asked, e.g. an unknown metric or api-version.
    #[error("Azure does not support this request ({})", .code.as_deref().unwrap_or("400"))]
    BadRequest {
        /// Azure's error code.
        code: Option<String>,
        /// Azure's words, without personal data.
        message: Option<String>,
    },
    /// Any other status, 409 among them.
    #[error("Azure answered {status} ({})", .code.as_deref().unwrap_or("no error code"))]
    Other {
        /// The HTTP status.
        status: u16,
        /// Azure's error code.
        code: Option<String>,
    },
}

impl ArmError {
    pub(crate) fn new(failure: Failure, detail: impl Into<String>) -> Self {
        Self {
            failure,
            http_status: None,
            error_code: None,
            request_id: None,
            detail: detail.into(),
        }
    }

    /// What went wrong.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The HTTP status, when there was an answer.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// Azure's error code, when the answer carried one.
    pub fn error_code(&self) -> Option<&str> {
        self.error_code.as_deref()
    }

    /// The answer's `x-ms-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the log should say: technical, never with a token, a whole URL or personal data.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}
