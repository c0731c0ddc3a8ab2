//! Start and end of the built binary under the host.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation in a helper is the test's failure"
)]

use std::path::Path;
use std::process::Command;

use egress_tests::host::{App, Call, Delivery, Event, Host};
use serde_json::{Value, json};

use super::app_root;

/// The application with a shell script in the binary's place.
fn wrapped(test: &str, script: &str) -> App {
    use std::os::unix::fs::PermissionsExt as _;

    let root = app_root(test);
    let wrapper = root.join("run.sh");
    std::fs::write(&wrapper, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    edit(&root.join("host.json"), |host| {
        host["customHandler"]["description"]["defaultExecutablePath"] = json!("run.sh");
    });
    App::load(&root).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut read: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut read);
    std::fs::write(path, read.to_string()).unwrap();
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program}");
}

/// A child that outlives its wrapper, ended with the test.
struct Orphan<'a>(&'a Path);

impl Drop for Orphan<'_> {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.0) {
            let _ = Command::new("kill")
                .args(["-s", "KILL", pid.trim()])
                .status();
        }
    }
}

#[tokio::test]
async fn a_handler_that_binds_five_seconds_late_is_waited_for() {
    let app = wrapped("late", "read -r line < gate\nexec ./handler serve");
    let gate = app.root.join("gate");
    run("mkfifo", &[gate.to_str().unwrap()]);
    let host = Host::begin(app, Vec::new());
    // A call that comes before waits with the host.
    let opened = async {
        // Five seconds of the host's polls, every 25 ms.
        while host.process().probes_refused() < 200 {
            tokio::task::yield_now().await;
        }
        assert_eq!(host.process().events(), [Event::Started(1)]);
        tokio::task::spawn_blocking(move || std::fs::write(gate, "open\n"))
            .await
            .unwrap()
            .unwrap();
    };
    let (answer, ()) = tokio::join!(host.call(Call::get("/api/health")), opened);
    assert_eq!(answer.status, 200);
    assert_eq!(host.process().events(), [Event::Started(1), Event::Ready]);
}

#[tokio::test]
async fn the_port_is_free_after_the_end_unless_a_wrapper_keeps_its_child() {
    let direct = Host::start(App::load(&app_root("ended")).unwrap(), Vec::new());
    assert!(direct.await.unwrap().stop().await);
    let replaced = Host::start(wrapped("replaced", "exec ./handler serve"), Vec::new());
    assert!(replaced.await.unwrap().stop().await);

    let app = wrapped("orphaned", "./handler serve &\necho $! > child\nwait");
    let child = app.root.join("child");
    let _orphan = Orphan(&child);
    let host = Host::start(app, Vec::new()).await.unwrap();
    assert!(
        !host.stop().await,
        "the wrapper is gone, its child holds the port"
    );
}

/// Exit code 0 would leave the host with a handler that it believes in and that is not there.
#[tokio::test]
async fn a_wrong_command_under_the_host_does_not_exit_with_0() {
    let host = Host::begin(
        wrapped("wrong-command", "exec ./handler no-such-command"),
        Vec::new(),
    );
    assert!(host.process().ready().await.is_err());
    let events = host.process().events();
    assert!(events.contains(&Event::Stopped), "{events:?}");
    assert!(!events.contains(&Event::Exited(Some(0))), "{events:?}");
}

#[tokio::test]
async fn a_5xx_of_the_handler_is_passed_through() {
    let settings = vec![("EGRESS_DEADLINE_SECONDS".to_owned(), "soon".to_owned())];
    let host = Host::start(App::load(&app_root("5xx")).unwrap(), settings)
        .await
        .unwrap();
    let call = Call::get("/api/egress/report").query("clusterId", super::CLUSTER);
    let answer = host.call(call).await;
    assert_eq!((answer.status, answer.from_handler), (500, true));
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.json()["code"], "badConfiguration");
    assert_eq!(host.process().events(), [Event::Started(1), Event::Ready]);
}

#[tokio::test]
async fn an_order_that_is_chunked_is_refused_and_not_lost_silently() {
    let host = super::host("chunked-order").await;
    let chunked = |path, body: &str| Call {
        chunked: true,
        ..Call::post(path, body.to_owned())
    };
    let order = json!({ "clusterId": super::CLUSTER }).to_string();
    let answer = host.call(chunked("/api/diagnoses", &order)).await;
    assert_eq!((answer.status, answer.from_handler), (400, true));
    // An alert is taken whatever it is, and says why nothing comes of it.
    let answer = host.call(chunked("/api/alerts", "{}")).await;
    assert_eq!(answer.status, 202);
    assert_ne!(answer.json()["status"], "accepted", "{:?}", answer.json());
    assert!(host.storage().queue("egress-diagnoses").is_empty());
    // Plain HTTP fails in the host.
    let answer = host.call(chunked("/api/egress/report", &order)).await;
    assert_eq!((answer.status, answer.from_handler), (500, false));
}

/// For an empty answer the host would wait until the function's timeout, and then kill the handler.
#[tokio::test]
async fn no_function_ever_answers_with_nothing() {
    let host = super::host("nothing").await;
    let functions = host.app().functions.iter().filter(|f| !f.forwarded);
    for function in functions {
        let trigger = function.trigger();
        if let Some(http) = &function.http {
            let (route, id) = match http.route.split_once('{') {
                Some((route, _)) => (route, "0".repeat(56)),
                None => (http.route.as_str(), String::new()),
            };
            let method = http.methods.first().unwrap().to_uppercase();
            for body in ["", "{}", "null", "[]"] {
                let method = method.clone();
                let call = Call::post(&format!("/api/{route}{id}"), body);
                let answer = host.call(Call { method, ..call }).await;
                assert!(answer.from_handler, "{}: {answer:?}", function.name);
            }
        } else if trigger.is("timerTrigger") {
            let _ = host.fire(&function.name).await;
        } else {
            let queue = trigger.text("queueName", &[]).unwrap();
            for message in ["", "null", "{}", "[]", "{\"id\":\"x\"}", "\u{1}"] {
                host.storage().put(&queue, message, true);
                host.deliver(&queue).await;
            }
        }
    }
    let hung = |event: &Event| matches!(event, Event::Hung(_) | Event::TimedOut(_));
    let events = host.process().events();
    assert!(!events.iter().any(hung), "{events:?}");
}

#[tokio::test]
async fn a_message_of_a_binary_binding_is_read() {
    let root = app_root("binary");
    edit(&root.join("diagnose-poison/function.json"), |definition| {
        definition["bindings"][0]["dataType"] = json!("binary");
    });
    let host = Host::start(App::load(&root).unwrap(), Vec::new())
        .await
        .unwrap();
    let job = json!({
        "id": "0".repeat(56), "cluster": "key", "origin": "caller", "askedAt": "2026-08-20T10:05:00Z",
        "request": { "clusterId": super::CLUSTER },
    });
    host.storage()
        .put("egress-diagnoses-poison", &job.to_string(), true);
    assert_eq!(
        host.deliver("egress-diagnoses-poison").await,
        Delivery::Done
    );
    // Bytes have no members: the path is filled with the queue's own id.
    let [path] = &host.storage().blobs()[..] else {
        panic!("{:?}", host.storage().blobs());
    };
    let stored = String::from_utf8(host.storage().blob(path).unwrap()).unwrap();
    assert!(
        stored.contains("diagnosisFailed"),
        "it is known for one of ours: {stored}"
    );
}
