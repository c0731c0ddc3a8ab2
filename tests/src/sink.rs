//! A webhook over real HTTPS that keeps what it gets.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::net::TcpListener;

/// A running webhook.
pub struct Sink {
    port: u16,
    certificate: String,
    status: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<Value>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Sink {
    /// Starts it on any port; it answers 202.
    pub async fn start() -> Self {
        let (acceptor, certificate) = crate::tls::acceptor();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let status = Arc::new(AtomicU16::new(202));
        let received: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&received), Arc::clone(&status));
        let router = Router::new().fallback(async move |body: String| {
            let body = serde_json::from_str(&body).expect("JSON");
            kept.lock().expect("received").push(body);
            StatusCode::from_u16(answer.load(Ordering::SeqCst)).expect("a status")
        });
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let service = TowerToHyperService::new(router);
                        let _ = Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                });
            }
        });
        Self {
            port,
            certificate,
            status,
            received,
            server,
        }
    }

    /// Its address, with a key in it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/hook?sig=s3cr3t", self.port)
    }

    /// The certificate to trust, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What it answers from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What it got, in order.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().expect("received").clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}
