//! What was asked of the sandbox, in which order.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// One ARM request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path, percent-decoded, in the caller's case.
    pub path: String,
    /// Query parameters, decoded, in the caller's order and case.
    pub query: Vec<(String, String)>,
    /// HTTP status of the answer; `None` while it is under way or when the caller went away.
    pub status: Option<u16>,
    /// Place of the request's arrival in the order of all arrivals and answers.
    pub started: u64,
    /// Place of the answer in that order; `None` while it is under way.
    pub ended: Option<u64>,
}

/// The longest chain of calls in which each one started after the one before it had ended: how many round trips
/// must have been waited for one after the other.
pub fn waves(calls: &[Call]) -> usize {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.started);
    let mut chains: Vec<(u64, usize)> = Vec::new();
    for call in calls {
        let before = chains
            .iter()
            .filter(|(ended, _)| *ended < call.started)
            .map(|(_, length)| *length);
        let length = 1 + before.max().unwrap_or_default();
        chains.push((call.ended.unwrap_or(u64::MAX), length));
    }
    chains
        .into_iter()
        .map(|(_, length)| length)
        .max()
        .unwrap_or_default()
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    calls: Mutex<Vec<Call>>,
    sequence: AtomicU64,
    connections: AtomicU64,
    token_requests: AtomicU64,
}

impl Log {
    /// Notes the arrival of a request; the entry ends when the guard is dropped.
    pub(crate) fn start(
        &self,
        method: String,
        path: String,
        query: Vec<(String, String)>,
    ) -> Entry<'_> {
        let mut calls = self.lock();
        let started = self.sequence.fetch_add(1, Ordering::SeqCst);
        calls.push(Call {
            method,
            path,
            query,
            status: None,
            started,
            ended: None,
        });
        Entry {
            log: self,
            started,
            status: None,
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().clone()
    }

    pub(crate) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn token_request(&self) {
        self.token_requests.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn token_requests(&self) -> u64 {
        self.token_requests.load(Ordering::SeqCst)
    }

    pub(crate) fn reset(&self) {
        self.lock().clear();
        self.connections.store(0, Ordering::SeqCst);
        self.token_requests.store(0, Ordering::SeqCst);
    }

    /// A panic elsewhere leaves the list whole, so a poisoned lock is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
pub(crate) struct Entry<'a> {
    log: &'a Log,
    started: u64,
    status: Option<u16>,
}

impl Entry<'_> {
    pub(crate) fn finish(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut calls = self.log.lock();
        let ended = self.log.sequence.fetch_add(1, Ordering::SeqCst);
        if let Some(call) = calls.iter_mut().find(|call| call.started == self.started) {
            call.status = self.status;
            call.ended = Some(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(started: u64, ended: Option<u64>) -> Call {
        Call {
            method: "GET".into(),
            path: "/".into(),
            query: Vec::new(),
            status: Some(200),
            started,
            ended,
        }
    }

    #[test]
    fn calls_side_by_side_are_one_wave() {
        assert_eq!(
            waves(&[call(0, Some(3)), call(1, Some(4)), call(2, Some(5))]),
            1
        );
    }

    #[test]
    fn a_call_after_any_answer_is_a_further_wave() {
        // 0 alone, then 2 and 3 together, then 6 after both.
        let calls = [
            call(0, Some(1)),
            call(2, Some(4)),
            call(3, Some(5)),
            call(6, Some(7)),
        ];
        assert_eq!(waves(&calls), 3);
    }

    #[test]
    fn a_call_under_way_leads_nowhere() {
        assert_eq!(waves(&[call(0, None), call(1, Some(2))]), 1);
        assert_eq!(waves(&[]), 0);
    }
}
