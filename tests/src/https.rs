//! A server on loopback that speaks HTTPS with a certificate of its own.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running server; it ends when this is dropped.
pub struct Https {
    endpoint: String,
    certificate: String,
    server: tokio::task::JoinHandle<()>,
}

impl Https {
    /// Starts on any port.
    ///
    /// # Panics
    /// When no loopback socket or certificate can be made.
    pub async fn start(
        answer: impl Fn(&Request<Bytes>) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let certified =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
            certified.signing_key.serialize_der(),
        ));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a loopback socket");
        let port = listener.local_addr().expect("an address").port();
        Self {
            endpoint: format!("https://localhost:{port}"),
            certificate: certified.cert.pem(),
            server: tokio::spawn(serve(listener, acceptor, Arc::new(answer))),
        }
    }

    /// The endpoint, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The certificate to trust, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    answer: Arc<impl Fn(&Request<Bytes>) -> Response<Body> + Send + Sync + 'static>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (parts, body) = request.into_parts();
                    // A body that was cut off is one that never came.
                    let body = to_bytes(Body::new(body), usize::MAX)
                        .await
                        .unwrap_or_default();
                    Ok::<_, Infallible>(answer(&Request::from_parts(parts, body)))
                }
            });
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
