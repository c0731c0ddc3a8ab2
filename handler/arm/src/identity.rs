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

    /// The choice when these variables are set, as in the environment.
    fn chosen(set: &[&str]) -> Identity {
        let has = |name: &str| set.contains(&name);
        Identity::from_settings(IdentitySettings {
            identity_endpoint: has("IDENTITY_ENDPOINT"),
            client_id: has("AZURE_CLIENT_ID").then(|| "client".to_owned()),
            tenant_id: has("AZURE_TENANT_ID").then(|| "tenant".to_owned()),
            client_secret: has("AZURE_CLIENT_SECRET").then(|| "secret".into()),
            federated_token_file: has("AZURE_FEDERATED_TOKEN_FILE").then(|| "/token".into()),
        })
    }

    const SERVICE_PRINCIPAL: [&str; 3] =
        ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];

    #[test]
    fn on_functions_it_is_the_managed_identity() {
        let system = chosen(&["IDENTITY_ENDPOINT"]);
        assert!(matches!(system, Identity::Managed { client_id: None }));
        let user = chosen(&["IDENTITY_ENDPOINT", "AZURE_CLIENT_ID"]);
        assert!(matches!(user, Identity::Managed { client_id: Some(_) }));
    }

    #[test]
    fn what_is_configured_in_full_wins() {
        assert!(matches!(
            chosen(&SERVICE_PRINCIPAL),
            Identity::ClientSecret { .. }
        ));
        let mut on_functions = SERVICE_PRINCIPAL.to_vec();
        on_functions.extend(["IDENTITY_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE"]);
        assert!(matches!(
            chosen(&on_functions),
            Identity::ClientSecret { .. }
        ));
        let workload = [
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
        ];
        assert!(matches!(chosen(&workload), Identity::Workload { .. }));
        // A secret without its tenant is no service principal.
        let half = [
            "IDENTITY_ENDPOINT",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
        ];
        assert!(matches!(
            chosen(&half),
            Identity::Managed { client_id: Some(_) }
        ));
    }

    #[test]
    fn off_azure_it_is_the_developers_login() {
        assert!(matches!(chosen(&[]), Identity::DeveloperCli));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!(
            "{:?} {:?}",
            chosen(&SERVICE_PRINCIPAL),
            Identity::Fixed("secret!".into())
        );
        assert!(
            !shown.contains("secret!") && !shown.contains("\"secret\""),
            "{shown}"
        );
    }
}
