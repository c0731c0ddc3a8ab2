//! What can go wrong before the sandbox serves.

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scenario does not say something clear; the message names the key and what to write instead.
    #[error("scenario {file}: {message}")]
    Scenario {
        /// File name without its folder, or the position in the list.
        file: String,
        /// Key, problem and fix.
        message: String,
    },
    /// A scenario folder or file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// What was being read.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate for localhost: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up with the certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The loopback port is taken or not allowed.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for; 0 = any.
        port: u16,
        /// Why it failed.
        source: std::io::Error,
    },
}
