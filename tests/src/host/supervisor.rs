//! The rules by which the host starts the handler process again, or gives up.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};

use super::clock::Clock;
use super::launch::{Launch, Lines};

/// The third error stops the host …
const ERRORS_THAT_STOP: usize = 3;
/// … unless this much time passed since the one before.
const ERRORS_FORGOTTEN_AFTER: Duration = Duration::from_mins(30);

/// What happened to the handler process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was started; how often so far.
    Started(u32),
    /// It answered the readiness probe.
    Ready,
    /// It was started and not ready in time.
    NotReady,
    /// It exited or was killed; `None` = by a signal.
    Exited(Option<i32>),
    /// A function ran longer than the host allows.
    TimedOut(String),
    /// A function answered nothing, for which the host waits until that function's timeout.
    Hung(String),
    /// The host gave up.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Initializing,
    Initialized,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Somebody kills the process: an error that counts.
    Kill,
    /// The host restarts it by itself, which does not count.
    Restart,
    /// The host ends.
    Stop,
}

/// What the supervisor and its children leave.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) events: Mutex<Vec<Event>>,
    pub(super) pid: Mutex<Option<u32>>,
    pub(super) refused: AtomicU32,
    pub(super) stdout: Lines,
    pub(super) stderr: Lines,
}

impl Log {
    pub(super) fn note(&self, event: Event) {
        self.events.lock().expect("events").push(event);
    }
}

/// What keeps the handler process alive, as far as the host does.
pub(super) struct Supervisor {
    pub(super) launch: Launch,
    pub(super) clock: Clock,
    pub(super) state: watch::Sender<State>,
    pub(super) log: Arc<Log>,
    /// When errors happened.
    pub(super) errors: Vec<Duration>,
}

pub(super) type Orders = mpsc::Receiver<(Command, oneshot::Sender<()>)>;

/// Why a process is no longer waited for.
enum End {
    Exited(Option<i32>),
    NotReady,
    Ordered(Command, oneshot::Sender<()>),
}

impl Supervisor {
    pub(super) async fn run(mut self, mut orders: Orders) {
        let mut starts = 0;
        while self.errors.len() < ERRORS_THAT_STOP {
            starts += 1;
            self.log.note(Event::Started(starts));
            let mut order = None;
            match self.watch(&mut orders).await {
                End::Exited(Some(200)) => {}
                End::Exited(_) | End::NotReady => self.count_error(),
                End::Ordered(command, done) => {
                    if command == Command::Kill {
                        self.count_error();
                    }
                    order = Some((command, done));
                }
            }
            self.state.send_replace(State::Initializing);
            if let Some((command, done)) = order {
                if command == Command::Stop {
                    self.stopped();
                    let _ = done.send(());
                    return;
                }
                if self.errors.len() >= ERRORS_THAT_STOP {
                    self.stopped();
                }
                let _ = done.send(());
            }
        }
        self.stopped();
    }

    fn stopped(&self) {
        if *self.state.borrow() != State::Stopped {
            self.log.note(Event::Stopped);
            self.state.send_replace(State::Stopped);
        }
    }

    fn count_error(&mut self) {
        let now = self.clock.passed();
        let forgotten = |last: &Duration| now.saturating_sub(*last) > ERRORS_FORGOTTEN_AFTER;
        if self.errors.last().is_some_and(forgotten) {
            self.errors.clear();
        }
        self.errors.push(now);
    }

    /// Starts one process and stays with it to its end.
    async fn watch(&self, orders: &mut Orders) -> End {
        // A missing or non-executable file is not tried again: the host goes on waiting for it.
        let Ok(mut child) = self.launch.spawn() else {
            return ordered(orders).await;
        };
        *self.log.pid.lock().expect("pid") = child.id();
        let end = self.live(&mut child, orders).await;
        let _ = child.kill().await;
        match &end {
            End::NotReady => self.log.note(Event::NotReady),
            End::Exited(_) => {}
            End::Ordered(..) => self.log.note(Event::Exited(None)),
        }
        end
    }

    async fn live(&self, child: &mut Child, orders: &mut Orders) -> End {
        let exit = self.exit(child);
        tokio::pin!(exit);
        tokio::select! {
            ready = self.launch.ready() => if !ready { return End::NotReady },
            code = &mut exit => return End::Exited(code),
            order = ordered(orders) => return order,
        }
        self.log.note(Event::Ready);
        self.state.send_replace(State::Initialized);
        tokio::select! {
            code = &mut exit => End::Exited(code),
            order = ordered(orders) => order,
        }
    }

    /// How the process ended. An exit with 0 is not noticed: the host goes on believing that the handler is there.
    async fn exit(&self, child: &mut Child) -> Option<i32> {
        let code = child.wait().await.ok().and_then(|status| status.code());
        self.log.note(Event::Exited(code));
        if code == Some(0) {
            std::future::pending::<()>().await;
        }
        code
    }
}

async fn ordered(orders: &mut Orders) -> End {
    match orders.recv().await {
        Some((command, done)) => End::Ordered(command, done),
        // Nobody holds the host any more; its drop ends this task.
        None => std::future::pending().await,
    }
}
