//! The embedded simulated Azure, as the other commands use it.

use std::collections::BTreeSet;
use std::path::Path;

use egress_arm::{Cloud, Endpoints, Identity, Secret, Trust};
use egress_sandbox::{Cluster, Options, Sandbox, Scenarios};

use crate::cluster_id::{self, ClusterId};
use crate::settings::Settings;

/// The scenario that a report without a cluster is about: one of two node pools cannot reach the internet.
const DEMO: &str = "nat-missing-on-one-subnet";

/// A running simulated Azure; it ends when this is dropped.
pub(crate) struct Simulated {
    sandbox: Sandbox,
    endpoints: Endpoints,
    demo: Cluster,
}

impl Simulated {
    /// Starts it with the scenarios of `dir`, or the embedded ones.
    ///
    /// # Errors
    /// What is wrong, for the person who gave the folder.
    pub(crate) async fn start(dir: Option<&Path>) -> Result<Self, String> {
        if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
            return Err(format!(
                "{} is no folder with scenario files; a scenario's name goes before --sandbox",
                dir.display()
            ));
        }
        let sandbox = Sandbox::start(Options {
            scenarios: scenarios(dir),
            ..Options::default()
        })
        .await
        .map_err(|error| error.to_string())?;
        let demo = sandbox
            .cluster(DEMO)
            .or_else(|| sandbox.clusters().first())
            .cloned()
            .ok_or("the folder holds no scenario files (*.toml)")?;
        let endpoints = Endpoints::of(Cloud::Public)
            .with_arm_endpoint(sandbox.arm_endpoint())
            .and_then(|endpoints| endpoints.with_metrics_endpoint(sandbox.metrics_endpoint()))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            sandbox,
            endpoints,
            demo,
        })
    }

    /// The settings that ask this in place of Azure.
    pub(crate) fn apply(&self, settings: &Settings) -> Settings {
        Settings {
            endpoints: self.endpoints.clone(),
            identity: Identity::Fixed(Secret::from(self.sandbox.token())),
            trust: Trust::Pem(self.sandbox.certificate_pem().as_bytes().to_vec()),
            // Its subscription is nobody's.
            allowed_subscriptions: BTreeSet::new(),
            deadline: settings.deadline,
            cache: settings.cache,
            // Its token opens no storage.
            storage: None,
            sweep: settings.sweep,
            id_key: settings.id_key.clone(),
            notify: settings.notify.clone(),
        }
    }

    /// ARM id of the cluster that shows best what a report is.
    pub(crate) fn demo_id(&self) -> &str {
        &self.demo.id
    }

    /// The cluster with this scenario name or ARM id; without one, the demo's.
    ///
    /// # Errors
    /// What is wrong, and which names there are.
    pub(crate) fn cluster(&self, name_or_id: Option<&str>) -> Result<ClusterId, String> {
        let Some(text) = name_or_id else {
            return cluster_id::parse(&self.demo.id);
        };
        if text.contains('/') {
            return cluster_id::parse(text);
        }
        let cluster = self.sandbox.cluster(text).ok_or_else(|| {
            let names: Vec<&str> = self
                .sandbox
                .clusters()
                .iter()
                .map(|c| c.scenario.as_str())
                .collect();
            format!(
                "there is no scenario {text}; there are {}",
                names.join(", ")
            )
        })?;
        cluster_id::parse(&cluster.id)
    }
}

/// Which scenarios a folder option means.
pub(crate) fn scenarios(dir: Option<&Path>) -> Scenarios {
    dir.map_or(Scenarios::Builtin, |dir| Scenarios::Dir(dir.to_owned()))
}
