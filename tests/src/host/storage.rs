//! Queues and blobs in memory, as the host's extensions keep them in a storage account.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::clock::Clock;

/// While a message is worked on nobody else sees it; the host renews this lease as long as it lives.
const LEASE: Duration = Duration::from_mins(10);
/// A message that nobody takes is gone after seven days.
pub(super) const LIFE: Duration = Duration::from_hours(7 * 24);

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id in the queue.
    pub id: String,
    /// As it is stored: base64, unless the host's settings say otherwise.
    pub stored: String,
    /// How often it was delivered.
    pub dequeued: u32,
    /// When it was written, on the host's clock.
    pub(super) inserted: Duration,
    /// From when on it can be taken.
    pub(super) visible: Duration,
    /// Whether a living host works on it.
    held: bool,
}

/// Everything that was written.
#[derive(Debug)]
pub struct Storage {
    clock: Clock,
    queues: Mutex<BTreeMap<String, Vec<Message>>>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Message {
    /// What is in it, when it is stored as the host expects it.
    pub(super) fn content(&self, base64: bool) -> Option<Vec<u8>> {
        if base64 {
            STANDARD.decode(&self.stored).ok()
        } else {
            Some(self.stored.clone().into_bytes())
        }
    }
}

impl Storage {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            queues: Mutex::default(),
            blobs: Mutex::default(),
        }
    }

    /// Adds a message as the host writes it.
    pub fn put(&self, queue: &str, content: &(impl AsRef<[u8]> + ?Sized), base64: bool) {
        let content = content.as_ref();
        let stored = if base64 {
            STANDARD.encode(content)
        } else {
            String::from_utf8_lossy(content).into_owned()
        };
        self.put_stored(queue, stored);
    }

    /// Adds a message as somebody else may have written it.
    pub fn put_stored(&self, queue: &str, stored: String) {
        assert!(stored.len() <= 64 * 1024, "a queue takes 64 kB");
        let now = self.clock.passed();
        let message = Message {
            id: super::forward::uuid_like(),
            stored,
            dequeued: 0,
            inserted: now,
            visible: now,
            held: false,
        };
        let mut queues = self.queues.lock().expect("queues");
        queues.entry(queue.to_owned()).or_default().push(message);
    }

    /// When the next message can be taken, if any can.
    pub(super) fn next_visible(&self, queue: &str) -> Option<Duration> {
        let messages = self.queue(queue);
        let free = messages.iter().filter(|message| !message.held);
        free.map(|message| message.visible).min()
    }

    /// Takes the next visible message, which counts as a delivery.
    pub(super) fn take(&self, queue: &str) -> Option<Message> {
        let now = self.clock.passed();
        let mut queues = self.queues.lock().expect("queues");
        let messages = queues.get_mut(queue)?;
        messages.retain(|message| now < message.inserted + LIFE);
        let message = messages.iter_mut().find(|m| !m.held && m.visible <= now)?;
        message.dequeued += 1;
        message.held = true;
        message.visible = now + LEASE;
        Some(message.clone())
    }

    /// Takes it out of the queue for good.
    pub(super) fn delete(&self, queue: &str, id: &str) {
        let mut queues = self.queues.lock().expect("queues");
        let messages = queues.entry(queue.to_owned()).or_default();
        messages.retain(|message| message.id != id);
    }

    /// Makes it visible again after this time; `None` = when its lease ends, as if the host had died.
    pub(super) fn release(&self, queue: &str, id: &str, after: Option<Duration>) {
        let now = self.clock.passed();
        let mut queues = self.queues.lock().expect("queues");
        let messages = queues.get_mut(queue).into_iter().flatten();
        for message in messages.filter(|message| message.id == id) {
            message.held = false;
            message.visible = after.map_or(message.visible, |after| now + after);
        }
    }

    /// The messages of a queue, visible or not.
    pub fn queue(&self, queue: &str) -> Vec<Message> {
        let queues = self.queues.lock().expect("queues");
        queues.get(queue).into_iter().flatten().cloned().collect()
    }

    /// Paths of all blobs.
    pub fn blobs(&self) -> Vec<String> {
        self.blobs.lock().expect("blobs").keys().cloned().collect()
    }

    /// A blob's content.
    pub fn blob(&self, path: &str) -> Option<Vec<u8>> {
        self.blobs.lock().expect("blobs").get(path).cloned()
    }

    /// Writes a blob.
    pub fn write(&self, path: String, content: Vec<u8>) {
        self.blobs.lock().expect("blobs").insert(path, content);
    }
}
