//! The shared client: settings and lazily made parts.

use std::sync::Arc;

use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Pipeline, RetryOptions};
use tokio::sync::OnceCell;
use url::Url;

use crate::cloud::Endpoints;
use crate::credential::SharedCredential;
use crate::error::{ArmError, Failure};
use crate::identity::Identity;
use crate::policy::{Fence, RefusedToken, Repeat};
use crate::session::Session;
use crate::transport::{self, ReqwestTransport, Trust};

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Where requests go.
    pub endpoints: Endpoints,
    /// Who asks.
    pub identity: Identity,
    /// Which certificates are trusted.
    pub trust: Trust,
}

/// A client for Azure Resource Manager. Cloning shares connections and token; making one costs nothing: TLS roots, HTTP
/// client and credential are built by the first request.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ClientSettings,
    transport: OnceCell<Arc<ReqwestTransport>>,
    pipeline: OnceCell<Pipeline>,
    metrics: OnceCell<Pipeline>,
}

impl Client {
    /// A client that has not connected to anything yet.
    pub fn new(settings: ClientSettings) -> Self {
        Self(Arc::new(Shared {
            settings,
            transport: OnceCell::new(),
            pipeline: OnceCell::new(),
            metrics: OnceCell::new(),
        }))
    }

    /// One report's use of the client, which ends at `deadline` whatever happens.
    pub fn session(&self, deadline: tokio::time::Instant) -> Session {
        Session::new(self.clone(), deadline)
    }

    /// Where requests go.
    pub fn endpoints(&self) -> &Endpoints {
        &self.0.settings.endpoints
    }

    pub(crate) async fn pipeline(&self) -> Result<&Pipeline, ArmError> {
        let endpoints = self.endpoints();
        let made = self.0.pipeline.get_or_try_init(|| async {
            let fence = Fence::Arm(endpoints.clone());
            self.pipeline_to(endpoints.arm_scope(), fence).await
        });
        made.await
    }

    /// The pipeline to the metrics data plane.
    pub(crate) async fn metrics_pipeline(&self) -> Result<&Pipeline, ArmError> {
        let plane = self.endpoints().metrics();
        let made = self.0.metrics.get_or_try_init(|| async {
            let fence = Fence::Metrics(plane.clone());
            self.pipeline_to(plane.scope(), fence).await
        });
        made.await
    }

    /// A pipeline with a token of its own for what stands behind the fence, over the same connections.
    pub(crate) async fn pipeline_to(
        &self,
        scope: String,
        fence: Fence,
    ) -> Result<Pipeline, ArmError> {
        let settings = &self.0.settings;
        let transport = self
            .0
            .transport
            .get_or_try_init(|| async { transport_of(settings) })
            .await?;
        Ok(build(settings, transport, scope, fence))
    }
}

fn transport_of(settings: &ClientSettings) -> Result<Arc<ReqwestTransport>, ArmError> {
    let arm = Url::parse(settings.endpoints.arm());
    let direct = arm.is_ok_and(|arm| transport::is_on_this_machine(&arm));
    let transport = ReqwestTransport::new(&settings.trust, direct)
        .map_err(|error| ArmError::new(Failure::Unreachable, error.to_string()))?;
    Ok(Arc::new(transport))
}

fn build(
    settings: &ClientSettings,
    transport: &Arc<ReqwestTransport>,
    scope: String,
    fence: Fence,
) -> Pipeline {
    let credential = Arc::new(SharedCredential::new(
        settings.identity.clone(),
        settings.endpoints.authority().to_owned(),
        Arc::clone(transport),
    ));
    let refused = RefusedToken(Arc::clone(&credential));
    let bearer = BearerTokenAuthorizationPolicy::new(credential, [scope]);
    let options = ClientOptions {
        transport: Some(transport::as_option(transport)),
        // Ours knows the session's deadline.
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    };
    let per_call: Vec<Arc<dyn Policy>> = vec![Arc::new(Repeat)];
    let per_try: Vec<Arc<dyn Policy>> = vec![Arc::new(fence), Arc::new(bearer), Arc::new(refused)];
    Pipeline::new(
        Some("aks-egress-diagnostics"),
        Some(env!("CARGO_PKG_VERSION")),
        options,
        per_call,
        per_try,
        None,
    )
}
