//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use egress_diagnosis::report;
use egress_diagnosis::trace::Destination;
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
  handler paths firewall-denies-mcr --sandbox --destination example.com:443
      Whether one host is reached from each node pool, step by step.
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
    /// Show the path to one destination, or to every required endpoint, step by step.
    Paths(Paths),
    /// Read a curl exit code or HTTP status in the light of the analysis.
    Outcome(Outcome),
    /// Look at the nodes closely: CPU, memory, disks, conditions.
    Pressure(Pressure),
    /// Plan how to go past the egress appliance for a moment, and back; nothing is executed.
    BypassPlan(BypassPlan),
    /// Serve only the simulated Azure, for other clients such as az, and print the settings they need.
    Sandbox(Sandbox),
    /// List what can be found, or explain one finding.
    Findings(Findings),
    /// Print the JSON Schema of an answer.
    Schema(Schema),
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
  handler report firewall-denies-mcr --sandbox --format markdown
  handler report /subscriptions/…/managedClusters/shop --window P1D > report.txt")]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// What you have seen: the same failure each time, or only now and then. Next steps that fit come first.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) pattern: Option<Pattern>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handler paths firewall-denies-mcr --sandbox --destination mcr.microsoft.com
  handler paths /subscriptions/…/managedClusters/shop --destination 203.0.113.7:8443/tcp
  handler paths /subscriptions/…/managedClusters/shop --destination '[2001:db8::1]:53/udp'
  handler paths /subscriptions/…/managedClusters/shop
      Every endpoint that the cluster needs.

Exit codes with a destination:
  0 delivered from every pool · 1 dropped from at least one · 2 anything else, such as handed to an appliance
  whose rules cannot be read. Without one they are those of `handler report`.")]
pub(crate) struct Paths {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// HOST, HOST:PORT or ADDRESS:PORT, with /tcp or /udp; TCP 443 unless given. Without it: every required endpoint.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) destination: Option<Destination>,
}

#[derive(Debug, Args)]
#[command(after_help = "Run curl from a pod, and give what it says:
  curl -sS -o /dev/null -w '%{http_code}' https://mcr.microsoft.com/v2/; echo \" exit $?\"

Examples:
  handler outcome nsg-denies-internet --sandbox --curl-exit-code 28 --destination mcr.microsoft.com
  handler outcome /subscriptions/…/managedClusters/shop --http-status 403 --destination api.example.com
  handler outcome /subscriptions/…/managedClusters/shop --curl-exit-code 35 --node-pool apps --pattern intermittent")]
pub(crate) struct Outcome {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// curl's exit code.
    #[arg(long, value_name = "CODE", required_unless_present = "http_status")]
    pub(crate) curl_exit_code: Option<u8>,
    /// HTTP status of the answer; 000 when none came.
    #[arg(long, value_name = "STATUS")]
    pub(crate) http_status: Option<u16>,
    /// What was called: HOST, HOST:PORT or ADDRESS:PORT. Without it the internet as a whole is meant.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) destination: Option<Destination>,
    /// Node pool that the pod ran in.
    #[arg(long, value_name = "POOL")]
    pub(crate) node_pool: Option<String>,
    /// Whether it fails each time or only now and then.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) pattern: Option<Pattern>,
    /// What the client printed: its error message, or the answer's headers.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Whether a bare TCP connection (`nc -z`) to the same port works.
    #[arg(long, value_name = "BOOL")]
    pub(crate) tcp_connects: Option<bool>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The troubleshooting guide's step 4. With a destination only that one goes past the appliance, which is safer.

Examples:
  handler bypass-plan firewall-denies-mcr --sandbox --destination mcr.microsoft.com
  handler bypass-plan /subscriptions/…/managedClusters/shop --format json"
)]
pub(crate) struct BypassPlan {
    #[command(flatten)]
    pub(crate) ask: Ask,
    /// HOST, HOST:PORT or ADDRESS:PORT that alone goes past the appliance. Without it: everything.
    #[arg(long, value_name = "DESTINATION")]
    pub(crate) destination: Option<Destination>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handler pressure os-disk-throttled --sandbox
  handler pressure /subscriptions/…/managedClusters/shop --window P1D")]
pub(crate) struct Pressure {
    #[command(flatten)]
    pub(crate) ask: Ask,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// report, paths, outcome, pressure or bypass-plan.
    #[arg(value_name = "NAME", default_value = "report")]
    pub(crate) name: String,
}

/// What every command about a cluster takes.
#[derive(Debug, Args)]
pub(crate) struct Ask {
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

impl Ask {
    /// The window asked for.
    pub(crate) fn window(&self) -> SignedDuration {
        self.window.unwrap_or(DEFAULT_WINDOW)
    }
}

/// What somebody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pattern {
    Persistent,
    Intermittent,
}

impl From<Pattern> for report::Pattern {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Persistent => Self::Persistent,
            Pattern::Intermittent => Self::Intermittent,
        }
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
    /// For a ticket; reports only.
    Markdown,
    /// For Teams; reports only.
    AdaptiveCard,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("handler").chain(args.split_whitespace()))
    }

    fn report(args: &str) -> Ask {
        match parse(args).unwrap().command {
            Some(Command::Report(report)) => report.ask,
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
        for name in ["report", "paths", "outcome", "bypass-plan"] {
            let shown = command
                .find_subcommand_mut(name)
                .unwrap()
                .render_long_help();
            insta::assert_snapshot!(format!("help_{name}"), shown.to_string());
        }
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
    fn destinations_are_checked_like_over_http() {
        let destination = |args: &str| match parse(args).unwrap().command {
            Some(Command::Paths(paths)) => paths.destination.map(|d| d.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(destination("paths x"), None);
        let given = destination("paths x --destination Example.com:8443");
        assert_eq!(given.as_deref(), Some("example.com:8443/tcp"));
        for wrong in ["https://example.com", "example.com:0", "2001:db8::1"] {
            let error = parse(&format!("paths x --destination {wrong}")).unwrap_err();
            assert!(error.to_string().contains("write"), "{error}");
        }
    }

    #[test]
    fn an_outcome_needs_something_that_was_seen() {
        assert!(parse("outcome x").is_err());
        assert!(parse("outcome x --curl-exit-code 28").is_ok());
        assert!(
            parse("outcome x --http-status 403 --pattern intermittent --tcp-connects false")
                .is_ok()
        );
        for wrong in [
            "--curl-exit-code 256",
            "--http-status -1",
            "--pattern often --http-status 200",
        ] {
            assert!(parse(&format!("outcome x {wrong}")).is_err(), "{wrong}");
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
