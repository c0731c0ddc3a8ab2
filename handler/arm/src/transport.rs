//! The HTTP client under azure_core's pipelines: reqwest, tuned and fenced in.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::Headers;
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, StatusCode, Url};
use futures::TryStreamExt;
use reqwest::redirect;

/// Largest body that is read, after decompression. The biggest documented answers (service tags) are a few MB.
pub(crate) const MAX_BODY_BYTES: u64 = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_CONNECTION: Duration = Duration::from_secs(90);
/// Long-running operations come with two URLs of 4 kB each in the headers.
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;

/// The certificates that are trusted.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The system's roots.
    System,
    /// Only those of this PEM bundle (`SSL_CERT_FILE`). Read with the first request.
    File(PathBuf),
    /// Only those of this PEM text: the embedded sandbox's own certificate.
    Pem(Vec<u8>),
}

/// Why no HTTP client could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("the certificate bundle {0} cannot be read: {1}")]
    Bundle(PathBuf, std::io::Error),
    #[error("the certificate bundle holds no certificate")]
    NoCertificate,
    #[error("the HTTP client cannot be made: {0:?}")]
    Client(#[from] reqwest::Error),
}

/// A body that exceeds [`MAX_BODY_BYTES`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the answer is larger than {MAX_BODY_BYTES} bytes")]
pub(crate) struct TooLarge;

/// Two reqwest clients: one that speaks https only, and one for the token endpoints that the platform serves in plain
/// http on the machine itself.
#[derive(Debug)]
pub(crate) struct ReqwestTransport {
    https: reqwest::Client,
    local: reqwest::Client,
}

impl ReqwestTransport {
    /// `direct` when the https endpoint is this machine: then no proxy from the environment is asked.
    pub(crate) fn new(trust: &Trust, direct: bool) -> Result<Self, TransportError> {
        // An error means that the process has chosen a provider already, which is as good.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let bundle = match trust {
            Trust::System => None,
            Trust::File(path) => Some(
                std::fs::read(path).map_err(|error| TransportError::Bundle(path.clone(), error))?,
            ),
            Trust::Pem(pem) => Some(pem.clone()),
        };
        let mut https = base().https_only(true);
        if let Some(pem) = bundle {
            let roots = reqwest::Certificate::from_pem_bundle(&pem)?;
            if roots.is_empty() {
                return Err(TransportError::NoCertificate);
            }
            https = https.tls_certs_only(roots);
        }
        if direct {
            https = https.no_proxy();
        }
        // No TLS is spoken by the local client; an empty list of roots saves reading the system's a second time.
        let local = base().no_proxy().tls_certs_only([]);
        Ok(Self {
            https: https.build()?,
            local: local.build()?,
        })
    }

    /// The client that speaks https only.
    pub(crate) fn https(&self) -> &reqwest::Client {
        &self.https
    }

    fn client_for(&self, url: &Url) -> &reqwest::Client {
        if url.scheme() == "http" && is_on_this_machine(url) {
            &self.local
        } else {
            &self.https
        }
    }
}

fn base() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_CONNECTION)
        .tcp_keepalive(Duration::from_secs(30))
        .http2_initial_stream_window_size(1 << 20)
        .http2_initial_connection_window_size(4 << 20)
        .http2_max_header_list_size(MAX_HEADER_LIST_BYTES)
}

/// Loopback, or the link-local addresses at which App Service and virtual machines serve tokens.
pub(crate) fn is_on_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[async_trait::async_trait]
impl HttpClient for ReqwestTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url().clone();
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            other => {
                return Err(Error::with_message(
                    ErrorKind::Other,
                    format!("{other} is not a method of any operation"),
                ));
            }
        };
        let Body::Bytes(body) = request.body() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "streamed request bodies are not supported",
            ));
        };
        let mut outgoing = self
            .client_for(&url)
            .request(method, url)
            .body(body.clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let response = outgoing.send().await.map_err(transport_error)?;
        let status = StatusCode::from(response.status().as_u16());
        let mut headers = Headers::new();
        for (name, value) in response.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        if response
            .content_length()
            .is_some_and(|n| n > MAX_BODY_BYTES)
        {
            return Err(Error::new(ErrorKind::Other, TooLarge));
        }
        let mut left = MAX_BODY_BYTES;
        let body = response
            .bytes_stream()
            .map_err(transport_error)
            .and_then(move |chunk| {
                let size = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                let rest = left.checked_sub(size);
                left = rest.unwrap_or(0);
                std::future::ready(match rest {
                    Some(_) => Ok(chunk),
                    None => Err(Error::new(ErrorKind::Other, TooLarge)),
                })
            });
        Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
    }
}

/// The URL is taken out: it may carry a signature, and this text is logged.
fn transport_error(error: reqwest::Error) -> Error {
    let kind = if error.is_connect() {
        ErrorKind::Connection
    } else if error.is_builder() {
        ErrorKind::Other
    } else {
        ErrorKind::Io
    };
    Error::new(kind, error.without_url())
}

/// The transport as azure_core's pipelines take it.
pub(crate) fn as_option(transport: &Arc<ReqwestTransport>) -> azure_core::http::Transport {
    azure_core::http::Transport::new(Arc::<ReqwestTransport>::clone(transport))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_this_machine(url: &str) -> bool {
        is_on_this_machine(&Url::parse(url).unwrap())
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert!(on_this_machine("http://localhost:4141/msi/token"));
        assert!(on_this_machine("http://127.0.0.1:4141/msi/token"));
        assert!(on_this_machine("http://[::1]:4141/msi/token"));
        assert!(on_this_machine("http://169.254.129.2:8081/msi/token"));
        assert!(!on_this_machine("http://management.azure.com/"));
        assert!(!on_this_machine("http://localhost.example.com/"));
        assert!(!on_this_machine("http://10.0.0.4/msi/token"));
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let empty = ReqwestTransport::new(&Trust::Pem(b"nothing here".to_vec()), false);
        assert!(matches!(empty, Err(TransportError::NoCertificate)));
        let missing = ReqwestTransport::new(&Trust::File("/does/not/exist.pem".into()), false);
        assert!(matches!(missing, Err(TransportError::Bundle(..))));
    }
}
