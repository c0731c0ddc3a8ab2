//! An HTTPS server on loopback that answers as a test says and remembers what it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, ResourceId, Session, Trust};
use http::{HeaderMap, Method, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

pub(crate) const TOKEN: &str = "the-token";
pub(crate) const GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg";
pub(crate) const GATEWAY: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/natGateways/ng1";

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) version: Version,
    /// How many arrived before it.
    pub(crate) nth: usize,
    /// The server's own `https://localhost:port`.
    pub(crate) origin: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

pub(crate) struct Server {
    pub(crate) origin: String,
    /// The certificate to trust.
    pub(crate) pem: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self::serve(Some(tls), made.cert.pem(), answer).await
    }

    /// Without TLS, as the platform's token endpoint is.
    pub(crate) async fn start_plain(
        answer: impl Fn(&Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::serve(None, String::new(), answer).await
    }

    async fn serve(
        tls: Option<ServerConfig>,
        pem: String,
        answer: impl Fn(&Seen) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let port = listener.local_addr().unwrap().port();
        let origin = format!("{scheme}://localhost:{port}");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let router = router(Arc::clone(&seen), origin.clone(), Arc::new(answer));
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (router, acceptor) = (router.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, router).await;
                            }
                        }
                        None => converse(stream, router).await,
                    }
                });
            }
        });
        Self {
            origin,
            pem,
            seen,
            connections,
            task,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientSettings {
            endpoints: Endpoints::of(Cloud::Public)
                .with_arm_endpoint(&self.origin)
                .unwrap(),
            identity: Identity::Fixed(TOKEN.into()),
            trust: Trust::Pem(self.pem.clone().into_bytes()),
        })
    }

    /// A session with a minute left.
    pub(crate) fn session(&self) -> Session {
        self.client().session(soon())
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn router(
    seen: Arc<Mutex<Vec<Seen>>>,
    origin: String,
    answer: Arc<dyn Fn(&Seen) -> Response + Send + Sync>,
) -> Router {
    Router::new().fallback(move |request: Request| {
        let (seen, origin, answer) = (Arc::clone(&seen), origin.clone(), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let arrived = {
                let mut seen = seen.lock().unwrap();
                let arrived = Seen {
                    method: parts.method,
                    path: parts.uri.path_and_query().unwrap().to_string(),
                    headers: parts.headers,
                    body,
                    version: parts.version,
                    nth: seen.len(),
                    origin,
                };
                seen.push(arrived.clone());
                arrived
            };
            answer(&arrived)
        }
    })
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Router) {
    // A client that goes away in the middle is part of some tests.
    let _ended = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}

/// A JSON answer with headers.
pub(crate) fn json_answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Response {
    let mut response = (
        StatusCode::from_u16(status).unwrap(),
        Body::from(body.to_string()),
    )
        .into_response();
    for (name, value) in headers {
        response.headers_mut().append(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    response
}

pub(crate) fn ok(body: &Value) -> Response {
    json_answer(200, &[], body)
}

pub(crate) fn gateway() -> ResourceId {
    ResourceId::parse(GATEWAY).unwrap()
}

pub(crate) fn group() -> ResourceId {
    ResourceId::parse(GROUP).unwrap()
}
