//! What somebody saw from inside the cluster, checked before it is read.

use crate::report::Pattern;

/// What a client inside the cluster saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// curl's exit code.
    pub curl_exit: Option<u8>,
    /// HTTP status; 0 is curl's `000`: no answer.
    pub http_status: Option<u16>,
    /// Host that was asked, without scheme and port.
    pub destination: Option<String>,
    /// Port that was asked; 443 when not told.
    pub port: Option<u16>,
    /// What the client printed: error text, headers or body.
    pub text: Option<String>,
    /// Whether it fails each time or only sometimes (R8.1).
    pub pattern: Pattern,
    /// Pool from whose node it was seen.
    pub node_pool: Option<String>,
    /// Whether a bare TCP connection (`nc -z`) to the same port works (R8.2).
    pub tcp_connects: Option<bool>,
}

/// An observation that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObservationError {
    /// Neither an exit code nor a status.
    #[error("give a curl exit code, an HTTP status or both")]
    Nothing,
    /// A status that HTTP cannot send.
    #[error("{0} is not an HTTP status: three digits from 100 on")]
    NotAStatus(u16),
    /// Two values that one request cannot have.
    #[error(
        "curl exit code {exit} and HTTP status {status} cannot come from one request: give those of one request"
    )]
    Contradictory {
        /// The exit code.
        exit: u8,
        /// The status; 0 where none came.
        status: u16,
    },
}

/// The checked core of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// curl failed, or succeeded without HTTP.
    Exit(u8),
    /// An HTTP answer.
    Status(u16),
    /// A proxy's refusal of the tunnel.
    ProxyStatus(u16),
}

impl Observation {
    /// Whether it can be read, without reading it.
    ///
    /// # Errors
    /// [`ObservationError`] when nothing was given, or values that do not go together.
    pub fn check(&self) -> Result<(), ObservationError> {
        self.seen().map(drop)
    }

    /// What was seen, as one thing.
    ///
    /// # Errors
    /// [`ObservationError`] when nothing was given, or values that do not go together.
    pub(super) fn seen(&self) -> Result<Seen, ObservationError> {
        let status = match self.http_status {
            Some(status @ (1..=99 | 1000..)) => return Err(ObservationError::NotAStatus(status)),
            given => given,
        };
        match (self.curl_exit, status) {
            (None, None | Some(0)) => Err(ObservationError::Nothing),
            // With -f curl turns statuses from 400 on into its exit code 22.
            (None | Some(0), Some(status @ 1..)) | (Some(22), Some(status @ 400..)) => {
                Ok(Seen::Status(status))
            }
            // A proxy that refuses the tunnel answers curl, and the connection behind it never comes up.
            (Some(56), Some(status @ (403 | 407 | 502..=504))) => Ok(Seen::ProxyStatus(status)),
            (Some(exit @ 0), Some(status @ 0)) => {
                Err(ObservationError::Contradictory { exit, status })
            }
            (Some(exit), None | Some(0)) => Ok(Seen::Exit(exit)),
            (Some(exit), Some(status)) => Err(ObservationError::Contradictory { exit, status }),
        }
    }

    /// Whether the client's text contains one of these words, in any case.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        self.text.as_deref().is_some_and(|text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }

    /// The host for use in a command; a placeholder when there is none or it is not plainly a host.
    pub(super) fn host(&self) -> &str {
        self.destination
            .as_deref()
            .filter(|host| {
                (1..=253).contains(&host.len())
                    && !host.starts_with(['-', '.'])
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'))
            })
            .unwrap_or("<host>")
    }
}
