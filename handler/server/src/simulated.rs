//! The embedded simulated Azure, as the other commands use it.

use std::path::Path;

use crate::cluster_id::ClusterId;
use crate::settings::Settings;

/// The simulated cluster that a report without a cluster is about: one of two pools cannot reach the internet.
const DEMO: &str = "nat-missing-on-one-subnet";

/// A running simulated Azure.
pub(crate) struct Simulated {
    clusters: Vec<SimulatedCluster>,
}

/// One of its clusters.
pub(crate) struct SimulatedCluster {
    pub(crate) name: String,
    pub(crate) id: ClusterId,
}

impl Simulated {
    /// Starts it, with the scenarios of `dir` or the embedded ones.
    pub(crate) async fn start(_dir: Option<&Path>) -> Result<Self, String> {
        Err(DEMO.to_owned())
    }

    pub(crate) fn apply(&self, settings: Settings) -> Settings {
        settings
    }

    pub(crate) fn demo(&self) -> &SimulatedCluster {
        &self.clusters[0]
    }

    pub(crate) fn cluster(&self, name: Option<&str>) -> Result<ClusterId, String> {
        Err(String::new())
    }
}
