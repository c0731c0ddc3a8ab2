//! Who asks Azure.

use std::path::PathBuf;

pub use azure_core::credentials::Secret;

/// How a token is obtained.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The managed identity of the function app; user-assigned when `client_id` is set.
    Managed {
        /// The user-assigned identity's client id.
        client_id: Option<String>,
    },
    /// A service principal with a client secret.
    ClientSecret {
        /// Entra tenant.
        tenant_id: String,
        /// Application (client) id.
        client_id: String,
        /// The secret.
        secret: Secret,
    },
    /// A workload identity: a federated token in a file.
    Workload {
        /// Entra tenant.
        tenant_id: String,
        /// Application (client) id.
        client_id: String,
        /// File with the service account's token.
        token_file: PathBuf,
    },
    /// The developer's `az login`.
    DeveloperCli,
    /// A token given from outside, for the embedded sandbox. It is never refreshed.
    Fixed(Secret),
}

/// The settings an [`Identity`] is chosen from, as the environment holds them.
#[derive(Debug, Clone, Default)]
pub struct IdentitySettings {
    /// Whether `IDENTITY_ENDPOINT` is present: the process runs on Azure Functions or App Service.
    pub identity_endpoint: bool,
    /// `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// `AZURE_CLIENT_SECRET`.
    pub client_secret: Option<Secret>,
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    pub federated_token_file: Option<PathBuf>,
}

impl Identity {
    /// The identity that these settings mean. What is configured in full wins: a service principal, then a workload
    /// identity, then the managed identity of the function app (or of the machine, when only a client id is given), then
    /// the developer's `az login`.
    pub fn from_settings(settings: IdentitySettings) -> Self {
        let IdentitySettings {
            identity_endpoint,
            client_id,
            tenant_id,
            client_secret,
            federated_token_file,
        } = settings;
        match (tenant_id, client_id, client_secret, federated_token_file) {
            (Some(tenant_id), Some(client_id), Some(secret), _) => Self::ClientSecret {
                tenant_id,
                client_id,
                secret,
            },
            (Some(tenant_id), Some(client_id), None, Some(token_file)) => Self::Workload {
                tenant_id,
                client_id,
                token_file,
            },
            (_, client_id @ Some(_), _, _) => Self::Managed { client_id },
            (_, None, _, _) if identity_endpoint => Self::Managed { client_id: None },
            _ => Self::DeveloperCli,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        on_functions: bool,
        client: bool,
        tenant: bool,
        secret: bool,
        file: bool,
    ) -> Identity {
        Identity::from_settings(IdentitySettings {
            identity_endpoint: on_functions,
            client_id: client.then(|| "client".to_owned()),
            tenant_id: tenant.then(|| "tenant".to_owned()),
            client_secret: secret.then(|| "secret".into()),
            federated_token_file: file.then(|| "/token".into()),
        })
    }

    #[test]
    fn the_identity_follows_from_what_is_set() {
        let (yes, no) = (true, false);
        assert!(matches!(chosen(no, no, no, no, no), Identity::DeveloperCli));
        assert!(matches!(
            chosen(yes, no, no, no, no),
            Identity::Managed { client_id: None }
        ));
        assert!(matches!(
            chosen(yes, yes, no, no, no),
            Identity::Managed { client_id: Some(_) }
        ));
        assert!(matches!(
            chosen(no, yes, yes, yes, no),
            Identity::ClientSecret { .. }
        ));
        assert!(matches!(
            chosen(yes, yes, yes, yes, yes),
            Identity::ClientSecret { .. }
        ));
        assert!(matches!(
            chosen(no, yes, yes, no, yes),
            Identity::Workload { .. }
        ));
        // A secret without its tenant is no service principal.
        assert!(matches!(
            chosen(yes, yes, no, yes, no),
            Identity::Managed { client_id: Some(_) }
        ));
        assert!(matches!(
            chosen(no, no, yes, yes, yes),
            Identity::DeveloperCli
        ));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!(
            "{:?} {:?}",
            chosen(false, true, true, true, false),
            Identity::Fixed("secret!".into())
        );
        assert!(
            !shown.contains("secret!") && !shown.contains("\"secret\""),
            "{shown}"
        );
    }
}
