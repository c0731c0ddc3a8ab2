//! Lines, indents, wrapping and colour.

use super::TextOptions;
use crate::clean::clean;

/// Narrowest page that still reads.
const MIN_WIDTH: usize = 40;
/// Width of the labels of fields.
const LABEL: usize = 12;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
    Unsure,
    Strong,
    Quiet,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "1;32",
            Self::Warn => "1;33",
            Self::Bad => "1;31",
            Self::Unsure => "1;35",
            Self::Strong => "1",
            Self::Quiet => "2",
        }
    }
}

/// A page that grows downwards. Every text that goes in is made harmless here, in one place.
pub(super) struct Page {
    options: TextOptions,
    out: String,
}

impl Page {
    pub(super) fn new(options: TextOptions) -> Self {
        Self {
            options,
            out: String::new(),
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn width(&self) -> usize {
        self.options.width.max(MIN_WIDTH)
    }

    /// Harmless text in a tone, when colour is on.
    pub(super) fn paint(&self, text: &str, tone: Tone) -> String {
        let text = clean(text);
        if self.options.color {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text
        }
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A heading with a line above it.
    pub(super) fn heading(&mut self, title: &str) {
        self.blank();
        let painted = self.paint(title, Tone::Strong);
        self.out.push_str(&painted);
        self.out.push('\n');
    }

    /// Text after a lead of `lead_width` visible columns; further lines are indented to the text.
    pub(super) fn badge(&mut self, lead: &str, lead_width: usize, text: &str) {
        let lines = self.wrap(text, lead_width + 1);
        for (index, line) in lines.iter().enumerate() {
            if index == 0 {
                self.out.push_str(lead);
                self.out.push(' ');
            } else {
                self.out.push_str(&" ".repeat(lead_width + 1));
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// `label       text`
    pub(super) fn field(&mut self, label: &str, text: &str) {
        let lead = self.paint(&format!("  {label:<LABEL$}"), Tone::Quiet);
        self.badge(&lead, LABEL + 2, text);
    }

    /// A wrapped paragraph at an indent.
    pub(super) fn text(&mut self, indent: usize, text: &str) {
        for line in self.wrap(text, indent) {
            self.out.push_str(&" ".repeat(indent));
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    /// A list item at an indent.
    pub(super) fn item(&mut self, indent: usize, mark: &str, text: &str) {
        let lead = format!("{}{mark}", " ".repeat(indent));
        let width = lead.chars().count();
        self.badge(&lead, width, text);
    }

    /// A line that is never broken, e.g. a command.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&clean(text));
        self.out.push('\n');
    }

    /// A line whose parts were painted before.
    pub(super) fn painted(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn wrap(&self, text: &str, indent: usize) -> Vec<String> {
        let width = self.width().saturating_sub(indent).max(20);
        let options = textwrap::Options::new(width)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::wrap(&clean(text), options)
            .into_iter()
            .map(std::borrow::Cow::into_owned)
            .collect()
    }
}
