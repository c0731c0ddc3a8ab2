//! Errors as a policy: every way a request can fail, its status, and what the caller and the log are told.
//!
//! The caller's text (`detail`) and the log's text (`log`) are separate fields: one is written for a stranger, the
//! other for the operator, and neither reaches the other's place by accident.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// Media type of every error body (RFC 9457).
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// The stable code of an error. It alone decides the status, so an error can never be sent with a 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidClusterId,
    InvalidRequest,
    ScopeNotAllowed,
    AzureForbidden,
    ClusterNotFound,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    UnsupportedMediaType,
    InternalError,
    BadConfiguration,
    AzureUnreachable,
    IdentityFailed,
    Busy,
    DiagnosisFailed,
}

impl Code {
    pub(crate) const ALL: [Self; 16] = [
        Self::InvalidClusterId,
        Self::InvalidRequest,
        Self::ScopeNotAllowed,
        Self::AzureForbidden,
        Self::ClusterNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InternalError,
        Self::BadConfiguration,
        Self::AzureUnreachable,
        Self::IdentityFailed,
        Self::Busy,
        Self::DiagnosisFailed,
    ];

    /// Name on the wire, status and title.
    fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::InvalidClusterId => (
                "invalidClusterId",
                StatusCode::BAD_REQUEST,
                "The cluster id is not valid",
            ),
            Self::InvalidRequest => (
                "invalidRequest",
                StatusCode::BAD_REQUEST,
                "The request is not valid",
            ),
            Self::ScopeNotAllowed => (
                "scopeNotAllowed",
                StatusCode::FORBIDDEN,
                "The subscription is not on this app's allow-list",
            ),
            Self::AzureForbidden => (
                "azureForbidden",
                StatusCode::FORBIDDEN,
                "Azure does not let this app read the cluster",
            ),
            Self::ClusterNotFound => (
                "clusterNotFound",
                StatusCode::NOT_FOUND,
                "The cluster does not exist",
            ),
            Self::NotFound => (
                "notFound",
                StatusCode::NOT_FOUND,
                "There is nothing at this path",
            ),
            Self::MethodNotAllowed => (
                "methodNotAllowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The method is not allowed here",
            ),
            Self::NotAcceptable => (
                "notAcceptable",
                StatusCode::NOT_ACCEPTABLE,
                "No acceptable format",
            ),
            Self::PayloadTooLarge => (
                "payloadTooLarge",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                "unsupportedMediaType",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body's media type is not supported",
            ),
            Self::InternalError => (
                "internalError",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal error",
            ),
            Self::BadConfiguration => (
                "badConfiguration",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The app's settings are wrong",
            ),
            Self::AzureUnreachable => (
                "azureUnreachable",
                StatusCode::BAD_GATEWAY,
                "Azure could not be reached",
            ),
            Self::IdentityFailed => (
                "identityFailed",
                StatusCode::BAD_GATEWAY,
                "The app could not sign in to Azure",
            ),
            Self::Busy => (
                "busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many reports are being made",
            ),
            Self::DiagnosisFailed => (
                "diagnosisFailed",
                StatusCode::BAD_GATEWAY,
                "The diagnosis failed each time it was tried",
            ),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.parts().0
    }

    pub(crate) fn status(self) -> StatusCode {
        self.parts().1
    }

    fn title(self) -> &'static str {
        self.parts().2
    }

    /// The `type` member: a stable name, not an address to fetch.
    fn type_uri(self) -> String {
        format!("urn:aks-egress-diagnostics:problem:{}", self.name())
    }
}

/// One failed request.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    field: Option<String>,
    needs: Option<Box<Needs>>,
    retry_after_seconds: Option<u32>,
    log: Option<String>,
}

/// The right that is missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = MissingRight))]
pub(crate) struct Needs {
    /// RBAC action.
    pub(crate) action: String,
    /// Scope it is missing on.
    pub(crate) scope: String,
}

/// What is stored of an error, to answer with it later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptProblem {
    code: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<Needs>,
}

/// The body of an error answer (RFC 9457).
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[cfg_attr(test, schema(as = Problem))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody<'a> {
    /// A stable name, not an address to fetch.
    r#type: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
    /// Stable, for programs.
    code: &'static str,
    /// Finds the request in the log.
    request_id: &'a str,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The right that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<&'a Needs>,
}

impl Problem {
    /// An error whose `detail` is safe for any caller to read.
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            needs: None,
            retry_after_seconds: None,
            log: None,
        }
    }

    /// A 400 about one field of the request.
    pub(crate) fn field(field: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        let code = if field == "clusterId" {
            Code::InvalidClusterId
        } else {
            Code::InvalidRequest
        };
        let mut problem = Self::new(code, detail);
        problem.field = Some(field.to_owned());
        problem
    }

    /// A stored result that this version cannot read.
    pub(crate) fn unreadable_result() -> Self {
        Self::new(Code::InternalError, "the stored result cannot be read")
    }

    /// What is stored of it: what a caller may read.
    pub(crate) fn keep(&self) -> KeptProblem {
        KeptProblem {
            code: self.code.name().to_owned(),
            detail: self.detail.clone().into_owned(),
            field: self.field.clone(),
            needs: self.needs.as_deref().cloned(),
        }
    }

    /// The stored error again. One with a code of another version is an internal error with the same words.
    pub(crate) fn kept(kept: &KeptProblem) -> Self {
        let code = Code::ALL.into_iter().find(|code| code.name() == kept.code);
        Self {
            field: kept.field.clone(),
            needs: kept.needs.clone().map(Box::new),
            ..Self::new(code.unwrap_or(Code::InternalError), kept.detail.clone())
        }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// What the caller reads.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Adds the text for the log; the caller never sees it.
    pub(crate) fn log(mut self, text: impl Into<String>) -> Self {
        self.log = Some(text.into());
        self
    }

    /// Names the right that would make the request succeed.
    pub(crate) fn needs(mut self, action: String, scope: String) -> Self {
        self.needs = Some(Box::new(Needs { action, scope }));
        self
    }

    /// Tells the caller when to try again.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Writes the error into the log, once, inside the request's span.
    pub(crate) fn write_log(&self) {
        let text = self.log.as_deref().unwrap_or(&self.detail);
        if self.code.status().is_server_error() {
            tracing::error!(code = self.code.name(), "{text}");
        } else {
            tracing::info!(code = self.code.name(), "{text}");
        }
    }

    /// Fills the body of the response that [`IntoResponse`] prepared.
    pub(crate) fn render(&self, response: &mut Response, request_id: &str) {
        let body = ProblemBody {
            r#type: self.code.type_uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code.name(),
            request_id,
            field: self.field.as_deref(),
            needs: self.needs.as_deref(),
        };
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        *response.body_mut() = serde_json::to_vec(&body).map_or_else(|_| Body::empty(), Body::from);
    }
}

impl IntoResponse for Problem {
    /// Status only: the body needs the request id, which the outermost layer knows ([`Problem::render`]).
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_can_be_sent_with_a_success_status() {
        for code in Code::ALL {
            let status = code.status();
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{code:?} is sent with {status}"
            );
        }
    }

    #[test]
    fn the_logs_text_is_not_in_the_body() {
        let problem = Problem::new(Code::AzureUnreachable, "for the caller").log("for the log");
        let mut response = problem.clone().into_response();
        problem.render(&mut response, "id-1");
        let body = format!("{:?}", response.body());
        assert!(!body.contains("for the log"));
    }
}
