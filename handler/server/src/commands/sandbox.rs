//! `handler sandbox`: the simulated Azure alone, for other clients.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use egress_sandbox::{Options, Sandbox};

use crate::exit::Exit;
use crate::simulated::scenarios;
use crate::{cli, commands, output};

use super::stop::Stop;

/// Serves the simulated Azure until a signal comes.
pub(crate) fn sandbox(options: &cli::Sandbox) -> Exit {
    commands::block_on(run(options))
}

async fn run(options: &cli::Sandbox) -> Exit {
    let mut stop = match Stop::watch() {
        Ok(stop) => stop,
        Err(error) => return output::failure(&error.to_string(), Exit::Internal),
    };
    let started = Sandbox::start(Options {
        scenarios: scenarios(options.dir.as_deref()),
        port: options.port,
        latency: Duration::from_millis(options.latency),
    });
    let sandbox = match started.await {
        Ok(sandbox) => sandbox,
        Err(error @ egress_sandbox::Error::Listen { .. }) => {
            return output::failure(&error.to_string(), Exit::Unavailable);
        }
        Err(error) => return output::failure(&error.to_string(), Exit::NoInput),
    };
    let certificate = match Certificate::write(sandbox.certificate_pem()) {
        Ok(certificate) => certificate,
        Err(error) => {
            return output::failure(
                &format!("cannot write the certificate: {error}"),
                Exit::Output,
            );
        }
    };
    let shown = output::result(&settings(&sandbox, &certificate.0), Exit::Success);
    if shown == Exit::Success {
        stop.asked().await;
    }
    shown
}

/// The settings for other clients as lines for a shell; what is for people is a comment.
fn settings(sandbox: &Sandbox, certificate: &Path) -> String {
    let exports = [
        ("EGRESS_ARM_ENDPOINT", sandbox.arm_endpoint().to_owned()),
        ("EGRESS_ARM_AUDIENCE", sandbox.arm_endpoint().to_owned()),
        (
            "EGRESS_METRICS_ENDPOINT",
            sandbox.metrics_endpoint().to_owned(),
        ),
        ("SSL_CERT_FILE", certificate.display().to_string()),
        ("IDENTITY_ENDPOINT", sandbox.identity_endpoint().to_owned()),
        ("IDENTITY_HEADER", sandbox.identity_header().to_owned()),
    ]
    .map(|(name, value)| format!("export {name}='{value}'\n"));
    let clusters = sandbox.clusters().iter().map(|cluster| {
        let (name, what, id) = (&cluster.scenario, &cluster.description, &cluster.id);
        format!("# {name}: {what}\n#   {id}\n")
    });
    let comment = "# Simulated Azure; Ctrl-C ends it. Settings for other clients:\n".to_owned();
    [comment]
        .into_iter()
        .chain(exports)
        .chain(clusters)
        .collect()
}

/// The certificate in a file of its own, removed at the end.
struct Certificate(PathBuf);

impl Certificate {
    fn write(pem: &str) -> io::Result<Self> {
        let name = format!("aks-egress-sandbox-{}.pem", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        File::create_new(&path)?.write_all(pem.as_bytes())?;
        Ok(Self(path))
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // Left behind, it does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}
