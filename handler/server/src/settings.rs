//! The app's settings: the one place that reads the environment.
//!
//! A wrong value never stops the process, because the Functions host would start it twice more and then give up
//! without telling any caller why. `serve` starts, logs the faults, and every route that needs Azure answers 500
//! `badConfiguration` naming them. The command line refuses to run instead.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use egress_arm::{
    BlobEndpoint, Cloud, Endpoints, Identity, IdentitySettings, Secret, Trust, Webhook,
};
use tracing::Level;

/// Everything the environment says. Secrets in it are not shown by `Debug`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The cloud's endpoints, `EGRESS_CLOUD`, with `EGRESS_ARM_ENDPOINT`, `EGRESS_ARM_AUDIENCE`, `EGRESS_METRICS_ENDPOINT`,
    /// `EGRESS_METRICS_AUDIENCE` and `AZURE_AUTHORITY_HOST` in their place.
    pub(crate) endpoints: Endpoints,
    /// Who asks Azure, from `IDENTITY_ENDPOINT` and `AZURE_*`.
    pub(crate) identity: Identity,
    /// `SSL_CERT_FILE`, else the system's roots.
    pub(crate) trust: Trust,
    /// `EGRESS_ALLOWED_SUBSCRIPTIONS` in lower case; empty = all.
    pub(crate) allowed_subscriptions: BTreeSet<String>,
    /// `EGRESS_DEADLINE_SECONDS`.
    pub(crate) deadline: Duration,
    /// `EGRESS_CACHE_SECONDS`.
    pub(crate) cache: Duration,
    /// The blobs of the Functions host's own storage account, where that is used with an identity:
    /// `AzureWebJobsStorage__blobServiceUri`, else `AzureWebJobsStorage__accountName`.
    pub(crate) storage: Option<BlobEndpoint>,
    /// `EGRESS_SWEEP`: whether the timer orders diagnoses.
    pub(crate) sweep: bool,
    /// `EGRESS_ID_KEY`: signs the ids of diagnoses that are made later.
    pub(crate) id_key: Option<Secret>,
    /// `EGRESS_NOTIFY_URL` and `EGRESS_NOTIFY_FORMAT`: who is told of results.
    pub(crate) notify: Option<NotifySettings>,
}

/// Who is told of results, and how.
#[derive(Debug, Clone)]
pub(crate) struct NotifySettings {
    /// `EGRESS_NOTIFY_URL`; it usually holds a key.
    pub(crate) url: Secret,
    /// `EGRESS_NOTIFY_FORMAT`.
    pub(crate) format: NotifyFormat,
}

/// What is posted to the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotifyFormat {
    /// A message with an Adaptive Card, as a workflow of Teams takes it.
    AdaptiveCard,
    /// The stored result.
    Json,
}

impl FromStr for NotifyFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "adaptive-card" => Ok(Self::AdaptiveCard),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// What decides how the process runs at all, readable even when other settings are wrong.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// `FUNCTIONS_CUSTOMHANDLER_PORT`: present under the Functions host. The error names what is wrong with it.
    pub(crate) host_port: Option<Result<u16, String>>,
    /// `EGRESS_LOG_LEVEL`.
    pub(crate) log_level: Level,
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
}

/// Looks a variable up.
type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The process's environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Process {
    pub(crate) fn read(lookup: &Lookup<'_>) -> Self {
        let mut reader = Reader::new(lookup);
        let host_port = reader.text("FUNCTIONS_CUSTOMHANDLER_PORT").map(|text| {
            let fault =
                format!("FUNCTIONS_CUSTOMHANDLER_PORT is {text:?}; it must be a port, 1 to 65535");
            text.parse().ok().filter(|port| *port != 0).ok_or(fault)
        });
        Self {
            host_port,
            log_level: reader
                .text("EGRESS_LOG_LEVEL")
                .and_then(|level| level.parse().ok())
                .unwrap_or(Level::INFO),
            no_color: reader.text("NO_COLOR").is_some(),
        }
    }
}

impl Settings {
    /// Reads all settings. An empty value counts as not set.
    ///
    /// # Errors
    /// One sentence per wrong setting: its name, what is wrong, what to write instead.
    pub(crate) fn read(lookup: &Lookup<'_>) -> Result<Self, Vec<String>> {
        let mut reader = Reader::new(lookup);
        let endpoints = endpoints(&mut reader);
        let settings = Self {
            storage: storage(&mut reader, endpoints.cloud()),
            sweep: reader.text("EGRESS_SWEEP").is_none() || reader.switch("EGRESS_SWEEP"),
            endpoints,
            identity: identity(&mut reader),
            trust: reader
                .path("SSL_CERT_FILE")
                .map_or(Trust::System, Trust::File),
            allowed_subscriptions: subscriptions(&mut reader),
            deadline: reader.seconds("EGRESS_DEADLINE_SECONDS", 100, 1..=220),
            cache: reader.seconds("EGRESS_CACHE_SECONDS", 30, 0..=3600),
            id_key: reader.text("EGRESS_ID_KEY").map(Secret::from),
            notify: notify(&mut reader),
        };
        reader.parsed(
            "EGRESS_LOG_LEVEL",
            Level::INFO,
            "error, warn, info or debug",
        );
        reader.switch("EGRESS_PROBES");
        if reader.switch("EGRESS_REDACT") {
            reader.fault(
                "EGRESS_REDACT",
                "is on, which this version cannot do yet; set it to off",
            );
        }
        if reader.faults.is_empty() {
            Ok(settings)
        } else {
            Err(reader.faults)
        }
    }
}

impl Settings {
    /// The identity these settings configure; `None` leaves the developer's sign-in.
    pub(crate) fn identity_kind(&self) -> Option<&'static str> {
        match self.identity {
            Identity::Managed { .. } => Some("managedIdentity"),
            Identity::ClientSecret { .. } => Some("servicePrincipal"),
            Identity::Workload { .. } => Some("workloadIdentity"),
            Identity::Fixed(_) => Some("sandbox"),
            Identity::DeveloperCli => None,
        }
    }
}

fn endpoints(reader: &mut Reader<'_>) -> Endpoints {
    let cloud = reader.parsed("EGRESS_CLOUD", Cloud::Public, "public, china or usgov");
    let mut endpoints = Endpoints::of(cloud);
    if let Some(text) = reader.text("EGRESS_ARM_ENDPOINT") {
        match endpoints.clone().with_arm_endpoint(&text) {
            Ok(changed) => endpoints = changed,
            // A user name or password in the value must not reach a log.
            Err(_) => reader.fault(
                "EGRESS_ARM_ENDPOINT",
                "must be https://, a host and perhaps a port, such as https://management.azure.com",
            ),
        }
    }
    if let Some(text) = reader.text("AZURE_AUTHORITY_HOST") {
        match endpoints.clone().with_authority(&text) {
            Ok(changed) => endpoints = changed,
            Err(_) => reader.fault(
                "AZURE_AUTHORITY_HOST",
                "must be https:// and a host, such as https://login.microsoftonline.com",
            ),
        }
    }
    if let Some(text) = reader.text("EGRESS_ARM_AUDIENCE") {
        match endpoints.clone().with_arm_audience(&text) {
            Ok(changed) => endpoints = changed,
            Err(_) => reader.fault(
                "EGRESS_ARM_AUDIENCE",
                "must be an audience such as https://management.azure.com",
            ),
        }
    }
    if let Some(text) = reader.text("EGRESS_METRICS_ENDPOINT") {
        match endpoints.clone().with_metrics_endpoint(&text) {
            Ok(changed) => endpoints = changed,
            Err(_) => reader.fault(
                "EGRESS_METRICS_ENDPOINT",
                "must be https://, a host and perhaps a port, such as https://{region}.metrics.monitor.azure.com",
            ),
        }
    }
    if let Some(text) = reader.text("EGRESS_METRICS_AUDIENCE") {
        match endpoints.clone().with_metrics_audience(&text) {
            Ok(changed) => endpoints = changed,
            Err(_) => reader.fault(
                "EGRESS_METRICS_AUDIENCE",
                "must be an audience such as https://metrics.monitor.azure.com",
            ),
        }
    }
    endpoints
}

fn storage(reader: &mut Reader<'_>, cloud: Cloud) -> Option<BlobEndpoint> {
    let (by_uri, by_name) = (
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__accountName",
    );
    let (name, endpoint) = match (reader.text(by_uri), reader.text(by_name)) {
        (Some(uri), _) => (by_uri, BlobEndpoint::at(&uri)),
        (None, Some(account)) => (by_name, BlobEndpoint::of_account(cloud, &account)),
        (None, None) => return None,
    };
    if endpoint.is_err() {
        // A signature in the value must not reach a log.
        let why = if name == by_uri {
            "must be https:// and a host, such as https://account.blob.core.windows.net"
        } else {
            "must be the name of a storage account: 3 to 24 lower-case letters and digits"
        };
        reader.fault(name, why);
    }
    endpoint.ok()
}

fn identity(reader: &mut Reader<'_>) -> Identity {
    let settings = IdentitySettings {
        identity_endpoint: reader.text("IDENTITY_ENDPOINT").is_some(),
        client_id: reader.text("AZURE_CLIENT_ID"),
        tenant_id: reader.text("AZURE_TENANT_ID"),
        client_secret: reader.text("AZURE_CLIENT_SECRET").map(Secret::from),
        federated_token_file: reader.path("AZURE_FEDERATED_TOKEN_FILE"),
    };
    let has_proof = settings.client_secret.is_some() || settings.federated_token_file.is_some();
    if has_proof && (settings.tenant_id.is_none() || settings.client_id.is_none()) {
        let name = if settings.client_secret.is_some() {
            "AZURE_CLIENT_SECRET"
        } else {
            "AZURE_FEDERATED_TOKEN_FILE"
        };
        let why = "needs AZURE_TENANT_ID and AZURE_CLIENT_ID beside it; set them, or remove it to use the managed identity";
        reader.fault(name, why);
    }
    Identity::from_settings(settings)
}

fn notify(reader: &mut Reader<'_>) -> Option<NotifySettings> {
    let format = reader.parsed(
        "EGRESS_NOTIFY_FORMAT",
        NotifyFormat::AdaptiveCard,
        "adaptive-card or json",
    );
    let url = reader.text("EGRESS_NOTIFY_URL")?;
    if Webhook::parse(&url, Trust::System).is_none() {
        // Never with the value: it holds a key.
        reader.fault(
            "EGRESS_NOTIFY_URL",
            "must be an https:// address without user name and password",
        );
    }
    Some(NotifySettings {
        url: Secret::from(url),
        format,
    })
}

fn subscriptions(reader: &mut Reader<'_>) -> BTreeSet<String> {
    let name = "EGRESS_ALLOWED_SUBSCRIPTIONS";
    let text = reader.text(name).unwrap_or_default();
    let mut allowed = BTreeSet::new();
    for id in text.split(',').map(str::trim) {
        if uuid::Uuid::try_parse(id).is_ok_and(|_| id.len() == 36) {
            allowed.insert(id.to_ascii_lowercase());
        } else if !text.is_empty() {
            reader.fault(
                name,
                &format!(
                    "holds {id:?}, which is not a subscription id; list GUIDs, separated by commas"
                ),
            );
        }
    }
    allowed
}

/// Reads variables and gathers what is wrong with them.
struct Reader<'a> {
    lookup: &'a Lookup<'a>,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(lookup: &'a Lookup<'a>) -> Self {
        Self {
            lookup,
            faults: Vec::new(),
        }
    }

    fn fault(&mut self, name: &str, why: &str) {
        self.faults.push(format!("{name} {why}"));
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        let Ok(text) = value.into_string() else {
            self.fault(name, "is not UTF-8 text");
            return None;
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn path(&mut self, name: &str) -> Option<PathBuf> {
        (self.lookup)(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    }

    fn parsed<T: FromStr>(&mut self, name: &str, default: T, allowed: &str) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.fault(name, &format!("is {text:?}; it must be {allowed}"));
            default
        })
    }

    fn seconds(
        &mut self,
        name: &str,
        default: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) -> Duration {
        let range = format!(
            "a whole number of seconds, {} to {}",
            allowed.start(),
            allowed.end()
        );
        let seconds = self.parsed(name, default, &range);
        if !allowed.contains(&seconds) {
            self.fault(name, &format!("is {seconds}; it must be {range}"));
        }
        Duration::from_secs(seconds)
    }

    fn switch(&mut self, name: &str) -> bool {
        match self.text(name).as_deref() {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("on") => true,
            Some(text) if text.eq_ignore_ascii_case("off") => false,
            Some(text) => {
                let why = format!("is {text:?}; it must be on or off");
                self.fault(name, &why);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let find = |name: &str| {
            pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| OsString::from(*v))
        };
        Settings::read(&find)
    }

    #[test]
    fn an_empty_environment_gives_the_documented_defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.endpoints.arm(), "https://management.azure.com");
        assert_eq!(settings.deadline, Duration::from_secs(100));
        assert_eq!(settings.cache, Duration::from_secs(30));
        assert!(settings.allowed_subscriptions.is_empty());
        assert!(matches!(settings.trust, Trust::System));
    }

    #[test]
    fn the_metrics_data_plane_is_the_clouds_unless_set() {
        let origin = |pairs: &[(&str, &str)]| {
            let endpoints = read(pairs).unwrap().endpoints;
            let origin = endpoints.metrics().origin("eastus");
            (origin, endpoints.metrics().scope())
        };
        let gov = origin(&[("EGRESS_CLOUD", "usgov")]);
        assert_eq!(
            gov.0.as_deref(),
            Some("https://eastus.metrics.monitor.azure.us")
        );
        let own = origin(&[
            ("EGRESS_ARM_ENDPOINT", "https://localhost:1"),
            ("EGRESS_METRICS_ENDPOINT", "https://{region}.m.example"),
            ("EGRESS_METRICS_AUDIENCE", "https://m.example"),
        ]);
        assert_eq!(own.0.as_deref(), Some("https://eastus.m.example"));
        assert_eq!(own.1, "https://m.example/.default");
        // Azure's own data plane knows nothing of another Resource Manager's resources.
        let beside = origin(&[("EGRESS_ARM_ENDPOINT", "https://localhost:1")]);
        assert_eq!(beside.0, None);
    }

    #[test]
    fn each_wrong_value_is_named_with_what_to_write_instead() {
        let cases = [
            ("EGRESS_CLOUD", "mars", "public, china or usgov"),
            ("EGRESS_ARM_ENDPOINT", "http://localhost:1", "https://"),
            ("EGRESS_ARM_AUDIENCE", "no audience", "audience such as"),
            (
                "EGRESS_METRICS_ENDPOINT",
                "https://a.{region}.b",
                "{region}.",
            ),
            ("EGRESS_METRICS_AUDIENCE", "no audience", "audience such as"),
            ("AZURE_AUTHORITY_HOST", "http://login", "https://"),
            (
                "EGRESS_DEADLINE_SECONDS",
                "soon",
                "whole number of seconds, 1 to 220",
            ),
            ("EGRESS_DEADLINE_SECONDS", "0", "1 to 220"),
            ("EGRESS_CACHE_SECONDS", "-1", "0 to 3600"),
            ("EGRESS_ALLOWED_SUBSCRIPTIONS", "prod", "list GUIDs"),
            ("EGRESS_PROBES", "yes", "on or off"),
            ("EGRESS_SWEEP", "never", "on or off"),
            ("AzureWebJobsStorage__accountName", "St_1", "lower-case"),
            (
                "AzureWebJobsStorage__blobServiceUri",
                "http://127.0.0.1:10000/x",
                "https://",
            ),
            ("EGRESS_REDACT", "on", "set it to off"),
            ("EGRESS_NOTIFY_URL", "http://example.net", "https://"),
            ("EGRESS_NOTIFY_FORMAT", "html", "adaptive-card or json"),
            ("EGRESS_LOG_LEVEL", "loud", "error, warn"),
            (
                "AZURE_CLIENT_SECRET",
                "x",
                "needs AZURE_TENANT_ID and AZURE_CLIENT_ID",
            ),
        ];
        for (name, value, fix) in cases {
            let faults = read(&[(name, value)]).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].starts_with(name) && faults[0].contains(fix),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn all_wrong_values_are_told_at_once() {
        let faults = read(&[("EGRESS_CLOUD", "mars"), ("EGRESS_PROBES", "maybe")]).unwrap_err();
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn secrets_and_credentials_in_values_are_never_shown() {
        let secret = "s3cr3t-value";
        let settings = read(&[
            ("AZURE_CLIENT_SECRET", secret),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_TENANT_ID", "t"),
        ]);
        assert!(!format!("{:?}", settings.unwrap()).contains(secret));
        let endpoint = format!("https://user:{secret}@localhost/");
        let faults = read(&[("EGRESS_ARM_ENDPOINT", &endpoint)]).unwrap_err();
        assert!(!format!("{faults:?}").contains(secret));
        let webhook = format!("http://example.net/?sig={secret}");
        let faults = read(&[("EGRESS_NOTIFY_URL", &webhook)]).unwrap_err();
        assert!(!format!("{faults:?}").contains(secret));
        let webhook = format!("https://example.net/?sig={secret}");
        let settings = read(&[("EGRESS_NOTIFY_URL", &webhook)]).unwrap();
        assert!(!format!("{settings:?}").contains(secret));
    }

    #[test]
    fn the_sweep_is_on_until_it_is_turned_off() {
        let is_on = |pairs: &[(&str, &str)]| read(pairs).unwrap().sweep;
        assert!(is_on(&[]) && is_on(&[("EGRESS_SWEEP", "on")]));
        assert!(!is_on(&[("EGRESS_SWEEP", "off")]));
    }

    #[test]
    fn the_hosts_storage_is_found_by_address_or_name() {
        let storage = |pairs: &[(&str, &str)]| {
            let endpoint = read(pairs).unwrap().storage;
            endpoint.map(|endpoint| endpoint.as_str().to_owned())
        };
        let name = ("AzureWebJobsStorage__accountName", "stegress");
        let uri = (
            "AzureWebJobsStorage__blobServiceUri",
            "https://own.example/",
        );
        let china = ("EGRESS_CLOUD", "china");
        assert_eq!(
            storage(&[name, china]).as_deref(),
            Some("https://stegress.blob.core.chinacloudapi.cn")
        );
        assert_eq!(
            storage(&[name, uri]).as_deref(),
            Some("https://own.example")
        );
        assert_eq!(storage(&[]), None);
    }

    #[test]
    fn subscriptions_are_compared_in_lower_case() {
        let id = "AAAAAAAA-0000-4000-8000-00000000000A";
        let settings = read(&[("EGRESS_ALLOWED_SUBSCRIPTIONS", &format!(" {id} "))]).unwrap();
        assert!(settings.allowed_subscriptions.contains(&id.to_lowercase()));
    }

    #[test]
    fn the_hosts_port_is_read_even_when_other_settings_are_wrong() {
        let of = |value: &'static str| {
            Process::read(&move |name: &str| {
                (name == "FUNCTIONS_CUSTOMHANDLER_PORT").then(|| OsString::from(value))
            })
            .host_port
        };
        assert_eq!(of("7071"), Some(Ok(7071)));
        assert_eq!(of(""), None);
        assert!(of("0").unwrap().is_err());
        assert!(of("70000").unwrap().is_err());
    }
}
