//! The binaries that benches measure, built in the release profile by cargo itself so that they are never stale.

use std::path::PathBuf;
use std::process::Command;

const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "CARGO_MANIFEST_LINKS",
];

/// Builds the handler and says where it is.
///
/// # Panics
/// When cargo fails.
pub fn handler() -> PathBuf {
    build(&["-p", "egress-server", "--bin", "handler"]);
    folder().join("handler")
}

/// Builds the bare axum server and says where it is.
///
/// # Panics
/// When cargo fails.
pub fn hello() -> PathBuf {
    build(&["-p", "egress-tests", "--example", "hello"]);
    folder().join("examples/hello")
}

fn build(arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells a bench about its package would make build scripts that watch it run again, and everything
    // that depends on them be built anew.
    for name in OF_THIS_PACKAGE {
        cargo.env_remove(name);
    }
    let status = cargo
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--release", "--quiet"])
        .args(arguments)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo build --release {arguments:?}");
}

/// `target/release/deps/<this bench>` → `target/release`.
fn folder() -> PathBuf {
    let bench = std::env::current_exe().expect("this executable");
    let folder = bench.ancestors().nth(2).expect("the profile's folder");
    folder.to_path_buf()
}
