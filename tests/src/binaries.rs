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

/// Builds both and says where they are.
///
/// # Panics
/// When cargo fails.
pub fn release() -> Release {
    let build = |arguments: &[&str]| {
        let status = Command::new(env!("CARGO"))
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
