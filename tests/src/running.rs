//! A handler as a process of its own that answers HTTP, without a host in front of it: for benches.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// A handler that answers. It ends when this is dropped.
pub struct Running {
    child: Child,
    certificate: PathBuf,
    client: reqwest::Client,
    address: String,
}

impl Running {
    /// Starts `handler serve` with this environment alone, trusting these certificates (PEM).
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(handler: &Path, trusted: &str, environment: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let name = format!("egress-bench-{}-{port}.pem", std::process::id());
        let certificate = std::env::temp_dir().join(name);
        std::fs::write(&certificate, trusted).expect("the certificate's file");
        let child = Command::new(handler)
            .arg("serve")
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("SSL_CERT_FILE", &certificate)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the handler starts");
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let running = Self {
            child,
            certificate,
            client,
            address: format!("http://127.0.0.1:{port}"),
        };
        while running.client.get(running.url("/")).send().await.is_err() {
            tokio::task::yield_now().await;
        }
        running
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// The body of a 200.
    ///
    /// # Panics
    /// For any other answer.
    pub async fn get(&self, url: &str) -> Vec<u8> {
        let answer = self.client.get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a body").to_vec()
    }

    /// Its resident memory in bytes.
    pub fn resident(&self) -> u64 {
        resident(self.child.id().expect("the handler is still there"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.certificate);
    }
}

/// The resident memory of a process in bytes.
///
/// # Panics
/// When there is no such process.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("its resident memory");
    let kilobytes: u64 = resident
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kilobytes * 1024
}
