//! The host's clock. It stands still unless it is moved on, so that a test waits for nothing and depends on no speed.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// When every emulated host begins, as seconds since 1970: 2026-08-08T10:00:00Z.
const BEGIN: i64 = 1_786_183_200;

/// The time that has passed for the host; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<watch::Sender<Duration>>);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Duration::ZERO)))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|passed| *passed += by);
    }

    /// Moves the clock on to a time that lies ahead; one that has passed changes nothing.
    pub(super) fn advance_to(&self, time: Duration) {
        self.0.send_modify(|passed| *passed = time.max(*passed));
    }

    /// How much time has passed since the host began.
    pub fn passed(&self) -> Duration {
        *self.0.borrow()
    }

    /// The time of day.
    pub(super) fn now(&self) -> Timestamp {
        time_of_day(self.passed())
    }

    /// What the work gives, unless the clock passes the limit before.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let end = self.passed() + limit;
        let mut time = self.0.subscribe();
        tokio::select! {
            biased;
            done = work => Some(done),
            _ = time.wait_for(|passed| *passed >= end) => None,
        }
    }
}

/// The time of day when this much has passed.
pub(super) fn time_of_day(passed: Duration) -> Timestamp {
    let begin = Timestamp::from_second(BEGIN).expect("a time");
    begin + SignedDuration::try_from(passed).expect("a time")
}

/// How much will have passed at this time of day.
pub(super) fn passed_at(time: Timestamp) -> Duration {
    let begin = Timestamp::from_second(BEGIN).expect("a time");
    Duration::try_from(time.duration_since(begin)).expect("a time to come")
}

/// As .NET writes a time with its offset: `2026-08-08T10:00:00+00:00`.
pub(super) fn with_offset(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_before_its_limit_or_with_it() {
        let clock = Clock::new();
        let limit = Duration::from_mins(5);
        let most = Duration::from_mins(4);
        assert_eq!(clock.within(limit, async { 1 }).await, Some(1));
        let late = clock.within(limit, std::future::pending::<()>());
        let (done, ()) = tokio::join!(late, async {
            clock.advance(most);
            tokio::task::yield_now().await;
            clock.advance(Duration::from_mins(1));
        });
        assert_eq!(done, None);
        assert_eq!(with_offset(clock.now()), "2026-08-08T10:05:00+00:00");
    }
}
