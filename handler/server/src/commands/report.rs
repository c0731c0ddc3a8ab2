//! `handler report`: one report on the terminal or into a pipe.

use std::sync::Arc;
use std::time::Duration;

use egress_diagnosis::report::Report;
use indicatif::{ProgressBar, ProgressStyle};

use crate::azure::Azure;
use crate::cli::{self, OutputFormat};
use crate::cluster_id::{self, ClusterId};
use crate::commands;
use crate::engine::{self, DiagnosisError, DiagnosisRequest, Progress};
use crate::exit::Exit;
use crate::output::{self, Terminal};
use crate::reports::{Policy, Reports};
use crate::settings::{self, Settings};
use crate::simulated::Simulated;

/// Makes one report and prints it.
pub(crate) fn report(options: &cli::Report, terminal: Terminal) -> Exit {
    commands::block_on(run(options, terminal))
}

async fn run(options: &cli::Report, terminal: Terminal) -> Exit {
    let settings = match Settings::read(&settings::environment) {
        Ok(settings) => settings,
        Err(faults) => return output::failure(&faults.join("\n"), Exit::Config),
    };
    // Kept until the report is made: dropping it stops it.
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
    };
    let bar = progress_bar(terminal);
    let made = reports.get(request, false, progress(&bar)).await;
    bar.finish_and_clear();
    match made {
        Ok(report) => print(&report, options.format, terminal),
        Err(error) => output::failure(
            &format!("no report: {}", advice(&error)),
            Exit::from(&error),
        ),
    }
}

fn real_cluster(text: Option<&str>) -> Result<ClusterId, String> {
    text.map_or_else(|| Err(cluster_id::missing()), cluster_id::parse)
}

fn print(report: &Report, format: Option<OutputFormat>, terminal: Terminal) -> Exit {
    let by_default = if terminal.stdout {
        OutputFormat::Text
    } else {
        OutputFormat::Json
    };
    let text = match format.unwrap_or(by_default) {
        OutputFormat::Json => match serde_json::to_string_pretty(report) {
            Ok(json) => json,
            Err(error) => return output::failure(&error.to_string(), Exit::Internal),
        },
        OutputFormat::Text => egress_render::text(report, &terminal.text_options()),
    };
    output::result(&text, Exit::from(report.verdict.status))
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
