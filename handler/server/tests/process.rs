//! The built binary as a process: how it starts, listens, stops and what its exit code says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is the test's failure, in helpers too"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};

const HANDLER: &str = env!("CARGO_BIN_EXE_handler");

const INVOCATION: &str = "8f0c5a4e-0000-4000-8000-000000000001";

/// The binary with nothing of the developer's environment that could change what it does.
fn handler(args: &[&str]) -> Command {
    let mut command = Command::new(HANDLER);
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    handler(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A served handler, killed when the test ends.
struct Served {
    child: Child,
    port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// As the Functions host starts it, and waits for the line that says it listens.
    fn under_host(port: u16, more: &[(&str, &str)]) -> Self {
        Self::start(&[], port, more)
    }

    fn start(args: &[&str], port: u16, more: &[(&str, &str)]) -> Self {
        let mut child = handler(args)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .envs(more.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let listening = lines.find(|l| l.as_ref().unwrap().contains("listening"));
        assert!(listening.is_some(), "it ended before it listened");
        Self { child, port }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Azure-Functions-InvocationId: {INVOCATION}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for its end; gives the exit code and what it wrote to stderr.
    fn end(self) -> (Option<i32>, String) {
        let (code, _, stderr) = self.end_with_log();
        (code, stderr)
    }

    /// The same with the log since it listened between.
    fn end_with_log(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().unwrap().code();
        let (mut log, mut stderr) = (String::new(), String::new());
        let stream = self.child.stdout.as_mut().unwrap();
        stream.read_to_string(&mut log).unwrap();
        let stream = self.child.stderr.as_mut().unwrap();
        stream.read_to_string(&mut stderr).unwrap();
        (code, log, stderr)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn no_command_without_a_host_is_help_and_not_a_success() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("Usage: handler"));
}

#[test]
fn wrong_usage_ends_with_64_and_asking_for_help_with_0() {
    for args in [
        &["frobnicate"][..],
        &["report"],
        &["serve", "--port", "x"],
        &["report", "not-an-id"],
    ] {
        let output = run(args);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty());
    }
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stderr.is_empty());
}

#[test]
fn a_wrong_setting_ends_the_command_line_with_78_naming_it() {
    let output = handler(&["report", "--sandbox"])
        .env("EGRESS_CLOUD", "mars")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("EGRESS_CLOUD"));
}

#[test]
fn a_wrong_host_port_is_no_success() {
    let output = handler(&[])
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", "none")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_taken_port_is_no_success() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["serve", "--port", &port]);
    assert_eq!(output.status.code(), Some(69));
}

#[test]
fn wrong_settings_do_not_keep_it_from_serving() {
    let served = Served::under_host(free_port(), &[("EGRESS_CLOUD", "mars")]);
    assert!(served.get("/").starts_with("HTTP/1.1 200"));
    assert!(served.get("/api/health").contains("badConfiguration"));
}

#[test]
fn it_serves_on_the_same_port_right_after_it_was_killed() {
    let port = free_port();
    for _ in 0..3 {
        let served = Served::under_host(port, &[]);
        // A connection that the server closed first leaves the port in TIME_WAIT.
        assert!(served.get("/").starts_with("HTTP/1.1 200"));
        served.signal("KILL");
        let (code, stderr) = served.end();
        assert_eq!(code, None);
        assert_eq!(stderr, "");
    }
}

#[test]
fn under_the_host_a_signal_ends_it_with_another_code_than_0_and_silent_stderr() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let served = Served::under_host(free_port(), &[]);
        served.get("/api/health");
        served.get("/api/egress/report");
        served.signal(name);
        assert_eq!(served.end(), (Some(code), String::new()));
    }
}

#[test]
fn the_log_is_json_with_the_invocation_id_and_without_keys() {
    let served = Served::under_host(free_port(), &[]);
    served.get("/api/egress/report?code=THE-FUNCTION-KEY&clusterId=x");
    served.signal("TERM");
    let (_, log, _) = served.end_with_log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of_request: Vec<_> = lines
        .iter()
        .filter(|l| l["span"]["request_id"] == INVOCATION)
        .collect();
    assert!(
        of_request
            .iter()
            .any(|l| l["message"] == "answered" && l["status"] == 400),
        "{log}"
    );
    assert!(!log.contains("THE-FUNCTION-KEY"), "{log}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = handler(&["findings"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty());
}

/// The report's JSON from a run's stdout.
fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

#[test]
fn the_demo_report_needs_nothing_and_names_the_fault() {
    let output = run(&["report", "--sandbox"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    // Into a pipe: JSON, and nobody watches stderr.
    let report = json(&output);
    assert_eq!(report["verdict"]["status"], "blocked");
    assert!(
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["code"] == "NAT101")
    );
    assert!(report["stats"]["armCalls"].as_u64().unwrap() > 0);
    assert!(output.stderr.is_empty(), "{}", stderr(&output));

    let output = run(&["report", "--sandbox", "--format", "text"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    // The headline may be wrapped.
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(report["verdict"]["headline"].as_str().unwrap()),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "colours in a pipe: {text}");
}

#[test]
fn scenarios_are_chosen_by_name() {
    let output = run(&["report", "healthy-lb-overlay", "--sandbox"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = run(&["report", "no-such-scenario", "--sandbox"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("healthy-lb-overlay"));
    // A name in the folder's place is told apart.
    let output = run(&["report", "--sandbox", "healthy-lb-overlay"]);
    assert_eq!(output.status.code(), Some(66));
    assert!(stderr(&output).contains("before --sandbox"));
}

#[test]
fn the_service_answers_from_the_sandbox() {
    let served = Served::start(&["serve", "--sandbox"], free_port(), &[]);
    let demo = json(&run(&["report", "--sandbox"]))["cluster"]["id"].to_string();
    let id = demo.trim_matches('"');
    let answer = served.get(&format!("/api/EGRESS/report?code=k&clusterId={id}"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("NAT101"));
    let gone = id.replace("managedClusters/", "managedClusters/no-");
    let answer = served.get(&format!("/api/egress/snat?clusterId={gone}"));
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.contains("clusterNotFound"),
        "{answer}"
    );
}

#[test]
fn the_sandbox_alone_prints_what_another_process_needs() {
    let mut child = handler(&["sandbox"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut environment = Vec::new();
    let mut id = String::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|l| l.split_once('=')) {
            environment.push((name.to_owned(), value.trim_matches('\'').to_owned()));
        }
        if let Some(cluster) = line
            .strip_prefix("#   ")
            .filter(|l| l.ends_with("/healthy-lb-overlay"))
        {
            cluster.clone_into(&mut id);
            break;
        }
    }
    let output = handler(&["report", &id])
        .envs(environment.clone())
        .output()
        .unwrap();
    let allowed = (
        "EGRESS_ALLOWED_SUBSCRIPTIONS",
        "11111111-1111-4111-8111-111111111111",
    );
    let refused = handler(&["report", &id])
        .envs(environment.clone())
        .envs([allowed])
        .output()
        .unwrap();
    let dead_end = ("EGRESS_ARM_ENDPOINT", "https://127.0.0.1:1");
    let short = ("EGRESS_DEADLINE_SECONDS", "1");
    let unreachable = handler(&["report", &id])
        .envs(environment)
        .envs([dead_end, short])
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json(&output)["verdict"]["status"], "healthy");
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert_eq!(
        unreachable.status.code(),
        Some(69),
        "{}",
        stderr(&unreachable)
    );
}

#[test]
fn findings_and_schema_are_printed() {
    let output = run(&["findings"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("NAT101"));
    let output = run(&["findings", "nat101"]);
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("# NAT101")
    );
    assert_eq!(run(&["findings", "XXX999"]).status.code(), Some(66));
    assert!(json(&run(&["schema"])).is_object());
}

/// From the host's settings to the token for storage to the rows.
#[tokio::test(flavor = "multi_thread")]
async fn under_the_host_the_overview_is_read_from_its_storage_with_the_apps_identity() {
    use egress_sandbox::{Options, Sandbox, Scenarios};
    use egress_tests::storage::Storage;

    // For its identity endpoint alone.
    let sandbox = Sandbox::start(Options {
        scenarios: Scenarios::List(Vec::new()),
        ..Options::default()
    });
    let sandbox = sandbox.await.unwrap();
    let storage = Storage::start(70).await;
    storage.put_fleet(200);
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let bundle = folder.join("storage.pem");
    std::fs::write(&bundle, storage.certificate()).unwrap();
    let served = Served::under_host(
        free_port(),
        &[
            ("AzureWebJobsStorage__blobServiceUri", storage.endpoint()),
            ("SSL_CERT_FILE", bundle.to_str().unwrap()),
            ("IDENTITY_ENDPOINT", sandbox.identity_endpoint()),
            ("IDENTITY_HEADER", sandbox.identity_header()),
        ],
    );
    let answer = served.get("/api/fleet?top=3");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"total\":200"), "{answer}");
    assert!(answer.contains("\"nextLink\":\"http://localhost/api/fleet?top=3&continuation="));
    assert_eq!(sandbox.token_requests(), 1);
    let asked = storage.asked();
    assert_eq!(asked.len(), 203, "three pages, and each row once");
}
