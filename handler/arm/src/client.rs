//! The shared client: settings and lazily made parts.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cloud::Endpoints;
use crate::identity::Identity;
use crate::session::Session;

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

/// The certificates that are trusted.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The system's roots.
    System,
    /// Only those of this PEM bundle (`SSL_CERT_FILE`).
    File(PathBuf),
    /// Only those of this PEM text: the embedded sandbox's own certificate.
    Pem(Vec<u8>),
}

/// A client for Azure Resource Manager. Cloning shares connections and token; making one costs nothing: TLS roots, HTTP
/// client and credential are built by the first request.
#[derive(Debug, Clone)]
pub struct Client {
    settings: Arc<ClientSettings>,
}

impl Client {
    /// A client that has not connected to anything yet.
    pub fn new(settings: ClientSettings) -> Self {
        Self {
            settings: Arc::new(settings),
        }
    }

    /// One report's use of the client, which ends at `deadline` whatever happens.
    pub fn session(&self, deadline: tokio::time::Instant) -> Session {
        Session::new(self.clone(), deadline)
    }
}
