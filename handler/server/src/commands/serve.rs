//! `handler serve`: the HTTP service, under the Functions host or on a port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::time::timeout;

use egress_arm::Secret;

use crate::azure::Azure;
use crate::cli::Serve;
use crate::exit::Exit;
use crate::http::{App, Health};
use crate::jobs::ids::Ids;
use crate::jobs::local::Local;
use crate::jobs::{Delivery, Jobs};
use crate::output::{self, Terminal};
use crate::reports::{Policy, Reports};
use crate::settings::{self, Process, Settings};
use crate::simulated::Simulated;
use crate::{commands, logging};

use super::stop::Stop;

/// Reports made at the same time; each holds a few connections and some hundred kilobytes.
const CONCURRENT_RUNS: usize = 32;
/// How long running requests may finish after a signal.
const DRAIN: Duration = Duration::from_secs(10);
const BACKLOG: u32 = 1024;

/// Serves until a signal comes.
pub(crate) fn serve(options: &Serve, process: &Process, terminal: Terminal) -> Exit {
    logging::start(process.log_level);
    let port = match &process.host_port {
        Some(Ok(port)) => *port,
        Some(Err(fault)) => {
            tracing::error!("{fault}");
            return Exit::Config;
        }
        None => options.port,
    };
    commands::block_on(run(options, port, process, terminal))
}

async fn run(options: &Serve, port: u16, process: &Process, terminal: Terminal) -> Exit {
    // Before anything else: the host asks every 25 ms whether somebody listens.
    let listener = match listen(port) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(port, "cannot listen on 127.0.0.1: {error}");
            return Exit::Unavailable;
        }
    };
    let mut stop = match Stop::watch() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!("cannot watch for signals: {error}");
            return Exit::Internal;
        }
    };
    let under_host = process.host_port.is_some();
    let simulated = match &options.sandbox.sandbox {
        None => None,
        Some(dir) => match Simulated::start(dir.as_deref()).await {
            Ok(simulated) => Some(simulated),
            Err(fault) => return output::failure(&fault, Exit::NoInput),
        },
    };
    let delivery = if under_host {
        Delivery::Host
    } else {
        Delivery::Local(Local::new())
    };
    let router = app(simulated.as_ref(), delivery).router();
    let address = listener.local_addr();
    let (drain, draining) = oneshot::channel::<()>();
    let listener = listener.tap_io(|connection| {
        // Answers are small; waiting for more to send only delays them. Not being able to is no fault.
        let _ = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        // An error means that the sender is gone, which is a stop as well.
        let _ = draining.await;
    });
    let mut server = tokio::spawn(server.into_future());
    // Said while the first request may already be under way.
    if let (Ok(address), true) = (address, terminal.stderr && !under_host) {
        output::note(&welcome(address, simulated.as_ref()));
    }
    tracing::info!(
        port,
        version = env!("CARGO_PKG_VERSION"),
        "listening on 127.0.0.1"
    );
    let exit = tokio::select! {
        ended = &mut server => {
            tracing::error!("stopped serving: {ended:?}");
            return Exit::Internal;
        }
        exit = stop.asked() => exit,
    };
    tracing::info!("stopping");
    let _ = drain.send(());
    if timeout(DRAIN, server).await.is_err() {
        tracing::warn!("requests were still running after {} s", DRAIN.as_secs());
    }
    if under_host { exit } else { Exit::Success }
}

/// Listens on loopback. The address may be reused at once: the host restarts a killed handler on the same port.
fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)
}

/// The routes, with wrong settings as an answer rather than an end.
fn app(simulated: Option<&Simulated>, delivery: Delivery) -> App {
    let settings = Settings::read(&settings::environment).map(|settings| match simulated {
        Some(simulated) => simulated.apply(&settings),
        None => settings,
    });
    match settings {
        Ok(settings) => {
            let identity = settings.identity_kind();
            let policy = Policy {
                cache: settings.cache,
                concurrent_runs: CONCURRENT_RUNS,
                allowed_subscriptions: settings.allowed_subscriptions.clone(),
            };
            let jobs = Jobs {
                ids: Ids::new(settings.id_key.as_ref().map(Secret::secret)),
                share_seconds: settings.cache.as_secs(),
                delivery,
            };
            App {
                reports: Ok(Reports::new(Arc::new(Azure::new(settings)), policy)),
                jobs,
                health: Health::ok(identity),
            }
        }
        Err(faults) => {
            for fault in &faults {
                tracing::error!("wrong setting: {fault}");
            }
            App {
                jobs: Jobs {
                    ids: Ids::new(None),
                    share_seconds: 0,
                    delivery,
                },
                reports: Err(faults.join("; ").into()),
                health: Health::bad_configuration(),
            }
        }
    }
}

/// What a person at a terminal sees.
fn welcome(address: SocketAddr, simulated: Option<&Simulated>) -> String {
    let id = simulated.map_or("<ARM id of the cluster>", Simulated::demo_id);
    format!(
        "Listening on http://{address}; Ctrl-C ends it. Try:\n  \
         curl -sG http://{address}/api/egress/report --data-urlencode 'clusterId={id}' -d format=text"
    )
}
