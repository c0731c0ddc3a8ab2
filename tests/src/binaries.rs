//! The binaries that benches measure, built in the release profile by cargo itself so that they are never stale.

use std::path::PathBuf;
use std::process::Command;

/// Release builds.
pub struct Release {
    /// The handler.
    pub handler: PathBuf,
    /// The bare axum server.
    pub hello: PathBuf,
}

const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "CARGO_MANIFEST_LINKS",
];

/// Builds both and says where they are.
///
/// # Panics
/// When cargo fails.
pub fn release() -> Release {
    let build = |arguments: &[&str]| {
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
    };
    build(&["-p", "egress-server", "--bin", "handler"]);
    build(&["-p", "egress-tests", "--example", "hello"]);
    // `target/release/deps/<this bench>` → `target/release`.
    let bench = std::env::current_exe().expect("this executable");
    let folder = bench.ancestors().nth(2).expect("the profile's folder");
    Release {
        handler: folder.join("handler"),
        hello: folder.join("examples/hello"),
    }
}
