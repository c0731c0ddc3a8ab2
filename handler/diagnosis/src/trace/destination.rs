//! A destination that somebody asks about: a host or an address, with port and protocol.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use crate::endpoints::{Protocol, RequiredEndpoint, Transport};
use crate::network::firewall::{FlowProtocol, Host};

/// Longest text that is looked at: the longest host name, a port and a protocol.
const LONGEST: usize = 253 + ":65535/tcp".len();
/// What a destination without a port means.
const DEFAULT_PORT: u16 = 443;
/// The instance metadata service: link-local, and yet something that nodes call.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// A host name in lower case. Names of the required endpoints may have a leading wildcard.
    Host(String),
    /// An address.
    Address(IpAddr),
}

/// A destination of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Who is called.
    pub called: Called,
    /// Destination port.
    pub port: u16,
    /// What carries it.
    pub transport: Transport,
    /// What is spoken, where that is known; else the port suggests it.
    pub(super) spoken: Option<Protocol>,
}

/// A text that is no destination: what is wrong with it, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DestinationError(String);

impl FromStr for Destination {
    type Err = DestinationError;

    /// Reads `host`, `host:port`, `address:port` or `[IPv6 address]:port`, each with `/tcp` or `/udp` if wanted. Without
    /// a port it is TCP 443.
    ///
    /// # Errors
    /// [`DestinationError`] in words for the caller.
    fn from_str(text: &str) -> Result<Self, DestinationError> {
        check_text(text)?;
        let (place, transport) = match text.split_once('/') {
            None => (text, None),
            Some((place, word)) => (place, Some(transport(text, word)?)),
        };
        let (called, port) = place_and_port(place)?;
        let port = match (port, transport) {
            (Some(digits), _) => parse_port(digits)?,
            (None, None | Some(Transport::Tcp)) => DEFAULT_PORT,
            (None, Some(Transport::Udp)) => {
                return Err(wrong(text, "names UDP without a port", "host:port/udp"));
            }
        };
        Ok(Self {
            called,
            port,
            transport: transport.unwrap_or(Transport::Tcp),
            spoken: None,
        })
    }
}

fn wrong(text: &str, what: &str, instead: &str) -> DestinationError {
    let shown: String = text.chars().take(60).collect();
    DestinationError(format!("destination {shown:?} {what}; write {instead}"))
}

const FORMS: &str = "host, host:port, address:port/tcp or [IPv6 address]:port/udp";

/// What can be said before the parts are told apart.
fn check_text(text: &str) -> Result<(), DestinationError> {
    if text.is_empty() {
        return Err(DestinationError(format!(
            "destination is empty; write {FORMS}, or leave the field out"
        )));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong(text, "contains a blank or control character", FORMS));
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        let port = match (host.contains(':'), scheme) {
            (false, "http") => ":80",
            _ => "",
        };
        return Err(wrong(
            text,
            "is a URL",
            &format!("the host alone: {host}{port}"),
        ));
    }
    if text.contains('@') {
        return Err(wrong(text, "contains a user name", "the host alone"));
    }
    if text.contains(',') {
        return Err(wrong(
            text,
            "contains a comma",
            "one destination per request",
        ));
    }
    if text.contains('*') {
        return Err(wrong(text, "contains a wildcard", "one host"));
    }
    if !text.is_ascii() {
        return Err(wrong(
            text,
            "contains characters that DNS does not know",
            "the name's ASCII form, which begins with xn--",
        ));
    }
    if text.len() > LONGEST {
        return Err(wrong(text, "is too long for a host name", FORMS));
    }
    Ok(())
}

fn transport(text: &str, word: &str) -> Result<Transport, DestinationError> {
    if word.eq_ignore_ascii_case("tcp") {
        Ok(Transport::Tcp)
    } else if word.eq_ignore_ascii_case("udp") {
        Ok(Transport::Udp)
    } else if word.parse::<u8>().is_ok() {
        Err(wrong(
            text,
            "is a range of addresses",
            "one address: 203.0.113.7:443/tcp",
        ))
    } else {
        Err(wrong(
            text,
            "has something other than tcp or udp after the slash",
            "host:port/tcp or host:port/udp, without a path",
        ))
    }
}

fn place_and_port(place: &str) -> Result<(Called, Option<&str>), DestinationError> {
    if let Some(rest) = place.strip_prefix('[') {
        let bad = |what| wrong(place, what, "[IPv6 address]:port");
        let (inside, after) = rest
            .split_once(']')
            .ok_or_else(|| bad("lacks a closing bracket"))?;
        if inside.contains('%') {
            return Err(bad("names an interface of the node"));
        }
        let address = inside
            .parse()
            .map_err(|_| bad("has no IPv6 address in its brackets"))?;
        let port = match after {
            "" => None,
            _ => Some(
                after
                    .strip_prefix(':')
                    .ok_or_else(|| bad("has something other than a port after the bracket"))?,
            ),
        };
        return Ok((
            Called::Address(check_address(place, IpAddr::V6(address))?),
            port,
        ));
    }
    let (name, port) = match place.split_once(':') {
        None => (place, None),
        Some((_, rest)) if rest.contains(':') => {
            return Err(wrong(
                place,
                "has more than one colon",
                "an IPv6 address in brackets: [2001:db8::1]:443",
            ));
        }
        Some((name, port)) => (name, Some(port)),
    };
    let called = match name.parse::<Ipv4Addr>() {
        Ok(address) => Called::Address(check_address(place, IpAddr::V4(address))?),
        Err(_) => Called::Host(host(place, name)?),
    };
    Ok((called, port))
}

/// Addresses that no packet can leave a node for.
fn check_address(text: &str, address: IpAddr) -> Result<IpAddr, DestinationError> {
    let nowhere = match address {
        IpAddr::V4(METADATA) => false,
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_multicast()
                || v4.is_link_local()
                || v4.octets()[0] == 0
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return Err(wrong(
                    text,
                    "is an IPv4 address in IPv6 clothes",
                    &v4.to_string(),
                ));
            }
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
        }
    };
    if nowhere {
        return Err(wrong(
            text,
            "is no address that traffic can leave a node for",
            "the address of the destination",
        ));
    }
    Ok(address)
}

/// Checks a host name (RFC 1123, with the underscore that some DNS names carry).
fn host(text: &str, name: &str) -> Result<String, DestinationError> {
    let bad = |what: &str| wrong(text, what, FORMS);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() {
        return Err(bad("has no host"));
    }
    if name.len() > 253 {
        return Err(bad("has a host of more than 253 characters"));
    }
    for label in name.split('.') {
        let plain = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if label.is_empty() {
            return Err(bad("has a host with two dots in a row"));
        }
        if label.len() > 63 {
            return Err(bad("has a host with a part of more than 63 characters"));
        }
        if !plain || label.starts_with('-') || label.ends_with('-') {
            return Err(bad("has a host with characters that DNS does not know"));
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        return Err(wrong(
            text,
            "looks like an IPv4 address and is none",
            "four numbers from 0 to 255 without leading zeros: 203.0.113.7:443/tcp",
        ));
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Err(bad("is the node itself"));
    }
    if name == "cluster.local" || name.ends_with(".cluster.local") {
        return Err(bad("stays inside the cluster"));
    }
    Ok(name)
}

fn parse_port(digits: &str) -> Result<u16, DestinationError> {
    let port = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse::<u16>().ok())
        .flatten();
    match port {
        Some(port @ 1..) => Ok(port),
        _ => Err(wrong(
            digits,
            "is no port",
            "a number from 1 to 65535 after the colon",
        )),
    }
}

impl Destination {
    /// The destination of a required endpoint; `None` when its port or protocol is not known.
    pub(crate) fn of_endpoint(endpoint: &RequiredEndpoint) -> Option<Self> {
        let protocol = endpoint.protocol?;
        Some(Self {
            called: Called::Host(endpoint.domain_name.clone()),
            port: endpoint.port?,
            transport: protocol.transport(),
            spoken: Some(protocol),
        })
    }

    /// The host; `None` when it is called by address.
    pub fn host(&self) -> Option<&str> {
        match &self.called {
            Called::Host(host) => Some(host),
            Called::Address(_) => None,
        }
    }

    /// The address; `None` when it is called by name.
    pub fn address(&self) -> Option<IpAddr> {
        match self.called {
            Called::Address(address) => Some(address),
            Called::Host(_) => None,
        }
    }

    /// The transport protocol as network rules name it.
    pub(crate) fn protocol(&self) -> crate::network::Protocol {
        match self.transport {
            Transport::Tcp => crate::network::Protocol::Tcp,
            Transport::Udp => crate::network::Protocol::Udp,
        }
    }

    /// What it may speak, as a firewall tells it apart. More than one where the port does not say.
    pub(super) fn flows(&self) -> Vec<FlowProtocol> {
        if let Some(spoken) = self.spoken {
            return FlowProtocol::parse(spoken.as_str()).into_iter().collect();
        }
        let plain = FlowProtocol::Plain(self.protocol());
        match (self.transport, self.port) {
            (Transport::Udp, _) => vec![plain],
            (Transport::Tcp, 443) => vec![FlowProtocol::Https],
            (Transport::Tcp, 80) => vec![FlowProtocol::Http],
            (Transport::Tcp, 1433) => vec![FlowProtocol::Mssql, plain],
            (Transport::Tcp, _) => vec![FlowProtocol::Https, FlowProtocol::Http, plain],
        }
    }

    /// What a firewall is asked, for one of the protocols it may speak.
    pub(super) fn target(&self, protocol: FlowProtocol) -> crate::network::firewall::Target {
        use crate::network::firewall::Target;
        match &self.called {
            Called::Host(host) => Target {
                host: Some(Host::parse(host)),
                ..Target::host(host, self.port, protocol)
            },
            Called::Address(address) => Target::address(*address, self.port, protocol),
        }
    }
}

impl fmt::Display for Destination {
    /// `host:443/tcp`; an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        match &self.called {
            Called::Host(host) => write!(f, "{host}:{}/{word}", self.port),
            Called::Address(IpAddr::V4(ip)) => {
                write!(f, "{}/{word}", SocketAddr::from((*ip, self.port)))
            }
            Called::Address(IpAddr::V6(ip)) => {
                write!(f, "{}/{word}", SocketAddrV6::new(*ip, self.port, 0, 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match text.parse::<Destination>() {
            Ok(destination) => destination.to_string(),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    #[test]
    fn the_forms_of_the_contract() {
        for (text, meaning) in [
            ("mcr.microsoft.com", "mcr.microsoft.com:443/tcp"),
            ("MCR.Microsoft.com.", "mcr.microsoft.com:443/tcp"),
            ("example.com:8443", "example.com:8443/tcp"),
            ("ntp.ubuntu.com:123/udp", "ntp.ubuntu.com:123/udp"),
            ("example.com/TCP", "example.com:443/tcp"),
            ("203.0.113.7", "203.0.113.7:443/tcp"),
            ("203.0.113.7:53/udp", "203.0.113.7:53/udp"),
            ("[2001:db8::1]", "[2001:db8::1]:443/tcp"),
            ("[2001:DB8::1]:53/udp", "[2001:db8::1]:53/udp"),
            ("169.254.169.254:80", "169.254.169.254:80/tcp"),
            ("_sip.example.com:65535", "_sip.example.com:65535/tcp"),
            ("xn--nxasmq6b.example", "xn--nxasmq6b.example:443/tcp"),
            ("intranet", "intranet:443/tcp"),
        ] {
            assert_eq!(read(text), meaning);
            // What is printed reads as the same.
            assert_eq!(read(meaning), meaning);
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_to_write() {
        let long_label = format!("{}.com", "a".repeat(64));
        let long_name = format!("{}com", "abc.".repeat(63));
        let overlong = "a".repeat(5000);
        for (text, what) in [
            ("", "leave the field out"),
            (" mcr.microsoft.com", "blank"),
            ("mcr.microsoft.com\n", "control"),
            ("a\u{0}b", "control"),
            (
                "https://mcr.microsoft.com/v2/",
                "the host alone: mcr.microsoft.com",
            ),
            ("http://example.com/x", "the host alone: example.com:80"),
            (
                "https://u:p@example.com:8443",
                "the host alone: example.com:8443",
            ),
            ("user@example.com", "user name"),
            ("a.com,b.com", "one destination"),
            ("*.example.com", "one host"),
            ("bücher.example", "xn--"),
            (long_label.as_str(), "63"),
            (long_name.as_str(), "253"),
            (overlong.as_str(), "too long"),
            ("example.com:0", "1 to 65535"),
            ("example.com:65536", "1 to 65535"),
            ("example.com:", "1 to 65535"),
            ("example.com:+80", "1 to 65535"),
            ("example.com:https", "1 to 65535"),
            ("2001:db8::1", "brackets"),
            ("[2001:db8::1", "closing bracket"),
            ("[2001:db8::1]443", "after the bracket"),
            ("[fe80::1%eth0]:443", "interface"),
            ("[example.com]:443", "no IPv6 address"),
            ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
            ("10.0.0.0/8", "one address"),
            ("example.com:443/icmp", "tcp or udp"),
            ("example.com/path", "without a path"),
            ("example.com:443/tcp/x", "tcp or udp"),
            ("example.com/udp", "without a port"),
            ("256.1.1.1", "four numbers"),
            ("010.0.0.1", "four numbers"),
            ("1.2.3", "four numbers"),
            ("0x7f.0x1", "four numbers"),
            ("a..b", "two dots"),
            (".", "no host"),
            (":443", "no host"),
            ("-a.com", "DNS does not know"),
            ("a%2f.com", "DNS does not know"),
            ("$(id).com", "DNS does not know"),
            ("localhost:80", "node itself"),
            (
                "kube-dns.kube-system.svc.cluster.local",
                "inside the cluster",
            ),
            ("127.0.0.1", "leave a node"),
            ("0.0.0.0", "leave a node"),
            ("224.0.0.1", "leave a node"),
            ("[::1]:443", "leave a node"),
        ] {
            let error = text.parse::<Destination>().expect_err(text).to_string();
            assert!(error.starts_with("destination "), "{error}");
            assert!(error.contains(what), "{text:?}: {error}");
            assert!(error.len() < 400, "{error}");
        }
    }

    #[test]
    fn r5_4_what_the_port_does_not_say_is_asked_for_every_protocol() {
        let flows = |text: &str| text.parse::<Destination>().unwrap().flows();
        assert_eq!(flows("a.com"), [FlowProtocol::Https]);
        assert_eq!(flows("a.com:80"), [FlowProtocol::Http]);
        assert_eq!(flows("a.com:8443").len(), 3);
        assert_eq!(
            flows("a.com:443/udp"),
            [FlowProtocol::Plain(crate::network::Protocol::Udp)]
        );
    }
}
