//! `handler report`: one report on the terminal or into a pipe.

use clap::ValueEnum;
use egress_diagnosis::rank_for;
use egress_diagnosis::report::Report;

use super::ask::{Shown, ask};
use crate::cli::{self, OutputFormat};
use crate::exit::Exit;
use crate::output::Terminal;

/// Makes one report and prints it.
pub(crate) fn report(options: &cli::Report, terminal: Terminal) -> Exit {
    ask(
        &options.ask,
        terminal,
        OutputFormat::value_variants(),
        |made, format| {
            let mut report = Report::clone(&made.report);
            if let Some(pattern) = options.pattern {
                rank_for(&mut report, pattern.into());
            }
            let text = match format {
                OutputFormat::Json => serde_json::to_string_pretty(&report)?,
                OutputFormat::Text => egress_render::text(&report, &terminal.text_options()),
                OutputFormat::Markdown => egress_render::markdown(&report, &[]),
                OutputFormat::AdaptiveCard => {
                    serde_json::to_string_pretty(&egress_render::adaptive_card(&report, &[]))?
                }
            };
            let exit = Exit::from(report.verdict.status);
            Ok(Shown { text, exit })
        },
    )
}
