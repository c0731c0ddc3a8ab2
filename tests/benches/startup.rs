//! From process start to the first 200 on `/`: the handler against a bare axum server of the same profile, measured in
//! turns in one run. Fails above 1.3 times the bare server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use egress_tests::binaries;

const ROUNDS: usize = 200;
const LIMIT: f64 = 1.3;

fn main() {
    let folder = std::env::temp_dir().join(format!("egress-startup-{}", std::process::id()));
    let binary = deployed(&binaries::handler(), &folder);
    let bare = deployed(&binaries::hello(), &folder);
    let (mut handler, mut hello) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hello.push(first_answer(&bare, |port| vec![port.to_string()]));
        handler.push(first_answer(&binary, |_| vec!["serve".to_owned()]));
    }
    let _ = std::fs::remove_dir_all(&folder);
    let (handler, hello) = (median(handler), median(hello));
    let ratio = handler.as_secs_f64() / hello.as_secs_f64();
    println!(
        "start to first 200, median of {ROUNDS}: handler {handler:?}, bare axum {hello:?}, ratio {ratio:.2}"
    );
    assert!(
        ratio <= LIMIT,
        "start-up is {ratio:.2} times a bare server's, more than {LIMIT}"
    );
}

/// A copy, written in one go as a deployment writes it. A linker writes its output here and there, which the page cache
/// keeps in small pieces: the same bytes then start up to a sixth slower.
fn deployed(binary: &Path, folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder");
    let copy = folder.join(binary.file_name().expect("its name"));
    std::fs::copy(binary, &copy).expect("a copy");
    copy
}

fn first_answer(binary: &Path, arguments: fn(u16) -> Vec<String>) -> Duration {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let start = Instant::now();
    let mut child = Command::new(binary)
        .args(arguments(port))
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("the server starts");
    while !answers(port) {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{} does not answer",
            binary.display()
        );
    }
    let elapsed = start.elapsed();
    child.kill().expect("the server is still there");
    child.wait().expect("the server ends");
    elapsed
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        std::thread::yield_now();
        return false;
    };
    let mut status = [0; 12];
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .is_ok()
        && stream.read_exact(&mut status).is_ok()
        && &status == b"HTTP/1.1 200"
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
