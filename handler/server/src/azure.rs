//! The engine that asks Azure: collects facts, then thinks about them.

use egress_diagnosis::report::Report;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::engine::{DiagnosisError, DiagnosisRequest, Engine, Progress};
use crate::settings::Settings;

/// Asks Azure. Making one costs nothing: TLS roots, token and connections come with the first request.
pub(crate) struct Azure {
    settings: Settings,
}

impl Azure {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Engine for Azure {
    fn diagnose(
        &self,
        request: DiagnosisRequest,
        progress: Progress,
    ) -> BoxFuture<'_, Result<Report, DiagnosisError>> {
        async move {
            progress("reading the cluster");
            let _ = (&self.settings, request);
            Err(DiagnosisError::Internal("not connected yet".to_owned()))
        }
        .boxed()
    }
}
