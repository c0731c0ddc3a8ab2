//! Credentials of azure_identity, made on first use over our own transport.

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions};
use azure_core::time::{Duration, OffsetDateTime};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::sync::Mutex;

use crate::identity::Identity;
use crate::transport::{self, ReqwestTransport};

/// As azure_core's bearer policy has it.
const RENEW_BEFORE_EXPIRY: Duration = Duration::minutes(5);

/// One identity's credential and its last token, for one audience. azure_core's bearer policy asks for one token at a time
/// and before it expires, but drops its copy whenever any call meets a 401; this knows whether that was the last token,
/// and only then starts anew.
#[derive(Debug)]
pub(crate) struct SharedCredential {
    identity: Identity,
    authority: String,
    transport: Arc<ReqwestTransport>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    credential: Option<Arc<dyn TokenCredential>>,
    last: Option<AccessToken>,
}

impl SharedCredential {
    pub(crate) fn new(
        identity: Identity,
        authority: String,
        transport: Arc<ReqwestTransport>,
    ) -> Self {
        Self {
            identity,
            authority,
            transport,
            state: Mutex::default(),
        }
    }

    /// Azure refused this token (401): unless another call has renewed it meanwhile, start anew.
    pub(crate) async fn refused(&self, token: &str) {
        let mut state = self.state.lock().await;
        if state
            .last
            .as_ref()
            .is_some_and(|last| last.token.secret() == token)
        {
            *state = State::default();
        }
    }

    fn make(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let client_options = self.client_options();
        Ok(match &self.identity {
            Identity::Managed { client_id } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options,
                }))?
            }
            Identity::ClientSecret {
                tenant_id,
                client_id,
                secret,
            } => ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                secret.clone(),
                Some(ClientSecretCredentialOptions { client_options }),
            )?,
            Identity::Workload {
                tenant_id,
                client_id,
                token_file,
            } => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id.clone()),
                tenant_id: Some(tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            }))?,
            Identity::DeveloperCli => AzureCliCredential::new(None)?,
            Identity::Fixed(token) => Arc::new(FixedCredential(token.clone())),
        })
    }

    fn client_options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&self.authority);
        ClientOptions {
            transport: Some(transport::as_option(&self.transport)),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            // A report waits for its token; what does not come soon is a failure to report.
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: 3,
                max_total_elapsed: Duration::seconds(15),
                max_delay: Duration::seconds(5),
                ..ExponentialRetryOptions::default()
            }),
            ..ClientOptions::default()
        }
    }
}

#[async_trait::async_trait]
impl TokenCredential for SharedCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut state = self.state.lock().await;
        if let Some(last) = &state.last
            && last.expires_on > OffsetDateTime::now_utc() + RENEW_BEFORE_EXPIRY
        {
            return Ok(last.clone());
        }
        let credential = match &state.credential {
            Some(credential) => Arc::clone(credential),
            None => self.make()?,
        };
        state.credential = Some(Arc::clone(&credential));
        let token = credential.get_token(scopes, options).await?;
        state.last = Some(token.clone());
        Ok(token)
    }
}

/// A token from outside, for as long as the process lives.
#[derive(Debug)]
struct FixedCredential(Secret);

#[async_trait::async_trait]
impl TokenCredential for FixedCredential {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let expires_on = OffsetDateTime::now_utc() + Duration::days(365);
        Ok(AccessToken::new(self.0.clone(), expires_on))
    }
}
