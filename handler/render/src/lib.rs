//! Report in, text for people out.

use egress_diagnosis::report::Report;

/// How text is laid out.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    /// Whether ANSI colours are used.
    pub color: bool,
}

/// The report as plain text for a terminal or a ticket.
pub fn text(report: &Report, _options: &TextOptions) -> String {
    format!("{}\n", report.verdict.headline)
}
