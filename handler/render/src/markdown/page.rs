//! Blocks of Markdown. Text enters only through the functions that make it harmless.

use super::escape;

/// A page that grows downwards.
#[derive(Default)]
pub(super) struct Page {
    out: String,
}

impl Page {
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// A heading; level 1 is the page's own.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        self.gap();
        self.raw(&format!("{} {}\n", "#".repeat(level), escape::plain(text)));
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) {
        self.gap();
        self.raw(&format!("{}\n", escape::plain(text)));
    }

    /// A paragraph that begins with a strong word.
    pub(super) fn strong(&mut self, word: &str, text: &str) {
        self.gap();
        let line = format!("**{}** {}", escape::plain(word), escape::plain(text));
        self.raw(&format!("{}\n", line.trim_end()));
    }

    /// A list.
    pub(super) fn list(&mut self, items: &[String]) {
        self.gap();
        for item in items {
            self.raw(&format!("- {}\n", escape::plain(item)));
        }
    }

    /// A numbered list.
    pub(super) fn steps(&mut self, items: &[String]) {
        self.gap();
        for (index, item) in items.iter().enumerate() {
            self.raw(&format!("{}. {}\n", index + 1, escape::plain(item)));
        }
    }

    /// Commands to copy.
    pub(super) fn commands(&mut self, commands: &[String]) {
        if !commands.is_empty() {
            self.gap();
            self.raw(&escape::block("sh", commands));
        }
    }

    /// A Mermaid picture; its labels are made harmless by whoever draws it.
    pub(super) fn picture(&mut self, lines: &[String]) {
        self.gap();
        self.raw(&escape::block("mermaid", lines));
    }

    /// A link to a page of the documentation. What is no plain https address is shown as text.
    pub(super) fn link(&mut self, lead: &str, url: &str) {
        self.gap();
        if is_plain_https(url) {
            self.raw(&format!("{} <{url}>\n", escape::plain(lead)));
        } else {
            self.raw(&format!("{} {}\n", escape::plain(lead), escape::code(url)));
        }
    }

    /// A table.
    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<Cell>>) {
        self.gap();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        self.raw(&line(head.iter().map(|h| escape::plain(h)).collect()));
        self.raw(&line(head.iter().map(|_| "---".to_owned()).collect()));
        for row in rows {
            self.raw(&line(row.into_iter().map(|cell| cell.0).collect()));
        }
    }

    /// One empty line between blocks.
    fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

/// A cell of a table.
pub(super) struct Cell(String);

impl Cell {
    /// Words.
    pub(super) fn text(text: &str) -> Self {
        let made = escape::cell(&escape::plain(text));
        Self(if made.is_empty() {
            "–".to_owned()
        } else {
            made
        })
    }

    /// Names or addresses.
    pub(super) fn names<T: AsRef<str>>(names: &[T]) -> Self {
        let made: Vec<String> = names
            .iter()
            .map(|name| escape::code(name.as_ref()))
            .collect();
        Self(if made.is_empty() {
            "–".to_owned()
        } else {
            escape::cell(&made.join(", "))
        })
    }

    /// One name or address; a dash when it is not known.
    pub(super) fn name(name: Option<&str>) -> Self {
        Self::names(name.as_slice())
    }

    /// A number; a question mark when it is not known.
    pub(super) fn number<T: ToString>(number: Option<T>) -> Self {
        Self(number.map_or("?".to_owned(), |n| n.to_string()))
    }
}

/// Whether the address can stand in a link without being escaped.
pub(crate) fn is_plain_https(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"./-_#?=%".contains(&b))
    })
}
