//! What an exit code or status means by itself (sections 8.1, 8.2).

use super::candidates::{self, Candidate};
use super::observation::{Observation, Seen};

/// How far the packets came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It says nothing about the path.
    Nothing,
    /// The name was not resolved: no packet was sent to the destination.
    Name,
    /// No answer.
    Silent,
    /// The node itself had no way.
    NoRoute,
    /// A connection was refused: something answered.
    Refused,
    /// TCP came up.
    Connected,
    /// A device on the way answered.
    Device,
    /// An answer that a device on the way can forge.
    Forgeable,
    /// The destination answered.
    Answered,
}

/// A symptom.
pub(super) struct Symptom {
    /// The number as a person writes it, e.g. `curl 28`.
    pub(super) label: String,
    pub(super) meaning: &'static str,
    pub(super) reach: Reach,
    pub(super) candidates: &'static [Candidate],
    pub(super) known: bool,
}

/// The symptom of what was seen.
pub(super) fn symptom(seen: Seen, observation: &Observation) -> Symptom {
    let (label, row) = match seen {
        Seen::Exit(code) => (format!("curl {code}"), exit(code, observation)),
        Seen::Status(status) => (format!("HTTP {status}"), http(status, observation)),
        Seen::ProxyStatus(status) => (
            format!("HTTP {status} of a proxy"),
            Some((
                "a proxy refused to open a tunnel to the destination",
                Reach::Device,
                candidates::PROXY_SIGN_IN,
            )),
        ),
    };
    let known = row.is_some();
    let (meaning, reach, candidates) = row.unwrap_or((
        "this version does not know what the code says about egress",
        Reach::Nothing,
        &[],
    ));
    Symptom {
        label,
        meaning,
        reach,
        candidates,
        known,
    }
}

type Row = (&'static str, Reach, &'static [Candidate]);

fn exit(code: u8, seen: &Observation) -> Option<Row> {
    use candidates as c;
    Some(match code {
        0 => (
            "the transfer succeeded: the path is open",
            Reach::Answered,
            &[],
        ),
        5 => (
            "the proxy's name was not resolved",
            Reach::Name,
            c::PROXY_NAME,
        ),
        6 => ("the host name was not resolved", Reach::Name, c::NAME),
        7 if seen.says(&["no route to host", "network is unreachable"]) => (
            "there is no route to the destination",
            Reach::NoRoute,
            c::NO_ROUTE,
        ),
        7 => (
            "the connection was refused or failed at once",
            Reach::Refused,
            c::REFUSED,
        ),
        22 => (
            "the server answered with an HTTP error; its status says more",
            Reach::Forgeable,
            c::CLIENT_OR_BLOCKER,
        ),
        28 if seen.says(&["resolving timed out"]) => (
            "the host name was not resolved in time",
            Reach::Name,
            c::NAME,
        ),
        28 => (
            "no answer in time: something drops the packets silently",
            Reach::Silent,
            c::TIMEOUT,
        ),
        35 => ("the TLS handshake failed", Reach::Connected, c::HANDSHAKE),
        52 => (
            "the connection was closed without an answer",
            Reach::Connected,
            c::EMPTY_REPLY,
        ),
        55 => (
            "the connection broke while sending",
            Reach::Connected,
            c::RESET,
        ),
        56 => (
            "the connection broke while receiving",
            Reach::Connected,
            c::RESET,
        ),
        60 => (
            "the certificate of the other side is not trusted",
            Reach::Connected,
            c::UNTRUSTED,
        ),
        77 => (
            "the client's CA bundle could not be read",
            Reach::Nothing,
            c::IMAGE,
        ),
        97 => (
            "the handshake with the proxy failed",
            Reach::Device,
            c::PROXY_SIGN_IN,
        ),
        _ => return None,
    })
}

fn http(status: u16, seen: &Observation) -> Option<Row> {
    use candidates as c;
    // The body of Azure Firewall's own page.
    if status >= 400 && seen.says(&["action: deny"]) {
        return Some((
            "Azure Firewall denied the request and answered itself",
            Reach::Device,
            c::FIREWALL_PAGE,
        ));
    }
    Some(match status {
        200..=299 => (
            "the destination answered: egress works",
            Reach::Answered,
            &[],
        ),
        300..=399 => (
            "a redirect: egress works, unless it leads to a proxy's sign-in page",
            Reach::Forgeable,
            c::REDIRECT,
        ),
        401 => (
            "the destination answered and wants credentials",
            Reach::Answered,
            c::CREDENTIALS,
        ),
        403 => (
            "access is forbidden, by the destination or by a device on the way",
            Reach::Forgeable,
            c::FORBIDDEN,
        ),
        400 | 404 | 405 => (
            "the destination answered; the request does not suit it",
            Reach::Answered,
            c::REQUEST,
        ),
        407 => (
            "a proxy on the way wants a sign-in",
            Reach::Device,
            c::PROXY_SIGN_IN,
        ),
        408 | 429 => (
            "the destination answered and throttles or timed out",
            Reach::Answered,
            c::THROTTLED,
        ),
        451 => (
            "a legal or policy block, by the destination or by a device on the way",
            Reach::Forgeable,
            c::POLICY,
        ),
        470 => (
            "Azure Firewall denied the request and answered itself",
            Reach::Device,
            c::FIREWALL_PAGE,
        ),
        500 | 501 => (
            "the destination answered and failed",
            Reach::Answered,
            c::SERVER,
        ),
        502..=504 => (
            "a gateway or proxy answered: what is behind it did not",
            Reach::Forgeable,
            c::GATEWAY,
        ),
        // R8.5: what no row names.
        402..=499 => (
            "a client error: the request, or a blocker on the way",
            Reach::Forgeable,
            c::CLIENT_OR_BLOCKER,
        ),
        505..=599 => (
            "a server error: the destination answered and failed",
            Reach::Answered,
            c::SERVER,
        ),
        _ => return None,
    })
}
