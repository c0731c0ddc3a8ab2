//! Repeats on a clock that stands still unless waited for.

use std::sync::Mutex;

use azure_core::http::AsyncRawResponse;
use azure_core::http::headers::{HeaderName, Headers};

use super::*;

/// Stands in for the wire: answers in order, the last for all that follow, and notes when it was asked.
#[derive(Debug)]
struct Wire {
    script: Vec<Answer>,
    asked: Mutex<Vec<Instant>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    RetryAfter(u16, &'static str, &'static str),
    Slow(Duration, u16),
    Never,
    Broken,
}

#[expect(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl Policy for Wire {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Instant::now());
            asked.len() - 1
        };
        let (status, header) = match self.script.get(nth).or(self.script.last()).unwrap() {
            Answer::Status(status) => (*status, None),
            Answer::RetryAfter(status, name, value) => (*status, Some((*name, *value))),
            Answer::Slow(time, status) => {
                sleep(*time).await;
                (*status, None)
            }
            Answer::Never => std::future::pending().await,
            Answer::Broken => return Err(Error::with_message(ErrorKind::Io, "connection reset")),
        };
        let mut headers = Headers::new();
        if let Some((name, value)) = header {
            headers.insert(HeaderName::from(name.to_owned()), value);
        }
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, ""))
    }
}

/// What came of it, and the seconds after the start at which the wire was asked.
async fn ask(method: Method, script: &[Answer], deadline: Duration) -> (PolicyResult, Vec<f64>) {
    ask_with(Patience::LONG, method, script, deadline).await
}

async fn ask_with(
    patience: Patience,
    method: Method,
    script: &[Answer],
    deadline: Duration,
) -> (PolicyResult, Vec<f64>) {
    let start = Instant::now();
    let wire = Arc::new(Wire {
        script: script.to_vec(),
        asked: Mutex::default(),
    });
    let call = Call {
        deadline: start + deadline,
        counters: Arc::default(),
        permits: None,
        reads: false,
        patience,
    };
    let context = Context::new().with_value(call);
    let mut request = Request::new("https://localhost/".parse().unwrap(), method);
    let next: [Arc<dyn Policy>; 1] = [Arc::<Wire>::clone(&wire)];
    let outcome = Repeat.send(&context, &mut request, &next).await;
    assert!(
        Instant::now() <= start + deadline,
        "the deadline was outlived"
    );
    let asked = wire.asked.lock().unwrap();
    let asked = asked.iter().map(|at| (*at - start).as_secs_f64()).collect();
    (outcome, asked)
}

fn status(outcome: &PolicyResult) -> u16 {
    outcome.as_ref().unwrap().status().into()
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_told_and_a_little_longer() {
    for (name, value, told) in [
        ("retry-after", "7", 7.0),
        ("x-ms-retry-after-ms", "1500", 1.5),
        ("retry-after-ms", "1500", 1.5),
        // A date in the past means now.
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ] {
        let script = [Answer::RetryAfter(429, name, value), Answer::Status(200)];
        let (outcome, asked) = ask(Method::Get, &script, MINUTE).await;
        assert_eq!(status(&outcome), 200);
        assert_eq!(asked.len(), 2);
        assert!(
            (told..=told + 0.26).contains(&asked[1]),
            "{name}: {value}: {asked:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_nonsense_retry_after_is_a_backoff() {
    for value in ["-5", "soon", "", "99999999999999999999999"] {
        let script = [
            Answer::RetryAfter(503, "retry-after", value),
            Answer::Status(200),
        ];
        let (outcome, asked) = ask(Method::Get, &script, MINUTE).await;
        assert_eq!(status(&outcome), 200, "{value}");
        assert!((0.2..=0.41).contains(&asked[1]), "{value}: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_passing_fault_of_a_read_is_repeated_with_growing_pauses() {
    let faults = [408, 429, 500, 502, 503, 504].map(Answer::Status);
    for fault in faults.into_iter().chain([Answer::Broken]) {
        let script = [fault, fault, fault, fault, Answer::Status(200)];
        let (outcome, asked) = ask(Method::Get, &script, MINUTE).await;
        assert_eq!(status(&outcome), 200, "{fault:?}");
        let pauses: Vec<f64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (pause, full) in pauses.iter().zip([0.4, 0.8, 1.6, 3.2]) {
            assert!(
                (full / 2.0..=full + 0.01).contains(pause),
                "{fault:?}: {pauses:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn repeats_end() {
    let (outcome, asked) = ask(Method::Get, &[Answer::Status(503)], MINUTE).await;
    assert_eq!(status(&outcome), 503);
    assert_eq!(asked.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_repeating_cannot_mend_is_not_repeated() {
    for lasting in [200, 204, 301, 400, 403, 404, 409, 501] {
        let (outcome, asked) = ask(Method::Get, &[Answer::Status(lasting)], MINUTE).await;
        assert_eq!(status(&outcome), lasting);
        assert_eq!(asked.len(), 1, "{lasting}");
    }
}

#[tokio::test(start_paused = true)]
async fn actions_are_not_repeated_except_with_a_fresh_token() {
    for fault in [Answer::Status(429), Answer::Status(503), Answer::Broken] {
        let (_, asked) = ask(Method::Post, &[fault], MINUTE).await;
        assert_eq!(asked.len(), 1, "{fault:?}");
    }
    let script = [Answer::Status(401), Answer::Status(202)];
    let (outcome, asked) = ask(Method::Post, &script, MINUTE).await;
    assert_eq!((status(&outcome), asked.len()), (202, 2));
}

#[tokio::test(start_paused = true)]
async fn no_repeat_is_begun_that_the_deadline_would_not_see() {
    let script = [Answer::RetryAfter(429, "retry-after", "60")];
    let (outcome, asked) = ask(Method::Get, &script, MINUTE).await;
    assert_eq!(status(&outcome), 429);
    assert_eq!(asked, [0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_again_within_the_deadline_and_then_given_up() {
    let (outcome, asked) = ask(Method::Get, &[Answer::Never], Duration::from_secs(100)).await;
    assert_eq!(
        find::<Stopped>(&outcome.unwrap_err()),
        Some(&Stopped::TimedOut)
    );
    // 30 s a try: at 0, about 30, about 61 and about 92 s.
    assert_eq!(asked.len(), 4, "{asked:?}");

    let script = [Answer::Never, Answer::Status(200)];
    let (outcome, _) = ask(Method::Get, &script, Duration::from_secs(100)).await;
    assert_eq!(status(&outcome), 200);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_another_stands_in_for_is_soon_given_up_when_it_is_silent() {
    let ask = async |script: &[Answer]| {
        let start = Instant::now();
        let (outcome, asked) = ask_with(Patience::SHORT, Method::Get, script, MINUTE).await;
        (outcome, asked.len(), start.elapsed())
    };
    let (outcome, asked, time) = ask(&[Answer::Never]).await;
    assert_eq!(
        find::<Stopped>(&outcome.unwrap_err()),
        Some(&Stopped::TimedOut)
    );
    assert_eq!((asked, time), (1, Duration::from_secs(10)));
    let (outcome, asked, _) = ask(&[Answer::Broken, Answer::Status(200)]).await;
    assert!(outcome.is_err());
    assert_eq!(asked, 1);
    // One that answers is heard.
    let throttled = Answer::RetryAfter(429, "retry-after", "7");
    let (outcome, asked, _) = ask(&[throttled, Answer::Status(200)]).await;
    assert_eq!((status(&outcome), asked), (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_its_turn_but_not_past_the_deadline() {
    let call = Call {
        deadline: Instant::now() + MINUTE,
        counters: Arc::default(),
        permits: Some(Arc::new(Semaphore::new(0))),
        reads: false,
        patience: Patience::LONG,
    };
    let context = Context::new().with_value(call);
    let wire = Arc::new(Wire {
        script: vec![Answer::Status(200)],
        asked: Mutex::default(),
    });
    let next: [Arc<dyn Policy>; 1] = [Arc::<Wire>::clone(&wire)];
    let mut request = Request::new("https://localhost/".parse().unwrap(), Method::Get);
    let outcome = Repeat.send(&context, &mut request, &next).await;
    assert_eq!(
        find::<Stopped>(&outcome.unwrap_err()),
        Some(&Stopped::TimedOut)
    );
    assert!(wire.asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_at_once_than_allowed() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let wire = Arc::new(Wire {
        script: vec![Answer::Slow(second, 200)],
        asked: Mutex::default(),
    });
    let call = Call {
        deadline: start + MINUTE,
        counters: Arc::default(),
        permits: Some(Arc::new(Semaphore::new(2))),
        reads: false,
        patience: Patience::LONG,
    };
    let send = async || {
        let context = Context::new().with_value(call.clone());
        let next: [Arc<dyn Policy>; 1] = [Arc::<Wire>::clone(&wire)];
        let mut request = Request::new("https://localhost/".parse().unwrap(), Method::Get);
        Repeat.send(&context, &mut request, &next).await
    };
    for outcome in futures::future::join_all((0..5).map(|_| send())).await {
        assert_eq!(status(&outcome), 200);
    }
    let asked: Vec<u64> = wire
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|at| (*at - start).as_secs())
        .collect();
    assert_eq!(asked, [0, 0, 1, 1, 2]);
}

#[tokio::test]
async fn nothing_leaves_for_another_host() {
    let fence = Fence::Arm(Endpoints::of(crate::Cloud::Public));
    let ask = async |url: &str| {
        let wire = Arc::new(Wire {
            script: vec![Answer::Status(200)],
            asked: Mutex::default(),
        });
        let next: [Arc<dyn Policy>; 1] = [Arc::<Wire>::clone(&wire)];
        let mut request = Request::new(url.parse().unwrap(), Method::Get);
        let outcome = fence.send(&Context::new(), &mut request, &next).await;
        let asked = wire.asked.lock().unwrap().len();
        (
            outcome.err().as_ref().and_then(find::<Stopped>).copied(),
            asked,
        )
    };
    assert_eq!(ask("https://management.azure.com/x").await, (None, 1));
    for foreign in ["https://example.com/x", "http://management.azure.com/x"] {
        assert_eq!(
            ask(foreign).await,
            (Some(Stopped::ForeignHost), 0),
            "{foreign}"
        );
    }
}
