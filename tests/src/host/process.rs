//! The handler process: started on a port that the host picked, restarted on the same port.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::app::App;
use super::clock::Clock;
use super::launch::{Launch, PAUSE, POLL};
use super::supervisor::{Command, Event, Log, State, Supervisor};

/// The host gave up on the handler.
#[derive(Debug)]
pub struct HostStopped(pub String);

impl fmt::Display for HostStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostStopped {}

/// The supervised handler process.
pub struct Process {
    port: u16,
    gate: Duration,
    state: watch::Receiver<State>,
    commands: mpsc::Sender<(Command, oneshot::Sender<()>)>,
    log: Arc<Log>,
    supervisor: tokio::task::JoinHandle<()>,
}

impl Process {
    /// Starts it without waiting for it, as the host does.
    pub(super) fn start(
        app: &App,
        settings: Vec<(String, String)>,
        client: reqwest::Client,
        clock: Clock,
    ) -> std::io::Result<Self> {
        // Picked once by binding to port 0 and releasing it, then used for every restart.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let log: Arc<Log> = Arc::default();
        let (state_in, state) = watch::channel(State::Initializing);
        let (commands, orders) = mpsc::channel(8);
        let supervisor = Supervisor {
            launch: Launch {
                app: app.clone(),
                settings,
                port,
                client,
                clock: clock.clone(),
                log: Arc::clone(&log),
            },
            clock,
            state: state_in,
            log: Arc::clone(&log),
            errors: Vec::new(),
        };
        Ok(Self {
            port,
            gate: app.initialization_timeout * 4,
            state,
            commands,
            log,
            supervisor: tokio::spawn(supervisor.run(orders)),
        })
    }

    /// Waits until the handler is ready, as every call does; after four times the time that a start may take, the host ends.
    ///
    /// # Errors
    /// [`HostStopped`] when the host gave up on the handler, now or before.
    pub async fn ready(&self) -> Result<(), HostStopped> {
        let mut state = self.state.clone();
        let mut waited = Duration::ZERO;
        loop {
            let now = *state.borrow_and_update();
            match now {
                State::Initialized => return Ok(()),
                State::Stopped => {
                    let said = format!("the host stopped; stderr: {:?}", self.stderr());
                    return Err(HostStopped(said));
                }
                State::Initializing if waited >= self.gate => {}
                State::Initializing => {
                    let _ = tokio::time::timeout(PAUSE, state.changed()).await;
                    waited += POLL;
                    continue;
                }
            }
            self.order(Command::Stop).await;
        }
    }

    /// Sends SIGKILL and waits until a successor is ready on the same port.
    ///
    /// # Errors
    /// [`HostStopped`] when this was one kill too many.
    pub async fn kill(&self) -> Result<(), HostStopped> {
        self.order(Command::Kill).await;
        self.ready().await
    }

    /// Kills and starts anew by the host's own decision.
    pub(super) async fn restart(&self) {
        self.order(Command::Restart).await;
        let _ = self.ready().await;
    }

    /// Kills the process, and only that one, without a word before, as the host does when it ends. Whether the port is free
    /// then: if not, somebody else holds it, such as a child of a wrapper.
    pub(super) async fn stop(&self) -> bool {
        self.order(Command::Stop).await;
        std::net::TcpListener::bind(("127.0.0.1", self.port)).is_ok()
    }

    async fn order(&self, command: Command) {
        let (done, seen) = oneshot::channel();
        if self.commands.send((command, done)).await.is_ok() {
            let _ = seen.await;
        }
    }

    pub(super) fn note(&self, event: Event) {
        self.log.note(event);
    }

    /// The handler's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The handler's process id.
    pub fn pid(&self) -> Option<u32> {
        *self.log.pid.lock().expect("pid")
    }

    /// Everything that happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.log.events.lock().expect("events").clone()
    }

    /// How many readiness probes found nobody listening.
    pub fn probes_refused(&self) -> u32 {
        self.log.refused.load(Ordering::SeqCst)
    }

    /// Lines the handler wrote to stdout: the host logs them as Information.
    pub fn stdout(&self) -> Vec<String> {
        self.log.stdout.lock().expect("stdout").clone()
    }

    /// Lines the handler wrote to stderr: the host logs them as Error, with "warn" in them as Warning.
    pub fn stderr(&self) -> Vec<String> {
        self.log.stderr.lock().expect("stderr").clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child is killed with its supervisor (kill_on_drop).
        self.supervisor.abort();
    }
}
