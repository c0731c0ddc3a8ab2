//! What each part of a resource id may consist of.

use super::IdError;

/// Longest id that is looked at, in bytes. ARM's own ids stay well below.
const MAX_BYTES: usize = 2048;
const MAX_GROUP_CHARS: usize = 90;
const MAX_NAME_CHARS: usize = 260;

pub(super) fn check_characters(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    let bad = |c: char| {
        c.is_control() || c.is_whitespace() || !(c.is_alphanumeric() || "/-_.()".contains(c))
    };
    match text.chars().enumerate().find(|(_, c)| bad(*c)) {
        Some((at, character)) => Err(IdError::Character {
            character,
            position: at + 1,
        }),
        None => Ok(()),
    }
}

pub(super) fn segments(text: &str) -> Result<Vec<&str>, IdError> {
    let rest = text.strip_prefix('/').ok_or(IdError::NotAbsolute)?;
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.iter().any(|s| s.is_empty()) {
        return Err(IdError::EmptySegment);
    }
    if segments.iter().any(|s| s.chars().all(|c| c == '.')) {
        return Err(IdError::DotSegment);
    }
    Ok(segments)
}

pub(super) fn check_subscription(text: &str) -> Result<(), IdError> {
    // The length leaves only the hyphenated form of those that the parser knows.
    if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() {
        Ok(())
    } else {
        Err(IdError::Subscription(shown(text)))
    }
}

pub(super) fn check_group(text: &str) -> Result<(), IdError> {
    let fits = (1..=MAX_GROUP_CHARS).contains(&text.chars().count());
    // ARM allows letters of any script in group names.
    let valid = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    if fits && text.chars().all(valid) && !text.ends_with('.') {
        Ok(())
    } else {
        Err(IdError::ResourceGroup(shown(text)))
    }
}

pub(super) fn check_namespace(text: &str) -> Result<(), IdError> {
    let part = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric());
    if text.contains('.') && text.split('.').all(part) {
        Ok(())
    } else {
        Err(IdError::Type(shown(text)))
    }
}

pub(super) fn check_type(text: &str) -> Result<(), IdError> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(IdError::Type(shown(text)))
    }
}

pub(super) fn check_name(text: &str) -> Result<(), IdError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_.()".contains(c);
    let dots = text.chars().all(|c| c == '.');
    if !dots && text.len() <= MAX_NAME_CHARS && text.chars().all(valid) {
        Ok(())
    } else {
        Err(IdError::Name(shown(text)))
    }
}

/// As much of a wrong part as a message should repeat.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
