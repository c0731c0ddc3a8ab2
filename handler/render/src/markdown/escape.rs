//! Text that came from Azure, made harmless for Markdown: CommonMark, GitHub's tables and autolinks, and Mermaid.

use std::fmt::Write;

use crate::clean::clean;

/// Characters that open something inside a line.
const SPECIAL: &str = "\\`*_[]<>|~&$#!{}^";

/// Text as it is, whatever it contains: nothing in it opens a link, HTML, code, a table cell, a mention or a block.
pub(super) fn plain(text: &str) -> String {
    let text = clean(text);
    let text = text.trim();
    let mut out = String::with_capacity(text.len() + 8);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in text.char_indices() {
        match c {
            // Bare addresses and mentions become links without any syntax around them.
            '@' => out.push('＠'),
            '/' if is_authority(text, at) => out.push_str("\\/"),
            '.' if ends_with_www(text.get(..at)) => out.push_str("\\."),
            // A list, a quote or a heading, at the start of a block.
            '+' | '-' | '=' | ':' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if at > 0 && at == digits => {
                out.push('\\');
                out.push(c);
            }
            c if SPECIAL.contains(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether the first of the two slashes after a scheme is here.
fn is_authority(text: &str, at: usize) -> bool {
    let before = text.get(..at).is_some_and(|text| text.ends_with(':'));
    before && text.get(at..).is_some_and(|text| text.starts_with("//"))
}

fn ends_with_www(before: Option<&str>) -> bool {
    before.is_some_and(|text| {
        let end: Vec<char> = text.chars().rev().take(3).collect();
        end.len() == 3 && end.iter().all(|c| c.eq_ignore_ascii_case(&'w'))
    })
}

/// A name or an address in a code span.
pub(super) fn code(text: &str) -> String {
    let text = clean(text);
    if text.trim().is_empty() {
        return "–".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // A backtick at the edge would join the fence; one blank on each side is not part of the code.
    if text.starts_with('`') || text.ends_with('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// What goes into a cell of a table, made by [`plain`] or [`code`]: a bar would end the cell, even inside code.
pub(super) fn cell(made: &str) -> String {
    let mut out = String::with_capacity(made.len());
    let mut escaped = false;
    for c in made.chars() {
        if c == '|' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// A block of commands, each on a line of its own.
pub(super) fn block(language: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max();
    let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Longest label of a Mermaid node.
const LABEL: usize = 90;

/// A Mermaid label between quotes: all but letters, digits and a few marks as Mermaid's own entity codes, so that
/// nothing is an end of the label, Markdown, HTML or a directive.
pub(super) fn label(text: &str) -> String {
    let text = clean(text);
    let mut out = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        if index == LABEL {
            out.push('…');
            break;
        }
        if c.is_alphanumeric() || !c.is_ascii() || " .,/:()-_'".contains(c) {
            out.push(c);
        } else {
            // Writing into a string cannot fail.
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    /// Text with many marks of the syntaxes in it.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("`".to_owned()),
            Just("```".to_owned()),
            Just("[x](https://evil.example)".to_owned()),
            Just("<img src=x onerror=alert(1)>".to_owned()),
            Just("<https://evil.example>".to_owned()),
            Just("![](//evil.example/x.png)".to_owned()),
            Just("|".to_owned()),
            Just("\\".to_owned()),
            Just("\n".to_owned()),
            Just("\"]".to_owned()),
            Just("%%{init: {}}%%".to_owned()),
            Just("&lt;".to_owned()),
            Just("#quot;".to_owned()),
            Just("1. ".to_owned()),
            Just("# ".to_owned()),
            Just("> - ".to_owned()),
            Just("www.evil.example".to_owned()),
            Just("@team".to_owned()),
            "[!-~]{0,4}",
            "\\PC{0,4}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    /// What a reader sees, when there is nothing but text, code, table and list around it.
    fn shown(markdown: &str) -> Result<String, String> {
        let mut text = String::new();
        for event in Parser::new_ext(markdown, Options::all()) {
            match event {
                Event::Text(part) | Event::Code(part) => text.push_str(&part),
                Event::Start(
                    Tag::Paragraph
                    | Tag::Item
                    | Tag::List(None)
                    | Tag::Table(_)
                    | Tag::TableHead
                    | Tag::TableRow
                    | Tag::TableCell,
                )
                | Event::End(_) => {}
                other => return Err(format!("{other:?} in {markdown:?}")),
            }
        }
        Ok(text)
    }

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn prose_is_shown_as_it_is_and_opens_nothing(text in hostile()) {
            let expected = squeezed(&clean(&text).replace('@', "＠"));
            for lead in ["", "- "] {
                let made = shown(&format!("{lead}{}\n", plain(&text)));
                // Straight quotes may be shown as curly ones by a reader that likes to.
                let made = made.map(|m| squeezed(&m));
                prop_assert_eq!(made.map(|m| straight(&m)), Ok(straight(&expected)));
            }
            prop_assert!(!plain(&text).contains("://"));
            prop_assert!(!plain(&text).to_ascii_lowercase().contains("www."));
        }

        #[test]
        fn a_cell_is_one_cell(text in hostile()) {
            for made in [plain(&text), code(&text)] {
                let table = format!("| a | b |\n|---|---|\n| {} | end |\n", cell(&made));
                let cells = Parser::new_ext(&table, Options::ENABLE_TABLES)
                    .filter(|event| matches!(event, Event::Start(Tag::TableCell)))
                    .count();
                prop_assert_eq!(cells, 4, "{}", table);
                prop_assert!(shown(&table).is_ok(), "{:?}", shown(&table));
            }
        }

        #[test]
        fn code_is_one_span(text in hostile()) {
            let made = code(&text);
            let events: Vec<Event<'_>> = Parser::new_ext(&made, Options::all()).collect();
            let spans = events.iter().filter(|e| matches!(e, Event::Code(_))).count();
            prop_assert_eq!(spans, usize::from(!clean(&text).trim().is_empty()));
            prop_assert_eq!(events.len(), 3);
        }

        #[test]
        fn a_block_is_one_block(lines in prop::collection::vec(hostile(), 1..4)) {
            let made = block("sh", &lines);
            let mut text = String::new();
            let mut starts = 0;
            for event in Parser::new_ext(&made, Options::all()) {
                match event {
                    Event::Start(Tag::CodeBlock(_)) => starts += 1,
                    Event::Text(part) => text.push_str(&part),
                    Event::End(_) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            let expected: Vec<String> = lines.iter().map(|line| clean(line)).collect();
            prop_assert_eq!(starts, 1);
            prop_assert_eq!(text, format!("{}\n", expected.join("\n")));
        }

        #[test]
        fn a_label_stays_between_its_quotes(text in hostile()) {
            let made = label(&text);
            let without_codes = made.replace(['#', ';'], "");
            prop_assert!(
                !without_codes.contains(['"', '<', '>', '`', '{', '}', '%', '&', '[', ']', '\\', '*', '|', '\n', '@']),
                "{}", made
            );
            // Each mark of a code belongs to a whole code.
            prop_assert_eq!(made.matches('#').count(), made.matches(';').count());
        }
    }

    fn straight(text: &str) -> String {
        text.replace(['“', '”'], "\"")
            .replace(['‘', '’'], "'")
            .replace('…', "...")
            .replace('—', "---")
            .replace('–', "--")
    }

    #[test]
    fn names_stay_readable() {
        assert_eq!(
            plain("MC_rg_shop: 10.0.0.0/16, 3 nodes (1.5 %)"),
            "MC\\_rg\\_shop: 10.0.0.0/16, 3 nodes (1.5 %)"
        );
        assert_eq!(
            code("*.data.mcr.microsoft.com"),
            "`*.data.mcr.microsoft.com`"
        );
        assert_eq!(label("subnet vnet/nodes"), "subnet vnet/nodes");
        assert_eq!(label("a\"b"), "a#34;b");
    }
}
