//! FQDN patterns of application rules (R5.11) and the host part of target URLs (R5.12).

use std::fmt;

use super::Host;

/// A valid FQDN pattern, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Exactly this host.
    Exact(String),
    /// Every host that ends so; empty: every host.
    Suffix(String),
}

/// How far a pattern covers a wanted host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// All of it.
    All,
    /// Some of the hosts below a wildcard.
    Part,
    /// Nothing.
    None,
}

impl Pattern {
    /// Reads `host`, `*`, `*.suffix` or `*suffix`. `None` for a wildcard anywhere else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let pattern = match text.strip_prefix('*') {
            Some(suffix) => Self::Suffix(suffix.to_owned()),
            None if text.is_empty() => return None,
            None => Self::Exact(text),
        };
        (!pattern.text().contains('*')).then_some(pattern)
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Suffix(text) => text,
        }
    }

    pub(super) fn covers(&self, host: &Host) -> Cover {
        match (self, host) {
            (Self::Exact(pattern), Host::Name(host)) if pattern == host => Cover::All,
            (Self::Suffix(suffix), Host::Name(host) | Host::Below(host))
                if host.ends_with(suffix.as_str()) =>
            {
                Cover::All
            }
            (Self::Exact(text) | Self::Suffix(text), Host::Below(wanted))
                if text.ends_with(wanted.as_str()) =>
            {
                Cover::Part
            }
            _ => Cover::None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Suffix(text) => write!(f, "*{text}"),
        }
    }
}

/// The host pattern of a target URL and whether it leaves the path free.
pub(super) fn url_host(url: &str) -> Option<(Pattern, bool)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, "*"));
    Some((Pattern::parse(host)?, path.trim() == "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, host: &str) -> Cover {
        Pattern::parse(pattern).unwrap().covers(&Host::parse(host))
    }

    #[test]
    fn r5_11_wildcards() {
        assert_eq!(covers("*.contoso.com", "a.contoso.com"), Cover::All);
        assert_eq!(covers("*.contoso.com", "a.b.contoso.com"), Cover::All);
        assert_eq!(covers("*.contoso.com", "contoso.com"), Cover::None);
        assert_eq!(covers("*contoso.com", "contoso.com"), Cover::All);
        assert_eq!(covers("*contoso.com", "a.contoso.com"), Cover::All);
        assert_eq!(covers("*", "anything.example"), Cover::All);
        assert_eq!(covers("WWW.Contoso.com", "www.contoso.COM"), Cover::All);
        assert_eq!(Pattern::parse("www.contoso.*"), None);
        assert_eq!(Pattern::parse("w*w.contoso.com"), None);
        assert_eq!(Pattern::parse(""), None);
    }

    #[test]
    fn a_wanted_wildcard_is_covered_only_by_one_as_wide() {
        assert_eq!(covers("*.azmk8s.io", "*.hcp.we.azmk8s.io"), Cover::All);
        assert_eq!(
            covers("*.hcp.we.azmk8s.io", "*.hcp.we.azmk8s.io"),
            Cover::All
        );
        assert_eq!(
            covers("x.hcp.we.azmk8s.io", "*.hcp.we.azmk8s.io"),
            Cover::Part
        );
        assert_eq!(
            covers("*.x.hcp.we.azmk8s.io", "*.hcp.we.azmk8s.io"),
            Cover::Part
        );
        assert_eq!(
            covers("hcp.we.azmk8s.io", "*.hcp.we.azmk8s.io"),
            Cover::None
        );
    }

    #[test]
    fn r5_12_urls_are_host_and_path() {
        let host = |text: &str| Pattern::parse(text).unwrap();
        assert_eq!(
            url_host("www.contoso.com"),
            Some((host("www.contoso.com"), true))
        );
        assert_eq!(url_host("https://a.b/*"), Some((host("a.b"), true)));
        assert_eq!(url_host("a.b/test/*"), Some((host("a.b"), false)));
        assert_eq!(url_host("*.b/test"), Some((host("*.b"), false)));
    }
}
