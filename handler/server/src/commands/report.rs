//! `handler report`: one report on the terminal or into a pipe.

use egress_diagnosis::rank_for;
use egress_diagnosis::report::Report;

use super::ask::{Shown, ask, written};
use crate::cli;
use crate::exit::Exit;
use crate::output::Terminal;

/// Makes one report and prints it.
pub(crate) fn report(options: &cli::Report, terminal: Terminal) -> Exit {
    ask(&options.ask, terminal, |made, format| {
        let mut report = Report::clone(&made.report);
        if let Some(pattern) = options.pattern {
            rank_for(&mut report, pattern.into());
        }
        let text = written(format, &report, |report| {
            egress_render::text(report, &terminal.text_options())
        })?;
        let exit = Exit::from(report.verdict.status);
        Ok(Shown { text, exit })
    })
}
