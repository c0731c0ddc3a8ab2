//! Text that came from Azure, made harmless for a terminal.

/// The text without anything that could drive a terminal: control characters, escape sequences, and marks that reorder
/// or hide text become `�`; line breaks and tabs become spaces.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() || is_invisible(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Marks of direction, zero-width characters and line separators.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(clean("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(clean("a\u{9b}31mb\u{7}"), "a\u{fffd}31mb\u{fffd}");
        assert_eq!(clean("line\r\nline\tx"), "line  line x");
        assert_eq!(clean("user\u{202e}nimda"), "user\u{fffd}nimda");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        assert_eq!(clean("Größe 東京 – ok"), "Größe 東京 – ok");
    }
}
