//! One start of the handler: its environment, its arguments, what it prints, and whether it is ready.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::app::App;
use super::clock::Clock;
use super::forward::uuid_like;
use super::supervisor::Log;

/// What each poll for readiness counts …
pub(super) const POLL: Duration = Duration::from_millis(25);
/// … and how long it takes here: the host counts its polls, not the time.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// What a process wrote.
pub(super) type Lines = Arc<Mutex<Vec<String>>>;

pub(super) struct Launch {
    pub(super) app: App,
    pub(super) settings: Vec<(String, String)>,
    pub(super) port: u16,
    pub(super) client: reqwest::Client,
    pub(super) clock: Clock,
    pub(super) log: Arc<Log>,
}

impl Launch {
    /// Starts the process with the settings and the five variables of the host as its whole environment.
    pub(super) fn spawn(&self) -> std::io::Result<Child> {
        let port = self.port.to_string();
        let worker = uuid_like();
        let root = self.app.root.display().to_string();
        let mut variables = self.settings.clone();
        for (name, value) in [
            ("FUNCTIONS_CUSTOMHANDLER_PORT", &port),
            ("FUNCTIONS_HTTPWORKER_PORT", &port),
            ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &worker),
            ("FUNCTIONS_HTTPWORKER_ID", &worker),
            ("FUNCTIONS_APP_ROOT_PATH", &root),
        ] {
            variables.push((name.to_owned(), value.clone()));
        }
        let mut child = Command::new(&self.app.executable)
            .args(arguments(&self.app.arguments, &variables))
            .current_dir(&self.app.root)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        collect_lines(child.stdout.take(), &self.log.stdout);
        collect_lines(child.stderr.take(), &self.log.stderr);
        Ok(child)
    }

    /// `GET /` every 25 ms: any answer, whatever its status, is ready, and so is a connection that breaks; refused means wait;
    /// the budget counts waits only. An answer that never comes is waited for as long as for a function's.
    pub(super) async fn ready(&self) -> bool {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let limit = self.app.function_timeout + Duration::from_mins(1);
        let mut waited = Duration::ZERO;
        while waited < self.app.initialization_timeout {
            match self.clock.within(limit, self.client.get(&url).send()).await {
                None => return false,
                Some(Err(error)) if error.is_connect() => {
                    self.log.refused.fetch_add(1, Ordering::SeqCst);
                }
                Some(Ok(_) | Err(_)) => return true,
            }
            tokio::time::sleep(PAUSE).await;
            waited += POLL;
        }
        false
    }
}

/// Joined with one blank each and not quoted, so that an argument with a blank becomes two; a name between percent signs is
/// that variable, or nothing.
fn arguments(arguments: &[String], variables: &[(String, String)]) -> Vec<String> {
    let joined = arguments.join(" ");
    let mut filled = String::new();
    for (index, part) in joined.split('%').enumerate() {
        if index % 2 == 0 {
            filled.push_str(part);
        } else if let Some((_, value)) = variables.iter().find(|(name, _)| name == part) {
            filled.push_str(value);
        }
    }
    filled.split_whitespace().map(str::to_owned).collect()
}

fn collect_lines(stream: Option<impl AsyncRead + Unpin + Send + 'static>, lines: &Lines) {
    let Some(stream) = stream else { return };
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            lines.lock().expect("lines").push(line);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_blanks_and_filled() {
        let variables = [("PORT".to_owned(), "4711".to_owned())];
        let written = [
            "serve me".to_owned(),
            "%PORT%".to_owned(),
            "%NO%".to_owned(),
        ];
        assert_eq!(arguments(&written, &variables), ["serve", "me", "4711"]);
    }
}
