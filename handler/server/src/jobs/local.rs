//! Queue and store of one process, for use without a Functions host: what it holds is lost when it ends.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use crate::alerts::work as alerts;
use crate::http::App;
use crate::problem::{Code, Problem};

use super::messages::{Post, Queue};
use super::notify;
use super::work::{self, Done, Given};

/// Messages that wait or are worked on.
const MAX_MESSAGES: usize = 2_000;
/// Worked on at the same time.
const WORKERS: usize = 8;
/// Memory for stored results.
const MAX_STORED_BYTES: u64 = 128 * 1024 * 1024;
/// For how long they are kept.
const KEEP: Duration = Duration::from_hours(24);
/// How often a message is tried, as the host does it.
const TRIES: u32 = 5;
/// Before the second try; twice as long before each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// Queue and store in memory.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// By the path that the blob would have.
    blobs: Cache<String, Arc<str>>,
    room: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self {
            blobs: Cache::builder()
                .weigher(|path: &String, text: &Arc<str>| {
                    u32::try_from(path.len().saturating_add(text.len())).unwrap_or(u32::MAX)
                })
                .max_capacity(MAX_STORED_BYTES)
                .time_to_live(KEEP)
                .build(),
            room: Arc::new(Semaphore::new(MAX_MESSAGES)),
            workers: Arc::new(Semaphore::new(WORKERS)),
        }
    }

    /// The stored result with this id.
    pub(crate) async fn result(&self, id: &str) -> Option<String> {
        self.blob(&path("result", id)).await
    }

    /// The rows of all clusters.
    pub(crate) fn rows(&self) -> Vec<Arc<str>> {
        let rows = self.blobs.iter();
        let rows = rows.filter(|(path, _)| path.starts_with("row/"));
        rows.map(|(_, text)| text).collect()
    }

    /// Works on these messages, each in a task of its own.
    pub(crate) fn send(&self, app: &Arc<App>, posts: Vec<Post>) -> Result<(), Problem> {
        let count = u32::try_from(posts.len()).unwrap_or(u32::MAX);
        let Ok(mut room) = self.room.clone().try_acquire_many_owned(count) else {
            let text = "as many diagnoses as this process keeps are already waiting";
            return Err(Problem::new(Code::Busy, text).retry_after(10));
        };
        for post in posts {
            self.start(app, post, room.split(1));
        }
        Ok(())
    }

    fn start(&self, app: &Arc<App>, post: Post, place: Option<OwnedSemaphorePermit>) {
        let (local, app) = (self.clone(), app.clone());
        let work = async move {
            let more = local.work(&app, &post).await;
            // Before it waits for others': all could wait for each other.
            drop(place);
            for post in more {
                if let Ok(place) = local.room.clone().acquire_owned().await {
                    local.start(&app, post, Some(place));
                }
            }
        };
        tokio::spawn(work.in_current_span());
    }

    /// Works on a message, and gives those that it leads to.
    async fn work(&self, app: &Arc<App>, post: &Post) -> Vec<Post> {
        let Ok(_worker) = self.workers.acquire().await else {
            return Vec::new();
        };
        let message: Value = serde_json::from_str(&post.text).unwrap_or_default();
        let name = |key: &str| {
            let text = message.get(key).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let names = match post.queue {
            Queue::Alerts | Queue::Diagnoses => (name("id"), name("cluster")),
            Queue::Notifications => (name("id"), name("about")),
        };
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            let given = self.given(post.queue, &message, &names).await;
            match once(app, post.queue, &given).await {
                Ok(done) => return self.keep(done, &names).await,
                Err(problem) => problem.write_log(),
            }
            if attempt < TRIES {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        let given = self.given(post.queue, &message, &names).await;
        let given_up = match post.queue {
            Queue::Alerts => alerts::give_up(app, &given, &names.0),
            Queue::Diagnoses => work::give_up(app, &given, &names.0),
            Queue::Notifications => Ok(Done::default()),
        };
        match given_up {
            Ok(done) => self.keep(done, &names).await,
            Err(problem) => {
                problem.write_log();
                Vec::new()
            }
        }
    }

    /// A message with the blobs that the host would read for it.
    async fn given(&self, queue: Queue, message: &Value, (id, other): &(String, String)) -> Given {
        let latest = match queue {
            Queue::Alerts | Queue::Diagnoses => "newest",
            Queue::Notifications => "marker",
        };
        Given {
            message: message.clone(),
            previous: self.result(id).await,
            latest: self.blob(&path(latest, other)).await,
        }
    }

    /// Stores what was done, and gives the messages it leads to.
    async fn keep(&self, done: Done, (id, other): &(String, String)) -> Vec<Post> {
        for (binding, text) in done.blobs {
            let name = if binding == "result" { id } else { other };
            self.blobs.insert(path(binding, name), text.into()).await;
        }
        done.posts
    }

    async fn blob(&self, path: &str) -> Option<String> {
        Some(self.blobs.get(path).await?.as_ref().to_owned())
    }
}

async fn once(app: &Arc<App>, queue: Queue, given: &Given) -> Result<Done, Problem> {
    match queue {
        Queue::Alerts => alerts::follow(app, given).await,
        Queue::Diagnoses => work::diagnose(app, given).await,
        Queue::Notifications => notify::notify(app, given).await,
    }
}

fn path(binding: &str, name: &str) -> String {
    format!("{binding}/{name}")
}
