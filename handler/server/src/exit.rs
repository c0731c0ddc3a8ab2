//! What the process's exit code tells its caller. The numbers above 2 are those of BSD's `sysexits.h`.

use std::process::ExitCode;

use egress_diagnosis::report::Status;

use crate::engine::DiagnosisError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; for a report: healthy or at risk.
    Success = 0,
    /// A report: degraded or blocked.
    Fault = 1,
    /// A report: not enough could be read to tell.
    Unknown = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The cluster, finding or folder does not exist.
    NoInput = 66,
    /// Azure cannot be reached, or throttles.
    Unavailable = 69,
    /// A fault of this program.
    Internal = 70,
    /// The output could not be written.
    Output = 74,
    /// The identity fails or may not read the cluster.
    NotAllowed = 77,
    /// A setting is wrong.
    Config = 78,
    /// Stopped by SIGINT under the Functions host, which must not see a 0.
    Interrupted = 130,
    /// Stopped by SIGTERM under the Functions host, which must not see a 0.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Healthy | Status::AtRisk => Self::Success,
            Status::Degraded | Status::Blocked => Self::Fault,
            Status::Unknown => Self::Unknown,
        }
    }
}

impl From<&DiagnosisError> for Exit {
    fn from(error: &DiagnosisError) -> Self {
        match error {
            DiagnosisError::ClusterNotFound => Self::NoInput,
            DiagnosisError::Throttled(_)
            | DiagnosisError::AzureUnreachable(_)
            | DiagnosisError::Busy => Self::Unavailable,
            DiagnosisError::ScopeNotAllowed(_)
            | DiagnosisError::Forbidden { .. }
            | DiagnosisError::IdentityFailed(_) => Self::NotAllowed,
            DiagnosisError::Internal(_) => Self::Internal,
        }
    }
}
