//! What every command about a cluster does: settings, sandbox, one run with its progress, and what it prints.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::azure::Azure;
use crate::cli::{Ask, OutputFormat};
use crate::cluster_id::{self, ClusterId};
use crate::commands;
use crate::engine::{self, Diagnosis, DiagnosisError, DiagnosisRequest, Progress};
use crate::exit::Exit;
use crate::output::{self, Terminal};
use crate::reports::{Policy, Reports};
use crate::settings::{self, Settings};
use crate::simulated::Simulated;

/// What a command shows of a diagnosis.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) exit: Exit,
}

/// The formats of every answer but a report.
pub(super) const PLAIN: [OutputFormat; 2] = [OutputFormat::Json, OutputFormat::Text];

/// Reads and diagnoses the cluster, and prints what `show` makes of it in one of the `offered` formats.
pub(super) fn ask(
    options: &Ask,
    terminal: Terminal,
    offered: &[OutputFormat],
    show: impl FnOnce(&Diagnosis, OutputFormat) -> Result<Shown, serde_json::Error>,
) -> Exit {
    asked(options, terminal, false, offered, show)
}

/// The same with a close look at the nodes.
pub(super) fn ask_closely(
    options: &Ask,
    terminal: Terminal,
    offered: &[OutputFormat],
    show: impl FnOnce(&Diagnosis, OutputFormat) -> Result<Shown, serde_json::Error>,
) -> Exit {
    asked(options, terminal, true, offered, show)
}

fn asked(
    options: &Ask,
    terminal: Terminal,
    pressure: bool,
    offered: &[OutputFormat],
    show: impl FnOnce(&Diagnosis, OutputFormat) -> Result<Shown, serde_json::Error>,
) -> Exit {
    let format = format(options, terminal);
    if !offered.contains(&format) {
        return output::failure("this command gives json or text", Exit::Usage);
    }
    commands::block_on(run(options, terminal, pressure, |made| show(made, format)))
}

async fn run(
    options: &Ask,
    terminal: Terminal,
    pressure: bool,
    show: impl FnOnce(&Diagnosis) -> Result<Shown, serde_json::Error>,
) -> Exit {
    let settings = match Settings::read(&settings::environment) {
        Ok(settings) => settings,
        Err(faults) => return output::failure(&faults.join("\n"), Exit::Config),
    };
    // Kept until the run is over: dropping it stops it.
    let simulated = match &options.sandbox.sandbox {
        None => None,
        Some(dir) => match Simulated::start(dir.as_deref()).await {
            Ok(simulated) => Some(simulated),
            Err(fault) => return output::failure(&fault, Exit::NoInput),
        },
    };
    let wanted = options.cluster.as_deref();
    let (settings, cluster) = match &simulated {
        None => (settings, real_cluster(wanted)),
        Some(simulated) => (simulated.apply(&settings), simulated.cluster(wanted)),
    };
    let cluster = match cluster {
        Ok(cluster) => cluster,
        Err(fault) => return output::failure(&fault, Exit::Usage),
    };
    let policy = Policy {
        cache: Duration::ZERO,
        concurrent_runs: 1,
        allowed_subscriptions: settings.allowed_subscriptions.clone(),
    };
    let reports = Reports::new(Arc::new(Azure::new(settings)), policy);
    let request = DiagnosisRequest {
        cluster,
        window: options.window(),
        pressure,
    };
    let bar = progress_bar(terminal);
    let made = reports.get(request, false, progress(&bar)).await;
    bar.finish_and_clear();
    match made {
        Ok(made) => match show(&made) {
            Ok(shown) => output::result(&shown.text, shown.exit),
            Err(error) => output::failure(&error.to_string(), Exit::Internal),
        },
        Err(error) => output::failure(
            &format!("no report: {}", advice(&error)),
            Exit::from(&error),
        ),
    }
}

/// Indented JSON, or text.
pub(super) fn written<T: Serialize>(
    format: OutputFormat,
    body: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<String, serde_json::Error> {
    if format == OutputFormat::Json {
        return serde_json::to_string_pretty(body);
    }
    Ok(text(body))
}

fn real_cluster(text: Option<&str>) -> Result<ClusterId, String> {
    text.map_or_else(|| Err(cluster_id::missing()), cluster_id::parse)
}

fn format(options: &Ask, terminal: Terminal) -> OutputFormat {
    let by_default = if terminal.stdout {
        OutputFormat::Text
    } else {
        OutputFormat::Json
    };
    options.format.unwrap_or(by_default)
}

/// The error, and what a person can do about it.
fn advice(error: &DiagnosisError) -> String {
    let hint = match error {
        DiagnosisError::IdentityFailed(_) => {
            "\nSign in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET."
        }
        DiagnosisError::Forbidden { .. } => "\nGive the identity the Reader role there.",
        _ => "",
    };
    format!("{error}{hint}")
}

fn progress_bar(terminal: Terminal) -> ProgressBar {
    if !terminal.stderr {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn progress(bar: &ProgressBar) -> Progress {
    if bar.is_hidden() {
        return engine::silent();
    }
    let bar = bar.clone();
    Arc::new(move |step| bar.set_message(step.to_owned()))
}
