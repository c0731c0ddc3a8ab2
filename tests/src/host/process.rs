//! The handler process: started on a port that the host picked, probed until ready, restarted on the same port.

use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::app::App;

const POLL: Duration = Duration::from_millis(25);
/// The third error within half an hour stops the host.
const ERRORS_THAT_STOP: u32 = 3;

/// What happened to the handler process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was started; how often so far.
    Started(u32),
    /// It answered the readiness probe.
    Ready,
    /// It exited or was killed; `None` = by a signal.
    Exited(Option<i32>),
    /// The host gave up.
    Stopped,
}

/// The host gave up on the handler.
#[derive(Debug)]
pub struct HostStopped(pub String);

impl fmt::Display for HostStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostStopped {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Initializing,
    /// Ready, after this many starts.
    Initialized(u32),
    Stopped,
}

/// The supervised handler process.
pub struct Process {
    port: u16,
    state: watch::Receiver<State>,
    kill: mpsc::Sender<()>,
    events: Arc<Mutex<Vec<Event>>>,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
    pid: Arc<Mutex<Option<u32>>>,
    supervisor: tokio::task::JoinHandle<()>,
}

struct Launch {
    app: App,
    settings: Vec<(String, String)>,
    port: u16,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub(super) async fn start(
        app: &App,
        settings: Vec<(String, String)>,
        client: reqwest::Client,
    ) -> Result<Self, HostStopped> {
        // Picked once by binding to port 0 and releasing it, then used for every restart.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|e| HostStopped(e.to_string()))?
            .port();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let launch = Launch {
            app: app.clone(),
            settings,
            port,
            stdout: Arc::clone(&stdout),
            stderr: Arc::clone(&stderr),
        };
        let (state_in, state) = watch::channel(State::Initializing);
        let (kill, kill_requests) = mpsc::channel(1);
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let pid: Arc<Mutex<Option<u32>>> = Arc::default();
        let supervisor = tokio::spawn(supervise(
            launch,
            client,
            state_in,
            kill_requests,
            Arc::clone(&events),
            Arc::clone(&pid),
        ));
        let process = Self {
            port,
            state,
            kill,
            events,
            stdout,
            stderr,
            pid,
            supervisor,
        };
        process.ready().await?;
        Ok(process)
    }

    /// Waits until the handler is ready.
    ///
    /// # Errors
    /// [`HostStopped`] when the host gave up on it.
    pub async fn ready(&self) -> Result<(), HostStopped> {
        let mut state = self.state.clone();
        let settled = state
            .wait_for(|s| *s != State::Initializing)
            .await
            .map(|s| *s);
        match settled {
            Ok(State::Initialized(_)) => Ok(()),
            _ => Err(HostStopped(format!(
                "the host stopped; stderr: {:?}",
                self.stderr()
            ))),
        }
    }

    /// Sends SIGKILL and waits until a successor is ready on the same port.
    ///
    /// # Errors
    /// [`HostStopped`] when this was one kill too many.
    pub async fn kill(&self) -> Result<(), HostStopped> {
        let before = *self.state.borrow();
        self.kill
            .send(())
            .await
            .map_err(|_| HostStopped("already stopped".into()))?;
        let mut state = self.state.clone();
        let _ = state
            .wait_for(|s| *s != before && *s != State::Initializing)
            .await;
        self.ready().await
    }

    /// The handler's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The handler's process id.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.lock().expect("pid")
    }

    /// Everything that happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("events").clone()
    }

    /// Lines the handler wrote to stdout: the host logs them as Information.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().expect("stdout").clone()
    }

    /// Lines the handler wrote to stderr: the host logs them as Error.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().expect("stderr").clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child is killed with its supervisor (kill_on_drop).
        self.supervisor.abort();
    }
}

async fn supervise(
    launch: Launch,
    client: reqwest::Client,
    state: watch::Sender<State>,
    mut kill_requests: mpsc::Receiver<()>,
    events: Arc<Mutex<Vec<Event>>>,
    pid: Arc<Mutex<Option<u32>>>,
) {
    let record = |event| events.lock().expect("events").push(event);
    let mut errors = 0;
    let mut starts = 0;
    while errors < ERRORS_THAT_STOP {
        state.send_replace(State::Initializing);
        starts += 1;
        record(Event::Started(starts));
        let Ok(mut child) = launch.spawn() else {
            // A missing or non-executable file is not retried.
            break;
        };
        *pid.lock().expect("pid") = child.id();
        let ready = tokio::select! {
            ready = wait_ready(&client, &launch) => ready,
            status = child.wait() => { record(Event::Exited(status.ok().and_then(|s| s.code()))); false }
        };
        if !ready {
            let _ = child.kill().await;
            errors += 1;
            continue;
        }
        record(Event::Ready);
        state.send_replace(State::Initialized(starts));
        let code = tokio::select! {
            status = child.wait() => status.ok().and_then(|s| s.code()),
            Some(()) = kill_requests.recv() => { let _ = child.kill().await; None }
        };
        record(Event::Exited(code));
        match code {
            // Exit 0 is not noticed: the host goes on believing that the handler is there.
            Some(0) => std::future::pending().await,
            Some(200) => {}
            _ => errors += 1,
        }
    }
    record(Event::Stopped);
    state.send_replace(State::Stopped);
}

impl Launch {
    fn spawn(&self) -> std::io::Result<Child> {
        let port = self.port.to_string();
        let mut child = Command::new(&self.app.executable)
            .args(&self.app.arguments)
            .current_dir(&self.app.root)
            .env_clear()
            .envs(self.settings.iter().map(|(k, v)| (k, v)))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env(
                "FUNCTIONS_CUSTOMHANDLER_WORKER_ID",
                "5d0f6a0e-0000-4000-8000-0000000000ff",
            )
            .env("FUNCTIONS_APP_ROOT_PATH", &self.app.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        collect_lines(child.stdout.take(), &self.stdout);
        collect_lines(child.stderr.take(), &self.stderr);
        Ok(child)
    }
}

fn collect_lines(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    lines: &Arc<Mutex<Vec<String>>>,
) {
    let Some(stream) = stream else { return };
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            lines.lock().expect("lines").push(line);
        }
    });
}

/// `GET /` every 25 ms: any answer, whatever its status, is ready; refused means wait; the budget counts waits only.
async fn wait_ready(client: &reqwest::Client, launch: &Launch) -> bool {
    let url = format!("http://127.0.0.1:{}/", launch.port);
    let mut waited = Duration::ZERO;
    while waited < launch.app.initialization_timeout {
        match client.get(&url).send().await {
            Err(error) if error.is_connect() => {}
            Ok(_) | Err(_) => return true,
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
    false
}
