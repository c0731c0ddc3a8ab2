//! The certificate made at start, and serving on it.

use std::sync::Arc;

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{Error, log::Log};

/// A self-signed certificate for loopback: its PEM text and the acceptor that uses it.
pub(crate) fn acceptor() -> Result<(String, TlsAcceptor), Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((made.cert.pem(), TlsAcceptor::from(Arc::new(config))))
}

/// Serves until `stop` says so or its sender is gone; connections end with the listener. `tls` is `None` for the
/// identity endpoint, whose connections are not counted.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<(TlsAcceptor, Arc<Log>)>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "sandbox could not accept a connection");
                    continue;
                }
            },
            _ = stop.changed() => return,
            Some(_) = connections.join_next() => continue,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "sandbox connection stays with delayed sends");
        }
        let (tls, router) = (tls.clone(), router.clone());
        connections.spawn(async move {
            let Some((acceptor, log)) = tls else {
                return connection(stream, router).await;
            };
            log.connection();
            match acceptor.accept(stream).await {
                Ok(stream) => connection(stream, router).await,
                Err(error) => tracing::debug!(%error, "sandbox saw a failed TLS handshake"),
            }
        });
    }
}

/// HTTP/2 or HTTP/1.1, as the client begins.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let served = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "sandbox connection ended");
    }
}
