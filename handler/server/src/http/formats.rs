//! Which format an answer takes: the `format` field, else the `Accept` header, else JSON.

use std::str::FromStr;

use http::{HeaderMap, header};

use crate::problem::{Code, Problem};

/// A format a report can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
    Markdown,
    AdaptiveCard,
}

/// The format of the contract that this version does not make yet.
const NOT_YET: &str = "html";

impl FromStr for Format {
    /// Words for the caller.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(format) = Self::ALL.into_iter().find(|format| format.name() == text) {
            return Ok(format);
        }
        let names = names(&Self::ALL);
        if text == NOT_YET {
            Err(format!(
                "format {text} is not available in this version; use {names}"
            ))
        } else {
            Err(format!("format must be {names}"))
        }
    }
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::Json, Self::Text, Self::Markdown, Self::AdaptiveCard];

    /// The value of the `format` field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::AdaptiveCard => "adaptive-card",
        }
    }

    /// The value of an answer's `Content-Type` header.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            // As attachments of Teams messages name it.
            Self::AdaptiveCard => "application/vnd.microsoft.card.adaptive",
        }
    }

    fn media_type(self) -> &'static str {
        let (essence, _) = self
            .content_type()
            .split_once(';')
            .unwrap_or((self.content_type(), ""));
        essence
    }
}

/// `json, text or markdown`
fn names(formats: &[Format]) -> String {
    let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The first of `offered` (best first) that the request accepts.
///
/// # Errors
/// A format that this route does not make is a 400 when `named` asks for it, else a 406.
pub(super) fn choose(
    named: Option<Format>,
    headers: &HeaderMap,
    offered: &[Format],
) -> Result<Format, Problem> {
    if let Some(format) = named {
        return if offered.contains(&format) {
            Ok(format)
        } else {
            let text = format!(
                "this route gives {}; /api/egress/report gives {}",
                names(offered),
                names(&Format::ALL)
            );
            Err(Problem::field("format", text))
        };
    }
    let lines: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let ranges: Vec<Range<'_>> = lines
        .iter()
        .flat_map(|l| l.split(','))
        .filter_map(Range::parse)
        .collect();
    if ranges.is_empty() {
        return offered
            .first()
            .copied()
            .ok_or_else(|| not_acceptable(offered));
    }
    let mut best: Option<(u16, Format)> = None;
    for format in offered {
        let quality = quality(&ranges, *format);
        if quality > best.map_or(0, |(q, _)| q) {
            best = Some((quality, *format));
        }
    }
    best.map(|(_, format)| format)
        .ok_or_else(|| not_acceptable(offered))
}

fn not_acceptable(offered: &[Format]) -> Problem {
    let types: Vec<&str> = offered.iter().map(|format| format.media_type()).collect();
    let text = format!("the Accept header allows none of {}", types.join(", "));
    Problem::new(Code::NotAcceptable, text)
}

/// One media range of an `Accept` header (RFC 9110 §12.5.1).
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let quality = parts
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1000), |(_, value)| thousandths(value.trim()))?;
        Some(Self {
            kind: kind.trim(),
            subtype: subtype.trim(),
            quality,
        })
    }

    /// How closely this range names the format: exactly 2, by its kind 1, as anything 0.
    fn closeness(&self, format: Format) -> Option<u8> {
        let (kind, subtype) = format.media_type().split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (k, "*") if k.eq_ignore_ascii_case(kind) => Some(1),
            (k, s) if k.eq_ignore_ascii_case(kind) && s.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

fn thousandths(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000 after the check above"
    )]
    Some((value * 1000.0).round() as u16)
}

/// The quality that the closest range gives to the format; 0 = not acceptable.
fn quality(ranges: &[Range<'_>], format: Format) -> u16 {
    ranges
        .iter()
        .filter_map(|range| Some((range.closeness(format)?, range.quality)))
        .max_by_key(|(closeness, _)| *closeness)
        .map_or(0, |(_, quality)| quality)
}
