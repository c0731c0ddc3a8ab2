//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::http::{DEFAULT_WINDOW, parse_window};

/// Port of `serve` outside the Functions host.
const DEFAULT_PORT: u16 = 8080;

/// Finds out why an AKS cluster's outbound traffic does not get out.
///
/// Given a cluster's ARM id it reads Azure Resource Manager and reports what carries the cluster's egress traffic, what
/// blocks it and why, how close SNAT is to exhaustion, and the command that fixes it. It only reads.
#[derive(Debug, Parser)]
#[command(
    name = "handler",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:
  handler report --sandbox
      A report on a broken cluster of the embedded simulated Azure; needs no Azure at all.
  handler report /subscriptions/…/managedClusters/shop
      A report on your cluster, read with your `az login`.
  handler serve --sandbox
      The HTTP service on http://127.0.0.1:8080 in front of the simulated Azure.

Without a command: `serve` when FUNCTIONS_CUSTOMHANDLER_PORT is set, as the Functions host does; else this help.

Exit codes:
  0 healthy or at risk · 1 degraded or blocked · 2 unknown
  64 wrong usage · 66 no such cluster · 69 Azure unreachable · 70 internal error
  74 output failed · 77 not allowed · 78 wrong setting"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer HTTP requests, as the Azure Functions custom handler or on a port of your own.
    Serve(Serve),
    /// Diagnose one cluster and print the report.
    Report(Report),
    /// Serve only the simulated Azure, for other clients such as az, and print the settings they need.
    Sandbox(Sandbox),
    /// List what can be found, or explain one finding.
    Findings(Findings),
    /// Print the JSON Schema of the report.
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Port on 127.0.0.1. The Functions host's own choice (FUNCTIONS_CUSTOMHANDLER_PORT) comes first.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PORT)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) sandbox: UseSandbox,
}

impl Default for Serve {
    /// What a bare `handler` under the Functions host means.
    fn default() -> Self {
        Self {
            port: DEFAULT_PORT,
            sandbox: UseSandbox { sandbox: None },
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handler report --sandbox
  handler report nat-healthy --sandbox --format json
  handler report /subscriptions/…/managedClusters/shop --window P1D > report.txt")]
pub(crate) struct Report {
    /// ARM id of the cluster; with --sandbox also the name of one of its clusters.
    #[arg(value_name = "CLUSTER_ID", required_unless_present = "sandbox")]
    pub(crate) cluster: Option<String>,
    /// How to print it. Text on a terminal and JSON elsewhere, unless given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<OutputFormat>,
    /// Length of the metrics window that ends now: an ISO 8601 duration from PT5M to P7D [default: PT6H]
    #[arg(long, value_name = "DURATION", value_parser = parse_window)]
    pub(crate) window: Option<SignedDuration>,
    #[command(flatten)]
    pub(crate) sandbox: UseSandbox,
}

impl Report {
    /// The window asked for.
    pub(crate) fn window(&self) -> SignedDuration {
        self.window.unwrap_or(DEFAULT_WINDOW)
    }
}

#[derive(Debug, Args)]
pub(crate) struct UseSandbox {
    /// Ask the embedded simulated Azure in place of the real one; DIR holds scenario files of your own.
    // Two options deep: not given, given alone, given with a folder.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    #[expect(
        clippy::option_option,
        reason = "clap's own form for an optional value"
    )]
    pub(crate) sandbox: Option<Option<PathBuf>>,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// Folder with scenario files of your own, in place of the embedded ones.
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes any free one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port: u16,
    /// Wait this long before each answer.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) latency: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Findings {
    /// Code of one finding, e.g. NAT101.
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Json,
    Text,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("handler").chain(args.split_whitespace()))
    }

    fn report(args: &str) -> Report {
        match parse(args).unwrap().command {
            Some(Command::Report(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_teaches_with_examples() {
        let help = Cli::command().term_width(100).render_long_help();
        insta::assert_snapshot!("help", help.to_string());
        let mut command = Cli::command().term_width(100);
        let report = command.find_subcommand_mut("report").unwrap();
        insta::assert_snapshot!("help_report", report.render_long_help().to_string());
    }

    #[test]
    fn the_sandbox_takes_a_folder_or_none() {
        assert_eq!(report("report x").sandbox.sandbox, None);
        assert_eq!(report("report --sandbox").sandbox.sandbox, Some(None));
        let with_folder = report("report nat --sandbox ./clouds --format json");
        assert_eq!(with_folder.sandbox.sandbox, Some(Some("./clouds".into())));
        assert_eq!(with_folder.cluster.as_deref(), Some("nat"));
        assert_eq!(with_folder.format, Some(OutputFormat::Json));
    }

    #[test]
    fn a_report_needs_a_cluster_unless_there_is_a_sandbox() {
        assert!(parse("report").is_err());
        assert!(parse("report --sandbox").is_ok());
    }

    #[test]
    fn windows_are_checked_like_over_http() {
        assert_eq!(report("report x").window(), SignedDuration::from_hours(6));
        let day = report("report x --window P1D");
        assert_eq!(day.window(), SignedDuration::from_hours(24));
        for wrong in ["PT4M59S", "P7DT1S", "6h", "P1M", "-PT1H"] {
            assert!(
                parse(&format!("report x --window={wrong}")).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn no_command_and_unknown_words() {
        assert!(parse("").unwrap().command.is_none());
        assert!(parse("frobnicate").is_err());
        assert!(parse("serve --port 70000").is_err());
        assert!(parse("report x --format yaml").is_err());
    }
}
