//! Why an answer from Azure could not be used, as a type.

use std::fmt::Display;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};

use crate::error_body::{ErrorBody, MAX_TEXT_CHARS};
use crate::id::ResourceId;
use crate::operations::Operation;
use crate::policy::{self, Stopped};
use crate::transport::TooLarge;

/// A read that gave no usable answer. Its `Display` is safe for the caller of the service; [`ArmError::detail`] is for
/// the log only.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.failure)]
pub struct ArmError(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
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
    /// 404 with Resource Manager's own error code: it does not exist. A 404 without one is [`Failure::Malformed`], and one
    /// that says that type or api-version are unknown is [`Failure::BadRequest`].
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
    /// A long-running operation that was accepted and then ended as failed or cancelled.
    #[error("the operation did not succeed ({})", .code.as_deref().unwrap_or("no error code"))]
    OperationFailed {
        /// Azure's error code.
        code: Option<String>,
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
        Self(Box::new(Parts {
            failure,
            http_status: None,
            error_code: None,
            request_id: None,
            detail: detail.into(),
        }))
    }

    /// An answer other than 2xx to `operation` on `id`.
    pub(crate) fn of_answer(
        operation: &Operation,
        id: &ResourceId,
        status: u16,
        headers: &Headers,
        body: &[u8],
    ) -> Self {
        let body = ErrorBody::parse(body);
        let code = body.code.clone();
        let failure = match status {
            300..=399 => Failure::Malformed,
            400 => Failure::BadRequest {
                code: code.clone(),
                message: body.public_message(),
            },
            401 => Failure::IdentityFailed,
            403 => body.forbidden(operation, id),
            // Not the resource is unknown, but the way it was asked for.
            404 if code.as_deref().is_some_and(is_unsupported) => Failure::BadRequest {
                code: code.clone(),
                message: body.public_message(),
            },
            // Without a code it is not Resource Manager that says so; absence is too strong a claim to make of that.
            404 if code.is_none() => Failure::Malformed,
            404 => Failure::NotFound { code: code.clone() },
            408 | 504 => Failure::TimedOut,
            429 => Failure::Throttled {
                retry_after: policy::retry_after(headers),
            },
            500..=599 => Failure::Unreachable,
            _ => Failure::Other {
                status,
                code: code.clone(),
            },
        };
        let shown = code.as_deref().unwrap_or("no error code");
        Self(Box::new(Parts {
            failure,
            http_status: Some(status),
            request_id: request_id(headers),
            detail: format!("{}: HTTP {status}, {shown}", operation.name),
            error_code: code,
        }))
    }

    /// The failed end of a long-running operation.
    pub(crate) fn of_failed_operation(
        operation: &Operation,
        headers: &Headers,
        body: &[u8],
    ) -> Self {
        let code = ErrorBody::parse(body).code;
        let shown = code.as_deref().unwrap_or("no error code");
        Self(Box::new(Parts {
            request_id: request_id(headers),
            detail: format!("{}: ended without success, {shown}", operation.name),
            failure: Failure::OperationFailed { code: code.clone() },
            error_code: code,
            http_status: None,
        }))
    }

    /// The pipeline gave no answer at all.
    pub(crate) fn of_pipeline(operation: &Operation, error: &azure_core::Error) -> Self {
        Self::of_transport(operation.name, error)
    }

    /// The same for what is no operation of Resource Manager; `what` is for the log.
    pub(crate) fn of_transport(what: &str, error: &azure_core::Error) -> Self {
        let failure = if let Some(stopped) = policy::find::<Stopped>(error) {
            match stopped {
                Stopped::TimedOut => Failure::TimedOut,
                Stopped::ForeignHost => Failure::Malformed,
            }
        } else if policy::find::<TooLarge>(error).is_some() {
            Failure::Malformed
        } else if *error.kind() == ErrorKind::Credential {
            Failure::IdentityFailed
        } else {
            Failure::Unreachable
        };
        Self::new(failure, format!("{what}: {}", causes(error)))
    }

    /// An answer of 2xx that is not what the API documents.
    pub(crate) fn malformed(operation: &Operation, what: impl Display) -> Self {
        Self::new(Failure::Malformed, format!("{}: {what}", operation.name))
    }

    /// Answers that are each as documented, and together not what was asked for.
    pub fn incomplete(operation: &Operation, what: &str) -> Self {
        Self::malformed(operation, what)
    }

    /// What went wrong.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// The HTTP status, when there was an answer.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// Azure's error code, when the answer carried one.
    pub fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// The answer's `x-ms-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What the log should say: technical, never with a token, a whole URL or personal data.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn with_answer(mut self, status: u16, headers: &Headers) -> Self {
        self.0.http_status = Some(status);
        self.0.request_id = request_id(headers);
        self
    }
}

/// Codes with which Resource Manager says that it does not know the type or the api-version.
fn is_unsupported(code: &str) -> bool {
    [
        "InvalidResourceType",
        "InvalidApiVersionParameter",
        "NoRegisteredProviderFound",
    ]
    .iter()
    .any(|known| known.eq_ignore_ascii_case(code))
}

/// `x-ms-request-id`, when it looks like one.
pub(crate) fn request_id(headers: &Headers) -> Option<String> {
    headers
        .get_optional_str(&HeaderName::from_static("x-ms-request-id"))
        .filter(|id| id.len() <= 128 && id.chars().all(|c| c.is_ascii_graphic()))
        .map(str::to_owned)
}

/// An error with its causes, the outermost repeating the inner ones left out.
fn causes(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text.chars().take(MAX_TEXT_CHARS).collect()
}
