//! Queues and blobs in memory, as the host's extensions keep them in a storage account.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id in the queue.
    pub id: String,
    /// As it is stored: base64, unless the host's settings say otherwise.
    stored: String,
    /// How often it was delivered.
    pub dequeued: u32,
}

/// Everything that was written.
#[derive(Debug, Default)]
pub struct Storage {
    queues: Mutex<BTreeMap<String, VecDeque<Message>>>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Message {
    /// The text, when it is stored as the host expects it.
    pub(super) fn text(&self, base64: bool) -> Option<String> {
        if !base64 {
            return Some(self.stored.clone());
        }
        String::from_utf8(STANDARD.decode(&self.stored).ok()?).ok()
    }
}

impl Storage {
    /// Adds a message as the host writes it.
    pub fn put(&self, queue: &str, text: &str, base64: bool) {
        let stored = if base64 {
            STANDARD.encode(text)
        } else {
            text.to_owned()
        };
        assert!(stored.len() <= 64 * 1024, "a queue takes 64 kB");
        let message = Message {
            id: super::forward::uuid_like(),
            stored,
            dequeued: 0,
        };
        self.push(queue, message);
    }

    pub(super) fn push(&self, queue: &str, message: Message) {
        let mut queues = self.queues.lock().expect("queues");
        queues
            .entry(queue.to_owned())
            .or_default()
            .push_back(message);
    }

    /// Takes the next message, which counts as a delivery.
    pub(super) fn take(&self, queue: &str) -> Option<Message> {
        let mut queues = self.queues.lock().expect("queues");
        let mut message = queues.get_mut(queue)?.pop_front()?;
        message.dequeued += 1;
        Some(message)
    }

    /// The messages of a queue.
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

    pub(super) fn write(&self, path: String, content: Vec<u8>) {
        self.blobs.lock().expect("blobs").insert(path, content);
    }
}
