//! Starting and stopping the simulated Azure.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state, routing::get};
use tokio::{net::TcpListener, sync::watch};
use tower_http::compression::CompressionLayer;

use crate::{
    Call, Cluster, Error,
    arm::{Arm, handle, paced},
    builtin,
    cloud::Cloud,
    expand::guid,
    identity::{Endpoint, METRICS_AUDIENCE, Tokens, token},
    log::Log,
    tls,
};

/// Which clouds to serve.
#[derive(Debug, Clone, Default)]
pub enum Scenarios {
    /// Those that come with the sandbox.
    #[default]
    Builtin,
    /// Every `.toml` file of a folder.
    Dir(PathBuf),
    /// Texts with the name each one gets.
    List(Vec<(String, String)>),
}

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which clouds to serve.
    pub scenarios: Scenarios,
    /// Port of the ARM endpoint on 127.0.0.1; 0 = any free one.
    pub port: u16,
    /// Waited before each ARM answer.
    pub latency: Duration,
}

/// A running simulated Azure. It stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    arm: Arc<Arm>,
    certificate: String,
    identity_endpoint: String,
    identity_header: String,
    stop: watch::Sender<bool>,
}

impl Sandbox {
    /// Starts on the current tokio runtime.
    ///
    /// # Errors
    /// A scenario is unclear or unreadable, or the port is taken.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let cloud = load(&options.scenarios)?;
        let (certificate, acceptor) = tls::acceptor()?;
        let listener = listen(options.port).await?;
        let identity_listener = listen(0).await?;
        let endpoint = format!("https://localhost:{}", port(&listener)?);
        let identity_endpoint = format!("http://127.0.0.1:{}/msi/token", port(&identity_listener)?);
        // The certificate is new in every start, and so is what is derived from it.
        let identity_header = guid(&certificate).replace('-', "").to_uppercase();
        let log = Arc::new(Log::default());
        let tokens = Arc::new(Tokens::new(guid(&format!("seal {certificate}")), &endpoint));
        let arm = Arc::new(Arm::new(
            cloud,
            Arc::clone(&tokens),
            Arc::clone(&log),
            endpoint,
            options.latency,
        ));
        let router = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&arm))
            .layer(CompressionLayer::new().quality(tower_http::CompressionLevel::Fastest))
            .layer(from_fn_with_state(Arc::clone(&arm), paced));
        let identity = Endpoint {
            tokens,
            header: identity_header.clone(),
            log: Arc::clone(&log),
        };
        let identity_router = Router::new()
            .route("/msi/token", get(token))
            .with_state(identity);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(tls::serve(
            listener,
            Some((acceptor, log)),
            router,
            stopped.clone(),
        ));
        tokio::spawn(tls::serve(
            identity_listener,
            None,
            identity_router,
            stopped,
        ));
        Ok(Self {
            arm,
            certificate,
            identity_endpoint,
            identity_header,
            stop,
        })
    }

    /// Stops listening and closes every connection; the same happens on drop.
    pub fn shutdown(self) {
        drop(self);
    }

    /// `https://localhost:PORT`, the ARM endpoint.
    pub fn arm_endpoint(&self) -> &str {
        &self.arm.endpoint
    }

    /// The certificate a client must trust, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Value for `IDENTITY_ENDPOINT`.
    pub fn identity_endpoint(&self) -> &str {
        &self.identity_endpoint
    }

    /// Value for `IDENTITY_HEADER`.
    pub fn identity_header(&self) -> &str {
        &self.identity_header
    }

    /// The metrics data plane, of every region.
    pub fn metrics_endpoint(&self) -> &str {
        &self.arm.endpoint
    }

    /// A bearer token that ARM and the metrics data plane accept now.
    pub fn token(&self) -> String {
        let audiences = [self.arm.endpoint.as_str(), METRICS_AUDIENCE];
        self.arm.tokens.issue_for_all(&audiences)
    }

    /// Every token handed out until now is refused as expired from now on.
    pub fn expire_tokens(&self) {
        self.arm.tokens.expire();
    }

    /// The clusters that are served, by scenario name.
    pub fn clusters(&self) -> &[Cluster] {
        self.arm.cloud.clusters()
    }

    /// The cluster of a scenario.
    pub fn cluster(&self, scenario: &str) -> Option<&Cluster> {
        self.clusters()
            .iter()
            .find(|cluster| cluster.scenario == scenario)
    }

    /// The ARM requests since the start or the last reset, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.arm.log.calls()
    }

    /// Connections accepted on the ARM endpoint since the start or the last reset.
    pub fn connections(&self) -> u64 {
        self.arm.log.connections()
    }

    /// Requests to the identity endpoint since the start or the last reset.
    pub fn token_requests(&self) -> u64 {
        self.arm.log.token_requests()
    }

    /// Forgets calls and counts, and lets faults that strike a limited number of times start over.
    pub fn reset_log(&self) {
        self.arm.log.reset();
        self.arm.reset_faults();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Nobody listening any more is what is wanted.
        let _ = self.stop.send(true);
    }
}

fn load(scenarios: &Scenarios) -> Result<Cloud, Error> {
    match scenarios {
        Scenarios::Builtin => Cloud::build(builtin::SCENARIOS.iter().copied()),
        Scenarios::List(list) => Cloud::build(
            list.iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        ),
        Scenarios::Dir(folder) => {
            let read = |path: &std::path::Path, source| Error::Read {
                path: path.display().to_string(),
                source,
            };
            let mut files = Vec::new();
            for entry in std::fs::read_dir(folder).map_err(|source| read(folder, source))? {
                let path = entry.map_err(|source| read(folder, source))?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "toml")
                {
                    let text =
                        std::fs::read_to_string(&path).map_err(|source| read(&path, source))?;
                    let name = path
                        .file_stem()
                        .map(|name| name.to_string_lossy().into_owned());
                    files.extend(name.map(|name| (name, text)));
                }
            }
            files.sort();
            Cloud::build(
                files
                    .iter()
                    .map(|(name, text)| (name.as_str(), text.as_str())),
            )
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| Error::Listen { port, source })
}

fn port(listener: &TcpListener) -> Result<u16, Error> {
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|source| Error::Listen { port: 0, source })
}
