//! Tests of what the identity library looks up in the environment: they start themselves again with it set.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, Trust};
use tokio::process::Command;

use crate::support::Server;

const ARM: &str = "TEST_ARM";
const BUNDLE: &str = "TEST_BUNDLE";

/// In the second self: a client of the server that the first has started.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is a test's only way to tell its second self what to do"
)]
pub(crate) fn client(identity: Identity) -> Option<Client> {
    let arm = std::env::var(ARM).ok()?;
    let bundle = PathBuf::from(std::env::var_os(BUNDLE)?);
    let endpoints = Endpoints::of(Cloud::Public)
        .with_arm_endpoint(&arm)
        .and_then(|endpoints| endpoints.with_arm_audience("https://management.azure.com"))
        .unwrap();
    Some(Client::new(ClientSettings {
        endpoints,
        identity,
        trust: Trust::File(bundle),
    }))
}

/// A folder of the test's own.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test.replace("::", "-"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs `test` (its whole name) once more in a process of its own, which must pass.
pub(crate) async fn run(test: &str, arm: &Server, variables: &[(&str, &OsStr)]) {
    let bundle = folder(test).join("bundle.pem");
    std::fs::write(&bundle, &arm.pem).unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(ARM, &arm.origin)
        .env(BUNDLE, &bundle)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
