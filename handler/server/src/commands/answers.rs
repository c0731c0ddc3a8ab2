//! `handler paths`, `handler outcome`, `handler pressure` and `handler bypass-plan`.

use egress_diagnosis::answers::{BypassAnswer, OutcomeAnswer, PathsAnswer, PressureAnswer};
use egress_diagnosis::outcome::Observation;
use egress_diagnosis::report::{FinalState, Pattern};

use super::ask::{PLAIN, Shown, ask, ask_closely, written};
use crate::cli;
use crate::exit::Exit;
use crate::output::{self, Terminal};

/// Prints the traces of the required endpoints, or of one destination.
pub(crate) fn paths(options: &cli::Paths, terminal: Terminal) -> Exit {
    ask(&options.ask, terminal, &PLAIN, |made, format| {
        let destination = options.destination.as_ref();
        let answer = PathsAnswer::of(&made.facts, &made.report, destination);
        let text = written(format, &answer, |answer| {
            egress_render::paths(answer, &terminal.text_options())
        })?;
        let exit = match destination {
            Some(_) => reached(&answer),
            None => Exit::from(made.report.verdict.status),
        };
        Ok(Shown { text, exit })
    })
}

/// Whether the one destination is reached from every pool.
fn reached(answer: &PathsAnswer) -> Exit {
    let paths = || answer.traces.iter().flat_map(|trace| &trace.paths);
    let all = |wanted| paths().all(|path| path.final_state == wanted);
    if paths().any(|path| path.final_state == FinalState::Dropped) {
        Exit::Fault
    } else if paths().next().is_some() && all(FinalState::Delivered) {
        Exit::Success
    } else {
        Exit::Unknown
    }
}

/// Prints the reading of a curl exit code or HTTP status.
pub(crate) fn outcome(options: &cli::Outcome, terminal: Terminal) -> Exit {
    let seen = Observation {
        curl_exit: options.curl_exit_code,
        http_status: options.http_status,
        // Taken from the destination.
        destination: None,
        port: None,
        text: options.text.clone(),
        pattern: options.pattern.map_or(Pattern::Unknown, Pattern::from),
        node_pool: options.node_pool.clone(),
        tcp_connects: options.tcp_connects,
    };
    // Before Azure is asked for anything.
    if let Err(error) = seen.check() {
        return output::failure(&error.to_string(), Exit::Usage);
    }
    ask(&options.ask, terminal, &PLAIN, |made, format| {
        let destination = options.destination.as_ref();
        let exit = Exit::from(made.report.verdict.status);
        match OutcomeAnswer::of(&made.facts, &made.report, seen, destination) {
            Ok(answer) => Ok(Shown {
                text: written(format, &answer, |answer| {
                    egress_render::outcome(answer, &terminal.text_options())
                })?,
                exit,
            }),
            Err(error) => Ok(Shown {
                text: error.to_string(),
                exit: Exit::Usage,
            }),
        }
    })
}

/// Prints how much the nodes and their disks have to do.
pub(crate) fn pressure(options: &cli::Pressure, terminal: Terminal) -> Exit {
    ask_closely(&options.ask, terminal, &PLAIN, |made, format| {
        let answer = PressureAnswer::of(&made.facts, &made.report, None);
        let text = written(format, &answer, |answer| {
            egress_render::pressure(answer, &terminal.text_options())
        })?;
        let exit = Exit::from(made.report.verdict.status);
        Ok(Shown { text, exit })
    })
}

/// Prints the plan to go past the appliances.
pub(crate) fn bypass_plan(options: &cli::BypassPlan, terminal: Terminal) -> Exit {
    ask(&options.ask, terminal, &PLAIN, |made, format| {
        let destination = options.destination.as_ref();
        let answer = BypassAnswer::of(&made.facts, &made.report, destination);
        let text = written(format, &answer, |answer| {
            egress_render::bypass_plan(answer, &terminal.text_options())
        })?;
        let exit = Exit::from(made.report.verdict.status);
        Ok(Shown { text, exit })
    })
}
