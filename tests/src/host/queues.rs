//! Queue triggers: deliveries, their retries and the poison queues; and timers.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::Host;
use super::clock::passed_at;
use super::envelope;
use super::function::Function;
use super::schedule::Schedule;
use super::storage::Message;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// There was none to be seen.
    Empty,
    /// The function succeeded; the message is deleted.
    Done,
    /// The function failed; the message becomes visible again.
    Failed(String),
    /// It failed for the last time, or too often before, or cannot be decoded: it is in the poison queue.
    Poisoned(String),
    /// It stays in a poison queue, which has none of its own, and is never given to the function (again).
    Ignored,
}

impl Host {
    /// Delivers the next message of a queue to its function. Nothing is waited for: when it is not visible yet, the host's clock
    /// is moved on to when it is.
    pub async fn deliver(&self, queue: &str) -> Delivery {
        if let Some(visible) = self.storage.next_visible(queue) {
            self.clock.advance_to(visible);
        }
        self.deliver_visible(queue).await
    }

    /// Delivers the next message that is visible now.
    pub async fn deliver_visible(&self, queue: &str) -> Delivery {
        match self.storage.take(queue) {
            Some(message) => self.work_on(queue, message).await,
            None => Delivery::Empty,
        }
    }

    /// Delivers what is visible side by side, as many as the host works on at once.
    pub async fn deliver_batch(&self, queue: &str) -> Vec<Delivery> {
        let messages = (0..self.app.queues.batch_size).map_while(|_| self.storage.take(queue));
        join_all(messages.map(|message| self.work_on(queue, message))).await
    }

    /// Delivers the next message as if the host had died before it could delete it.
    pub async fn deliver_and_forget(&self, queue: &str) -> Delivery {
        let Some(message) = self.storage.take(queue) else {
            return Delivery::Empty;
        };
        let worked = self.run(self.function_of(queue), &message).await;
        self.storage.release(queue, &message.id, None);
        match worked {
            Ok(()) => Delivery::Done,
            Err(why) => Delivery::Failed(why),
        }
    }

    /// Delivers everything that can be delivered, until all queues with a function are empty.
    ///
    /// # Panics
    /// When that takes more than a thousand deliveries.
    pub async fn drain(&self) {
        for _ in 0..1_000 {
            let mut queues = self.app.functions.iter().filter_map(|f| self.queue_of(f));
            let Some(queue) = queues.find(|queue| self.has_work(queue)) else {
                return;
            };
            self.deliver(&queue).await;
        }
        panic!("the queues do not run dry");
    }

    /// Whether a queue holds a message that its function will get or that will become poison.
    fn has_work(&self, queue: &str) -> bool {
        let most = self.app.queues.max_dequeue_count;
        let base64 = self.app.queues.base64;
        let mut messages = self.storage.queue(queue).into_iter();
        messages.any(|message| {
            !is_poison(queue) || (message.dequeued < most && message.content(base64).is_some())
        })
    }

    async fn work_on(&self, queue: &str, message: Message) -> Delivery {
        let most = self.app.queues.max_dequeue_count;
        if message.content(self.app.queues.base64).is_none() {
            return self.poison(queue, &message, "the message is not base64");
        }
        if message.dequeued > most {
            return self.poison(queue, &message, "delivered too often");
        }
        match self.run(self.function_of(queue), &message).await {
            Ok(()) => {
                self.storage.delete(queue, &message.id);
                Delivery::Done
            }
            // Nobody releases it: it is seen again when its lease ends.
            Err(why) if is_poison(queue) => {
                self.storage.release(queue, &message.id, None);
                Delivery::Failed(why)
            }
            Err(why) if message.dequeued >= most => self.poison(queue, &message, &why),
            Err(why) => {
                let after = self.app.queues.visibility_timeout;
                self.storage.release(queue, &message.id, Some(after));
                Delivery::Failed(why)
            }
        }
    }

    /// Moves a message to the poison queue as it is stored.
    fn poison(&self, queue: &str, message: &Message, why: &str) -> Delivery {
        if is_poison(queue) {
            self.storage.release(queue, &message.id, None);
            return Delivery::Ignored;
        }
        let stored = message.stored.clone();
        self.storage.put_stored(&format!("{queue}-poison"), stored);
        self.storage.delete(queue, &message.id);
        Delivery::Poisoned(why.to_owned())
    }

    async fn run(&self, function: &Function, message: &Message) -> Result<(), String> {
        let content = message.content(self.app.queues.base64);
        let content = content.ok_or("the message is not base64")?;
        let trigger = function.trigger();
        let envelope = envelope::of_message(trigger, message, content)?;
        self.invoke(function, envelope).await.map(|_| ())
    }

    fn function_of(&self, queue: &str) -> &Function {
        let mut functions = self.app.functions.iter();
        functions
            .find(|f| self.queue_of(f).as_deref() == Some(queue))
            .unwrap_or_else(|| panic!("no function listens to {queue}"))
    }

    fn queue_of(&self, function: &Function) -> Option<String> {
        let trigger = function.trigger();
        trigger
            .is("queueTrigger")
            .then(|| trigger.text("queueName", &self.settings))?
    }

    /// Moves the host's clock on to when a timer is due, and lets it fire; the time it was due.
    ///
    /// # Errors
    /// Why the function failed; a timer is not tried again.
    pub async fn fire(&self, name: &str) -> Result<Timestamp, String> {
        self.fire_late(name, Duration::ZERO).await
    }

    /// The same for a host that begins only this much after the timer was due.
    ///
    /// # Errors
    /// Why the function failed.
    pub async fn fire_late(&self, name: &str, late: Duration) -> Result<Timestamp, String> {
        let function = self.app.function(name);
        let trigger = function.trigger();
        assert!(trigger.is("timerTrigger"), "{name} has no timer");
        let schedule = trigger.text("schedule", &self.settings).unwrap_or_default();
        let schedule = Schedule::parse(&schedule).expect("a schedule");
        let last = self.clock.now();
        let due = schedule.after(last).expect("a time to come");
        self.clock.advance_to(passed_at(due) + late);
        let envelope = envelope::of_timer(trigger, last, due, late > Duration::ZERO);
        self.invoke(function, envelope).await.map(|_| due)
    }
}

fn is_poison(queue: &str) -> bool {
    queue.ends_with("-poison")
}
