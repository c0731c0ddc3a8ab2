//! One datum and how it was obtained. Unknown is a value, not a default.

use std::borrow::Cow;

/// The outcome of reading one thing from Azure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum<T> {
    /// Azure answered.
    Known(T),
    /// Azure says that it does not exist (404 with rights to see it).
    Absent,
    /// The identity may not read it (403).
    Denied {
        /// The missing RBAC action, e.g. `Microsoft.Network/natGateways/read`.
        action: Option<String>,
        /// The scope it is missing on.
        scope: Option<String>,
    },
    /// It was asked for and no usable answer came.
    Failed {
        /// What went wrong.
        cause: Cause,
        /// The HTTP status, when there was one.
        http_status: Option<u16>,
        /// Azure's error code, when there was one.
        error_code: Option<String>,
    },
    /// It was not asked for.
    NotAsked {
        /// The reason, in words for the report.
        why: Cow<'static, str>,
    },
}

/// Why a read failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// 429 that outlived the deadline.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// An answer that is not what the API documents.
    Malformed,
    /// This resource or API version has no such thing (400 on a metric, unknown api-version).
    Unsupported,
    /// The endpoint could not be reached, or kept answering 5xx.
    Unreachable,
}

/// A datum that was needed and is not known: what, and how it went missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, in words for the report, e.g. `NAT gateway ng1`.
    pub what: String,
    /// How it went missing; never [`Datum::Known`].
    pub how: Datum<()>,
}

impl<T> Datum<T> {
    /// The value when known, else what is missing. `what` names the datum for the report. [`Datum::Absent`] counts as
    /// missing here: a caller to whom absence is an answer matches on it first.
    ///
    /// # Errors
    /// [`Missing`] for everything but [`Datum::Known`].
    pub fn known(&self, what: impl FnOnce() -> String) -> Result<&T, Missing> {
        match self {
            Self::Known(value) => Ok(value),
            other => Err(Missing {
                what: what(),
                how: other.status(),
            }),
        }
    }

    /// The value when known.
    pub fn as_known(&self) -> Option<&T> {
        if let Self::Known(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// The same outcome without the value.
    pub fn status(&self) -> Datum<()> {
        self.as_ref().map(|_| ())
    }

    /// The same outcome with a borrowed value.
    pub fn as_ref(&self) -> Datum<&T> {
        match self {
            Self::Known(value) => Datum::Known(value),
            Self::Absent => Datum::Absent,
            Self::Denied { action, scope } => Datum::Denied {
                action: action.clone(),
                scope: scope.clone(),
            },
            Self::Failed {
                cause,
                http_status,
                error_code,
            } => Datum::Failed {
                cause: *cause,
                http_status: *http_status,
                error_code: error_code.clone(),
            },
            Self::NotAsked { why } => Datum::NotAsked { why: why.clone() },
        }
    }

    /// The same outcome with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Datum<U> {
        match self {
            Self::Known(value) => Datum::Known(f(value)),
            Self::Absent => Datum::Absent,
            Self::Denied { action, scope } => Datum::Denied { action, scope },
            Self::Failed {
                cause,
                http_status,
                error_code,
            } => Datum::Failed {
                cause,
                http_status,
                error_code,
            },
            Self::NotAsked { why } => Datum::NotAsked { why },
        }
    }

    /// A datum that nobody asked for, with the reason.
    pub fn not_asked(why: impl Into<Cow<'static, str>>) -> Self {
        Self::NotAsked { why: why.into() }
    }
}
